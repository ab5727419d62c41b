/* SPDX-License-Identifier: MIT
 *
 * In place of arch/mmu.h, for test_memory.c: a direct map that a test can write to.
 */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include <stdint.h>

#include <arch/boot_info.h>

#define MMU_PAGE_SIZE 4096ull

extern uintptr_t fake_direct_map;

typedef uint64_t (*mmu_frame_source)(void);

int mmu_initialise(const struct boot_info *boot, mmu_frame_source frames);
void mmu_set_frame_source(mmu_frame_source frames);
int mmu_guard_page(uintptr_t virtual_address);
void mmu_image(uint64_t *start, uint64_t *end);

static inline void *mmu_direct(uint64_t physical)
{
    return (void *)(fake_direct_map + physical);
}

#endif
