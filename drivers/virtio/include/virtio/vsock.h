/* SPDX-License-Identifier: MIT
 *
 * Streams, and sequences of messages, between guest and host over virtio-vsock (virtio 1.2, section 5.10).
 *
 * Nothing here blocks. The owner calls vsock_poll after the `wake` hook fired and receives events; between
 * polls it reads and writes. Single-threaded: one task owns a vsock, and none of these calls may be made in
 * interrupt context.
 *
 * Ownership: a connection exists from its ACCEPTED (or vsock_connect) until the owner calls vsock_close or
 * vsock_abort on it, whatever the peer does meanwhile. The host may lie in every field: malformed packets are
 * counted, logged and answered with a reset, never believed.
 *
 * Connections are accepted from the host (CID 2) and from the guest itself (CID 1) alone, unless the owner
 * decides (vsock_config.accept). Some hosts forward packets between their guests; a sibling's request carries
 * its own CID. What the guest sends to itself stays in this library: the device never sees it.
 *
 * SEQPACKET (where the device offers VIRTIO_VSOCK_F_SEQPACKET): bytes come in messages. The calls are those
 * of streams; only whole messages can be read, none is cut or joined, and a message without bytes is none.
 * Records of several messages (SEQ_EOR) are not told apart.
 */
#ifndef VIRTIO_VSOCK_H
#define VIRTIO_VSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <virtio/device.h>

#define VSOCK_CID_LOCAL 1
#define VSOCK_CID_HOST  2

struct vsock;
struct vsock_connection;

enum vsock_event {
    VSOCK_ACCEPTED,  /* a peer connected to a listening port; vsock_set_context may be called now */
    VSOCK_CONNECTED, /* vsock_connect succeeded */
    VSOCK_READABLE,  /* bytes (SEQPACKET: a message) can be received, or the end of the stream can */
    VSOCK_WRITABLE,  /* a send that returned less than asked may go on */
    VSOCK_RESET, /* the connection is dead: reads return what is buffered, then the end of the stream if the
                    peer had sent it, else -ECONNRESET; writes fail. vsock_close it. */
};

struct vsock_config {
    size_t connections_max; /* at once, those that are closing among them; e.g. 64. One more is answered with
                               RST. */
    size_t receive_buffer_size; /* bytes of credit per connection, and of the largest message that can be
                                   received, at most 2 GiB; e.g. 65536. Allocated for what is there to be
                                   read, not in advance; a connection for whose data there is no memory is
                                   reset. */
    /* Called from vsock_poll. It may call anything here but vsock_poll and vsock_destroy. */
    void (*event)(void *context, enum vsock_event event, struct vsock_connection *connection);
    /* Whether a peer may connect to a listening port; one that may not sees its connection refused (RST).
     * Called from vsock_poll, and calls nothing here. NULL: the host and the guest itself may. */
    bool (*accept)(void *context, uint64_t cid, uint32_t peer_port, uint32_t local_port);
    /* Call vsock_poll soon. In interrupt context (so it keeps to VIRTIO_INTERRUPT_CODE), and from within
     * calls here. */
    void (*wake)(void *context);
    void *context;
};

/* Takes the device over (also on failure, when it is destroyed). Calls `wake`: the first poll arms the
 * interrupts. Returns 0; -EINVAL for a configuration or device that makes no sense; -ENODEV, -ENOENT, -EIO,
 * -EAGAIN as <virtio/device.h> has them, or for a CID that is none; -ENOMEM. */
int vsock_create(struct virtio_device *device, const struct vsock_config *config, struct vsock **vsock);
/* Resets the device and frees everything, the connections that are still open too: their handles are invalid.
 */
void vsock_destroy(struct vsock *vsock);

uint64_t vsock_guest_cid(const struct vsock *vsock);

/* Accepts connections to `port`: streams, or SEQPACKET. Each type has ports of its own; at most 8 together.
 * Returns 0, -EADDRINUSE, -ENOSPC, or -EINVAL for the port 2^32-1, which is none. */
int vsock_listen(struct vsock *vsock, uint32_t port);
int vsock_listen_seqpacket(struct vsock *vsock, uint32_t port);

/* Starts a connection from a free local port; CONNECTED or RESET follows, the latter after two seconds
 * without an answer. VSOCK_CID_LOCAL, or the guest's own CID, is the guest itself: both ends are connections
 * of this vsock, and either's vsock_peer_cid is VSOCK_CID_LOCAL. Returns 0, -ENOSPC (connections_max),
 * -ENOMEM, or -EPROTONOSUPPORT for SEQPACKET to a device that does not offer it. */
int vsock_connect(struct vsock *vsock, uint64_t cid, uint32_t port, struct vsock_connection **connection);
int vsock_connect_seqpacket(struct vsock *vsock, uint64_t cid, uint32_t port,
                            struct vsock_connection **connection);

/* Handles what the device has done and delivers events. Its work is bounded: under a flood it calls `wake`
 * and returns, so that other tasks run. Also runs time-outs, which the standard leaves to the driver (2 s for
 * a connection to be answered, 8 s for a close): call it at vsock_deadline, too.
 * Returns 0, or -EIO when the device is broken (then destroy it). */
int vsock_poll(struct vsock *vsock);
/* When the next time-out is due, in os->now_us; UINT64_MAX: none is. `wake` is called when a call outside of
 * vsock_poll brings it forward. */
uint64_t vsock_deadline(const struct vsock *vsock);

/* Since when the device has sent nothing of what it was given to send, in os->now_us, as far as the last
 * vsock_poll knows; UINT64_MAX: it has nothing to send. */
uint64_t vsock_stalled_since(const struct vsock *vsock);
/* Tells it once more that there is something to send, should it have missed that. */
void vsock_remind(struct vsock *vsock);

/* Copies at most `size` received bytes. Returns their number, 0 at the end of the stream (the peer sent
 * SHUTDOWN_SEND and all was read) and for `size` 0, -EAGAIN when there are none yet, -ECONNRESET. SEQPACKET:
 * of one message; what does not fit stays to be received next (vsock_message_left). */
int64_t vsock_receive(struct vsock_connection *connection, void *buffer, size_t size);

/* The same without a copy, for an owner that may stop in the middle: sets *bytes to those at the front, as
 * far as they lie together, and returns their number, or what vsock_receive does when there are none. They
 * stay where they are until vsock_take, vsock_receive or the end of the connection. */
int64_t vsock_peek(const struct vsock_connection *connection, const void **bytes);
/* Takes `size` bytes, at most what vsock_peek returned, off the front. */
void vsock_take(struct vsock_connection *connection, size_t size);

bool vsock_is_seqpacket(const struct vsock_connection *connection);
/* SEQPACKET: how many bytes of the message at the front are still to be received; 0 when no message is whole,
 * and for streams. */
size_t vsock_message_left(const struct vsock_connection *connection);

/* Queues at most `size` bytes, as far as the peer's credit, the ring and memory allow. Returns how many (0 to
 * size), -EPIPE after vsock_shutdown_send or when the peer receives no more, -ECONNRESET. After fewer than
 * `size`, VSOCK_WRITABLE follows, also when it is only to say -EPIPE. Connections that wait for room in the
 * ring send in turn. SEQPACKET: the message ends with the last of `size` bytes, so after fewer the rest of it
 * comes next; -EMSGSIZE for a message larger than the peer's buffer. */
int64_t vsock_send(struct vsock_connection *connection, const void *buffer, size_t size);

/* No more sends (the peer reads the end); receiving goes on. Returns 0, -ECONNRESET, or -ENOTCONN before
 * CONNECTED. */
int vsock_shutdown_send(struct vsock_connection *connection);

/* Lets go of the connection: what was sent is still delivered, the peer gets SHUTDOWN, then RST. The handle
 * is invalid at once. */
void vsock_close(struct vsock_connection *connection);
/* The same at once, by RST. */
void vsock_abort(struct vsock_connection *connection);

void vsock_set_context(struct vsock_connection *connection, void *context);
void *vsock_get_context(const struct vsock_connection *connection);
uint64_t vsock_peer_cid(const struct vsock_connection *connection);
uint32_t vsock_peer_port(const struct vsock_connection *connection);
uint32_t vsock_local_port(const struct vsock_connection *connection);

struct vsock_statistics {
    uint64_t connections;                    /* now, those that are closing among them */
    uint64_t accepted, refused;              /* requests, ever */
    uint64_t packets_received, packets_sent; /* by way of the device */
    uint64_t bytes_received, bytes_sent;     /* by all connections */
    uint64_t malformed;                      /* packets that broke the standard */
    uint64_t transport_resets;
};
void vsock_get_statistics(const struct vsock *vsock, struct vsock_statistics *statistics);

#endif
