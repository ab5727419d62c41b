/* SPDX-License-Identifier: MIT */
#include "sse.h"

#include <string.h>

static int dispatch(struct sse *sse)
{
    int result = 0;
    if (sse->has_data && !sse->is_other) {
        sse->data.bytes[--sse->data.length] = '\0'; /* the newline after the last line */
        if (sse->data.length > 0)                   /* an event to resume from has an id alone */
            result = sse->event(sse->context, sse->data.bytes, sse->data.length);
    }
    sse->data.length = 0;
    sse->has_data = sse->is_other = false;
    return result;
}

static void read_retry(struct sse *sse, const char *value)
{
    int64_t number = 0;
    for (; *value >= '0' && *value <= '9' && number < 86400000; value++)
        number = number * 10 + (*value - '0');
    if (*value == '\0')
        sse->retry_ms = number;
}

/* A line without its end: "field: value". */
static int read_line(struct sse *sse, bool *grew)
{
    char *line = sse->line.bytes;
    size_t length = sse->line.length;
    if (!sse->begun && length >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0) { /* a byte order mark */
        line += 3;
        length -= 3;
    }
    sse->begun = true;
    if (length == 0)
        return dispatch(sse);
    char *colon = memchr(line, ':', length);
    size_t name = colon ? (size_t)(colon - line) : length;
    const char *value = colon ? colon + 1 : line + length;
    value += *value == ' ' ? 1 : 0;
    size_t size = (size_t)(line + length - value);
    if (name == 4 && memcmp(line, "data", 4) == 0) {
        *grew = true;
        sse->has_data = true;
        int result = buffer_add(&sse->data, value, size);
        return result == 0 ? buffer_add(&sse->data, "\n", 1) : result;
    }
    if (name == 5 && memcmp(line, "event", 5) == 0)
        sse->is_other = size > 0 && !(size == 7 && memcmp(value, "message", 7) == 0);
    else if (name == 5 && memcmp(line, "retry", 5) == 0 && size > 0)
        read_retry(sse, value);
    else if (name == 2 && memcmp(line, "id", 2) == 0 && !memchr(value, '\0', size)) {
        size_t kept = size < sizeof sse->id ? size : 0;
        memcpy(sse->id, value, kept);
        sse->id[kept] = '\0';
    }
    return 0;
}

int sse_feed(struct sse *sse, const char *bytes, size_t length, bool *grew)
{
    *grew = false;
    while (length > 0) {
        if (sse->after_return && *bytes == '\n') { /* of "\r\n" */
            bytes++;
            length--;
        }
        sse->after_return = false;
        size_t plain = 0;
        while (plain < length && bytes[plain] != '\n' && bytes[plain] != '\r')
            plain++;
        int result = buffer_add(&sse->line, bytes, plain);
        bytes += plain;
        length -= plain;
        if (result == 0 && length > 0) {
            sse->after_return = *bytes == '\r';
            bytes++;
            length--;
            result = read_line(sse, grew);
            sse->line.length = 0;
        }
        if (result < 0)
            return result;
    }
    return 0;
}

void sse_release(struct sse *sse)
{
    buffer_release(&sse->line);
    buffer_release(&sse->data);
}
