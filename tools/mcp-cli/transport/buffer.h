/* SPDX-License-Identifier: MIT
 *
 * Bytes that grow up to a limit.
 */
#ifndef MCP_CLI_BUFFER_H
#define MCP_CLI_BUFFER_H

#include <stddef.h>

/* The longest message of a server that speaks lines or HTTP: room for the images of a result, and a bound for
 * a server that never ends. */
#define BUFFER_MAX ((size_t)64 << 20)

/* Zero it; bytes[length] is '\0' once something was added. */
struct buffer {
    char *bytes;
    size_t length;
    size_t size; /* allocated */
};

/* Returns 0, -EMSGSIZE beyond BUFFER_MAX, or -ENOMEM; then nothing was added. */
int buffer_add(struct buffer *buffer, const void *bytes, size_t length);
/* Takes the first `length` bytes away. */
void buffer_drop(struct buffer *buffer, size_t length);
void buffer_release(struct buffer *buffer);

#endif
