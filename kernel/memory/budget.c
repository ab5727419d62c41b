/* SPDX-License-Identifier: MIT */
#include "budget.h"

#include "heap.h"

static int exceeds(struct budget *budget, size_t extra)
{
    if (budget->used <= budget->limit && extra <= budget->limit - budget->used)
        return 0;
    budget->refusals++;
    return 1;
}

static void charge(struct budget *budget, size_t cost)
{
    budget->used += cost;
    if (budget->used > budget->peak)
        budget->peak = budget->used;
}

void *budget_alloc(struct budget *budget, size_t size)
{
    size_t cost = heap_cost(size);
    void *block;

    if (exceeds(budget, cost))
        return NULL;
    block = heap_alloc(size);
    if (block != NULL)
        charge(budget, cost);
    return block;
}

void budget_free(struct budget *budget, void *block, size_t size)
{
    if (block == NULL)
        return;
    budget->used -= heap_cost(size);
    heap_free(block);
}

void *budget_resize(struct budget *budget, void *block, size_t old_size, size_t size)
{
    size_t old_cost = block != NULL ? heap_cost(old_size) : 0;
    size_t cost = heap_cost(size);
    void *resized;

    if (cost > old_cost && exceeds(budget, cost - old_cost))
        return NULL;
    resized = heap_resize(block, size);
    if (resized != NULL) {
        budget->used -= old_cost;
        charge(budget, cost);
    }
    return resized;
}
