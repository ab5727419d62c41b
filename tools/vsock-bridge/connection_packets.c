/* SPDX-License-Identifier: MIT
 *
 * What the guest's packets do to a connection.
 */
#include "connection_internal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "device.h"
#include "greeting.h"
#include "log.h"

/* The guest does what it may not: the connection is over. */
static void violation(struct connection *connection, const char *what)
{
    log_warning("port %u: the guest %s; the connection is reset", connection->guest_port, what);
    connection_reset(connection);
}

/* Writes the payload straight from the guest's buffers to the client, and keeps what that does not take. */
static void deliver(struct connection *connection, struct segments *payload, size_t size)
{
    struct msghdr message;
    ssize_t sent = 0;

    if (size > BACKLOG_SIZE - (uint32_t)(connection->received - connection->forwarded)) {
        violation(connection, "sends more than it has credit for");
        return;
    }
    if ((connection->guest_shutdown & VSOCK_NO_SEND) != 0) {
        violation(connection, "sends after it said that it would not");
        return;
    }
    connection->received += (uint32_t)size;
    segments_limit(payload, size);
    if ((connection->host_shutdown & VSOCK_NO_RECEIVE) != 0) {
        connection_account_forwarded(connection, size);
        return;
    }
    if (connection->backlog.used == 0 && size > 0) {
        message = (struct msghdr){.msg_iov = payload->first, .msg_iovlen = payload->count};
        sent = sendmsg(connection->watch.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            connection_client_lost(connection);
            connection_settle(connection);
            return;
        }
        if (sent < 0)
            sent = 0;
        connection_account_forwarded(connection, (size_t)sent);
        segments_skip(payload, (size_t)sent);
    }
    if ((size_t)sent == size)
        return;
    if (backlog_append(&connection->backlog, payload, size - (size_t)sent) != 0) {
        log_error("port %u: out of memory; the connection is reset", connection->guest_port);
        connection_reset(connection);
        return;
    }
    if (!connection->write_blocked)
        connection_flush(connection);
}

/* The guest has answered REQUEST. */
static void opened(struct connection *connection)
{
    char line[GREETING_MAX];
    int size;

    log_debug("port %u: open, host port %u", connection->guest_port, connection->host_port);
    connection->state = CONNECTION_OPEN;
    if (connection->handshake) {
        /* The first bytes in an empty socket: they fit, or the client is gone. */
        size = snprintf(line, sizeof line, "OK %u\n", connection->host_port);
        if (send(connection->watch.fd, line, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT) != size)
            connection_client_lost(connection);
    }
    connection_settle(connection);
}

static void packet_while_open(struct connection *connection, const struct vsock_header *header,
                              struct segments *payload, size_t size)
{
    switch (header->operation) {
    case VSOCK_DATA:
        if (header->length > size)
            violation(connection, "sends a packet shorter than its header says");
        else
            deliver(connection, payload, header->length);
        break;
    case VSOCK_SHUTDOWN:
        connection->guest_shutdown |= header->flags & VSOCK_NEITHER;
        if ((connection->guest_shutdown & VSOCK_NO_RECEIVE) != 0)
            (void)shutdown(connection->watch.fd, SHUT_RD);
        connection_settle(connection);
        break;
    case VSOCK_RESET:
        log_debug("port %u: reset by the guest", connection->guest_port);
        connection_guest_gone(connection);
        break;
    case VSOCK_CREDIT_REQUEST:
        connection_owe(connection, OWED_CREDIT_UPDATE);
        break;
    case VSOCK_CREDIT_UPDATE:
        break;
    default:
        violation(connection, "sends an operation that does not belong to an open connection");
        break;
    }
}

void connection_packet(struct connection *connection, const struct vsock_header *header,
                       struct segments *payload, size_t size)
{
    connection->peer_size = header->buffer_size;
    connection->peer_forwarded = header->forwarded;
    if (connection_credit(connection) > 0)
        connection->credit_requested = false;

    switch (connection->state) {
    case CONNECTION_REQUESTED:
        if (header->operation == VSOCK_RESPONSE) {
            opened(connection);
        } else if (header->operation == VSOCK_RESET) {
            log_info("port %u: refused by the guest", connection->guest_port);
            table_free(connection);
        } else {
            violation(connection, "answers a request with neither response nor reset");
        }
        break;
    case CONNECTION_OPEN:
        packet_while_open(connection, header, payload, size);
        connection_schedule(connection); /* whatever it was, it brought credit */
        break;
    case CONNECTION_LINGERING:
        /* Both sides may close at the same time. */
        if (header->operation == VSOCK_RESET)
            table_free(connection);
        else if (header->operation == VSOCK_SHUTDOWN && (header->flags & VSOCK_NEITHER) == VSOCK_NEITHER)
            connection_reset(connection);
        break;
    case CONNECTION_RESETTING:
        if (header->operation == VSOCK_RESET)
            table_free(connection);
        break;
    default:
        break;
    }
}
