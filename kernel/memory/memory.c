/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/entry.h>
#include <arch/mmu.h>
#include <memory/frames.h>
#include <memory/heap.h>
#include <memory/memory.h>
#include <panic.h>

#define LOW_RESERVED (64ull * 1024) /* firmware's tables, and room to start other CPUs from */
#define RANGES_MAX   (BOOT_RANGES_MAX + BOOT_MODULES_MAX + 2)

static struct frames_range free_ranges[RANGES_MAX];
static size_t free_count;

/* Cuts [start, end) out of the free ranges. One more range may come of it; where there is no room for it, its
 * memory is lost, not double-booked. */
static void reserve(uint64_t start, uint64_t end)
{
    for (size_t i = 0; i < free_count; i++) {
        struct frames_range *range = &free_ranges[i];
        uint64_t range_end = range->base + range->size;
        if (end <= range->base || start >= range_end)
            continue;
        uint64_t before = start > range->base ? start - range->base : 0;
        uint64_t after = range_end > end ? range_end - end : 0;
        range->size = before;
        if (after == 0)
            continue;
        if (before == 0) {
            *range = (struct frames_range){end, after};
        } else if (free_count < RANGES_MAX) {
            memmove(range + 2, range + 1, (free_count - i - 1) * sizeof *range);
            range[1] = (struct frames_range){end, after};
            free_count++;
            i++;
        }
    }
}

static void find_free_ranges(const struct boot_info *info, uint64_t image_start, uint64_t image_end)
{
    free_count = 0;
    for (size_t i = 0; i < info->range_count; i++)
        free_ranges[free_count++] = (struct frames_range){info->ranges[i].base, info->ranges[i].size};
    reserve(0, LOW_RESERVED);
    reserve(image_start, image_end);
    for (size_t i = 0; i < info->module_count; i++)
        reserve(info->modules[i].base & ~(MMU_PAGE_SIZE - 1),
                (info->modules[i].base + info->modules[i].size + MMU_PAGE_SIZE - 1) & ~(MMU_PAGE_SIZE - 1));
}

/* Page tables are needed before the frame allocator, which is reached through them. They come off the start
 * of the largest free range that the boot page tables reach. */
static struct frames_range *early;

static void choose_early_range(void)
{
    early = NULL;
    uint64_t best = 0;
    for (size_t i = 0; i < free_count; i++) {
        uint64_t base = free_ranges[i].base, end = base + free_ranges[i].size;
        if (end <= ENTRY_MAPPED_SIZE && free_ranges[i].size > best) {
            best = free_ranges[i].size;
            early = &free_ranges[i];
        } else if (base < ENTRY_MAPPED_SIZE && end > ENTRY_MAPPED_SIZE && ENTRY_MAPPED_SIZE - base > best &&
                   free_count < RANGES_MAX) {
            /* Cut in two where the boot page tables end. */
            memmove(&free_ranges[i + 2], &free_ranges[i + 1], (free_count - i - 1) * sizeof free_ranges[0]);
            free_ranges[i + 1] = (struct frames_range){ENTRY_MAPPED_SIZE, end - ENTRY_MAPPED_SIZE};
            free_ranges[i].size = ENTRY_MAPPED_SIZE - base;
            free_count++;
            best = free_ranges[i].size;
            early = &free_ranges[i];
        }
    }
}

static uint64_t early_frame(void)
{
    if (early == NULL)
        return 0;
    uint64_t frame = (early->base + MMU_PAGE_SIZE - 1) & ~(MMU_PAGE_SIZE - 1);
    uint64_t end = early->base + early->size;
    if (frame >= end || end - frame < MMU_PAGE_SIZE)
        return 0;
    early->base = frame + MMU_PAGE_SIZE;
    early->size = end - early->base;
    memset(mmu_direct(frame), 0, MMU_PAGE_SIZE);
    return frame;
}

static uint64_t later_frame(void)
{
    uint64_t frame;
    if (frames_alloc(1, MMU_PAGE_SIZE, &frame) != 0)
        return 0;
    memset(mmu_direct(frame), 0, MMU_PAGE_SIZE);
    return frame;
}

static void on_frames_broken(const char *what)
{
    panic("%s", what);
}

static void on_heap_broken(const char *what)
{
    panic("%s", what);
}

int memory_initialise(const struct boot_info *info)
{
    uint64_t image_start, image_end;
    mmu_image(&image_start, &image_end);
    find_free_ranges(info, ENTRY_IMAGE_PHYSICAL, image_end);
    choose_early_range();
    int error = mmu_initialise(info, early_frame);
    if (error != 0)
        return error;
    for (size_t i = 0; i < CPU_STACK_COUNT && error == 0; i++)
        error = mmu_guard_page(cpu_stacks()[i].guard);
    if (error != 0)
        return error;

    error = frames_initialise(free_ranges, free_count, (uintptr_t)mmu_direct(0), on_frames_broken);
    if (error != 0)
        return error;
    mmu_set_frame_source(later_frame);
    heap_initialise(on_heap_broken);
    /* What stands between 1 MiB and the image was for the start only (entry.S), and is behind us. */
    struct frames_range boot_part = {ENTRY_IMAGE_PHYSICAL, image_start - ENTRY_IMAGE_PHYSICAL};
    return frames_add(&boot_part);
}
