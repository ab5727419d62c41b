/* SPDX-License-Identifier: MIT
 *
 * PCI buses with virtio devices on them: configuration space, BARs, the registers behind them, MSI-X. A test
 * may change any byte of it to what a broken or hostile host would say.
 */
#ifndef FAKE_PCI_H
#define FAKE_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "fake_ring.h"

#define FAKE_FUNCTIONS   16
#define FAKE_QUEUES      4
#define FAKE_BAR_MSIX    1
#define FAKE_BAR_VIRTIO  4
#define FAKE_CONFIG_SIZE 40

/* Where fake_pci_add_virtio puts its capabilities. */
#define FAKE_CAP_COMMON 0x40
#define FAKE_CAP_ISR    0x50
#define FAKE_CAP_DEVICE 0x60
#define FAKE_CAP_NOTIFY 0x70
#define FAKE_CAP_MSIX   0x84
#define FAKE_CAP_ACCESS 0x98 /* type 5, which a driver passes over */

struct fake_queue {
    uint16_t size_max, size, vector, enable, notify_offset;
    struct fake_ring ring;
    unsigned kicks;
};

struct fake_function {
    bool present;
    uint16_t address;
    uint8_t config[256];
    struct {
        uint64_t physical, size;
        bool wide;
        uint8_t *memory;
    } bars[6];

    /* The virtio device behind the BARs. */
    uint64_t offered, accepted;
    uint32_t offered_select, accepted_select;
    uint8_t status;
    uint8_t generation;
    uint16_t config_vector;
    uint16_t queue_select, queue_count;
    struct fake_queue queues[FAKE_QUEUES];
    uint8_t device_config[FAKE_CONFIG_SIZE];

    /* How it misbehaves. */
    bool plain_memory; /* there are no registers behind the BARs */
    bool stuck_in_reset, refuses_features, refuses_vectors, refuses_start, generation_spins, gone;
};

/* Takes all functions away. */
void fake_pci_clear(void);
struct fake_function *fake_pci_add(uint16_t address, uint16_t vendor, uint16_t device);
struct fake_function *fake_pci_add_bridge(uint16_t address, uint8_t secondary_bus);
/* A modern device with four queues of 128 entries and an MSI-X table of `vectors` entries. */
struct fake_function *fake_pci_add_virtio(uint16_t address, uint8_t id, uint16_t vectors);
/* NULL when there is none. */
struct fake_function *fake_pci_find(uint16_t address);
/* Writes a little-endian value into configuration space, read-only fields too. */
void fake_pci_set(struct fake_function *function, unsigned offset, unsigned width, uint32_t value);

uint32_t fake_pci_read(uint16_t address, uint16_t offset, unsigned width);
void fake_pci_write(uint16_t address, uint16_t offset, unsigned width, uint32_t value);
volatile void *fake_pci_map(uint64_t physical, uint64_t size);
/* Mapped so far; configuration reads so far. */
extern unsigned long fake_pci_mapped_bytes, fake_pci_config_reads;

/* Sends the message of a vector, if the table and the function let it. */
void fake_pci_interrupt(struct fake_function *function, uint16_t vector);
/* The device has used something: interrupts if the driver wants it. Returns whether it did. */
bool fake_pci_signal(struct fake_function *function, unsigned queue);

#endif
