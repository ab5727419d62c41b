/* SPDX-License-Identifier: MIT
 *
 * Text of numbers, without snprintf and libm.
 */
#include <string.h>

#include "json_big.h"
#include "json_private.h"

size_t json_uint_to_text(uint64_t value, char text[JSON_DOUBLE_MAX])
{
    char reversed[20];
    size_t count = 0;

    do {
        reversed[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < count; i++)
        text[i] = reversed[count - 1 - i];
    return count;
}

/* Below 2^53 and 10^22 both sides of a division are exact, and the quotient is the double that the text
 * means. */
static bool few_digits(double value, uint64_t *digits, int *exponent)
{
    double power = 1;

    for (int places = 1; places <= 15; places++) {
        double scaled;

        power *= 10;
        scaled = value * power + 0.5;
        if (scaled >= 9007199254740992.0)
            return false;
        *digits = (uint64_t)scaled;
        *exponent = -places;
        if ((double)*digits / power == value)
            return true;
    }
    return false;
}

/* A positive double as a fraction of integers, and how far from it what still means it may lie, as fractions
 * with the same denominator. */
struct fraction {
    struct big numerator, denominator, above, below;
    bool with_ends; /* what lies exactly between two doubles means the even one */
};

static void read_double(double value, struct fraction *fraction)
{
    uint64_t bits, mantissa;
    unsigned field;
    int exponent; /* of the lowest bit of the mantissa */
    bool is_power;

    memcpy(&bits, &value, sizeof(bits));
    field = (unsigned)(bits >> 52);
    mantissa = bits & ((UINT64_C(1) << 52) - 1);
    is_power = mantissa == 0 && field > 1; /* of two: the doubles below it lie closer together */
    mantissa |= field > 0 ? UINT64_C(1) << 52 : 0;
    exponent = (field > 0 ? (int)field : 1) - 1075;
    *fraction = (struct fraction){.numerator = {{(uint32_t)mantissa, (uint32_t)(mantissa >> 32)}},
                                  .denominator = {{1}},
                                  .above = {{2}},
                                  .below = {{is_power ? 1 : 2}},
                                  .with_ends = mantissa % 2 == 0};
    big_shift_left(&fraction->numerator, 2 + (unsigned)(exponent > 0 ? exponent : 0));
    big_shift_left(&fraction->denominator, 2 + (unsigned)(exponent < 0 ? -exponent : 0));
    big_shift_left(&fraction->above, (unsigned)(exponent > 0 ? exponent : 0));
    big_shift_left(&fraction->below, (unsigned)(exponent > 0 ? exponent : 0));
}

static void ten_times(struct fraction *fraction)
{
    big_multiply_add(&fraction->numerator, 10, 0);
    big_multiply_add(&fraction->above, 10, 0);
    big_multiply_add(&fraction->below, 10, 0);
}

/* Whether 1 may be said in its place. */
static bool reaches_one(const struct fraction *fraction)
{
    struct big sum = fraction->numerator;
    int order;

    big_add(&sum, &fraction->above);
    order = big_compare(&sum, &fraction->denominator);
    return order > 0 || (order == 0 && fraction->with_ends);
}

/* Whether 0 may. */
static bool reaches_zero(const struct fraction *fraction)
{
    int order = big_compare(&fraction->numerator, &fraction->below);

    return order < 0 || (order == 0 && fraction->with_ends);
}

/* The fewest digits that mean this positive value, and of these the closest: it is about digits *
 * 10^exponent. (Steele and White, "How to print floating-point numbers accurately", 1990.) */
static uint64_t shortest_digits(double value, int *exponent)
{
    struct fraction rest;
    uint64_t digits = 0;
    bool low, high;

    if (few_digits(value, &digits, exponent))
        return digits;
    read_double(value, &rest);
    digits = 0;
    for (*exponent = 0; reaches_one(&rest); ++*exponent)
        big_multiply_add(&rest.denominator, 10, 0);
    do {
        ten_times(&rest);
        --*exponent;
        digits *= 10;
        for (; big_compare(&rest.numerator, &rest.denominator) >= 0; digits++)
            big_subtract(&rest.numerator, &rest.denominator);
        low = reaches_zero(&rest) && digits > 0;
        high = reaches_one(&rest);
    } while (!low && !high);
    big_multiply_add(&rest.numerator, 2, 0);
    if (high && (!low || big_compare(&rest.numerator, &rest.denominator) >= 0))
        digits++;
    return digits;
}

size_t json_double_to_text(double value, char text[JSON_DOUBLE_MAX])
{
    char digits[JSON_DOUBLE_MAX];
    size_t used = 0, count;
    int exponent, point;

    if (value < 0) {
        text[used++] = '-';
        value = -value;
    }
    if (value < 9007199254740992.0 && value == (double)(uint64_t)value) /* below 2^53: exact */
        return used + json_uint_to_text((uint64_t)value, text + used);

    count = json_uint_to_text(shortest_digits(value, &exponent), digits);
    point = (int)count + exponent; /* digits in front of the decimal point */
    if (point > 0 && point < (int)count) {
        memcpy(text + used, digits, (size_t)point);
        used += (size_t)point;
        text[used++] = '.';
        memcpy(text + used, digits + point, count - (size_t)point);
        return used + count - (size_t)point;
    }
    if (point <= 0 && point > -5) {
        memcpy(text + used, "0.00000", 2 + (size_t)-point);
        used += 2 + (size_t)-point;
        memcpy(text + used, digits, count);
        return used + count;
    }
    text[used++] = digits[0];
    if (count > 1) {
        text[used++] = '.';
        memcpy(text + used, digits + 1, count - 1);
        used += count - 1;
    }
    text[used++] = 'e';
    point--;
    if (point < 0) {
        text[used++] = '-';
        point = -point;
    }
    return used + json_uint_to_text((uint64_t)point, text + used);
}
