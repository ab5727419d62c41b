/* SPDX-License-Identifier: MIT
 *
 * Bytes that nobody can guess.
 *
 * Two sources: the CPU (RDSEED, RDRAND) and the host (virtio-rng). Where both are there, each byte is the
 * exclusive or of one byte of each. That is as hard to guess as the better of the two as long as they do not
 * know of each other (with a uniform and independent operand, the result is uniform whatever the other one
 * is), so a CPU that makes bad random numbers, or a host that sends zeros, takes nothing away.
 *
 * A host that emulates the CPU knows both; nothing in a guest helps against that.
 */
#ifndef KERNEL_HOOKS_RANDOM_H
#define KERNEL_HOOKS_RANDOM_H

#include <stddef.h>

#include <virtio/device.h>

/* Fills `out`. From a task: without a source in the CPU it waits for the host, for a second at most. Returns
 * 0; -ENOSYS without any source, -ENODATA when the only one does not answer. Then `out` is all zeros, and
 * whoever needs a secret refuses: there is no weaker one to fall back on. */
int kernel_random(void *out, size_t size);

enum random_source { RANDOM_RDSEED = 1, RANDOM_RDRAND = 2, RANDOM_VIRTIO = 4 };

/* The sources that there are, as bits; virtio-rng counts once it has sent something. */
unsigned kernel_random_sources(void);

/* Takes a virtio-rng device, and asks for the first bytes. Returns 0 when it was taken, whether it works or
 * not; -EBUSY when there is one already. */
int kernel_random_start_device(struct virtio_device *device);

#endif
