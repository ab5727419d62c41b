/* SPDX-License-Identifier: MIT
 *
 * The functions of analysis that inference needs: the same to the bit with every compiler and C library,
 * since each is a fixed sequence of IEEE 754 additions and multiplications in double precision. README.md has
 * their errors, which the tests measure.
 */
#ifndef AIRT_MATH_MATH_H
#define AIRT_MATH_MATH_H

#include <emmintrin.h>
#include <stddef.h>

double math_exp(double x);              /* 0 below -745, infinite above 710; NaN stays */
double math_log(double x);              /* of a finite number above 0 */
double math_pow(double base, double x); /* base finite and above 0 */
/* |angle| below 2^30; beyond, and for NaN, both are NaN. */
void math_sin_cos(double angle, double *sine, double *cosine);
double math_tanh(double x);

/* Correctly rounded, as IEEE 754 has it. */
static inline double math_sqrt(double x)
{
    __m128d root = _mm_set_sd(x);

    return _mm_cvtsd_f64(_mm_sqrt_sd(root, root));
}

/* exp of each number, in place: within 2 units in the last place of a float; 0 below -87, infinite
 * above 88.7. For numbers by the thousand, four at a time. */
void math_exp_floats(float *numbers, size_t count);

#endif
