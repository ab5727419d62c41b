/* SPDX-License-Identifier: MIT
 *
 * The device side of a split virtqueue (virtio 1.2, section 2.7).
 *
 * Chains are used in the order in which the driver made them available, each before the next one is taken, so
 * one index says everything: entries before `next` are used, those from it on are the driver's offers. All
 * that stands in the ring is the guest's word: every index, address and length is checked, and descriptors
 * are copied once.
 */
#ifndef VSOCK_BRIDGE_RING_H
#define VSOCK_BRIDGE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "memory.h"

/* The greatest queue size that is accepted, and the most descriptors of a chain in an indirect table. */
#define RING_SIZE_MAX 1024
/* What one readv or writev takes (IOV_MAX). */
#define CHAIN_SEGMENTS_MAX 1024

struct ring {
    const char *name; /* for log lines */

    uint16_t size;                                                 /* entries; a power of two. 0: not set */
    uint64_t descriptors_address, available_address, used_address; /* in QEMU's terms */
    bool addresses_set;
    bool event_index; /* VIRTIO_F_EVENT_IDX is negotiated */

    const uint8_t *descriptors;
    uint16_t *available;
    uint16_t *used; /* NULL: not mapped */

    uint16_t next;      /* the free running index of the next available entry to take */
    uint16_t published; /* used entries that the driver can see */
    const char *fault;  /* what was wrong, after a negative result */
};

/* A descriptor chain, resolved. */
struct chain {
    uint16_t head;
    unsigned segment_count;
    size_t size; /* bytes in all segments */
    struct iovec segments[CHAIN_SEGMENTS_MAX];
};

enum chain_direction { CHAIN_FROM_DRIVER, CHAIN_TO_DRIVER };

/* Finds the ring's parts in `memory`. Returns 0 or -EINVAL (size, alignment or addresses; see `fault`). */
int ring_map(struct ring *ring, const struct guest_memory *memory);
void ring_unmap(struct ring *ring);

/* Goes on behind the last entry that was published, after a device that did not live to say where it stood:
 * since chains are used in order, that is the guest's only trace of it, and all that a lie there brings is
 * chains that are used twice or never. */
void ring_recover(struct ring *ring);

/* Resolves the next chain without taking it. Returns 1, 0 when the driver offers none, or -EPROTO when the
 * ring is broken. */
int ring_peek(struct ring *ring, const struct guest_memory *memory, enum chain_direction direction,
              struct chain *chain);

/* Uses the chain that was peeked; `written` bytes of it were filled. */
void ring_use(struct ring *ring, const struct chain *chain, uint32_t written);

/* Makes the used entries visible. Returns whether the driver wants an interrupt for them. */
bool ring_publish(struct ring *ring);

/* Asks the driver for a notification when it offers more. Returns whether it has done so already: then do not
 * wait. */
bool ring_want_notification(struct ring *ring);
void ring_suppress_notification(struct ring *ring);

#endif
