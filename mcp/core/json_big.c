/* SPDX-License-Identifier: MIT */
#include "json_big.h"

#include <string.h>

void big_multiply_add(struct big *big, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;

    for (size_t i = 0; i < BIG_LIMBS; i++) {
        carry += (uint64_t)big->limbs[i] * factor;
        big->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

unsigned big_bits(const struct big *big)
{
    for (unsigned i = BIG_LIMBS; i > 0; i--)
        for (unsigned bit = 32; bit > 0 && big->limbs[i - 1] != 0; bit--)
            if ((big->limbs[i - 1] >> (bit - 1) & 1) != 0)
                return (i - 1) * 32 + bit;
    return 0;
}

void big_shift_left(struct big *big, unsigned bits)
{
    size_t limbs = bits / 32;

    memmove(big->limbs + limbs, big->limbs, (BIG_LIMBS - limbs) * sizeof(big->limbs[0]));
    memset(big->limbs, 0, limbs * sizeof(big->limbs[0]));
    big_multiply_add(big, UINT32_C(1) << bits % 32, 0);
}

int big_compare(const struct big *a, const struct big *b)
{
    for (size_t i = BIG_LIMBS; i > 0; i--)
        if (a->limbs[i - 1] != b->limbs[i - 1])
            return a->limbs[i - 1] < b->limbs[i - 1] ? -1 : 1;
    return 0;
}

void big_subtract(struct big *a, const struct big *b)
{
    uint64_t borrow = 0;

    for (size_t i = 0; i < BIG_LIMBS; i++) {
        uint64_t difference = (uint64_t)a->limbs[i] - b->limbs[i] - borrow;

        a->limbs[i] = (uint32_t)difference;
        borrow = difference >> 63;
    }
}

void big_add(struct big *a, const struct big *b)
{
    uint64_t carry = 0;

    for (size_t i = 0; i < BIG_LIMBS; i++) {
        carry += (uint64_t)a->limbs[i] + b->limbs[i];
        a->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
}
