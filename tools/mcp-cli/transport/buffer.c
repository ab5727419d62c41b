/* SPDX-License-Identifier: MIT */
#include "buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE ((size_t)4096)

int buffer_add(struct buffer *buffer, const void *bytes, size_t length)
{
    if (length > BUFFER_MAX - buffer->length)
        return -EMSGSIZE;
    size_t needed = buffer->length + length + 1;
    if (needed > buffer->size) {
        size_t size = buffer->size ? buffer->size : FIRST_SIZE;
        while (size < needed)
            size *= 2;
        char *larger = realloc(buffer->bytes, size);
        if (!larger)
            return -ENOMEM;
        buffer->bytes = larger;
        buffer->size = size;
    }
    if (length > 0)
        memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    buffer->bytes[buffer->length] = '\0';
    return 0;
}

void buffer_drop(struct buffer *buffer, size_t length)
{
    if (length == 0)
        return;
    buffer->length -= length;
    memmove(buffer->bytes, buffer->bytes + length, buffer->length + 1);
}

void buffer_release(struct buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct buffer){0};
}
