/* SPDX-License-Identifier: MIT
 *
 * What boot/entry.S calls: the kernel supplies it.
 */
#ifndef ARCH_ENTRY_H
#define ARCH_ENTRY_H

#include <stdint.h>

/* The first C function: on the boot stack, interrupts off, on the boot page tables (the first GiB of memory
 * at MMU_DIRECT_MAP_WINDOW, writable and executable). `information` is the physical address that the boot
 * protocol hands over, `timestamp` the time stamp counter at the first instruction. Must not return. */
void kernel_enter(uint32_t protocol, uint64_t information, uint64_t timestamp);

/* What the boot page tables reach through the direct map. */
#define ENTRY_MAPPED_SIZE (1ull << 30)

/* A boot_reader for them: NULL beyond that. */
const void *entry_reach(uint64_t physical, uint64_t size);

/* Where the image starts in physical memory (kernel.ld); what lies between here and mmu_image's start is
 * needed for the start only. */
#define ENTRY_IMAGE_PHYSICAL 0x100000ull

#endif
