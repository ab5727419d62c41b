/* SPDX-License-Identifier: MIT
 *
 * A GGUF file in memory, from the lines of reference/reference.txt: what they do not say (the weights, a
 * vocabulary of so many tokens) is made here.
 */
#ifndef REFERENCE_FILE_H
#define REFERENCE_FILE_H

#include <stddef.h>
#include <stdint.h>

struct reference_file {
    uint8_t *bytes; /* aligned to 64 bytes */
    size_t size;
    /* private */
    uint64_t seed;
    struct reference_part {
        uint8_t *bytes;
        size_t size, capacity;
    } values, tensors, data;
    uint64_t value_count, tensor_count;
};

void reference_file_begin(struct reference_file *file, uint64_t seed);
/* A line "KIND WORDS": u32, f32, text, or tensor. */
void reference_file_add(struct reference_file *file, const char *kind, const char *words);
void reference_file_end(struct reference_file *file, uint32_t vocabulary);
void reference_file_free(struct reference_file *file);

#endif
