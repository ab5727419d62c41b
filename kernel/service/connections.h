/* SPDX-License-Identifier: MIT
 *
 * MCP sessions over vsock connections. All of it runs in the task that calls connections_run; answers may
 * come from other tasks.
 */
#ifndef KERNEL_SERVICE_CONNECTIONS_H
#define KERNEL_SERVICE_CONNECTIONS_H

#include <stdint.h>

#include <mcp/server.h>
#include <virtio/device.h>

#define CONNECTIONS_MAX 64

/* Takes a vsock device, and listens on port 5000; devices_start calls it. Returns 0, or -EBUSY when there is
 * one already. */
int connections_start_device(struct virtio_device *device);

/* Serves `server` from here on; says in the log where, or that there is no vsock device. */
void connections_start(struct mcp_server *server);

_Noreturn void connections_run(void);

struct connections_statistics {
    uint32_t open;
    uint64_t accepted, refused;
    uint64_t guest_cid;     /* 0: no vsock device */
    uint64_t device_resets; /* times a broken device was started again */
};
void connections_get_statistics(struct connections_statistics *result);

#endif
