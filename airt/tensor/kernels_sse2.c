/* SPDX-License-Identifier: MIT
 *
 * The kernels that every x86-64 CPU runs: weights become floats, a piece of a row at a time, and are
 * multiplied in two groups of four lanes.
 */
#include <emmintrin.h>

#include "tensor/half.h"
#include "tensor/kernels.h"
#include "tensor/quantize.h"

#define PIECE 256 /* numbers: any block divides it */
#define TILE  16  /* vectors at once */

struct sum {
    __m128 low, high;
};

static void add_piece(struct sum *sum, const float *weights, const float *values, size_t count)
{
    size_t i = 0;

    for (; i + 8 <= count; i += 8) {
        sum->low = _mm_add_ps(sum->low, _mm_mul_ps(_mm_loadu_ps(weights + i), _mm_loadu_ps(values + i)));
        sum->high =
            _mm_add_ps(sum->high, _mm_mul_ps(_mm_loadu_ps(weights + i + 4), _mm_loadu_ps(values + i + 4)));
    }
    for (; i < count; i++)
        sum->low = _mm_add_ss(sum->low, _mm_mul_ss(_mm_load_ss(weights + i), _mm_load_ss(values + i)));
}

static float total(struct sum sum)
{
    __m128 four = _mm_add_ps(sum.low, sum.high);
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));

    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

/* One row and up to TILE vectors. */
static void multiply_row(const struct matrix *matrix, const char *row, const struct vectors *vectors,
                         uint32_t first, float *out, size_t stride)
{
    uint32_t count = vectors->count - first < TILE ? vectors->count - first : TILE;
    struct sum sums[TILE];
    float piece[PIECE];

    for (uint32_t v = 0; v < count; v++)
        sums[v].low = sums[v].high = _mm_setzero_ps();
    for (uint32_t at = 0; at < matrix->columns; at += PIECE) {
        size_t numbers = matrix->columns - at < PIECE ? matrix->columns - at : PIECE;

        tensor_dequantize_row(matrix->type, row + tensor_row_size(matrix->type, at), piece, numbers);
        for (uint32_t v = 0; v < count; v++)
            add_piece(&sums[v], piece, vectors->values + (first + v) * vectors->stride + at, numbers);
    }
    for (uint32_t v = 0; v < count; v++)
        out[(first + v) * stride] = total(sums[v]);
}

static void multiply(const struct matrix *matrix, uint32_t first, uint32_t end, const struct vectors *vectors,
                     float *out, size_t stride)
{
    size_t row_size = tensor_row_size(matrix->type, matrix->columns);

    for (uint32_t row = first; row < end; row++)
        for (uint32_t v = 0; v < vectors->count; v += TILE)
            multiply_row(matrix, (const char *)matrix->data + row * row_size, vectors, v, out + row, stride);
}

static void combine(const struct matrix *matrix, const float *weights, float keep, float *out)
{
    size_t row_size = tensor_row_size(matrix->type, matrix->columns);
    float piece[PIECE];

    for (uint32_t i = 0; i < matrix->columns; i++)
        out[i] *= keep;
    for (uint32_t row = 0; row < matrix->rows; row++) {
        const char *data = (const char *)matrix->data + row * row_size;

        for (uint32_t at = 0; at < matrix->columns; at += PIECE) {
            uint32_t numbers = matrix->columns - at < PIECE ? matrix->columns - at : PIECE;

            tensor_dequantize_row(matrix->type, data + tensor_row_size(matrix->type, at), piece, numbers);
            for (uint32_t i = 0; i < numbers; i++)
                out[at + i] += weights[row] * piece[i];
        }
    }
}

static void narrow(const float *numbers, uint16_t *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = half_of_float(numbers[i]);
}

const struct tensor_kernels tensor_kernels_sse2 = {
    .name = "sse2", .multiply = multiply, .combine = combine, .narrow = narrow};
