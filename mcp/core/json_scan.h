/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: the grammar of JSON, checked in one linear pass without memory.
 */
#ifndef MCP_JSON_SCAN_H
#define MCP_JSON_SCAN_H

#include <stddef.h>

#include "mcp/json.h"

/* Whether text[0..length) is one valid JSON value (RFC 8259) of at most MCP_JSON_DEPTH_MAX levels: 0 and the
 * number of values and keys in it, or -EINVAL and *error. */
int json_scan(const char *text, size_t length, size_t *tokens, struct mcp_json_error *error);

/* How many of the first bytes stand for themselves in a string: ASCII without control characters, quotes and
 * backslashes. */
size_t json_plain_length(const char *text, size_t available);

/* Length of the well-formed UTF-8 sequence that begins at text (available > 0), or 0 when none does: Unicode
 * 15.0, table 3-7, so neither surrogates nor overlong forms. */
size_t json_utf8_length(const char *text, size_t available);

/* The value of a hexadecimal digit, or -1. */
int json_hex_digit(char digit);

#endif
