/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <hooks/random.h>
#include <hooks/virtio_devices.h>
#include <service/console_listener.h>
#include <service/devices.h>
#include <service/share.h>
#include <service/vsock_listener.h>

/* `start` takes the device when it returns 0. */
static const struct {
    enum virtio_id id;
    int (*start)(struct virtio_device *device);
} drivers[] = {
    {VIRTIO_ID_RNG, kernel_random_start_device},
    {VIRTIO_ID_VSOCK, vsock_listener_start_device},
    {VIRTIO_ID_FS, share_start_device},
    {VIRTIO_ID_CONSOLE, console_listener_start_device},
};

static int take(struct virtio_device *device)
{
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
        if (drivers[i].id == virtio_device_id(device))
            return drivers[i].start(device);
    return -ENODEV;
}

void devices_start(unsigned only)
{
    (void)virtio_devices_offer(only, take);
}
