/* SPDX-License-Identifier: MIT
 *
 * An MCP client on one connection: the handshake, one request at a time, and what a server may send in
 * between.
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

/* Told about four times a second while an answer is awaited, and once with elapsed_ms -1 when the wait is
 * over. `progress` is the params of the newest notifications/progress of this request, or NULL. */
typedef void (*client_waiting)(void *context, int64_t elapsed_ms, const json_t *progress);

struct client_options {
    struct endpoint endpoint;
    enum mcp_stream_form form; /* MCP_FORM_FRAMES or MCP_FORM_LINES */
    int64_t timeout_ms;        /* how long the server may be silent while we wait */
    client_waiting waiting;    /* or NULL */
    void *waiting_context;
};

/* Zero it; then client_open. Read-only for the caller. */
struct client {
    bool open;
    json_t *server; /* the result of initialize: an object */
    /* private */
    struct client_options options;
    struct connection connection;
    struct mcp_reader reader;
    json_int_t last_id;
    json_int_t awaited; /* id of the request in flight, 0: none */
    json_t *response;   /* to it, when it is there */
    json_t *progress;   /* the newest of it */
    int64_t heard;      /* clock_ms() when the last byte came */
    size_t input_next, input_end;
    uint8_t input[16384];
};

/* Connects and initialises. STATUS_OK, STATUS_CONNECTION or STATUS_INTERRUPTED. */
enum status client_open(struct client *client, const struct client_options *options, struct error *error);
/* Idempotent. */
void client_close(struct client *client);

enum client_effort {
    CLIENT_QUICK, /* the server answers at once */
    CLIENT_WORK /* it may work for long: progress is asked for, and a ping tells whether a silent server lives
                 */
};

/* Sends a request and waits for its response. Takes `params` over (NULL: none); *result belongs to the
 * caller. STATUS_OK; STATUS_TOOL: the server answered with an error; STATUS_USAGE: the request is too long to
 * send; STATUS_CONNECTION: the client is closed now; STATUS_INTERRUPTED: the server was told to cancel. */
enum status client_request(struct client *client, const char *method, json_t *params,
                           enum client_effort effort, json_t **result, struct error *error);

/* Answers the server's pings for this long. */
enum status client_idle(struct client *client, int64_t duration_ms, struct error *error);

#endif
