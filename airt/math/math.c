/* SPDX-License-Identifier: MIT
 *
 * Each function reduces its argument to a small interval around 0, where a few terms of the Taylor series
 * reach the precision that is stated.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "math/math.h"

#define LN2_HIGH     0x1.62e42fee00000p-1 /* 33 bits: a multiple below 2^20 is exact */
#define LN2_LOW      0x1.a39ef35793c76p-33
#define LOG2_E       0x1.71547652b82fep+0
#define HALF_PI_HIGH 0x1.921fb54400000p+0 /* 33 bits, then 33 more, then the rest */
#define HALF_PI_MID  0x1.0b4611a600000p-34
#define HALF_PI_LOW  0x1.3198a2e037073p-69
#define TWO_OVER_PI  0x1.45f306dc9c883p-1
#define SQRT_HALF    0x1.6a09e667f3bcdp-1

static double of_bits(uint64_t bits)
{
    double number;

    memcpy(&number, &bits, sizeof(number));
    return number;
}

/* 2 to a power from -1022 to 1023. */
static double power_of_two(int power)
{
    return of_bits((uint64_t)(power + 1023) << 52);
}

/* The nearest whole number; |x| below 2^31. */
static int nearest(double x)
{
    return (int)(x + (x < 0 ? -0.5 : 0.5));
}

double math_exp(double x)
{
    static const double inverse_factorials[] = {1.0,
                                                1.0,
                                                1.0 / 2,
                                                1.0 / 6,
                                                1.0 / 24,
                                                1.0 / 120,
                                                1.0 / 720,
                                                1.0 / 5040,
                                                1.0 / 40320,
                                                1.0 / 362880,
                                                1.0 / 3628800,
                                                1.0 / 39916800,
                                                1.0 / 479001600,
                                                1.0 / 6227020800};
    double rest;
    double sum = 0;
    int power;

    if (x > 710)
        return of_bits(UINT64_C(0x7ff0000000000000));
    if (x < -745)
        return 0;
    if (!(x <= 710)) /* not a number */
        return x;
    power = nearest(x * LOG2_E);
    rest = (x - power * LN2_HIGH) - power * LN2_LOW;
    for (int i = 13; i >= 0; i--)
        sum = sum * rest + inverse_factorials[i];
    /* In two steps: the result may be denormal, or 2^1023 times nearly 2. */
    return sum * power_of_two(power / 2) * power_of_two(power - power / 2);
}

double math_log(double x)
{
    uint64_t bits;
    double mantissa;
    double ratio;
    double square;
    double sum = 0;
    int power = -1022;

    if (x < 0x1p-1022) { /* denormal */
        x *= 0x1p54;
        power -= 54;
    }
    memcpy(&bits, &x, sizeof(bits));
    power += (int)(bits >> 52);
    mantissa = of_bits((bits & UINT64_C(0xfffffffffffff)) | UINT64_C(0x3fe0000000000000)); /* 1/2 to 1 */
    if (mantissa < SQRT_HALF) {
        mantissa *= 2;
        power--;
    }
    /* log m = 2 artanh((m - 1) / (m + 1)); the ratio is below 0.172. */
    ratio = (mantissa - 1) / (mantissa + 1);
    square = ratio * ratio;
    for (int i = 21; i >= 3; i -= 2)
        sum = (sum + 1.0 / i) * square;
    return power * LN2_HIGH + (power * LN2_LOW + (2 * ratio + 2 * ratio * sum));
}

double math_pow(double base, double x)
{
    return math_exp(x * math_log(base));
}

void math_sin_cos(double angle, double *sine, double *cosine)
{
    double quarters;
    double rest;
    double square;
    double s;
    double c;
    int quarter;

    if (!(angle < 0x1p30 && angle > -0x1p30)) {
        *sine = *cosine = of_bits(UINT64_C(0x7ff8000000000000));
        return;
    }
    quarter = nearest(angle * TWO_OVER_PI);
    quarters = quarter;
    rest = ((angle - quarters * HALF_PI_HIGH) - quarters * HALF_PI_MID) - quarters * HALF_PI_LOW;
    square = rest * rest;
    s = 1.0 / 355687428096000; /* 17! */
    s = s * square - 1.0 / 1307674368000;
    s = s * square + 1.0 / 6227020800;
    s = s * square - 1.0 / 39916800;
    s = s * square + 1.0 / 362880;
    s = s * square - 1.0 / 5040;
    s = s * square + 1.0 / 120;
    s = s * square - 1.0 / 6;
    s = rest + rest * (s * square);
    c = 1.0 / 20922789888000; /* 16! */
    c = c * square - 1.0 / 87178291200;
    c = c * square + 1.0 / 479001600;
    c = c * square - 1.0 / 3628800;
    c = c * square + 1.0 / 40320;
    c = c * square - 1.0 / 720;
    c = c * square + 1.0 / 24;
    c = c * square - 1.0 / 2;
    c = 1 + c * square;
    *sine = (quarter & 1) != 0 ? c : s;
    *cosine = (quarter & 1) != 0 ? s : c;
    if ((quarter & 2) != 0)
        *sine = -*sine;
    if (((quarter + 1) & 2) != 0)
        *cosine = -*cosine;
}

double math_tanh(double x)
{
    double size = x < 0 ? -x : x;
    double square = x * x;
    double result;

    if (size < 0.02) /* here the quotient below would lose digits */
        return x * (1 + square * (-1.0 / 3 + square * (2.0 / 15 + square * (-17.0 / 315))));
    /* Beyond 20 it is 1 in double precision. */
    result = size > 20 ? 1 : 1 - 2 / (math_exp(2 * size) + 1);
    return x < 0 ? -result : result;
}

/* ---- by the thousand ---- */

#define EXP_LEAST (-87.0f)
#define EXP_MOST  88.72283f

static __m128 exp_of_four(__m128 x)
{
    const __m128 ln2_high = _mm_set1_ps(0x1.62e4p-1f); /* 15 bits */
    const __m128 ln2_low = _mm_set1_ps(0x1.7f7d1cp-20f);
    __m128 valid = _mm_cmpge_ps(x, _mm_set1_ps(EXP_LEAST));
    __m128 above = _mm_cmpgt_ps(x, _mm_set1_ps(EXP_MOST));
    __m128 unordered = _mm_cmpunord_ps(x, x);
    __m128 bounded = _mm_min_ps(_mm_max_ps(x, _mm_set1_ps(EXP_LEAST)), _mm_set1_ps(EXP_MOST));
    __m128i power = _mm_cvtps_epi32(_mm_mul_ps(bounded, _mm_set1_ps((float)LOG2_E)));
    __m128 powers = _mm_cvtepi32_ps(power);
    __m128 rest = _mm_sub_ps(_mm_sub_ps(bounded, _mm_mul_ps(powers, ln2_high)), _mm_mul_ps(powers, ln2_low));
    __m128 sum = _mm_set1_ps(1.0f / 5040);
    __m128i half;

    sum = _mm_add_ps(_mm_mul_ps(sum, rest), _mm_set1_ps(1.0f / 720));
    sum = _mm_add_ps(_mm_mul_ps(sum, rest), _mm_set1_ps(1.0f / 120));
    sum = _mm_add_ps(_mm_mul_ps(sum, rest), _mm_set1_ps(1.0f / 24));
    sum = _mm_add_ps(_mm_mul_ps(sum, rest), _mm_set1_ps(1.0f / 6));
    sum = _mm_add_ps(_mm_mul_ps(sum, rest), _mm_set1_ps(0.5f));
    sum = _mm_add_ps(_mm_mul_ps(sum, rest), _mm_set1_ps(1.0f));
    sum = _mm_add_ps(_mm_mul_ps(sum, rest), _mm_set1_ps(1.0f));
    /* Twice half the power, since 2^128 is no float. */
    half = _mm_srai_epi32(power, 1);
    sum = _mm_mul_ps(sum, _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(half, _mm_set1_epi32(127)), 23)));
    half = _mm_sub_epi32(power, half);
    sum = _mm_mul_ps(sum, _mm_castsi128_ps(_mm_slli_epi32(_mm_add_epi32(half, _mm_set1_epi32(127)), 23)));
    sum = _mm_and_ps(sum, valid);
    sum =
        _mm_or_ps(_mm_andnot_ps(above, sum), _mm_and_ps(above, _mm_castsi128_ps(_mm_set1_epi32(0x7f800000))));
    return _mm_or_ps(sum, unordered); /* all ones is not a number */
}

void math_exp_floats(float *numbers, size_t count)
{
    size_t i = 0;

    for (; i + 4 <= count; i += 4)
        _mm_storeu_ps(numbers + i, exp_of_four(_mm_loadu_ps(numbers + i)));
    if (i < count) {
        float rest[4] = {0};

        memcpy(rest, numbers + i, (count - i) * sizeof(*rest));
        _mm_storeu_ps(rest, exp_of_four(_mm_loadu_ps(rest)));
        memcpy(numbers + i, rest, (count - i) * sizeof(*rest));
    }
}
