/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the well-formed UTF-8 sequence at `text` (Unicode 15, table 3-7), or 0. */
static size_t sequence_length(const unsigned char *text, size_t available)
{
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t length;

    if (text[0] < 0x80)
        return 1;
    if (text[0] >= 0xc2 && text[0] <= 0xdf)
        length = 2;
    else if (text[0] >= 0xe0 && text[0] <= 0xef)
        length = 3;
    else if (text[0] >= 0xf0 && text[0] <= 0xf4)
        length = 4;
    else
        return 0;
    if (length > available)
        return 0;

    if (text[0] == 0xe0)
        low = 0xa0;
    else if (text[0] == 0xed)
        high = 0x9f; /* surrogates */
    else if (text[0] == 0xf0)
        low = 0x90;
    else if (text[0] == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < length; i++) {
        if (text[i] < low || text[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

/* C0 and DEL, and the C1 controls U+0080 to U+009F: a terminal may take U+009B for an escape sequence. */
static bool is_control(const unsigned char *text, size_t length)
{
    if (length == 1)
        return (text[0] < 0x20 && text[0] != '\t') || text[0] == 0x7f;
    return text[0] == 0xc2 && text[1] < 0xa0;
}

size_t text_fit(char *text, size_t whole_length, size_t size)
{
    static const char ellipsis[] = "...";
    unsigned char *bytes = (unsigned char *)text;
    size_t length = whole_length;

    if (whole_length >= size) {
        length = size - sizeof(ellipsis);
        /* Not inside a character. */
        while (length > size - sizeof(ellipsis) - 3 && (bytes[length] & 0xc0) == 0x80)
            length--;
        memcpy(text + length, ellipsis, sizeof(ellipsis));
        length += sizeof(ellipsis) - 1;
    }
    for (size_t i = 0; i < length;) {
        size_t sequence = sequence_length(bytes + i, length - i);

        if (sequence == 0 || is_control(bytes + i, sequence)) {
            memset(bytes + i, '?', sequence != 0 ? sequence : 1);
            sequence = sequence != 0 ? sequence : 1;
        }
        i += sequence;
    }
    return length;
}
