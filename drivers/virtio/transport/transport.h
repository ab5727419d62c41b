/* SPDX-License-Identifier: MIT
 *
 * Between a transport (PCI, MMIO) and what all transports share (device.c). A transport embeds struct
 * virtio_device as the first member of its own struct and fills in the first part of it.
 */
#ifndef VIRTIO_TRANSPORT_TRANSPORT_H
#define VIRTIO_TRANSPORT_TRANSPORT_H

#include <virtio/device.h>

#define VIRTIO_QUEUES_MAX 16 /* per device; the drivers here use at most a few */

/* Section 2.1 */
#define VIRTIO_STATUS_ACKNOWLEDGE 1
#define VIRTIO_STATUS_DRIVER      2
#define VIRTIO_STATUS_DRIVER_OK   4
#define VIRTIO_STATUS_FEATURES_OK 8
#define VIRTIO_STATUS_NEEDS_RESET 64
#define VIRTIO_STATUS_FAILED      128

/* No operation trusts what it reads. */
struct virtio_transport {
    uint8_t (*read_status)(struct virtio_device *device);
    void (*write_status)(struct virtio_device *device, uint8_t status);
    uint64_t (*read_features)(struct virtio_device *device);
    void (*write_features)(struct virtio_device *device, uint64_t features);

    /* The most entries that the device allows in this queue; 0 when it has no such queue. */
    uint16_t (*queue_size_max)(struct virtio_device *device, uint16_t index);
    /* Tells the device where the queue is, gives it an interrupt and enables it. */
    int (*queue_enable)(struct virtio_device *device, struct virtio_queue *queue,
                        virtio_interrupt_handler handler, void *argument);
    /* The kick; `device` as void, because a queue calls it. */
    void (*notify)(void *device, uint16_t index);

    /* Gives the configuration change an interrupt. */
    int (*config_interrupt)(struct virtio_device *device, virtio_interrupt_handler handler, void *argument);
    /* After the device's reset: no handler is called any more, and a device that did not leave reset cannot
     * reach memory. */
    void (*quiesce)(struct virtio_device *device);

    uint32_t (*config_generation)(struct virtio_device *device);
    size_t config_size;
    /* `offset` and `size` are within config_size. */
    void (*config_read)(struct virtio_device *device, size_t offset, void *out, size_t size);

    void (*free)(struct virtio_device *device);
};

struct virtio_device {
    /* The transport's part. */
    struct virtio_transport transport;
    const struct virtio_os *os;
    enum virtio_id id;
    char name[24];

    /* device.c's part. */
    uint64_t features; /* what was negotiated */
    bool quiet;        /* reset, and not touched since */
    struct virtio_queue *queues[VIRTIO_QUEUES_MAX];
};

/* Copies `size` bytes of registers by the widest accesses that their offsets allow (section 4.1.3.1 wants
 * each field read by its own width, 64-bit fields as two halves). */
void virtio_copy_registers(const volatile uint8_t *base, size_t offset, uint8_t *out, size_t size);

#endif
