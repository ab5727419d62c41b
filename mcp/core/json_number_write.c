/* SPDX-License-Identifier: MIT
 *
 * Text of numbers, without snprintf and libm.
 */
#include <string.h>

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
    if (point >= (int)count && point <= 9) { /* rounded to a whole number */
        memcpy(text + used, digits, count);
        memset(text + used + count, '0', (size_t)point - count);
        return used + (size_t)point;
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
