/* SPDX-License-Identifier: MIT */
#include "utf8.h"

#include <stdbool.h>

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t utf8_decode(const char *text, size_t length, uint32_t *character)
{
    unsigned char lead = (unsigned char)text[0];
    uint32_t minimum;
    uint32_t value;
    size_t count;

    if (lead < 0x80) {
        *character = lead;
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        count = 2;
        minimum = 0x80;
        value = lead & 0x1f;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        count = 3;
        minimum = 0x800;
        value = lead & 0x0f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        count = 4;
        minimum = 0x10000;
        value = lead & 0x07;
    } else {
        return 0;
    }
    if (count > length)
        return 0;
    for (size_t i = 1; i < count; i++) {
        if (!is_continuation(text[i]))
            return 0;
        value = value << 6 | ((unsigned char)text[i] & 0x3f);
    }
    if (value < minimum || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *character = value;
    return count;
}

size_t utf8_cut(const char *text, size_t length, size_t limit)
{
    if (length <= limit)
        return length;
    for (size_t back = 0; back < 4 && back < limit; back++)
        if (!is_continuation(text[limit - back]))
            return limit - back;
    return limit; /* not UTF-8 at all */
}
