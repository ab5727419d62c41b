/* SPDX-License-Identifier: MIT
 *
 * Page tables of the one address space (Intel SDM volume 3, chapter 4; four levels, 4 KiB and 2 MiB pages).
 *
 *   0xffff800000000000, 64 TiB   direct map: all usable memory; read-write, never executable; text and
 *                                constants of the image are read-only through it, too
 *   0xffffc00000000000, 1 TiB    device registers (mmu_map_mmio), uncached
 *   0xffffc10000000000, 1 TiB    task stacks, a guard page below each
 *   0xffffff8000000000, 510 GiB  the image: text read-execute, constants read-only, data read-write
 *
 * These are windows: where in them the parts stand is chosen at each start (layout.c). The lower half, page
 * zero with it, is unmapped. No page is ever writable and executable at once. One task at a time; not from
 * interrupts, except mmu_query.
 */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/boot_info.h>

#define MMU_PAGE_SIZE              4096ull
#define MMU_LARGE_PAGE_SIZE        (2048ull * 1024)
#define MMU_DIRECT_MAP_WINDOW      0xffff800000000000ull
#define MMU_DIRECT_MAP_WINDOW_SIZE (1ull << 46)
#define MMU_MMIO_WINDOW            0xffffc00000000000ull
#define MMU_MMIO_WINDOW_SIZE       (1ull << 40)
#define MMU_MMIO_SIZE              (1ull << 36) /* of it, from its beginning on */
#define MMU_STACKS_WINDOW          0xffffc10000000000ull
#define MMU_STACKS_WINDOW_SIZE     (1ull << 40)
#define MMU_IMAGE_BASE             0xffffffff80000000ull /* physical p of the image is linked at this + p */

/* Where the parts stand this time; chosen before kernel_enter, in the lower half of each window, and constant
 * from mmu_initialise on. Read only. */
struct mmu_layout {
    uintptr_t direct_map;      /* the boot page tables' until mmu_initialise, */
    uintptr_t next_direct_map; /* and this from then on */
    uintptr_t registers, stacks;
    uint64_t image_distance; /* of the image from where it is linked; 0: it was not moved */
};
extern struct mmu_layout mmu_layout;

enum mmu_flags {
    MMU_READ = 0, /* every mapping is readable */
    MMU_WRITE = 1,
    MMU_EXECUTE = 2, /* with MMU_WRITE: refused */
    MMU_UNCACHED = 4
};

/* A variable (zero at first) that is only written until mmu_seal: what the CPU is told, where things stand,
 * what is called. Somebody who can write to memory later on cannot change it. */
#define MMU_SEALED __attribute__((section(".bss.sealed")))

/* Gives one zeroed frame for a page table; 0 when there is none. */
typedef uint64_t (*mmu_frame_source)(void);

/* Builds the address space above and switches to it. Called once. Returns 0 or -ENOMEM. */
int mmu_initialise(const struct boot_info *info, mmu_frame_source frames);

/* From here on page tables come from there. */
void mmu_set_frame_source(mmu_frame_source frames);

/* Makes what is MMU_SEALED read-only, in the image and in the direct map. Returns 0 or -ENOMEM. */
int mmu_seal(void);

/* Looks at every page: returns 0; -EPERM when one is writable and executable, or for user mode, or lies in
 * the lower half. */
int mmu_verify(void);

/* Maps [physical, +size) at `virtual_address`; both page-aligned; 2 MiB pages where everything is aligned for
 * them. Returns 0, -EINVAL (alignment, overflow, an address that is not canonical or beyond 52 bits, write
 * with execute), -EEXIST (something is mapped there; nothing was changed), -ENOMEM (nothing stays mapped). */
int mmu_map(uint64_t physical, uintptr_t virtual_address, size_t size, unsigned flags);

/* Removes mappings; holes are passed over. Returns 0, -EINVAL, -ENOMEM (a large page had to be split). */
int mmu_unmap(uintptr_t virtual_address, size_t size);

/* Changes what is allowed on mapped pages. Returns 0, -EINVAL, -ENOENT (a hole; what stood before it is
 * changed), -ENOMEM. */
int mmu_protect(uintptr_t virtual_address, size_t size, unsigned flags);

/* Maps device registers, uncached, read-write; any alignment. Refuses an address that is usable memory.
 * Returns NULL when out of space or frames. */
volatile void *mmu_map_mmio(uint64_t physical, size_t size);

/* Unmaps one page, so that touching it faults. Returns 0 or a negative errno. */
int mmu_guard_page(uintptr_t virtual_address);

/* What is mapped at an address: true and physical address and flags, or false. Any context. */
bool mmu_query(uintptr_t virtual_address, uint64_t *physical, unsigned *flags);

static inline void *mmu_direct(uint64_t physical)
{
    return (void *)(uintptr_t)(mmu_layout.direct_map + physical);
}
static inline uint64_t mmu_direct_physical(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer - mmu_layout.direct_map;
}

/* The image in physical memory: [start, end), page-aligned; `boot` bytes before `start` were needed for the
 * start only. */
void mmu_image(uint64_t *start, uint64_t *end);

#endif
