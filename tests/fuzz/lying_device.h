/* SPDX-License-Identifier: MIT
 *
 * A device whose registers say what the input wants, and a driver that takes it through its life. For the
 * transports, in place of tests/unit/virtio/fake_pci.c and fake_mmio.c: those hold the driver to the
 * standard, and a driver that was lied to cannot keep to it.
 *
 * Registers are plain memory, which makes a device that mostly works; some reads are answered by the input.
 */
#ifndef LYING_DEVICE_H
#define LYING_DEVICE_H

#include <virtio/device.h>

#include "fuzz.h"
#include "unit/virtio/fake_os.h"

/* Starts fake_os, with a clock that makes large steps. */
void lying_start(struct input *input);
/* Everything was given back. */
void lying_stop(void);

/* What a read of `width` bytes says whose honest answer is `value`. */
uint32_t lie(uint32_t value, unsigned width);
/* Whether there was any such answer. */
extern bool has_lied;

/* A window of registers, of exactly this size; the first bytes are `contents`, the rest 0. */
volatile void *lying_map(uint64_t physical, size_t size, const uint8_t *contents, size_t contents_size);
/* Called with each write of a register, after it; may be NULL. */
extern void (*lying_on_write)(uint8_t *window, size_t offset, uint32_t value);

/* Negotiates, makes queues, starts, kicks, resets, as the input says. `interrupt` raises one. Ends with a
 * reset. */
void lying_life(struct virtio_device *device, void (*interrupt)(uint8_t which));

#endif
