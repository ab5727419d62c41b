/* SPDX-License-Identifier: MIT
 *
 * Finding virtio devices on the PCI buses.
 */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "transport/pci.h"

#define VENDOR_VIRTIO       0x1af4
#define DEVICE_TRANSITIONAL 0x1000 /* to 0x103f: the subsystem id says which, section 4.1.2.1 */
#define DEVICE_MODERN       0x1040 /* plus the virtio device id, to 0x107f */
#define DEVICE_END          0x1080

#define BUS_COUNT 256

struct scan {
    const struct virtio_os *os;
    int (*found)(void *context, struct virtio_device *device);
    void *context;
    int taken;
    /* Each bus is scanned once, whatever the bridges say. */
    bool known[BUS_COUNT];
    uint8_t buses[BUS_COUNT];
    size_t bus_count;
};

uint32_t virtio_pci_read(const struct virtio_os *os, uint16_t address, uint16_t offset, unsigned width)
{
    return os->pci_read(os->context, address, offset, width);
}

void virtio_pci_write(const struct virtio_os *os, uint16_t address, uint16_t offset, unsigned width,
                      uint32_t value)
{
    os->pci_write(os->context, address, offset, width, value);
}

static void add_bus(struct scan *scan, uint8_t bus)
{
    if (scan->known[bus])
        return;
    scan->known[bus] = true;
    scan->buses[scan->bus_count++] = bus;
}

/* What kind of device a function is; false when it is no virtio device. */
static bool virtio_kind(const struct virtio_os *os, uint16_t address, uint16_t vendor, uint16_t device,
                        enum virtio_id *id)
{
    if (vendor != VENDOR_VIRTIO || device < DEVICE_TRANSITIONAL || device >= DEVICE_END)
        return false;
    *id = (enum virtio_id)(device >= DEVICE_MODERN
                               ? (uint32_t)device - DEVICE_MODERN
                               : virtio_pci_read(os, address, PCI_SUBSYSTEM_ID, 2) & 0xffff);
    return true;
}

int virtio_pci_probe(const struct virtio_os *os, uint16_t address, struct virtio_device **device)
{
    uint32_t identity = virtio_pci_read(os, address, PCI_VENDOR_ID, 4);
    enum virtio_id id;

    if (!virtio_kind(os, address, (uint16_t)identity, (uint16_t)(identity >> 16), &id))
        return -ENODEV;
    return virtio_pci_create(os, address, id, device);
}

static int offer_device(struct scan *scan, uint16_t address, enum virtio_id id)
{
    struct virtio_device *device = NULL;

    int error = virtio_pci_create(scan->os, address, id, &device);
    if (error == -ENOMEM)
        return error;
    if (error != 0)
        return 0; /* logged there */
    if (scan->found(scan->context, device) == 0)
        scan->taken++;
    else
        virtio_device_destroy(device);
    return 0;
}

static int scan_function(struct scan *scan, uint16_t address, uint8_t header)
{
    uint32_t identity = virtio_pci_read(scan->os, address, PCI_VENDOR_ID, 4);
    uint16_t vendor = (uint16_t)identity;
    uint16_t device = (uint16_t)(identity >> 16);
    enum virtio_id id;

    if (vendor == 0xffff)
        return 0;
    VIRTIO_TRACE(scan->os, "pci", "%02x:%02x.%x is %04x:%04x, header type %02x", address >> 8,
                 address >> 3 & 31, address & 7u, vendor, device, header);
    if (header == PCI_HEADER_BRIDGE)
        add_bus(scan, (uint8_t)virtio_pci_read(scan->os, address, PCI_SECONDARY_BUS, 1));
    else if (header == PCI_HEADER_DEVICE && virtio_kind(scan->os, address, vendor, device, &id))
        return offer_device(scan, address, id);
    return 0;
}

int virtio_pci_scan(const struct virtio_os *os, int (*found)(void *context, struct virtio_device *device),
                    void *context)
{
    struct scan scan = {.os = os, .found = found, .context = context};

    add_bus(&scan, 0);
    for (size_t i = 0; i < scan.bus_count; i++) {
        for (unsigned slot = 0; slot < 32; slot++) {
            uint16_t address = (uint16_t)((unsigned)scan.buses[i] << 8 | slot << 3);
            if ((virtio_pci_read(os, address, PCI_VENDOR_ID, 2) & 0xffff) == 0xffff)
                continue;
            uint8_t header = (uint8_t)virtio_pci_read(os, address, PCI_HEADER_TYPE, 1);
            unsigned functions = (header & PCI_HEADER_MULTI) != 0 ? 8 : 1;
            for (unsigned function = 0; function < functions; function++) {
                if (function != 0)
                    header = (uint8_t)virtio_pci_read(os, (uint16_t)(address + function), PCI_HEADER_TYPE, 1);
                int error = scan_function(&scan, (uint16_t)(address + function), header & PCI_HEADER_LAYOUT);
                if (error != 0)
                    return scan.taken > 0 ? scan.taken : error;
            }
        }
    }
    return scan.taken;
}
