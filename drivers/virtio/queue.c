/* SPDX-License-Identifier: MIT
 *
 * Split virtqueues, virtio 1.2 section 2.7.
 */
#include <errno.h>
#include <string.h>

#include "queue_private.h"

#define NO_DESCRIPTOR 0xffff

/* What the driver knows about one descriptor. The device cannot reach it. */
struct slot {
    void *token;
    struct virtq_descriptor *table; /* indirect table, kept for the next chain that starts here */
    uint64_t table_physical;
    uint32_t writable_size;  /* of the chain that starts here */
    uint16_t table_capacity; /* descriptors */
    uint16_t next;           /* in the chain or in the list of free descriptors */
    bool head;               /* a chain that the device holds starts here */
};

struct virtio_queue {
    const struct virtio_os *os;
    struct virtio_queue_config config;

    /* Shared with the device. */
    uint8_t *memory;
    uint64_t physical;
    size_t memory_size, available_offset, used_offset;
    struct virtq_descriptor *descriptors;
    struct virtq_available *available;
    struct virtq_used *used;
    uint16_t *used_event;  /* written by us: interrupt when this entry is used */
    uint16_t *avail_event; /* written by the device: kick when this entry is available */

    /* Private. */
    uint16_t available_index; /* the next entry that we fill */
    uint16_t kicked_index;    /* its value at the last kick */
    uint16_t used_index;      /* the next entry that we take */
    uint16_t first_free;
    uint16_t free_count;
    uint16_t in_flight; /* chains */
    bool broken;
    struct slot slots[];
};

int virtio_queue_create(const struct virtio_os *os, const struct virtio_queue_config *config,
                        struct virtio_queue **queue)
{
    uint16_t size = config->size;

    if (size == 0 || size > VIRTQ_SIZE_MAX || (size & (size - 1)) != 0)
        return -EINVAL;

    size_t private_size = sizeof(struct virtio_queue) + size * sizeof(struct slot);
    struct virtio_queue *q = os->alloc(os->context, private_size);
    if (q == NULL)
        return -ENOMEM;
    memset(q, 0, private_size);

    /* One block for the three parts: section 2.7 wants them aligned to 16, 2 and 4 bytes. */
    q->available_offset = size * sizeof(struct virtq_descriptor);
    size_t available_size = sizeof(struct virtq_available) + (size + 1u) * sizeof(uint16_t);
    q->used_offset = (q->available_offset + available_size + 3) & ~(size_t)3;
    q->memory_size = q->used_offset + sizeof(struct virtq_used) + size * sizeof(struct virtq_used_element) +
                     sizeof(uint16_t);
    q->memory = os->alloc_aligned(os->context, q->memory_size, 16, &q->physical);
    if (q->memory == NULL) {
        os->free(os->context, q, private_size);
        return -ENOMEM;
    }

    q->os = os;
    q->config = *config;
    q->descriptors = (void *)q->memory;
    q->available = (void *)(q->memory + q->available_offset);
    q->used = (void *)(q->memory + q->used_offset);
    q->used_event = &q->available->ring[size];
    q->avail_event = (void *)&q->used->ring[size];

    for (uint16_t i = 0; i < size; i++)
        q->slots[i].next = (uint16_t)(i + 1 < size ? i + 1 : NO_DESCRIPTOR);
    q->free_count = size;
    virtio_queue_disable_interrupt(q);
    *queue = q;
    return 0;
}

void virtio_queue_destroy(struct virtio_queue *queue)
{
    const struct virtio_os *os = queue->os;

    for (uint16_t i = 0; i < queue->config.size; i++) {
        struct slot *slot = &queue->slots[i];
        if (slot->table != NULL)
            os->free_aligned(os->context, slot->table,
                             slot->table_capacity * sizeof(struct virtq_descriptor));
    }
    os->free_aligned(os->context, queue->memory, queue->memory_size);
    os->free(os->context, queue, sizeof(*queue) + queue->config.size * sizeof(struct slot));
}

void virtio_queue_addresses(const struct virtio_queue *queue, uint64_t *descriptors, uint64_t *available,
                            uint64_t *used)
{
    *descriptors = queue->physical;
    *available = queue->physical + queue->available_offset;
    *used = queue->physical + queue->used_offset;
}

/* Makes sure that the slot's table has room for `count` descriptors. */
static bool reserve_table(struct virtio_queue *queue, struct slot *slot, size_t count)
{
    const struct virtio_os *os = queue->os;
    size_t capacity = 4;
    uint64_t physical = 0;

    if (slot->table_capacity >= count)
        return true;
    while (capacity < count)
        capacity *= 2;
    void *table = os->alloc_aligned(os->context, capacity * sizeof(struct virtq_descriptor), 16, &physical);
    if (table == NULL)
        return false;
    if (slot->table != NULL)
        os->free_aligned(os->context, slot->table, slot->table_capacity * sizeof(struct virtq_descriptor));
    slot->table = table;
    slot->table_physical = physical;
    slot->table_capacity =
        (uint16_t)capacity; /* at most VIRTQ_SIZE_MAX, a power of two as the queue size is */
    return true;
}

/* Adds up the sizes of a chain's buffers. */
static int measure(const struct virtio_buffer *buffers, size_t count, uint64_t *size)
{
    for (size_t i = 0; i < count; i++) {
        if (buffers[i].size == 0)
            return -EINVAL;
        *size += buffers[i].size;
    }
    return 0;
}

/* The i-th buffer of a chain as a descriptor, without its link. */
static struct virtq_descriptor describe(const struct virtio_buffer *readable, size_t readable_count,
                                        const struct virtio_buffer *writable, size_t i)
{
    bool write = i >= readable_count;
    const struct virtio_buffer *buffer = write ? &writable[i - readable_count] : &readable[i];

    return (struct virtq_descriptor){
        .address = buffer->physical,
        .length = buffer->size,
        .flags = write ? VIRTQ_DESC_F_WRITE : 0,
    };
}

int virtio_queue_add(struct virtio_queue *queue, const struct virtio_buffer *readable, size_t readable_count,
                     const struct virtio_buffer *writable, size_t writable_count, void *token)
{
    uint16_t size = queue->config.size;
    uint64_t readable_size = 0;
    uint64_t writable_size = 0;

    if (queue->broken)
        return -EIO;
    if (readable_count > size || writable_count > size)
        return -EINVAL;
    size_t count = readable_count + writable_count;
    if (count == 0 || count > size || measure(readable, readable_count, &readable_size) != 0 ||
        measure(writable, writable_count, &writable_size) != 0 || readable_size + writable_size > UINT32_MAX)
        return -EINVAL;
    if (queue->free_count == 0)
        return -ENOSPC;

    uint16_t head = queue->first_free;
    struct slot *slot = &queue->slots[head];
    if (count > 1 && queue->config.indirect && reserve_table(queue, slot, count)) {
        for (size_t i = 0; i < count; i++) {
            slot->table[i] = describe(readable, readable_count, writable, i);
            if (i + 1 < count) {
                slot->table[i].flags |= VIRTQ_DESC_F_NEXT;
                slot->table[i].next = (uint16_t)(i + 1);
            }
        }
        queue->descriptors[head] = (struct virtq_descriptor){
            .address = slot->table_physical,
            .length = (uint32_t)(count * sizeof(struct virtq_descriptor)),
            .flags = VIRTQ_DESC_F_INDIRECT,
        };
        queue->first_free = slot->next;
        slot->next = NO_DESCRIPTOR;
        queue->free_count--;
    } else {
        if (count > queue->free_count)
            return -ENOSPC;
        uint16_t index = head;
        for (size_t i = 0; i < count; i++) {
            uint16_t next = queue->slots[index].next;
            struct virtq_descriptor descriptor = describe(readable, readable_count, writable, i);
            if (i + 1 < count) {
                descriptor.flags |= VIRTQ_DESC_F_NEXT;
                descriptor.next = next;
            } else {
                queue->slots[index].next = NO_DESCRIPTOR;
            }
            queue->descriptors[index] = descriptor;
            index = next;
        }
        queue->first_free = index;
        queue->free_count = (uint16_t)(queue->free_count - count);
    }

    slot->token = token;
    slot->writable_size = (uint32_t)writable_size;
    slot->head = true;
    queue->in_flight++;

    /* Section 2.7.13.3.1: the entry, then a barrier, then the index that makes it visible. */
    queue->available->ring[queue->available_index & (size - 1)] = head;
    queue->available_index++;
    __atomic_store_n(&queue->available->index, queue->available_index, __ATOMIC_RELEASE);
    return 0;
}

void virtio_queue_avoid_indirect(struct virtio_queue *queue)
{
    queue->config.indirect = false;
}

/* Section 2.7.7.2 and 2.7.10: whether the step from `before` to `after` passes entry `event`. */
static bool passes(uint16_t event, uint16_t after, uint16_t before)
{
    return (uint16_t)(after - event - 1) < (uint16_t)(after - before);
}

void virtio_queue_kick(struct virtio_queue *queue)
{
    uint16_t before = queue->kicked_index;
    uint16_t after = queue->available_index;
    bool wanted;

    if (queue->broken || before == after)
        return;
    queue->kicked_index = after;

    /* Section 2.7.13.4.1: our index must be out before we look whether the device sleeps, or both may wait.
     */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (queue->config.event_index)
        wanted = passes(__atomic_load_n(queue->avail_event, __ATOMIC_RELAXED), after, before);
    else
        wanted = (__atomic_load_n(&queue->used->flags, __ATOMIC_RELAXED) & VIRTQ_USED_F_NO_NOTIFY) == 0;
    if (wanted)
        queue->config.notify(queue->config.notify_context, queue->config.index);
}

void virtio_queue_kick_again(struct virtio_queue *queue)
{
    if (queue->broken)
        return;
    queue->kicked_index = queue->available_index;
    queue->config.notify(queue->config.notify_context, queue->config.index);
}

/* Gives the descriptors of a chain back, and its token to the caller. */
static void *release_chain(struct virtio_queue *queue, uint16_t head)
{
    struct slot *slot = &queue->slots[head];
    uint16_t last = head;
    uint16_t count = 1;

    while (queue->slots[last].next != NO_DESCRIPTOR) {
        last = queue->slots[last].next;
        count++;
    }
    queue->slots[last].next = queue->first_free;
    queue->first_free = head;
    queue->free_count = (uint16_t)(queue->free_count + count);
    queue->in_flight--;
    slot->head = false;
    return slot->token;
}

int virtio_queue_take(struct virtio_queue *queue, void **token, uint32_t *written)
{
    uint16_t size = queue->config.size;

    if (queue->broken)
        return -EIO;
    uint16_t ready = (uint16_t)(__atomic_load_n(&queue->used->index, __ATOMIC_ACQUIRE) - queue->used_index);
    if (ready == 0)
        return 0;

    const struct virtq_used_element *element = &queue->used->ring[queue->used_index & (size - 1)];
    uint32_t id = __atomic_load_n(&element->id, __ATOMIC_RELAXED);
    uint32_t length = __atomic_load_n(&element->length, __ATOMIC_RELAXED);
    if (ready > queue->in_flight || id >= size || !queue->slots[id].head) {
        queue->broken = true;
        return -EIO;
    }
    /* vhost-vsock of Linux before 5.16 reports the packet's size for chains that it only reads, so a length
     * means something only where there is something to write. */
    if (queue->slots[id].writable_size == 0)
        length = 0;
    if (length > queue->slots[id].writable_size) {
        queue->broken = true;
        return -EIO;
    }

    queue->used_index++;
    *token = release_chain(queue, (uint16_t)id);
    *written = length;
    return 1;
}

int virtio_queue_drop(struct virtio_queue *queue, const void *token)
{
    for (uint16_t head = 0; head < queue->config.size; head++) {
        if (queue->slots[head].head && queue->slots[head].token == token) {
            (void)release_chain(queue, head);
            return 0;
        }
    }
    return -ENOENT;
}

bool virtio_queue_enable_interrupt(struct virtio_queue *queue, uint16_t chains)
{
    uint16_t wanted = 1;

    if (queue->config.event_index) {
        /* Section 2.7.7.1: the entry whose use interrupts, and flags stay 0. */
        wanted = chains;
        __atomic_store_n(queue->used_event, (uint16_t)(queue->used_index + chains - 1), __ATOMIC_RELAXED);
    } else {
        __atomic_store_n(&queue->available->flags, 0, __ATOMIC_RELAXED);
    }
    /* The device may have used entries before it saw this: look again, after it must have seen it. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint16_t ready = (uint16_t)(__atomic_load_n(&queue->used->index, __ATOMIC_ACQUIRE) - queue->used_index);
    return ready < wanted;
}

void virtio_queue_disable_interrupt(struct virtio_queue *queue)
{
    /* With EVENT_IDX: the entry before the next one, which the index passes after 65535 more. */
    if (queue->config.event_index)
        __atomic_store_n(queue->used_event, (uint16_t)(queue->used_index - 1), __ATOMIC_RELAXED);
    else
        __atomic_store_n(&queue->available->flags, VIRTQ_AVAILABLE_F_NO_INTERRUPT, __ATOMIC_RELAXED);
}

uint16_t virtio_queue_size(const struct virtio_queue *queue)
{
    return queue->config.size;
}

uint16_t virtio_queue_index(const struct virtio_queue *queue)
{
    return queue->config.index;
}

uint16_t virtio_queue_free_descriptors(const struct virtio_queue *queue)
{
    return queue->free_count;
}

uint16_t virtio_queue_chains_in_flight(const struct virtio_queue *queue)
{
    return queue->in_flight;
}

bool virtio_queue_broken(const struct virtio_queue *queue)
{
    return queue->broken;
}
