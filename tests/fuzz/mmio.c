/* SPDX-License-Identifier: MIT
 *
 * virtio over MMIO: the input says where a device is said to be and how large, writes its registers, and
 * answers some of the reads.
 */
#include <errno.h>

#include "lying_device.h"
#include "unit/virtio/fake_mmio.h"
#include "unit/virtio/fake_pci.h"

#define LINE 12

enum { READY = 0x044, SELECT = 0x030, CAUSES = 0x060, ACKNOWLEDGE = 0x064 };

static uint8_t registers[512];

uint32_t fake_pci_read(uint16_t address, uint16_t offset, unsigned width)
{
    (void)address, (void)offset, (void)width;
    return UINT32_MAX;
}

void fake_pci_write(uint16_t address, uint16_t offset, unsigned width, uint32_t value)
{
    (void)address, (void)offset, (void)width, (void)value;
}

volatile void *fake_pci_map(uint64_t physical, uint64_t size)
{
    (void)physical, (void)size;
    return NULL;
}

volatile void *fake_mmio_map(uint64_t physical, uint64_t size)
{
    assert_true(size >= 0x100 && size <= 0x1100 && physical <= UINT64_MAX - size);
    return lying_map(physical, (size_t)size, registers, sizeof(registers));
}

/* The little that makes plain memory a device. */
static void on_write(uint8_t *window, size_t offset, uint32_t value)
{
    if (offset == SELECT)
        memset(window + READY, 0, 4);
    if (offset == ACKNOWLEDGE)
        window[CAUSES] = (uint8_t)(window[CAUSES] & ~value);
}

static uint8_t *window;

static void interrupt(uint8_t which)
{
    window[CAUSES] = which;
    fake_line_edge(LINE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t words[] = {0x74726976, 2, 19, 0x554d4551, 0x30000001};
    struct input input = {data, size, 0};
    struct virtio_device *device = NULL;
    uint64_t physical = 0xfeb00e00, window_size = 0x200;
    uint8_t start = input_8(&input);

    memset(registers, 0, sizeof(registers));
    memcpy(registers, words, sizeof(words));
    registers[0x34] = 128;
    for (uint8_t changes = start / 4 % 16; changes > 0; changes--) {
        uint8_t at = input_8(&input);
        registers[at] = input_8(&input);
    }
    if (start & 1)
        physical = input_64(&input);
    if (start & 2)
        window_size = input_64(&input) >> start / 4;
    lying_start(&input);
    lying_on_write = on_write;
    fake_os.fail_at = start >= 0xf0 ? start & 3 : 0;
    int result = virtio_mmio_probe(&fake_os.hooks, physical, window_size, LINE, &device);
    assert_true(result == 0 || result == -ENODEV || result == -EINVAL || result == -ENOMEM);
    if (result == 0) {
        size_t mapped = window_size < 0x1100 ? (size_t)window_size : 0x1100;
        window = (uint8_t *)(uintptr_t)lying_map(physical, mapped, registers, sizeof(registers));
        assert_true(strncmp(virtio_device_name(device), "mmio ", 5) == 0);
        fake_os.fail_at = 0;
        lying_life(device, interrupt);
        virtio_device_destroy(device);
    }
    assert_true(fake_os.bytes_peak <= 256u * 1024);
    lying_stop();
    return 0;
}
