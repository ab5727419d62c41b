/* SPDX-License-Identifier: MIT
 *
 * A split virtqueue, driver side (virtio 1.2, section 2.7). A device's transport makes it
 * (virtio_device_queue); a driver adds chains of buffers, kicks the device, and takes back what it has used.
 *
 * One task owns a queue; none of these calls may be made in interrupt context. Nothing here blocks. The queue
 * goes with virtio_device_reset; what the device still held then belongs to the driver again.
 *
 * The device is not trusted: descriptors and indices are kept in private memory and only ever written to the
 * shared rings; each used element is copied once and its copy checked. A device that returns a chain that it
 * does not hold, more chains than it holds, or more bytes than a chain has room for, breaks the queue: from
 * then on every call says -EIO until the device is reset.
 */
#ifndef VIRTIO_QUEUE_H
#define VIRTIO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct virtio_queue;

/* Memory as the device sees it; contiguous there. */
struct virtio_buffer {
    uint64_t physical;
    uint32_t size; /* bytes, not 0 */
};

/* Offers a chain to the device: first the buffers that it reads, then those that it writes. `token` comes
 * back from virtio_queue_take; the memory belongs to the device until then. The array itself may go at once.
 * The device may see the chain before the kick.
 *
 * With INDIRECT_DESC a chain of any length takes one descriptor of the ring; its table is allocated when it
 * is first needed and kept for the next chain, so that memory follows the deepest use of the queue. When
 * there is no memory for a table, the chain takes a descriptor of the ring for each buffer.
 *
 * Returns 0; -ENOSPC when the ring is full at present; -EINVAL for no buffer, an empty one, more buffers than
 * virtio_queue_size (section 2.7.5.3.1), or 4 GiB and more in all; -EIO when the queue is broken. */
int virtio_queue_add(struct virtio_queue *queue, const struct virtio_buffer *readable, size_t readable_count,
                     const struct virtio_buffer *writable, size_t writable_count, void *token);

/* From here on chains take descriptors of the ring, never a table: for short chains in a ring with room for
 * them, which then need no memory besides it. */
void virtio_queue_avoid_indirect(struct virtio_queue *queue);

/* Tells the device about the chains added since the last kick, unless it does not want to be told (section
 * 2.7.10). One kick after several adds is cheaper than one each. */
void virtio_queue_kick(struct virtio_queue *queue);

/* Tells the device in any case, should it have missed a kick. */
void virtio_queue_kick_again(struct virtio_queue *queue);

/* Takes back one chain that the device has used. Sets *token, and *written to how many bytes it says it wrote
 * from the start of the writable buffers, at most their size (0 for a chain without any). Returns 1; 0 when
 * there is none; -EIO when the queue is broken. */
int virtio_queue_take(struct virtio_queue *queue, void **token, uint32_t *written);

/* Takes back, by its token, a chain that the device holds and is known to have forgotten. Should the device
 * return it all the same, it breaks the queue, or is taken to return a later chain. Returns 0, or -ENOENT
 * when the device holds no such chain. */
int virtio_queue_drop(struct virtio_queue *queue, const void *token);

/* Asks for an interrupt when `chains` more chains have been used (1: at the next; a device without EVENT_IDX
 * always interrupts at the next). Returns true when it is armed; false when that many are there to be taken
 * already, and an interrupt may not come for them: take, then ask again. */
bool virtio_queue_enable_interrupt(struct virtio_queue *queue, uint16_t chains);

/* Asks for none. It is a hint: one may come all the same. A queue starts this way. */
void virtio_queue_disable_interrupt(struct virtio_queue *queue);

uint16_t virtio_queue_size(const struct virtio_queue *queue);

/* Descriptors of the ring that are free. A chain takes one with INDIRECT_DESC, otherwise one per buffer. */
uint16_t virtio_queue_free_descriptors(const struct virtio_queue *queue);

/* Chains that the device holds, those that can be taken among them. */
uint16_t virtio_queue_chains_in_flight(const struct virtio_queue *queue);

bool virtio_queue_broken(const struct virtio_queue *queue);

#endif
