/* SPDX-License-Identifier: MIT */
#include "mcp/pool.h"

/* Sizes of blocks: 64, and four for each doubling from there (80, 96, 112, 128, 160, ...). */
#define LEAST     ((size_t)64)
#define MOST      ((size_t)16 * 1024)
#define DOUBLINGS 8

_Static_assert(LEAST << DOUBLINGS == MOST && 1 + 4 * DOUBLINGS == MCP_POOL_LISTS, "a list for each size");

struct mcp_pool_block {
    struct mcp_pool_block *next;
};

/* The list for blocks of at least `size` bytes, which is at most MOST; *size becomes theirs. */
static size_t list_of(size_t *size)
{
    size_t step = LEAST / 4; /* between two sizes */
    size_t doublings = 0;

    if (*size <= LEAST) {
        *size = LEAST;
        return 0;
    }
    for (; *size > step * 8; step *= 2)
        doublings++;
    *size = (*size + step - 1) / step * step;
    return doublings * 4 + *size / step - 4;
}

static void *pool_allocate(void *context, size_t size)
{
    struct mcp_pool *pool = context;
    void *memory;

    if (size <= MOST) {
        struct mcp_pool_block **list = &pool->lists[list_of(&size)];
        struct mcp_pool_block *block = *list;

        if (block != NULL) {
            *list = block->next;
            pool->kept -= size;
            return block;
        }
    }
    memory = pool->source.allocate(pool->source.context, size);
    if (memory != NULL || pool->kept == 0)
        return memory;
    mcp_pool_trim(pool);
    return pool->source.allocate(pool->source.context, size);
}

static void pool_release(void *context, void *memory, size_t size)
{
    struct mcp_pool *pool = context;
    struct mcp_pool_block *block = memory;
    size_t list;

    if (size > MOST) {
        pool->source.release(pool->source.context, memory, size);
        return;
    }
    list = list_of(&size);
    if (size > pool->limit - pool->kept)
        mcp_pool_trim(pool); /* what was wanted lately may be wanted again, what is kept may be old */
    if (size > pool->limit) {
        pool->source.release(pool->source.context, memory, size);
        return;
    }
    block->next = pool->lists[list];
    pool->lists[list] = block;
    pool->kept += size;
}

void mcp_pool_initialise(struct mcp_pool *pool, const struct mcp_memory *source, size_t limit)
{
    *pool = (struct mcp_pool){.source = *source, .limit = limit};
}

struct mcp_memory mcp_pool_memory(struct mcp_pool *pool)
{
    return (struct mcp_memory){.context = pool, .allocate = pool_allocate, .release = pool_release};
}

void mcp_pool_trim(struct mcp_pool *pool)
{
    size_t size = LEAST, step = LEAST / 4;

    for (size_t list = 0; list < MCP_POOL_LISTS; list++) {
        while (pool->lists[list] != NULL) {
            struct mcp_pool_block *block = pool->lists[list];

            pool->lists[list] = block->next;
            pool->kept -= size;
            pool->source.release(pool->source.context, block, size);
        }
        size += step;
        if (size == step * 8)
            step *= 2;
    }
}
