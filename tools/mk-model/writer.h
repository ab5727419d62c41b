/* SPDX-License-Identifier: MIT
 *
 * Writes the head of a GGUF file into memory: header, keys, tensor table. Ends the program where memory does.
 */
#ifndef MK_MODEL_WRITER_H
#define MK_MODEL_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct writer {
    char *bytes; /* free() it */
    size_t size, capacity;
    uint64_t tensors, keys;
};

/* Makes room for the header. */
void writer_begin(struct writer *writer);
/* Writes the header, and pads with zeros to the alignment. */
void writer_end(struct writer *writer, uint32_t version, uint32_t alignment);

void writer_bytes(struct writer *writer, const void *bytes, size_t size);
void writer_u32(struct writer *writer, uint32_t value);
void writer_u64(struct writer *writer, uint64_t value);
void writer_text(struct writer *writer, const char *text, size_t length);

/* Name and type of a key; its value comes next. */
void writer_key(struct writer *writer, const char *name, uint32_t type);
void writer_key_u32(struct writer *writer, const char *name, uint32_t value);
void writer_key_f32(struct writer *writer, const char *name, float value);
void writer_key_bool(struct writer *writer, const char *name, bool value);
void writer_key_text(struct writer *writer, const char *name, const char *text);
/* Its elements come next. */
void writer_key_array(struct writer *writer, const char *name, uint32_t element, uint64_t count);

/* Of `rows` 0 it is a vector. */
void writer_tensor(struct writer *writer, const char *name, uint32_t type, uint64_t columns, uint64_t rows,
                   uint64_t offset);

#endif
