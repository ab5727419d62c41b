/* SPDX-License-Identifier: MIT
 *
 * POST, GET and DELETE of the versions that have sessions (2025-03-26 to 2025-11-25).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mcp/server.h>

#include "gateway_private.h"

#define RECORD_MAX        (64u * 1024) /* bytes of a message that must be kept */
#define SUBSCRIPTIONS_MAX 64u
#define FINISHED_MAX      64u /* streams that have ended, of one session, for who comes back */
#define SET_LEVEL         "logging/setLevel"

static const struct piece no_id = {NULL, 0};

static void refuse(struct exchange *exchange, unsigned status, struct piece id, const char *message)
{
    exchange_error(exchange, status, id, MCP_ERROR_INVALID_REQUEST, message);
}

/* The session that the head names, or NULL: then the exchange is answered. */
static struct session *find_session(struct exchange *exchange, const struct http_head *head, struct piece id)
{
    const char *name = head_find(head, "Mcp-Session-Id");
    if (name == NULL) {
        refuse(exchange, 400, id, "Mcp-Session-Id is missing: begin with initialize");
        return NULL;
    }
    struct session *session = session_find(exchange->gateway, name);
    if (session == NULL || session->state == SESSION_NEW) {
        refuse(exchange, 404, id, "there is no such session: begin with initialize");
        return NULL;
    }
    session_touch(session);
    return session;
}

static void refuse_send(struct exchange *exchange, struct piece id, int result)
{
    if (result == -ENOBUFS) {
        exchange->answer.retry_after = 1;
        exchange_error(exchange, 429, id, MCP_ERROR_OVERLOADED, "too many requests of this session wait");
    } else {
        exchange_busy(exchange, id);
    }
}

/* ---- initialize ---- */

static void initialize(struct exchange *exchange, const struct message *message)
{
    struct gateway *gateway = exchange->gateway;
    if (message->text.length > RECORD_MAX) {
        exchange_error(exchange, 413, message->id, MCP_ERROR_TOO_LARGE, "initialize is longer than 64 KiB");
        return;
    }
    struct session *session = session_create(gateway);
    if (session == NULL) {
        exchange->answer.retry_after = 5;
        exchange_error(exchange, 503, message->id, MCP_ERROR_OVERLOADED,
                       "as many sessions as can be are open");
        return;
    }
    session->initialize = recorded_create(message->text, "");
    struct session_stream *stream = session_stream_create(session, false);
    session->link = gateway_link_take(gateway, false, &session_owner, session);
    if (session->initialize == NULL || stream == NULL || session->link == NULL) {
        exchange_busy(exchange, message->id);
        session_destroy(session);
        return;
    }
    session_stream_attach(session, stream, exchange);
    if (session_call_add(session, CALL_INITIALIZE, message->id, stream) == NULL ||
        session_send(session, message->text) != 0) {
        session_stream_detach(session, stream);
        exchange_busy(exchange, message->id);
        session_destroy(session);
        return;
    }
    memcpy(exchange->answer.session, session->id, sizeof session->id);
}

/* ---- what comes in a session ---- */

static enum call_kind kind_of(const struct message *message)
{
    return message_is(message, SET_LEVEL)                 ? CALL_SET_LEVEL
           : message_is(message, "resources/subscribe")   ? CALL_SUBSCRIBE
           : message_is(message, "resources/unsubscribe") ? CALL_UNSUBSCRIBE
                                                          : CALL_OTHER;
}

/* Keeps of the request what is needed once it has succeeded. */
static int keep(struct session *session, struct session_call *call, const struct message *message)
{
    if (call->kind == CALL_OTHER)
        return 0;
    if (message->text.length > RECORD_MAX ||
        (call->kind == CALL_SUBSCRIBE && session->subscription_count >= SUBSCRIPTIONS_MAX))
        return -EFBIG;
    call->text = malloc(message->text.length);
    call->uri = call->kind == CALL_SET_LEVEL
                    ? strdup("")
                    : message_string(mcp_json_member(message->params, "uri"), RECORD_MAX);
    if (call->text == NULL)
        return -ENOMEM;
    if (call->uri == NULL) { /* the server says what is wrong with it */
        call->kind = CALL_OTHER;
        return 0;
    }
    memcpy(call->text, message->text.text, message->text.length);
    call->length = message->text.length;
    return 0;
}

/* 0, or why it cannot be done. */
static int send_request(struct session *session, struct session_stream *stream, const struct message *message)
{
    struct session_call *call = session_call_add(session, kind_of(message), message->id, stream);
    int result = call != NULL ? keep(session, call, message) : -ENOMEM;
    return result == 0 ? session_send(session, message->text) : result;
}

static int send_other(struct session *session, const struct message *message)
{
    if (message_is(message, "notifications/initialized") && message->text.length <= RECORD_MAX) {
        recorded_destroy(session->initialized);
        session->initialized = recorded_create(message->text, "");
    }
    int result = session_send(session, message->text);
    if (message_is(message, "notifications/cancelled")) {
        struct piece id = {0};
        struct mcp_json requested = mcp_json_member(message->params, "requestId");
        if (mcp_json_type(requested) != MCP_JSON_NONE)
            id.text = mcp_json_raw(requested, &id.length);
        session_call_cancel(session, id);
    }
    return result;
}

static bool is_in_use(const struct session *session, struct piece id)
{
    for (const struct session_call *call = session->calls; call != NULL; call = call->next)
        if (call->stream != NULL && piece_equals(id, (struct piece){call->id, call->id_length}))
            return true;
    return false;
}

/* Whether the batch holds an earlier request with this id. */
static bool is_in_batch(struct messages batch, struct piece id)
{
    struct message message;
    while (messages_next(&batch, &message) == 1 && message.id.text != id.text)
        if (message.kind == MESSAGE_REQUEST && piece_equals(message.id, id))
            return true;
    return false;
}

/* Looks at all messages before the first is sent. Sets *requests; false when the exchange is answered. */
static bool check(struct exchange *exchange, const struct session *session, struct messages messages,
                  size_t *requests)
{
    const struct messages all = messages;
    struct message message;
    int result;
    *requests = 0;
    if (messages.count > MCP_BATCH_MAX) {
        refuse(exchange, 400, no_id, "more than 256 messages in one batch");
        return false;
    }
    while ((result = messages_next(&messages, &message)) == 1) {
        if (message.kind != MESSAGE_REQUEST)
            continue;
        ++*requests;
        if (message_is(&message, "initialize")) {
            refuse(exchange, 400, message.id, "the session is initialised");
            return false;
        }
        if (is_in_use(session, message.id) || is_in_batch(all, message.id)) {
            refuse(exchange, 400, message.id, "a request with this id is not answered yet");
            return false;
        }
    }
    if (result != 0) {
        refuse(exchange, 400, no_id, messages.problem);
        return false;
    }
    if (session->call_count + *requests <= exchange->gateway->config.requests_max)
        return true;
    refuse_send(exchange, no_id, -ENOBUFS);
    return false;
}

static int send_all(struct session *session, struct session_stream *stream, struct messages *messages)
{
    struct message message;
    int result = 0;
    while (result == 0 && messages_next(messages, &message) == 1)
        result = message.kind == MESSAGE_REQUEST ? send_request(session, stream, &message)
                                                 : send_other(session, &message);
    return result;
}

/* Undoes what send_all could not finish. */
static void withdraw(struct session *session, struct session_stream *stream)
{
    for (struct session_call *call = session->calls, *next; call != NULL; call = next) {
        next = call->next;
        if (call->stream == stream) {
            char id[MESSAGE_ID_MAX];
            struct piece piece = {id, call->id_length};
            memcpy(id, call->id, call->id_length);
            stream->pending++; /* so that the stream stays */
            session_call_cancel(session, piece);
            stream->pending--;
        }
    }
    session_stream_destroy(session, stream);
}

static void forget_finished(struct session *session)
{
    struct session_stream *oldest = NULL;
    size_t count = 0;
    for (struct session_stream *stream = session->streams; stream != NULL; stream = stream->next) {
        if (stream != session->general && stream->pending == 0 && stream->reader == NULL) {
            oldest = stream; /* the newest come first */
            count++;
        }
    }
    if (count > FINISHED_MAX)
        session_stream_destroy(session, oldest);
}

static void post_in_session(struct exchange *exchange, struct session *session, struct messages *messages)
{
    size_t requests;
    if (!check(exchange, session, *messages, &requests))
        return;
    struct session_stream *stream = NULL;
    if (requests > 0) {
        forget_finished(session);
        stream = session_stream_create(session, false);
        if (stream == NULL) {
            exchange_busy(exchange, no_id);
            return;
        }
        stream->batch = messages->is_batch;
        session_stream_attach(session, stream, exchange);
    }
    int result = send_all(session, stream, messages);
    if (result == 0 && stream == NULL) {
        answer_body(&exchange->answer, 202, NULL, NULL, 0);
        exchange_answered(exchange);
    } else if (result != 0) {
        if (stream != NULL) {
            session_stream_detach(session, stream);
            withdraw(session, stream);
        }
        if (result == -EFBIG)
            exchange_error(exchange, 413, no_id, MCP_ERROR_TOO_LARGE,
                           "more than 64 subscriptions, or one longer than 64 KiB");
        else
            refuse_send(exchange, no_id, result);
    }
}

void session_post(struct exchange *exchange, const struct http_head *head, struct messages *messages)
{
    struct messages ahead = *messages;
    struct message first;
    if (messages_next(&ahead, &first) != 1) {
        refuse(exchange, 400, no_id, ahead.problem);
        return;
    }
    if (!messages->is_batch && message_is(&first, "initialize") && first.kind == MESSAGE_REQUEST &&
        head_find(head, "Mcp-Session-Id") == NULL) {
        initialize(exchange, &first);
        return;
    }
    struct session *session = find_session(exchange, head, messages->is_batch ? no_id : first.id);
    if (session == NULL)
        return;
    if (messages->is_batch && !session->batches)
        refuse(exchange, 400, no_id, "only version 2025-03-26 has batches: send the messages one by one");
    else
        post_in_session(exchange, session, messages);
}

/* ---- GET ---- */

void session_get(struct exchange *exchange, const struct http_head *head)
{
    const char *last = head_find(head, "Last-Event-ID");
    uint32_t number = 0, seen = 0;
    struct session *session = find_session(exchange, head, no_id);
    if (session == NULL)
        return;
    if (last != NULL && !event_id_parse(last, &number, &seen)) {
        refuse(exchange, 400, no_id, "Last-Event-ID is none of ours");
        return;
    }
    struct session_stream *stream = session_stream_find(session, number);
    if (stream == NULL || !stream->begun) {
        refuse(exchange, 400, no_id, "the events of this stream are not kept any more");
        return;
    }
    session_stream_attach(session, stream, exchange);
    if (last != NULL) {
        event_stream_rewind(stream->events, seen);
        exchange->gateway->statistics.streams_resumed++;
    }
    exchange->endless = stream == session->general;
    exchange_begin_stream(exchange);
    exchange_probe(exchange); /* the head goes out at once */
}

/* ---- DELETE ---- */

void session_delete(struct exchange *exchange, const struct http_head *head)
{
    struct session *session = find_session(exchange, head, no_id);
    if (session == NULL)
        return;
    session_destroy(session);
    answer_body(&exchange->answer, 204, NULL, NULL, 0);
    exchange_answered(exchange);
}
