/* SPDX-License-Identifier: MIT
 *
 * The writer: what it finishes is valid JSON on one line, whatever it was given.
 */
#include "mcp/json.h"

#include <errno.h>
#include <string.h>

#include "json_private.h"
#include "json_scan.h"
#include "json_write_private.h"

/* What is open on a level, and what may come next there. */
enum {
    IN_ARRAY = 1,
    IN_OBJECT = 2, /* a key, or the end */
    AT_VALUE = 3,  /* in an object, behind a key */
    HAS_ELEMENTS = 4
};
#define KIND(level) ((level)&3)

#define FIRST_SIZE 256u

void mcp_json_writer_initialise(struct mcp_json_writer *writer, const struct mcp_memory *memory, size_t limit)
{
    *writer = (struct mcp_json_writer){.memory = *memory, .limit = limit};
}

void mcp_json_writer_initialise_fixed(struct mcp_json_writer *writer, char *buffer, size_t size)
{
    *writer = (struct mcp_json_writer){.text = buffer, .size = size, .limit = size, .borrowed = true};
}

void json_writer_initialise_with_buffer(struct mcp_json_writer *writer, const struct mcp_memory *memory,
                                        size_t limit, char *buffer, size_t size)
{
    *writer = (struct mcp_json_writer){.memory = *memory,
                                       .text = buffer,
                                       .size = size < limit ? size : limit,
                                       .limit = limit,
                                       .borrowed = true};
}

void mcp_json_writer_release(struct mcp_json_writer *writer)
{
    if (!writer->borrowed && writer->text != NULL)
        writer->memory.release(writer->memory.context, writer->text, writer->size);
    *writer = (struct mcp_json_writer){.error = -EINVAL};
}

static void fail(struct mcp_json_writer *writer, int error)
{
    if (writer->error == 0)
        writer->error = error;
}

static bool grow(struct mcp_json_writer *writer, size_t needed)
{
    size_t size = writer->size < FIRST_SIZE / 2 ? FIRST_SIZE : writer->size * 2;
    char *grown;

    if (size < needed)
        size = needed;
    if (size > writer->limit)
        size = writer->limit;
    grown = writer->memory.allocate(writer->memory.context, size);
    if (grown == NULL && size > needed) {
        size = needed;
        grown = writer->memory.allocate(writer->memory.context, size);
    }
    if (grown == NULL)
        return false;
    if (writer->text != NULL) {
        memcpy(grown, writer->text, writer->length);
        if (!writer->borrowed)
            writer->memory.release(writer->memory.context, writer->text, writer->size);
    }
    writer->borrowed = false;
    writer->text = grown;
    writer->size = size;
    return true;
}

/* Makes room for length bytes more; false, and an error, where there is none. */
static bool make_room(struct mcp_json_writer *writer, size_t length)
{
    if (writer->error != 0)
        return false;
    if (length > writer->limit - writer->length)
        fail(writer, -EFBIG);
    else if (length > writer->size - writer->length && !grow(writer, writer->length + length))
        fail(writer, -ENOMEM);
    return writer->error == 0;
}

static inline bool has_room(struct mcp_json_writer *writer, size_t length)
{
    return (writer->error == 0 && length <= writer->size - writer->length) || make_room(writer, length);
}

static void append(struct mcp_json_writer *writer, const char *text, size_t length)
{
    if (!has_room(writer, length))
        return;
    if (length > 0)
        memcpy(writer->text + writer->length, text, length);
    writer->length += length;
}

static void append_char(struct mcp_json_writer *writer, char c)
{
    if (has_room(writer, 1))
        writer->text[writer->length++] = c;
}

/* Before a value: the comma, or an error where no value may stand. Afterwards the level has an element. */
static bool before_value(struct mcp_json_writer *writer)
{
    uint8_t *level;

    if (writer->error != 0)
        return false;
    if (writer->depth == 0) {
        if (writer->length > 0) /* a second value */
            fail(writer, -EINVAL);
        return writer->error == 0;
    }
    level = &writer->stack[writer->depth - 1];
    if (KIND(*level) == IN_OBJECT) {
        fail(writer, -EINVAL);
        return false;
    }
    if (KIND(*level) == AT_VALUE)
        *level = IN_OBJECT | HAS_ELEMENTS;
    else if ((*level & HAS_ELEMENTS) != 0)
        append_char(writer, ',');
    else
        *level |= HAS_ELEMENTS;
    return writer->error == 0;
}

static void begin(struct mcp_json_writer *writer, uint8_t kind)
{
    if (!before_value(writer))
        return;
    if (writer->depth == MCP_JSON_DEPTH_MAX) {
        fail(writer, -EINVAL);
        return;
    }
    append_char(writer, kind == IN_OBJECT ? '{' : '[');
    writer->stack[writer->depth++] = kind;
}

static void end(struct mcp_json_writer *writer, uint8_t kind)
{
    if (writer->error != 0)
        return;
    if (writer->depth == 0 || KIND(writer->stack[writer->depth - 1]) != kind) {
        fail(writer, -EINVAL);
        return;
    }
    append_char(writer, kind == IN_OBJECT ? '}' : ']');
    writer->depth--;
}

void mcp_json_begin_object(struct mcp_json_writer *writer)
{
    begin(writer, IN_OBJECT);
}

void mcp_json_end_object(struct mcp_json_writer *writer)
{
    end(writer, IN_OBJECT);
}

void mcp_json_begin_array(struct mcp_json_writer *writer)
{
    begin(writer, IN_ARRAY);
}

void mcp_json_end_array(struct mcp_json_writer *writer)
{
    end(writer, IN_ARRAY);
}

/* An escape for a byte that may not stand as it is: a quote, a backslash, a control character. */
static void append_escaped(struct mcp_json_writer *writer, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    static const char named[] = "\"\\\b\f\n\r\t";
    static const char names[] = "\"\\bfnrt";
    const char *found = memchr(named, byte, sizeof(named) - 1);
    char escape[6] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15]};

    if (found != NULL) {
        escape[1] = names[found - named];
        append(writer, escape, 2);
    } else {
        append(writer, escape, 6);
    }
}

/* Most strings: nothing in them is to be escaped. */
static void append_plain(struct mcp_json_writer *writer, const char *text, size_t length)
{
    char *end;

    if (!has_room(writer, length + 2))
        return;
    end = writer->text + writer->length;
    *end++ = '"';
    if (length > 0)
        memcpy(end, text, length);
    end[length] = '"';
    writer->length += length + 2;
}

static void append_string(struct mcp_json_writer *writer, const char *text, size_t length)
{
    size_t at = json_plain_length(text, length);
    size_t run = 0; /* where the bytes begin that are not appended yet */

    if (at == length) {
        append_plain(writer, text, length);
        return;
    }
    append_char(writer, '"');
    while (at < length) {
        unsigned char byte = (unsigned char)text[at];
        size_t sequence = byte < 0x80 ? 1 : json_utf8_length(text + at, length - at);

        if (sequence > 1) {
            at += sequence;
        } else {
            append(writer, text + run, at - run);
            if (sequence == 0)
                append(writer, "\xEF\xBF\xBD", 3); /* U+FFFD */
            else
                append_escaped(writer, byte);
            run = ++at;
        }
        at += json_plain_length(text + at, length - at);
    }
    append(writer, text + run, at - run);
    append_char(writer, '"');
}

void mcp_json_key_write(struct mcp_json_writer *writer, const char *name)
{
    uint8_t *level;

    if (writer->error != 0)
        return;
    if (writer->depth == 0 || KIND(writer->stack[writer->depth - 1]) != IN_OBJECT) {
        fail(writer, -EINVAL);
        return;
    }
    level = &writer->stack[writer->depth - 1];
    if ((*level & HAS_ELEMENTS) != 0)
        append_char(writer, ',');
    append_string(writer, name, strlen(name));
    append_char(writer, ':');
    *level = AT_VALUE;
}

void mcp_json_string_n(struct mcp_json_writer *writer, const char *text, size_t length)
{
    if (before_value(writer))
        append_string(writer, text, length);
}

void mcp_json_string(struct mcp_json_writer *writer, const char *text)
{
    mcp_json_string_n(writer, text, strlen(text));
}

void mcp_json_base64(struct mcp_json_writer *writer, const void *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *byte = bytes;

    if (!before_value(writer))
        return;
    append_char(writer, '"');
    for (size_t at = 0; at < size && writer->error == 0; at += 3) {
        size_t left = size - at;
        uint32_t group = (uint32_t)byte[at] << 16 | (left > 1 ? (uint32_t)byte[at + 1] << 8 : 0) |
                         (left > 2 ? byte[at + 2] : 0u);
        char text[4] = {digits[group >> 18], digits[group >> 12 & 63],
                        left > 1 ? digits[group >> 6 & 63] : '=', left > 2 ? digits[group & 63] : '='};

        append(writer, text, 4);
    }
    append_char(writer, '"');
}

static void append_value(struct mcp_json_writer *writer, const char *text, size_t length)
{
    if (before_value(writer))
        append(writer, text, length);
}

void mcp_json_int(struct mcp_json_writer *writer, int64_t value)
{
    char text[JSON_DOUBLE_MAX + 1] = "-";
    size_t sign = value < 0 ? 1 : 0;
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    append_value(writer, text, sign + json_uint_to_text(magnitude, text + sign));
}

void mcp_json_uint(struct mcp_json_writer *writer, uint64_t value)
{
    char text[JSON_DOUBLE_MAX];

    append_value(writer, text, json_uint_to_text(value, text));
}

void mcp_json_double(struct mcp_json_writer *writer, double value)
{
    char text[JSON_DOUBLE_MAX];

    if (value - value != 0) { /* NaN and the infinities */
        mcp_json_null(writer);
        return;
    }
    append_value(writer, text, json_double_to_text(value, text));
}

void mcp_json_bool(struct mcp_json_writer *writer, bool value)
{
    append_value(writer, value ? "true" : "false", value ? 4 : 5);
}

void mcp_json_null(struct mcp_json_writer *writer)
{
    append_value(writer, "null", 4);
}

/* Valid JSON without the white space between its tokens: newline-delimited messages must be one line. */
static void append_compact(struct mcp_json_writer *writer, const char *text, size_t length)
{
    bool in_string = false;
    size_t run = 0;

    for (size_t at = 0; at < length; at++) {
        char c = text[at];

        if (c == '"') {
            in_string = !in_string;
        } else if (c == '\\') {
            at++; /* only strings have one; what it escapes is not their end */
        } else if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
            append(writer, text + run, at - run);
            run = at + 1;
        }
    }
    append(writer, text + run, length - run);
}

void mcp_json_value(struct mcp_json_writer *writer, struct mcp_json value)
{
    size_t length;
    const char *text = mcp_json_raw(value, &length);

    if (text == NULL)
        mcp_json_null(writer);
    else
        json_write_checked(writer, text, length);
}

void json_write_checked(struct mcp_json_writer *writer, const char *text, size_t length)
{
    if (before_value(writer))
        append_compact(writer, text, length);
}

void mcp_json_raw_value(struct mcp_json_writer *writer, const char *text, size_t length)
{
    struct mcp_json_error error;
    size_t tokens;

    if (json_scan(text, length, &tokens, &error) != 0)
        fail(writer, -EINVAL);
    else
        json_write_checked(writer, text, length);
}

void json_write_trusted(struct mcp_json_writer *writer, const char *text, size_t length)
{
    append_value(writer, text, length);
}

void json_write_trusted_members(struct mcp_json_writer *writer, const char *text, size_t length)
{
    uint8_t *level;

    if (length <= 2 || writer->error != 0)
        return;
    if (writer->depth == 0 || KIND(writer->stack[writer->depth - 1]) != IN_OBJECT) {
        fail(writer, -EINVAL);
        return;
    }
    level = &writer->stack[writer->depth - 1];
    if ((*level & HAS_ELEMENTS) != 0)
        append_char(writer, ',');
    append(writer, text + 1, length - 2);
    *level |= HAS_ELEMENTS;
}

void mcp_json_member_string(struct mcp_json_writer *writer, const char *name, const char *text)
{
    mcp_json_key_write(writer, name);
    mcp_json_string(writer, text);
}

void mcp_json_member_int(struct mcp_json_writer *writer, const char *name, int64_t value)
{
    mcp_json_key_write(writer, name);
    mcp_json_int(writer, value);
}

void mcp_json_member_uint(struct mcp_json_writer *writer, const char *name, uint64_t value)
{
    mcp_json_key_write(writer, name);
    mcp_json_uint(writer, value);
}

void mcp_json_member_double(struct mcp_json_writer *writer, const char *name, double value)
{
    mcp_json_key_write(writer, name);
    mcp_json_double(writer, value);
}

void mcp_json_member_bool(struct mcp_json_writer *writer, const char *name, bool value)
{
    mcp_json_key_write(writer, name);
    mcp_json_bool(writer, value);
}

int mcp_json_finish(struct mcp_json_writer *writer, const char **text, size_t *length)
{
    if (writer->depth != 0 || writer->length == 0)
        fail(writer, -EINVAL);
    if (writer->error != 0)
        return writer->error;
    *text = writer->text;
    *length = writer->length;
    return 0;
}
