/* SPDX-License-Identifier: MIT
 *
 * A VM of our own, by tools/run --hold: it lives as long as we hold a pipe, so it ends with this process
 * however that ends, and tools/run removes what belongs to it.
 */
#ifndef MCP_CLI_BOOT_H
#define MCP_CLI_BOOT_H

#include <stddef.h>
#include <sys/types.h>

#include "error.h"

struct boot {
    pid_t runner; /* tools/run, in a session of its own */
    int hold;     /* the pipe */
};

/* Starts a VM with these options of tools/run beside those that make it fast, and waits until it serves.
 * `endpoint` becomes the words of --server for it. STATUS_OK, STATUS_USAGE or STATUS_CONNECTION; tools/run
 * has told on standard error what went wrong. */
enum status boot_start(struct boot *boot, char *const *options, size_t count, char *endpoint,
                       size_t endpoint_size, struct error *error);

/* Ends the VM and waits until nothing is left of it. */
void boot_end(struct boot *boot);

#endif
