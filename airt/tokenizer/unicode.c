/* SPDX-License-Identifier: MIT */
#include "unicode.h"

#include <stddef.h>

enum unicode_class unicode_class(uint32_t character)
{
    size_t low = 0;
    size_t high = UNICODE_RUNS;

    if (character < 0x80) { /* most are */
        uint32_t letter = character | 0x20;

        if (letter >= 'a' && letter <= 'z')
            return character == letter ? UNICODE_LOWER : UNICODE_UPPER;
        if (character >= '0' && character <= '9')
            return UNICODE_NUMBER;
        return character == ' ' || (character >= '\t' && character <= '\r') ? UNICODE_SPACE : UNICODE_OTHER;
    }
    /* The last run that begins at the character or before. */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (unicode_runs[middle] >> 3 <= character)
            low = middle;
        else
            high = middle;
    }
    return (enum unicode_class)(unicode_runs[low] & 7);
}
