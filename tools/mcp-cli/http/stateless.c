/* SPDX-License-Identifier: MIT
 *
 * MCP 2026-07-28: each request has a link to itself while it lasts, so what comes on it belongs to it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <mcp/server.h>

#include "gateway_private.h"

#define ERROR_HEADER_MISMATCH (-32020)

/* So old a list of tools need not be asked for again before it refuses a call. */
#define TRUSTED_MS 1000u

static void finish(struct exchange *exchange)
{
    struct vm_link *link = exchange->link;
    exchange->link = NULL;
    if (link != NULL && exchange->paused)
        vm_link_pause(link, false);
    exchange->paused = false;
    if (link != NULL)
        gateway_link_return(exchange->gateway, link);
}

void stateless_balance(struct exchange *exchange)
{
    size_t unread = exchange->events->unread;
    bool pause = unread > (exchange->paused ? UNREAD_HIGH / 2 : UNREAD_HIGH);
    if (exchange->link == NULL || pause == exchange->paused)
        return;
    exchange->paused = pause;
    vm_link_pause(exchange->link, pause);
}

static void add(struct exchange *exchange, struct piece text)
{
    if (event_stream_add(exchange->events, text.text, text.length, &exchange->gateway->statistics.buffered) !=
        0)
        exchange->over = true; /* an end that comes too early is better than a message that is missing */
    exchange_begin_stream(exchange);
    stateless_balance(exchange);
    exchange_wake(exchange);
}

static void handle(void *owner, struct piece tag, const struct message *message)
{
    struct exchange *exchange = owner;
    if (message->kind != MESSAGE_RESPONSE && tag.length == 0) {
        exchange->gateway->statistics.messages_dropped++;
        return; /* it belongs to no request, so to nobody here */
    }
    exchange->gateway->statistics.messages_out++;
    bool first = exchange->state == EXCHANGE_WAITING;
    if (message->kind != MESSAGE_RESPONSE) {
        add(exchange, message->text);
        return;
    }
    finish(exchange);
    exchange->events->ended = true;
    if (!first) {
        add(exchange, message->text);
        return;
    }
    answer_body(&exchange->answer, answer_status(message), "application/json", message->text.text,
                message->text.length);
    exchange_answered(exchange);
}

static void lost(void *owner)
{
    static const char why[] = "the connection to the server has ended: try again";
    struct exchange *exchange = owner;
    exchange->link = NULL;
    exchange->paused = false;
    if (exchange->state == EXCHANGE_WAITING) {
        exchange_error(exchange, 502, exchange->id, MCP_ERROR_INTERNAL, why);
        return;
    }
    size_t length = 0;
    char *text = error_message(exchange->id, MCP_ERROR_INTERNAL, why, &length);
    exchange->events->ended = true;
    if (text != NULL)
        add(exchange, (struct piece){text, length});
    else
        exchange_wake(exchange);
    free(text);
}

static const struct vm_link_owner owner = {handle, lost};

/* ---- who waits for a link ---- */

/* Without a link: waits for one, behind those who do, or is refused. */
static void wait_or_refuse(struct exchange *exchange, struct piece id)
{
    struct gateway *gateway = exchange->gateway;
    struct exchange **at = &gateway->waiting;
    if ((gateway->waiting == NULL && gateway_link_is_free(gateway)) ||
        gateway->statistics.waiting >= gateway->config.waiting_max) {
        exchange_busy(exchange, id);
        return;
    }
    while (*at != NULL)
        at = &(*at)->waits;
    *at = exchange;
    exchange->queued = true;
    gateway->statistics.waiting++;
}

static void leave_queue(struct exchange *exchange)
{
    struct exchange **at = &exchange->gateway->waiting;
    if (!exchange->queued)
        return;
    while (*at != exchange)
        at = &(*at)->waits;
    *at = exchange->waits;
    exchange->waits = NULL;
    exchange->queued = false;
    exchange->gateway->statistics.waiting--;
}

/* ---- requests ---- */

static bool prepare(struct exchange *exchange, const struct message *message)
{
    exchange->events = event_stream_create(0, false, SIZE_MAX);
    exchange->kept_id = malloc(message->id.length);
    if (exchange->events == NULL || exchange->kept_id == NULL)
        return false;
    memcpy(exchange->kept_id, message->id.text, message->id.length);
    exchange->id = (struct piece){exchange->kept_id, message->id.length};
    exchange->events->read = true;
    exchange->endless = message_is(message, "subscriptions/listen");
    return true;
}

static void begin(struct exchange *exchange, const struct message *message)
{
    struct gateway *gateway = exchange->gateway;
    if (!gateway_link_is_free(gateway)) {
        wait_or_refuse(exchange, message->id);
        return;
    }
    if (prepare(exchange, message))
        exchange->link = gateway_link_take(gateway, true, &owner, exchange);
    if (exchange->link == NULL) {
        exchange_busy(exchange, message->id);
        return;
    }
    gateway->statistics.messages_in++;
    if (vm_link_send(exchange->link, message->text.text, message->text.length) != 0) {
        finish(exchange);
        exchange_busy(exchange, message->id);
    }
}

/* Parameters' headers are compared with what the list of tools says. A list that says no is asked for again:
 * tools may have changed. */
static void check_tool(struct exchange *exchange, const struct message *message, uint64_t trusted_ms)
{
    struct gateway *gateway = exchange->gateway;
    char problem[400];
    bool fresh = trusted_ms == UINT64_MAX || tool_list_is_fresh(gateway, UINT64_MAX);
    int result =
        fresh ? tool_headers_check(&gateway->tools.headers, exchange->head, message, problem, sizeof problem)
              : -EAGAIN;
    if (result == 0) {
        begin(exchange, message);
    } else if (fresh && (trusted_ms == UINT64_MAX || tool_list_is_fresh(gateway, trusted_ms))) {
        gateway->statistics.mismatches++;
        exchange_error(exchange, 400, message->id, ERROR_HEADER_MISMATCH, problem);
    } else {
        exchange->held = tool_list_fetch(gateway);
        if (!exchange->held)
            wait_or_refuse(exchange, message->id);
    }
}

void stateless_post(struct exchange *exchange, const struct http_head *head, const struct message *message)
{
    char problem[200];
    if (message->kind == MESSAGE_RESPONSE) {
        exchange_error(exchange, 400, message->id, MCP_ERROR_INVALID_REQUEST,
                       "clients send requests and notifications only: answers go into inputResponses");
        return;
    }
    if (message->kind == MESSAGE_NOTIFICATION) { /* none means anything here: the end of a stream cancels */
        answer_body(&exchange->answer, 202, NULL, NULL, 0);
        exchange_answered(exchange);
        return;
    }
    int result = head_check_mirrors(head, message, problem, sizeof problem);
    if (result == -EPROTO)
        exchange->gateway->statistics.mismatches++;
    if (result != 0)
        exchange_error(exchange, 400, message->id,
                       result == -EPROTO ? ERROR_HEADER_MISMATCH : MCP_ERROR_INVALID_PARAMS, problem);
    else if (exchange->gateway->waiting != NULL)
        wait_or_refuse(exchange, message->id);
    else if (message_is(message, "tools/call"))
        check_tool(exchange, message, TRUSTED_MS);
    else
        begin(exchange, message);
}

/* Its body was kept: it goes on, or (`possible` false) cannot. */
static void go_on(struct exchange *exchange, bool possible, uint64_t trusted_ms)
{
    struct messages messages;
    struct message message;
    if (messages_open(&messages, exchange->body, exchange->body_length) != 0 ||
        messages_next(&messages, &message) != 1)
        exchange_busy(exchange, (struct piece){NULL, 0});
    else if (!possible)
        exchange_busy(exchange, message.id);
    else if (message_is(&message, "tools/call"))
        check_tool(exchange, &message, trusted_ms);
    else
        begin(exchange, &message);
    messages_release(&messages);
    if (exchange->held || exchange->queued)
        return;
    exchange->since = exchange->spoke_at = gateway_now(exchange->gateway);
    exchange_drop_body(exchange);
}

void stateless_resume(struct exchange *exchange, bool known)
{
    exchange->held = false;
    go_on(exchange, known, UINT64_MAX);
}

void stateless_give_up(struct exchange *exchange)
{
    leave_queue(exchange);
    go_on(exchange, false, 0);
}

void stateless_serve(struct gateway *gateway)
{
    for (size_t left = gateway->statistics.waiting; left > 0 && gateway_link_is_free(gateway); left--) {
        struct exchange *exchange = gateway->waiting;
        leave_queue(exchange);
        go_on(exchange, true, TRUSTED_MS);
        if (exchange->suspect && exchange->link != NULL)
            exchange_probe(exchange);
    }
}

/* A client that has gone has cancelled: with its link the server's call ends. */
void stateless_end(struct exchange *exchange)
{
    leave_queue(exchange);
    if (exchange->link != NULL)
        gateway_link_close(exchange->gateway, exchange->link);
    exchange->link = NULL;
    event_stream_destroy(exchange->events, &exchange->gateway->statistics.buffered);
    exchange->events = NULL;
    free(exchange->kept_id);
    exchange->kept_id = NULL;
}
