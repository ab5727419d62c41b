/* SPDX-License-Identifier: MIT
 *
 * Physical frames of 4 KiB, handed out contiguously: a buddy allocator over the real memory map.
 *
 * It reaches memory through a direct map: physical address p lies at virtual p + offset. Free blocks carry
 * their list links in themselves; beside them it keeps a quarter of a byte per frame, carved from the map,
 * one bit for each block of each size, from 4 KiB to 1 GiB. Memory that was never handed out is not touched:
 * it is put on the lists 2 MiB at a time, the lowest addresses first, when the lists run out. So the host
 * gives only what the guest uses, and starting costs the number of ranges and clearing the bits.
 *
 * Every call takes O(log(memory)) steps, but for an allocation of 1 MiB or more that finds no block of the
 * next power of two: it searches for a run of smaller ones, at most 16 * memory / size steps.
 *
 * One instance, for tasks of one CPU; not for interrupt handlers. With MK_DEBUG_MEMORY defined, freed frames
 * are filled with FRAMES_JUNK, and a free is checked frame by frame.
 */
#ifndef KERNEL_MEMORY_FRAMES_H
#define KERNEL_MEMORY_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_SIZE       4096u
#define FRAMES_RANGE_MAX 64
#define FRAMES_JUNK      0xdd

/* Bytes of physical memory. */
struct frames_range {
    uint64_t base;
    uint64_t size;
};

/* Called when an invariant is broken: a double free, a free of what is not ours, a damaged free list. It is
 * meant not to return; if it does, the call that found it changes nothing more. */
typedef void (*frames_broken)(const char *what);

/* Starts (or restarts) with the `usable` ranges, in any order, trimmed to whole frames by it. All of them
 * must be mapped at `direct_map_offset`, must not overlap, and must not hold anything that is still needed.
 * Frame 0 is never handed out. Returns 0; -EINVAL for a range that wraps or overlaps another; -ENOMEM when
 * nothing is usable. Ranges of fewer than four frames, and those beyond the FRAMES_RANGE_MAX-th, are left
 * out. */
int frames_initialise(const struct frames_range *usable, size_t count, uintptr_t direct_map_offset,
                      frames_broken broken);

/* Adds one more range later, under the same conditions. Returns 0; -EINVAL as above or for a range that is
 * too small; -ENOSPC when FRAMES_RANGE_MAX ranges are known. */
int frames_add(const struct frames_range *usable);

/* Takes `count` contiguous frames, aligned to `align` bytes (a power of two, at least 4096): exactly that
 * many, what the next power of two would waste is given back. The contents are undefined. Returns 0 and sets
 * *physical; -EINVAL (count of 0, wrong align) or -ENOMEM. */
int frames_alloc(size_t count, size_t align, uint64_t *physical);

/* Gives frames back: all that frames_alloc returned, or any part of it. */
void frames_free(uint64_t physical, size_t count);

/* The direct map, both ways. */
void *frames_pointer(uint64_t physical);
uint64_t frames_physical(const void *pointer);

/* In bytes. */
struct frames_statistics {
    uint64_t total;        /* managed, the allocator's own bits left out */
    uint64_t free;         /* of these */
    uint64_t largest_free; /* largest free block (a power of two; neighbours may make a longer run) */
    uint64_t metadata;     /* the allocator's own */
    uint64_t failures;     /* allocations that got -ENOMEM (a count) */
};
void frames_get_statistics(struct frames_statistics *statistics);

#endif
