/* SPDX-License-Identifier: MIT
 *
 * Numbers of 16 bits: F16 (IEEE 754 binary16) and BF16 (the upper half of binary32).
 */
#ifndef AIRT_TENSOR_HALF_H
#define AIRT_TENSOR_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t float_bits(float number)
{
    uint32_t bits;

    memcpy(&bits, &number, sizeof(bits));
    return bits;
}

static inline float float_of_bits(uint32_t bits)
{
    float number;

    memcpy(&number, &bits, sizeof(number));
    return number;
}

static inline float half_to_float(uint16_t half)
{
    uint32_t sign = (half & UINT32_C(0x8000)) << 16;
    uint32_t magnitude = (half & UINT32_C(0x7fff)) << 13;

    if (magnitude >= UINT32_C(0x7c00) << 13) /* infinite or not a number */
        return float_of_bits(sign | magnitude | UINT32_C(0x7f800000));
    /* The exponents' biases differ by 112; the product is exact, and right for denormal numbers too. */
    return float_of_bits(sign | float_bits(float_of_bits(magnitude) * 0x1p112f));
}

/* To the nearest, of two equally near to the even one, as the processor's VCVTPS2PH does it. */
static inline uint16_t half_of_float(float number)
{
    uint32_t bits = float_bits(number);
    uint32_t sign = bits >> 16 & UINT32_C(0x8000);
    uint32_t magnitude = bits & UINT32_C(0x7fffffff);

    if (magnitude > UINT32_C(0x7f800000))
        return (uint16_t)(sign | UINT32_C(0x7e00) | (magnitude >> 13 & UINT32_C(0x3ff)));
    if (magnitude >= UINT32_C(0x477ff000)) /* 65520 and more */
        return (uint16_t)(sign | UINT32_C(0x7c00));
    if (magnitude < UINT32_C(0x38800000)) /* below 2^-14: the sum's last bit is worth 2^-24 */
        return (uint16_t)(sign | (float_bits(float_of_bits(magnitude) + 0.5f) - UINT32_C(0x3f000000)));
    return (uint16_t)(sign |
                      ((magnitude - UINT32_C(0x38000000) + UINT32_C(0xfff) + (magnitude >> 13 & 1)) >> 13));
}

static inline float brain_to_float(uint16_t brain)
{
    return float_of_bits((uint32_t)brain << 16);
}

static inline uint16_t brain_of_float(float number)
{
    uint32_t bits = float_bits(number);

    if ((bits & UINT32_C(0x7fffffff)) > UINT32_C(0x7f800000))
        return (uint16_t)(bits >> 16 | UINT32_C(0x40));
    return (uint16_t)((bits + UINT32_C(0x7fff) + (bits >> 16 & 1)) >> 16);
}

#endif
