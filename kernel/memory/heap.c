/* SPDX-License-Identifier: MIT
 *
 * A slab is a frame: 64 bytes of header, then blocks of one size. Its free blocks are those behind `fresh`,
 * never used so far, and those on its free list, linked through themselves and tagged, which is how a double
 * free and a write after free are noticed. Slabs with a free block stand in their class's list.
 */
#include "heap.h"

#include <stdbool.h>
#include <string.h>

#include "frames.h"

#define HEADER_SIZE 64

#ifdef MK_DEBUG_MEMORY
#define FILLED_MAX SIZE_MAX
#else
#define FILLED_MAX HEAP_FILLED_MAX
#endif

/* Stored XORed with the header's address, so that a copy of a header is none. */
#define SLAB_MAGIC  UINT64_C(0x736c61622d686561)
#define LARGE_MAGIC UINT64_C(0x6c617267652d6865)
#define FREE_TAG    UINT64_C(0x667265652d626c6b)

/* A slab's 4032 bytes divided by 2, 3, 4... and rounded down to the alignment, with gaps of at most a
 * quarter. */
static const uint16_t class_sizes[] = {16,  32,  48,  64,  80,  96,  112, 128, 160,  192,  224, 240,
                                       288, 336, 400, 448, 496, 576, 672, 800, 1008, 1344, 2016};
#define CLASS_COUNT (sizeof(class_sizes) / sizeof(class_sizes[0]))

/* A debug build fills what lies behind a block's bytes up to the end of its class or frame, at least one
 * byte, and looks at it when the block is freed; how many bytes it has stands in the last two, or in the
 * header. */
#ifdef MK_DEBUG_MEMORY
#define FENCE_MIN 3u
#else
#define FENCE_MIN 0u
#endif

_Static_assert(HEAP_SMALL_MAX == (FRAME_SIZE - HEADER_SIZE) / 2, "the largest class is half a slab");

struct free_object {
    struct free_object *next;
    uint64_t tag;
};

struct slab {
    uint64_t magic;
    struct slab *next; /* in the class's list */
    struct slab *previous;
    struct free_object *free;
    uint16_t class;
    uint16_t used;  /* blocks handed out */
    uint16_t fresh; /* blocks from this one on were never handed out */
    uint16_t count; /* blocks in all */
};
_Static_assert(sizeof(struct slab) <= HEADER_SIZE, "the header fits");

struct large {
    uint64_t magic;
    size_t frames;
    size_t size; /* asked for; a debug build's */
};

static struct {
    heap_broken broken;
    uint8_t class_of[HEAP_SMALL_MAX / HEAP_ALIGNMENT + 1]; /* by size in units of the alignment */
    struct slab *slabs[CLASS_COUNT];                       /* with a free block */
    uint8_t empty[CLASS_COUNT];                            /* of these, with no block handed out: 0 or 1 */
    struct heap_statistics statistics;
} heap;

static void broken(const char *what)
{
    if (heap.broken != NULL)
        heap.broken(what);
}

static uint64_t seal(uint64_t magic, const void *address)
{
    return magic ^ (uintptr_t)address;
}

void heap_initialise(heap_broken broken_hook)
{
    uint8_t class = 0;

    memset(&heap, 0, sizeof(heap));
    heap.broken = broken_hook;
    for (size_t units = 0; units <= HEAP_SMALL_MAX / HEAP_ALIGNMENT; units++) {
        if (units * HEAP_ALIGNMENT > class_sizes[class])
            class ++;
        heap.class_of[units] = class;
    }
}

static bool is_small(size_t size)
{
    return size <= HEAP_SMALL_MAX - FENCE_MIN;
}

static unsigned class_of(size_t size)
{
    return heap.class_of[(size + FENCE_MIN + HEAP_ALIGNMENT - 1) / HEAP_ALIGNMENT];
}

/* How many frames a large block takes; `size` is at most SIZE_MAX / 2. */
static size_t large_frames(size_t size)
{
    return (size + (FENCE_MIN > 0) + HEADER_SIZE + FRAME_SIZE - 1) / FRAME_SIZE;
}

size_t heap_cost(size_t size)
{
    if (is_small(size))
        return class_sizes[class_of(size)];
    return size <= SIZE_MAX / 2 ? large_frames(size) * FRAME_SIZE : SIZE_MAX;
}

static void count_used(size_t size)
{
    heap.statistics.used += size;
    heap.statistics.blocks++;
    if (heap.statistics.used > heap.statistics.peak)
        heap.statistics.peak = heap.statistics.used;
}

static void *fail(void)
{
    heap.statistics.failures++;
    return NULL;
}

static void *take_frames(size_t count)
{
    uint64_t physical;

    if (frames_alloc(count, FRAME_SIZE, &physical) != 0)
        return NULL;
    heap.statistics.reserved += count * FRAME_SIZE;
    return frames_pointer(physical);
}

static void give_frames(void *base, size_t count)
{
    heap.statistics.reserved -= count * FRAME_SIZE;
    frames_free(frames_physical(base), count);
}

/* --- slabs --- */

static void slab_link(struct slab *slab)
{
    struct slab **head = &heap.slabs[slab->class];

    slab->previous = NULL;
    slab->next = *head;
    if (*head != NULL)
        (*head)->previous = slab;
    *head = slab;
}

static void slab_unlink(struct slab *slab)
{
    if (slab->previous != NULL)
        slab->previous->next = slab->next;
    else
        heap.slabs[slab->class] = slab->next;
    if (slab->next != NULL)
        slab->next->previous = slab->previous;
}

static struct slab *slab_create(unsigned class)
{
    struct slab *slab = take_frames(1);

    if (slab == NULL)
        return NULL;
    memset(slab, 0, sizeof(*slab));
    slab->magic = seal(SLAB_MAGIC, slab);
    slab->class = (uint16_t) class;
    slab->count = (uint16_t)((FRAME_SIZE - HEADER_SIZE) / class_sizes[class]);
    heap.empty[class]++;
    slab_link(slab);
    return slab;
}

static void *slab_block(struct slab *slab, unsigned index)
{
    return (unsigned char *)slab + HEADER_SIZE + (size_t)index * class_sizes[slab->class];
}

/* Whether `block` is where a block of the slab begins, one that was handed out at some time. */
static bool slab_owns(struct slab *slab, const void *block)
{
    uintptr_t offset = (uintptr_t)block - (uintptr_t)slab;

    return offset >= HEADER_SIZE && offset < FRAME_SIZE &&
           (offset - HEADER_SIZE) % class_sizes[slab->class] == 0 &&
           (offset - HEADER_SIZE) / class_sizes[slab->class] < slab->fresh;
}

static void *alloc_small(unsigned class)
{
    struct slab *slab = heap.slabs[class];
    void *block;

    if (slab == NULL && (slab = slab_create(class)) == NULL)
        return fail();

    if (slab->free != NULL) {
        struct free_object *object = slab->free;

        if (object->tag != seal(FREE_TAG, object) ||
            (object->next != NULL && !slab_owns(slab, object->next))) {
            broken("heap: free block damaged: something writes to memory that it has freed");
            return fail();
        }
        slab->free = object->next;
        object->tag = 0;
        block = object;
    } else {
        block = slab_block(slab, slab->fresh++);
        /* What an earlier owner of the frame left must not look like a free block. */
        ((struct free_object *)block)->tag = 0;
    }
    if (slab->used++ == 0)
        heap.empty[class]--;
    if (slab->used == slab->count)
        slab_unlink(slab);
    count_used(class_sizes[class]);
    return block;
}

static void free_small(struct slab *slab, void *block)
{
    unsigned class = slab->class;
    struct free_object *object = block;

    if (class >= CLASS_COUNT || !slab_owns(slab, block)) {
        broken("heap: free of something that is no block");
        return;
    }
    if (object->tag == seal(FREE_TAG, object)) {
        broken("heap: double free");
        return;
    }
    memset(block, HEAP_JUNK, class_sizes[class]);
    object->next = slab->free;
    object->tag = seal(FREE_TAG, object);
    slab->free = object;
    heap.statistics.used -= class_sizes[class];
    heap.statistics.blocks--;

    if (slab->used-- == slab->count)
        slab_link(slab);
    if (slab->used > 0)
        return;
    if (heap.empty[class] == 0) {
        heap.empty[class] = 1;
    } else {
        slab_unlink(slab);
        slab->magic = 0;
        give_frames(slab, 1);
    }
}

/* --- large blocks --- */

static void *alloc_large(size_t size)
{
    size_t count = large_frames(size);
    struct large *large = take_frames(count);

    if (large == NULL)
        return fail();
    large->magic = seal(LARGE_MAGIC, large);
    large->frames = count;
    count_used(count * FRAME_SIZE);
    return (unsigned char *)large + HEADER_SIZE;
}

static void fill_frames(void *base, size_t count)
{
    if (count <= FILLED_MAX / FRAME_SIZE)
        memset(base, HEAP_JUNK, count * FRAME_SIZE);
}

static void free_large(struct large *large)
{
    size_t count = large->frames;

    large->magic = 0;
    heap.statistics.used -= count * FRAME_SIZE;
    heap.statistics.blocks--;
    fill_frames(large, count);
    give_frames(large, count);
}

/* --- both --- */

static void *header_of(void *block)
{
    return (unsigned char *)block - (uintptr_t)block % FRAME_SIZE;
}

static bool is_slab(const void *header)
{
    return ((const struct slab *)header)->magic == seal(SLAB_MAGIC, header);
}

static bool is_large(const void *header, const void *block)
{
    return ((const struct large *)header)->magic == seal(LARGE_MAGIC, header) &&
           (const unsigned char *)block == (const unsigned char *)header + HEADER_SIZE;
}

#ifdef MK_DEBUG_MEMORY
static bool is_used_block(struct slab *slab, const void *block)
{
    const struct free_object *object = block;

    return slab->class < CLASS_COUNT && slab_owns(slab, block) && object->tag != seal(FREE_TAG, object);
}

static void put_fence(void *block, size_t size)
{
    unsigned char *bytes = block;
    void *header;

    if (block == NULL)
        return;
    header = header_of(block);
    if (is_slab(header)) {
        size_t end = class_sizes[((struct slab *)header)->class] - sizeof(uint16_t);
        uint16_t stored = (uint16_t)size;

        memset(bytes + size, HEAP_FENCE, end - size);
        memcpy(bytes + end, &stored, sizeof(stored));
    } else {
        struct large *large = header;

        large->size = size;
        memset(bytes + size, HEAP_FENCE, large->frames * FRAME_SIZE - HEADER_SIZE - size);
    }
}

/* What is no block is left to those who look for that. */
static bool fence_stands(void *header, const void *block)
{
    const unsigned char *bytes = block;
    size_t size, end;

    if (is_slab(header) && is_used_block(header, block)) {
        uint16_t stored;

        end = class_sizes[((struct slab *)header)->class] - sizeof(uint16_t);
        memcpy(&stored, bytes + end, sizeof(stored));
        size = stored;
    } else if (!is_slab(header) && is_large(header, block)) {
        end = ((struct large *)header)->frames * FRAME_SIZE - HEADER_SIZE;
        size = ((struct large *)header)->size;
    } else {
        return true;
    }
    if (size >= end)
        return false;
    for (size_t i = size; i < end; i++)
        if (bytes[i] != HEAP_FENCE)
            return false;
    return true;
}
#else
/* No functions: a coverage report takes a function for one thing at one place. */
#define put_fence(block, size)      ((void)(block), (void)(size))
#define fence_stands(header, block) ((void)(header), (void)(block), true)
#endif

void *heap_alloc(size_t size)
{
    void *block;

    if (is_small(size))
        block = alloc_small(class_of(size));
    else if (size <= SIZE_MAX / 2)
        block = alloc_large(size);
    else
        return fail();
    put_fence(block, size);
    return block;
}

void heap_free(void *block)
{
    void *header;

    if (block == NULL)
        return;
    header = header_of(block);
    if (!fence_stands(header, block)) {
        broken("heap: block overrun: something wrote behind its end");
        return;
    }
    if (is_slab(header))
        free_small(header, block);
    else if (is_large(header, block))
        free_large(header);
    else
        broken("heap: free of something that is no block");
}

/* Gives back the frames behind those that `size` needs. Returns whether the block fits in what it has. */
static bool shrink_large(struct large *large, size_t size)
{
    size_t count = large_frames(size);

    if (count > large->frames)
        return false;
    if (count < large->frames) {
        size_t excess = large->frames - count;

        large->frames = count;
        heap.statistics.used -= excess * FRAME_SIZE;
        fill_frames((unsigned char *)large + count * FRAME_SIZE, excess);
        give_frames((unsigned char *)large + count * FRAME_SIZE, excess);
    }
    return true;
}

void *heap_resize(void *block, size_t size)
{
    void *header;
    size_t old_size;
    void *moved;

    if (block == NULL)
        return heap_alloc(size);
    header = header_of(block);
    if (!fence_stands(header, block)) {
        broken("heap: block overrun: something wrote behind its end");
        return NULL;
    }
    if (is_slab(header) && slab_owns(header, block)) {
        struct slab *slab = header;

        if (is_small(size) && class_of(size) == slab->class) {
            put_fence(block, size);
            return block;
        }
        old_size = class_sizes[slab->class] - FENCE_MIN;
    } else if (is_large(header, block)) {
        struct large *large = header;

        if (!is_small(size) && size <= SIZE_MAX / 2 && shrink_large(large, size)) {
            put_fence(block, size);
            return block;
        }
        old_size = large->frames * FRAME_SIZE - HEADER_SIZE;
    } else {
        broken("heap: resize of something that is no block");
        return NULL;
    }

    moved = heap_alloc(size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, size < old_size ? size : old_size);
    heap_free(block);
    return moved;
}

void heap_get_statistics(struct heap_statistics *statistics)
{
    *statistics = heap.statistics;
}
