/* SPDX-License-Identifier: MIT
 *
 * One HTTP request from its head to the last byte of its answer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mcp/server.h>

#include "gateway_private.h"

#define ENDPOINT "/mcp"

/* A body of a request that is refused is read up to here, so that the client sees the answer. */
#define DRAIN_MAX (16u * 1024 * 1024)

static const struct piece no_id = {NULL, 0};

/* ---- answers ---- */

void exchange_wake(struct exchange *exchange)
{
    exchange->gateway->hooks.wake(exchange->gateway->hooks.context, exchange);
}

void exchange_answered(struct exchange *exchange)
{
    unsigned hundreds = exchange->answer.status / 100;
    exchange->state = EXCHANGE_ANSWER;
    exchange->gateway->statistics.answers[hundreds < 6 ? hundreds : 5]++;
    exchange_wake(exchange);
}

void exchange_error(struct exchange *exchange, unsigned status, struct piece id, int code,
                    const char *message)
{
    answer_error(&exchange->answer, status, id, code, message);
    exchange_answered(exchange);
}

void exchange_busy(struct exchange *exchange, struct piece id)
{
    bool reachable = exchange->gateway->statistics.reachable;
    exchange->answer.retry_after = 1;
    exchange_error(exchange, 503, id, MCP_ERROR_OVERLOADED,
                   reachable ? "all connections to the server are in use: try again in a moment"
                             : "the server cannot be reached: try again in a moment");
}

void exchange_begin_stream(struct exchange *exchange)
{
    if (exchange->state == EXCHANGE_STREAM)
        return;
    exchange->state = EXCHANGE_STREAM;
    exchange->spoke_at = gateway_now(exchange->gateway);
    exchange->gateway->statistics.streams++;
    exchange->gateway->statistics.answers[2]++;
    exchange_wake(exchange);
}

/* ---- the head ---- */

static bool refuse(struct exchange *exchange, unsigned status, const char *message)
{
    exchange_error(exchange, status, no_id, MCP_ERROR_INVALID_REQUEST, message);
    return true;
}

/* Who may not come in, whatever is asked. */
static bool refuse_stranger(struct exchange *exchange, const struct http_head *head)
{
    struct gateway *gateway = exchange->gateway;
    const struct head_rules *rules = &gateway->config.rules;
    if (head->header_count > HEAD_HEADERS_MAX)
        return refuse(exchange, 431, "more than 100 headers");
    if (head_is_ambiguous(head))
        return refuse(exchange, 400, "a header is there twice that may be there once");
    if (!head_host_is_allowed(head, rules)) {
        gateway->statistics.forbidden++;
        return refuse(exchange, 403, "this Host is not served here: see --allow-host");
    }
    if (!head_origin_is_allowed(head, rules)) {
        gateway->statistics.forbidden++;
        return refuse(exchange, 403, "this Origin may not ask: see --allow-origin");
    }
    return false;
}

static bool refuse_without_token(struct exchange *exchange, const struct http_head *head)
{
    if (head_token_is_right(head, &exchange->gateway->config.rules))
        return false;
    exchange->gateway->statistics.unauthorised++;
    exchange->answer.challenge = true;
    return refuse(exchange, 401, "a bearer token is needed: Authorization: Bearer TOKEN");
}

static bool answer_operator(struct exchange *exchange, const struct http_head *head)
{
    bool health = strcmp(head->path, "/healthz") == 0;
    if (!health && strcmp(head->path, "/metrics") != 0)
        return false;
    if (strcmp(head->method, "GET") != 0 && strcmp(head->method, "HEAD") != 0) {
        exchange->answer.allow = "GET, HEAD";
        return refuse(exchange, 405, "only GET is possible here");
    }
    if (health)
        health_answer(exchange);
    else if (!refuse_without_token(exchange, head))
        metrics_answer(exchange);
    return true;
}

static bool refuse_post(struct exchange *exchange, const struct http_head *head)
{
    if (!head_is_json(head))
        return refuse(exchange, 415, "the body must be JSON: Content-Type: application/json");
    if (!head_accepts(head, "application/json") || !head_accepts(head, "text/event-stream"))
        return refuse(exchange, 406,
                      "the client must take both: Accept: application/json, text/event-stream");
    return false;
}

static bool refuse_method(struct exchange *exchange, const struct http_head *head)
{
    if (strcmp(head->method, "OPTIONS") == 0) {
        exchange->answer.preflight = true;
        answer_body(&exchange->answer, 204, NULL, NULL, 0);
        exchange_answered(exchange);
        return true;
    }
    if (refuse_without_token(exchange, head))
        return true;
    if (exchange->gateway->draining) {
        exchange->answer.retry_after = 5;
        return refuse(exchange, 503, "the gateway is about to end");
    }
    if (strcmp(head->method, "POST") == 0)
        return refuse_post(exchange, head);
    if (strcmp(head->method, "GET") == 0 && !head_accepts(head, "text/event-stream"))
        return refuse(exchange, 406, "the client must take a stream: Accept: text/event-stream");
    bool session = strcmp(head->method, "GET") == 0 || strcmp(head->method, "DELETE") == 0;
    if (session && head_era(head) == HEAD_ERA_SESSION)
        return false;
    exchange->answer.allow = session ? "POST, OPTIONS" : "GET, POST, DELETE, OPTIONS";
    return refuse(exchange, 405,
                  session ? "this version of the protocol has POST only" : "no such method here");
}

struct exchange *exchange_create(struct gateway *gateway, const struct http_head *head, void *user)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL)
        return NULL;
    *exchange = (struct exchange){.gateway = gateway, .user = user, .next = gateway->exchanges};
    if (exchange->next != NULL)
        exchange->next->previous = exchange;
    gateway->exchanges = exchange;
    gateway->statistics.exchanges++;
    gateway->statistics.requests++;
    exchange->since = gateway_now(gateway);
    if (refuse_stranger(exchange, head) || answer_operator(exchange, head))
        return exchange;
    if (strcmp(head->path, ENDPOINT) != 0)
        (void)refuse(exchange, 404, "the endpoint is " ENDPOINT);
    else
        (void)refuse_method(exchange, head);
    return exchange;
}

void *exchange_user(const struct exchange *exchange)
{
    return exchange->user;
}

/* ---- the body ---- */

void exchange_drop_body(struct exchange *exchange)
{
    exchange->gateway->statistics.bodies -= exchange->body_size;
    free(exchange->body);
    exchange->body = NULL;
    exchange->body_length = exchange->body_size = 0;
}

/* The buffer grows with what has come, not with what a header says. */
static bool grow_body(struct exchange *exchange, size_t needed)
{
    struct gateway *gateway = exchange->gateway;
    size_t size = exchange->body_size == 0 ? 4096 : exchange->body_size;
    while (size < needed)
        size *= 2;
    if (size == exchange->body_size)
        return true;
    if (gateway->statistics.bodies + size - exchange->body_size > gateway->config.bodies_max)
        return false;
    char *grown = realloc(exchange->body, size);
    if (grown == NULL)
        return false;
    gateway->statistics.bodies += size - exchange->body_size;
    exchange->body = grown;
    exchange->body_size = size;
    return true;
}

int exchange_body(struct exchange *exchange, const char *bytes, size_t length)
{
    exchange->body_total += length;
    if (exchange->body_total > DRAIN_MAX)
        return -EFBIG;
    if (exchange->state != EXCHANGE_BODY)
        return 0;
    if (exchange->body_total > exchange->gateway->config.body_max) {
        exchange_drop_body(exchange);
        exchange_error(exchange, 413, no_id, MCP_ERROR_TOO_LARGE, "the body is longer than a message may be");
    } else if (!grow_body(exchange, exchange->body_length + length)) {
        exchange_drop_body(exchange);
        exchange->answer.retry_after = 1;
        exchange_error(exchange, 503, no_id, MCP_ERROR_OVERLOADED, "out of memory for the body");
    } else {
        memcpy(exchange->body + exchange->body_length, bytes, length);
        exchange->body_length += length;
    }
    return 0;
}

static void dispatch(struct exchange *exchange, const struct http_head *head, struct messages *messages)
{
    struct messages ahead = *messages;
    struct message message;
    if (messages->is_batch) {
        session_post(exchange, head, messages);
        return;
    }
    if (messages_next(&ahead, &message) != 1) {
        exchange_error(exchange, 400, no_id, MCP_ERROR_INVALID_REQUEST, ahead.problem);
        return;
    }
    if (head_era(head) == HEAD_ERA_STATELESS || mcp_json_type(message.version) != MCP_JSON_NONE)
        stateless_post(exchange, head, &message);
    else
        session_post(exchange, head, messages);
}

static void post(struct exchange *exchange, const struct http_head *head)
{
    struct messages messages;
    int result =
        messages_open(&messages, exchange->body != NULL ? exchange->body : "", exchange->body_length);
    if (result == -ENOMEM)
        exchange_error(exchange, 503, no_id, MCP_ERROR_OVERLOADED, "out of memory for the message");
    else if (result != 0)
        exchange_error(exchange, 400, no_id, result == -EINVAL ? MCP_ERROR_PARSE : MCP_ERROR_INVALID_REQUEST,
                       messages.problem);
    else
        dispatch(exchange, head, &messages);
    messages_release(&messages);
}

void exchange_submit(struct exchange *exchange, const struct http_head *head)
{
    if (exchange->state != EXCHANGE_BODY)
        return;
    exchange->state = EXCHANGE_WAITING;
    exchange->head = head;
    exchange->since = exchange->spoke_at = gateway_now(exchange->gateway);
    if (strcmp(head->method, "GET") == 0)
        session_get(exchange, head);
    else if (strcmp(head->method, "DELETE") == 0)
        session_delete(exchange, head);
    else
        post(exchange, head);
    if (!exchange->held && !exchange->queued)
        exchange_drop_body(exchange);
}

/* ---- the answer ---- */

enum exchange_state exchange_state(const struct exchange *exchange)
{
    return exchange->state;
}

const struct answer *exchange_answer(const struct exchange *exchange)
{
    return &exchange->answer;
}

const char *exchange_session(const struct exchange *exchange)
{
    return exchange->answer.session;
}

int64_t exchange_read(struct exchange *exchange, char *bytes, size_t size)
{
    static const char comment[] = ":\n\n";
    struct event_stream *events = exchange->stream != NULL ? exchange->stream->events : exchange->events;
    size_t *total = &exchange->gateway->statistics.buffered;
    size_t copied = 0;
    if (events == NULL)
        return -1; /* it was taken away: by another reader, or with its session */
    if (exchange->comment && event_stream_is_between(events) && size >= sizeof comment) {
        copied = sizeof comment - 1;
        memcpy(bytes, comment, copied);
        exchange->comment = false;
    }
    copied += event_stream_read(events, bytes + copied, size - copied, total);
    if (copied > 0)
        exchange->spoke_at = gateway_now(exchange->gateway);
    if (exchange->stream != NULL)
        session_stream_balance(exchange->session, exchange->stream);
    else
        stateless_balance(exchange);
    if (copied == 0 && events->unread == 0 && (events->ended || exchange->over))
        return -1;
    return (int64_t)copied;
}

void exchange_probe(struct exchange *exchange)
{
    exchange->suspect = exchange->queued;
    if (exchange->queued)
        return; /* it may be refused yet */
    if (exchange->state == EXCHANGE_WAITING && exchange->stream != NULL)
        session_stream_begin(exchange->session, exchange->stream);
    else if (exchange->state == EXCHANGE_WAITING && !exchange->held)
        exchange_begin_stream(exchange);
    if (exchange->state != EXCHANGE_STREAM)
        return;
    exchange->comment = true;
    exchange->spoke_at = gateway_now(exchange->gateway);
    exchange_wake(exchange);
}

void exchange_end(struct exchange *exchange)
{
    struct gateway *gateway = exchange->gateway;
    if (exchange->stream != NULL)
        session_stream_detach(exchange->session, exchange->stream);
    stateless_end(exchange);
    exchange_drop_body(exchange);
    answer_release(&exchange->answer);
    if (exchange->previous != NULL)
        exchange->previous->next = exchange->next;
    else
        gateway->exchanges = exchange->next;
    if (exchange->next != NULL)
        exchange->next->previous = exchange->previous;
    gateway->statistics.exchanges--;
    free(exchange);
}
