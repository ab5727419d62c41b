/* SPDX-License-Identifier: MIT
 *
 * The head of an HTTP request: who may ask, from where, and for what.
 */
#ifndef MCP_HTTP_HEAD_H
#define MCP_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "message.h"

#define HEAD_HEADERS_MAX 100

struct http_header {
    const char *name, *value;
};

struct http_head {
    const char *method, *path;
    const struct http_header *headers;
    size_t header_count;
};

/* Lists end with NULL. */
struct head_rules {
    const char *const *hosts;   /* besides the loopback names, without a port; "*": any */
    const char *const *origins; /* besides those on loopback names, as browsers send them; "*": any */
    const char *token;          /* or NULL: nobody needs one */
};

/* The value of a header, whatever the case of its name; NULL when there is none. */
const char *head_find(const struct http_head *head, const char *name);
/* Whether a header that may be there once only is there more often. */
bool head_is_ambiguous(const struct http_head *head);

bool head_host_is_allowed(const struct http_head *head, const struct head_rules *rules);
/* No Origin is allowed: only browsers send one. */
bool head_origin_is_allowed(const struct http_head *head, const struct head_rules *rules);
/* Takes equally long for any wrong token of the same length (RFC 6750, section 2.1). */
bool head_token_is_right(const struct http_head *head, const struct head_rules *rules);

/* Whether the answer may have this type, "application/json" say (RFC 9110, section 12.5.1). */
bool head_accepts(const struct http_head *head, const char *type);
/* Whether the body says that it is JSON. */
bool head_is_json(const struct http_head *head);

/* ---- MCP ---- */

enum head_era {
    HEAD_ERA_SESSION,   /* 2025-03-26 to 2025-11-25, or no version */
    HEAD_ERA_STATELESS, /* another version: 2026-07-28, or one that the server must refuse */
};

enum head_era head_era(const struct http_head *head);

/* MCP 2026-07-28, "Server Validation": compares what headers repeat of a message. Returns 0; -EPROTO for a
 * header that is missing or differs (HeaderMismatch), and writes into `problem` what is wrong; -EINVAL for
 * metadata that the message lacks. */
int head_check_mirrors(const struct http_head *head, const struct message *message, char *problem,
                       size_t size);

/* Decodes a header's value: "=?base64?...?=", or literal. Returns its length in `text` (NUL-terminated), or
 * -EINVAL for wrong Base64, a character that no header may hold, or too small a buffer. */
long head_decode(const char *value, char *text, size_t size);

#endif
