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
#include "transport/buffer.h"
#include "waiting.h"

struct session {
    struct client_options options;
    struct client client;
    struct output output;     /* standard output */
    struct output errors;     /* standard error */
    bool json;                /* --json */
    bool quiet;               /* --quiet: neither the server's remarks nor progress */
    const char *servers_file; /* --servers, or NULL */
    json_t *tools;            /* the array of tools/list, once it was asked for; else NULL */
    struct waiting waiting;
    /* Text that arrives in pieces, as messages of progress: shown at once, and kept to know what of the
     * result was shown. */
    bool streams;
    struct buffer streamed;
    /* Told each notification but progress and log messages; sets *stop to end the wait. NULL: nobody is. */
    void (*notification)(struct session *session, const char *method, const json_t *params, bool *stop);
    long long events_left; /* for `subscribe` */
};

/* Sets what the client tells and asks (the output is initialised). */
void session_initialise(struct session *session);
/* Connects, unless that is done. */
enum status session_connect(struct session *session, struct error *error);
void session_release(struct session *session);

/* All pages of a list: `member` of the results of `method`. *list belongs to the caller. */
enum status session_list(struct session *session, const char *method, const char *member, json_t **list,
                         struct error *error);
/* tools/list, asked for once in a connection. *tools stays the session's. */
enum status session_tools(struct session *session, json_t **tools, struct error *error);
/* The tool with this name, or NULL. */
const json_t *session_find_tool(const json_t *tools, const char *name);

/* Connects and sends a request. Takes `params` over; *result belongs to the caller. A server's error begins
 * with `what`. */
enum status session_request(struct session *session, const char *method, const char *what, json_t *params,
                            json_t **result, struct error *error);

/* Calls a tool. Takes `arguments` over; *result belongs to the caller, also when the status is STATUS_TOOL
 * because the result says isError (else it is NULL). */
enum status session_call(struct session *session, const char *tool, json_t *arguments, json_t **result,
                         struct error *error);

/* Says on standard error what went wrong. */
void session_report(const struct session *session, const struct error *error);

#endif
