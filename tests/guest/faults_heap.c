/* SPDX-License-Identifier: MIT
 *
 * What the heap notices without hardware: it is switched off by taking away what it looks at.
 */
#include <string.h>

#include <faults.h>
#include <memory/heap.h>

#define SIZE 112 /* a whole size class: nothing between two blocks */

/* With `off` the block is not marked as free while it is freed again, nor unmarked when it is handed out. */
void fault_double_free(bool off)
{
    uint8_t mark[SIZE];
    void *block = heap_alloc(SIZE), *same = (void *)opaque((uintptr_t)block);
    heap_free(block);
    if (off)
        memset(same, 0, SIZE);
    heap_free(same);
    memcpy(mark, same, SIZE);
    const void *first = heap_alloc(SIZE);
    if (off)
        memcpy(same, mark, SIZE);
    const void *second = heap_alloc(SIZE);
    happened(first != NULL && first == second, "one block has two owners");
}

/* One byte too many. With `off` the neighbour is in use, and has no mark that could be damaged. */
void fault_heap_overflow(bool off)
{
    uint8_t *block = heap_alloc(SIZE), *neighbour = heap_alloc(SIZE);
    if (neighbour != block + SIZE)
        return;
    memset(neighbour, 0, SIZE);
    if (!off)
        heap_free(neighbour);
    *(volatile uint8_t *)opaque((uintptr_t)block + SIZE) = 0xff;
    (void)heap_alloc(SIZE);
    happened(*(volatile uint8_t *)neighbour == 0xff, "a block was written over by its neighbour");
}
