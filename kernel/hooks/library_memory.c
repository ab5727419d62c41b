/* SPDX-License-Identifier: MIT */
#include <hooks/library_memory.h>
#include <memory/frames.h>
#include <memory/heap.h>

#define POOL_MAX   (64u * 1024 * 1024)
#define POOL_SHARE 4 /* a quarter of what is free at the start */

struct budget client_pool;

void client_pool_initialise(void)
{
    struct frames_statistics frames;
    frames_get_statistics(&frames);
    uint64_t limit = frames.free / POOL_SHARE;
    client_pool = (struct budget){.limit = limit < POOL_MAX ? (size_t)limit : POOL_MAX};
}

static void *mcp_allocate(void *context, size_t size)
{
    return budget_alloc(context, size);
}

static void mcp_release(void *context, void *memory, size_t size)
{
    budget_free(context, memory, size);
}

static void *transport_resize(void *context, void *memory, size_t old_size, size_t new_size)
{
    if (memory == NULL)
        return new_size == 0 ? NULL : budget_alloc(context, new_size);
    if (new_size == 0) {
        budget_free(context, memory, old_size);
        return NULL;
    }
    return budget_resize(context, memory, old_size, new_size);
}

const struct mcp_memory kernel_mcp_memory = {&client_pool, mcp_allocate, mcp_release};
const struct mcp_transport_memory kernel_transport_memory = {&client_pool, transport_resize};

void *kernel_airt_alloc(void *context, size_t size)
{
    (void)context;
    return heap_alloc(size);
}

void kernel_airt_free(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    heap_free(memory);
}
