/* SPDX-License-Identifier: MIT
 *
 * A heap in constant time: blocks of 2^n bytes, a list of free ones for each n. A block is cut from the rest
 * of the heap once and keeps its size.
 */
#include "kernel.h"

#define HEAP_SIZE      ((size_t)16 << 20)
#define SMALLEST_SHIFT 6
#define LARGEST_SHIFT  21

struct free_block {
    struct free_block *next;
};

static uint8_t heap[HEAP_SIZE] __attribute__((aligned(1 << SMALLEST_SHIFT)));
static size_t heap_used;
static struct free_block *free_lists[LARGEST_SHIFT + 1];

/* The n for a block of `size` bytes, 1 to 2^LARGEST_SHIFT. */
static unsigned shift_for(size_t size)
{
    unsigned shift = SMALLEST_SHIFT;
    while ((size_t)1 << shift < size)
        shift++;
    return shift;
}

void *memory_allocate(size_t size)
{
    if (size > (size_t)1 << LARGEST_SHIFT)
        return NULL;
    unsigned shift = shift_for(size);
    struct free_block *block = free_lists[shift];
    if (block != NULL) {
        free_lists[shift] = block->next;
        return block;
    }
    if ((size_t)1 << shift > HEAP_SIZE - heap_used)
        return NULL;
    void *memory = heap + heap_used;
    heap_used += (size_t)1 << shift;
    return memory;
}

void memory_release(void *memory, size_t size)
{
    if (memory == NULL)
        return;
    unsigned shift = shift_for(size);
    struct free_block *block = memory;
    block->next = free_lists[shift];
    free_lists[shift] = block;
}
