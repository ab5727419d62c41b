/* SPDX-License-Identifier: MIT
 *
 * What the machine is for: an MCP server on vsock port 5000. What it offers, the image says.
 */
#ifndef KERNEL_SERVICE_SERVICE_H
#define KERNEL_SERVICE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <arch/boot_info.h>
#include <mcp/server.h>
#include <options.h>

/* What an image offers to its clients. The texts may be NULL. */
struct service_offer {
    const char *name, *title, *instructions;
    bool methods_are_tools; /* as mcp/server.h has it, and the next */
    uint32_t list_ttl_ms;
    /* Adds tools, resources and prompts, before the first client comes; devices and the policy are there.
     * Returns 0 or a negative errno. */
    int (*add)(struct mcp_server *server, const struct boot_info *boot, const struct options *options);
    /* Does what is due, in the task that serves. Returns when it is to be called next, in us since boot: 0
     * for at once, TASK_FOREVER for after the next message of a client, or connections_wake. */
    uint64_t (*poll)(void);
};

/* Finds the devices, reads the policy, adds the offer, and listens. A missing device is logged and is no
 * failure; a policy that cannot be read is one, since without it everybody could do everything. The arguments
 * must stay. Returns 0 or a negative errno. */
int service_start(const struct boot_info *boot, const struct options *options,
                  const struct service_offer *offer);

/* Serves for ever, in the calling task. */
_Noreturn void service_run(void);

#endif
