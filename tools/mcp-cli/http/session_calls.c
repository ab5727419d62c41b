/* SPDX-License-Identifier: MIT
 *
 * What the server was asked and has not answered, and where its messages go.
 */
#include <stdlib.h>
#include <string.h>

#include <mcp/server.h>

#include "gateway_private.h"

struct session_call *session_call_add(struct session *session, enum call_kind kind, struct piece id,
                                      struct session_stream *stream)
{
    struct session_call *call = malloc(sizeof *call + id.length);
    if (call == NULL)
        return NULL;
    *call =
        (struct session_call){.next = session->calls, .kind = kind, .stream = stream, .id_length = id.length};
    memcpy(call->id, id.text, id.length);
    session->calls = call;
    if (stream != NULL) {
        session->call_count++;
        stream->pending++;
    }
    return call;
}

static void release(struct session_call *call)
{
    free(call->text);
    free(call->uri);
    free(call);
}

static struct session_call *take(struct session *session, struct piece id)
{
    struct session_call **at = &session->calls;
    while (*at != NULL && !piece_equals(id, (struct piece){(*at)->id, (*at)->id_length}))
        at = &(*at)->next;
    struct session_call *call = *at;
    if (call == NULL)
        return NULL;
    *at = call->next;
    if (call->stream != NULL)
        session->call_count--;
    return call;
}

static struct session_call *find(const struct session *session, struct piece id)
{
    struct session_call *call = session->calls;
    while (call != NULL && !piece_equals(id, (struct piece){call->id, call->id_length}))
        call = call->next;
    return call;
}

/* ---- answers ---- */

/* The answer to the only request of a POST goes as it is, unless the stream has begun. */
static void deliver(struct session *session, struct session_stream *stream, unsigned status,
                    struct piece text)
{
    struct exchange *reader = stream->reader;
    stream->pending--;
    if (reader != NULL && reader->state == EXCHANGE_WAITING && !stream->batch) {
        session_stream_detach(session, stream);
        answer_body(&reader->answer, status, "application/json", text.text, text.length);
        exchange_answered(reader);
        session_stream_destroy(session, stream);
        return;
    }
    session_stream_add(session, stream, text);
    if (stream->pending == 0)
        session_stream_finish(session, stream);
}

/* The session that its answer would have named does not come about. */
static void forget_session(struct session_call *call)
{
    if (call->kind == CALL_INITIALIZE && call->stream->reader != NULL)
        call->stream->reader->answer.session[0] = '\0';
}

static void fail(struct session *session, struct session_call *call, unsigned status, const char *why)
{
    size_t length = 0;
    forget_session(call);
    char *text = error_message((struct piece){call->id, call->id_length}, MCP_ERROR_INTERNAL, why, &length);
    deliver(session, call->stream, status,
            text != NULL ? (struct piece){text, length} : (struct piece){"", 0});
    free(text);
}

void session_calls_fail(struct session *session, unsigned status, const char *why)
{
    while (session->calls != NULL) {
        struct session_call *call = session->calls;
        session->calls = call->next;
        if (call->stream != NULL) {
            session->call_count--;
            fail(session, call, status, why);
        }
        release(call);
    }
}

void session_calls_drop_replays(struct session *session)
{
    for (struct session_call **at = &session->calls; *at != NULL;) {
        struct session_call *call = *at;
        if (call->stream != NULL) {
            at = &call->next;
            continue;
        }
        *at = call->next;
        release(call);
    }
}

void session_call_cancel(struct session *session, struct piece id)
{
    struct session_call *call = find(session, id);
    if (call == NULL || call->stream == NULL || call->kind == CALL_INITIALIZE)
        return;
    struct session_stream *stream = call->stream;
    release(take(session, id));
    stream->pending--;
    if (stream->pending == 0) {
        session_stream_begin(session, stream);
        session_stream_finish(session, stream);
    }
}

/* ---- what is recorded for the next link ---- */

static void unsubscribe(struct session *session, const char *uri)
{
    for (struct recorded **at = &session->subscriptions; *at != NULL; at = &(*at)->next) {
        struct recorded *recorded = *at;
        if (strcmp(recorded->uri, uri) == 0) {
            *at = recorded->next;
            recorded_destroy(recorded);
            session->subscription_count--;
            return;
        }
    }
}

static void record(struct session *session, const struct session_call *call)
{
    struct piece text = {call->text, call->length};
    struct recorded *recorded;
    switch (call->kind) {
    case CALL_SET_LEVEL:
        recorded = recorded_create(text, "");
        recorded_destroy(session->level);
        session->level = recorded;
        break;
    case CALL_SUBSCRIBE:
        unsubscribe(session, call->uri);
        recorded = recorded_create(text, call->uri);
        if (recorded != NULL) {
            recorded->next = session->subscriptions;
            session->subscriptions = recorded;
            session->subscription_count++;
        }
        break;
    case CALL_UNSUBSCRIBE:
        unsubscribe(session, call->uri);
        break;
    default:
        break;
    }
}

/* ---- messages of the server ---- */

static void initialized(struct session *session, const struct message *message)
{
    char *version =
        message_string(mcp_json_member(mcp_json_member(message->root, "result"), "protocolVersion"), 32);
    session->state = SESSION_READY;
    if (version != NULL) {
        session->primes = strcmp(version, "2025-11-25") >= 0;
        session->batches = strcmp(version, "2025-03-26") == 0;
    }
    free(version);
}

static void handle_answer(struct session *session, struct session_call *call, const struct message *message)
{
    bool failed = message->is_error;
    if (call->stream == NULL) {
        session_replay_done(session, call, message);
        return;
    }
    if (!failed)
        record(session, call);
    if (call->kind == CALL_INITIALIZE && !failed)
        initialized(session, message);
    bool over = call->kind == CALL_INITIALIZE && failed;
    if (over)
        forget_session(call);
    deliver(session, call->stream, 200, message->text);
    release(call);
    if (over)
        session_destroy(session);
}

void session_message(void *owner, struct piece tag, const struct message *message)
{
    struct session *session = owner;
    struct gateway *gateway = session->gateway;
    gateway->statistics.messages_out++;
    if (message->kind == MESSAGE_RESPONSE && tag.length > 0) {
        struct session_call *call = take(session, tag);
        if (call != NULL)
            handle_answer(session, call, message);
        else
            gateway->statistics.messages_dropped++; /* it was cancelled */
        return;
    }
    if (message->kind == MESSAGE_RESPONSE) { /* to a request that the server could not read: to which? */
        session_calls_fail(session, 502, "the server could not take a message of this session: try again");
        return;
    }
    const struct session_call *call = tag.length > 0 ? find(session, tag) : NULL;
    if (tag.length == 0)
        session_stream_add(session, session->general, message->text);
    else if (call != NULL && call->stream != NULL)
        session_stream_add(session, call->stream, message->text);
    else
        gateway->statistics.messages_dropped++;
}
