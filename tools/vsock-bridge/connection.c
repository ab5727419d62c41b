/* SPDX-License-Identifier: MIT */
#include "connection_internal.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "device.h"
#include "greeting.h"
#include "log.h"

/* Always watched, edge-triggered: `readable` remembers the edges. EPOLLOUT is added only while the client
 * does not take more. */
#define WATCHED (EPOLLIN | EPOLLRDHUP | EPOLLET)

/* --- towards the guest --- */

/* How many bytes the guest has room for. A guest that claims to have taken more than it was sent gets none.
 */
uint32_t connection_credit(const struct connection *connection)
{
    uint32_t in_flight = connection->sent - connection->peer_forwarded;

    return in_flight < connection->peer_size ? connection->peer_size - in_flight : 0;
}

/* The client may have bytes for the guest. */
static bool has_data(const struct connection *connection)
{
    return connection->state == CONNECTION_OPEN && connection->readable &&
           (connection->host_shutdown & VSOCK_NO_SEND) == 0 &&
           (connection->guest_shutdown & VSOCK_NO_RECEIVE) == 0;
}

/* Queues the connection for its turn if there is something that the guest can be sent. */
void connection_schedule(struct connection *connection)
{
    bool data = has_data(connection);

    if (data && connection_credit(connection) == 0) {
        data = false;
        /* The guest should say by itself when there is room again; one question makes sure. */
        if (!connection->credit_requested)
            connection->owed |= OWED_CREDIT_REQUEST;
        connection->credit_requested = true;
    }
    if (data || connection->owed != 0)
        device_schedule(connection->device, connection);
}

void connection_owe(struct connection *connection, unsigned packet)
{
    connection->owed |= packet;
    connection_schedule(connection);
}

/* The guest learns of new room at the latest when a quarter of the buffer is free and it does not know. */
void connection_account_forwarded(struct connection *connection, size_t size)
{
    connection->forwarded += (uint32_t)size;
    if (connection->state == CONNECTION_OPEN &&
        connection->forwarded - connection->announced >= BACKLOG_SIZE / 4)
        connection_owe(connection, OWED_CREDIT_UPDATE);
}

void connection_reset(struct connection *connection)
{
    backlog_clear(&connection->backlog);
    loop_close(connection->device->loop, &connection->watch);
    connection->state = CONNECTION_RESETTING;
    connection->owed = 0;
    connection_owe(connection, OWED_RESET);
}

/* --- the end --- */

/* The client does not take any more: what is left for it is dropped, and the guest will be told. */
void connection_client_lost(struct connection *connection)
{
    connection->client_gone = true;
    connection->host_shutdown |= VSOCK_NO_RECEIVE;
    connection->forwarded = connection->received;
    backlog_clear(&connection->backlog);
}

/* Closing a socket with bytes unread is a reset, which over TCP overtakes what is still on its way to the
 * client. */
static void discard_input(struct connection *connection)
{
    char bytes[4096];

    for (int i = 0; i < 64; i++) {
        if (recv(connection->watch.fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0)
            break;
    }
}

/* Draws the conclusions from how far both directions have come. The connection may be free afterwards. */
void connection_settle(struct connection *connection)
{
    if (connection->backlog.used == 0) {
        if (connection->state == CONNECTION_DRAINING) {
            table_free(connection);
            return;
        }
        if ((connection->guest_shutdown & VSOCK_NO_SEND) != 0 && !connection->write_ended) {
            (void)shutdown(connection->watch.fd, SHUT_WR);
            connection->write_ended = true;
        }
        if (connection->guest_shutdown == VSOCK_NEITHER) {
            log_debug("port %u: closed by the guest", connection->guest_port);
            discard_input(connection);
            connection_reset(connection);
            return;
        }
        /* Both sides have ended their half. */
        if (connection->write_ended && (connection->host_shutdown & VSOCK_NO_SEND) != 0)
            connection->host_shutdown = VSOCK_NEITHER;
    }
    if (connection->host_shutdown != connection->announced_shutdown)
        connection->owed |= OWED_SHUTDOWN;
    if (connection->host_shutdown == VSOCK_NEITHER) {
        log_debug("port %u: closed by the client", connection->guest_port);
        loop_close(connection->device->loop, &connection->watch);
        connection->state = CONNECTION_LINGERING;
    }
    connection_schedule(connection);
}

void connection_guest_gone(struct connection *connection)
{
    if (connection->state != CONNECTION_OPEN || connection->backlog.used == 0) {
        table_free(connection);
        return;
    }
    table_remove(connection);
    (void)shutdown(connection->watch.fd, SHUT_RD);
    connection->owed = 0;
    connection->state = CONNECTION_DRAINING;
}

/* --- the client --- */

void connection_flush(struct connection *connection)
{
    while (connection->backlog.used > 0) {
        ssize_t sent = backlog_send(&connection->backlog, connection->watch.fd);

        if (sent == -EAGAIN) {
            if (!connection->write_blocked)
                loop_change(connection->device->loop, &connection->watch, WATCHED | EPOLLOUT);
            connection->write_blocked = true;
            /* The event may have been about input, too, and is not repeated. */
            if (connection->state == CONNECTION_OPEN)
                connection_schedule(connection);
            return;
        }
        if (sent < 0)
            connection_client_lost(connection);
        else
            connection_account_forwarded(connection, (size_t)sent);
    }
    if (connection->write_blocked)
        loop_change(connection->device->loop, &connection->watch, WATCHED);
    connection->write_blocked = false;
    connection_settle(connection);
}

/* Reads which port the client wants. */
static void greet(struct connection *connection)
{
    struct device *device = connection->device;
    struct greeting greeting;
    char line[GREETING_MAX];
    ssize_t size = recv(connection->watch.fd, line, sizeof line, MSG_PEEK | MSG_DONTWAIT);
    int result;

    if (size < 0 && errno == EAGAIN)
        return;
    result = size > 0 ? greeting_parse(line, (size_t)size, &greeting) : -ECONNRESET;
    if (result == -EAGAIN && !connection->client_ended)
        return;
    if (result < 0) {
        if (size > 0)
            log_warning(
                "a client's handshake is not \"CONNECT <port>\" and a newline; its connection is closed");
        table_free(connection);
        return;
    }
    /* Only the greeting is taken: what follows is data. */
    if (greeting.length > 0)
        (void)recv(connection->watch.fd, line, greeting.length, MSG_DONTWAIT);
    connection->handshake = greeting.handshake;
    connection->guest_port = greeting.handshake ? greeting.port : device->direct_port;
    connection->state = CONNECTION_WAITING;
    if (device_ready(device)) {
        connection_request(connection);
    } else if (vhost_user_broken(device->vm)) {
        log_warning("port %u: refused, the guest's vsock stands still", connection->guest_port);
        table_free(connection);
    } else if (connection->client_gone) {
        table_free(connection);
    } else {
        log_info("port %u: waits for the VM", connection->guest_port);
    }
}

static void on_client(struct watch *watch, uint32_t events)
{
    struct connection *connection =
        (struct connection *)(void *)((char *)watch - offsetof(struct connection, watch));

    if ((events & ~(uint32_t)EPOLLOUT) != 0)
        connection->readable = true;
    if ((events & EPOLLRDHUP) != 0)
        connection->client_ended = true;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0)
        connection->client_gone = connection->client_ended = true;
    switch (connection->state) {
    case CONNECTION_GREETING:
        greet(connection);
        break;
    case CONNECTION_WAITING:
        if (connection->client_gone)
            table_free(connection);
        break;
    case CONNECTION_OPEN:
    case CONNECTION_DRAINING:
        if (connection->backlog.used > 0)
            connection_flush(connection);
        else
            connection_schedule(connection);
        break;
    default:
        break;
    }
}

static int watch_client(struct connection *connection, int socket)
{
    int result;

    connection->watch = (struct watch){.fd = socket, .ready = on_client};
    result = loop_add(connection->device->loop, &connection->watch, WATCHED);
    if (result != 0) {
        log_error("a connection cannot be watched: %s", strerror(-result));
        table_free(connection);
    }
    return result;
}

void connection_start(struct connection *connection, int socket)
{
    connection->state = CONNECTION_GREETING;
    (void)watch_client(connection, socket);
}

void connection_request(struct connection *connection)
{
    connection->host_port = table_free_port(connection->device, connection->guest_port, connection->admin);
    connection->state = CONNECTION_REQUESTED;
    table_insert(connection);
    connection_owe(connection, OWED_REQUEST);
}

int connection_accept(struct connection *connection, int socket, const struct vsock_header *request)
{
    int result;

    connection->guest_port = request->source_port;
    connection->host_port = request->destination_port;
    connection->peer_size = request->buffer_size;
    connection->peer_forwarded = request->forwarded;
    connection->state = CONNECTION_OPEN;
    result = watch_client(connection, socket);
    if (result == 0) {
        table_insert(connection);
        connection_owe(connection, OWED_RESPONSE);
    }
    return result;
}

/* --- packets to the guest --- */

/* Reads from the client straight into the guest's buffers. Returns the bytes that are there. */
static uint32_t read_client(struct connection *connection, struct segments *payload, size_t size)
{
    uint32_t room = connection_credit(connection);
    struct msghdr message;
    ssize_t received;

    segments_limit(payload, size < room ? size : room);
    message = (struct msghdr){.msg_iov = payload->first, .msg_iovlen = payload->count};
    received = recvmsg(connection->watch.fd, &message, MSG_DONTWAIT);
    if (received > 0) {
        connection->sent += (uint32_t)received;
        return (uint32_t)received;
    }
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) {
        connection->readable = errno == EINTR;
        return 0;
    }
    /* The end of the stream, or the client died with bytes unread: then it takes nothing any more either. */
    connection->readable = false;
    connection->host_shutdown |= VSOCK_NO_SEND;
    if (received < 0 || connection->client_gone)
        connection_client_lost(connection);
    connection_settle(connection);
    return 0;
}

/* Takes the first of the packets that are owed. */
static enum vsock_operation take_owed(struct connection *connection)
{
    static const struct {
        unsigned packet;
        enum vsock_operation operation;
    } order[] = {
        {OWED_RESET, VSOCK_RESET},
        {OWED_REQUEST, VSOCK_REQUEST},
        {OWED_RESPONSE, VSOCK_RESPONSE},
        {OWED_SHUTDOWN, VSOCK_SHUTDOWN},
        {OWED_CREDIT_REQUEST, VSOCK_CREDIT_REQUEST},
        {OWED_CREDIT_UPDATE, VSOCK_CREDIT_UPDATE},
    };
    size_t i = 0;

    while ((connection->owed & order[i].packet) == 0)
        i++;
    connection->owed &= ~order[i].packet;
    return order[i].operation;
}

bool connection_next_packet(struct connection *connection, struct vsock_header *header,
                            struct segments *payload, size_t size)
{
    *header = (struct vsock_header){
        .source_cid = CID_HOST,
        .destination_cid = connection->device->vm->guest_cid,
        .source_port = connection->host_port,
        .destination_port = connection->guest_port,
        .type = VSOCK_TYPE_STREAM,
        .buffer_size = BACKLOG_SIZE,
    };
    /* Data comes after the packet that opens the connection and before the one that ends it. */
    if ((connection->owed & OWED_RESPONSE) == 0 && has_data(connection) && connection_credit(connection) > 0)
        header->length = read_client(connection, payload, size);
    if (header->length > 0) {
        header->operation = VSOCK_DATA;
    } else if (connection->owed != 0) {
        header->operation = (uint16_t)take_owed(connection);
    } else {
        return false;
    }
    header->forwarded = connection->forwarded;
    if (header->operation == VSOCK_RESET) {
        table_free(connection);
        return true;
    }
    if (header->operation == VSOCK_SHUTDOWN) {
        header->flags = connection->host_shutdown;
        connection->announced_shutdown = connection->host_shutdown;
    }
    /* Every packet carries the credit. */
    connection->announced = connection->forwarded;
    connection->owed &= ~OWED_CREDIT_UPDATE;
    connection_schedule(connection);
    return true;
}
