/* SPDX-License-Identifier: MIT
 *
 * The image works where it was moved to, and everything stands in its window. The addresses are printed for
 * guest.py, which compares those of several starts.
 */
#include <string.h>

#include <arch/mmu.h>
#include <arch/serial.h>
#include <guest.h>
#include <logging/log.h>
#include <memory/heap.h>
#include <tasks/task.h>

#define PAGE             MMU_PAGE_SIZE
#define IMAGE_WINDOW     0xffffff8000000000ull
#define LINK_WINDOW_SIZE (1ull << 31) /* behind it, up to the end of addresses */

extern const uint8_t image_start[], rodata_start[], sealed_start[], image_end[];
extern const uint64_t relocations_start[], relocations_end[];

static int twice(int x)
{
    return 2 * x;
}

static int thrice(int x)
{
    return 3 * x;
}

static bool in_window(uintptr_t address, uintptr_t window, uint64_t size)
{
    return address - window < size;
}

static bool in_image(const volatile void *pointer)
{
    return (const volatile uint8_t *)pointer >= image_start && (const volatile uint8_t *)pointer < image_end;
}

/* What the compiler reaches relative to where it runs does not tell; addresses in memory do. */
static void check_relocations(void)
{
    static int (*const table[])(int) = {twice, thrice};
    int (*const *constant_functions)(int) = table;
    __asm__ volatile("" : "+r"(constant_functions)); /* the compiler may not know what is in it */
    static int (*volatile functions[])(int) = {thrice, twice};
    static const char *const volatile texts[] = {"one", "two"};
    static const volatile int *const volatile self[] = {(const volatile int *)&self[1], NULL};
    check(constant_functions[0] == twice && constant_functions[1](5) == 15,
          "constants hold the functions' addresses");
    check(functions[0] == thrice && functions[1](5) == 10, "so do variables");
    check(in_image(texts[0]) && strcmp(texts[1], "two") == 0, "and texts'");
    check(self[0] == (const volatile int *)&self[1] && self[1] == NULL, "and their own");
    uint64_t here = (uintptr_t)image_start - mmu_layout.image_distance;
    check(in_window(here, MMU_IMAGE_BASE, LINK_WINDOW_SIZE), "the distance is that from where it is linked");
}

/* No word of constants or variables is an address of where the image is linked, but in the list of these. */
static void check_nothing_forgotten(void)
{
    uint64_t linked = (uintptr_t)image_start - mmu_layout.image_distance;
    uint64_t size = (uint64_t)(image_end - image_start);
    unsigned here = 0, forgotten = 0;
    for (const uint64_t *at = (const uint64_t *)(const void *)rodata_start;
         at < (const uint64_t *)(const void *)sealed_start; at++) {
        if (at >= relocations_start && at < relocations_end)
            continue;
        here += in_window(*at, (uintptr_t)image_start, size);
        forgotten += in_window(*at, linked, size);
    }
    check(here > 100, "there are addresses in constants and variables");
    check(mmu_layout.image_distance == 0 || forgotten == 0, "none was forgotten");
}

void check_layout(void)
{
    check_relocations();
    check_nothing_forgotten();
    uintptr_t direct_map = mmu_layout.direct_map;
    uintptr_t image = (uintptr_t)image_start;
    const void *block = heap_alloc(64);
    check(in_window(image, IMAGE_WINDOW, 0ull - IMAGE_WINDOW) && image % PAGE == 0,
          "the image is in its window");
    check(in_window(direct_map, MMU_DIRECT_MAP_WINDOW, MMU_DIRECT_MAP_WINDOW_SIZE / 2) &&
              direct_map % MMU_LARGE_PAGE_SIZE == 0,
          "the direct map is in its window");
    check(block != NULL && in_window((uintptr_t)block, direct_map, 1ull << 33),
          "the heap is in the direct map");
    check(in_window(mmu_layout.registers, MMU_MMIO_WINDOW, MMU_MMIO_WINDOW_SIZE / 2) &&
              mmu_layout.registers % PAGE == 0,
          "device registers are in theirs");
    check(in_window(mmu_layout.stacks, MMU_STACKS_WINDOW, MMU_STACKS_WINDOW_SIZE / 2) &&
              mmu_layout.stacks % PAGE == 0,
          "stacks are in theirs");
    /* Where the boot page tables had it, and where it is linked, there is nothing any more. */
    bool moved = direct_map != MMU_DIRECT_MAP_WINDOW;
    check(!moved || !mmu_query(MMU_DIRECT_MAP_WINDOW, NULL, NULL), "no direct map stays behind");
    check(mmu_layout.image_distance == 0 || !mmu_query(image - mmu_layout.image_distance, NULL, NULL),
          "no image stays behind");

    char line[160];
    size_t length =
        log_format(line, sizeof line, "# image %016llx heap %016llx registers %016llx stacks %016llx\n",
                   (unsigned long long)image, (unsigned long long)(uintptr_t)block,
                   (unsigned long long)mmu_layout.registers, (unsigned long long)mmu_layout.stacks);
    serial_write(line, length);
}
