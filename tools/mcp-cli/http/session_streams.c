/* SPDX-License-Identifier: MIT
 *
 * The streams of a session: who reads them, what is kept for who comes back, and that a slow reader slows
 * the server down rather than filling memory.
 */
#include <stdlib.h>

#include "gateway_private.h"

struct session_stream *session_stream_create(struct session *session, bool general)
{
    struct session_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return NULL;
    uint32_t number = general ? 0 : ++session->next_stream;
    stream->events = event_stream_create(number, true, session->gateway->config.events_max);
    if (stream->events == NULL) {
        free(stream);
        return NULL;
    }
    stream->begun = general;
    stream->next = session->streams;
    session->streams = stream;
    return stream;
}

void session_stream_destroy(struct session *session, struct session_stream *stream)
{
    struct gateway *gateway = session->gateway;
    struct exchange *reader = stream->reader;
    session_stream_detach(session, stream);
    if (reader != NULL)
        exchange_wake(reader);
    for (struct session_stream **at = &session->streams; *at != NULL; at = &(*at)->next) {
        if (*at == stream) {
            *at = stream->next;
            break;
        }
    }
    gateway->statistics.events_dropped += stream->events->dropped;
    event_stream_destroy(stream->events, &gateway->statistics.buffered);
    free(stream);
}

struct session_stream *session_stream_find(const struct session *session, uint32_t number)
{
    struct session_stream *stream = session->streams;
    while (stream != NULL && stream->events->number != number)
        stream = stream->next;
    return stream;
}

void session_stream_begin(struct session *session, struct session_stream *stream)
{
    struct exchange *reader = stream->reader;
    if (stream->begun || reader == NULL)
        return;
    stream->begun = true;
    if (session->primes)
        (void)event_stream_prime(stream->events, session->gateway->config.retry_ms,
                                 &session->gateway->statistics.buffered);
    exchange_begin_stream(reader);
}

void session_stream_balance(struct session *session, struct session_stream *stream)
{
    size_t unread = stream->events->unread;
    bool pause = stream->reader != NULL && unread > (stream->paused ? UNREAD_HIGH / 2 : UNREAD_HIGH);
    if (session->link == NULL || pause == stream->paused)
        return;
    stream->paused = pause;
    vm_link_pause(session->link, pause);
}

/* Nobody can come back to a stream whose first event nobody has seen. */
void session_stream_add(struct session *session, struct session_stream *stream, struct piece text)
{
    struct gateway *gateway = session->gateway;
    session_stream_begin(session, stream);
    if (!stream->begun) {
        gateway->statistics.messages_dropped++;
        return;
    }
    struct event_stream *events = stream->events;
    /* When all together keep too much, those whom nobody reads keep their newest event only. */
    events->limit =
        gateway->statistics.buffered < gateway->config.buffer_max ? gateway->config.events_max : 0;
    if (event_stream_add(events, text.text, text.length, &gateway->statistics.buffered) != 0)
        gateway->statistics.events_dropped++;
    session_stream_balance(session, stream);
    if (stream->reader != NULL)
        exchange_wake(stream->reader);
}

void session_stream_finish(struct session *session, struct session_stream *stream)
{
    stream->events->ended = true;
    stream->finished_at = gateway_now(session->gateway);
    if (!stream->begun)
        session_stream_destroy(session, stream);
    else if (stream->reader != NULL)
        exchange_wake(stream->reader);
}

void session_stream_detach(struct session *session, struct session_stream *stream)
{
    struct exchange *reader = stream->reader;
    if (reader == NULL)
        return;
    reader->stream = NULL;
    reader->session = NULL;
    stream->reader = NULL;
    stream->events->read = false;
    session_stream_balance(session, stream);
    session->used_at = gateway_now(session->gateway);
}

/* The one who was there before has gone, most likely: his stream ends. */
void session_stream_attach(struct session *session, struct session_stream *stream, struct exchange *reader)
{
    struct exchange *before = stream->reader;
    session_stream_detach(session, stream);
    if (before != NULL)
        exchange_wake(before);
    stream->reader = reader;
    stream->events->read = true;
    event_stream_restart(stream->events);
    reader->stream = stream;
    reader->session = session;
}
