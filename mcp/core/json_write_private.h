/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: writing, beyond the public header.
 */
#ifndef MCP_JSON_WRITE_PRIVATE_H
#define MCP_JSON_WRITE_PRIVATE_H

#include "mcp/json.h"

/* A writer that begins in a buffer of the caller, and takes memory when that is full. */
void json_writer_initialise_with_buffer(struct mcp_json_writer *writer, const struct mcp_memory *memory,
                                        size_t limit, char *buffer, size_t size);

/* Appends text that is known to be valid JSON, without the white space between its tokens. */
void json_write_checked(struct mcp_json_writer *writer, const char *text, size_t length);

/* Appends the members of an object that one of our own writers made: text[0..length) with its braces. */
void json_write_trusted_members(struct mcp_json_writer *writer, const char *text, size_t length);

#endif
