/* SPDX-License-Identifier: MIT
 *
 * Private to gateway.c (links and time), exchange.c (HTTP requests), session.c and session_calls.c (up to
 * 2025-11-25) and stateless.c (2026-07-28).
 */
#ifndef MCP_HTTP_GATEWAY_PRIVATE_H
#define MCP_HTTP_GATEWAY_PRIVATE_H

#include "events.h"
#include "gateway.h"
#include "tool_headers.h"

#define HASH_SIZE 1024u

/* Unread bytes from which the server's connection is not read any more, until half is read. */
#define UNREAD_HIGH (256u * 1024)

struct session;

/* One stream of a session: of a request (or a batch), or number 0 for what belongs to none. */
struct session_stream {
    struct session_stream *next;
    struct event_stream *events;
    struct exchange *reader; /* or NULL: nobody is there */
    size_t pending;          /* requests that are not answered */
    bool batch;
    bool begun;           /* the client knows of it, and can come back */
    bool paused;          /* its reader is slow: the session's link waits for it */
    uint64_t finished_at; /* when the last answer came */
};

enum call_kind {
    CALL_OTHER,
    CALL_INITIALIZE,
    CALL_SET_LEVEL,
    CALL_SUBSCRIBE,
    CALL_UNSUBSCRIBE,
    CALL_REPLAY_INITIALIZE,
    CALL_REPLAY
};

/* A request that is not answered. */
struct session_call {
    struct session_call *next;
    enum call_kind kind;
    struct session_stream *stream; /* NULL for one that is replayed */
    char *text;                    /* of set-level and subscribe, for later */
    size_t length;
    char *uri; /* of (un)subscribe */
    size_t id_length;
    char id[];
};

struct recorded {
    struct recorded *next;
    char *uri; /* of a subscription; "" for what waits to be sent */
    size_t length;
    char text[];
};

enum session_state {
    SESSION_NEW,    /* `initialize` is not answered */
    SESSION_PARKED, /* without a link */
    SESSION_REPLAY, /* the handshake goes again to a new link; what comes meanwhile waits in the queue */
    SESSION_READY
};

struct session {
    struct session *next;          /* of the same hash */
    struct session *older, *newer; /* by used_at */
    struct gateway *gateway;
    enum session_state state;
    char id[SESSION_ID_LENGTH + 1];
    bool primes;  /* its version has priming events: 2025-11-25 */
    bool batches; /* 2025-03-26 */
    bool closing; /* is being ended */
    uint64_t used_at, reopen_at;
    struct vm_link *link;
    struct session_call *calls;
    size_t call_count, subscription_count, queue_count;
    struct session_stream *streams; /* the newest first */
    struct session_stream *general; /* number 0 */
    uint32_t next_stream;
    struct recorded *initialize, *initialized, *level, *subscriptions, *queue;
};

struct exchange {
    struct exchange *previous, *next;
    struct gateway *gateway;
    void *user;
    enum exchange_state state;
    struct answer answer;
    char *body;
    size_t body_length, body_size, body_total;
    uint64_t since, spoke_at; /* when it was submitted, when something was last sent */
    const struct http_head *head;
    bool held;              /* until the list of tools is there: the body stays */
    bool queued;            /* until a link is free: the body stays */
    bool suspect;           /* its client closed its side meanwhile */
    struct exchange *waits; /* for the same, after it */
    bool comment, over;
    bool endless;                  /* without an end of its own: a session's stream 0, or a subscription */
    struct session *session;       /* whose stream it reads */
    struct session_stream *stream; /* of it */
    struct event_stream *events;   /* its own, in 2026-07-28 */
    struct vm_link *link;          /* and its link */
    bool paused;
    struct piece id; /* of the request */
    char *kept_id;   /* its bytes */
};

/* What the server's tools/list says of headers. */
struct tool_list {
    struct tool_headers headers, coming;
    struct vm_link *link;
    uint64_t fetched_at, started_at, ttl_ms;
    unsigned pages;
    bool known, fetching;
};

struct gateway {
    struct gateway_config config;
    struct gateway_hooks hooks;
    struct exchange *exchanges;
    struct exchange *waiting; /* for a link; who came first is the first */
    struct session *sessions[HASH_SIZE], *oldest, *newest;
    struct vm_link *links;
    struct gateway_statistics statistics;
    struct tool_list tools;
    bool draining;
    uint64_t probed_at, swept_at;
};

/* ---- gateway.c ---- */

uint64_t gateway_now(const struct gateway *gateway);
/* A link of this owner: one of the pool where `pooled`, else a new one, for which others may have to make
 * room. NULL when there is none. */
struct vm_link *gateway_link_take(struct gateway *gateway, bool pooled, const struct vm_link_owner *kind,
                                  void *owner);
/* Whether one of the pool would be there, or there is room for it. */
bool gateway_link_is_free(const struct gateway *gateway);
/* Nothing is under way on it: another may have it. */
void gateway_link_return(struct gateway *gateway, struct vm_link *link);
void gateway_link_close(struct gateway *gateway, struct vm_link *link);
/* Finds out whether the server can be reached, unless that was done just before. */
void gateway_probe(struct gateway *gateway);

/* ---- exchange.c ---- */

/* The exchange has its answer, in exchange->answer. */
void exchange_answered(struct exchange *exchange);
void exchange_error(struct exchange *exchange, unsigned status, struct piece id, int code,
                    const char *message);
/* 503 for want of a connection. */
void exchange_busy(struct exchange *exchange, struct piece id);
void exchange_wake(struct exchange *exchange);
void exchange_drop_body(struct exchange *exchange);
/* Its answer becomes a stream. */
void exchange_begin_stream(struct exchange *exchange);

/* ---- session.c ---- */

struct session *session_find(struct gateway *gateway, const char *id);
struct session *session_create(struct gateway *gateway);
void session_destroy(struct session *session);
void session_touch(struct session *session);
bool session_is_idle(const struct session *session);
/* Gives its link up; it must be idle. */
void session_park(struct session *session);
void session_tick(struct session *session, uint64_t now);
/* Sends now, or when the handshake is through. 0, -ENOMEM, -EAGAIN (no connection), -ENOBUFS. */
int session_send(struct session *session, struct piece text);
struct recorded *recorded_create(struct piece text, const char *uri);
void recorded_destroy(struct recorded *recorded);
extern const struct vm_link_owner session_owner;

/* ---- session_calls.c ---- */

struct session_call *session_call_add(struct session *session, enum call_kind kind, struct piece id,
                                      struct session_stream *stream);
/* Answers all that is not answered with an error. */
void session_calls_fail(struct session *session, unsigned status, const char *why);
/* The handshake cannot be told again. */
void session_calls_drop_replays(struct session *session);
/* The client withdraws it. */
void session_call_cancel(struct session *session, struct piece id);
void session_message(void *owner, struct piece tag, const struct message *message);
void session_replay_done(struct session *session, struct session_call *call, const struct message *message);

/* ---- session_streams.c ---- */

struct session_stream *session_stream_create(struct session *session, bool general);
void session_stream_destroy(struct session *session, struct session_stream *stream);
void session_stream_add(struct session *session, struct session_stream *stream, struct piece text);
void session_stream_finish(struct session *session, struct session_stream *stream);
void session_stream_attach(struct session *session, struct session_stream *stream, struct exchange *reader);
void session_stream_detach(struct session *session, struct session_stream *stream);
/* Tells the waiting reader that it is a stream. */
void session_stream_begin(struct session *session, struct session_stream *stream);
/* After bytes came or went: whether the link must wait. */
void session_stream_balance(struct session *session, struct session_stream *stream);
struct session_stream *session_stream_find(const struct session *session, uint32_t number);

/* ---- session_requests.c ---- */

void session_post(struct exchange *exchange, const struct http_head *head, struct messages *messages);
void session_get(struct exchange *exchange, const struct http_head *head);
void session_delete(struct exchange *exchange, const struct http_head *head);

/* ---- stateless.c ---- */

void stateless_post(struct exchange *exchange, const struct http_head *head, const struct message *message);
/* The list of tools is there, or (`known` false) cannot be had. */
void stateless_resume(struct exchange *exchange, bool known);
void stateless_end(struct exchange *exchange);
/* Those who wait go on, as far as there are links. */
void stateless_serve(struct gateway *gateway);
/* It has waited as long as it may. */
void stateless_give_up(struct exchange *exchange);
void stateless_balance(struct exchange *exchange);

/* ---- tool_list.c ---- */

bool tool_list_is_fresh(const struct gateway *gateway, uint64_t most_ms);
/* Begins to ask for it, unless that is under way: stateless_resume follows for each exchange that is held.
 * False without a connection. */
bool tool_list_fetch(struct gateway *gateway);
void tool_list_tick(struct gateway *gateway, uint64_t now);
void tool_list_release(struct gateway *gateway);

/* ---- metrics.c ---- */

void metrics_answer(struct exchange *exchange);
void health_answer(struct exchange *exchange);

#endif
