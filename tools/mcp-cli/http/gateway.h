/* SPDX-License-Identifier: MIT
 *
 * MCP over Streamable HTTP (2025-03-26 to 2025-11-25, and 2026-07-28) in front of an MCP server that speaks
 * tagged frames. This is the gateway without its sockets: HTTP requests come in as exchanges, bytes to and
 * from the server go by struct vm_stream. One thread.
 */
#ifndef MCP_HTTP_GATEWAY_H
#define MCP_HTTP_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "head.h"
#include "vm_link.h"

struct gateway;
struct exchange; /* one HTTP request and what it is answered with */

struct gateway_config {
    struct head_rules rules;
    size_t links_max;         /* connections to the server */
    size_t sessions_max;      /* that are remembered */
    size_t requests_max;      /* unanswered, of one session */
    size_t waiting_max;       /* requests of 2026-07-28 that wait for a connection */
    size_t body_max;          /* bytes of a request */
    size_t bodies_max;        /* bytes of all together */
    size_t events_max;        /* bytes of one stream's events that are kept for who comes back */
    size_t buffer_max;        /* bytes of all events together, for who is away */
    uint64_t session_idle_ms; /* until a session is forgotten */
    uint64_t waiting_ms;      /* how long they do, at most */
    uint64_t grace_ms;        /* an answer that is there by then goes as JSON, not as a stream */
    uint64_t comment_ms;      /* between comments on a silent stream */
    uint64_t retain_ms;       /* how long a stream that has ended can be read again */
    uint64_t stream_ms;       /* after it a stream of a session asks its client to come back; 0: never */
    unsigned retry_ms;        /* how long clients wait before they do */
};

struct gateway_hooks {
    void *context;
    uint64_t (*now_ms)(void *context); /* does not run backwards */
    int (*random)(void *context, void *bytes, size_t size);
    /* Something is to be done for the exchange: ask for its answer, or read it. May come from within
     * any call. */
    void (*wake)(void *context, struct exchange *exchange);
    struct vm_stream stream;
};

/* Strings and lists must outlive it. NULL without memory. */
struct gateway *gateway_create(const struct gateway_config *config, const struct gateway_hooks *hooks);
/* All exchanges must have ended. */
void gateway_destroy(struct gateway *gateway);

/* What time brings, and what has become possible: for requests that wait for a connection, after each event.
 * Returns in how many milliseconds to call it again, at the latest. */
uint64_t gateway_tick(struct gateway *gateway);
/* How many HTTP requests are under way. */
size_t gateway_exchanges(const struct gateway *gateway);

/* Begins to end: what is under way may finish, streams without an end do end, all else is refused. */
void gateway_drain(struct gateway *gateway);

void gateway_link_lost(struct gateway *gateway, struct vm_link *link);

/* ---- an HTTP request ---- */

/* The head has come. NULL without memory. `user` is for the embedder. */
struct exchange *exchange_create(struct gateway *gateway, const struct http_head *head, void *user);
void *exchange_user(const struct exchange *exchange);
/* A part of the body. 0, or -EFBIG when so much comes that the client is not worth an answer. */
int exchange_body(struct exchange *exchange, const char *bytes, size_t length);
/* The body is complete; the head again, which must stay until the exchange ends. */
void exchange_submit(struct exchange *exchange, const struct http_head *head);

enum exchange_state {
    EXCHANGE_BODY,    /* submit it */
    EXCHANGE_WAITING, /* for the server: `wake` tells */
    EXCHANGE_ANSWER,  /* exchange_answer has all of it */
    EXCHANGE_STREAM   /* 200, text/event-stream: exchange_read */
};
enum exchange_state exchange_state(const struct exchange *exchange);
const struct answer *exchange_answer(const struct exchange *exchange);
/* Of the session, or "". */
const char *exchange_session(const struct exchange *exchange);

/* Copies what comes next. 0: nothing at the moment, `wake` tells; -1: that was all. */
int64_t exchange_read(struct exchange *exchange, char *bytes, size_t size);

/* The client sends nothing more: is it still there? A comment finds out. */
void exchange_probe(struct exchange *exchange);
/* It is over, or the client has gone. */
void exchange_end(struct exchange *exchange);

/* ---- for operators ---- */

struct gateway_statistics {
    uint64_t requests, answers[6]; /* by the hundreds of the status */
    uint64_t unauthorised, forbidden, mismatches;
    uint64_t sessions_created, sessions_expired, sessions_parked, sessions_replayed, sessions_ended;
    uint64_t links_opened, links_failed, links_lost;
    uint64_t messages_in, messages_out, messages_dropped, events_dropped, streams, streams_resumed;
    size_t sessions, sessions_connected, links, links_idle, exchanges, waiting, reading, buffered, bodies;
    bool reachable; /* what the last attempt to reach the server said */
};
void gateway_get_statistics(const struct gateway *gateway, struct gateway_statistics *statistics);

#endif
