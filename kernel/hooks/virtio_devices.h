/* SPDX-License-Identifier: MIT
 *
 * The machine's virtio devices, on PCI and where the command line says. They are looked for once, because
 * probing a function that a driver uses would stop it; each is then offered until somebody takes it. From
 * tasks; who takes a device may wait meanwhile, so after the first offer, which is of all, each kind is one
 * task's.
 */
#ifndef KERNEL_HOOKS_VIRTIO_DEVICES_H
#define KERNEL_HOOKS_VIRTIO_DEVICES_H

#include <options.h>
#include <virtio/device.h>

/* Says where MMIO devices are; before the first offer. `options` must stay. */
void virtio_devices_initialise(const struct options *options);

/* Calls `take` for every device of kind `id` (0: of any kind) that nobody has; it owns the device when it
 * returns 0. With an `id`, devices of that kind that were taken before are looked for anew and offered again:
 * whoever had them must have destroyed them. Returns how many were taken. */
unsigned virtio_devices_offer(unsigned id, int (*take)(struct virtio_device *device));

#endif
