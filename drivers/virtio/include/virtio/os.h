/* SPDX-License-Identifier: MIT
 *
 * What the virtio library needs from the kernel that embeds it. Every function gets `context` back as its
 * first argument. All calls come from the task that calls the library, except where noted; none may be NULL
 * unless it says so.
 */
#ifndef VIRTIO_OS_H
#define VIRTIO_OS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum virtio_log_level { VIRTIO_LOG_ERROR, VIRTIO_LOG_WARNING, VIRTIO_LOG_INFO, VIRTIO_LOG_DEBUG };

/* Called in interrupt context: it may only mark and wake. */
typedef void (*virtio_interrupt_handler)(void *argument);

/* The library's own handlers use general registers only, so that a kernel's interrupt entry need not save
 * the vector registers; what they call back (a driver's `wake`) keeps to that, too. */
#if defined(__x86_64__) || defined(__aarch64__)
#define VIRTIO_INTERRUPT_CODE __attribute__((target("general-regs-only")))
#else
#define VIRTIO_INTERRUPT_CODE
#endif

struct virtio_os {
    void *context;

    /* Memory that a device may read and write: zeroed, physically contiguous, aligned to `align` (a power of
     * two, at most 4096 guaranteed). Sets *physical to its address on the bus. Returns NULL when there is
     * none. */
    void *(*alloc_aligned)(void *context, size_t size, size_t align, uint64_t *physical);
    void (*free_aligned)(void *context, void *memory, size_t size);

    /* Ordinary memory, aligned to 16 bytes; not zeroed. NULL when there is none. */
    void *(*alloc)(void *context, size_t size);
    void (*free)(void *context, void *memory, size_t size);

    /* Where ordinary memory lies on the bus, for a device to write to it directly (file contents, say). Sets
     * *physical, and returns how many bytes from `memory` on, at most `size`, are contiguous there; 0 for
     * memory that a device cannot reach. Used by virtio/fs.h only. */
    size_t (*translate)(void *context, const void *memory, size_t size, uint64_t *physical);

    /* Maps device registers, uncached. The mapping stays; the same registers may be asked for again. The
     * address is the host's word: a kernel that does not trust it refuses its own RAM here. NULL on failure.
     */
    volatile void *(*map_mmio)(void *context, uint64_t physical, size_t size);

    /* PCI configuration space of bus<<8 | device<<3 | function; `width` is 1, 2 or 4 bytes, `offset` a
     * multiple of it. A function that does not exist reads as all ones. */
    uint32_t (*pci_read)(void *context, uint16_t address, uint16_t offset, unsigned width);
    void (*pci_write)(void *context, uint16_t address, uint16_t offset, unsigned width, uint32_t value);

    /* Reserves an interrupt vector that calls handler(argument), and says which MSI message raises it
     * (PCI 3.0, 6.8.1). Returns 0 or a negative errno. */
    int (*interrupt_allocate)(void *context, virtio_interrupt_handler handler, void *argument,
                              uint64_t *message_address, uint32_t *message_data);
    /* After this returns, the handler is not called any more. */
    void (*interrupt_free)(void *context, uint64_t message_address, uint32_t message_data);

    /* Has handler(argument) called at each rising edge of an interrupt line (on x86, a global system
     * interrupt). One device per line. Returns 0 or a negative errno. Both may be NULL in a kernel without
     * MMIO devices. */
    int (*interrupt_line_allocate)(void *context, uint32_t line, virtio_interrupt_handler handler,
                                   void *argument);
    /* After this returns, the handler is not called any more. */
    void (*interrupt_line_free)(void *context, uint32_t line);

    uint64_t (*now_us)(void *context); /* monotonic microseconds */

    /* One line, without a line feed. Formats are those of printf, without floating point. */
    void (*log)(void *context, enum virtio_log_level level, const char *subsystem, const char *format,
                va_list arguments);
};

#endif
