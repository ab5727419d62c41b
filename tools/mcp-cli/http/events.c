/* SPDX-License-Identifier: MIT */
#include "events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct event {
    struct event *next;
    size_t length;
    uint32_t number;
    char text[];
};

struct event_stream *event_stream_create(uint32_t number, bool numbered, size_t limit)
{
    struct event_stream *stream = calloc(1, sizeof *stream);
    if (stream != NULL)
        *stream = (struct event_stream){.number = number, .numbered = numbered, .limit = limit, .next = 1};
    return stream;
}

static void drop_first(struct event_stream *stream, size_t *total)
{
    struct event *event = stream->first;
    stream->first = event->next;
    if (stream->first == NULL)
        stream->last = NULL;
    if (stream->cursor == event) {
        stream->unread -= event->length - stream->offset;
        stream->cursor = event->next;
        stream->offset = 0;
        stream->dropped++;
    }
    stream->size -= event->length;
    *total -= event->length;
    free(event);
}

void event_stream_destroy(struct event_stream *stream, size_t *total)
{
    if (stream == NULL)
        return;
    while (stream->first != NULL)
        drop_first(stream, total);
    free(stream);
}

/* Makes room, but never where somebody is reading. The newest event always stays. */
static void shrink(struct event_stream *stream, size_t *total)
{
    while (stream->first != stream->last &&
           (stream->size > stream->limit || (!stream->numbered && stream->first != stream->cursor)) &&
           !(stream->read && stream->first == stream->cursor))
        drop_first(stream, total);
}

static void append(struct event_stream *stream, struct event *event, size_t *total)
{
    event->number = stream->next++;
    if (stream->last != NULL)
        stream->last->next = event;
    else
        stream->first = event;
    stream->last = event;
    if (stream->cursor == NULL) {
        stream->cursor = event;
        stream->offset = 0;
    }
    stream->size += event->length;
    stream->unread += event->length;
    *total += event->length;
    shrink(stream, total);
}

static struct event *create(size_t size)
{
    struct event *event = malloc(sizeof *event + size);
    if (event != NULL)
        *event = (struct event){0};
    return event;
}

int event_stream_prime(struct event_stream *stream, unsigned retry_ms, size_t *total)
{
    struct event *event = create(80);
    if (event == NULL)
        return -ENOMEM;
    event->length = (size_t)snprintf(event->text, 80, "id: %u-%u\nretry: %u\ndata: \n\n",
                                     (unsigned)stream->number, (unsigned)stream->next, retry_ms);
    append(stream, event, total);
    return 0;
}

/* A line end in the message, which in JSON is white space only, begins another line of data. */
static size_t write_data(char *to, const char *message, size_t length)
{
    char *at = stpcpy(to, "data: ");
    for (size_t i = 0; i < length; i++) {
        if (message[i] == '\n' || message[i] == '\r')
            at = stpcpy(at, "\ndata: ");
        else
            *at++ = message[i];
    }
    return (size_t)(stpcpy(at, "\n\n") - to);
}

int event_stream_add(struct event_stream *stream, const char *message, size_t length, size_t *total)
{
    size_t line_ends = 0;
    for (size_t i = 0; i < length; i++)
        line_ends += message[i] == '\n' || message[i] == '\r' ? 1 : 0;
    struct event *event = create(60 + length + 7 * line_ends);
    if (event == NULL)
        return -ENOMEM;
    size_t at = 0;
    if (stream->numbered)
        at = (size_t)snprintf(event->text, 60, "id: %u-%u\n", (unsigned)stream->number,
                              (unsigned)stream->next);
    event->length = at + write_data(event->text + at, message, length);
    append(stream, event, total);
    return 0;
}

size_t event_stream_read(struct event_stream *stream, char *bytes, size_t size, size_t *total)
{
    size_t copied = 0;
    while (copied < size && stream->cursor != NULL) {
        const struct event *event = stream->cursor;
        size_t left = event->length - stream->offset;
        size_t part = left < size - copied ? left : size - copied;
        memcpy(bytes + copied, event->text + stream->offset, part);
        copied += part;
        stream->offset += part;
        stream->unread -= part;
        if (stream->offset == event->length) {
            stream->cursor = event->next;
            stream->offset = 0;
        }
    }
    if (!stream->numbered)
        while (stream->first != NULL && stream->first != stream->cursor)
            drop_first(stream, total);
    return copied;
}

bool event_stream_is_between(const struct event_stream *stream)
{
    return stream->offset == 0;
}

void event_stream_restart(struct event_stream *stream)
{
    stream->unread += stream->offset;
    stream->offset = 0;
}

void event_stream_rewind(struct event_stream *stream, uint32_t last)
{
    struct event *event = stream->first;
    while (event != NULL && event->number <= last)
        event = event->next;
    stream->cursor = event;
    stream->offset = 0;
    stream->unread = 0;
    for (; event != NULL; event = event->next)
        stream->unread += event->length;
}

static bool read_number(const char **text, uint32_t *number)
{
    uint64_t value = 0;
    const char *at = *text;
    while (*at >= '0' && *at <= '9' && at - *text < 10)
        value = value * 10 + (uint64_t)(*at++ - '0');
    if (at == *text || value > UINT32_MAX)
        return false;
    *text = at;
    *number = (uint32_t)value;
    return true;
}

bool event_id_parse(const char *text, uint32_t *stream, uint32_t *number)
{
    return read_number(&text, stream) && *text++ == '-' && read_number(&text, number) && *text == '\0';
}
