/* SPDX-License-Identifier: MIT
 *
 * What the machine is for: an MCP server on vsock port 5000, with a model to ask.
 */
#ifndef KERNEL_SERVICE_SERVICE_H
#define KERNEL_SERVICE_SERVICE_H

#include <arch/boot_info.h>
#include <options.h>

/* Finds the devices, reads the policy, loads the first model, and listens. A missing device or model is
 * logged and is no failure; a policy that cannot be read is one, since without it everybody could do
 * everything. Both arguments must stay. Returns 0 or a negative errno. */
int service_start(const struct boot_info *boot, const struct options *options);

/* Serves for ever, in the calling task. */
_Noreturn void service_run(void);

#endif
