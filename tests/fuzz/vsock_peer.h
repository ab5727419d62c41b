/* SPDX-License-Identifier: MIT
 *
 * The host's end of the vsock target: it knows the standard, and says anything all the same.
 */
#ifndef VSOCK_PEER_H
#define VSOCK_PEER_H

#include "fuzz.h"
#include "unit/virtio/fake_host.h"

/* Both directions between two ends. A new connection of the same ends starts again at position 0, while bytes
 * of the one before may still be on their way or unread: what limits those are the most of all connections.
 */
struct stream {
    uint32_t told, told_max; /* bytes that the host has sent */
    uint32_t taken;          /* that it has got */
    uint32_t sent_max;       /* that an owner has sent on one connection */
    uint32_t forward_max;    /* that the host said it had read, and could have */
    uint32_t buffer_max;     /* the most room that it said it had */
    uint32_t ends[64];       /* SEQPACKET: where the host's messages end; more are not followed */
    size_t end_count;
    uint64_t began; /* the number of the packet that told of a new beginning */
};

struct peer {
    struct stream streams[2][3][4][32]; /* by type, CID, host's port, guest's port */
    struct stream local[2][32];         /* of the guest with itself, by type and the port that it chose */
    size_t buffer_size;                 /* that the guest has */
    size_t packets_sent;
    uint64_t cids[1024]; /* that the guest may have had */
    size_t cid_count;
    bool callbacks; /* the owner acts in them */
    bool tainted;   /* the host lied in a way that makes contents meaningless */
    bool lied[3];   /* about what it used, by queue */
    bool broken;    /* the guest says so */
    struct fake_chain held;
    bool has_held;
};
extern struct peer peer;

void peer_start(struct input *script, size_t buffer_size, bool odd_device, bool callbacks);

uint64_t peer_cid(uint8_t choice);
uint32_t peer_port(uint8_t choice);
/* NULL for ends that the target does not follow. */
struct stream *stream_of(uint16_t type, uint64_t cid, uint32_t host_port, uint32_t guest_port);
bool stream_is_local(const struct stream *stream);
/* What stands at a position of a stream, either way. */
uint8_t stream_byte(const struct stream *stream, uint32_t position);

/* Sends a packet, mostly a sensible one. */
void peer_send(struct input *script, uint8_t choice);
/* Takes one packet of the guest and checks it. */
bool peer_take(void);
/* Returns whether there was any. */
bool peer_take_all(void);
/* Lies about ids, lengths and indices of a ring; events; another CID; a broken device. */
void peer_misbehave(struct input *script);
/* Interrupts where the guest wants it. */
void peer_interrupt(void);

#endif
