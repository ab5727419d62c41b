/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: integers that are long enough for every double. What does not fit is the caller's
 * fault.
 */
#ifndef MCP_JSON_BIG_H
#define MCP_JSON_BIG_H

#include <stdint.h>

/* 10^343, which the smallest numbers are divided by, takes 1140 bits; one more is for the division. */
#define BIG_LIMBS 36

struct big {
    uint32_t limbs[BIG_LIMBS]; /* least significant first */
};

void big_multiply_add(struct big *big, uint32_t factor, uint32_t addend);
void big_shift_left(struct big *big, unsigned bits);
void big_add(struct big *a, const struct big *b);
void big_subtract(struct big *a, const struct big *b); /* which is not larger */
/* Below 0, 0 or above 0. */
int big_compare(const struct big *a, const struct big *b);
/* How many bits it has behind the zeros in front. */
unsigned big_bits(const struct big *big);

#endif
