/* SPDX-License-Identifier: MIT
 *
 * What an HTTP request is answered with, streams aside.
 */
#ifndef MCP_HTTP_ANSWER_H
#define MCP_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "message.h"

#define SESSION_ID_LENGTH 32

struct answer {
    unsigned status;                     /* of HTTP; 0: none yet */
    const char *type;                    /* of the body, or NULL */
    char *body;                          /* owned, or NULL */
    size_t length;                       /* of it */
    char session[SESSION_ID_LENGTH + 1]; /* for Mcp-Session-Id, or "" */
    const char *allow;                   /* for Allow, or NULL */
    unsigned retry_after;                /* seconds, or 0 */
    bool challenge;                      /* WWW-Authenticate: Bearer */
    bool preflight;                      /* of CORS */
};

/* A JSON-RPC error for the request with this id (or none), that says in `message` what to do. */
void answer_error(struct answer *answer, unsigned status, struct piece id, int code, const char *message);
/* Takes a copy. */
void answer_body(struct answer *answer, unsigned status, const char *type, const char *body, size_t length);
void answer_release(struct answer *answer);

/* The same error as a text that the caller frees, or NULL. */
char *error_message(struct piece id, int code, const char *message, size_t *length);

/* The HTTP status of a server's response in 2026-07-28 (Streamable HTTP, "Protocol Version Header" and
 * "Server Validation"). */
unsigned answer_status(const struct message *response);

#endif
