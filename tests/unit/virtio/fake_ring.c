/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_os.h"
#include "fake_ring.h"

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

static uint16_t *available_field(const struct fake_ring *ring, size_t index)
{
    return (uint16_t *)fake_dma(ring->available, 6 + 2u * ring->size) + index;
}

static uint8_t *used_area(const struct fake_ring *ring)
{
    assert_int_equal(ring->used % 4, 0);
    return fake_dma(ring->used, 6 + (size_t)8 * ring->size);
}

static void add_buffer(struct fake_chain *chain, const struct descriptor *descriptor)
{
    size_t i = chain->readable_count + chain->writable_count;

    assert_true(i < FAKE_CHAIN_MAX);
    assert_true(descriptor->length > 0);
    fake_dma(descriptor->address, descriptor->length);
    chain->buffers[i].physical = descriptor->address;
    chain->buffers[i].size = descriptor->length;
    if ((descriptor->flags & 2) != 0) {
        chain->writable_count++;
        chain->writable_size += descriptor->length;
    } else {
        assert_int_equal(chain->writable_count, 0); /* 2.7.4.2: readable ones first */
        chain->readable_count++;
        chain->readable_size += descriptor->length;
    }
}

size_t fake_ring_available(const struct fake_ring *ring)
{
    return (uint16_t)(*available_field(ring, 1) - ring->available_index);
}

bool fake_ring_take(struct fake_ring *ring, struct fake_chain *chain)
{
    if (fake_ring_available(ring) == 0)
        return false;
    assert_true(fake_ring_available(ring) <= ring->size);
    if (ring->event_index)
        assert_int_equal(*available_field(ring, 0), 0); /* 2.7.7.1 */

    memset(chain, 0, sizeof(*chain));
    chain->id = *available_field(ring, 2u + ring->available_index % ring->size);
    assert_true(chain->id < ring->size);
    ring->available_index++;

    assert_int_equal(ring->descriptors % 16, 0);
    const struct descriptor *table = fake_dma(ring->descriptors, (size_t)16 * ring->size);
    size_t count = ring->size;
    size_t i = chain->id;
    if ((table[i].flags & 4) != 0) {
        assert_true(ring->indirect);
        assert_int_equal(table[i].flags & 3, 0);
        assert_int_equal(table[i].length % 16, 0);
        count = table[i].length / 16;
        assert_in_range(count, 1, ring->size);
        table = fake_dma(table[i].address, table[i].length);
        i = 0;
    }
    for (size_t seen = 0;; seen++) {
        assert_true(seen < count); /* no loop */
        assert_int_equal(table[i].flags & ~3, 0);
        add_buffer(chain, &table[i]);
        if ((table[i].flags & 1) == 0)
            return true;
        i = table[i].next;
        assert_true(i < count);
    }
}

void fake_ring_use(struct fake_ring *ring, uint32_t id, uint32_t length)
{
    uint32_t *element =
        (uint32_t *)(void *)(used_area(ring) + 4 + (size_t)8 * (ring->used_index % ring->size));

    element[0] = id;
    element[1] = length;
    fake_ring_skip(ring, 1);
}

void fake_ring_skip(struct fake_ring *ring, uint16_t count)
{
    ring->used_index = (uint16_t)(ring->used_index + count);
    memcpy(used_area(ring) + 2, &ring->used_index, 2);
}

bool fake_ring_wants_interrupt(struct fake_ring *ring)
{
    uint16_t before = ring->signalled;
    uint16_t after = ring->used_index;
    uint16_t event = *available_field(ring, 2u + ring->size);

    ring->signalled = after;
    if (before == after)
        return false;
    if (!ring->event_index)
        return (*available_field(ring, 0) & 1) == 0;
    /* Was the entry with index `event` among those used since? */
    for (uint16_t i = before; i != after; i++) {
        if (i == event)
            return true;
    }
    return false;
}

void fake_ring_want_kick(struct fake_ring *ring, bool wanted)
{
    uint8_t *used = used_area(ring);
    uint16_t event = (uint16_t)(wanted ? ring->available_index : ring->available_index - 1);
    uint16_t flags = ring->event_index || wanted ? 0 : 1;

    memcpy(used, &flags, 2);
    memcpy(used + 4 + (size_t)8 * ring->size, &event, 2);
}

void fake_ring_want_next(struct fake_ring *ring)
{
    memcpy(used_area(ring) + 4 + (size_t)8 * ring->size, (const void *)available_field(ring, 1), 2);
}

size_t fake_chain_read(const struct fake_chain *chain, void *out, size_t size)
{
    size_t done = 0;

    for (size_t i = 0; i < chain->readable_count && done < size; i++) {
        size_t part = chain->buffers[i].size < size - done ? chain->buffers[i].size : size - done;
        memcpy((uint8_t *)out + done, fake_dma(chain->buffers[i].physical, part), part);
        done += part;
    }
    return done;
}

size_t fake_chain_write(const struct fake_chain *chain, const void *data, size_t size)
{
    size_t done = 0;

    for (size_t i = chain->readable_count; i < chain->readable_count + chain->writable_count && done < size;
         i++) {
        size_t part = chain->buffers[i].size < size - done ? chain->buffers[i].size : size - done;
        memcpy(fake_dma(chain->buffers[i].physical, part), (const uint8_t *)data + done, part);
        done += part;
    }
    return done;
}
