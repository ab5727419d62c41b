/* SPDX-License-Identifier: MIT
 *
 * Numbers between JSON text and C, without strtod, snprintf and libm.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "json_private.h"

#define EXACT_POWER_MAX 22 /* 10^22 is the largest power of ten that a double holds exactly */

/* Of the most significant digits as many as always fit. */
#define DIGITS_MAX 19

struct decimal {
    bool negative;
    uint64_t digits;      /* the significant digits without trailing zeros, at most DIGITS_MAX */
    uint64_t digit_count; /* how many significant digits the text has, without trailing zeros */
    int64_t exponent;     /* value: digits * 10^exponent (times more, where digit_count exceeds DIGITS_MAX) */
};

static const double powers_of_ten[EXACT_POWER_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                          1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                          1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

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

static double scale(double value, int64_t exponent)
{
    for (; exponent > 0 && value < 1e308; exponent -= EXACT_POWER_MAX) {
        int64_t step = exponent < EXACT_POWER_MAX ? exponent : EXACT_POWER_MAX;

        value *= powers_of_ten[step];
    }
    for (; exponent < 0 && value > 0; exponent += EXACT_POWER_MAX) {
        int64_t step = -exponent < EXACT_POWER_MAX ? -exponent : EXACT_POWER_MAX;

        value /= powers_of_ten[step];
    }
    return value;
}

int json_number_to_double(const char *text, size_t length, double *out)
{
    struct decimal decimal = read_decimal(text, length);
    double value = scale((double)decimal.digits, decimal.digits == 0 ? 0 : decimal.exponent);

    if (value > 1.7976931348623157e308)
        return -EINVAL;
    *out = decimal.negative ? -value : value;
    return 0;
}

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

/* The nine significant digits of a positive value: value is about digits * 10^exponent. */
static uint64_t nine_digits(double value, int *exponent)
{
    double scaled = value;
    uint64_t digits;

    *exponent = 0;
    while (scaled >= 1e31) {
        scaled /= 1e22;
        *exponent += 22;
    }
    while (scaled >= 1e9) {
        scaled /= 10;
        ++*exponent;
    }
    while (scaled < 1e-14) {
        scaled *= 1e22;
        *exponent -= 22;
    }
    while (scaled < 1e8) {
        scaled *= 10;
        --*exponent;
    }
    digits = (uint64_t)(scaled + 0.5);
    while (digits > 0 && digits % 10 == 0) {
        digits /= 10;
        ++*exponent;
    }
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

    count = json_uint_to_text(nine_digits(value, &exponent), digits);
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
