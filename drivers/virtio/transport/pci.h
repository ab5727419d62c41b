/* SPDX-License-Identifier: MIT
 *
 * PCI configuration space (PCI 3.0, chapter 6) as far as virtio needs it: where a function's registers are,
 * what its virtio capabilities say (virtio 1.2, section 4.1.4), and its MSI-X table. All of it is the host's
 * word.
 */
#ifndef VIRTIO_TRANSPORT_PCI_H
#define VIRTIO_TRANSPORT_PCI_H

#include "transport/transport.h"

/* Configuration space, PCI 3.0 section 6.1 */
#define PCI_VENDOR_ID           0x00
#define PCI_DEVICE_ID           0x02
#define PCI_COMMAND             0x04
#define PCI_COMMAND_MEMORY      0x0002
#define PCI_COMMAND_MASTER      0x0004
#define PCI_COMMAND_NO_INTX     0x0400
#define PCI_STATUS              0x06
#define PCI_STATUS_CAPABILITIES 0x0010
#define PCI_HEADER_TYPE         0x0e
#define PCI_HEADER_MULTI        0x80
#define PCI_HEADER_LAYOUT       0x7f
#define PCI_HEADER_DEVICE       0x00
#define PCI_HEADER_BRIDGE       0x01
#define PCI_BAR0                0x10
#define PCI_BAR_COUNT           6
#define PCI_SECONDARY_BUS       0x19
#define PCI_SUBSYSTEM_ID        0x2e
#define PCI_CAPABILITIES        0x34
#define PCI_CONFIG_SIZE         256

#define PCI_CAPABILITY_VENDOR 0x09
#define PCI_CAPABILITY_MSIX   0x11

/* MSI-X capability, PCI 3.0 section 6.8.2 */
#define MSIX_CONTROL        2
#define MSIX_CONTROL_ENABLE 0x8000
#define MSIX_CONTROL_MASK   0x4000
#define MSIX_CONTROL_SIZE   0x07ff
#define MSIX_TABLE          4

/* A vector for each queue and one for the configuration. */
#define VIRTIO_VECTORS_MAX (VIRTIO_QUEUES_MAX + 1)

/* A structure in device memory that lies wholly within its BAR. Size 0: there is none. */
struct pci_region {
    uint64_t physical;
    uint64_t size;
};

/* What was found in a function's capability list. */
struct virtio_pci_layout {
    struct pci_region common, notify, isr, device, msix_table;
    uint32_t notify_multiplier;
    uint16_t msix_capability; /* offset in configuration space, 0 without MSI-X */
    uint16_t msix_count;      /* entries of the table */
};

uint32_t virtio_pci_read(const struct virtio_os *os, uint16_t address, uint16_t offset, unsigned width);
void virtio_pci_write(const struct virtio_os *os, uint16_t address, uint16_t offset, unsigned width,
                      uint32_t value);

/* Reads BARs and capabilities of a function. Returns 0; -ENODEV when what a virtio device must have is not
 * there or not usable (logged under `name`, with the reason). */
int virtio_pci_find_layout(const struct virtio_os *os, uint16_t address, const char *name,
                           struct virtio_pci_layout *layout);

/* Makes a device of a function. Returns 0, -ENODEV, -ENOMEM. */
int virtio_pci_create(const struct virtio_os *os, uint16_t address, enum virtio_id id,
                      struct virtio_device **device);

/* One handler of an interrupt; several may share a vector. */
struct msix_user {
    virtio_interrupt_handler handler;
    void *argument;
    struct msix_user *next;
};

struct msix_vector {
    struct msix_user *users;
    uint64_t message_address;
    uint32_t message_data;
};

struct msix {
    const struct virtio_os *os;
    uint16_t address;    /* of the function */
    uint16_t capability; /* offset in configuration space */
    uint16_t count;      /* entries of the table that we use, at most */
    uint16_t vectors_used, users_used;
    volatile uint8_t *table;
    struct msix_vector vectors[VIRTIO_VECTORS_MAX];
    struct msix_user users[VIRTIO_VECTORS_MAX];
};

/* Maps the table; nothing interrupts yet. Returns 0 or -ENOMEM. */
int virtio_msix_initialise(struct msix *msix, const struct virtio_os *os, uint16_t address,
                           const struct virtio_pci_layout *layout);
/* Sets *vector to one that calls the handler: its own, or the last one shared when the table or the kernel
 * has no more. Returns 0 or the negative errno of os->interrupt_allocate. */
int virtio_msix_add(struct msix *msix, virtio_interrupt_handler handler, void *argument, uint16_t *vector);
/* No vector interrupts any more; virtio_msix_add may be called again. */
void virtio_msix_release(struct msix *msix);

#endif
