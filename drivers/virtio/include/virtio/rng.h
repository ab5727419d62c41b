/* SPDX-License-Identifier: MIT
 *
 * Random bytes from the host (virtio 1.2, section 5.4). Nothing blocks: a driver asks, is woken, and takes
 * what has come. One task owns a device.
 *
 * What the host sends is as good as the host: it knows every byte, may repeat itself, or send zeros. Mix it
 * with a source that the host does not know where that matters.
 */
#ifndef VIRTIO_RNG_H
#define VIRTIO_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <virtio/device.h>

#define VIRTIO_RNG_REQUEST_MAX 256 /* bytes that one request may ask for */

struct virtio_rng;

struct virtio_rng_config {
    void (*wake)(void *context); /* interrupt context (VIRTIO_INTERRUPT_CODE): something can be taken */
    void *context;
};

/* Takes the device over, also on failure, when it is destroyed. Returns 0 and sets *rng, or a negative errno:
 * -ENOMEM, or what negotiation and queue say. */
int virtio_rng_create(struct virtio_device *device, const struct virtio_rng_config *config,
                      struct virtio_rng **rng);

void virtio_rng_destroy(struct virtio_rng *rng);

/* Asks for `size` bytes, 1 to VIRTIO_RNG_REQUEST_MAX. Returns 0; -EBUSY while an answer is awaited or not
 * taken whole; -EINVAL; -EIO when the device is broken. A host need not answer ever. */
int virtio_rng_request(struct virtio_rng *rng, size_t size);

/* Takes at most `size` bytes of the answer; what does not fit stays for the next call. A host may send fewer
 * than were asked for. Returns how many; 0 when there is none (yet); -EIO when the device is broken, as one
 * is that answers with no byte at all or with more than was asked for. */
int64_t virtio_rng_take(struct virtio_rng *rng, void *out, size_t size);

/* Whether an answer is awaited. */
bool virtio_rng_pending(const struct virtio_rng *rng);

#endif
