/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: the grammar of JSON, checked in one linear pass without memory.
 */
#ifndef MCP_JSON_SCAN_H
#define MCP_JSON_SCAN_H

#include <stddef.h>

#include "mcp/json.h"

/* A value or a key; those of a text stand in its order. */
struct json_token {
    uint8_t type;          /* enum mcp_json_type */
    bool is_key;           /* its value is the next token */
    uint32_t start, end;   /* in the text; of a string, between its quotes */
    uint32_t size;         /* elements or members */
    uint32_t next_sibling; /* of a value: the next one in the same array or object; 0: none */
};

/* Whether text[0..length), shorter than 4 GiB, is one valid JSON value (RFC 8259) of at most
 * MCP_JSON_DEPTH_MAX levels: 0 and the number of its tokens, or -EINVAL and *error. The first `room` of them
 * go to `tokens`. */
int json_scan(const char *text, size_t length, struct json_token *tokens, size_t room, size_t *count,
              struct mcp_json_error *error);

/* How many of the first bytes stand for themselves in a string: ASCII without control characters, quotes and
 * backslashes. */
size_t json_plain_length(const char *text, size_t available);

/* Length of the well-formed UTF-8 sequence that begins at text (available > 0), or 0 when none does: Unicode
 * 15.0, table 3-7, so neither surrogates nor overlong forms. */
size_t json_utf8_length(const char *text, size_t available);

/* The value of a hexadecimal digit, or -1. */
int json_hex_digit(char digit);

#endif
