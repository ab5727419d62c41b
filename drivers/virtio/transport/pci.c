/* SPDX-License-Identifier: MIT
 *
 * virtio over PCI: virtio 1.2, section 4.1.
 */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "queue_private.h"
#include "transport/pci.h"
#include "transport/registers.h"

#define NO_VECTOR 0xffff

/* Section 4.1.4.3 */
struct common {
    uint32_t device_feature_select;
    uint32_t device_feature;
    uint32_t driver_feature_select;
    uint32_t driver_feature;
    uint16_t config_vector;
    uint16_t queue_count;
    uint8_t status;
    uint8_t config_generation;
    uint16_t queue_select;
    uint16_t queue_size;
    uint16_t queue_vector;
    uint16_t queue_enable;
    uint16_t queue_notify_offset;
    uint32_t queue_descriptors[2];
    uint32_t queue_available[2];
    uint32_t queue_used[2];
};
_Static_assert(sizeof(struct common) == 56, "virtio 1.2, 4.1.4.3");
_Static_assert(offsetof(struct common, status) == 20, "virtio 1.2, 4.1.4.3");
_Static_assert(offsetof(struct common, queue_select) == 22, "virtio 1.2, 4.1.4.3");
_Static_assert(offsetof(struct common, queue_notify_offset) == 30, "virtio 1.2, 4.1.4.3");
_Static_assert(offsetof(struct common, queue_descriptors) == 32, "virtio 1.2, 4.1.4.3");
_Static_assert(offsetof(struct common, queue_used) == 48, "virtio 1.2, 4.1.4.3");

/* The regions may be larger than anything of use; no more than this is mapped. */
#define NOTIFY_SIZE_MAX ((uint64_t)VIRTIO_QUEUES_MAX * 4096) /* QEMU's page-per-vq has a page for each */
#define CONFIG_SIZE_MAX 4096u

struct virtio_pci {
    struct virtio_device device;
    uint16_t address; /* bus<<8 | device<<3 | function */
    volatile struct common *common;
    volatile uint8_t *notify;
    uint64_t notify_size;
    uint32_t notify_multiplier;
    volatile uint8_t *config; /* NULL when the device has none */
    volatile uint8_t *doorbells[VIRTIO_QUEUES_MAX];
    struct msix msix;
};

static struct virtio_pci *pci_of(struct virtio_device *device)
{
    return (struct virtio_pci *)device; /* its first member */
}

static uint8_t read_status(struct virtio_device *device)
{
    return virtio_read8(&pci_of(device)->common->status);
}

static void write_status(struct virtio_device *device, uint8_t status)
{
    virtio_write8(&pci_of(device)->common->status, status);
}

static uint64_t read_features(struct virtio_device *device)
{
    volatile struct common *common = pci_of(device)->common;

    virtio_write32(&common->device_feature_select, 0);
    uint64_t features = virtio_read32(&common->device_feature);
    virtio_write32(&common->device_feature_select, 1);
    return features | (uint64_t)virtio_read32(&common->device_feature) << 32;
}

static void write_features(struct virtio_device *device, uint64_t features)
{
    volatile struct common *common = pci_of(device)->common;

    virtio_write32(&common->driver_feature_select, 0);
    virtio_write32(&common->driver_feature, (uint32_t)features);
    virtio_write32(&common->driver_feature_select, 1);
    virtio_write32(&common->driver_feature, (uint32_t)(features >> 32));
}

static uint16_t queue_size_max(struct virtio_device *device, uint16_t index)
{
    volatile struct common *common = pci_of(device)->common;

    if (index >= virtio_read16(&common->queue_count))
        return 0;
    virtio_write16(&common->queue_select, index);
    return virtio_read16(&common->queue_size);
}

static void set_command(struct virtio_pci *pci, uint16_t set, uint16_t clear)
{
    const struct virtio_os *os = pci->device.os;
    uint32_t command = virtio_pci_read(os, pci->address, PCI_COMMAND, 2);

    virtio_pci_write(os, pci->address, PCI_COMMAND, 2, (command & ~(uint32_t)clear) | set);
}

/* Writes a vector register and looks whether the device has resources for it (section 4.1.5.1.2). */
static int add_vector(struct virtio_pci *pci, volatile uint16_t *vector_register,
                      virtio_interrupt_handler handler, void *argument)
{
    uint16_t vector = NO_VECTOR;

    /* An MSI-X message is a write to memory, as is all that the device does from here on. */
    set_command(pci, PCI_COMMAND_MASTER, 0);
    int error = virtio_msix_add(&pci->msix, handler, argument, &vector);
    if (error != 0) {
        virtio_log(pci->device.os, VIRTIO_LOG_ERROR, pci->device.name, "no interrupt vector is free");
        return error;
    }
    virtio_write16(vector_register, vector);
    if (virtio_read16(vector_register) != vector) {
        virtio_log(pci->device.os, VIRTIO_LOG_ERROR, pci->device.name, "the device does not take vector %u",
                   vector);
        return -EIO;
    }
    return 0;
}

static void write_address(volatile uint32_t *halves, uint64_t address)
{
    virtio_write32(&halves[0], (uint32_t)address);
    virtio_write32(&halves[1], (uint32_t)(address >> 32));
}

/* Section 4.1.5.1.3 */
static int queue_enable(struct virtio_device *device, struct virtio_queue *queue,
                        virtio_interrupt_handler handler, void *argument)
{
    struct virtio_pci *pci = pci_of(device);
    volatile struct common *common = pci->common;
    uint16_t index = virtio_queue_index(queue);
    uint64_t descriptors = 0;
    uint64_t available = 0;
    uint64_t used = 0;

    virtio_write16(&common->queue_select, index);
    virtio_write16(&common->queue_size, virtio_queue_size(queue));

    uint64_t doorbell = (uint64_t)virtio_read16(&common->queue_notify_offset) * pci->notify_multiplier;
    if (doorbell > pci->notify_size - sizeof(uint16_t)) {
        virtio_log(device->os, VIRTIO_LOG_ERROR, device->name,
                   "queue %u: its doorbell at %#llx is beyond the notification structure", index,
                   (unsigned long long)doorbell);
        return -EIO;
    }
    pci->doorbells[index] = pci->notify + doorbell;

    int error = add_vector(pci, &common->queue_vector, handler, argument);
    if (error != 0)
        return error;

    virtio_queue_addresses(queue, &descriptors, &available, &used);
    write_address(common->queue_descriptors, descriptors);
    write_address(common->queue_available, available);
    write_address(common->queue_used, used);
    virtio_write16(&common->queue_enable, 1);
    return 0;
}

static void notify(void *device, uint16_t index)
{
    virtio_write16(pci_of(device)->doorbells[index], index);
}

static int config_interrupt(struct virtio_device *device, virtio_interrupt_handler handler, void *argument)
{
    struct virtio_pci *pci = pci_of(device);

    return add_vector(pci, &pci->common->config_vector, handler, argument);
}

static void quiesce(struct virtio_device *device)
{
    struct virtio_pci *pci = pci_of(device);

    set_command(pci, 0, PCI_COMMAND_MASTER);
    virtio_msix_release(&pci->msix);
}

static uint32_t config_generation(struct virtio_device *device)
{
    return virtio_read8(&pci_of(device)->common->config_generation);
}

static void config_read(struct virtio_device *device, size_t offset, void *out, size_t size)
{
    virtio_copy_registers(pci_of(device)->config, offset, out, size);
}

static void free_device(struct virtio_device *device)
{
    device->os->free(device->os->context, device, sizeof(struct virtio_pci));
}

static const struct virtio_transport pci_transport = {
    .read_status = read_status,
    .write_status = write_status,
    .read_features = read_features,
    .write_features = write_features,
    .queue_size_max = queue_size_max,
    .queue_enable = queue_enable,
    .notify = notify,
    .config_interrupt = config_interrupt,
    .quiesce = quiesce,
    .config_generation = config_generation,
    .config_read = config_read,
    .free = free_device,
};

/* "pci 00:03.0" */
static void write_name(char *name, uint16_t address)
{
    static const char digits[] = "0123456789abcdef";

    memcpy(name, "pci 00:00.0", sizeof("pci 00:00.0"));
    name[4] = digits[address >> 12];
    name[5] = digits[address >> 8 & 15];
    name[7] = digits[address >> 7 & 1];
    name[8] = digits[address >> 3 & 15];
    name[10] = digits[address & 7];
}

static volatile void *map(struct virtio_pci *pci, const struct pci_region *region, uint64_t size_max)
{
    const struct virtio_os *os = pci->device.os;
    uint64_t size = region->size < size_max ? region->size : size_max;

    return os->map_mmio(os->context, region->physical, (size_t)size);
}

uint16_t virtio_pci_address(const struct virtio_device *device)
{
    return ((const struct virtio_pci *)device)->address; /* its first member */
}

int virtio_pci_create(const struct virtio_os *os, uint16_t address, enum virtio_id id,
                      struct virtio_device **device)
{
    struct virtio_pci_layout layout;
    char name[sizeof((*device)->name)] = "";

    write_name(name, address);
    int error = virtio_pci_find_layout(os, address, name, &layout);
    if (error != 0)
        return error;

    struct virtio_pci *pci = os->alloc(os->context, sizeof(*pci));
    if (pci == NULL)
        return -ENOMEM;
    memset(pci, 0, sizeof(*pci));
    pci->device.transport = pci_transport;
    pci->device.os = os;
    pci->device.id = id;
    memcpy(pci->device.name, name, sizeof(name));
    pci->address = address;

    set_command(pci, PCI_COMMAND_MEMORY | PCI_COMMAND_NO_INTX, PCI_COMMAND_MASTER);
    pci->common = map(pci, &layout.common, sizeof(struct common));
    pci->notify = map(pci, &layout.notify, NOTIFY_SIZE_MAX);
    pci->notify_size = layout.notify.size < NOTIFY_SIZE_MAX ? layout.notify.size : NOTIFY_SIZE_MAX;
    pci->notify_multiplier = layout.notify_multiplier;
    if (pci->common == NULL || pci->notify == NULL)
        goto no_memory;
    if (layout.device.size != 0) {
        pci->config = map(pci, &layout.device, CONFIG_SIZE_MAX);
        if (pci->config == NULL)
            goto no_memory;
        pci->device.transport.config_size =
            layout.device.size < CONFIG_SIZE_MAX ? (size_t)layout.device.size : CONFIG_SIZE_MAX;
    }
    if (virtio_msix_initialise(&pci->msix, os, address, &layout) != 0)
        goto no_memory;
    *device = &pci->device;
    return 0;

no_memory:
    virtio_log(os, VIRTIO_LOG_ERROR, name, "its registers cannot be mapped");
    free_device(&pci->device);
    return -ENOMEM;
}
