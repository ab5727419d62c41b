/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: one line of text for an error message, put together without snprintf. What does not
 * fit is left out; characters are not cut.
 */
#ifndef MCP_TEXT_H
#define MCP_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "mcp/json.h"

struct text {
    char bytes[256]; /* NUL-terminated */
    size_t length;
};

void text_add(struct text *text, const char *more);
void text_add_uint(struct text *text, uint64_t value);
void text_add_int(struct text *text, int64_t value);
void text_add_double(struct text *text, double value);
/* The first characters of a JSON string, in quotes; "..." stands for the rest. */
void text_add_quoted(struct text *text, struct mcp_json string);

#endif
