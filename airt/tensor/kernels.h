/* SPDX-License-Identifier: MIT
 *
 * The arithmetic of inference, once per instruction set.
 *
 * A number of a result depends on the instruction set, its row and its vector alone: never on how many
 * vectors are multiplied at once, or how the rows are shared out. The order of each sum is fixed, and nothing
 * is contracted but where a kernel asks for it.
 */
#ifndef AIRT_TENSOR_KERNELS_H
#define AIRT_TENSOR_KERNELS_H

#include <stdbool.h>

#include "tensor/types.h"

#define TENSOR_GROUP 32 /* numbers of a vector that share a scale when it is quantized */

/* Vectors to multiply a matrix with. The quantized form is what kernels->quantize makes of `values`. */
struct vectors {
    const float *values;
    uint32_t count;  /* of vectors */
    uint32_t length; /* of each */
    size_t stride;   /* from one to the next */
    /* Each vector has `length` quants (a multiple of TENSOR_GROUP), and a scale and a sum for each group. */
    int8_t *quants;
    float *scales;
    float *sums; /* of a group's quants, times its scale */
    bool quantized;
};

struct tensor_kernels {
    const char *name; /* "avx2" */

    /* Makes the quantized form. NULL: `multiply` needs none. */
    void (*quantize)(struct vectors *vectors);

    /* out[v * stride + row] = matrix row times vector v, for rows from `first` up to `end`. Vectors are
     * quantized where the matrix is of a quantized type. */
    void (*multiply)(const struct matrix *matrix, uint32_t first, uint32_t end, const struct vectors *vectors,
                     float *out, size_t stride);

    /* out[i] = keep * out[i] + the sum over rows of weights[row] * matrix[row][i]; F16 and F32 only. */
    void (*combine)(const struct matrix *matrix, const float *weights, float keep, float *out);

    /* Rounds to F16. */
    void (*narrow)(const float *numbers, uint16_t *out, size_t count);
};

/* The best that the CPU and the operating system allow (name NULL), or the one of that name ("sse2",
 * "avx2"). NULL: there is none of that name, or the CPU cannot run it. */
const struct tensor_kernels *tensor_kernels_find(const char *name);

extern const struct tensor_kernels tensor_kernels_sse2;
extern const struct tensor_kernels tensor_kernels_avx2;

/* True for types whose matrices want quantized vectors. */
static inline bool tensor_is_quantized(enum tensor_type type)
{
    return type != TENSOR_F32 && type != TENSOR_F16 && type != TENSOR_BF16;
}

#endif
