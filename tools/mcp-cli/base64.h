/* SPDX-License-Identifier: MIT
 *
 * Base64 (RFC 4648, section 4), as blobs of MCP have it.
 */
#ifndef MCP_CLI_BASE64_H
#define MCP_CLI_BASE64_H

#include <stddef.h>

/* Room for the text of `length` bytes, and its '\0'. */
#define BASE64_SIZE(length) (((length) + 2) / 3 * 4 + 1)

/* Writes BASE64_SIZE(length) bytes. */
void base64_encode(const void *bytes, size_t length, char *text);

/* Decodes into `bytes` (room for length / 4 * 3 of them) and sets their *count. Returns 0, or -EINVAL for
 * what is no Base64. */
int base64_decode(const char *text, size_t length, unsigned char *bytes, size_t *count);

#endif
