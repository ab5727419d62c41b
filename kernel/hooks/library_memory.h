/* SPDX-License-Identifier: MIT
 *
 * Memory for the libraries: MCP from a bounded pool, so that no flood of requests takes what the kernel or
 * the model needs; the model straight from the heap.
 */
#ifndef KERNEL_HOOKS_LIBRARY_MEMORY_H
#define KERNEL_HOOKS_LIBRARY_MEMORY_H

#include <airt/airt.h>
#include <mcp/json.h>
#include <mcp/transport.h>
#include <memory/budget.h>

/* The pool of everything that clients cause: messages, answers, buffers. Its limit is set once, from what is
 * free at the start. */
extern struct budget client_pool;
void client_pool_initialise(void);

extern const struct mcp_memory kernel_mcp_memory;
extern const struct mcp_transport_memory kernel_transport_memory;

void *kernel_airt_alloc(void *context, size_t size);
void kernel_airt_free(void *context, void *memory, size_t size);

#endif
