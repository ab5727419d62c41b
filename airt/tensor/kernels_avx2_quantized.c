/* SPDX-License-Identifier: MIT
 *
 * AVX2: matrices of quantized weights times vectors of 8 bits. A group of 32 products is summed in whole
 * numbers (eight lanes of four products), then scaled and added to eight lanes of floats, in the order of the
 * columns. Minima are summed apart, times the sums of the vector's groups.
 */
#include "tensor/avx2.h"
#include "tensor/quantize.h"

#define VECTORS 4 /* at once */

struct sums {
    __m256 products, minima;
};

ALWAYS_INLINE __m256i load_32(const void *bytes)
{
    return _mm256_loadu_si256((const __m256i *)bytes);
}

/* 16 bytes to 32 numbers of 4 bits: the low halves, then the high ones. */
ALWAYS_INLINE __m256i nibbles(const char *bytes)
{
    __m128i packed = _mm_loadu_si128((const __m128i *)(const void *)bytes);

    return _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(packed, 4), packed), _mm256_set1_epi8(15));
}

/* 32 bits to 32 bytes: all ones where the bit is 1. */
ALWAYS_INLINE __m256i spread_bits(const char *bytes)
{
    const __m256i places = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2,
                                            2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bits = _mm256_set1_epi64x((long long)UINT64_C(0x8040201008040201));
    int word;

    memcpy(&word, bytes, sizeof(word));
    return _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(word), places), bits),
                             bits);
}

/* Products of unsigned weights and signed quants, in pairs; none is large enough to saturate. */
ALWAYS_INLINE __m256i pairs_unsigned(__m256i weights, __m256i quants)
{
    return _mm256_maddubs_epi16(weights, quants);
}

/* The same for signed weights: the sign moves to the other factor. */
ALWAYS_INLINE __m256i pairs_signed(__m256i weights, __m256i quants)
{
    return _mm256_maddubs_epi16(_mm256_sign_epi8(weights, weights), _mm256_sign_epi8(quants, weights));
}

ALWAYS_INLINE __m256 scaled(__m256i pairs, __m256i scales, __m256 factor, __m256 sum)
{
    return _mm256_fmadd_ps(factor, _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, scales)), sum);
}

/* ---- blocks of 32 ---- */

ALWAYS_INLINE bool has_minimum(enum tensor_type type)
{
    return type == TENSOR_Q4_1 || type == TENSOR_Q5_1;
}

ALWAYS_INLINE __m256i block_weights(enum tensor_type type, const char *block)
{
    switch (type) {
    case TENSOR_Q8_0:
        return load_32(block + 2);
    case TENSOR_Q4_0:
        return _mm256_sub_epi8(nibbles(block + 2), _mm256_set1_epi8(8));
    case TENSOR_Q4_1:
        return nibbles(block + 4);
    case TENSOR_Q5_0: /* a fifth bit that is 0 takes 16 away: 0xf0 in the upper half */
        return _mm256_or_si256(nibbles(block + 6),
                               _mm256_andnot_si256(spread_bits(block + 2), _mm256_set1_epi8((char)0xf0)));
    default: /* Q5_1 */
        return _mm256_or_si256(nibbles(block + 8),
                               _mm256_and_si256(spread_bits(block + 4), _mm256_set1_epi8(16)));
    }
}

ALWAYS_INLINE void small_row(enum tensor_type type, uint32_t block_size, unsigned count, const char *row,
                             const struct vectors *vectors, uint32_t v, struct sums *sums)
{
    size_t groups = vectors->length / TENSOR_GROUP;
    const int8_t *quants = vectors->quants + v * (size_t)vectors->length;
    const float *scales = vectors->scales + v * groups;
    const float *group_sums = vectors->sums + v * groups;

    for (size_t group = 0; group < groups; group++, row += block_size) {
        __m256i weights = block_weights(type, row);
        float d = avx2_half(row);

        for (unsigned i = 0; i < count; i++) {
            __m256i numbers = load_32(quants + i * (size_t)vectors->length + group * TENSOR_GROUP);
            __m256i pairs =
                has_minimum(type) ? pairs_unsigned(weights, numbers) : pairs_signed(weights, numbers);

            sums[i].products = scaled(pairs, _mm256_set1_epi16(1),
                                      _mm256_set1_ps(d * scales[i * groups + group]), sums[i].products);
            if (has_minimum(type))
                sums[i].minima = _mm256_castps128_ps256(
                    _mm_fmadd_ss(_mm_set_ss(avx2_half(row + 2)), _mm_set_ss(group_sums[i * groups + group]),
                                 _mm256_castps256_ps128(sums[i].minima)));
        }
    }
}

/* ---- super-blocks of 256: eight groups ---- */

/* The eight groups' scales and minima. */
struct scales {
    __m256 scales, minima;
};

ALWAYS_INLINE struct scales unpack(const char *block)
{
    uint8_t scales[8];
    uint8_t minima[8];
    struct scales result;

    tensor_unpack_scales((const uint8_t *)block + 4, scales, minima);
    result.scales =
        _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)scales)));
    result.minima =
        _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)minima)));
    result.scales = _mm256_mul_ps(result.scales, _mm256_set1_ps(avx2_half(block)));
    result.minima = _mm256_mul_ps(result.minima, _mm256_set1_ps(-avx2_half(block + 2)));
    return result;
}

/* Weights of one group; `group` is a constant where this is used. */
ALWAYS_INLINE __m256i super_weights(enum tensor_type type, const char *block, unsigned group)
{
    const __m256i low_bits = _mm256_set1_epi8(15);
    __m256i low;
    __m256i high;

    if (type == TENSOR_Q6_K) {
        low = load_32(block + group / 4 * 64 + group % 2 * 32);
        low = _mm256_and_si256(_mm256_srli_epi16(low, (int)(group % 4 / 2 * 4)), low_bits);
        high = load_32(block + 128 + group / 4 * 32);
        high = _mm256_and_si256(_mm256_srli_epi16(high, (int)(group % 4 * 2)), _mm256_set1_epi8(3));
        return _mm256_sub_epi8(_mm256_or_si256(low, _mm256_slli_epi16(high, 4)), _mm256_set1_epi8(32));
    }
    low = load_32(block + (type == TENSOR_Q5_K ? 48 : 16) + group / 2 * 32);
    low = _mm256_and_si256(_mm256_srli_epi16(low, (int)(group % 2 * 4)), low_bits);
    if (type == TENSOR_Q4_K)
        return low;
    high = _mm256_and_si256(_mm256_srli_epi16(load_32(block + 16), (int)group), _mm256_set1_epi8(1));
    return _mm256_or_si256(low, _mm256_slli_epi16(high, 4));
}

/* Q6_K: scales of 16 numbers each. The lower half of the register gets those of the groups' first halves. */
ALWAYS_INLINE __m256i unpack_halves(const char *block)
{
    const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    __m128i scales = _mm_loadu_si128((const __m128i *)(const void *)(block + 192));

    return _mm256_cvtepi8_epi16(_mm_shuffle_epi8(scales, order));
}

/* Those of one group, for all products. */
ALWAYS_INLINE __m256i pick_halves(__m256i scales, unsigned group)
{
    return _mm256_shuffle_epi8(scales, _mm256_set1_epi16((short)(group * 2 | (group * 2 + 1) << 8)));
}

ALWAYS_INLINE void super_row(enum tensor_type type, uint32_t block_size, unsigned count, const char *row,
                             const struct vectors *vectors, uint32_t v, struct sums *sums)
{
    size_t groups = vectors->length / TENSOR_GROUP;
    const int8_t *quants = vectors->quants + v * (size_t)vectors->length;
    const float *scales = vectors->scales + v * groups;
    const float *group_sums = vectors->sums + v * groups;
    bool halves = type == TENSOR_Q6_K;

    for (size_t first = 0; first < groups; first += 8, row += block_size) {
        float factors[VECTORS][8];
        struct scales unpacked = {_mm256_setzero_ps(), _mm256_setzero_ps()};
        __m256i half_scales = _mm256_set1_epi16(1);

        if (halves) {
            half_scales = unpack_halves(row);
            unpacked.scales = _mm256_set1_ps(avx2_half(row + 208));
        } else {
            unpacked = unpack(row);
        }
        for (unsigned i = 0; i < count; i++) {
            _mm256_storeu_ps(factors[i],
                             _mm256_mul_ps(unpacked.scales, _mm256_loadu_ps(scales + i * groups + first)));
            if (!halves)
                sums[i].minima = _mm256_fmadd_ps(
                    unpacked.minima, _mm256_loadu_ps(group_sums + i * groups + first), sums[i].minima);
        }
        for (unsigned group = 0; group < 8; group++) {
            __m256i weights = super_weights(type, row, group);
            __m256i whole = halves ? pick_halves(half_scales, group) : half_scales;

            for (unsigned i = 0; i < count; i++) {
                __m256i numbers =
                    load_32(quants + i * (size_t)vectors->length + (first + group) * TENSOR_GROUP);
                __m256i pairs = halves ? pairs_signed(weights, numbers) : pairs_unsigned(weights, numbers);

                sums[i].products = scaled(pairs, whole, _mm256_set1_ps(factors[i][group]), sums[i].products);
            }
        }
    }
}

/* ---- rows ---- */

ALWAYS_INLINE void tile(enum tensor_type type, uint32_t block_size, unsigned count, const char *row,
                        const struct vectors *vectors, uint32_t v, float *out, size_t stride)
{
    struct sums sums[VECTORS];

    for (unsigned i = 0; i < count; i++)
        sums[i].products = sums[i].minima = _mm256_setzero_ps();
    if (type == TENSOR_Q4_K || type == TENSOR_Q5_K || type == TENSOR_Q6_K)
        super_row(type, block_size, count, row, vectors, v, sums);
    else
        small_row(type, block_size, count, row, vectors, v, sums);
    for (unsigned i = 0; i < count; i++)
        out[(v + i) * stride] = avx2_total(_mm256_add_ps(sums[i].products, sums[i].minima));
}

ALWAYS_INLINE void multiply_type(enum tensor_type type, uint32_t block_size, const struct matrix *matrix,
                                 uint32_t first, uint32_t end, const struct vectors *vectors, float *out,
                                 size_t stride)
{
    size_t row_size = tensor_row_size(type, matrix->columns);

    for (uint32_t row = first; row < end; row++) {
        const char *weights = (const char *)matrix->data + row * row_size;
        uint32_t v = 0;

        for (; v + VECTORS <= vectors->count; v += VECTORS)
            tile(type, block_size, VECTORS, weights, vectors, v, out + row, stride);
        for (; v < vectors->count; v++)
            tile(type, block_size, 1, weights, vectors, v, out + row, stride);
    }
}

void avx2_multiply_quantized(const struct matrix *matrix, uint32_t first, uint32_t end,
                             const struct vectors *vectors, float *out, size_t stride)
{
    switch (matrix->type) {
    case TENSOR_Q8_0:
        multiply_type(TENSOR_Q8_0, 34, matrix, first, end, vectors, out, stride);
        break;
    case TENSOR_Q4_0:
        multiply_type(TENSOR_Q4_0, 18, matrix, first, end, vectors, out, stride);
        break;
    case TENSOR_Q4_1:
        multiply_type(TENSOR_Q4_1, 20, matrix, first, end, vectors, out, stride);
        break;
    case TENSOR_Q5_0:
        multiply_type(TENSOR_Q5_0, 22, matrix, first, end, vectors, out, stride);
        break;
    case TENSOR_Q5_1:
        multiply_type(TENSOR_Q5_1, 24, matrix, first, end, vectors, out, stride);
        break;
    case TENSOR_Q4_K:
        multiply_type(TENSOR_Q4_K, 144, matrix, first, end, vectors, out, stride);
        break;
    case TENSOR_Q5_K:
        multiply_type(TENSOR_Q5_K, 176, matrix, first, end, vectors, out, stride);
        break;
    default:
        multiply_type(TENSOR_Q6_K, 210, matrix, first, end, vectors, out, stride);
    }
}
