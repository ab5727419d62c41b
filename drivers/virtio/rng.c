/* SPDX-License-Identifier: MIT
 *
 * virtio 1.2, section 5.4: one queue of buffers that the device fills. One buffer is out at a time.
 */
#include <errno.h>
#include <string.h>

#include <virtio/rng.h>

#include "log.h"

#define QUEUE_REQUEST 0 /* section 5.4.2 */

struct virtio_rng {
    struct virtio_device *device;
    struct virtio_queue *queue;
    struct virtio_rng_config config;
    uint8_t *shared; /* VIRTIO_RNG_REQUEST_MAX bytes that the device writes */
    uint64_t shared_physical;
    bool pending;
    bool broken;                           /* it has lied where the queue cannot know */
    size_t start, count;                   /* the rest of the answer: bytes[start], ... */
    uint8_t bytes[VIRTIO_RNG_REQUEST_MAX]; /* copied, so that the host cannot change it any more */
};

/* Interrupt context. */
VIRTIO_INTERRUPT_CODE static void on_interrupt(void *argument)
{
    const struct virtio_rng *rng = argument;

    rng->config.wake(rng->config.context);
}

/* memset that is not optimised away; bytes that may become secrets do not stay around. */
static void wipe(void *memory, size_t size)
{
    memset(memory, 0, size);
    __asm__ volatile("" : : "r"(memory) : "memory");
}

static int start(struct virtio_rng *rng)
{
    const struct virtio_os *os = virtio_device_os(rng->device);
    uint64_t features = 0;

    rng->shared = os->alloc_aligned(os->context, VIRTIO_RNG_REQUEST_MAX, 16, &rng->shared_physical);
    if (rng->shared == NULL)
        return -ENOMEM;
    int error = virtio_device_negotiate(rng->device, 0, &features);
    if (error == 0)
        error = virtio_device_queue(rng->device, QUEUE_REQUEST, 1, on_interrupt, rng, &rng->queue);
    return error != 0 ? error : virtio_device_start(rng->device);
}

int virtio_rng_create(struct virtio_device *device, const struct virtio_rng_config *config,
                      struct virtio_rng **rng)
{
    const struct virtio_os *os = virtio_device_os(device);

    struct virtio_rng *created = os->alloc(os->context, sizeof(*created));
    if (created == NULL) {
        virtio_device_destroy(device);
        return -ENOMEM;
    }
    memset(created, 0, sizeof(*created));
    created->device = device;
    created->config = *config;
    int error = start(created);
    if (error != 0) {
        virtio_rng_destroy(created);
        return error;
    }
    *rng = created;
    return 0;
}

void virtio_rng_destroy(struct virtio_rng *rng)
{
    const struct virtio_os *os = virtio_device_os(rng->device);

    virtio_device_destroy(rng->device); /* from here on it writes nothing */
    if (rng->shared != NULL) {
        wipe(rng->shared, VIRTIO_RNG_REQUEST_MAX);
        os->free_aligned(os->context, rng->shared, VIRTIO_RNG_REQUEST_MAX);
    }
    wipe(rng, sizeof(*rng));
    os->free(os->context, rng, sizeof(*rng));
}

int virtio_rng_request(struct virtio_rng *rng, size_t size)
{
    if (size == 0 || size > VIRTIO_RNG_REQUEST_MAX)
        return -EINVAL;
    if (rng->broken)
        return -EIO;
    if (rng->pending || rng->count > 0)
        return -EBUSY;

    struct virtio_buffer buffer = {.physical = rng->shared_physical, .size = (uint32_t)size};
    int error = virtio_queue_add(rng->queue, NULL, 0, &buffer, 1, rng);
    if (error != 0)
        return error;
    rng->pending = true;
    (void)virtio_queue_enable_interrupt(rng->queue, 1); /* nothing is used yet, so it is armed */
    virtio_queue_kick(rng->queue);
    return 0;
}

static int break_down(struct virtio_rng *rng, const char *why)
{
    virtio_log(virtio_device_os(rng->device), VIRTIO_LOG_ERROR, virtio_device_name(rng->device), "rng: %s",
               why);
    rng->broken = true;
    return -EIO;
}

/* Copies the answer, if it has come. */
static int collect(struct virtio_rng *rng)
{
    void *token = NULL;
    uint32_t written = 0;

    if (rng->broken)
        return -EIO;
    int result = virtio_queue_take(rng->queue, &token, &written);
    if (result == 0)
        return 0;
    if (result < 0)
        return break_down(rng, "the device answers what was not asked, or with too many bytes");
    if (written == 0)
        return break_down(rng, "the device answers with no byte (section 5.4.6.2)");
    rng->pending = false;
    virtio_queue_disable_interrupt(rng->queue);
    /* The queue has checked the number against the buffer's size. */
    memcpy(rng->bytes, rng->shared, written);
    wipe(rng->shared, written);
    rng->start = 0;
    rng->count = written;
    return 0;
}

int64_t virtio_rng_take(struct virtio_rng *rng, void *out, size_t size)
{
    if (rng->count == 0) {
        int error = collect(rng);
        if (error != 0)
            return error;
    }
    size_t part = size < rng->count ? size : rng->count;
    memcpy(out, rng->bytes + rng->start, part);
    wipe(rng->bytes + rng->start, part);
    rng->start += part;
    rng->count -= part;
    return (int64_t)part;
}

bool virtio_rng_pending(const struct virtio_rng *rng)
{
    return rng->pending;
}
