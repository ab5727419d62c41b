/* SPDX-License-Identifier: MIT
 *
 * The device's side of a split virtqueue (virtio 1.2, section 2.7), written from the standard and not from
 * the driver's code. It fails the test when the driver breaks a rule; it can break them itself.
 */
#ifndef FAKE_RING_H
#define FAKE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_CHAIN_MAX 256

struct fake_ring {
    uint16_t size;
    bool indirect, event_index; /* as negotiated */
    uint64_t descriptors, available, used;
    uint16_t available_index; /* next to take */
    uint16_t used_index;      /* next to fill */
    uint16_t signalled;       /* used_index when an interrupt was last considered */
};

struct fake_chain {
    uint16_t id;
    size_t readable_count, writable_count;
    size_t readable_size, writable_size;
    struct {
        uint64_t physical;
        uint32_t size;
    } buffers[FAKE_CHAIN_MAX]; /* the readable ones first */
};

/* Takes the next chain that the driver has made available. */
bool fake_ring_take(struct fake_ring *ring, struct fake_chain *chain);
size_t fake_ring_available(const struct fake_ring *ring);
/* Puts an element into the used ring; any id and length. */
void fake_ring_use(struct fake_ring *ring, uint32_t id, uint32_t length);
/* Moves the used index without an element. */
void fake_ring_skip(struct fake_ring *ring, uint16_t count);
/* Whether the driver wants an interrupt for what was used since the last call. */
bool fake_ring_wants_interrupt(struct fake_ring *ring);
/* Says when the next kick is wanted: at the next chain, or not at all. */
void fake_ring_want_kick(struct fake_ring *ring, bool wanted);
/* The device wants to be kicked when a buffer comes that is not there yet, as Linux's vhost does while it has
 * buffers and nothing to put into them. */
void fake_ring_want_next(struct fake_ring *ring);

/* Copies between a chain and plain memory. Return what was copied. */
size_t fake_chain_read(const struct fake_chain *chain, void *out, size_t size);
size_t fake_chain_write(const struct fake_chain *chain, const void *data, size_t size);

#endif
