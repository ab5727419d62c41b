/* SPDX-License-Identifier: MIT */
#include "json_scan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct scan {
    const char *text;
    size_t length;
    size_t at;
    const char *message; /* what is wrong at `at` */
};

size_t json_utf8_length(const char *text, size_t available)
{
    const unsigned char *byte = (const unsigned char *)text;
    unsigned char low = 0x80, high = 0xBF; /* of the second byte */
    size_t length;

    if (byte[0] < 0x80)
        return 1;
    if (byte[0] < 0xC2 || byte[0] > 0xF4)
        return 0;
    if (byte[0] < 0xE0) {
        length = 2;
    } else if (byte[0] < 0xF0) {
        length = 3;
        if (byte[0] == 0xE0)
            low = 0xA0; /* below: overlong */
        if (byte[0] == 0xED)
            high = 0x9F; /* above: surrogates */
    } else {
        length = 4;
        if (byte[0] == 0xF0)
            low = 0x90; /* below: overlong */
        if (byte[0] == 0xF4)
            high = 0x8F; /* above: past U+10FFFF */
    }
    if (available < length || byte[1] < low || byte[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (byte[i] < 0x80 || byte[i] > 0xBF)
            return 0;
    return length;
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight bytes at once: the high bit of a byte of the result tells that the byte is 0x80 or above, or (behind
 * a borrow, which only a byte of the same kind before it can send) below 0x20, a quote or a backslash. So the
 * lowest one is right. */
static uint64_t special_bits(uint64_t bytes)
{
    uint64_t quotes = bytes ^ EACH_BYTE('"');
    uint64_t backslashes = bytes ^ EACH_BYTE('\\');

    return (bytes | (bytes - EACH_BYTE(0x20)) | (quotes - EACH_BYTE(1)) | (backslashes - EACH_BYTE(1))) &
           EACH_BYTE(0x80);
}

size_t json_plain_length(const char *text, size_t available)
{
    size_t length = 0;
    uint64_t bytes, special;

    for (; available - length >= sizeof(bytes); length += sizeof(bytes)) {
        memcpy(&bytes, text + length, sizeof(bytes));
        special = special_bits(bytes);
        if (special == 0)
            continue;
        if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) /* the first byte is the lowest */
            return length + (size_t)__builtin_ctzll(special) / 8;
        break;
    }
    while (length < available && (unsigned char)text[length] >= 0x20 && (unsigned char)text[length] < 0x80 &&
           text[length] != '"' && text[length] != '\\')
        length++;
    return length;
}

int json_hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

static bool wrong(struct scan *scan, const char *message)
{
    scan->message = message;
    return false;
}

static bool at_digit(const struct scan *scan)
{
    return scan->at < scan->length && scan->text[scan->at] >= '0' && scan->text[scan->at] <= '9';
}

static bool at_char(const struct scan *scan, char c)
{
    return scan->at < scan->length && scan->text[scan->at] == c;
}

/* RFC 8259, section 6 */
static bool scan_number(struct scan *scan)
{
    if (at_char(scan, '-'))
        scan->at++;
    if (!at_digit(scan))
        return wrong(scan, "a digit is expected");
    if (at_char(scan, '0')) {
        scan->at++;
        if (at_digit(scan))
            return wrong(scan, "a number has no leading zeros");
    }
    while (at_digit(scan))
        scan->at++;
    if (at_char(scan, '.')) {
        scan->at++;
        if (!at_digit(scan))
            return wrong(scan, "a digit is expected after the decimal point");
        while (at_digit(scan))
            scan->at++;
    }
    if (at_char(scan, 'e') || at_char(scan, 'E')) {
        scan->at++;
        if (at_char(scan, '+') || at_char(scan, '-'))
            scan->at++;
        if (!at_digit(scan))
            return wrong(scan, "a digit is expected in the exponent");
        while (at_digit(scan))
            scan->at++;
    }
    return true;
}

static bool scan_literal(struct scan *scan, const char *literal)
{
    size_t length = strlen(literal);

    if (scan->length - scan->at < length || memcmp(scan->text + scan->at, literal, length) != 0)
        return wrong(scan, "a value is expected");
    scan->at += length;
    return true;
}

/* The four digits of \uXXXX at `at`, or -1. */
static int32_t hex4(const struct scan *scan, size_t at)
{
    int32_t unit = 0;

    if (at > scan->length || scan->length - at < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        int digit = json_hex_digit(scan->text[at + i]);

        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static bool scan_escape(struct scan *scan)
{
    int32_t unit, low;

    if (scan->length - scan->at < 2)
        return wrong(scan, "the string does not end");
    switch (scan->text[scan->at + 1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        scan->at += 2;
        return true;
    case 'u':
        break;
    default:
        return wrong(scan, "unknown escape in a string");
    }
    unit = hex4(scan, scan->at + 2);
    if (unit < 0)
        return wrong(scan, "\\u needs four hexadecimal digits");
    if (unit >= 0xDC00 && unit <= 0xDFFF)
        return wrong(scan, "a low surrogate without a high one before it");
    if (unit < 0xD800 || unit > 0xDFFF) {
        scan->at += 6;
        return true;
    }
    low = -1;
    if (scan->length - scan->at >= 12 && scan->text[scan->at + 6] == '\\' && scan->text[scan->at + 7] == 'u')
        low = hex4(scan, scan->at + 8);
    if (low < 0xDC00 || low > 0xDFFF)
        return wrong(scan, "a high surrogate without a low one after it");
    scan->at += 12;
    return true;
}

/* RFC 8259, section 7; at the opening quote */
static bool scan_string(struct scan *scan)
{
    scan->at++;
    for (;;) {
        unsigned char c;

        scan->at += json_plain_length(scan->text + scan->at, scan->length - scan->at);
        if (scan->at == scan->length)
            return wrong(scan, "the string does not end");
        c = (unsigned char)scan->text[scan->at];
        if (c == '"') {
            scan->at++;
            return true;
        }
        if (c == '\\') {
            if (!scan_escape(scan))
                return false;
        } else if (c < 0x20) {
            return wrong(scan, "an unescaped control character in a string");
        } else {
            size_t sequence = json_utf8_length(scan->text + scan->at, scan->length - scan->at);

            if (sequence == 0)
                return wrong(scan, "not valid UTF-8");
            scan->at += sequence;
        }
    }
}

static bool scan_scalar(struct scan *scan)
{
    switch (scan->text[scan->at]) {
    case '"':
        return scan_string(scan);
    case 't':
        return scan_literal(scan, "true");
    case 'f':
        return scan_literal(scan, "false");
    case 'n':
        return scan_literal(scan, "null");
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return scan_number(scan);
    default:
        return wrong(scan, "a value is expected");
    }
}

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->length && (unsigned char)scan->text[scan->at] <= ' ' &&
           (at_char(scan, ' ') || at_char(scan, '\t') || at_char(scan, '\n') || at_char(scan, '\r')))
        scan->at++;
}

/* `"key" :`, up to its value */
static bool scan_key(struct scan *scan)
{
    if (!at_char(scan, '"'))
        return wrong(scan, "a key in double quotes is expected");
    if (!scan_string(scan))
        return false;
    skip_space(scan);
    if (!at_char(scan, ':'))
        return wrong(scan, "a colon is expected");
    scan->at++;
    skip_space(scan);
    return true;
}

/* Without recursion: `closers` holds the bracket that ends each open level. */
static bool scan_document(struct scan *scan, size_t *tokens)
{
    char closers[MCP_JSON_DEPTH_MAX];
    size_t depth = 0;

    skip_space(scan);
    for (;;) {
        /* at a value */
        bool opened = at_char(scan, '{') || at_char(scan, '[');

        if (scan->at == scan->length)
            return wrong(scan, "the text ends where a value is expected");
        ++*tokens;
        if (opened) {
            if (depth == MCP_JSON_DEPTH_MAX)
                return wrong(scan, "nested too deeply");
            closers[depth++] = scan->text[scan->at++] == '{' ? '}' : ']';
            skip_space(scan);
        } else if (!scan_scalar(scan)) {
            return false;
        }

        /* behind a value, or behind an opening bracket */
        while (depth > 0) {
            if (!opened)
                skip_space(scan);
            if (!at_char(scan, closers[depth - 1]))
                break;
            scan->at++;
            depth--;
            opened = false;
        }
        if (depth == 0)
            break;
        if (!opened) {
            if (!at_char(scan, ','))
                return wrong(scan, closers[depth - 1] == '}' ? "a comma or } is expected"
                                                             : "a comma or ] is expected");
            scan->at++;
            skip_space(scan);
        }
        if (closers[depth - 1] == '}') {
            ++*tokens;
            if (!scan_key(scan))
                return false;
        }
    }
    skip_space(scan);
    return scan->at == scan->length || wrong(scan, "more text after the value");
}

int json_scan(const char *text, size_t length, size_t *tokens, struct mcp_json_error *error)
{
    struct scan scan = {.text = text, .length = length};

    *tokens = 0;
    if (scan_document(&scan, tokens))
        return 0;
    *error = (struct mcp_json_error){.offset = scan.at, .message = scan.message};
    return -EINVAL;
}
