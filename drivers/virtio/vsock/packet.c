/* SPDX-License-Identifier: MIT
 *
 * What a received packet does: virtio 1.2, section 5.10.6. The host may have written anything.
 */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "vsock/private.h"

/* Counts a packet that breaks the standard. A flood of them must not become a flood of log lines: the first,
 * the second, the fourth... are logged. */
static void malformed(struct vsock *vsock, const struct vsock_header *header, const char *reason)
{
    uint64_t count = ++vsock->statistics.malformed;

    if ((count & (count - 1)) == 0)
        virtio_log(vsock->os, VIRTIO_LOG_WARNING, "vsock",
                   "%s: operation %u, type %u, %llu:%u to %llu:%u, %u bytes (%llu malformed packets so far)",
                   reason, header->operation, header->type, (unsigned long long)header->source_cid,
                   header->source_port, (unsigned long long)header->destination_cid, header->destination_port,
                   header->length, (unsigned long long)count);
}

/* Section 5.10.6.5: RST to a peer that we have no connection with, but never in answer to RST. */
static void refuse(struct vsock *vsock, const struct vsock_header *header)
{
    struct vsock_reset reset = {
        .peer_cid = header->source_cid,
        .peer_port = header->source_port,
        .local_port = header->destination_port,
        .type = header->type,
    };

    if (header->operation != VSOCK_OP_RST)
        vsock_transmit_reset(vsock, &reset);
}

static bool may_connect(const struct vsock *vsock, const struct vsock_header *header)
{
    const struct vsock_config *config = &vsock->config;

    if (!vsock_is_listening(vsock, header->type, header->destination_port))
        return false;
    if (config->accept != NULL)
        return config->accept(config->context, header->source_cid, header->source_port,
                              header->destination_port);
    /* Some hosts forward packets between their guests (vhost-device-vsock's groups): a sibling's request has
     * its own CID. */
    return header->source_cid == VSOCK_CID_HOST || header->source_cid == VSOCK_CID_LOCAL;
}

static void accept_request(struct vsock *vsock, const struct vsock_header *header)
{
    struct vsock_connection *connection = NULL;

    if (may_connect(vsock, header))
        connection = vsock_connection_new(vsock, header->type, header->source_cid, header->source_port,
                                          header->destination_port);
    if (connection == NULL) {
        vsock->statistics.refused++;
        refuse(vsock, header);
        return;
    }
    vsock->statistics.accepted++;
    connection->state = VSOCK_STATE_ESTABLISHED;
    connection->peer_buffer_size = header->buffer_size;
    vsock_transmit_control(connection, VSOCK_OP_RESPONSE);
    vsock_connection_notify(connection, VSOCK_ACCEPTED);
}

/* Takes the peer's word about its buffer, section 5.10.6.3. Returns false for a count of bytes that we never
 * sent. */
static bool update_credit(struct vsock_connection *connection, const struct vsock_header *header)
{
    uint32_t step = header->forward_count - connection->peer_forwarded;
    uint32_t on_its_way = connection->sent - connection->peer_forwarded;

    if (step > UINT32_MAX / 2)
        step = 0; /* Linux can send an older count after a newer one, from two threads */
    if (step > on_its_way)
        return false;
    connection->peer_forwarded += step;
    connection->peer_buffer_size = header->buffer_size;
    if (connection->waits_for_credit && on_its_way - step < header->buffer_size) {
        connection->waits_for_credit = false;
        connection->credit_requested = false;
        vsock_connection_notify(connection, VSOCK_WRITABLE);
    }
    return true;
}

static void no_memory(struct vsock_connection *connection, const struct vsock_header *header)
{
    virtio_log(connection->vsock->os, VIRTIO_LOG_WARNING, "vsock",
               "port %u: no memory for %u bytes, connection reset", connection->peer_port, header->length);
    vsock_connection_kill(connection, true);
}

/* The payload is in the stream: does it end a message? Section 5.10.6.6; a message without bytes is none. */
static void receive_message(struct vsock_connection *connection, const struct vsock_header *header)
{
    struct vsock *vsock = connection->vsock;
    struct vsock_messages *messages = &connection->messages;

    messages->incoming += header->length;
    if ((header->flags & VSOCK_SEQ_EOM) == 0) {
        /* Its owner will never see the end, which there is no room for. */
        if (messages->incoming == vsock->config.receive_buffer_size) {
            malformed(vsock, header, "message larger than its credit");
            vsock_connection_kill(connection, true);
        }
        return;
    }
    if (messages->incoming == 0)
        return;
    if (vsock_messages_end(vsock->os, messages))
        vsock_connection_notify(connection, VSOCK_READABLE);
    else
        no_memory(connection, header);
}

static void receive_data(struct vsock_connection *connection, const struct vsock_header *header,
                         const uint8_t *payload)
{
    struct vsock *vsock = connection->vsock;

    if (connection->state == VSOCK_STATE_CLOSING)
        return; /* nobody reads it any more; the peer learns that from our SHUTDOWN */
    if ((connection->peer_shutdown & VSOCK_SHUTDOWN_SEND) != 0) {
        malformed(vsock, header, "data after SHUTDOWN");
        vsock_connection_kill(connection, true);
        return;
    }
    if (header->length > vsock->config.receive_buffer_size - connection->stream.size) {
        malformed(vsock, header, "more data than its credit");
        vsock_connection_kill(connection, true);
        return;
    }
    if (header->length > 0 && !vsock_stream_append(vsock->os, &connection->stream, payload, header->length)) {
        no_memory(connection, header);
        return;
    }
    vsock->statistics.bytes_received += header->length;
    if (connection->type == VSOCK_TYPE_SEQPACKET)
        receive_message(connection, header);
    else if (header->length > 0)
        vsock_connection_notify(connection, VSOCK_READABLE);
}

static void receive_shutdown(struct vsock_connection *connection, uint32_t flags)
{
    /* Section 5.10.6.5: a bit stays set once it was. */
    uint8_t before = connection->peer_shutdown;
    connection->peer_shutdown = (uint8_t)(before | (flags & VSOCK_SHUTDOWN_BOTH));
    uint8_t added = (uint8_t)(connection->peer_shutdown & ~before);

    if ((added & VSOCK_SHUTDOWN_SEND) != 0)
        vsock_connection_notify(connection, VSOCK_READABLE);
    if ((added & VSOCK_SHUTDOWN_RECEIVE) != 0)
        vsock_connection_notify(connection, VSOCK_WRITABLE); /* to learn -EPIPE */
    if (connection->state == VSOCK_STATE_CLOSING && connection->peer_shutdown == VSOCK_SHUTDOWN_BOTH)
        vsock_connection_kill(connection, true);
}

static void receive_for(struct vsock_connection *connection, const struct vsock_header *header,
                        const uint8_t *payload)
{
    struct vsock *vsock = connection->vsock;
    bool connecting = connection->state == VSOCK_STATE_CONNECTING;

    if (header->operation == VSOCK_OP_RST) {
        vsock_connection_kill(connection, false);
        return;
    }
    if (connecting != (header->operation == VSOCK_OP_RESPONSE)) {
        malformed(vsock, header, "unexpected operation");
        vsock_connection_kill(connection, true);
        return;
    }
    if (!update_credit(connection, header)) {
        malformed(vsock, header, "fwd_cnt beyond what was sent");
        vsock_connection_kill(connection, true);
        return;
    }
    switch (header->operation) {
    case VSOCK_OP_RESPONSE:
        connection->state = VSOCK_STATE_ESTABLISHED;
        vsock_connection_notify(connection, VSOCK_CONNECTED);
        break;
    case VSOCK_OP_RW:
        receive_data(connection, header, payload);
        break;
    case VSOCK_OP_SHUTDOWN:
        receive_shutdown(connection, header->flags);
        break;
    case VSOCK_OP_CREDIT_UPDATE:
        break;
    case VSOCK_OP_CREDIT_REQUEST:
        vsock_transmit_control(connection, VSOCK_OP_CREDIT_UPDATE);
        break;
    default: /* REQUEST, and what the standard does not know */
        malformed(vsock, header, "unexpected operation");
        vsock_connection_kill(connection, true);
        break;
    }
}

/* Connections of another type have no way to be made, so their packets are for nobody. */
static bool knows_type(const struct vsock *vsock, uint16_t type, uint64_t cid)
{
    return type == VSOCK_TYPE_STREAM ||
           (type == VSOCK_TYPE_SEQPACKET && (vsock->seqpacket || cid == VSOCK_CID_LOCAL));
}

void vsock_packet_handle(struct vsock *vsock, const uint8_t *header_memory, const uint8_t *payload,
                         size_t size, uint64_t cid)
{
    struct vsock_header header = {0};

    if (size < sizeof(header)) {
        malformed(vsock, &header, "packet shorter than its header");
        return;
    }
    memcpy(&header, header_memory, sizeof(header));
    VIRTIO_TRACE(vsock->os, "vsock", "received operation %u, %llu:%u to %llu:%u, %u bytes", header.operation,
                 (unsigned long long)header.source_cid, header.source_port,
                 (unsigned long long)header.destination_cid, header.destination_port, header.length);

    /* Not for us: an answer would have to come from an address that is not ours. */
    if (header.destination_cid != cid) {
        malformed(vsock, &header, "packet for another CID");
        return;
    }
    /* What we send to ourselves does not come by way of the device: it must not speak in our name. */
    if (header.source_cid == vsock->guest_cid ||
        (header.source_cid == VSOCK_CID_LOCAL) != (cid == VSOCK_CID_LOCAL)) {
        malformed(vsock, &header, "packet in our own name");
        return;
    }
    /* Section 5.10.6.4: an unknown type is answered with RST. */
    if (!knows_type(vsock, header.type, cid)) {
        malformed(vsock, &header, "unknown type");
        refuse(vsock, &header);
        return;
    }

    struct vsock_connection *connection = vsock_connection_find(vsock, header.type, header.source_cid,
                                                                header.source_port, header.destination_port);
    if (header.length > size - sizeof(header) || (header.length > 0 && header.operation != VSOCK_OP_RW)) {
        malformed(vsock, &header, "wrong length");
        if (connection != NULL)
            vsock_connection_kill(connection, true);
        else
            refuse(vsock, &header);
    } else if (connection != NULL) {
        receive_for(connection, &header, payload);
    } else if (header.operation == VSOCK_OP_REQUEST) {
        accept_request(vsock, &header);
    } else {
        refuse(vsock, &header);
    }
}
