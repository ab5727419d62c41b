/* SPDX-License-Identifier: MIT
 *
 * The life of a device, whatever its transport: virtio 1.2, sections 2.1, 2.2, 2.5 and 3.1.
 */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "queue_private.h"
#include "transport/registers.h"
#include "transport/transport.h"

/* No limit in the standard. Hypervisors reset within microseconds, hardware may take longer. */
#define RESET_TIMEOUT_US 1000000

#define CONFIG_READ_ATTEMPTS 16

/* What the queues of this library know, and bus addresses that are the embedder's business (os.h). */
#define QUEUE_FEATURES                                                                                       \
    (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM)

enum virtio_id virtio_device_id(const struct virtio_device *device)
{
    return device->id;
}

const char *virtio_device_name(const struct virtio_device *device)
{
    return device->name;
}

const struct virtio_os *virtio_device_os(const struct virtio_device *device)
{
    return device->os;
}

static int reset_registers(struct virtio_device *device)
{
    const struct virtio_os *os = device->os;
    uint64_t start = os->now_us(os->context);

    device->transport.write_status(device, 0);
    /* Section 4.1.4.3.2: the driver waits until the status reads 0. */
    while (device->transport.read_status(device) != 0) {
        if (os->now_us(os->context) - start > RESET_TIMEOUT_US) {
            virtio_log(os, VIRTIO_LOG_ERROR, device->name, "the device does not leave reset");
            return -EIO;
        }
    }
    return 0;
}

static int reset(struct virtio_device *device)
{
    int error = reset_registers(device);

    device->transport.quiesce(device);
    for (size_t i = 0; i < VIRTIO_QUEUES_MAX; i++) {
        if (device->queues[i] != NULL)
            virtio_queue_destroy(device->queues[i]);
        device->queues[i] = NULL;
    }
    device->features = 0;
    device->quiet = true;
    return error;
}

void virtio_device_reset(struct virtio_device *device)
{
    (void)reset(device); /* logged, and quiesced in any case */
}

void virtio_device_destroy(struct virtio_device *device)
{
    if (!device->quiet)
        virtio_device_reset(device);
    device->transport.free(device);
}

static int fail(struct virtio_device *device, int error, const char *what)
{
    virtio_log(device->os, VIRTIO_LOG_ERROR, device->name, "%s", what);
    device->transport.write_status(device, VIRTIO_STATUS_FAILED);
    return error;
}

int virtio_device_negotiate(struct virtio_device *device, uint64_t wanted, uint64_t *accepted)
{
    const struct virtio_transport *transport = &device->transport;
    uint8_t status = VIRTIO_STATUS_ACKNOWLEDGE;

    /* Section 3.1.1: 1. reset, */
    if (reset(device) != 0)
        return -EIO;
    device->quiet = false;
    /* 2. and 3. we have seen it and can drive it, */
    transport->write_status(device, status);
    status |= VIRTIO_STATUS_DRIVER;
    transport->write_status(device, status);
    /* 4. the features that both sides know, */
    uint64_t offered = transport->read_features(device);
    uint64_t features = offered & (wanted | QUEUE_FEATURES);
    if ((offered & VIRTIO_F_VERSION_1) == 0)
        return fail(device, -ENODEV,
                    "the device does not offer VIRTIO_F_VERSION_1 (legacy devices are not supported)");
    transport->write_features(device, features);
    /* 5. and 6. and whether it agrees. */
    status |= VIRTIO_STATUS_FEATURES_OK;
    transport->write_status(device, status);
    if ((transport->read_status(device) & VIRTIO_STATUS_FEATURES_OK) == 0)
        return fail(device, -EIO, "the device refuses the features that it offered");

    VIRTIO_TRACE(device->os, device->name, "features offered %#llx, accepted %#llx",
                 (unsigned long long)offered, (unsigned long long)features);
    device->features = features;
    *accepted = features;
    return 0;
}

int virtio_device_queue(struct virtio_device *device, uint16_t index, uint16_t size,
                        virtio_interrupt_handler handler, void *argument, struct virtio_queue **queue)
{
    struct virtio_queue *created = NULL;

    if (index >= VIRTIO_QUEUES_MAX || device->queues[index] != NULL)
        return -ENOENT;
    uint16_t size_max = device->transport.queue_size_max(device, index);
    if (size_max == 0 || size == 0)
        return -ENOENT;

    /* Section 2.7 wants a power of two; a device that says otherwise gets the next one below. */
    struct virtio_queue_config config = {
        .index = index,
        .size = 1,
        .indirect = (device->features & VIRTIO_F_INDIRECT_DESC) != 0,
        .event_index = (device->features & VIRTIO_F_EVENT_IDX) != 0,
        .notify = device->transport.notify,
        .notify_context = device,
    };
    if (size > size_max)
        size = size_max;
    if (size > VIRTQ_SIZE_MAX)
        size = VIRTQ_SIZE_MAX;
    while (config.size <= size / 2)
        config.size = (uint16_t)(config.size * 2);

    int error = virtio_queue_create(device->os, &config, &created);
    if (error != 0)
        return error;
    error = device->transport.queue_enable(device, created, handler, argument);
    if (error != 0) {
        /* The device may know the addresses already. It reads the rings only after DRIVER_OK, and the driver
         * resets it now that this failed. */
        virtio_queue_destroy(created);
        return error;
    }
    VIRTIO_TRACE(device->os, device->name, "queue %u: %u of %u entries", index, config.size, size_max);
    device->queues[index] = created;
    *queue = created;
    return 0;
}

int virtio_device_on_config_change(struct virtio_device *device, virtio_interrupt_handler handler,
                                   void *argument)
{
    return device->transport.config_interrupt(device, handler, argument);
}

int virtio_device_start(struct virtio_device *device)
{
    uint8_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK |
                     VIRTIO_STATUS_DRIVER_OK;

    device->transport.write_status(device, status);
    if (virtio_device_broken(device)) {
        virtio_log(device->os, VIRTIO_LOG_ERROR, device->name, "the device does not start");
        return -EIO;
    }
    return 0;
}

bool virtio_device_broken(struct virtio_device *device)
{
    uint8_t status = device->transport.read_status(device);

    /* All ones is what a bus answers for a device that is gone; 0 is one that was reset behind our back. */
    return status == 0xff || (status & VIRTIO_STATUS_DRIVER_OK) == 0 ||
           (status & VIRTIO_STATUS_NEEDS_RESET) != 0;
}

int virtio_device_config(struct virtio_device *device, size_t offset, void *out, size_t size)
{
    const struct virtio_transport *transport = &device->transport;

    if (offset > transport->config_size || size > transport->config_size - offset)
        return -EINVAL;
    for (int attempt = 0; attempt < CONFIG_READ_ATTEMPTS; attempt++) {
        uint32_t before = transport->config_generation(device);
        transport->config_read(device, offset, out, size);
        if (transport->config_generation(device) == before)
            return 0;
    }
    return -EAGAIN;
}

void virtio_copy_registers(const volatile uint8_t *base, size_t offset, uint8_t *out, size_t size)
{
    while (size > 0) {
        size_t width = 1;
        if (offset % 4 == 0 && size >= 4) {
            uint32_t value = virtio_read32(base + offset);
            width = 4;
            memcpy(out, &value, width);
        } else if (offset % 2 == 0 && size >= 2) {
            uint16_t value = virtio_read16(base + offset);
            width = 2;
            memcpy(out, &value, width);
        } else {
            *out = virtio_read8(base + offset);
        }
        offset += width;
        out += width;
        size -= width;
    }
}
