/* SPDX-License-Identifier: MIT
 *
 * The buddy allocator of frames.h. A zone is one usable range; its bits say, for every block of every order
 * that lies in it, whether that block is on the free list of its order. The lists are common to all zones.
 * Blocks are aligned to their size in physical memory; a block's buddy is its neighbour in the block of the
 * next order.
 */
#include "frames.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define FRAME_SHIFT 12
#define ORDER_MAX   18 /* 1 GiB */
#define ORDER_COUNT (ORDER_MAX + 1)
#define RUN_MINIMUM 256 /* frames: from 1 MiB on, a run of smaller blocks is searched for */
#define RUN_GRANULE 16  /* and more: what such a run may be made of */
#define CHUNK_ORDER 9   /* 2 MiB, a large page of the host */

struct zone {
    uint64_t first; /* frame numbers (physical address / 4096) */
    uint64_t end;
    uint64_t fresh; /* from here on nothing has been touched: on no list, in no bit */
    uint64_t *bits;
    uint64_t offset[ORDER_COUNT]; /* of the first bit of each order */
};

/* At the start of every free block. */
struct free_block {
    struct free_block *next;
    struct free_block *previous;
};

static struct {
    uintptr_t direct_map;
    frames_broken broken;
    struct zone zones[FRAMES_RANGE_MAX]; /* sorted by address */
    size_t zone_count;
    struct free_block lists[ORDER_COUNT]; /* circular, the head is no block */
    uint32_t orders;                      /* bit n: list n is not empty */
    uint64_t fresh_count;                 /* frames that are free and untouched */
    struct frames_statistics statistics;  /* free: those on the lists; largest_free made on demand */
} frames;

static void broken(const char *what)
{
    if (frames.broken != NULL)
        frames.broken(what);
}

void *frames_pointer(uint64_t physical)
{
    return (void *)((uintptr_t)physical + frames.direct_map);
}

uint64_t frames_physical(const void *pointer)
{
    return (uintptr_t)pointer - frames.direct_map;
}

static struct free_block *block_at(uint64_t frame)
{
    return frames_pointer(frame << FRAME_SHIFT);
}

static unsigned floor_log2(uint64_t value)
{
    return 63u - (unsigned)__builtin_clzll(value);
}

static unsigned ceil_log2(uint64_t value)
{
    return value <= 1 ? 0 : floor_log2(value - 1) + 1;
}

/* The largest order of a block that begins at `frame` and ends at `end` or before. */
static unsigned largest_order(uint64_t frame, uint64_t end)
{
    unsigned order = floor_log2(end - frame);

    if (frame != 0 && (unsigned)__builtin_ctzll(frame) < order)
        order = (unsigned)__builtin_ctzll(frame);
    return order < ORDER_MAX ? order : ORDER_MAX;
}

/* --- the bits of a zone --- */

static uint64_t bit_of(const struct zone *zone, uint64_t frame, unsigned order)
{
    return zone->offset[order] + (frame >> order) - (zone->first >> order);
}

static bool is_free(const struct zone *zone, uint64_t frame, unsigned order)
{
    uint64_t bit = bit_of(zone, frame, order);

    return (zone->bits[bit / 64] >> (bit % 64) & 1) != 0;
}

static void flip(struct zone *zone, uint64_t frame, unsigned order)
{
    uint64_t bit = bit_of(zone, frame, order);

    zone->bits[bit / 64] ^= UINT64_C(1) << (bit % 64);
}

/* Sets the offsets, and returns how many bits the zone has. */
static uint64_t lay_out_bits(struct zone *zone)
{
    uint64_t bits = 0;

    for (unsigned order = 0; order < ORDER_COUNT; order++) {
        zone->offset[order] = bits;
        bits += ((zone->end - 1) >> order) - (zone->first >> order) + 1;
    }
    return bits;
}

static struct zone *zone_of(uint64_t frame)
{
    size_t low = 0;
    size_t high = frames.zone_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (frame < frames.zones[middle].first)
            high = middle;
        else if (frame >= frames.zones[middle].end)
            low = middle + 1;
        else
            return &frames.zones[middle];
    }
    return NULL;
}

/* The order of the free block that `frame` lies in, or -1. */
static int free_order(const struct zone *zone, uint64_t frame)
{
    for (unsigned order = 0; order < ORDER_COUNT; order++)
        if (is_free(zone, frame, order))
            return (int)order;
    return -1;
}

/* --- the free lists --- */

static void list_add(struct zone *zone, uint64_t frame, unsigned order)
{
    struct free_block *block = block_at(frame);
    struct free_block *head = &frames.lists[order];

    block->next = head->next;
    block->previous = head;
    head->next->previous = block;
    head->next = block;
    frames.orders |= 1u << order;
    flip(zone, frame, order);
    frames.statistics.free += (uint64_t)FRAME_SIZE << order;
}

static bool list_remove(struct zone *zone, uint64_t frame, unsigned order)
{
    struct free_block *block = block_at(frame);
    struct free_block *head = &frames.lists[order];

    /* The links lie in memory that its former owner may still write. */
    if (block->next->previous != block || block->previous->next != block) {
        broken("frames: free list damaged: something writes to memory that it has freed");
        return false;
    }
    block->next->previous = block->previous;
    block->previous->next = block->next;
    if (head->next == head)
        frames.orders &= ~(1u << order);
    flip(zone, frame, order);
    frames.statistics.free -= (uint64_t)FRAME_SIZE << order;
    return true;
}

/* Frees one block and joins it with its buddies as long as these are free. */
static void free_block(struct zone *zone, uint64_t frame, unsigned order)
{
    while (order < ORDER_MAX) {
        uint64_t buddy = frame ^ (UINT64_C(1) << order);

        if (buddy < zone->first || buddy + (UINT64_C(1) << order) > zone->end ||
            !is_free(zone, buddy, order) || !list_remove(zone, buddy, order))
            break;
        frame &= ~(UINT64_C(1) << order);
        order++;
    }
    list_add(zone, frame, order);
}

/* Frees [frame, end) as the fewest blocks. */
static void free_frames(struct zone *zone, uint64_t frame, uint64_t end)
{
    while (frame < end) {
        unsigned order = largest_order(frame, end);

        free_block(zone, frame, order);
        frame += UINT64_C(1) << order;
    }
}

/* --- what is untouched --- */

/* Puts the frames up to `end` on the lists. */
static void seed(struct zone *zone, uint64_t end)
{
    uint64_t start = zone->fresh;

    zone->fresh = end;
    frames.fresh_count -= end - start;
    free_frames(zone, start, end);
}

/* Seeds as much, from the lowest addresses on, as may make a block of `order`. False when nothing is left. */
static bool seed_some(unsigned order)
{
    uint64_t step = UINT64_C(1) << (order < CHUNK_ORDER ? CHUNK_ORDER : order);

    for (size_t i = 0; i < frames.zone_count; i++) {
        struct zone *zone = &frames.zones[i];

        if (zone->fresh == zone->end)
            continue;
        /* To the next boundary, and where that gives no whole block, one block further. */
        uint64_t end = (zone->fresh / step + 1) * step;

        if (order >= CHUNK_ORDER && zone->fresh % step != 0)
            end += step;
        seed(zone, end < zone->end ? end : zone->end);
        return true;
    }
    return false;
}

/* --- starting --- */

int frames_add(const struct frames_range *usable)
{
    struct zone zone = {0};
    size_t place = 0;
    uint64_t metadata;

    if (usable->size > UINT64_MAX - usable->base)
        return -EINVAL;
    zone.first = (usable->base >> FRAME_SHIFT) + (usable->base % FRAME_SIZE != 0 ? 1 : 0);
    zone.end = (usable->base + usable->size) >> FRAME_SHIFT;
    if (zone.first == 0)
        zone.first = 1; /* physical address 0 is nobody's */
    if (zone.first + 4 > zone.end)
        return -EINVAL;
    if (frames.zone_count == FRAMES_RANGE_MAX)
        return -ENOSPC;
    while (place < frames.zone_count && frames.zones[place].end <= zone.first)
        place++;
    if (place < frames.zone_count && frames.zones[place].first < zone.end)
        return -EINVAL;

    /* The bits are laid out for the whole range; its first frames hold them. */
    zone.bits = frames_pointer(zone.first << FRAME_SHIFT);
    metadata = (lay_out_bits(&zone) + UINT64_C(8) * FRAME_SIZE - 1) / (UINT64_C(8) * FRAME_SIZE);
    memset(zone.bits, 0, metadata << FRAME_SHIFT);
    zone.first += metadata;
    zone.fresh = zone.first;
    lay_out_bits(&zone);

    memmove(&frames.zones[place + 1], &frames.zones[place],
            (frames.zone_count - place) * sizeof(frames.zones[0]));
    frames.zones[place] = zone;
    frames.zone_count++;
    frames.statistics.total += (zone.end - zone.first) << FRAME_SHIFT;
    frames.statistics.metadata += metadata << FRAME_SHIFT;
    frames.fresh_count += zone.end - zone.first;
    return 0;
}

int frames_initialise(const struct frames_range *usable, size_t count, uintptr_t direct_map_offset,
                      frames_broken broken_hook)
{
    memset(&frames, 0, sizeof(frames));
    frames.direct_map = direct_map_offset;
    frames.broken = broken_hook;
    for (unsigned order = 0; order < ORDER_COUNT; order++)
        frames.lists[order].next = frames.lists[order].previous = &frames.lists[order];

    for (size_t i = 0; i < count; i++) {
        if (usable[i].size < UINT64_C(5) * FRAME_SIZE)
            continue; /* may be fewer than four whole frames: not worth its metadata */
        if (frames_add(&usable[i]) == -EINVAL)
            return -EINVAL;
    }
    return frames.zone_count > 0 ? 0 : -ENOMEM;
}

/* --- allocating --- */

/* Takes a free block of at least `order`, and gives the halves that are too much back. */
static bool take_block(unsigned order, uint64_t *frame)
{
    uint32_t candidates = frames.orders >> order << order;
    struct zone *zone;
    unsigned found;

    while (candidates == 0) {
        if (!seed_some(order))
            return false;
        candidates = frames.orders >> order << order;
    }
    found = (unsigned)__builtin_ctz(candidates);
    *frame = frames_physical(frames.lists[found].next) >> FRAME_SHIFT;
    zone = zone_of(*frame);
    if (zone == NULL || !is_free(zone, *frame, found)) {
        broken("frames: free list leads to memory that is not free");
        return false;
    }
    if (!list_remove(zone, *frame, found))
        return false;
    while (found > order) {
        found--;
        list_add(zone, *frame + (UINT64_C(1) << found), found);
    }
    return true;
}

/* Takes the free blocks that cover [frame, end) off their lists, and gives what lies behind `end` back. A
 * block begins at `frame`: blocks are aligned to their size, so one that holds an aligned address either
 * begins there or is larger than the alignment, and then the run would have begun where it does. */
static bool take_run(struct zone *zone, uint64_t frame, uint64_t end)
{
    while (frame < end) {
        unsigned order = (unsigned)free_order(zone, frame);

        if (!list_remove(zone, frame, order))
            return false;
        frame += UINT64_C(1) << order;
    }
    free_frames(zone, end, frame);
    return true;
}

/* Looks for `count` free frames in a row, made of blocks of order `granule` and more. */
static bool find_run_of(unsigned granule, size_t count, uint64_t align, uint64_t *frame)
{
    for (size_t i = 0; i < frames.zone_count; i++) {
        struct zone *zone = &frames.zones[i];
        uint64_t step = UINT64_C(1) << granule;
        uint64_t at = (zone->first + step - 1) & ~(step - 1);
        uint64_t start = at;

        while (at < zone->end) {
            int order = -1;

            for (unsigned o = granule; o < ORDER_COUNT && order < 0; o++)
                if (is_free(zone, at, o))
                    order = (int)o;
            if (order >= 0) {
                at = ((at >> order) + 1) << order;
                start = (start + align - 1) & ~(align - 1);
                if (start + count <= at) {
                    *frame = start;
                    return take_run(zone, start, start + count);
                }
            } else {
                at += step;
                start = at;
            }
        }
    }
    return false;
}

/* Large blocks are found fast; smaller ones are looked at where small things have come to lie between them.
 * The work is bounded by the number of granules in memory, a thousand for each time that the run fits in. */
static bool find_run(size_t count, uint64_t align, uint64_t *frame)
{
    while (seed_some(ORDER_MAX))
        ; /* a run shows on the lists only */
    for (size_t parts = 16; parts <= 1024 && count / parts >= RUN_GRANULE; parts *= 8) {
        unsigned granule = floor_log2(count / parts);

        if (find_run_of(granule < ORDER_MAX ? granule : ORDER_MAX, count, align, frame))
            return true;
    }
    return false;
}

int frames_alloc(size_t count, size_t align, uint64_t *physical)
{
    uint64_t align_frames = align >> FRAME_SHIFT;
    uint64_t frame = 0;
    unsigned order;

    if (count == 0 || align < FRAME_SIZE || (align & (align - 1)) != 0)
        return -EINVAL;
    if (count > (frames.statistics.free >> FRAME_SHIFT) + frames.fresh_count) {
        frames.statistics.failures++;
        return -ENOMEM;
    }
    order = ceil_log2(count > align_frames ? count : align_frames);
    if (order <= ORDER_MAX && take_block(order, &frame)) {
        free_frames(zone_of(frame), frame + count, frame + (UINT64_C(1) << order));
    } else if (count < RUN_MINIMUM || !find_run(count, align_frames, &frame)) {
        frames.statistics.failures++;
        return -ENOMEM;
    }
    *physical = frame << FRAME_SHIFT;
    return 0;
}

/* Whether any frame of the block is free already: those whose free block begins or ends where this one does,
 * or contains it. */
static bool overlaps_free(const struct zone *zone, uint64_t frame, uint64_t end)
{
#ifdef MK_DEBUG_MEMORY
    for (uint64_t i = frame; i < end; i++)
        if (free_order(zone, i) >= 0)
            return true;
    return false;
#else
    return free_order(zone, frame) >= 0 || free_order(zone, end - 1) >= 0;
#endif
}

void frames_free(uint64_t physical, size_t count)
{
    uint64_t frame = physical >> FRAME_SHIFT;
    struct zone *zone = zone_of(frame);

    if (physical % FRAME_SIZE != 0 || count == 0) {
        broken("frames: free of something that is no frame");
        return;
    }
    if (zone == NULL || count > zone->end - frame) {
        broken("frames: free of memory that is not the allocator's");
        return;
    }
    if (frame + count > zone->fresh || overlaps_free(zone, frame, frame + count)) {
        broken("frames: double free");
        return;
    }
#ifdef MK_DEBUG_MEMORY
    memset(block_at(frame), FRAMES_JUNK, count * FRAME_SIZE);
#endif
    free_frames(zone, frame, frame + count);
}

void frames_get_statistics(struct frames_statistics *statistics)
{
    unsigned largest = frames.orders != 0 ? floor_log2(frames.orders) + 1 : 0;

    /* Of what is untouched, the largest aligned block that would come of it. */
    for (size_t i = 0; i < frames.zone_count; i++) {
        const struct zone *zone = &frames.zones[i];

        for (unsigned order = ORDER_COUNT; order > largest; order--) {
            uint64_t size = UINT64_C(1) << (order - 1);
            uint64_t start = (zone->fresh + size - 1) & ~(size - 1);

            if (start < zone->end && zone->end - start >= size)
                largest = order;
        }
    }
    *statistics = frames.statistics;
    statistics->free += frames.fresh_count << FRAME_SHIFT;
    statistics->largest_free = largest != 0 ? (uint64_t)FRAME_SIZE << (largest - 1) : 0;
}
