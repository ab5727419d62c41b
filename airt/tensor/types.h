/* SPDX-License-Identifier: MIT
 *
 * Types of tensors as GGUF files have them: numbers in blocks.
 */
#ifndef AIRT_TENSOR_TYPES_H
#define AIRT_TENSOR_TYPES_H

#include <stddef.h>
#include <stdint.h>

/* The numbers of the GGUF specification (ggml_type). */
enum tensor_type {
    TENSOR_F32 = 0,
    TENSOR_F16 = 1,
    TENSOR_Q4_0 = 2,
    TENSOR_Q4_1 = 3,
    TENSOR_Q5_0 = 6,
    TENSOR_Q5_1 = 7,
    TENSOR_Q8_0 = 8,
    TENSOR_Q4_K = 12,
    TENSOR_Q5_K = 13,
    TENSOR_Q6_K = 14,
    TENSOR_BF16 = 30
};

struct tensor_type_info {
    const char *name;     /* "Q4_0"; NULL: not a type that is known */
    uint32_t block_count; /* numbers in a block */
    uint32_t block_size;  /* bytes of a block */
};

const struct tensor_type_info *tensor_type_info(uint32_t type); /* NULL: unknown */

/* Bytes of a row of `columns` numbers, which block_count divides. */
size_t tensor_row_size(enum tensor_type type, size_t columns);

/* A matrix in row-major order: the weights of one output stand together. */
struct matrix {
    enum tensor_type type;
    uint32_t rows, columns;
    const void *data; /* aligned to 32 bytes at least where it is a whole tensor */
};

#endif
