/* SPDX-License-Identifier: MIT
 *
 * The rings as they lie in memory, and how a transport makes a queue.
 */
#ifndef VIRTIO_QUEUE_PRIVATE_H
#define VIRTIO_QUEUE_PRIVATE_H

#include <virtio/os.h>
#include <virtio/queue.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "virtio 1.x fields are little-endian");

#define VIRTQ_SIZE_MAX 32768 /* section 2.7 */

/* Section 2.7.5 */
#define VIRTQ_DESC_F_NEXT     1
#define VIRTQ_DESC_F_WRITE    2
#define VIRTQ_DESC_F_INDIRECT 4
struct virtq_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};
_Static_assert(sizeof(struct virtq_descriptor) == 16, "virtio 1.2, 2.7.5");
_Static_assert(offsetof(struct virtq_descriptor, length) == 8, "virtio 1.2, 2.7.5");
_Static_assert(offsetof(struct virtq_descriptor, flags) == 12, "virtio 1.2, 2.7.5");
_Static_assert(offsetof(struct virtq_descriptor, next) == 14, "virtio 1.2, 2.7.5");

/* Section 2.7.6; used_event follows ring[size]. */
#define VIRTQ_AVAILABLE_F_NO_INTERRUPT 1
struct virtq_available {
    uint16_t flags;
    uint16_t index;
    uint16_t ring[];
};
_Static_assert(sizeof(struct virtq_available) == 4, "virtio 1.2, 2.7.6");

/* Section 2.7.8; avail_event follows ring[size]. */
#define VIRTQ_USED_F_NO_NOTIFY 1
struct virtq_used_element {
    uint32_t id;
    uint32_t length;
};
_Static_assert(sizeof(struct virtq_used_element) == 8, "virtio 1.2, 2.7.8");
struct virtq_used {
    uint16_t flags;
    uint16_t index;
    struct virtq_used_element ring[];
};
_Static_assert(sizeof(struct virtq_used) == 4, "virtio 1.2, 2.7.8");

struct virtio_queue_config {
    uint16_t index;
    uint16_t size; /* a power of two, at most VIRTQ_SIZE_MAX */
    bool indirect; /* what was negotiated */
    bool event_index;
    void (*notify)(void *context, uint16_t index);
    void *notify_context;
};

/* Returns 0, -EINVAL (size), -ENOMEM. */
int virtio_queue_create(const struct virtio_os *os, const struct virtio_queue_config *config,
                        struct virtio_queue **queue);
/* Frees the rings: the device must have been reset, or must never have heard of them. */
void virtio_queue_destroy(struct virtio_queue *queue);

/* Where the three parts are, for the device's registers. */
void virtio_queue_addresses(const struct virtio_queue *queue, uint64_t *descriptors, uint64_t *available,
                            uint64_t *used);
uint16_t virtio_queue_index(const struct virtio_queue *queue);

#endif
