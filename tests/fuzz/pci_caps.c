/* SPDX-License-Identifier: MIT
 *
 * virtio over PCI: the input writes configuration space of up to four functions (what virtio devices say,
 * with some bytes changed), and answers some of the reads, there and of the registers behind the BARs.
 */
#include <errno.h>

#include "lying_device.h"
#include "unit/virtio/fake_mmio.h"
#include "unit/virtio/fake_pci.h"

#define FUNCTIONS 4
/* Nine buses of 32 slots; the rest is for what is there. */
#define CONFIG_READS_MAX 20000
/* NOTIFY_SIZE_MAX, and less for all else. */
#define MAP_MAX 65536u

static struct function {
    bool present;
    uint16_t address;
    uint8_t config[256];
    uint32_t bar_sizes[6];
    bool said_msix[64]; /* by offset / 4 */
} functions[FUNCTIONS];
static size_t config_reads;
static uint8_t registers[256]; /* what stands at the start of each structure */

/* The bits of a BAR below its size cannot be written, but for the flags. */
static uint32_t bar_value(const struct function *function, size_t bar, uint32_t value, uint32_t flags)
{
    uint32_t size = function->bar_sizes[bar];

    return size == 0 ? 0 : (value & ~(size - 1)) | (size > 1 ? flags & 15 : 0);
}

static struct function *find(uint16_t address)
{
    for (size_t i = 0; i < FUNCTIONS; i++)
        if (functions[i].present && functions[i].address == address)
            return &functions[i];
    return NULL;
}

static uint32_t dword(const struct function *function, size_t offset)
{
    uint32_t value;
    memcpy(&value, function->config + offset, sizeof(value));
    return value;
}

uint32_t fake_pci_read(uint16_t address, uint16_t offset, unsigned width)
{
    struct function *function = find(address);
    uint32_t value = 0;

    assert_true((width == 1 || width == 2 || width == 4) && offset % width == 0 && offset + width <= 256);
    assert_true(++config_reads <= CONFIG_READS_MAX);
    if (function == NULL)
        return UINT32_MAX >> (32 - 8 * width);
    memcpy(&value, function->config + offset, width);
    value = lie(value, width);
    if (width == 4 && (value & 0xff) == 0x11)
        function->said_msix[offset / 4] = true;
    return value;
}

void fake_pci_write(uint16_t address, uint16_t offset, unsigned width, uint32_t value)
{
    struct function *function = find(address);

    assert_true(function != NULL && offset % width == 0);
    if (offset >= 0x10 && offset < 0x28) {
        /* Nothing decodes addresses while they are wrong. */
        assert_true(width == 4 && (function->config[4] & 2) == 0);
        value = bar_value(function, (offset - 0x10u) / 4, value, dword(function, offset));
        memcpy(function->config + offset, &value, sizeof(value));
    } else if (offset == 4) {
        assert_int_equal(width, 2);
        memcpy(function->config + 4, &value, width);
    } else {
        assert_true(width == 2 && offset % 4 == 2 && function->said_msix[offset / 4]);
        function->config[offset + 1] = (uint8_t)((value >> 8 & 0xc0) | (function->config[offset + 1] & 0x3f));
    }
}

static bool within_a_bar(uint64_t physical, uint64_t size)
{
    for (size_t f = 0; f < FUNCTIONS; f++) {
        for (size_t i = 0; functions[f].present && i < 6; i++) {
            uint32_t low = dword(&functions[f], 0x10 + 4 * i);
            uint64_t base = low & ~15u;
            if ((low & 6) == 4 && i < 5)
                base |= (uint64_t)dword(&functions[f], 0x14 + 4 * i) << 32;
            if ((low & 1) == 0 && physical >= base && physical - base <= functions[f].bar_sizes[i] &&
                size <= functions[f].bar_sizes[i] - (physical - base))
                return true;
        }
    }
    return false;
}

volatile void *fake_pci_map(uint64_t physical, uint64_t size)
{
    assert_true(size > 0 && size <= MAP_MAX && physical <= UINT64_MAX - size);
    /* Who was lied to about the BARs can only believe it; map_mmio refuses the kernel's own memory. */
    if (!has_lied)
        assert_true(within_a_bar(physical, size));
    return lying_map(physical, (size_t)size, registers, sizeof(registers));
}

volatile void *fake_mmio_map(uint64_t physical, uint64_t size)
{
    (void)physical, (void)size;
    return NULL;
}

/* ---- what virtio devices say ---- */

static void set(struct function *function, unsigned offset, unsigned width, uint32_t value)
{
    memcpy(function->config + offset, &value, width);
}

static void add_capability(struct function *function, unsigned at, unsigned next, uint8_t type,
                           uint32_t offset, uint32_t size)
{
    const uint8_t head[] = {9, (uint8_t)next, type == 2 ? 20 : 16, type, 4};
    memcpy(function->config + at, head, sizeof(head));
    set(function, at + 8, 4, offset);
    set(function, at + 12, 4, size);
}

static void make_virtio(struct function *function, size_t number)
{
    set(function, 0, 4, 0x1af4 | 0x1053u << 16);
    set(function, 4, 4, 0x00100007);
    set(function, 0x14, 4, 0xfe000000u + (uint32_t)number * 0x10000);
    set(function, 0x20, 4, 4);
    set(function, 0x24, 4, 8 + (uint32_t)number);
    function->bar_sizes[1] = 0x8000;
    function->bar_sizes[4] = 0x4000;
    function->bar_sizes[5] = 1; /* the upper half of BAR 4 */
    set(function, 0x34, 1, 0x84);
    set(function, 0x84, 4, 0x11 | 0x40 << 8 | 4u << 16);
    set(function, 0x88, 4, 1);
    add_capability(function, 0x40, 0x50, 1, 0, 0x1000);
    add_capability(function, 0x50, 0x60, 3, 0x1000, 0x1000);
    add_capability(function, 0x60, 0x70, 4, 0x2000, 0x100);
    add_capability(function, 0x70, 0, 2, 0x3000, 0x1000);
    set(function, 0x80, 4, 4);
}

static void make_functions(struct input *input)
{
    uint8_t kinds = input_8(input);

    memset(functions, 0, sizeof(functions));
    for (size_t i = 0; i < FUNCTIONS; i++) {
        struct function *function = &functions[i];
        unsigned kind = kinds >> 2 * i & 3;
        function->present = kind != 0;
        function->address = (uint16_t)(i << 3);
        if (kind == 0)
            continue;
        make_virtio(function, i);
        if (kind == 2) { /* a bridge, and the next one is behind it */
            set(function, 0x0e, 1, 1);
            set(function, 0x19, 1, (uint32_t)i + 1);
        } else if (kind == 3) {
            function->config[0x0e] = 0x80;
        }
        if (i > 0 && (functions[i - 1].config[0x0e] & 0x7f) == 1 && functions[i - 1].present)
            function->address = (uint16_t)(i << 8);
        else if (i > 0 && (functions[i - 1].config[0x0e] & 0x80) != 0)
            function->address = (uint16_t)(functions[i - 1].address + 1);
        for (uint8_t changes = input_8(input) % 16; changes > 0; changes--) {
            uint8_t at = input_8(input);
            function->config[at] = input_8(input);
        }
        for (unsigned bar = 0; bar < 6; bar++) {
            uint32_t value = dword(function, 0x10 + 4 * bar);
            set(function, 0x10 + 4 * bar, 4, bar_value(function, bar, value, value));
        }
    }
    static const uint32_t words[] = {0, 0x30000001, 0, 0, 0xffff | 4u << 16, 0, 128, 0};
    memset(registers, 0, sizeof(registers));
    memcpy(registers, words, sizeof(words));
}

/* ---- the driver ---- */

static struct virtio_device *taken[FUNCTIONS * 8];
static size_t taken_count;
static uint8_t refused; /* bits */

static int on_found(void *context, struct virtio_device *device)
{
    assert_ptr_equal(context, &taken);
    assert_true(strlen(virtio_device_name(device)) == strlen("pci 00:00.0"));
    if ((refused >> taken_count % 8 & 1) != 0) {
        refused = (uint8_t)(refused & ~(1u << taken_count % 8));
        return -1;
    }
    assert_true(taken_count < FUNCTIONS * 8);
    taken[taken_count++] = device;
    return 0;
}

static void interrupt(uint8_t which)
{
    if (fake_os.interrupts[which % FAKE_VECTORS].handler != NULL)
        fake_os.interrupts[which % FAKE_VECTORS].handler(fake_os.interrupts[which % FAKE_VECTORS].argument);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size, 0};

    make_functions(&input);
    refused = input_8(&input);
    lying_start(&input);
    fake_os.fail_at = refused & 0x80 ? refused & 7 : 0;
    taken_count = config_reads = 0;
    int result = virtio_pci_scan(&fake_os.hooks, on_found, &taken);
    assert_true(result == (int)taken_count || (result == -ENOMEM && taken_count == 0));
    fake_os.fail_at = 0;
    for (size_t i = 0; i < taken_count; i++) {
        struct function *function = find(virtio_pci_address(taken[i]));
        assert_non_null(function);
        config_reads = 0;
        lying_life(taken[i], interrupt);
        /* From the reset on it writes to no memory. */
        assert_int_equal(function->config[4] & 4, 0);
        virtio_device_destroy(taken[i]);
    }
    if (taken_count > 0) {
        struct virtio_device *device = NULL;
        config_reads = 0;
        result = virtio_pci_probe(&fake_os.hooks, 0, &device);
        assert_true(result == 0 || result == -ENODEV || result == -ENOMEM);
        if (result == 0)
            virtio_device_destroy(device);
    }
    assert_true(fake_os.bytes_peak <= 512u * 1024);
    lying_stop();
    return 0;
}
