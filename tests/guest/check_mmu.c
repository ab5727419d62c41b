/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/mmu.h>
#include <guest.h>
#include <memory/frames.h>
#include <switch_off.h>

/* An address that nothing else uses, in a 512 GiB of its own: no table stands there yet. */
#define PLACE      0xffffd00000000000ull
#define SPARE      0xffffd10000000000ull
#define USER_PLACE 0x400000ull
#define PAGE       MMU_PAGE_SIZE
#define LARGE      MMU_LARGE_PAGE_SIZE

#define MEMORY_SIZE (1ull << 33) /* beyond the largest -m of guest.py, and the hole for devices in it */

extern const uint8_t image_start[], rodata_start[], data_start[], sealed_start[], sealed_end[], image_end[];

static uint64_t frames_left; /* what the source below may still give */

static uint64_t limited_frames(void)
{
    uint64_t frame;
    if (frames_left == 0 || frames_alloc(1, FRAME_SIZE, &frame) != 0)
        return 0;
    frames_left--;
    memset(mmu_direct(frame), 0, FRAME_SIZE);
    return frame;
}

static bool is_mapped(uintptr_t address, uint64_t physical, unsigned flags)
{
    uint64_t found = 0;
    unsigned found_flags = 0;
    return mmu_query(address, &found, &found_flags) && found == physical && found_flags == flags;
}

static bool is_hole(uintptr_t start, size_t size)
{
    for (uintptr_t at = start; at - start < size; at += PAGE)
        if (mmu_query(at, NULL, NULL))
            return false;
    return true;
}

static void check_small_pages(uint64_t frame)
{
    check(is_hole(PLACE, 2 * PAGE) && mmu_map(frame, PLACE, PAGE, MMU_WRITE) == 0, "a page is mapped");
    check(is_mapped(PLACE + 123, frame + 123, MMU_WRITE) && is_hole(PLACE + PAGE, PAGE),
          "a query says where to, and how far");
    *(volatile uint64_t *)PLACE = 0x1234;
    check(*(volatile uint64_t *)mmu_direct(frame) == 0x1234, "both ways to a frame show the same bytes");
    check(mmu_map(frame + PAGE, PLACE, PAGE, MMU_WRITE) == -EEXIST && is_mapped(PLACE, frame, MMU_WRITE),
          "what is mapped is not mapped over");
    check(mmu_map(frame, PLACE - PAGE, 2 * PAGE, MMU_WRITE) == -EEXIST && is_hole(PLACE - PAGE, PAGE),
          "a range that meets a mapped page changes nothing");
    check(mmu_protect(PLACE, PAGE, MMU_READ) == 0 && is_mapped(PLACE, frame, MMU_READ),
          "write is taken away");
    check(mmu_protect(PLACE, PAGE, MMU_EXECUTE) == 0 && is_mapped(PLACE, frame, MMU_EXECUTE),
          "execute is given");
    check(mmu_protect(PLACE, PAGE, MMU_WRITE | MMU_EXECUTE) == -EINVAL &&
              is_mapped(PLACE, frame, MMU_EXECUTE),
          "write with execute is refused for mapped pages");
    check(mmu_protect(PLACE, 2 * PAGE, MMU_WRITE) == -ENOENT && is_mapped(PLACE, frame, MMU_WRITE),
          "protecting stops at a hole");
    check(mmu_unmap(PLACE - PAGE, 3 * PAGE) == 0 && is_hole(PLACE - PAGE, 3 * PAGE),
          "unmapping passes holes");
    check(mmu_unmap(PLACE, PAGE) == 0, "and nothing but holes");
}

static void check_refusals(uint64_t frame)
{
    const struct {
        uint64_t physical;
        uintptr_t address;
        size_t size;
        unsigned flags;
        const char *what;
    } wrong[] = {
        {frame, PLACE, PAGE, MMU_WRITE | MMU_EXECUTE, "write with execute is refused"},
        {frame + 1, PLACE, PAGE, 0, "a physical address off the page is refused"},
        {frame, PLACE + 8, PAGE, 0, "a virtual address off the page is refused"},
        {frame, PLACE, PAGE + 1, 0, "a size off the page is refused"},
        {frame, PLACE, 0, 0, "nothing is refused"},
        {frame, 0ull - PAGE, 2 * PAGE, 0, "a range over the end of addresses is refused"},
        {1ull << 52, PLACE, PAGE, 0, "a physical address beyond 52 bits is refused"},
        {1ull << 63, PLACE, PAGE, 0, "a physical address with the top bit is refused"},
        {(1ull << 52) - PAGE, PLACE, 2 * PAGE, 0, "a range over the end of memory is refused"},
        {frame, 0x0000900000000000, PAGE, 0, "an address that is not canonical is refused"},
        {frame, 0x00007ffffffff000, 2 * PAGE, 0, "a range that leaves canonical addresses is refused"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        check(mmu_map(wrong[i].physical, wrong[i].address, wrong[i].size, wrong[i].flags) == -EINVAL,
              wrong[i].what);
    check(is_hole(PLACE, 2 * PAGE), "what was refused is not mapped");
    /* Without its upper bits this is the direct map. */
    check(mmu_unmap(0x0000800000000000 + frame, PAGE) == -EINVAL &&
              mmu_protect(0x0000800000000000 + frame, PAGE, MMU_READ) == -EINVAL &&
              is_mapped((uintptr_t)mmu_direct(frame), frame, MMU_WRITE),
          "unmap and protect refuse what is not canonical");
    check(!mmu_query(0x0000800000000000 + frame, NULL, NULL), "a query finds nothing there");
    check(mmu_unmap(PLACE + 1, PAGE) == -EINVAL && mmu_unmap(PLACE, 0) == -EINVAL &&
              mmu_protect(PLACE, PAGE - 1, 0) == -EINVAL,
          "unmap and protect want whole pages");
}

static void check_large_pages(void)
{
    uint64_t frame;
    if (!check(frames_alloc(2 * LARGE / PAGE, LARGE, &frame) == 0, "frames for two large pages"))
        return;
    check(mmu_map(frame, PLACE, 2 * LARGE, MMU_WRITE) == 0, "two large pages are mapped");
    check(is_mapped(PLACE + LARGE + 0x54321, frame + LARGE + 0x54321, MMU_WRITE), "a query looks into them");
    for (size_t at = 0; at < 2 * LARGE; at += PAGE)
        *(volatile uint64_t *)(PLACE + at) = at;
    uintptr_t middle = PLACE + 5 * PAGE;
    check(mmu_protect(middle, PAGE, MMU_READ) == 0 && is_mapped(middle, frame + 5 * PAGE, MMU_READ),
          "one page in a large one is protected");
    check(is_mapped(middle - PAGE, frame + 4 * PAGE, MMU_WRITE) &&
              is_mapped(middle + PAGE, frame + 6 * PAGE, MMU_WRITE) &&
              is_mapped(PLACE + LARGE - PAGE, frame + LARGE - PAGE, MMU_WRITE),
          "its neighbours stay as they were");
    check(mmu_guard_page(PLACE + LARGE) == 0 && is_hole(PLACE + LARGE, PAGE) &&
              is_mapped(PLACE + LARGE + PAGE, frame + LARGE + PAGE, MMU_WRITE),
          "a guard page is cut out of a large one");
    bool same = true;
    for (size_t at = 0; at < 2 * LARGE; at += PAGE)
        same = same && (at == LARGE || *(volatile uint64_t *)(PLACE + at) == at);
    check(same, "splitting moves no byte");
    check(mmu_unmap(PLACE, 2 * LARGE) == 0 && is_hole(PLACE, 2 * LARGE), "all of it is unmapped");
    check(mmu_map(frame, PLACE, 2 * LARGE, MMU_READ) == 0 &&
              is_mapped(PLACE + LARGE + 7, frame + LARGE + 7, MMU_READ),
          "and mapped again where the tables of small pages stand");
    check(mmu_unmap(PLACE, 2 * LARGE) == 0, "and unmapped");
    frames_free(frame, 2 * LARGE / PAGE);
}

static void check_exhaustion(uint64_t frame)
{
    mmu_set_frame_source(limited_frames);
    /* A page directory, a table for the first page, a table for the second: over a 2 MiB border. */
    uintptr_t border = SPARE + LARGE - PAGE;
    bool refused = true, clean = true;
    uint64_t needed = 0;
    for (;; needed++) {
        frames_left = needed;
        int error = mmu_map(frame, border, 2 * PAGE, MMU_WRITE);
        if (error == 0)
            break;
        refused = refused && error == -ENOMEM;
        clean = clean && is_hole(border, 2 * PAGE);
        if (needed == 16)
            break;
    }
    /* Tables made in a failed attempt stay, so every attempt comes one further. */
    check(refused && needed > 0 && needed < 16, "without frames for tables mapping says so");
    check(clean, "and leaves nothing mapped");
    check(mmu_unmap(border, 2 * PAGE) == 0, "then it works");

    uint64_t large;
    if (!check(frames_alloc(LARGE / PAGE, LARGE, &large) == 0, "frames for a large page"))
        return;
    frames_left = 1;
    check(mmu_map(large, SPARE + 8 * LARGE, LARGE, MMU_WRITE) == 0, "a large page needs no table of its own");
    frames_left = 0;
    check(mmu_unmap(SPARE + 8 * LARGE, PAGE) == -ENOMEM &&
              mmu_protect(SPARE + 8 * LARGE, PAGE, MMU_READ) == -ENOMEM &&
              is_mapped(SPARE + 8 * LARGE, large, MMU_WRITE),
          "a split without a frame changes nothing");
    check(mmu_unmap(SPARE + 8 * LARGE, LARGE) == 0, "a whole large page needs no split");
    frames_left = UINT64_MAX;
    frames_free(large, LARGE / PAGE);
}

static void check_mmio(uint64_t frame)
{
    check(mmu_map_mmio(frame, PAGE) == NULL, "memory is not mapped as device registers");
    check(mmu_map_mmio(frame - 8 * PAGE, 16 * PAGE) == NULL, "nor is what overlaps it");
    check(mmu_map_mmio(0xfed00000, 0) == NULL && mmu_map_mmio(0xfed00000, SIZE_MAX) == NULL &&
              mmu_map_mmio(UINT64_MAX - PAGE, PAGE) == NULL && mmu_map_mmio(0xfed00000, 1ull << 37) == NULL,
          "absurd sizes and addresses are refused");
    /* The HPET: IA-PC HPET specification 1.0a, 2.3.4; QEMU's says it is Intel's. */
    volatile uint32_t *registers = mmu_map_mmio(0xfed00000, 1024);
    check(registers != NULL && (registers[0] >> 16) == 0x8086, "device registers are read");
    volatile uint8_t *odd = mmu_map_mmio(0xfed00ffe, 4);
    unsigned flags = 0;
    check(odd != NULL && (uintptr_t)odd % PAGE == 0xffe && mmu_query((uintptr_t)odd + 3, NULL, &flags) &&
              flags == (MMU_WRITE | MMU_UNCACHED),
          "registers over a page border are mapped whole and uncached");
}

/* Every page of the image, and of the direct map below the end of memory. */
static void check_protections(void)
{
    uint64_t image, image_physical_end;
    mmu_image(&image, &image_physical_end);
    bool text = true, rodata = true, data = true, alias = true, direct = true;
    for (uintptr_t at = (uintptr_t)image_start; at < (uintptr_t)image_end; at += PAGE) {
        unsigned flags = 0, alias_flags = 0;
        uint64_t physical = 0;
        bool mapped = mmu_query(at, &physical, &flags);
        bool sealed = at >= (uintptr_t)sealed_start && at < (uintptr_t)sealed_end;
        bool read_only = at < (uintptr_t)data_start || sealed;
        bool stack_guard = false;
        for (size_t i = 0; i < CPU_STACK_COUNT; i++)
            stack_guard = stack_guard || cpu_stacks()[i].guard == at;
        if (at < (uintptr_t)rodata_start)
            text = text && mapped && flags == MMU_EXECUTE;
        else if (read_only)
            rodata = rodata && mapped && flags == MMU_READ;
        else
            data = data && (stack_guard ? !mapped : mapped && flags == MMU_WRITE);
        alias = alias &&
                mmu_query((uintptr_t)mmu_direct(image + (at - (uintptr_t)image_start)), NULL, &alias_flags) &&
                alias_flags == (read_only ? MMU_READ : MMU_WRITE);
    }
    check(text, "text is read-execute");
    check(rodata, "constants are read-only, and so is what is sealed");
    check(data, "data is read-write, and stacks have guard pages");
    check(alias, "the direct map cannot write text or constants");
    /* Page by page around the image, which splits large pages; then one page of each. */
    for (uintptr_t at = 0; at < MEMORY_SIZE; at += at < (16ull << 20) ? PAGE : LARGE) {
        unsigned flags = 0;
        if (mmu_query((uintptr_t)mmu_direct(at), NULL, &flags))
            direct = direct && (flags & MMU_EXECUTE) == 0;
    }
    check(direct, "nothing in the direct map is executable");
    check(is_hole(0, LARGE) && is_hole(0x100000, LARGE) && is_hole(1ull << 30, PAGE),
          "the lower half is unmapped");
}

static void check_verification(uint64_t frame)
{
    check(mmu_verify() == 0, "every page is as it must be");
    check(mmu_map(frame, PLACE, PAGE, MMU_WRITE) == 0 && mmu_verify() == 0, "one more that is writable, too");
    switch_off_no_execute(PLACE);
    check(mmu_verify() == -EPERM, "but not one that is executable as well");
    check(mmu_unmap(PLACE, PAGE) == 0 && mmu_verify() == 0, "it is gone");
    check(mmu_map(frame, USER_PLACE, PAGE, MMU_READ) == 0 && mmu_verify() == -EPERM,
          "nor one in the lower half");
    check(mmu_unmap(USER_PLACE, PAGE) == 0 && mmu_map(frame, PLACE, PAGE, MMU_READ) == 0, "another one");
    make_user_page(PLACE);
    check(mmu_verify() == -EPERM, "nor one for user mode");
}

void check_mmu(void)
{
    uint64_t frame;
    if (!check(frames_alloc(2, FRAME_SIZE, &frame) == 0, "two frames"))
        return;
    check_protections();
    /* What follows replaces the frame source. */
    check(mmu_protect((uintptr_t)sealed_start, (size_t)(sealed_end - sealed_start), MMU_WRITE) == 0,
          "the seal is broken");
    check_small_pages(frame);
    check_refusals(frame);
    check_large_pages();
    check_exhaustion(frame);
    check_mmio(frame);
    check_verification(frame);
    frames_free(frame, 2);
}
