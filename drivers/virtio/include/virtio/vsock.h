/* SPDX-License-Identifier: MIT
 *
 * Streams between guest and host over virtio-vsock (virtio 1.2, section 5.10).
 *
 * Nothing here blocks. The owner calls vsock_poll after the `wake` hook fired (wake comes in interrupt
 * context) and receives events; between polls it reads and writes. Single-threaded: one task owns a vsock.
 *
 * Ownership: a connection exists from its ACCEPTED (or vsock_connect) until the owner calls vsock_close or
 * vsock_abort on it, whatever the peer does meanwhile. The host may lie in every field: malformed packets are
 * counted, logged and answered with a reset, never believed.
 */
#ifndef VIRTIO_VSOCK_H
#define VIRTIO_VSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <virtio/device.h>

#define VSOCK_CID_HOST 2

struct vsock;
struct vsock_connection;

enum vsock_event {
    VSOCK_ACCEPTED,  /* a peer connected to a listening port; vsock_set_context may be called now */
    VSOCK_CONNECTED, /* vsock_connect succeeded */
    VSOCK_READABLE,  /* bytes can be received, or the end of the stream can */
    VSOCK_WRITABLE,  /* a send that returned less than asked may go on */
    VSOCK_RESET,     /* the connection is dead: reads return what is buffered, then -ECONNRESET; writes fail.
                        vsock_close it. */
};

struct vsock_config {
    size_t connections_max;     /* at once, in all; e.g. 64. One more is answered with RST. */
    size_t receive_buffer_size; /* bytes of credit per connection; allocated on demand, not in advance; e.g.
                                   65536 */
    /* Called from vsock_poll. It may call anything here but vsock_poll and vsock_destroy. */
    void (*event)(void *context, enum vsock_event event, struct vsock_connection *connection);
    void (*wake)(void *context); /* interrupt context (VIRTIO_INTERRUPT_CODE): call vsock_poll soon */
    void *context;
};

/* Takes the device over (also on failure, when it is destroyed). Returns 0 or a negative errno. */
int vsock_create(struct virtio_device *device, const struct vsock_config *config, struct vsock **vsock);
void vsock_destroy(struct vsock *vsock);

uint64_t vsock_guest_cid(const struct vsock *vsock);

/* Accept connections to `port`. At most 8 ports. Returns 0, -EADDRINUSE, -ENOSPC. */
int vsock_listen(struct vsock *vsock, uint32_t port);

/* Starts a connection from a free local port; CONNECTED or RESET follows. Returns 0 or -ENOSPC, -ENOMEM. */
int vsock_connect(struct vsock *vsock, uint64_t cid, uint32_t port, struct vsock_connection **connection);

/* Handles all that the device has done and delivers events. Also runs time-outs (section 5.10.6.5 leaves them
 * to the driver): call it at least once a second while connections are closing. Returns 0, or -EIO when the
 * device is broken (then destroy it). */
int vsock_poll(struct vsock *vsock);

/* Copies at most `size` received bytes. Returns their number, 0 at the end of the stream (the peer sent
 * SHUTDOWN_SEND and all was read), -EAGAIN when there are none yet, -ECONNRESET. */
int64_t vsock_receive(struct vsock_connection *connection, void *buffer, size_t size);

/* Queues at most `size` bytes, as far as the peer's credit and the ring allow. Returns how many (0 to size),
 * or -EPIPE, -ECONNRESET. After fewer than `size`, VSOCK_WRITABLE follows. */
int64_t vsock_send(struct vsock_connection *connection, const void *buffer, size_t size);

/* No more sends (the peer reads the end); receiving goes on. */
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
    uint64_t connections;       /* open now */
    uint64_t accepted, refused; /* ever */
    uint64_t packets_received, packets_sent, bytes_received, bytes_sent;
    uint64_t malformed; /* packets that broke the standard */
    uint64_t transport_resets;
};
void vsock_get_statistics(const struct vsock *vsock, struct vsock_statistics *statistics);

#endif
