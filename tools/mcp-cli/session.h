/* SPDX-License-Identifier: MIT
 *
 * What one run of mcp-cli knows: where the server is, how to print, the connection once there is one.
 */
#ifndef MCP_CLI_SESSION_H
#define MCP_CLI_SESSION_H

#include <stdbool.h>

#include <jansson.h>

#include "client.h"
#include "error.h"
#include "output.h"

struct session {
    struct client_options options;
    struct client client;
    struct output output; /* standard output */
    struct output errors; /* standard error */
    bool json;            /* --json */
    json_t *tools;        /* the array of tools/list, once it was asked for; else NULL */
};

/* Connects, unless that is done. */
enum status session_connect(struct session *session, struct error *error);
void session_release(struct session *session);

/* All pages of tools/list, asked for once in a connection. *tools stays the session's. */
enum status session_tools(struct session *session, json_t **tools, struct error *error);

/* Calls a tool. Takes `arguments` over; *result belongs to the caller, also when the status is STATUS_TOOL
 * because the result says isError (else it is NULL). */
enum status session_call(struct session *session, const char *tool, json_t *arguments, json_t **result,
                         struct error *error);

/* Says on standard error what went wrong. */
void session_report(const struct session *session, const struct error *error);

#endif
