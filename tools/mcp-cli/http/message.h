/* SPDX-License-Identifier: MIT
 *
 * What the gateway must know of a JSON-RPC message. The message itself is passed on as it stands: the parts
 * are pieces of its text.
 */
#ifndef MCP_HTTP_MESSAGE_H
#define MCP_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include <mcp/json.h>

#define MESSAGE_ID_MAX   1024 /* bytes of JSON text */
#define MESSAGE_NAME_MAX 8192 /* bytes of a name or a URI that a header must repeat */

struct piece {
    const char *text; /* NULL: not there */
    size_t length;
};

enum message_kind { MESSAGE_REQUEST, MESSAGE_NOTIFICATION, MESSAGE_RESPONSE };

struct message {
    enum message_kind kind;
    struct mcp_json root;
    struct piece text; /* all of it */
    struct piece id;   /* JSON text */
    char method[128];  /* "" for a response, and for a longer one */
    bool is_error;     /* a response */
    long long code;    /* of the error */
    /* requests and notifications */
    struct mcp_json params;
    struct mcp_json meta;    /* params._meta */
    struct mcp_json version; /* params._meta["io.modelcontextprotocol/protocolVersion"] */
};

/* The messages in a text: one, or those of a batch. */
struct messages {
    struct mcp_json_document *document;
    const char *problem; /* static: why it was refused */
    struct mcp_json next;
    bool is_batch;
    size_t count;
};

extern const struct mcp_memory message_memory;

/* Parses. The text must stay while *messages lives. Returns 0; -EINVAL (not JSON), -EBADMSG (JSON that is no
 * message), -ENOMEM; `problem` says why. messages_release in any case. */
int messages_open(struct messages *messages, const char *text, size_t length);
/* The next one: 1, 0 at the end, or -EBADMSG with `problem`. */
int messages_next(struct messages *messages, struct message *message);
void messages_release(struct messages *messages);

bool piece_equals(struct piece one, struct piece other);
bool message_is(const struct message *message, const char *method);

/* Decodes a string value into a new, NUL-terminated one that the caller frees: NULL when it is none, holds a
 * NUL character, is longer than `most`, or there is no memory. */
char *message_string(struct mcp_json value, size_t most);

#endif
