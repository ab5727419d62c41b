/* SPDX-License-Identifier: MIT
 *
 * Where a virtio function's structures are: BARs and the capability list (virtio 1.2, section 4.1.4; PCI 3.0,
 * sections 6.2.5.1 and 6.7). Every offset and length is checked against the BAR that it points into.
 */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "transport/pci.h"

#define BAR_IO      0x1u
#define BAR_TYPE    0x6u
#define BAR_TYPE_64 0x4u
#define BAR_FLAGS   0xfu

/* Capabilities are aligned to 4 bytes and lie behind the header: a longer list has a loop. */
#define CAPABILITIES_START 0x40
#define CAPABILITIES_MAX   ((PCI_CONFIG_SIZE - CAPABILITIES_START) / 4)

/* Section 4.1.4 */
enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, TYPE_ISR = 3, TYPE_DEVICE = 4 };
struct virtio_pci_capability {
    uint8_t vendor, next, length, type;
    uint8_t bar, id, padding[2];
    uint32_t offset;
    uint32_t size;
    uint32_t notify_multiplier; /* only when it is TYPE_NOTIFY, section 4.1.4.4 */
};
_Static_assert(sizeof(struct virtio_pci_capability) == 20, "virtio 1.2, 4.1.4 and 4.1.4.4");
_Static_assert(offsetof(struct virtio_pci_capability, bar) == 4, "virtio 1.2, 4.1.4");
_Static_assert(offsetof(struct virtio_pci_capability, offset) == 8, "virtio 1.2, 4.1.4");
_Static_assert(offsetof(struct virtio_pci_capability, size) == 12, "virtio 1.2, 4.1.4");
#define CAPABILITY_SIZE offsetof(struct virtio_pci_capability, notify_multiplier)

#define COMMON_SIZE_MIN 56 /* up to queue_device, all that virtio 1.0 has */

struct function {
    const struct virtio_os *os;
    uint16_t address;
    const char *name;
    struct pci_region bars[PCI_BAR_COUNT];
};

/* Reads one BAR and finds its size by writing all ones. Memory decoding is off meanwhile. */
static unsigned read_bar(struct function *function, unsigned index)
{
    const struct virtio_os *os = function->os;
    uint16_t address = function->address;
    uint16_t offset = (uint16_t)(PCI_BAR0 + 4 * index);
    uint32_t low = virtio_pci_read(os, address, offset, 4);
    uint32_t high = 0;
    bool wide = (low & BAR_TYPE) == BAR_TYPE_64;

    if ((low & BAR_IO) != 0 || (wide && index + 1 == PCI_BAR_COUNT))
        return 1;
    virtio_pci_write(os, address, offset, 4, UINT32_MAX);
    uint64_t mask = virtio_pci_read(os, address, offset, 4) & ~BAR_FLAGS;
    virtio_pci_write(os, address, offset, 4, low);
    if (wide) {
        high = virtio_pci_read(os, address, (uint16_t)(offset + 4), 4);
        virtio_pci_write(os, address, (uint16_t)(offset + 4), 4, UINT32_MAX);
        mask |= (uint64_t)virtio_pci_read(os, address, (uint16_t)(offset + 4), 4) << 32;
        virtio_pci_write(os, address, (uint16_t)(offset + 4), 4, high);
    }

    /* The size is the lowest bit that can be written; none can where there is no BAR. */
    struct pci_region bar = {.physical = (uint64_t)high << 32 | (low & ~BAR_FLAGS),
                             .size = mask & (0 - mask)};
    if (bar.physical != 0 && bar.size != 0 && bar.physical <= UINT64_MAX - bar.size)
        function->bars[index] = bar;
    VIRTIO_TRACE(os, function->name, "BAR %u: %#llx, %#llx bytes", index, (unsigned long long)bar.physical,
                 (unsigned long long)bar.size);
    return wide ? 2 : 1;
}

static void read_bars(struct function *function)
{
    const struct virtio_os *os = function->os;
    uint16_t command = (uint16_t)virtio_pci_read(os, function->address, PCI_COMMAND, 2);

    virtio_pci_write(os, function->address, PCI_COMMAND, 2, command & ~(uint32_t)PCI_COMMAND_MEMORY);
    for (unsigned i = 0; i < PCI_BAR_COUNT;)
        i += read_bar(function, i);
    virtio_pci_write(os, function->address, PCI_COMMAND, 2, command);
}

/* Sets *region when `size` bytes at `offset` lie within a usable BAR. */
static bool locate(const struct function *function, unsigned bar, uint32_t offset, uint64_t size,
                   struct pci_region *region)
{
    if (bar >= PCI_BAR_COUNT || offset > function->bars[bar].size || size > function->bars[bar].size - offset)
        return false;
    *region = (struct pci_region){.physical = function->bars[bar].physical + offset, .size = size};
    return true;
}

/* Section 4.1.4: the first structure of each type that we can use counts; others are passed over. */
static void read_virtio(const struct function *function, uint16_t at, struct virtio_pci_layout *layout)
{
    union {
        struct virtio_pci_capability fields;
        uint32_t words[sizeof(struct virtio_pci_capability) / 4];
    } capability = {0};
    struct pci_region *region = NULL;
    uint32_t size_min = 1;
    uint32_t alignment = 1;
    size_t length = CAPABILITY_SIZE;

    if (at + CAPABILITY_SIZE > PCI_CONFIG_SIZE)
        return;
    for (size_t i = 0; i < CAPABILITY_SIZE / 4; i++)
        capability.words[i] = virtio_pci_read(function->os, function->address, (uint16_t)(at + 4 * i), 4);

    switch (capability.fields.type) {
    case TYPE_COMMON:
        region = &layout->common;
        size_min = COMMON_SIZE_MIN;
        alignment = 4;
        break;
    case TYPE_NOTIFY:
        region = &layout->notify;
        size_min = 2;
        alignment = 2;
        length = sizeof(capability.fields);
        break;
    case TYPE_ISR:
        region = &layout->isr;
        break;
    case TYPE_DEVICE:
        region = &layout->device;
        alignment = 4;
        break;
    default:
        return;
    }
    if (region->size != 0)
        return;
    if (capability.fields.length < length || at + length > PCI_CONFIG_SIZE ||
        capability.fields.size < size_min || capability.fields.offset % alignment != 0 ||
        !locate(function, capability.fields.bar, capability.fields.offset, capability.fields.size, region)) {
        virtio_log(function->os, VIRTIO_LOG_WARNING, function->name,
                   "capability at %#x ignored: type %u, length %u, BAR %u, offset %#x, size %#x", at,
                   capability.fields.type, capability.fields.length, capability.fields.bar,
                   capability.fields.offset, capability.fields.size);
        return;
    }
    if (capability.fields.type == TYPE_NOTIFY)
        layout->notify_multiplier =
            virtio_pci_read(function->os, function->address, (uint16_t)(at + CAPABILITY_SIZE), 4);
}

static void read_msix(const struct function *function, uint16_t at, struct virtio_pci_layout *layout)
{
    const struct virtio_os *os = function->os;

    if (layout->msix_capability != 0 || at + 12 > PCI_CONFIG_SIZE)
        return;
    uint32_t control = virtio_pci_read(os, function->address, (uint16_t)(at + MSIX_CONTROL), 2);
    uint32_t table = virtio_pci_read(os, function->address, (uint16_t)(at + MSIX_TABLE), 4);
    uint16_t count = (uint16_t)((control & MSIX_CONTROL_SIZE) + 1);
    if (!locate(function, table & 7, table & ~7u, (uint64_t)16 * count, &layout->msix_table)) {
        virtio_log(os, VIRTIO_LOG_WARNING, function->name,
                   "MSI-X capability at %#x ignored: %u entries at %#x of BAR %u", at, count, table & ~7u,
                   table & 7);
        return;
    }
    layout->msix_capability = at;
    layout->msix_count = count;
}

static int unusable(const struct function *function, const char *reason)
{
    virtio_log(function->os, VIRTIO_LOG_ERROR, function->name, "device passed over: %s", reason);
    return -ENODEV;
}

int virtio_pci_find_layout(const struct virtio_os *os, uint16_t address, const char *name,
                           struct virtio_pci_layout *layout)
{
    struct function function = {.os = os, .address = address, .name = name};
    unsigned count = 0;

    memset(layout, 0, sizeof(*layout));
    if ((virtio_pci_read(os, address, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES) == 0)
        return unusable(&function, "it has no capabilities, so it is no virtio 1.x device");
    read_bars(&function);

    uint16_t at = (uint16_t)(virtio_pci_read(os, address, PCI_CAPABILITIES, 1) & 0xfc);
    while (at != 0) {
        if (at < CAPABILITIES_START || ++count > CAPABILITIES_MAX)
            return unusable(&function, "its capability list has a loop or leads into the header");
        uint32_t head = virtio_pci_read(os, address, at, 4);
        if ((head & 0xff) == PCI_CAPABILITY_VENDOR)
            read_virtio(&function, at, layout);
        else if ((head & 0xff) == PCI_CAPABILITY_MSIX)
            read_msix(&function, at, layout);
        at = (uint16_t)(head >> 8 & 0xfc);
    }

    if (layout->common.size == 0)
        return unusable(&function, "no usable common configuration structure (virtio 1.x)");
    if (layout->notify.size == 0)
        return unusable(&function, "no usable notification structure");
    if (layout->notify_multiplier % 2 != 0)
        return unusable(&function, "its notification multiplier is odd");
    if (layout->msix_capability == 0)
        return unusable(&function, "no usable MSI-X capability (in QEMU: vectors=0?)");
    return 0;
}
