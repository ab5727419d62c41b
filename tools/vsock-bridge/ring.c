/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <errno.h>
#include <string.h>

/* Rings are little-endian (virtio 1.2, section 1.4). */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a big-endian host would have to swap bytes");

/* Section 2.7.5. */
struct ring_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};
_Static_assert(sizeof(struct ring_descriptor) == 16, "virtio 1.2, section 2.7.5");

#define DESCRIPTOR_NEXT     1
#define DESCRIPTOR_WRITE    2
#define DESCRIPTOR_INDIRECT 4

/* The available ring (section 2.7.6) is u16 flags, u16 index, u16 entries[size], u16 used_event. */
#define AVAILABLE_FLAGS        0
#define AVAILABLE_INDEX        1
#define AVAILABLE_ENTRIES      2
#define AVAILABLE_NO_INTERRUPT 1

/* The used ring (section 2.7.8) is u16 flags, u16 index, {u32 id, u32 length} entries[size], u16 avail_event.
 */
struct used_entry {
    uint32_t id;
    uint32_t length;
};
_Static_assert(sizeof(struct used_entry) == 8, "virtio 1.2, section 2.7.8");

#define USED_FLAGS           0
#define USED_INDEX           1
#define USED_ENTRIES         2
#define USED_NO_NOTIFICATION 1

static struct used_entry *used_entries(const struct ring *ring)
{
    return (struct used_entry *)(void *)(ring->used + USED_ENTRIES);
}

/* The last field of the used ring: the driver notifies when it passes this index of the available ring. */
static uint16_t *available_event(const struct ring *ring)
{
    return (uint16_t *)(void *)(used_entries(ring) + ring->size);
}

/* The guest writes beside us: every access to a shared field is one atomic load or store. */
static uint16_t load(const uint16_t *field)
{
    return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static void store(uint16_t *field, uint16_t value)
{
    __atomic_store_n(field, value, __ATOMIC_RELAXED);
}

int ring_map(struct ring *ring, const struct guest_memory *memory)
{
    uint64_t size = ring->size;

    ring_unmap(ring);
    if (size == 0 || !ring->addresses_set) {
        ring->fault = "its size or addresses are not set";
        return -EINVAL;
    }
    if (ring->descriptors_address % 16 != 0 || ring->available_address % 2 != 0 ||
        ring->used_address % 4 != 0) {
        ring->fault = "its addresses are not aligned";
        return -EINVAL;
    }
    ring->descriptors =
        memory_at_user_address(memory, ring->descriptors_address, size * sizeof(struct ring_descriptor));
    /* The event fields at the end exist whether they are negotiated or not (section 2.7.6). */
    ring->available = memory_at_user_address(memory, ring->available_address, 6 + 2 * size);
    ring->used = memory_at_user_address(memory, ring->used_address, 6 + sizeof(struct used_entry) * size);
    if (ring->descriptors == NULL || ring->available == NULL || ring->used == NULL) {
        ring_unmap(ring);
        ring->fault = "it is not in the guest's memory";
        return -EINVAL;
    }
    return 0;
}

void ring_unmap(struct ring *ring)
{
    ring->descriptors = NULL;
    ring->available = NULL;
    ring->used = NULL;
}

void ring_recover(struct ring *ring)
{
    ring->next = ring->published = load(&ring->used[USED_INDEX]);
}

static int broken(struct ring *ring, const char *fault)
{
    ring->fault = fault;
    return -EPROTO;
}

/* Copies descriptor `index` out of a table in guest memory. The table need not be aligned for the type here:
 * the guest chooses the address of an indirect one. */
static void copy_descriptor(struct ring_descriptor *descriptor, const uint8_t *table, unsigned index)
{
    memcpy(descriptor, table + (size_t)index * sizeof *descriptor, sizeof *descriptor);
}

static int append(struct ring *ring, const struct guest_memory *memory, enum chain_direction direction,
                  const struct ring_descriptor *descriptor, struct chain *chain)
{
    int count;

    if (((descriptor->flags & DESCRIPTOR_WRITE) != 0) != (direction == CHAIN_TO_DRIVER))
        return broken(ring, "a buffer has the wrong direction");
    count =
        memory_segments(memory, descriptor->address, descriptor->length,
                        &chain->segments[chain->segment_count], CHAIN_SEGMENTS_MAX - chain->segment_count);
    if (count == -E2BIG)
        return broken(ring, "a chain has too many pieces");
    if (count < 0)
        return broken(ring, "a buffer lies outside the guest's memory");
    chain->segment_count += (unsigned)count;
    chain->size += descriptor->length;
    return 0;
}

/* Walks the chain that starts at `index` of a table of `count` descriptors. */
static int walk(struct ring *ring, const struct guest_memory *memory, enum chain_direction direction,
                const uint8_t *table, unsigned count, unsigned index, bool indirect, struct chain *chain)
{
    struct ring_descriptor descriptor;

    for (unsigned steps = 0; steps < count; steps++) {
        int result;

        if (index >= count)
            return broken(ring, "a descriptor index is outside its table");
        copy_descriptor(&descriptor, table, index);
        if ((descriptor.flags & DESCRIPTOR_INDIRECT) != 0) {
            struct iovec where;
            unsigned entries = descriptor.length / (unsigned)sizeof descriptor;

            /* Section 2.7.5.3.1. That an indirect descriptor follows direct ones is allowed there; no vsock
             * driver does so, and refusing it keeps this walk one level deep. */
            if (indirect || steps > 0 || (descriptor.flags & DESCRIPTOR_NEXT) != 0)
                return broken(ring, "an indirect table stands inside a chain");
            if (entries == 0 || entries > RING_SIZE_MAX || descriptor.length % sizeof descriptor != 0)
                return broken(ring, "an indirect table has a bad size");
            if (memory_segments(memory, descriptor.address, descriptor.length, &where, 1) != 1)
                return broken(ring, "an indirect table lies outside the guest's memory");
            return walk(ring, memory, direction, where.iov_base, entries, 0, true, chain);
        }
        result = append(ring, memory, direction, &descriptor, chain);
        if (result != 0)
            return result;
        if ((descriptor.flags & DESCRIPTOR_NEXT) == 0)
            return 0;
        index = descriptor.next;
    }
    return broken(ring, "a chain loops");
}

int ring_peek(struct ring *ring, const struct guest_memory *memory, enum chain_direction direction,
              struct chain *chain)
{
    /* Acquire: the entry and the descriptors were written before the index. */
    uint16_t index = __atomic_load_n(&ring->available[AVAILABLE_INDEX], __ATOMIC_ACQUIRE);
    uint16_t offered = (uint16_t)(index - ring->next);
    int result;

    if (offered == 0)
        return 0;
    if (offered > ring->size)
        return broken(ring, "the available index jumped");
    chain->head = load(&ring->available[AVAILABLE_ENTRIES + (ring->next & (ring->size - 1U))]);
    chain->segment_count = 0;
    chain->size = 0;
    result = walk(ring, memory, direction, ring->descriptors, ring->size, chain->head, false, chain);
    return result == 0 ? 1 : result;
}

void ring_use(struct ring *ring, const struct chain *chain, uint32_t written)
{
    struct used_entry *entry = &used_entries(ring)[ring->next & (ring->size - 1U)];

    entry->id = chain->head;
    entry->length = written;
    ring->next++;
}

bool ring_publish(struct ring *ring)
{
    uint16_t before = ring->published;
    uint16_t after = ring->next;

    if (before == after)
        return false;
    ring->published = after;
    __atomic_store_n(&ring->used[USED_INDEX], after, __ATOMIC_RELEASE);
    /* The driver writes used_event, then reads the index; we the other way round. A full barrier on both
     * sides makes sure that one of the two sees the other's write. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (ring->event_index) {
        uint16_t event = load(&ring->available[AVAILABLE_ENTRIES + ring->size]);

        /* Section 2.7.7.2: did the index pass the event? */
        return (uint16_t)(after - event - 1) < (uint16_t)(after - before);
    }
    return (load(&ring->available[AVAILABLE_FLAGS]) & AVAILABLE_NO_INTERRUPT) == 0;
}

bool ring_want_notification(struct ring *ring)
{
    if (ring->event_index)
        store(available_event(ring), ring->next);
    else
        store(&ring->used[USED_FLAGS], 0);
    /* The mirror image of the barrier in ring_publish (section 2.7.10). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return load(&ring->available[AVAILABLE_INDEX]) != ring->next;
}

void ring_suppress_notification(struct ring *ring)
{
    /* With event indices the one written last is behind by then, and that is enough. */
    if (!ring->event_index)
        store(&ring->used[USED_FLAGS], USED_NO_NOTIFICATION);
}
