/* SPDX-License-Identifier: MIT
 *
 * Messages to and from a server, however they travel: over a byte stream (stream.c), to a program of our own
 * (child.c) or by HTTP (http.c).
 */
#ifndef MCP_CLI_TRANSPORT_H
#define MCP_CLI_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <mcp/transport.h>

#include "connection.h"
#include "error.h"

struct transport_options {
    const struct endpoint *endpoint; /* outlives the transport */
    enum mcp_stream_form form;       /* of a byte stream: MCP_FORM_FRAMES or MCP_FORM_LINES */
    int64_t timeout_ms;              /* for the connection */
    /* Told a line that the server's program wrote beside the protocol; or NULL. */
    void (*remark)(void *context, const char *text, size_t length);
    void *remark_context;
};

struct transport;

/* Of every function the status is STATUS_OK, STATUS_CONNECTION (nothing more can be sent or received; *error
 * does not name the endpoint), STATUS_INTERRUPTED, or STATUS_USAGE for a message that cannot be sent. */
struct transport_operations {
    /* Sends a message. `headers` are pairs of further HTTP headers (Mcp-Param-...), or NULL. */
    enum status (*send)(struct transport *transport, const json_t *message, const json_t *headers,
                        int64_t timeout_ms, struct error *error);
    /* Waits for the next message and gives it to the caller; NULL when none came within wait_ms. */
    enum status (*receive)(struct transport *transport, int64_t wait_ms, json_t **message,
                           struct error *error);
    /* The handshake is over: the version, and whether messages from the server may come unasked. */
    void (*settle)(struct transport *transport, const char *version, bool stateless);
    /* Ends the request with this id, without a word of the protocol. False: the transport cannot, and the
     * server has to be told. NULL: the same. */
    bool (*abandon)(struct transport *transport, json_int_t id);
    void (*close)(struct transport *transport);
};

struct transport {
    const struct transport_operations *operations;
    int64_t heard;     /* clock_ms() when the last byte came */
    bool is_deaf;      /* the server cannot say anything unasked */
    bool may_be_older; /* after STATUS_CONNECTION: a server that does not know server/discover may do this */
};

/* Allocates and connects; what open gives, operations->close frees. */
enum status transport_open(struct transport **transport, const struct transport_options *options,
                           struct error *error);

/* The openers of each kind, for transport_open. */
enum status stream_open(struct transport **transport, const struct transport_options *options,
                        struct error *error);
enum status child_open(struct transport **transport, const struct transport_options *options,
                       struct error *error);
enum status http_open(struct transport **transport, const struct transport_options *options,
                      struct error *error);

/* Whether a secret may go to this URL: it is encrypted, or stays on this machine. */
bool http_is_private(const char *url);

/* For them: the message as JSON text (the caller frees it), or what is wrong with it. */
enum status transport_encode(const json_t *message, size_t maximum, char **text, size_t *length,
                             struct error *error);
/* And a message from its text. */
enum status transport_decode(const char *text, size_t length, json_t **message, struct error *error);

#endif
