/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_mmio.h"
#include "fake_os.h"

struct fake_mmio fake_mmio;
static uint8_t *window; /* never touched: its addresses stand for the registers */

void fake_mmio_start(uint32_t id)
{
    fake_mmio = (struct fake_mmio){
        .magic = 0x74726976, .version = 2, .id = id, .offered = 1ull << 32 | 1ull << 28 | 1ull << 29 | 1};
    for (size_t i = 0; i < FAKE_MMIO_QUEUES; i++)
        fake_mmio.queues[i].size_max = 128;
    window = malloc(FAKE_MMIO_SIZE);
    if (window == NULL)
        abort();
}

void fake_mmio_stop(void)
{
    free(window);
    window = NULL;
}

volatile void *fake_mmio_map(uint64_t physical, uint64_t size)
{
    if (window == NULL || physical != FAKE_MMIO_PHYSICAL)
        return NULL;
    fake_mmio.mapped_size = size;
    return window;
}

bool fake_mmio_covers(const volatile void *address)
{
    uintptr_t at = (uintptr_t)address;
    return window != NULL && at >= (uintptr_t)window && at < (uintptr_t)window + FAKE_MMIO_SIZE;
}

void fake_mmio_raise(uint32_t cause)
{
    bool low = fake_mmio.interrupt_status == 0;

    fake_mmio.interrupt_status |= cause;
    if (low && fake_mmio.interrupt_status != 0)
        fake_line_edge(FAKE_MMIO_LINE);
}

bool fake_mmio_signal(unsigned queue)
{
    if (!fake_ring_wants_interrupt(&fake_mmio.queues[queue].ring))
        return false;
    fake_mmio_raise(1);
    return true;
}

static void write_status(uint32_t status)
{
    if (status == 0) {
        if (fake_mmio.stuck_in_reset)
            return;
        fake_mmio.status = 0;
        fake_mmio.interrupt_status = 0;
        for (size_t i = 0; i < FAKE_MMIO_QUEUES; i++)
            fake_mmio.queues[i] =
                (struct fake_mmio_queue){.size_max = fake_mmio.queues[i].size_max,
                                         .ready = fake_mmio.keeps_queues ? fake_mmio.queues[i].ready : 0};
        return;
    }
    if ((status & 128) == 0) {
        assert_int_equal(fake_mmio.status & ~status & ~64u, 0); /* bits are only added, section 2.1.1 */
        assert_true(status == 1 || status == 3 || status == 11 || status == 15);
    }
    if ((status & 8) != 0 && (fake_mmio.status & 8) == 0) {
        assert_true((fake_mmio.accepted & ~fake_mmio.offered) == 0);
        if (fake_mmio.refuses_features)
            status &= ~8u;
    }
    if ((status & 4) != 0 && fake_mmio.refuses_start)
        status |= 64;
    fake_mmio.status = status;
}

/* Often what lets a driver go on. */
static uint32_t make_noise(void)
{
    static const uint32_t favourites[] = {0, 0, 0, 15, 15, 15, 128, UINT32_MAX};
    fake_mmio.noise ^= fake_mmio.noise << 13; /* xorshift */
    fake_mmio.noise ^= fake_mmio.noise >> 7;
    fake_mmio.noise ^= fake_mmio.noise << 17;
    uint32_t value = (uint32_t)(fake_mmio.noise >> 32);
    return (fake_mmio.noise & 3) == 0 ? value : favourites[value % 8];
}

uint32_t fake_mmio_read(const volatile void *address, unsigned width)
{
    size_t offset = (size_t)((uintptr_t)address - (uintptr_t)window);
    struct fake_mmio_queue none = {0};
    const struct fake_mmio_queue *queue =
        fake_mmio.queue_select < FAKE_MMIO_QUEUES ? &fake_mmio.queues[fake_mmio.queue_select] : &none;
    uint32_t value = 0;

    assert_int_equal(offset % width, 0);
    assert_true(offset + width <= fake_mmio.mapped_size);
    if (fake_mmio.gone)
        return UINT32_MAX;
    if (fake_mmio.noise != 0)
        return make_noise();
    if (offset >= 0x100) {
        memcpy(&value, fake_mmio.config + (offset - 0x100), width);
        return value;
    }
    assert_int_equal(width, 4); /* section 4.2.2.2 */
    switch (offset) {
    case 0x000:
        return fake_mmio.magic;
    case 0x004:
        return fake_mmio.version;
    case 0x008:
        return fake_mmio.id;
    case 0x010:
        return fake_mmio.offered_select < 2 ? (uint32_t)(fake_mmio.offered >> (32 * fake_mmio.offered_select))
                                            : 0;
    case 0x034:
        return queue->size_max;
    case 0x044:
        return queue->ready;
    case 0x060:
        fake_mmio.status_reads++;
        return fake_mmio.interrupt_status;
    case 0x070:
        return fake_mmio.status;
    case 0x0fc:
        if (fake_mmio.generation_spins)
            fake_mmio.generation++;
        return fake_mmio.generation;
    default:
        fail_msg("read of a register that cannot be read: %#zx", offset);
        return 0;
    }
}

static void set_half(uint64_t *value, bool high, uint32_t bits)
{
    *value = high ? (*value & UINT32_MAX) | (uint64_t)bits << 32 : (*value & ~(uint64_t)UINT32_MAX) | bits;
}

/* Registers of the selected queue. */
static void write_queue(size_t offset, uint32_t value)
{
    assert_true(fake_mmio.queue_select < FAKE_MMIO_QUEUES);
    struct fake_mmio_queue *queue = &fake_mmio.queues[fake_mmio.queue_select];

    if (offset == 0x044 && value == 0) { /* "let go of it" */
        queue->ready = 0;
        return;
    }
    assert_int_equal(queue->ready, 0);        /* section 4.2.2.2: a queue in use is left alone */
    assert_true((fake_mmio.status & 8) != 0); /* and features come first */
    switch (offset) {
    case 0x038:
        assert_true(value != 0 && (value & (value - 1)) == 0 && value <= queue->size_max);
        queue->size = value;
        break;
    case 0x044:
        assert_int_equal(value, 1);
        queue->ready = 1;
        queue->ring.size = (uint16_t)queue->size;
        queue->ring.indirect = (fake_mmio.accepted >> 28 & 1) != 0;
        queue->ring.event_index = (fake_mmio.accepted >> 29 & 1) != 0;
        break;
    case 0x080:
    case 0x084:
        set_half(&queue->ring.descriptors, offset == 0x084, value);
        break;
    case 0x090:
    case 0x094:
        set_half(&queue->ring.available, offset == 0x094, value);
        break;
    case 0x0a0:
    case 0x0a4:
        set_half(&queue->ring.used, offset == 0x0a4, value);
        break;
    default:
        fail_msg("write of a register that cannot be written: %#zx", offset);
    }
}

static void acknowledge(uint32_t causes)
{
    assert_int_equal(causes & ~3u, 0);
    assert_int_equal(causes & ~fake_mmio.interrupt_status, 0);
    fake_mmio.interrupt_status |= fake_mmio.late_cause;
    fake_mmio.late_cause = 0;
    if (!fake_mmio.never_acknowledged)
        fake_mmio.interrupt_status &= ~causes;
}

void fake_mmio_write(volatile void *address, unsigned width, uint32_t value)
{
    size_t offset = (size_t)((uintptr_t)address - (uintptr_t)window);

    assert_int_equal(width, 4);
    assert_int_equal(offset % 4, 0);
    if (fake_mmio.noise != 0)
        return;
    switch (offset) {
    case 0x014:
        fake_mmio.offered_select = value;
        break;
    case 0x020:
        assert_true(fake_mmio.accepted_select < 2);
        set_half(&fake_mmio.accepted, fake_mmio.accepted_select == 1, value);
        break;
    case 0x024:
        fake_mmio.accepted_select = value;
        break;
    case 0x030:
        fake_mmio.queue_select = value;
        break;
    case 0x050:
        assert_true(value < FAKE_MMIO_QUEUES);
        assert_int_equal(fake_mmio.queues[value].ready, 1);
        assert_true((fake_mmio.status & 4) != 0); /* no kick before DRIVER_OK */
        fake_mmio.queues[value].kicks++;
        break;
    case 0x064:
        acknowledge(value);
        break;
    case 0x070:
        write_status(value);
        break;
    default:
        write_queue(offset, value);
    }
}
