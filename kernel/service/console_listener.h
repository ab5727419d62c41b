/* SPDX-License-Identifier: MIT
 *
 * The client on the virtio-console port "mcp.0": one at a time.
 */
#ifndef KERNEL_SERVICE_CONSOLE_LISTENER_H
#define KERNEL_SERVICE_CONSOLE_LISTENER_H

#include <service/listener.h>
#include <virtio/device.h>

extern const struct listener console_listener;

/* Takes a console device; devices_start calls it. Returns 0, or -EBUSY when there is one already. */
int console_listener_start_device(struct virtio_device *device);

#endif
