/* SPDX-License-Identifier: MIT
 *
 * Numbers of a JSON text, without strtod and libm.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "json_big.h"
#include "json_private.h"

/* Of the most significant digits as many as always fit. */
#define DIGITS_MAX 19

struct decimal {
    bool negative;
    uint64_t digits;      /* the significant digits without trailing zeros, at most DIGITS_MAX */
    uint64_t digit_count; /* how many significant digits the text has, without trailing zeros */
    int64_t exponent;     /* value: digits * 10^exponent (times more, where digit_count exceeds DIGITS_MAX) */
};

static int64_t read_exponent(const char *at, const char *end)
{
    bool negative = false;
    int64_t exponent = 0;

    if (at < end && (*at == '+' || *at == '-'))
        negative = *at++ == '-';
    for (; at < end; at++)
        if (exponent < INT64_C(1000000000000)) /* beyond what digits in front of it can balance */
            exponent = exponent * 10 + (*at - '0');
    return negative ? -exponent : exponent;
}

static struct decimal read_decimal(const char *text, size_t length)
{
    const char *at = text;
    const char *end = text + length;
    struct decimal decimal = {0};
    bool fraction = false;
    int64_t zeros = 0; /* seen behind the last non-zero digit */

    if (*at == '-') {
        decimal.negative = true;
        at++;
    }
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        if (fraction)
            decimal.exponent--;
        if (*at == '0') {
            if (decimal.digit_count > 0)
                zeros++;
            continue;
        }
        for (zeros++; zeros > 0; zeros--) {
            if (decimal.digit_count < DIGITS_MAX)
                decimal.digits = decimal.digits * 10 + (zeros == 1 ? (uint64_t)(*at - '0') : 0);
            else
                decimal.exponent++;
            decimal.digit_count++;
        }
    }
    decimal.exponent += zeros;
    if (at < end)
        decimal.exponent += read_exponent(at + 1, end);
    return decimal;
}

int json_number_to_int(const char *text, size_t length, int64_t *out)
{
    struct decimal decimal = read_decimal(text, length);
    uint64_t limit = (uint64_t)INT64_MAX + (decimal.negative ? 1 : 0);
    uint64_t value = decimal.digits;

    if (decimal.digits == 0) {
        *out = 0;
        return 0;
    }
    if (decimal.digit_count > DIGITS_MAX || decimal.exponent < 0 || decimal.exponent > DIGITS_MAX)
        return -EINVAL;
    for (int64_t i = 0; i < decimal.exponent; i++) {
        if (value > limit / 10)
            return -EINVAL;
        value *= 10;
    }
    if (value > limit)
        return -EINVAL;
    *out = decimal.negative ? (int64_t)(0 - value) : (int64_t)value;
    return 0;
}

/* ---- comparison, exact for numbers of any length ---- */

/* The number is 0.ddd * 10^this, where the first d is not 0. */
static int64_t magnitude(const struct decimal *decimal)
{
    uint64_t kept = decimal->digit_count < DIGITS_MAX ? decimal->digit_count : DIGITS_MAX;

    return (int64_t)kept + decimal->exponent;
}

bool json_number_is_integer(const char *text, size_t length)
{
    struct decimal decimal = read_decimal(text, length);

    return decimal.digits == 0 || magnitude(&decimal) >= (int64_t)decimal.digit_count;
}

/* The digits of a number one by one, without the zeros in front; -1 at the end. */
struct digits {
    const char *at, *end;
};

static struct digits digits_of(const char *text, size_t length)
{
    struct digits digits = {.at = text, .end = text + length};

    while (digits.at < digits.end && (*digits.at == '-' || *digits.at == '.' || *digits.at == '0'))
        digits.at++;
    return digits;
}

static int next_digit(struct digits *digits)
{
    if (digits->at < digits->end && *digits->at == '.')
        digits->at++;
    if (digits->at >= digits->end || *digits->at == 'e' || *digits->at == 'E')
        return -1;
    return *digits->at++ - '0';
}

static int compare_digits(struct digits a, struct digits b)
{
    for (;;) {
        int a_digit = next_digit(&a);
        int b_digit = next_digit(&b);

        if (a_digit < 0 && b_digit < 0)
            return 0;
        a_digit = a_digit < 0 ? 0 : a_digit;
        b_digit = b_digit < 0 ? 0 : b_digit;
        if (a_digit != b_digit)
            return a_digit - b_digit;
    }
}

int json_number_compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
    struct decimal first = read_decimal(a, a_length);
    struct decimal second = read_decimal(b, b_length);
    int first_sign = first.digits == 0 ? 0 : first.negative ? -1 : 1;
    int second_sign = second.digits == 0 ? 0 : second.negative ? -1 : 1;

    if (first_sign != second_sign || first_sign == 0)
        return first_sign - second_sign;
    if (magnitude(&first) != magnitude(&second))
        return magnitude(&first) > magnitude(&second) ? first_sign : -first_sign;
    return first_sign * compare_digits(digits_of(a, a_length), digits_of(b, b_length));
}

uint32_t json_number_hash(const char *text, size_t length)
{
    struct decimal decimal = read_decimal(text, length);

    if (decimal.digits == 0)
        return 0;
    return (uint32_t)((decimal.digits + (uint64_t)decimal.exponent * 31 + decimal.negative) *
                          UINT64_C(0x9E3779B97F4A7C15) >>
                      32);
}

bool json_number_is_divisor(const char *text, size_t length)
{
    struct decimal decimal = read_decimal(text, length);

    return decimal.digits > 0 && !decimal.negative && decimal.digit_count <= DIGITS_MAX;
}

/* a and b are below modulus, which may have 64 bits. */
static uint64_t add_modulo(uint64_t a, uint64_t b, uint64_t modulus)
{
    return a >= modulus - b ? a - (modulus - b) : a + b;
}

static uint64_t ten_times_modulo(uint64_t a, uint64_t modulus)
{
    uint64_t twice = add_modulo(a, a, modulus);
    uint64_t four_times = add_modulo(twice, twice, modulus);
    uint64_t five_times = add_modulo(four_times, a, modulus);

    return add_modulo(five_times, five_times, modulus);
}

bool json_number_is_multiple(const char *text, size_t length, const char *divisor, size_t divisor_length)
{
    struct decimal number = read_decimal(text, length);
    struct decimal by = read_decimal(divisor, divisor_length);
    struct digits digits = digits_of(text, length);
    uint64_t remainder = 0;
    int64_t zeros; /* between the last significant digits of the two */

    if (number.digits == 0)
        return true;
    zeros = magnitude(&number) - (int64_t)number.digit_count - by.exponent;
    if (zeros < 0)
        return false; /* the last digit of the number is not 0, so 10 does not divide it */
    for (uint64_t i = 0; i < number.digit_count; i++)
        remainder = add_modulo(ten_times_modulo(remainder, by.digits),
                               (uint64_t)next_digit(&digits) % by.digits, by.digits);
    /* 10^64 has all the factors 2 and 5 that a divisor of 64 bits can have: more zeros change nothing. */
    for (int64_t i = 0; i < zeros && i < 64; i++)
        remainder = ten_times_modulo(remainder, by.digits);
    return remainder == 0;
}

/* ---- to double: exact integer arithmetic, so that the result is the nearest double ---- */

#define QUOTIENT_BITS 60
#define MANTISSA_BITS 53
#define EXPONENT_MIN  (-1074) /* of the lowest bit of a double */
#define EXPONENT_MAX  971     /* of the lowest bit of the largest doubles */

/* The double nearest to (quotient + a part below one, where `more`) * 2^exponent, ties to even, as its bits;
 * quotient has at least QUOTIENT_BITS bits. 0 on success, -EINVAL beyond the largest. */
static int round_to_double(uint64_t quotient, bool more, int exponent, uint64_t *bits)
{
    int drop = QUOTIENT_BITS - MANTISSA_BITS; /* bits that the mantissa has no place for */
    uint64_t mantissa, half, rest;

    while (quotient >> drop >= UINT64_C(1) << MANTISSA_BITS || (exponent + drop < EXPONENT_MIN && drop < 62))
        drop++;
    mantissa = quotient >> drop;
    half = UINT64_C(1) << (drop - 1);
    rest = quotient & (half * 2 - 1);
    if (rest > half || (rest == half && (more || (mantissa & 1) != 0)))
        mantissa++;
    exponent += drop;
    if (mantissa == UINT64_C(1) << MANTISSA_BITS) {
        mantissa >>= 1;
        exponent++;
    }
    if (exponent > EXPONENT_MAX)
        return -EINVAL;
    /* IEEE 754: a subnormal has the exponent field 0 and no hidden bit */
    if (mantissa >> (MANTISSA_BITS - 1) == 0)
        *bits = mantissa;
    else
        *bits = (uint64_t)(exponent - EXPONENT_MIN + 1) << (MANTISSA_BITS - 1) |
                (mantissa & ((UINT64_C(1) << (MANTISSA_BITS - 1)) - 1));
    return 0;
}

/* The bits of digits * 10^exponent, by long division of integers. */
static int decimal_to_bits(const struct decimal *decimal, uint64_t *bits)
{
    struct big numerator = {{(uint32_t)decimal->digits, (uint32_t)(decimal->digits >> 32)}};
    struct big denominator = {{1}};
    struct big *scaled = decimal->exponent < 0 ? &denominator : &numerator;
    int64_t power = decimal->exponent < 0 ? -decimal->exponent : decimal->exponent;
    unsigned numerator_bits, denominator_bits;
    uint64_t quotient = 0;
    bool more;
    int shift;

    for (; power > 0; power--)
        big_multiply_add(scaled, 10, 0);
    /* Both get the same length; then each step gives one bit of the quotient. */
    numerator_bits = big_bits(&numerator);
    denominator_bits = big_bits(&denominator);
    shift = (int)denominator_bits - (int)numerator_bits;
    if (shift > 0)
        big_shift_left(&numerator, (unsigned)shift);
    else
        big_shift_left(&denominator, (unsigned)-shift);
    for (int i = 0; i <= QUOTIENT_BITS; i++) {
        quotient <<= 1;
        if (big_compare(&numerator, &denominator) >= 0) {
            big_subtract(&numerator, &denominator);
            quotient |= 1;
        }
        big_multiply_add(&numerator, 2, 0);
    }
    more = big_bits(&numerator) > 0 || decimal->digit_count > DIGITS_MAX;
    return round_to_double(quotient, more, -shift - QUOTIENT_BITS, bits);
}

/* Few digits and a small power of ten are exact as doubles, and IEEE 754 rounds the one operation with them
 * as it should be: most numbers need no more (Clinger, "How to read floating point numbers accurately",
 * 1990). */
static bool few_digits_to_double(const struct decimal *decimal, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double value = (double)(int64_t)decimal->digits;

    if (decimal->digits > UINT64_C(1) << MANTISSA_BITS || decimal->exponent < -22 || decimal->exponent > 22)
        return false;
    if (decimal->exponent < 0)
        value /= powers[-decimal->exponent];
    else
        value *= powers[decimal->exponent];
    *out = decimal->negative ? -value : value;
    return true;
}

int json_number_to_double(const char *text, size_t length, double *out)
{
    struct decimal decimal = read_decimal(text, length);
    uint64_t bits = 0;
    int result = 0;

    if (few_digits_to_double(&decimal, out))
        return 0;
    /* Below 1e-343 even the largest digits give 0, beyond 1e309 even the smallest are too large. */
    if (decimal.digits != 0 && decimal.exponent > 309)
        return -EINVAL;
    if (decimal.digits != 0 && decimal.exponent >= -343)
        result = decimal_to_bits(&decimal, &bits);
    if (result != 0)
        return result;
    if (decimal.negative)
        bits |= UINT64_C(1) << 63;
    memcpy(out, &bits, sizeof(bits));
    return 0;
}
