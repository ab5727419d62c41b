/* SPDX-License-Identifier: MIT
 *
 * The generator that sampling draws from: SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom
 * number generators", 2014). Any seed will do; the same seed gives the same numbers everywhere.
 */
#ifndef AIRT_MATH_RANDOM_H
#define AIRT_MATH_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state; /* the seed, at first */
};

static inline uint64_t random_next(struct random *random)
{
    uint64_t mixed = random->state += UINT64_C(0x9e3779b97f4a7c15);

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

/* From 0 to below 1, a multiple of 2^-53. */
static inline double random_fraction(struct random *random)
{
    return (double)(random_next(random) >> 11) * 0x1p-53;
}

#endif
