/* SPDX-License-Identifier: MIT
 *
 * Links to the server, which are fewer than those who would have one, and the passing of time.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway_private.h"

uint64_t gateway_now(const struct gateway *gateway)
{
    return gateway->hooks.now_ms(gateway->hooks.context);
}

struct gateway *gateway_create(const struct gateway_config *config, const struct gateway_hooks *hooks)
{
    struct gateway *gateway = calloc(1, sizeof *gateway);
    if (gateway == NULL)
        return NULL;
    gateway->config = *config;
    gateway->hooks = *hooks;
    gateway_probe(gateway);
    return gateway;
}

void gateway_destroy(struct gateway *gateway)
{
    if (gateway == NULL)
        return;
    while (gateway->oldest != NULL)
        session_destroy(gateway->oldest);
    while (gateway->links != NULL)
        gateway_link_close(gateway, gateway->links);
    tool_list_release(gateway);
    free(gateway);
}

/* ---- links ---- */

static struct vm_link *open_link(struct gateway *gateway)
{
    struct vm_link *link = vm_link_open(&gateway->hooks.stream);
    gateway->statistics.reachable = link != NULL;
    if (link == NULL) {
        gateway->statistics.links_failed++;
        return NULL;
    }
    link->next = gateway->links;
    if (link->next != NULL)
        link->next->previous = link;
    gateway->links = link;
    gateway->statistics.links++;
    gateway->statistics.links_opened++;
    return link;
}

static void unlink_link(struct gateway *gateway, struct vm_link *link)
{
    if (link->previous != NULL)
        link->previous->next = link->next;
    else
        gateway->links = link->next;
    if (link->next != NULL)
        link->next->previous = link->previous;
    gateway->statistics.links--;
}

void gateway_link_close(struct gateway *gateway, struct vm_link *link)
{
    unlink_link(gateway, link);
    vm_link_close(link);
}

static struct vm_link *find_idle(const struct gateway *gateway)
{
    struct vm_link *link = gateway->links;
    while (link != NULL && link->kind != NULL)
        link = link->next;
    return link;
}

/* The session that has been idle longest, of those that have a link. */
static struct session *find_idle_session(const struct gateway *gateway)
{
    struct session *oldest = NULL;
    for (const struct vm_link *link = gateway->links; link != NULL; link = link->next) {
        struct session *session = link->kind == &session_owner ? link->owner : NULL;
        if (session != NULL && session_is_idle(session) &&
            (oldest == NULL || session->used_at <= oldest->used_at))
            oldest = session;
    }
    return oldest;
}

/* Ends what is used least, so that a link can be opened. */
static bool make_room(struct gateway *gateway)
{
    struct vm_link *idle = find_idle(gateway);
    if (idle != NULL) {
        gateway_link_close(gateway, idle);
        return true;
    }
    struct session *session = find_idle_session(gateway);
    if (session != NULL)
        session_park(session);
    return session != NULL;
}

bool gateway_link_is_free(const struct gateway *gateway)
{
    return gateway->statistics.links < gateway->config.links_max || find_idle(gateway) != NULL ||
           find_idle_session(gateway) != NULL;
}

struct vm_link *gateway_link_take(struct gateway *gateway, bool pooled, const struct vm_link_owner *kind,
                                  void *owner)
{
    struct vm_link *link = pooled ? find_idle(gateway) : NULL;
    if (link == NULL && (gateway->statistics.links < gateway->config.links_max || make_room(gateway)))
        link = open_link(gateway);
    if (link != NULL) {
        link->kind = kind;
        link->owner = owner;
    }
    return link;
}

void gateway_link_return(struct gateway *gateway, struct vm_link *link)
{
    link->kind = NULL;
    link->owner = NULL;
    link->idle_since = gateway_now(gateway);
}

void gateway_link_lost(struct gateway *gateway, struct vm_link *link)
{
    const struct vm_link_owner *kind = link->kind;
    void *owner = link->owner;
    /* A server that cannot be reached, or that has ended. */
    gateway->statistics.links_lost++;
    gateway->statistics.reachable = false;
    gateway_link_close(gateway, link);
    if (kind != NULL)
        kind->lost(owner);
}

#define PROBE_MS 1000u

void gateway_probe(struct gateway *gateway)
{
    uint64_t now = gateway_now(gateway);
    if (gateway->statistics.reachable || gateway->statistics.links >= gateway->config.links_max ||
        (gateway->probed_at != 0 && now - gateway->probed_at < PROBE_MS))
        return;
    gateway->probed_at = now;
    struct vm_link *link = open_link(gateway);
    if (link != NULL)
        gateway_link_return(gateway, link);
}

/* ---- time ---- */

#define POOL_IDLE_MS 60000u
#define SWEEP_MS     1000u /* between two looks at all sessions */

/* Returns when the exchange wants to be looked at again. */
static uint64_t tick_exchange(struct exchange *exchange, uint64_t now)
{
    const struct gateway_config *config = &exchange->gateway->config;
    if (exchange->queued) {
        if (now - exchange->since < config->waiting_ms)
            return exchange->since + config->waiting_ms;
        stateless_give_up(exchange);
    }
    if (exchange->state == EXCHANGE_WAITING && !exchange->held) {
        if (now - exchange->since < config->grace_ms)
            return exchange->since + config->grace_ms;
        if (exchange->stream != NULL)
            session_stream_begin(exchange->session, exchange->stream);
        else
            exchange_begin_stream(exchange);
    }
    if (exchange->state != EXCHANGE_STREAM)
        return UINT64_MAX;
    if (config->stream_ms != 0 && exchange->session != NULL && exchange->session->primes) {
        if (now - exchange->since < config->stream_ms)
            return exchange->since + config->stream_ms;
        exchange->over = true;
        exchange_wake(exchange);
    } else if (now - exchange->spoke_at >= config->comment_ms) {
        exchange_probe(exchange);
    }
    return UINT64_MAX;
}

static void sweep(struct gateway *gateway, uint64_t now)
{
    gateway->swept_at = now;
    tool_list_tick(gateway, now);
    for (struct session *session = gateway->oldest, *next; session != NULL; session = next) {
        next = session->newer;
        session_tick(session, now);
    }
    for (struct vm_link *link = gateway->links, *next; link != NULL; link = next) {
        next = link->next;
        if (link->kind == NULL && now - link->idle_since >= POOL_IDLE_MS)
            gateway_link_close(gateway, link);
    }
}

uint64_t gateway_tick(struct gateway *gateway)
{
    uint64_t now = gateway_now(gateway);
    if (now - gateway->swept_at >= SWEEP_MS)
        sweep(gateway, now);
    stateless_serve(gateway);
    uint64_t due = gateway->swept_at + SWEEP_MS;
    for (struct exchange *exchange = gateway->exchanges, *next; exchange != NULL; exchange = next) {
        next = exchange->next;
        uint64_t wanted = tick_exchange(exchange, now);
        if (wanted < due)
            due = wanted;
    }
    return due - now;
}

size_t gateway_exchanges(const struct gateway *gateway)
{
    return gateway->statistics.exchanges;
}

void gateway_drain(struct gateway *gateway)
{
    gateway->draining = true;
    for (struct exchange *exchange = gateway->exchanges; exchange != NULL; exchange = exchange->next) {
        if (exchange->endless) {
            exchange->over = true;
            exchange_wake(exchange);
        }
    }
}

void gateway_get_statistics(const struct gateway *gateway, struct gateway_statistics *statistics)
{
    *statistics = gateway->statistics;
    for (const struct vm_link *link = gateway->links; link != NULL; link = link->next)
        statistics->links_idle += link->kind == NULL ? 1 : 0;
    for (const struct session *session = gateway->oldest; session != NULL; session = session->newer)
        statistics->sessions_connected += session->link != NULL ? 1 : 0;
    for (const struct exchange *exchange = gateway->exchanges; exchange != NULL; exchange = exchange->next)
        statistics->reading += exchange->state == EXCHANGE_STREAM ? 1 : 0;
}
