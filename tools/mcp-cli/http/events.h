/* SPDX-License-Identifier: MIT
 *
 * A stream of Server-Sent Events (HTML Living Standard, "Server-sent events"), kept so that a client can come
 * back to it: each event has an id "STREAM-NUMBER", and a reader that says which one it has seen last goes on
 * behind it.
 */
#ifndef MCP_HTTP_EVENTS_H
#define MCP_HTTP_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;

struct event_stream {
    uint32_t number;
    bool numbered; /* events have ids, and are kept when they have been read */
    bool ended;    /* nothing more comes */
    bool read;     /* somebody reads it at the moment: then events that are not read yet are never dropped */
    size_t limit;  /* bytes of events to keep */
    /* read-only */
    size_t size, unread; /* bytes held; of these, not read */
    uint64_t dropped;    /* events that nobody had read */
    /* private */
    struct event *first, *last, *cursor; /* cursor NULL: all is read */
    size_t offset;                       /* in the cursor's event */
    uint32_t next;                       /* number of the next event */
};

/* `total` counts the bytes that all streams hold together; it must stay. */
struct event_stream *event_stream_create(uint32_t number, bool numbered, size_t limit);
void event_stream_destroy(struct event_stream *stream, size_t *total);

/* The event that a client can come back behind before anything else has come: an id, no data. `retry_ms` is
 * how long it waits before it does. 0 or -ENOMEM. */
int event_stream_prime(struct event_stream *stream, unsigned retry_ms, size_t *total);
/* Adds a message. What no longer fits into the limit is dropped from the front. 0 or -ENOMEM. */
int event_stream_add(struct event_stream *stream, const char *message, size_t length, size_t *total);

/* Copies at most `size` bytes that come next. */
size_t event_stream_read(struct event_stream *stream, char *bytes, size_t size, size_t *total);
/* Whether the next byte is the first of an event. */
bool event_stream_is_between(const struct event_stream *stream);

/* For another reader: an event that was read in part comes again as a whole. */
void event_stream_restart(struct event_stream *stream);
/* Goes on behind event `last`: its next one comes next, or the oldest that there is still. */
void event_stream_rewind(struct event_stream *stream, uint32_t last);

/* Reads "STREAM-NUMBER". False when it is not such an id. */
bool event_id_parse(const char *text, uint32_t *stream, uint32_t *number);

#endif
