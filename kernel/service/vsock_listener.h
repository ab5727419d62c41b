/* SPDX-License-Identifier: MIT
 *
 * Clients that connect to vsock port 5000.
 */
#ifndef KERNEL_SERVICE_VSOCK_LISTENER_H
#define KERNEL_SERVICE_VSOCK_LISTENER_H

#include <service/listener.h>
#include <virtio/device.h>

extern const struct listener vsock_listener;

/* Takes a vsock device; devices_start calls it. Returns 0, or -EBUSY when there is one already. */
int vsock_listener_start_device(struct virtio_device *device);

#endif
