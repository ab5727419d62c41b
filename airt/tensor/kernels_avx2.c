/* SPDX-License-Identifier: MIT
 *
 * AVX2: matrices of floats, and the table. A number of the result is summed in eight lanes, in the order of
 * the columns; tiles of several rows and vectors share what they load and change nothing else.
 */
#include "tensor/avx2.h"
#include "tensor/quantize.h"

#include <float.h>

#define LANES 8

/* Eight weights from column `at` on. */
ALWAYS_INLINE __m256 load(enum tensor_type type, const char *row, size_t at)
{
    __m128i bits;

    if (type == TENSOR_F32)
        return _mm256_loadu_ps((const float *)(const void *)row + at);
    bits = _mm_loadu_si128((const __m128i *)(const void *)(row + at * 2));
    if (type == TENSOR_F16)
        return _mm256_cvtph_ps(bits);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

/* The last columns, fewer than eight, with zeros behind them. */
static __m256 load_rest(enum tensor_type type, const char *row, size_t at, size_t count)
{
    float numbers[LANES] = {0};

    tensor_dequantize_row(type, row + tensor_row_size(type, at), numbers, count);
    return _mm256_loadu_ps(numbers);
}

/* `rows` rows from `row` on times `count` vectors from `v` on; both are constants where this is used. */
ALWAYS_INLINE void float_tile(enum tensor_type type, unsigned rows, unsigned count,
                              const struct matrix *matrix, uint32_t row, const struct vectors *vectors,
                              uint32_t v, float *out, size_t stride)
{
    size_t row_size = tensor_row_size(type, matrix->columns);
    const char *weights = (const char *)matrix->data + row * row_size;
    const float *values = vectors->values + v * vectors->stride;
    size_t whole = matrix->columns / LANES * LANES;
    __m256 sums[8][3];

    for (unsigned r = 0; r < rows; r++)
        for (unsigned i = 0; i < count; i++)
            sums[r][i] = _mm256_setzero_ps();
    for (size_t at = 0; at < whole; at += LANES) {
        for (unsigned r = 0; r < rows; r++) {
            __m256 weight = load(type, weights + r * row_size, at);

            for (unsigned i = 0; i < count; i++)
                sums[r][i] =
                    _mm256_fmadd_ps(weight, _mm256_loadu_ps(values + i * vectors->stride + at), sums[r][i]);
        }
    }
    if (whole < matrix->columns) {
        for (unsigned r = 0; r < rows; r++) {
            __m256 weight = load_rest(type, weights + r * row_size, whole, matrix->columns - whole);

            for (unsigned i = 0; i < count; i++)
                sums[r][i] =
                    _mm256_fmadd_ps(weight,
                                    load_rest(TENSOR_F32, (const char *)(values + i * vectors->stride), whole,
                                              matrix->columns - whole),
                                    sums[r][i]);
        }
    }
    for (unsigned r = 0; r < rows; r++)
        for (unsigned i = 0; i < count; i++)
            out[(v + i) * stride + row + r] = avx2_total(sums[r][i]);
}

ALWAYS_INLINE void float_rows(enum tensor_type type, unsigned rows, const struct matrix *matrix, uint32_t row,
                              const struct vectors *vectors, float *out, size_t stride)
{
    uint32_t v = 0;

    for (; v + 3 <= vectors->count; v += 3)
        float_tile(type, rows, 3, matrix, row, vectors, v, out, stride);
    if (v + 2 == vectors->count)
        float_tile(type, rows, 2, matrix, row, vectors, v, out, stride);
    else if (v + 1 == vectors->count)
        float_tile(type, rows, 1, matrix, row, vectors, v, out, stride);
}

ALWAYS_INLINE void multiply_floats(enum tensor_type type, const struct matrix *matrix, uint32_t first,
                                   uint32_t end, const struct vectors *vectors, float *out, size_t stride)
{
    uint32_t row = first;

    if (vectors->count == 1)
        for (; row + 8 <= end; row += 8)
            float_tile(type, 8, 1, matrix, row, vectors, 0, out, stride);
    for (; row + 4 <= end; row += 4)
        float_rows(type, 4, matrix, row, vectors, out, stride);
    for (; row < end; row++)
        float_rows(type, 1, matrix, row, vectors, out, stride);
}

static void multiply(const struct matrix *matrix, uint32_t first, uint32_t end, const struct vectors *vectors,
                     float *out, size_t stride)
{
    switch (matrix->type) {
    case TENSOR_F32:
        multiply_floats(TENSOR_F32, matrix, first, end, vectors, out, stride);
        break;
    case TENSOR_F16:
        multiply_floats(TENSOR_F16, matrix, first, end, vectors, out, stride);
        break;
    case TENSOR_BF16:
        multiply_floats(TENSOR_BF16, matrix, first, end, vectors, out, stride);
        break;
    default:
        avx2_multiply_quantized(matrix, first, end, vectors, out, stride);
    }
}

/* `lanes` vectors of eight columns, from column `at` on, over all rows. */
ALWAYS_INLINE void combine_columns(enum tensor_type type, unsigned lanes, const struct matrix *matrix,
                                   const float *weights, float keep, size_t at, float *out)
{
    size_t row_size = tensor_row_size(type, matrix->columns);
    const char *row = matrix->data;
    __m256 sums[8];

    for (unsigned i = 0; i < lanes; i++)
        sums[i] = _mm256_mul_ps(_mm256_set1_ps(keep), _mm256_loadu_ps(out + at + (size_t)i * LANES));
    for (uint32_t r = 0; r < matrix->rows; r++, row += row_size) {
        __m256 weight = _mm256_set1_ps(weights[r]);

        for (unsigned i = 0; i < lanes; i++)
            sums[i] = _mm256_fmadd_ps(weight, load(type, row, at + (size_t)i * LANES), sums[i]);
    }
    for (unsigned i = 0; i < lanes; i++)
        _mm256_storeu_ps(out + at + (size_t)i * LANES, sums[i]);
}

ALWAYS_INLINE void combine_type(enum tensor_type type, const struct matrix *matrix, const float *weights,
                                float keep, float *out)
{
    size_t columns = matrix->columns;
    size_t at = 0;

    for (; at + 8 * (size_t)LANES <= columns; at += 8 * (size_t)LANES)
        combine_columns(type, 8, matrix, weights, keep, at, out);
    for (; at + LANES <= columns; at += LANES)
        combine_columns(type, 1, matrix, weights, keep, at, out);
    if (at < columns) {
        size_t row_size = tensor_row_size(type, columns);
        const char *row = matrix->data;
        float numbers[LANES] = {0};
        __m256 sum;

        memcpy(numbers, out + at, (columns - at) * sizeof(*out));
        sum = _mm256_mul_ps(_mm256_set1_ps(keep), _mm256_loadu_ps(numbers));
        for (uint32_t r = 0; r < matrix->rows; r++, row += row_size)
            sum = _mm256_fmadd_ps(_mm256_set1_ps(weights[r]), load_rest(type, row, at, columns - at), sum);
        _mm256_storeu_ps(numbers, sum);
        memcpy(out + at, numbers, (columns - at) * sizeof(*out));
    }
}

static void combine(const struct matrix *matrix, const float *weights, float keep, float *out)
{
    if (matrix->type == TENSOR_F16)
        combine_type(TENSOR_F16, matrix, weights, keep, out);
    else
        combine_type(TENSOR_F32, matrix, weights, keep, out);
}

static void narrow(const float *numbers, uint16_t *out, size_t count)
{
    size_t i = 0;

    for (; i + LANES <= count; i += LANES)
        _mm_storeu_si128((__m128i *)(void *)(out + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(numbers + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < count; i++)
        out[i] = _cvtss_sh(numbers[i], _MM_FROUND_TO_NEAREST_INT);
}

/* ---- vectors in 8 bits ---- */

ALWAYS_INLINE __m256 magnitude(__m256 numbers)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), numbers);
}

ALWAYS_INLINE int total_of_integers(__m256i eight)
{
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));

    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

static void quantize_group(const float *values, int8_t *quants, float *scale, float *sum)
{
    __m256 numbers[4];
    __m256i whole[4];
    __m256 most = _mm256_setzero_ps();
    __m256 broken = _mm256_setzero_ps();
    __m128 largest;
    float extreme;
    float inverse;

    for (unsigned i = 0; i < 4; i++) {
        numbers[i] = _mm256_loadu_ps(values + i * 8);
        most = _mm256_max_ps(most, magnitude(numbers[i]));
        broken =
            _mm256_or_ps(broken, _mm256_cmp_ps(magnitude(numbers[i]), _mm256_set1_ps(FLT_MAX), _CMP_NLE_UQ));
    }
    largest = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
    largest = _mm_max_ps(largest, _mm_movehl_ps(largest, largest));
    extreme = _mm_cvtss_f32(_mm_max_ss(largest, _mm_movehdup_ps(largest)));
    inverse = extreme > 0 ? 127 / extreme : 0;
    for (unsigned i = 0; i < 4; i++)
        whole[i] = _mm256_cvtps_epi32(_mm256_mul_ps(numbers[i], _mm256_set1_ps(inverse)));
    *scale = extreme / 127;
    *sum = *scale * (float)total_of_integers(_mm256_add_epi32(_mm256_add_epi32(whole[0], whole[1]),
                                                              _mm256_add_epi32(whole[2], whole[3])));
    /* No quant stands for what is no finite number: the products say so. */
    if (_mm256_movemask_ps(broken) != 0)
        *scale = *sum = __builtin_nanf("");
    /* Packing works within halves of the register; the permutation puts the numbers back in order. */
    whole[0] =
        _mm256_packs_epi16(_mm256_packs_epi32(whole[0], whole[1]), _mm256_packs_epi32(whole[2], whole[3]));
    _mm256_storeu_si256((__m256i *)(void *)quants,
                        _mm256_permutevar8x32_epi32(whole[0], _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
}

static void quantize(struct vectors *vectors)
{
    size_t groups = vectors->length / TENSOR_GROUP;

    for (uint32_t v = 0; v < vectors->count; v++)
        for (size_t group = 0; group < groups; group++)
            quantize_group(vectors->values + v * vectors->stride + group * TENSOR_GROUP,
                           vectors->quants + (v * groups + group) * TENSOR_GROUP,
                           vectors->scales + v * groups + group, vectors->sums + v * groups + group);
    vectors->quantized = true;
}

const struct tensor_kernels tensor_kernels_avx2 = {
    .name = "avx2", .quantize = quantize, .multiply = multiply, .combine = combine, .narrow = narrow};
