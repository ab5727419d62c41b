/* SPDX-License-Identifier: MIT
 *
 * A budget: a bounded share of the heap, one per client, so that nobody's flood takes what others need.
 * Blocks are charged what they really take (heap_cost), so the sum of all limits bounds what the clients can
 * take.
 */
#ifndef KERNEL_MEMORY_BUDGET_H
#define KERNEL_MEMORY_BUDGET_H

#include <stddef.h>

/* In bytes. The owner sets `limit`, at any time, and the rest to 0. */
struct budget {
    size_t limit;
    size_t used;
    size_t peak;     /* the most that `used` ever was */
    size_t refusals; /* allocations that the limit refused (a count) */
};

/* As heap_alloc; NULL also when the budget does not reach. */
void *budget_alloc(struct budget *budget, size_t size);

/* Gives a block of budget_alloc back; `size` is the one it was allocated, or last resized, with. */
void budget_free(struct budget *budget, void *block, size_t size);

/* As heap_resize; `old_size` as for budget_free. On failure (NULL) the block and its charge stay. For the
 * moment of a move only the difference is charged. */
void *budget_resize(struct budget *budget, void *block, size_t old_size, size_t size);

#endif
