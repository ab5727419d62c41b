/* SPDX-License-Identifier: MIT
 *
 * Where everything stands in the address space: another place at each start.
 *
 * The image runs where it is linked until layout_choose has chosen, mapped it there as well, and added the
 * distance to every address that it holds (ELF's relative relocations, format RELR: System V ABI, "Relative
 * Relocation Table"). boot/entry.S goes on there. The other parts move when mmu_initialise switches from the
 * boot page tables to the kernel's own.
 */
#include <arch/cpu.h>
#include <arch/entry.h>
#include <arch/mmu.h>

#define TABLE_ENTRIES 512
#define PRESENT_WRITE 3ull /* Intel SDM volume 3, tables 4-15 to 4-20 */

/* Every address of the window has the same entry in the top table; the last two GiB are where the image is
 * linked. */
#define IMAGE_WINDOW      0xffffff8000000000ull
#define IMAGE_WINDOW_SIZE (MMU_IMAGE_BASE - IMAGE_WINDOW)
#define GIB               (1ull << 30)
#define PAGE_TABLES       3 /* for 4 MiB, wherever they begin: kernel.ld checks the image's size */

/* boot/entry.S has them; in `pointers` is the mapping that the image is linked for. */
struct layout_tables {
    uint64_t pointers[TABLE_ENTRIES];
    uint64_t directory[TABLE_ENTRIES];
    uint64_t pages[PAGE_TABLES * TABLE_ENTRIES];
};

struct mmu_layout mmu_layout MMU_SEALED;

extern uint8_t image_start[], image_end[];
extern const uint64_t relocations_start[], relocations_end[];

uint64_t layout_choose(uint32_t protocol, uint64_t information, struct layout_tables *tables);

/* A multiple of `step` from [0, size). */
static uint64_t choose(uint64_t size, uint64_t step)
{
    return cpu_secret() % (size / step) * step;
}

/* The image at another place. No GiB border lies in it, so one page directory is enough. */
static uintptr_t choose_image(uint64_t size)
{
    return IMAGE_WINDOW + choose(IMAGE_WINDOW_SIZE, GIB) + choose(GIB - size, MMU_PAGE_SIZE);
}

static void map_image(struct layout_tables *tables, uintptr_t place, uint64_t physical, uint64_t size)
{
    uint64_t first = place / MMU_PAGE_SIZE % TABLE_ENTRIES;
    for (uint64_t i = 0; i < size / MMU_PAGE_SIZE; i++)
        tables->pages[first + i] = (physical + i * MMU_PAGE_SIZE) | PRESENT_WRITE;
    for (uint64_t i = 0; i < PAGE_TABLES; i++)
        tables->directory[(place / MMU_LARGE_PAGE_SIZE + i) % TABLE_ENTRIES] =
            (uintptr_t)&tables->pages[i * TABLE_ENTRIES] | PRESENT_WRITE;
    tables->pointers[place / GIB % TABLE_ENTRIES] = (uintptr_t)tables->directory | PRESENT_WRITE;
}

/* An even word is the address of a word to change; an odd one says which of the 63 words behind the last of
 * these, too. */
static void relocate(uint64_t distance)
{
    uint64_t *at = (uint64_t *)(void *)image_start;
    for (const uint64_t *entry = relocations_start; entry < relocations_end; entry++) {
        if ((*entry & 1) == 0) {
            at = (uint64_t *)*entry;
            *at++ += distance;
            continue;
        }
        for (unsigned bit = 1; bit < 64; bit++)
            if ((*entry >> bit & 1) != 0)
                at[bit - 1] += distance;
        at += 63;
    }
}

const void *entry_reach(uint64_t physical, uint64_t size)
{
    if (physical >= ENTRY_MAPPED_SIZE || size > ENTRY_MAPPED_SIZE - physical)
        return NULL;
    return mmu_direct(physical);
}

uint64_t layout_choose(uint32_t protocol, uint64_t information, struct layout_tables *tables)
{
    mmu_layout = (struct mmu_layout){.direct_map = MMU_DIRECT_MAP_WINDOW,
                                     .next_direct_map = MMU_DIRECT_MAP_WINDOW,
                                     .registers = MMU_MMIO_WINDOW,
                                     .stacks = MMU_STACKS_WINDOW};
    cpu_identify();
    struct boot_info boot;
    int error = protocol == BOOT_MULTIBOOT2 ? multiboot2_parse(information, entry_reach, &boot)
                                            : pvh_parse(information, entry_reach, &boot);
    if (error == 0 && boot_flag(&boot, "nokaslr"))
        return 0;
    mmu_layout.next_direct_map += choose(MMU_DIRECT_MAP_WINDOW_SIZE / 2, MMU_LARGE_PAGE_SIZE);
    mmu_layout.registers += choose(MMU_MMIO_WINDOW_SIZE / 2, MMU_PAGE_SIZE);
    mmu_layout.stacks += choose(MMU_STACKS_WINDOW_SIZE / 2, MMU_PAGE_SIZE);
    if (relocations_end - relocations_start == 0)
        return 0; /* not linked to be moved */
    uint64_t size = (uint64_t)(image_end - image_start);
    uintptr_t place = choose_image(size);
    map_image(tables, place, (uintptr_t)image_start - MMU_IMAGE_BASE, size);
    mmu_layout.image_distance = place - (uintptr_t)image_start;
    relocate(mmu_layout.image_distance);
    return mmu_layout.image_distance;
}
