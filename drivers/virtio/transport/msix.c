/* SPDX-License-Identifier: MIT
 *
 * MSI-X, PCI 3.0 section 6.8.2.
 */
#include <errno.h>
#include <string.h>

#include "transport/pci.h"
#include "transport/registers.h"

/* A table entry */
#define ENTRY_SIZE         ((size_t)16)
#define ENTRY_ADDRESS_LOW  0
#define ENTRY_ADDRESS_HIGH 4
#define ENTRY_DATA         8
#define ENTRY_CONTROL      12
#define ENTRY_CONTROL_MASK 1u

static void write_control(struct msix *msix, uint16_t set, uint16_t clear)
{
    uint16_t offset = (uint16_t)(msix->capability + MSIX_CONTROL);
    uint32_t control = virtio_pci_read(msix->os, msix->address, offset, 2);

    virtio_pci_write(msix->os, msix->address, offset, 2, (control & ~(uint32_t)clear) | set);
}

static void set_mask(struct msix *msix, uint16_t vector, bool masked)
{
    volatile uint8_t *control = msix->table + vector * ENTRY_SIZE + ENTRY_CONTROL;
    uint32_t value = virtio_read32(control); /* its other bits are reserved and kept */

    virtio_write32(control, masked ? value | ENTRY_CONTROL_MASK : value & ~ENTRY_CONTROL_MASK);
}

int virtio_msix_initialise(struct msix *msix, const struct virtio_os *os, uint16_t address,
                           const struct virtio_pci_layout *layout)
{
    memset(msix, 0, sizeof(*msix));
    msix->os = os;
    msix->address = address;
    msix->capability = layout->msix_capability;
    msix->count = layout->msix_count < VIRTIO_VECTORS_MAX ? layout->msix_count : VIRTIO_VECTORS_MAX;
    msix->table = os->map_mmio(os->context, layout->msix_table.physical, msix->count * ENTRY_SIZE);
    if (msix->table == NULL)
        return -ENOMEM;

    /* Firmware may have left anything in there. */
    write_control(msix, MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK, 0);
    for (uint16_t i = 0; i < msix->count; i++)
        set_mask(msix, i, true);
    write_control(msix, 0, MSIX_CONTROL_MASK);
    return 0;
}

/* Interrupt context. */
VIRTIO_INTERRUPT_CODE static void fire(void *argument)
{
    const struct msix_vector *vector = argument;

    for (const struct msix_user *user = __atomic_load_n(&vector->users, __ATOMIC_ACQUIRE); user != NULL;
         user = user->next)
        user->handler(user->argument);
}

/* Gives the next entry of the table a message. */
static int open_vector(struct msix *msix)
{
    const struct virtio_os *os = msix->os;
    struct msix_vector *vector = &msix->vectors[msix->vectors_used];
    volatile uint8_t *entry = msix->table + msix->vectors_used * ENTRY_SIZE;

    if (msix->vectors_used == msix->count)
        return -ENOSPC;
    vector->users = NULL;
    int error =
        os->interrupt_allocate(os->context, fire, vector, &vector->message_address, &vector->message_data);
    if (error != 0)
        return error;
    virtio_write32(entry + ENTRY_ADDRESS_LOW, (uint32_t)vector->message_address);
    virtio_write32(entry + ENTRY_ADDRESS_HIGH, (uint32_t)(vector->message_address >> 32));
    virtio_write32(entry + ENTRY_DATA, vector->message_data);
    set_mask(msix, msix->vectors_used, false);
    msix->vectors_used++;
    return 0;
}

int virtio_msix_add(struct msix *msix, virtio_interrupt_handler handler, void *argument, uint16_t *vector)
{
    if (msix->users_used == VIRTIO_VECTORS_MAX)
        return -ENOSPC;
    int error = open_vector(msix);
    if (error != 0 && msix->vectors_used == 0)
        return error;

    *vector = (uint16_t)(msix->vectors_used - 1);
    struct msix_vector *shared = &msix->vectors[*vector];
    struct msix_user *user = &msix->users[msix->users_used++];
    *user = (struct msix_user){.handler = handler, .argument = argument, .next = shared->users};
    /* The vector may fire already for those who share it. */
    __atomic_store_n(&shared->users, user, __ATOMIC_RELEASE);
    return 0;
}

void virtio_msix_release(struct msix *msix)
{
    const struct virtio_os *os = msix->os;

    for (uint16_t i = 0; i < msix->vectors_used; i++) {
        set_mask(msix, i, true);
        os->interrupt_free(os->context, msix->vectors[i].message_address, msix->vectors[i].message_data);
    }
    msix->vectors_used = 0;
    msix->users_used = 0;
}
