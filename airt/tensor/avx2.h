/* SPDX-License-Identifier: MIT
 *
 * What the files of the AVX2 kernels share. They alone are compiled for AVX2, FMA and F16C: nothing in them
 * may run before has_avx2 said so, and every function in here is static.
 */
#ifndef AIRT_TENSOR_AVX2_H
#define AIRT_TENSOR_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "tensor/kernels.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE float avx2_total(__m256 eight)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));

    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

ALWAYS_INLINE float avx2_half(const char *bytes)
{
    uint16_t half;

    memcpy(&half, bytes, sizeof(half));
    return _cvtsh_ss(half);
}

void avx2_multiply_quantized(const struct matrix *matrix, uint32_t first, uint32_t end,
                             const struct vectors *vectors, float *out, size_t stride);

#endif
