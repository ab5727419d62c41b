/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_mmio.h"
#include "fake_os.h"
#include "fake_pci.h"
#include "transport/registers.h"

#define COMMON_AT 0x0000
#define ISR_AT    0x1000
#define DEVICE_AT 0x2000
#define NOTIFY_AT 0x3000
#define BAR_SIZE  0x4000

unsigned long fake_pci_mapped_bytes, fake_pci_config_reads;

static struct fake_function functions[FAKE_FUNCTIONS];

void fake_pci_clear(void)
{
    for (size_t i = 0; i < FAKE_FUNCTIONS; i++) {
        for (size_t bar = 0; bar < 6; bar++)
            free(functions[i].bars[bar].memory);
    }
    memset(functions, 0, sizeof(functions));
    fake_pci_mapped_bytes = 0;
    fake_pci_config_reads = 0;
}

void fake_pci_set(struct fake_function *function, unsigned offset, unsigned width, uint32_t value)
{
    memcpy(function->config + offset, &value, width);
}

struct fake_function *fake_pci_add(uint16_t address, uint16_t vendor, uint16_t device)
{
    struct fake_function *function = functions;

    while (function->present)
        function++;
    assert_true(function < functions + FAKE_FUNCTIONS);
    function->present = true;
    function->address = address;
    fake_pci_set(function, 0x00, 2, vendor);
    fake_pci_set(function, 0x02, 2, device);
    return function;
}

struct fake_function *fake_pci_add_bridge(uint16_t address, uint8_t secondary_bus)
{
    struct fake_function *function = fake_pci_add(address, 0x8086, 0x244e);

    fake_pci_set(function, 0x0e, 1, 1);
    fake_pci_set(function, 0x19, 1, secondary_bus);
    return function;
}

static void add_bar(struct fake_function *function, unsigned bar, uint64_t physical, uint64_t size, bool wide)
{
    function->bars[bar].physical = physical;
    function->bars[bar].size = size;
    function->bars[bar].wide = wide;
    function->bars[bar].memory = calloc(1, size);
    fake_pci_set(function, 0x10 + 4 * bar, 4, (uint32_t)physical | (wide ? 4 : 0));
    if (wide)
        fake_pci_set(function, 0x14 + 4 * bar, 4, (uint32_t)(physical >> 32));
}

static void add_capability(struct fake_function *function, unsigned at, unsigned next, uint8_t type,
                           uint8_t length, uint32_t offset, uint32_t size)
{
    const uint8_t head[8] = {9, (uint8_t)next, length, type, FAKE_BAR_VIRTIO};

    memcpy(function->config + at, head, sizeof(head));
    fake_pci_set(function, at + 8, 4, offset);
    fake_pci_set(function, at + 12, 4, size);
}

struct fake_function *fake_pci_add_virtio(uint16_t address, uint8_t id, uint16_t vectors)
{
    struct fake_function *function = fake_pci_add(address, 0x1af4, (uint16_t)(0x1040 + id));

    add_bar(function, FAKE_BAR_MSIX, 0xfe000000ull + (uint64_t)(function - functions) * 0x10000, 0x8000,
            false);
    add_bar(function, FAKE_BAR_VIRTIO, 0x800000000ull + (uint64_t)(function - functions) * 0x10000, BAR_SIZE,
            true);
    fake_pci_set(function, 0x06, 2, 0x10); /* it has capabilities */
    fake_pci_set(function, 0x34, 1, FAKE_CAP_MSIX);
    fake_pci_set(function, FAKE_CAP_MSIX, 2, 0x11 | FAKE_CAP_ACCESS << 8);
    fake_pci_set(function, FAKE_CAP_MSIX + 2, 2, vectors - 1u);
    fake_pci_set(function, FAKE_CAP_MSIX + 4, 4, FAKE_BAR_MSIX);
    add_capability(function, FAKE_CAP_ACCESS, FAKE_CAP_COMMON, 5, 20, 0, 0);
    add_capability(function, FAKE_CAP_COMMON, FAKE_CAP_ISR, 1, 16, COMMON_AT, 0x1000);
    add_capability(function, FAKE_CAP_ISR, FAKE_CAP_DEVICE, 3, 16, ISR_AT, 0x1000);
    add_capability(function, FAKE_CAP_DEVICE, FAKE_CAP_NOTIFY, 4, 16, DEVICE_AT, FAKE_CONFIG_SIZE);
    add_capability(function, FAKE_CAP_NOTIFY, 0, 2, 20, NOTIFY_AT, 0x1000);
    fake_pci_set(function, FAKE_CAP_NOTIFY + 16, 4, 4); /* multiplier */

    function->offered = 1ull << 32 | 1ull << 28 | 1ull << 29 | 1;
    function->queue_count = FAKE_QUEUES;
    function->config_vector = 0xffff;
    for (uint16_t i = 0; i < FAKE_QUEUES; i++)
        function->queues[i] = (struct fake_queue){.size_max = 128, .vector = 0xffff, .notify_offset = i};
    /* Firmware may leave table entries unmasked. */
    memset(function->bars[FAKE_BAR_MSIX].memory, 0, (size_t)16 * vectors);
    return function;
}

struct fake_function *fake_pci_find(uint16_t address)
{
    for (size_t i = 0; i < FAKE_FUNCTIONS; i++) {
        if (functions[i].present && functions[i].address == address)
            return &functions[i];
    }
    return NULL;
}

uint32_t fake_pci_read(uint16_t address, uint16_t offset, unsigned width)
{
    const struct fake_function *function = fake_pci_find(address);
    uint32_t value = UINT32_MAX;

    assert_true(width == 1 || width == 2 || width == 4);
    assert_int_equal(offset % width, 0);
    assert_true(offset + width <= 256);
    fake_pci_config_reads++;
    if (function == NULL)
        return width == 4 ? value : value >> (32 - 8 * width);
    value = 0;
    memcpy(&value, function->config + offset, width);
    return value;
}

static void write_bar(struct fake_function *function, unsigned index, uint32_t value)
{
    unsigned bar = index;
    bool upper = index > 0 && function->bars[index - 1].wide;

    if (upper)
        bar--;
    uint64_t mask = ~(function->bars[bar].size - 1);
    if (function->bars[bar].size == 0)
        mask = 0;
    if ((function->config[0x10 + 4 * index] & 1) != 0 && !upper)
        mask = 0xfffffff0;
    uint32_t low = upper ? 0 : function->config[0x10 + 4 * index] & 15u;
    fake_pci_set(function, 0x10 + 4 * index, 4, (value & (uint32_t)(upper ? mask >> 32 : mask)) | low);
}

void fake_pci_write(uint16_t address, uint16_t offset, unsigned width, uint32_t value)
{
    struct fake_function *function = fake_pci_find(address);

    assert_non_null(function);
    assert_int_equal(offset % width, 0);
    if (offset >= 0x10 && offset < 0x28) {
        assert_int_equal(width, 4);
        /* Nothing may decode addresses while they are wrong. */
        assert_int_equal(function->config[0x04] & 2, 0);
        write_bar(function, (offset - 0x10u) / 4, value);
    } else if (offset == 0x04) {
        fake_pci_set(function, offset, width, value);
    } else {
        /* The only capability that a driver writes is MSI-X, the two upper bits of its control. */
        assert_int_equal(function->config[offset - 2], 0x11);
        assert_int_equal(width, 2);
        uint32_t size = fake_pci_read(address, offset, 2) & 0x7ff;
        fake_pci_set(function, offset, 2, (value & 0xc000) | size);
    }
}

volatile void *fake_pci_map(uint64_t physical, uint64_t size)
{
    fake_pci_mapped_bytes += size;
    for (size_t i = 0; i < FAKE_FUNCTIONS; i++) {
        for (size_t bar = 0; bar < 6; bar++) {
            uint64_t offset = physical - functions[i].bars[bar].physical;
            if (functions[i].bars[bar].memory != NULL && physical >= functions[i].bars[bar].physical &&
                offset < functions[i].bars[bar].size && size <= functions[i].bars[bar].size - offset)
                return functions[i].bars[bar].memory + offset;
        }
    }
    fail_msg("no BAR at %#llx, %llu bytes", (unsigned long long)physical, (unsigned long long)size);
    return NULL;
}

/* Which function a register belongs to, and where in its BAR it is. */
static struct fake_function *locate(const volatile void *address, unsigned *bar, size_t *offset)
{
    const uint8_t *at = (const uint8_t *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */

    for (size_t i = 0; i < FAKE_FUNCTIONS; i++) {
        for (unsigned b = 0; b < 6; b++) {
            const uint8_t *memory = functions[i].bars[b].memory;
            if (memory != NULL && at >= memory && at < memory + functions[i].bars[b].size) {
                *bar = b;
                *offset = (size_t)(at - memory);
                assert_int_equal(functions[i].config[0x04] & 2, 2); /* it decodes addresses */
                return &functions[i];
            }
        }
    }
    fail_msg("access outside of all BARs");
    return NULL;
}

static uint32_t read_common(struct fake_function *f, size_t offset, unsigned width)
{
    const struct fake_queue none = {0};
    const struct fake_queue *queue = f->queue_select < FAKE_QUEUES ? &f->queues[f->queue_select] : &none;

    /* Offset and width of each field: section 4.1.3.1 allows no other access. */
    switch (offset << 4 | width) {
    case 0x00 << 4 | 4:
        return f->offered_select;
    case 0x04 << 4 | 4:
        return f->offered_select < 2 ? (uint32_t)(f->offered >> (32 * f->offered_select)) : 0;
    case 0x10 << 4 | 2:
        return f->config_vector;
    case 0x12 << 4 | 2:
        return f->queue_count;
    case 0x14 << 4 | 1:
        return f->gone ? 0xff : f->status;
    case 0x15 << 4 | 1:
        if (f->generation_spins)
            f->generation++;
        return f->generation;
    case 0x18 << 4 | 2:
        return queue->size != 0 ? queue->size : queue->size_max;
    case 0x1a << 4 | 2:
        return queue->vector;
    case 0x1c << 4 | 2:
        return queue->enable;
    case 0x1e << 4 | 2:
        return queue->notify_offset;
    default:
        fail_msg("read of %u bytes at %#zx", width, offset);
        return 0;
    }
}

static void write_status(struct fake_function *f, uint8_t status)
{
    if (status == 0) {
        if (f->stuck_in_reset)
            return;
        f->status = 0;
        f->config_vector = 0xffff;
        for (size_t i = 0; i < FAKE_QUEUES; i++)
            f->queues[i] = (struct fake_queue){.size_max = f->queues[i].size_max,
                                               .notify_offset = f->queues[i].notify_offset,
                                               .vector = 0xffff};
        return;
    }
    if ((status & 128) == 0) {
        assert_int_equal(f->status & ~status, 0); /* bits are only added, section 2.1.1 */
        static const uint8_t steps[] = {1, 3, 11, 15};
        assert_non_null(memchr(steps, status, sizeof(steps)));
    }
    if ((status & 8) != 0 && (f->status & 8) == 0) {
        assert_true((f->accepted & ~f->offered) == 0);
        if (f->refuses_features)
            status &= (uint8_t)~8u;
    }
    if ((status & 4) != 0 && f->refuses_start)
        status |= 64;
    f->status = status;
}

static void set_half(uint64_t *value, size_t half, uint32_t bits)
{
    *value =
        half == 0 ? (*value & 0xffffffff00000000ull) | bits : (*value & UINT32_MAX) | (uint64_t)bits << 32;
}

static void write_common(struct fake_function *f, size_t offset, unsigned width, uint32_t value)
{
    struct fake_queue *queue = &f->queues[f->queue_select % FAKE_QUEUES];

    switch (offset << 4 | width) {
    case 0x00 << 4 | 4:
        f->offered_select = value;
        return;
    case 0x08 << 4 | 4:
        f->accepted_select = value;
        return;
    case 0x0c << 4 | 4:
        assert_true(f->accepted_select < 2);
        set_half(&f->accepted, f->accepted_select, value);
        return;
    case 0x10 << 4 | 2:
        f->config_vector = f->refuses_vectors ? 0xffff : (uint16_t)value;
        return;
    case 0x14 << 4 | 1:
        write_status(f, (uint8_t)value);
        return;
    case 0x16 << 4 | 2:
        assert_true(value < f->queue_count);
        f->queue_select = (uint16_t)value;
        return;
    default:
        break;
    }

    assert_int_equal(queue->enable, 0); /* an enabled queue is left alone */
    assert_true((f->status & 8) != 0);  /* and features come first */
    switch (offset << 4 | width) {
    case 0x18 << 4 | 2:
        assert_true(value != 0 && (value & (value - 1)) == 0 && value <= queue->size_max);
        queue->size = (uint16_t)value;
        break;
    case 0x1a << 4 | 2:
        queue->vector = f->refuses_vectors ? 0xffff : (uint16_t)value;
        break;
    case 0x1c << 4 | 2:
        assert_int_equal(value, 1);
        queue->enable = 1;
        queue->ring.size = queue->size;
        queue->ring.indirect = (f->accepted >> 28 & 1) != 0;
        queue->ring.event_index = (f->accepted >> 29 & 1) != 0;
        break;
    case 0x20 << 4 | 4:
    case 0x24 << 4 | 4:
        set_half(&queue->ring.descriptors, (offset - 0x20) / 4, value);
        break;
    case 0x28 << 4 | 4:
    case 0x2c << 4 | 4:
        set_half(&queue->ring.available, (offset - 0x28) / 4, value);
        break;
    case 0x30 << 4 | 4:
    case 0x34 << 4 | 4:
        set_half(&queue->ring.used, (offset - 0x30) / 4, value);
        break;
    default:
        fail_msg("write of %u bytes at %#zx", width, offset);
    }
}

static uint32_t read_register(const volatile void *address, unsigned width)
{
    if (fake_mmio_covers(address))
        return fake_mmio_read(address, width);
    unsigned bar = 0;
    size_t offset = 0;
    struct fake_function *function = locate(address, &bar, &offset);
    uint32_t value = 0;

    assert_int_equal(offset % width, 0);
    if (function->plain_memory) {
        memcpy(&value, function->bars[bar].memory + offset, width);
        return value;
    }
    if (bar == FAKE_BAR_VIRTIO && offset < ISR_AT)
        return read_common(function, offset, width);
    if (bar == FAKE_BAR_VIRTIO) {
        assert_true(offset >= DEVICE_AT && offset + width <= DEVICE_AT + FAKE_CONFIG_SIZE);
        memcpy(&value, function->device_config + (offset - DEVICE_AT), width);
        return value;
    }
    assert_int_equal(width, 4); /* MSI-X table */
    memcpy(&value, function->bars[bar].memory + offset, width);
    return value;
}

static void write_register(volatile void *address, unsigned width, uint32_t value)
{
    if (fake_mmio_covers(address)) {
        fake_mmio_write(address, width, value);
        return;
    }
    unsigned bar = 0;
    size_t offset = 0;
    struct fake_function *function = locate(address, &bar, &offset);

    assert_int_equal(offset % width, 0);
    if (function->plain_memory) {
        memcpy(function->bars[bar].memory + offset, &value, width);
    } else if (bar == FAKE_BAR_VIRTIO && offset >= NOTIFY_AT) {
        assert_int_equal(width, 2);
        assert_true(value < FAKE_QUEUES);
        assert_int_equal(offset - NOTIFY_AT, 4u * function->queues[value].notify_offset);
        assert_int_equal(function->queues[value].enable, 1);
        assert_true((function->status & 4) != 0); /* no kick before DRIVER_OK */
        function->queues[value].kicks++;
    } else if (bar == FAKE_BAR_VIRTIO) {
        assert_true(offset < ISR_AT);
        write_common(function, offset, width, value);
    } else {
        assert_int_equal(width, 4);
        memcpy(function->bars[bar].memory + offset, &value, width);
    }
}

void fake_pci_interrupt(struct fake_function *function, uint16_t vector)
{
    uint32_t control = fake_pci_read(function->address, FAKE_CAP_MSIX + 2, 2);
    uint32_t entry[4];

    assert_true(vector <= (control & 0x7ff));
    memcpy(entry, function->bars[FAKE_BAR_MSIX].memory + (size_t)16 * vector, sizeof(entry));
    /* MSI-X is on, neither masked as a whole nor here, and the function may write memory. */
    assert_int_equal(control & 0xc000, 0x8000);
    assert_int_equal(entry[3] & 1, 0);
    assert_int_equal(function->config[0x04] & 4, 4);
    fake_message((uint64_t)entry[1] << 32 | entry[0], entry[2]);
}

bool fake_pci_signal(struct fake_function *function, unsigned queue)
{
    if (!fake_ring_wants_interrupt(&function->queues[queue].ring))
        return false;
    fake_pci_interrupt(function, function->queues[queue].vector);
    return true;
}

/* What the library links against in place of transport/registers.c. */
uint8_t virtio_read8(const volatile void *address)
{
    return (uint8_t)read_register(address, 1);
}

uint16_t virtio_read16(const volatile void *address)
{
    return (uint16_t)read_register(address, 2);
}

uint32_t virtio_read32(const volatile void *address)
{
    return read_register(address, 4);
}

void virtio_write8(volatile void *address, uint8_t value)
{
    write_register(address, 1, value);
}

void virtio_write16(volatile void *address, uint16_t value)
{
    write_register(address, 2, value);
}

void virtio_write32(volatile void *address, uint32_t value)
{
    write_register(address, 4, value);
}
