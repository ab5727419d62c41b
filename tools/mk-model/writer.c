/* SPDX-License-Identifier: MIT */
#include "writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf/file.h"

#define HEADER_SIZE 24

void writer_bytes(struct writer *writer, const void *bytes, size_t size)
{
    if (size > writer->capacity - writer->size) {
        size_t capacity = 2 * (writer->size + size) + 4096;
        char *grown = realloc(writer->bytes, capacity);

        if (grown == NULL) {
            fputs("mk-model: out of memory\n", stderr);
            exit(1);
        }
        writer->bytes = grown;
        writer->capacity = capacity;
    }
    if (size > 0)
        memcpy(writer->bytes + writer->size, bytes, size);
    writer->size += size;
}

void writer_u32(struct writer *writer, uint32_t value)
{
    writer_bytes(writer, &value, sizeof(value));
}

void writer_u64(struct writer *writer, uint64_t value)
{
    writer_bytes(writer, &value, sizeof(value));
}

void writer_text(struct writer *writer, const char *text, size_t length)
{
    writer_u64(writer, length);
    writer_bytes(writer, text, length);
}

void writer_begin(struct writer *writer)
{
    static const char header[HEADER_SIZE];

    *writer = (struct writer){.bytes = NULL};
    writer_bytes(writer, header, sizeof(header));
}

void writer_end(struct writer *writer, uint32_t version, uint32_t alignment)
{
    static const char zero = 0;

    memcpy(writer->bytes, "GGUF", 4);
    memcpy(writer->bytes + 4, &version, sizeof(version));
    memcpy(writer->bytes + 8, &writer->tensors, sizeof(writer->tensors));
    memcpy(writer->bytes + 16, &writer->keys, sizeof(writer->keys));
    while (writer->tensors > 0 && writer->size % alignment != 0)
        writer_bytes(writer, &zero, 1);
}

void writer_key(struct writer *writer, const char *name, uint32_t type)
{
    writer->keys++;
    writer_text(writer, name, strlen(name));
    writer_u32(writer, type);
}

void writer_key_u32(struct writer *writer, const char *name, uint32_t value)
{
    writer_key(writer, name, GGUF_U32);
    writer_u32(writer, value);
}

void writer_key_f32(struct writer *writer, const char *name, float value)
{
    writer_key(writer, name, GGUF_F32);
    writer_bytes(writer, &value, sizeof(value));
}

void writer_key_bool(struct writer *writer, const char *name, bool value)
{
    const char byte = value ? 1 : 0;

    writer_key(writer, name, GGUF_BOOL);
    writer_bytes(writer, &byte, 1);
}

void writer_key_text(struct writer *writer, const char *name, const char *text)
{
    writer_key(writer, name, GGUF_STRING);
    writer_text(writer, text, strlen(text));
}

void writer_key_array(struct writer *writer, const char *name, uint32_t element, uint64_t count)
{
    writer_key(writer, name, GGUF_ARRAY);
    writer_u32(writer, element);
    writer_u64(writer, count);
}

void writer_tensor(struct writer *writer, const char *name, uint32_t type, uint64_t columns, uint64_t rows,
                   uint64_t offset)
{
    writer->tensors++;
    writer_text(writer, name, strlen(name));
    writer_u32(writer, rows > 0 ? 2 : 1);
    writer_u64(writer, columns);
    if (rows > 0)
        writer_u64(writer, rows);
    writer_u32(writer, type);
    writer_u64(writer, offset);
}
