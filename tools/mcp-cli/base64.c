/* SPDX-License-Identifier: MIT */
#include "base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *bytes, size_t length, char *text)
{
    const unsigned char *next = bytes;
    for (size_t i = 0; i < length; i += 3) {
        uint32_t group = (uint32_t)next[i] << 16;
        group |= i + 1 < length ? (uint32_t)next[i + 1] << 8 : 0;
        group |= i + 2 < length ? next[i + 2] : 0;
        *text++ = digits[group >> 18];
        *text++ = digits[group >> 12 & 63];
        *text++ = '=';
        *text++ = '=';
        if (i + 1 < length)
            text[-2] = digits[group >> 6 & 63];
        if (i + 2 < length)
            text[-1] = digits[group & 63];
    }
    *text = '\0';
}

int base64_decode(const char *text, size_t length, unsigned char *bytes, size_t *count)
{
    size_t padding = 0;
    *count = 0;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    if (length % 4 != 0)
        return -EINVAL;
    for (size_t i = 0; i < length; i += 4) {
        uint32_t group = 0;
        for (size_t j = i; j < i + 4; j++) {
            const char *digit = j < length - padding && text[j] ? strchr(digits, text[j]) : NULL;
            if (!digit && j < length - padding)
                return -EINVAL;
            group = group << 6 | (digit ? (uint32_t)(digit - digits) : 0);
        }
        size_t taken = i + 4 == length ? 3 - padding : 3;
        for (size_t j = 0; j < taken; j++)
            bytes[(*count)++] = (unsigned char)(group >> (16 - 8 * j));
    }
    return 0;
}
