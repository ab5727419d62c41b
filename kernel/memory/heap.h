/* SPDX-License-Identifier: MIT
 *
 * The kernel's heap, over frames.h. Up to HEAP_SMALL_MAX bytes a block comes from a slab, one frame of blocks
 * of one size class; what is larger takes frames of its own. Either has a header at the start of its first
 * frame, so every call takes a number of steps that does not depend on how many blocks there are (a large
 * block costs what frames_alloc costs). Slabs that empty go back to the frames, but for one per class.
 *
 * One instance, for tasks of one CPU; not for interrupt handlers. Checked at every free: that the block is
 * one of ours, and not free already; at every allocation: that nobody wrote to the first 16 bytes of the free
 * block.
 *
 * Freed memory is filled with HEAP_JUNK, so that what belongs to one client never reaches another, and a use
 * after free shows. Larger blocks than HEAP_FILLED_MAX, which only models have, are filled with
 * MK_DEBUG_MEMORY alone. With it, a block also ends at a fence of HEAP_FENCE, at least one byte, which must
 * stand when the block is freed or resized.
 */
#ifndef KERNEL_MEMORY_HEAP_H
#define KERNEL_MEMORY_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define HEAP_ALIGNMENT  16
#define HEAP_SMALL_MAX  2016
#define HEAP_JUNK       0xde
#define HEAP_FENCE      0xfe
#define HEAP_FILLED_MAX (4ul * 1024 * 1024) /* bytes, as heap_cost counts them */

/* Called when an invariant is broken. It is meant not to return; if it does, the call that found it changes
 * nothing more (an allocation returns NULL). */
typedef void (*heap_broken)(const char *what);

/* Starts (or restarts, empty). The frames must be initialised; none is taken yet. */
void heap_initialise(heap_broken broken);

/* Returns `size` bytes, aligned to HEAP_ALIGNMENT, contents undefined; NULL when there is no memory or `size`
 * is absurd. A size of 0 counts as 1. */
void *heap_alloc(size_t size);

/* Gives a block back. NULL is fine. */
void heap_free(void *block);

/* Makes the block `size` bytes large, moved if need be, with the contents up to the smaller of both sizes.
 * NULL when there is no memory: the old block stays as it is then. A `block` of NULL is heap_alloc. */
void *heap_resize(void *block, size_t size);

/* How many bytes heap_alloc(size) would really take: the size class, or whole frames. SIZE_MAX for an absurd
 * size. */
size_t heap_cost(size_t size);

struct heap_statistics {
    size_t used;     /* bytes of the blocks handed out, as heap_cost counts them */
    size_t peak;     /* the most that `used` ever was */
    size_t reserved; /* bytes of frames held */
    size_t blocks;   /* handed out */
    size_t failures; /* allocations that returned NULL */
};
void heap_get_statistics(struct heap_statistics *statistics);

#endif
