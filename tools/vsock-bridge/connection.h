/* SPDX-License-Identifier: MIT
 *
 * One stream between a client's socket on the host and a port of the guest (virtio 1.2, section 5.10.6): its
 * states, its credit in both directions, its end.
 *
 * Nothing is buffered towards the guest: a client's bytes stay in its socket until the guest has a buffer and
 * credit for them. Towards the client at most BACKLOG_SIZE bytes are, which is the credit that the guest has.
 */
#ifndef VSOCK_BRIDGE_CONNECTION_H
#define VSOCK_BRIDGE_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "backlog.h"
#include "loop.h"
#include "segments.h"
#include "wire.h"

struct device;

enum connection_state {
    CONNECTION_FREE,
    CONNECTION_GREETING,  /* the client has not said which port it wants */
    CONNECTION_WAITING,   /* no driver is ready yet */
    CONNECTION_REQUESTED, /* the guest has to answer REQUEST */
    CONNECTION_OPEN,
    CONNECTION_LINGERING, /* the client is gone, and the guest has to answer SHUTDOWN with RST */
    CONNECTION_RESETTING, /* the client is gone, and RST has to be sent */
    CONNECTION_DRAINING,  /* the guest is gone, and the client has not taken all bytes yet */
};

/* Packets that the guest has to be sent. */
#define OWED_REQUEST        1U
#define OWED_RESPONSE       2U
#define OWED_RESET          4U
#define OWED_SHUTDOWN       8U
#define OWED_CREDIT_UPDATE  16U
#define OWED_CREDIT_REQUEST 32U

struct connection {
    struct watch watch; /* the client's socket */
    struct device *device;
    enum connection_state state;
    uint64_t ordinal; /* the older, the smaller */
    bool admin;       /* the client's host port tells the guest that it is one */
    uint32_t guest_port, host_port;
    struct connection *next_in_bucket;
    TAILQ_ENTRY(connection) turns;
    bool has_turn;
    unsigned owed;

    bool handshake;    /* the client said CONNECT and waits for OK */
    bool readable;     /* as far as known; a read tells */
    bool client_ended; /* it will not send any more than what is in the socket */
    bool client_gone;  /* nor receive */
    bool write_blocked;
    bool write_ended; /* shutdown(2) told the client that nothing more comes */

    /* Counters of bytes, modulo 2^32 as on the wire. */
    uint32_t sent;           /* to the guest */
    uint32_t peer_size;      /* the guest's buffer */
    uint32_t peer_forwarded; /* what the guest has taken out of it */
    bool credit_requested;
    uint32_t received;  /* from the guest */
    uint32_t forwarded; /* of it to the client */
    uint32_t announced; /* of that the guest knows */
    struct backlog backlog;

    /* Flags of SHUTDOWN. */
    unsigned guest_shutdown, host_shutdown, announced_shutdown;
};

/* A client has connected; takes its socket over. */
void connection_start(struct connection *connection, int socket);

/* The driver is ready: a connection that waits for it asks the guest. */
void connection_request(struct connection *connection);

/* The guest has connected to host port `host_port`; takes over the socket of who listens there. Returns 0 or
 * a negative errno (then the connection is free). */
int connection_accept(struct connection *connection, int socket, const struct vsock_header *request);

/* A packet of the guest for this connection, with `size` bytes of payload in `payload`. */
void connection_packet(struct connection *connection, const struct vsock_header *header,
                       struct segments *payload, size_t size);

/* Writes the next packet for the guest: its header into `header`, its payload, if any, into `payload`, which
 * has room for `size` bytes. Returns whether there is one. */
bool connection_next_packet(struct connection *connection, struct vsock_header *header,
                            struct segments *payload, size_t size);

/* The guest is gone, by RST or altogether: what it has sent is still delivered, then the client's socket is
 * closed. */
void connection_guest_gone(struct connection *connection);

/* Ends the connection from this side: the client's socket is closed and the guest gets RST. */
void connection_reset(struct connection *connection);

#endif
