/* SPDX-License-Identifier: MIT
 *
 * Connections: the table, their life, and what their owner calls.
 */
#include <errno.h>
#include <string.h>

#include "vsock/private.h"

/* Section 5.10.6.5 leaves time limits to the implementation; these are Linux's. */
#define CONNECT_TIMEOUT_US 2000000
#define CLOSE_TIMEOUT_US   8000000

static struct list *bucket_of(struct vsock *vsock, uint32_t peer_port, uint32_t local_port)
{
    return &vsock->buckets[(peer_port * 0x9e3779b1u ^ local_port) % VSOCK_BUCKETS];
}

struct vsock_connection *vsock_connection_find(struct vsock *vsock, uint16_t type, uint64_t peer_cid,
                                               uint32_t peer_port, uint32_t local_port)
{
    struct list *bucket = bucket_of(vsock, peer_port, local_port);

    for (struct list *link = bucket->next; link != bucket; link = link->next) {
        struct vsock_connection *connection = LIST_MEMBER(link, struct vsock_connection, table);
        if (connection->peer_cid == peer_cid && connection->peer_port == peer_port &&
            connection->local_port == local_port && connection->type == type &&
            connection->state != VSOCK_STATE_DEAD)
            return connection;
    }
    return NULL;
}

struct vsock_connection *vsock_connection_new(struct vsock *vsock, uint16_t type, uint64_t peer_cid,
                                              uint32_t peer_port, uint32_t local_port)
{
    if (vsock->connection_count >= vsock->config.connections_max)
        return NULL;
    struct vsock_connection *connection = vsock->os->alloc(vsock->os->context, sizeof(*connection));
    if (connection == NULL)
        return NULL;
    *connection = (struct vsock_connection){
        .vsock = vsock,
        .peer_cid = peer_cid,
        .peer_port = peer_port,
        .local_port = local_port,
        .type = type,
        .owned = true,
    };
    list_initialise(&connection->ready);
    list_initialise(&connection->waiting);
    list_initialise(&connection->sending);
    list_append(bucket_of(vsock, peer_port, local_port), &connection->table);
    vsock->connection_count++;
    return connection;
}

void vsock_connection_free(struct vsock_connection *connection)
{
    struct vsock *vsock = connection->vsock;

    list_remove(&connection->table);
    list_remove(&connection->ready);
    list_remove(&connection->waiting);
    list_remove(&connection->sending);
    vsock_stream_clear(vsock->os, &connection->stream);
    vsock_stream_clear(vsock->os, &connection->messages.behind);
    vsock->connection_count--;
    vsock->os->free(vsock->os->context, connection, sizeof(*connection));
}

void vsock_connection_settle(struct vsock_connection *connection)
{
    if (connection->state == VSOCK_STATE_DEAD && !connection->owned && connection->control == 0)
        vsock_connection_free(connection);
}

void vsock_connection_notify(struct vsock_connection *connection, enum vsock_event event)
{
    if (!connection->owned)
        return;
    connection->events |= 1u << event;
    if (list_empty(&connection->ready))
        list_append(&connection->vsock->ready, &connection->ready);
}

void vsock_connection_kill(struct vsock_connection *connection, bool reset_peer)
{
    bool was_dead = connection->state == VSOCK_STATE_DEAD;

    connection->state = VSOCK_STATE_DEAD;
    connection->control = 0;
    list_remove(&connection->sending);
    list_remove(&connection->waiting);
    if (reset_peer)
        vsock_transmit_control(connection, VSOCK_OP_RST);
    if (!was_dead)
        vsock_connection_notify(connection, VSOCK_RESET);
    vsock_connection_settle(connection);
}

void vsock_connection_each(struct vsock *vsock, void (*visit)(struct vsock_connection *connection))
{
    for (size_t i = 0; i < VSOCK_BUCKETS; i++) {
        struct list *bucket = &vsock->buckets[i];
        for (struct list *link = bucket->next, *next = NULL; link != bucket; link = next) {
            next = link->next;
            visit(LIST_MEMBER(link, struct vsock_connection, table));
        }
    }
}

static void set_deadline(struct vsock_connection *connection, uint64_t timeout)
{
    struct vsock *vsock = connection->vsock;

    connection->deadline = vsock->os->now_us(vsock->os->context) + timeout;
    if (connection->deadline >= vsock->next_deadline)
        return;
    vsock->next_deadline = connection->deadline;
    if (!vsock->polling)
        vsock->config.wake(vsock->config.context); /* for vsock_deadline to be looked at again */
}

static void expire(struct vsock_connection *connection)
{
    struct vsock *vsock = connection->vsock;

    if (connection->state != VSOCK_STATE_CONNECTING && connection->state != VSOCK_STATE_CLOSING)
        return;
    if (vsock->os->now_us(vsock->os->context) >= connection->deadline)
        vsock_connection_kill(connection, true);
    else if (connection->deadline < vsock->next_deadline)
        vsock->next_deadline = connection->deadline;
}

void vsock_connection_expire(struct vsock *vsock)
{
    if (vsock->next_deadline == UINT64_MAX || vsock->os->now_us(vsock->os->context) < vsock->next_deadline)
        return;
    vsock->next_deadline = UINT64_MAX;
    vsock_connection_each(vsock, expire);
}

bool vsock_is_listening(const struct vsock *vsock, uint16_t type, uint32_t port)
{
    for (size_t i = 0; i < vsock->port_count; i++) {
        if (vsock->ports[i].port == port && vsock->ports[i].type == type)
            return true;
    }
    return false;
}

static int listen_for(struct vsock *vsock, uint16_t type, uint32_t port)
{
    if (port == VSOCK_PORT_ANY)
        return -EINVAL;
    if (vsock_is_listening(vsock, type, port))
        return -EADDRINUSE;
    if (vsock->port_count == VSOCK_PORTS_MAX)
        return -ENOSPC;
    vsock->ports[vsock->port_count].port = port;
    vsock->ports[vsock->port_count++].type = type;
    return 0;
}

int vsock_listen(struct vsock *vsock, uint32_t port)
{
    return listen_for(vsock, VSOCK_TYPE_STREAM, port);
}

int vsock_listen_seqpacket(struct vsock *vsock, uint32_t port)
{
    return listen_for(vsock, VSOCK_TYPE_SEQPACKET, port);
}

/* More ports are tried than can be taken, so the last one is free. */
static uint32_t choose_port(struct vsock *vsock, uint16_t type, uint64_t cid, uint32_t port)
{
    for (;;) {
        uint32_t candidate = vsock->next_port++;
        if (vsock->next_port == VSOCK_PORT_ANY)
            vsock->next_port = VSOCK_PORT_DYNAMIC;
        if (!vsock_is_listening(vsock, type, candidate) &&
            vsock_connection_find(vsock, type, cid, port, candidate) == NULL)
            return candidate;
    }
}

static int connect_to(struct vsock *vsock, uint16_t type, uint64_t cid, uint32_t port,
                      struct vsock_connection **connection)
{
    if (vsock->connection_count >= vsock->config.connections_max)
        return -ENOSPC;
    if (cid == vsock->guest_cid)
        cid = VSOCK_CID_LOCAL;
    struct vsock_connection *created =
        vsock_connection_new(vsock, type, cid, port, choose_port(vsock, type, cid, port));
    if (created == NULL)
        return -ENOMEM;
    created->state = VSOCK_STATE_CONNECTING;
    set_deadline(created, CONNECT_TIMEOUT_US);
    vsock_transmit_control(created, VSOCK_OP_REQUEST);
    *connection = created;
    vsock_finish_call(vsock);
    return 0;
}

int vsock_connect(struct vsock *vsock, uint64_t cid, uint32_t port, struct vsock_connection **connection)
{
    return connect_to(vsock, VSOCK_TYPE_STREAM, cid, port, connection);
}

int vsock_connect_seqpacket(struct vsock *vsock, uint64_t cid, uint32_t port,
                            struct vsock_connection **connection)
{
    bool local = cid == VSOCK_CID_LOCAL || cid == vsock->guest_cid;

    if (!vsock->seqpacket && !local)
        return -EPROTONOSUPPORT;
    return connect_to(vsock, VSOCK_TYPE_SEQPACKET, cid, port, connection);
}

/* What can be read at once: the bytes at the front that lie together, and belong to one message. */
static size_t readable(const struct vsock_connection *connection, const uint8_t **data)
{
    size_t count = vsock_stream_front(&connection->stream, data);

    if (connection->type == VSOCK_TYPE_SEQPACKET && count > connection->messages.left)
        count = connection->messages.left;
    return count;
}

int64_t vsock_peek(const struct vsock_connection *connection, const void **bytes)
{
    const uint8_t *data = NULL;
    size_t count = readable(connection, &data);

    if (count > 0) {
        *bytes = data;
        return (int64_t)count;
    }
    if ((connection->peer_shutdown & VSOCK_SHUTDOWN_SEND) != 0)
        return 0;
    return connection->state == VSOCK_STATE_DEAD ? -ECONNRESET : -EAGAIN;
}

/* Bytes have left the buffer: the peer may send as many again. */
static void return_credit(struct vsock_connection *connection, size_t count)
{
    struct vsock *vsock = connection->vsock;

    connection->forwarded += (uint32_t)count;
    /* Not after each read: the peer has half of the buffer left when it hears from us. */
    uint32_t untold = connection->forwarded - connection->forwarded_told;
    bool due = untold >= (vsock->config.receive_buffer_size + 1) / 2;
    /* A message that needs more than that half would never become whole. */
    if (connection->type == VSOCK_TYPE_SEQPACKET && connection->messages.left == 0)
        due = true;
    if (due && connection->state == VSOCK_STATE_ESTABLISHED &&
        (connection->peer_shutdown & VSOCK_SHUTDOWN_SEND) == 0) {
        vsock_transmit_control(connection, VSOCK_OP_CREDIT_UPDATE);
        vsock_finish_call(vsock);
    }
}

/* Takes at most what `readable` says off the front. Returns whether it was the last of a message. */
static bool take(struct vsock_connection *connection, size_t size)
{
    const struct virtio_os *os = connection->vsock->os;

    vsock_stream_take(os, &connection->stream, size);
    if (connection->type != VSOCK_TYPE_SEQPACKET)
        return false;
    bool last = connection->messages.left == size;
    vsock_messages_take(os, &connection->messages, size);
    return last;
}

void vsock_take(struct vsock_connection *connection, size_t size)
{
    const uint8_t *data = NULL;
    size_t count = readable(connection, &data);

    if (size > count)
        size = count;
    if (size == 0)
        return;
    (void)take(connection, size);
    return_credit(connection, size);
}

int64_t vsock_receive(struct vsock_connection *connection, void *buffer, size_t size)
{
    uint8_t *out = buffer;
    const void *bytes = NULL;
    size_t done = 0;
    int64_t result = 0;
    bool last = false;

    while (!last && done < size && (result = vsock_peek(connection, &bytes)) > 0) {
        size_t count = (size_t)result < size - done ? (size_t)result : size - done;
        memcpy(out + done, bytes, count);
        last = take(connection, count);
        done += count;
    }
    if (done == 0)
        return result;
    return_credit(connection, done);
    return (int64_t)done;
}

/* What the peer has room for, section 5.10.6.3. It may shrink its buffer below what is on its way, which the
 * standard's formula would take for a very large one. */
static uint32_t credit_of(const struct vsock_connection *connection)
{
    uint32_t on_its_way = connection->sent - connection->peer_forwarded;

    return on_its_way < connection->peer_buffer_size ? connection->peer_buffer_size - on_its_way : 0;
}

/* Whether this connection may use the room that there is. */
static bool may_send(const struct vsock_connection *connection)
{
    const struct vsock *vsock = connection->vsock;

    if ((connection->control & 1u << VSOCK_OP_RESPONSE) != 0)
        return false; /* the peer must hear this first */
    return (connection->has_turn || list_empty(&vsock->waiting)) && vsock_transmit_has_room(vsock);
}

int64_t vsock_send(struct vsock_connection *connection, const void *buffer, size_t size)
{
    struct vsock *vsock = connection->vsock;
    const uint8_t *bytes = buffer;
    size_t sent = 0;

    if (connection->state == VSOCK_STATE_DEAD || vsock->broken)
        return -ECONNRESET;
    if ((connection->local_shutdown & VSOCK_SHUTDOWN_SEND) != 0 ||
        (connection->peer_shutdown & VSOCK_SHUTDOWN_RECEIVE) != 0)
        return -EPIPE;
    /* A reader of messages waits for whole ones, so it would never make room. */
    if (connection->type == VSOCK_TYPE_SEQPACKET && connection->state == VSOCK_STATE_ESTABLISHED &&
        size > connection->peer_buffer_size)
        return -EMSGSIZE;

    vsock_transmit_flush(vsock);
    while (sent < size) {
        size_t part = credit_of(connection);
        if (part == 0) {
            connection->waits_for_credit = true;
            if (connection->state == VSOCK_STATE_ESTABLISHED && !connection->credit_requested) {
                connection->credit_requested = true;
                vsock_transmit_control(connection, VSOCK_OP_CREDIT_REQUEST);
            }
            break;
        }
        if (part > size - sent)
            part = size - sent;
        bool ends = connection->type == VSOCK_TYPE_SEQPACKET && part == size - sent;
        part = may_send(connection) ? vsock_transmit_data(connection, bytes + sent, part, ends) : 0;
        if (part == 0) {
            if (list_empty(&connection->waiting))
                list_append(&vsock->waiting, &connection->waiting);
            break;
        }
        sent += part;
    }
    connection->has_turn = false;
    vsock_finish_call(vsock);
    return (int64_t)sent;
}

int vsock_shutdown_send(struct vsock_connection *connection)
{
    if (connection->state == VSOCK_STATE_DEAD)
        return -ECONNRESET;
    if (connection->state == VSOCK_STATE_CONNECTING)
        return -ENOTCONN;
    if ((connection->local_shutdown & VSOCK_SHUTDOWN_SEND) == 0) {
        connection->local_shutdown |= VSOCK_SHUTDOWN_SEND;
        vsock_transmit_control(connection, VSOCK_OP_SHUTDOWN);
        vsock_finish_call(connection->vsock);
    }
    return 0;
}

/* The owner's part of the connection ends. */
static void disown(struct vsock_connection *connection)
{
    connection->owned = false;
    connection->events = 0;
    list_remove(&connection->ready);
    list_remove(&connection->waiting);
    vsock_stream_clear(connection->vsock->os, &connection->stream);
    vsock_stream_clear(connection->vsock->os, &connection->messages.behind);
}

void vsock_abort(struct vsock_connection *connection)
{
    struct vsock *vsock = connection->vsock;

    disown(connection);
    if (connection->state == VSOCK_STATE_DEAD)
        vsock_connection_settle(connection);
    else
        vsock_connection_kill(connection, true);
    vsock_finish_call(vsock);
}

void vsock_close(struct vsock_connection *connection)
{
    struct vsock *vsock = connection->vsock;

    /* Section 5.10.6.5: the one who gets SHUTDOWN for both directions answers RST. */
    if (connection->state != VSOCK_STATE_ESTABLISHED || connection->peer_shutdown == VSOCK_SHUTDOWN_BOTH) {
        vsock_abort(connection);
        return;
    }
    disown(connection);
    connection->state = VSOCK_STATE_CLOSING;
    connection->local_shutdown = VSOCK_SHUTDOWN_BOTH;
    connection->control &= 1u << VSOCK_OP_RESPONSE;
    vsock_transmit_control(connection, VSOCK_OP_SHUTDOWN);
    set_deadline(connection, CLOSE_TIMEOUT_US);
    vsock_finish_call(vsock);
}

bool vsock_is_seqpacket(const struct vsock_connection *connection)
{
    return connection->type == VSOCK_TYPE_SEQPACKET;
}

size_t vsock_message_left(const struct vsock_connection *connection)
{
    return connection->messages.left;
}

void vsock_set_context(struct vsock_connection *connection, void *context)
{
    connection->context = context;
}

void *vsock_get_context(const struct vsock_connection *connection)
{
    return connection->context;
}

uint64_t vsock_peer_cid(const struct vsock_connection *connection)
{
    return connection->peer_cid;
}

uint32_t vsock_peer_port(const struct vsock_connection *connection)
{
    return connection->peer_port;
}

uint32_t vsock_local_port(const struct vsock_connection *connection)
{
    return connection->local_port;
}
