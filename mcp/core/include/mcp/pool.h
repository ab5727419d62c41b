/* SPDX-License-Identifier: MIT
 *
 * A pool between a server and the embedder's memory: it keeps blocks that the server gives back, for its next
 * requests. Then a request of a usual kind asks the embedder for nothing. Use it where `allocate` is dear, or
 * must not be called while requests are served.
 *
 *     static struct mcp_pool pool;
 *     ...
 *     mcp_pool_initialise(&pool, &(struct mcp_memory){heap, allocate, release}, 32 * 1024);
 *     config.memory = mcp_pool_memory(&pool);
 *     mcp_server_create(&config, &server);
 *     ...
 *     mcp_server_destroy(server);
 *     mcp_pool_trim(&pool);
 *
 * Freestanding: needs nothing. Used by one task at a time: that of its server, or of several.
 */
#ifndef MCP_POOL_H
#define MCP_POOL_H

#include <stddef.h>

#include <mcp/json.h>

#define MCP_POOL_LISTS 33

/* Private. */
struct mcp_pool {
    struct mcp_memory source;
    size_t limit;
    size_t kept; /* bytes in the lists */
    struct mcp_pool_block *lists[MCP_POOL_LISTS];
};

/* It keeps at most `limit` bytes. Blocks of more than 16 KiB it passes on; smaller ones it rounds up, by a
 * quarter at most, to 64 bytes at least. What it keeps goes back to `source` when that says no to a request
 * (which is then asked once more), or when there would be more than `limit`. */
void mcp_pool_initialise(struct mcp_pool *pool, const struct mcp_memory *source, size_t limit);
/* The hooks to give to a server; the pool must outlive it. */
struct mcp_memory mcp_pool_memory(struct mcp_pool *pool);
/* Gives back all that it keeps; it goes on working. For when there is nothing to do, and at the end. */
void mcp_pool_trim(struct mcp_pool *pool);

#endif
