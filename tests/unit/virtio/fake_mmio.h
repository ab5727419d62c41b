/* SPDX-License-Identifier: MIT
 *
 * One virtio device behind a window of MMIO registers (virtio 1.2, section 4.2) and an interrupt line. A test
 * may change any field of it to what a broken or hostile host would say.
 */
#ifndef FAKE_MMIO_H
#define FAKE_MMIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fake_ring.h"

#define FAKE_MMIO_PHYSICAL 0xfeb00e00ull
#define FAKE_MMIO_SIZE     0x200
#define FAKE_MMIO_CONFIG   (FAKE_MMIO_SIZE - 0x100)
#define FAKE_MMIO_LINE     12
#define FAKE_MMIO_QUEUES   17 /* one more than the library looks after */

struct fake_mmio {
    uint32_t magic, version, id;
    uint64_t offered, accepted;
    uint32_t offered_select, accepted_select;
    uint32_t status, generation;
    uint32_t interrupt_status;
    uint32_t queue_select;
    struct fake_mmio_queue {
        uint32_t size_max, size, ready;
        struct fake_ring ring;
        unsigned kicks;
    } queues[FAKE_MMIO_QUEUES];
    uint8_t config[FAKE_MMIO_CONFIG];
    uint64_t mapped_size;
    unsigned status_reads; /* of the interrupt status */

    /* How it misbehaves. */
    bool stuck_in_reset, refuses_features, refuses_start, generation_spins, gone;
    bool keeps_queues;       /* they stay ready over a reset */
    bool never_acknowledged; /* causes come back at once */
    uint32_t late_cause;     /* appears between the handler's look and its acknowledgement, once */
    uint64_t noise; /* not 0: every register reads as something else each time, and writes do nothing */
};
extern struct fake_mmio fake_mmio;

/* A modern device; its window is all that fake_os's map_mmio gives. */
void fake_mmio_start(uint32_t id);
void fake_mmio_stop(void);

/* The device has a reason to interrupt; the line rises with the first one. */
void fake_mmio_raise(uint32_t cause);
/* A queue has used something: interrupts if the driver wants it. Returns whether it did. */
bool fake_mmio_signal(unsigned queue);

/* For fake_pci.c, which has the registers' functions. */
bool fake_mmio_covers(const volatile void *address);
uint32_t fake_mmio_read(const volatile void *address, unsigned width);
void fake_mmio_write(volatile void *address, unsigned width, uint32_t value);
volatile void *fake_mmio_map(uint64_t physical, uint64_t size); /* NULL: not its window */

#endif
