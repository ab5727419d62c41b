/* SPDX-License-Identifier: MIT
 *
 * A session is what its client has told the server: the handshake, the log level, the subscriptions. Its link
 * is only a cache of that: it can be given up when nothing is under way, and the next one is told the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway_private.h"

#define REOPEN_MS 1000u

/* ---- what is recorded ---- */

struct recorded *recorded_create(struct piece text, const char *uri)
{
    struct recorded *recorded = malloc(sizeof *recorded + text.length);
    char *copy = strdup(uri);
    if (recorded == NULL || copy == NULL) {
        free(recorded);
        free(copy);
        return NULL;
    }
    *recorded = (struct recorded){.uri = copy, .length = text.length};
    memcpy(recorded->text, text.text, text.length);
    return recorded;
}

void recorded_destroy(struct recorded *recorded)
{
    if (recorded != NULL)
        free(recorded->uri);
    free(recorded);
}

static void destroy_list(struct recorded *recorded)
{
    while (recorded != NULL) {
        struct recorded *next = recorded->next;
        recorded_destroy(recorded);
        recorded = next;
    }
}

/* ---- the table ---- */

static struct session **slot(struct gateway *gateway, const char *id)
{
    uint32_t hash = 2166136261u;
    for (const char *at = id; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    return &gateway->sessions[hash % HASH_SIZE];
}

struct session *session_find(struct gateway *gateway, const char *id)
{
    struct session *session = *slot(gateway, id);
    while (session != NULL && strcmp(session->id, id) != 0)
        session = session->next;
    return session;
}

static void leave_order(struct session *session)
{
    struct gateway *gateway = session->gateway;
    *(session->older != NULL ? &session->older->newer : &gateway->oldest) = session->newer;
    *(session->newer != NULL ? &session->newer->older : &gateway->newest) = session->older;
}

static void become_newest(struct session *session)
{
    struct gateway *gateway = session->gateway;
    session->older = gateway->newest;
    session->newer = NULL;
    *(session->older != NULL ? &session->older->newer : &gateway->oldest) = session;
    gateway->newest = session;
}

void session_touch(struct session *session)
{
    session->used_at = gateway_now(session->gateway);
    leave_order(session);
    become_newest(session);
}

static bool draw_id(struct gateway *gateway, char id[SESSION_ID_LENGTH + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[SESSION_ID_LENGTH / 2];
    if (gateway->hooks.random(gateway->hooks.context, bytes, sizeof bytes) != 0)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++) {
        id[2 * i] = digits[bytes[i] >> 4];
        id[2 * i + 1] = digits[bytes[i] & 15];
    }
    id[SESSION_ID_LENGTH] = '\0';
    return session_find(gateway, id) == NULL;
}

/* A table that is full lets the one go that has been idle longest, but not one that was used a moment ago. */
#define EVICT_MS 60000u

static bool make_room(struct gateway *gateway)
{
    uint64_t now = gateway_now(gateway);
    if (gateway->statistics.sessions < gateway->config.sessions_max)
        return true;
    for (struct session *session = gateway->oldest; session != NULL && now - session->used_at >= EVICT_MS;
         session = session->newer) {
        if (session_is_idle(session)) {
            gateway->statistics.sessions_expired++;
            session_destroy(session);
            return true;
        }
    }
    return false;
}

struct session *session_create(struct gateway *gateway)
{
    struct session *session = make_room(gateway) ? calloc(1, sizeof *session) : NULL;
    if (session == NULL)
        return NULL;
    session->gateway = gateway;
    session->state = SESSION_NEW;
    session->used_at = gateway_now(gateway);
    session->general = draw_id(gateway, session->id) ? session_stream_create(session, true) : NULL;
    if (session->general == NULL) {
        free(session);
        return NULL;
    }
    struct session **head = slot(gateway, session->id);
    session->next = *head;
    *head = session;
    become_newest(session);
    gateway->statistics.sessions++;
    gateway->statistics.sessions_created++;
    return session;
}

void session_destroy(struct session *session)
{
    struct gateway *gateway = session->gateway;
    if (session->closing)
        return;
    session->closing = true;
    session_calls_fail(session, 404, "the session has ended: begin with initialize");
    if (session->link != NULL)
        gateway_link_close(gateway, session->link);
    session->link = NULL;
    while (session->streams != NULL)
        session_stream_destroy(session, session->streams);
    struct session **at = slot(gateway, session->id);
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    leave_order(session);
    recorded_destroy(session->initialize);
    recorded_destroy(session->initialized);
    recorded_destroy(session->level);
    destroy_list(session->subscriptions);
    destroy_list(session->queue);
    gateway->statistics.sessions--;
    gateway->statistics.sessions_ended++;
    free(session);
}

/* ---- the link ---- */

bool session_is_idle(const struct session *session)
{
    return session->calls == NULL && session->queue == NULL && session->general->reader == NULL &&
           session->state != SESSION_NEW;
}

static void drop_link(struct session *session)
{
    for (struct session_stream *stream = session->streams; stream != NULL; stream = stream->next)
        stream->paused = false;
    session->link = NULL;
    session->state = SESSION_PARKED;
}

void session_park(struct session *session)
{
    session->gateway->statistics.sessions_parked++;
    gateway_link_close(session->gateway, session->link);
    drop_link(session);
}

static void lost(void *owner)
{
    struct session *session = owner;
    bool was_new = session->state == SESSION_NEW;
    drop_link(session);
    session->reopen_at = gateway_now(session->gateway) + REOPEN_MS;
    destroy_list(session->queue);
    session->queue = NULL;
    session->queue_count = 0;
    session_calls_fail(session, 502, "the connection to the server has ended: try again");
    if (was_new)
        session_destroy(session);
}

const struct vm_link_owner session_owner = {session_message, lost};

/* ---- the handshake, again ---- */

static int replay(struct session *session, enum call_kind kind, const struct recorded *recorded)
{
    struct messages messages;
    struct message message;
    int result = -ENOMEM;
    if (messages_open(&messages, recorded->text, recorded->length) == 0 &&
        messages_next(&messages, &message) == 1 && session_call_add(session, kind, message.id, NULL) != NULL)
        result = vm_link_send(session->link, recorded->text, recorded->length);
    messages_release(&messages);
    return result;
}

static int reopen(struct session *session)
{
    session->link = gateway_link_take(session->gateway, false, &session_owner, session);
    if (session->link == NULL)
        return -EAGAIN;
    session->state = SESSION_REPLAY;
    session->gateway->statistics.sessions_replayed++;
    int result = replay(session, CALL_REPLAY_INITIALIZE, session->initialize);
    if (result != 0) {
        gateway_link_close(session->gateway, session->link);
        drop_link(session);
        session_calls_drop_replays(session);
    }
    return result;
}

static void give_up(struct session *session)
{
    struct vm_link *link = session->link;
    if (link != NULL)
        gateway_link_close(session->gateway, link);
    lost(session);
}

static void send_queue(struct session *session)
{
    session->state = SESSION_READY;
    while (session->queue != NULL) {
        struct recorded *first = session->queue;
        session->queue = first->next;
        session->queue_count--;
        (void)vm_link_send(session->link, first->text, first->length);
        recorded_destroy(first);
    }
}

void session_replay_done(struct session *session, struct session_call *call, const struct message *message)
{
    int result = 0;
    bool first = call->kind == CALL_REPLAY_INITIALIZE;
    free(call);
    if (first && message->is_error) { /* another server than before */
        give_up(session);
        return;
    }
    if (first && session->initialized != NULL)
        result = vm_link_send(session->link, session->initialized->text, session->initialized->length);
    if (first && session->level != NULL && result == 0)
        result = replay(session, CALL_REPLAY, session->level);
    for (struct recorded *at = session->subscriptions; first && at != NULL && result == 0; at = at->next)
        result = replay(session, CALL_REPLAY, at);
    if (result != 0) {
        give_up(session);
        return;
    }
    for (const struct session_call *other = session->calls; other != NULL; other = other->next)
        if (other->kind == CALL_REPLAY)
            return;
    send_queue(session);
}

static int enqueue(struct session *session, struct piece text)
{
    if (session->queue_count >= session->gateway->config.requests_max)
        return -ENOBUFS;
    struct recorded *entry = recorded_create(text, ""), **at = &session->queue;
    if (entry == NULL)
        return -ENOMEM;
    while (*at != NULL)
        at = &(*at)->next;
    *at = entry;
    session->queue_count++;
    return 0;
}

int session_send(struct session *session, struct piece text)
{
    session->gateway->statistics.messages_in++;
    if (session->state == SESSION_READY || (session->state == SESSION_NEW && session->link != NULL))
        return vm_link_send(session->link, text.text, text.length);
    int result = session->state == SESSION_PARKED ? reopen(session) : 0;
    return result == 0 ? enqueue(session, text) : result;
}

/* ---- time ---- */

static void forget_streams(struct session *session, uint64_t now)
{
    const struct gateway_config *config = &session->gateway->config;
    for (struct session_stream *stream = session->streams, *next; stream != NULL; stream = next) {
        next = stream->next;
        if (stream != session->general && stream->reader == NULL && stream->pending == 0 &&
            now - stream->finished_at >= config->retain_ms)
            session_stream_destroy(session, stream);
    }
}

void session_tick(struct session *session, uint64_t now)
{
    forget_streams(session, now);
    if (session->general->reader != NULL && session->state == SESSION_PARKED && now >= session->reopen_at) {
        session->reopen_at = now + REOPEN_MS;
        if (reopen(session) != 0)
            session->gateway->statistics.links_failed++;
    }
    if (session_is_idle(session) && now - session->used_at >= session->gateway->config.session_idle_ms) {
        session->gateway->statistics.sessions_expired++;
        session_destroy(session);
    }
}
