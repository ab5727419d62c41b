/* SPDX-License-Identifier: MIT
 *
 * What the machine is for: an MCP server on vsock port 5000, with a model to ask.
 */
#ifndef KERNEL_SERVICE_SERVICE_H
#define KERNEL_SERVICE_SERVICE_H

#include <arch/boot_info.h>

/* Loads the model `model` (a boot module's name; "": the first module), finds the devices, and listens. A
 * missing device or model is logged and is no failure. `boot` must stay. Returns 0 or a negative errno. */
int service_start(const struct boot_info *boot, const char *model);

/* Serves for ever, in the calling task. */
_Noreturn void service_run(void);

#endif
