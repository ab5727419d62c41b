/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <string.h>

#include "json_private.h"

#define QUOTED_MAX 64

static void add(struct text *text, const char *more, size_t length)
{
    size_t room = sizeof(text->bytes) - 1 - text->length;

    if (length > room) {
        length = room;
        while (length > 0 && ((unsigned char)more[length] & 0xC0) == 0x80)
            length--; /* not in the middle of a character */
    }
    memcpy(text->bytes + text->length, more, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_add(struct text *text, const char *more)
{
    add(text, more, strlen(more));
}

void text_add_uint(struct text *text, uint64_t value)
{
    char digits[JSON_DOUBLE_MAX];

    add(text, digits, json_uint_to_text(value, digits));
}

void text_add_int(struct text *text, int64_t value)
{
    if (value < 0)
        add(text, "-", 1);
    text_add_uint(text, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void text_add_double(struct text *text, double value)
{
    char digits[JSON_DOUBLE_MAX];

    add(text, digits, json_double_to_text(value, digits));
}

void text_add_quoted(struct text *text, struct mcp_json string)
{
    char start[QUOTED_MAX];
    size_t length = json_string_start(string, start, sizeof(start));

    for (size_t i = 0; i < length; i++)
        if (start[i] == '\0') /* would end the message */
            start[i] = '?';
    add(text, "\"", 1);
    add(text, start, length);
    text_add(text, length < mcp_json_string_length(string) ? "...\"" : "\"");
}
