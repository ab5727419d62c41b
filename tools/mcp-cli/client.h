/* SPDX-License-Identifier: MIT
 *
 * An MCP client on one connection: the handshake of both eras, one request at a time, and what a server may
 * send in between.
 */
#ifndef MCP_CLI_CLIENT_H
#define MCP_CLI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <mcp/transport.h>

#include "connection.h"
#include "error.h"
#include "transport/transport.h"

/* MCP 2026-07-28 ("Versioning"): with `initialize`, up to 2025-11-25, or with the version in each request. */
enum client_era { CLIENT_ERA_AUTO, CLIENT_ERA_INITIALIZE, CLIENT_ERA_STATELESS };

/* What the client tells and asks while it works; each may be NULL. */
struct client_hooks {
    void *context;
    /* About four times a second while an answer is awaited, at each progress notification of the request (the
     * newest's params; else NULL), and once with elapsed_ms -1 when the wait is over. */
    void (*waiting)(void *context, int64_t elapsed_ms, const json_t *progress);
    /* A progress notification of the request in flight. */
    void (*progress)(void *context, const json_t *params);
    /* Any other notification. `stop` ends client_listen and client_idle. */
    void (*notification)(void *context, const char *method, const json_t *params, bool *stop);
    /* A line that the server's program wrote beside the protocol. */
    void (*remark)(void *context, const char *text, size_t length);
    /* An elicitation: gives the ElicitResult, or NULL for the end of the input. */
    json_t *(*elicit)(void *context, const json_t *params);
};

struct client_options {
    struct endpoint endpoint;
    enum mcp_stream_form form; /* MCP_FORM_FRAMES or MCP_FORM_LINES */
    enum client_era era;
    int64_t timeout_ms; /* how long the server may be silent while we wait */
    json_t *roots;      /* an array of {"uri", "name"} that servers may see, or NULL */
    struct client_hooks hooks;
};

/* Zero it; then client_open. Read-only for the caller. */
struct client {
    bool open;
    bool stateless;
    const char *version; /* of the protocol */
    json_t *server;      /* capabilities, serverInfo, instructions: of initialize or server/discover */
    json_t
        *headers; /* Mcp-Param-... of the next request, or NULL: the caller sets it, the request takes it */
    /* private */
    struct client_options options;
    struct transport *transport;
    json_int_t last_id;
    json_int_t awaited; /* id of the request in flight, 0: none */
    json_t *response;   /* to it, when it is there */
    json_t *progress;   /* the newest of it */
    bool stop;
    bool may_be_older; /* of the last transport, once it is closed */
};

/* Connects and finds the version. STATUS_OK, STATUS_CONNECTION or STATUS_INTERRUPTED. */
enum status client_open(struct client *client, const struct client_options *options, struct error *error);
/* Idempotent. */
void client_close(struct client *client);

enum client_effort {
    CLIENT_QUICK, /* the server answers at once */
    CLIENT_WORK,  /* it may work for long: progress is asked for, and a ping tells whether a silent server
                   * lives
                   */
    CLIENT_LISTEN /* it answers when it wants an end; nobody waits for it */
};

/* Sends a request and waits for its response. What the server wants to know for it first
 * (InputRequiredResult) is answered, and the request sent again. Takes `params` over (NULL: none); *result
 * belongs to the caller. STATUS_OK; STATUS_TOOL: the server answered with an error; STATUS_USAGE: the request
 * is too long to send; STATUS_CONNECTION: the client is closed; STATUS_INTERRUPTED: the server was told to
 * cancel. With CLIENT_LISTEN, STATUS_OK and no result after hooks.notification said stop. */
enum status client_request(struct client *client, const char *method, json_t *params,
                           enum client_effort effort, json_t **result, struct error *error);

/* Answers the server's requests for this long, or until hooks.notification says stop. */
enum status client_idle(struct client *client, int64_t duration_ms, struct error *error);

/* For the files of the client. */

/* One request and its response: *response is the whole message, the caller's. */
enum status client_exchange(struct client *client, const char *method, json_t *params,
                            enum client_effort effort, int64_t timeout_ms, json_t **response,
                            struct error *error);
/* Takes `message` over. */
enum status client_send(struct client *client, json_t *message, int64_t timeout_ms, struct error *error);
/* The connection cannot go on: closes it. */
enum status client_lost(struct client *client, struct error *error, const char *what);
/* The server's words for a JSON-RPC error, as a message. */
enum status client_refused(const json_t *failure, struct error *error);
/* A new transport, in the place of what was there. */
enum status client_connect(struct client *client, struct error *error);
/* Finds the era and the version, and what the server is (handshake.c). */
enum status client_handshake(struct client *client, struct error *error);
/* `_meta` of a request of the stateless era. */
json_t *client_meta(const struct client *client);
/* What the client can do, as the capabilities of the version. */
json_t *client_capabilities(const struct client *client);
/* A request from the server, which asks in the older era (answers.c). */
enum status client_answer(struct client *client, const char *method, json_t *id, const json_t *params,
                          struct error *error);
/* The inputResponses for the inputRequests of an InputRequiredResult (answers.c). */
enum status client_inputs(struct client *client, const json_t *requests, json_t **responses,
                          struct error *error);

#endif
