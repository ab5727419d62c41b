/* SPDX-License-Identifier: MIT
 *
 * Finds virtio devices and gives each to the part of the service that drives it.
 */
#ifndef KERNEL_SERVICE_DEVICES_H
#define KERNEL_SERVICE_DEVICES_H

#include <virtio/device.h>

/* Looks on every bus, and starts the devices that nobody drives yet: all, or those with the id `only` (0:
 * all). */
void devices_start(unsigned only);

#endif
