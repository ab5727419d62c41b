/* SPDX-License-Identifier: MIT
 *
 * Strings of a parsed document. json_scan has checked them, so the escapes are whole and the surrogates are
 * in pairs.
 */
#include "mcp/json.h"

#include <errno.h>
#include <string.h>

#include "json_private.h"
#include "json_scan.h"

/* What stands between the quotes, or NULL for another type. */
static const char *content(struct mcp_json value, size_t *length)
{
    const char *raw;

    if (mcp_json_type(value) != MCP_JSON_STRING)
        return NULL;
    raw = mcp_json_raw(value, length);
    *length -= 2;
    return raw + 1;
}

static uint32_t hex4(const char *digits)
{
    uint32_t unit = 0;

    for (size_t i = 0; i < 4; i++)
        unit = unit * 16 + (uint32_t)json_hex_digit(digits[i]);
    return unit;
}

static size_t encode_utf8(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* Decodes one byte or one escape at *text and moves on. Returns how many bytes it made (1 to 4). */
static size_t decode_step(const char **text, char out[4])
{
    const char *at = *text;
    uint32_t code;

    if (*at != '\\') {
        out[0] = *at;
        *text = at + 1;
        return 1;
    }
    *text = at + 2;
    switch (at[1]) {
    case 'b':
        out[0] = '\b';
        return 1;
    case 'f':
        out[0] = '\f';
        return 1;
    case 'n':
        out[0] = '\n';
        return 1;
    case 'r':
        out[0] = '\r';
        return 1;
    case 't':
        out[0] = '\t';
        return 1;
    case 'u':
        break;
    default: /* the quote, the backslash, the slash */
        out[0] = at[1];
        return 1;
    }
    code = hex4(at + 2);
    *text = at + 6;
    if (code >= 0xD800 && code <= 0xDFFF) {
        code = 0x10000 + ((code - 0xD800) << 10) + (hex4(at + 8) - 0xDC00);
        *text = at + 12;
    }
    return encode_utf8(code, out);
}

size_t mcp_json_string_length(struct mcp_json value)
{
    size_t length, decoded = 0;
    const char *at = content(value, &length);
    const char *end;
    char bytes[4];

    if (at == NULL)
        return 0;
    end = at + length;
    while (at < end)
        decoded += decode_step(&at, bytes);
    return decoded;
}

size_t json_string_characters(struct mcp_json value)
{
    size_t length, characters = 0;
    const char *at = content(value, &length);
    const char *end;
    char bytes[4];

    if (at == NULL)
        return 0;
    end = at + length;
    while (at < end) {
        (void)decode_step(&at, bytes);
        characters += ((unsigned char)bytes[0] & 0xC0) != 0x80 ? 1 : 0; /* not inside a UTF-8 sequence */
    }
    return characters;
}

int64_t mcp_json_get_string(struct mcp_json value, char *buffer, size_t size)
{
    size_t length, used = 0;
    const char *at = content(value, &length);
    const char *end;

    if (at == NULL)
        return -EINVAL;
    end = at + length;
    while (at < end) {
        char bytes[4];
        size_t count = decode_step(&at, bytes);

        if (size - used <= count) /* the NUL needs a place too */
            return -ERANGE;
        memcpy(buffer + used, bytes, count);
        used += count;
    }
    if (size == 0)
        return -ERANGE;
    buffer[used] = '\0';
    return (int64_t)used;
}

size_t json_string_start(struct mcp_json value, char *buffer, size_t size)
{
    size_t length, used = 0;
    size_t whole = 0; /* where the last character begins */
    const char *at = content(value, &length);
    const char *end;

    if (at == NULL)
        return 0;
    end = at + length;
    while (at < end) {
        char bytes[4];
        size_t count = decode_step(&at, bytes);

        if (((unsigned char)bytes[0] & 0xC0) != 0x80)
            whole = used;
        if (count > size - used)
            return whole;
        memcpy(buffer + used, bytes, count);
        used += count;
    }
    return used;
}

bool json_raw_string_is(const char *raw, size_t length, const char *text)
{
    const char *end = raw + length;

    while (raw < end) {
        char bytes[4];
        size_t count;

        if (*raw != '\\') { /* nor a NUL, which only an escape can mean */
            if (*raw++ != *text++)
                return false;
            continue;
        }
        count = decode_step(&raw, bytes);
        for (size_t i = 0; i < count; i++, text++)
            if (*text == '\0' || *text != bytes[i])
                return false;
    }
    return *text == '\0';
}

bool json_raw_strings_equal(const char *a, size_t a_length, const char *b, size_t b_length)
{
    const char *a_end = a + a_length;
    const char *b_end = b + b_length;

    /* Both give a byte at a time where they hold the same character in different spellings. */
    char a_bytes[4], b_bytes[4];
    size_t a_count = 0, b_count = 0, a_used = 0, b_used = 0;

    for (;;) {
        if (a_used == a_count) {
            a_used = a_count = 0;
            if (a < a_end)
                a_count = decode_step(&a, a_bytes);
        }
        if (b_used == b_count) {
            b_used = b_count = 0;
            if (b < b_end)
                b_count = decode_step(&b, b_bytes);
        }
        if (a_count == 0 || b_count == 0)
            return a_count == b_count;
        if (a_bytes[a_used++] != b_bytes[b_used++])
            return false;
    }
}
