/* SPDX-License-Identifier: MIT
 *
 * From a memory map to free frames: every page of usable memory is handed out exactly once, but for those
 * that somebody needs. The page tables and the frame allocator are fakes that only listen.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include <arch/cpu.h>
#include <arch/entry.h>
#include <arch/mmu.h>
#include <fake_memory.h>
#include <memory/frames.h>
#include <memory/heap.h>
#include <memory/memory.h>
#include <panic.h>

#define PAGE        4096u
#define MEMORY      (3 * GIB)
#define PAGE_COUNT  (MEMORY / PAGE)
#define IMAGE_START 0x106000u
#define IMAGE_END   0x140000u

uintptr_t fake_direct_map;

static struct boot_info info;
static uint8_t in_map[PAGE_COUNT];   /* by the map */
static uint8_t reserved[PAGE_COUNT]; /* of these, not to be handed out */
static uint8_t given[PAGE_COUNT];    /* times */
static unsigned tables;              /* frames that the page tables take */
static unsigned guards, failing_guard;
static int frames_error;
static mmu_frame_source later;

/* ---- the listeners ---- */

void mmu_image(uint64_t *start, uint64_t *end)
{
    *start = IMAGE_START;
    *end = IMAGE_END;
}

static void expect_zeroed(uint64_t frame)
{
    const uint8_t *bytes = fake_memory + frame;
    for (size_t i = 0; i < PAGE; i++)
        assert_int_equal(bytes[i], 0);
}

int mmu_initialise(const struct boot_info *boot, mmu_frame_source frames)
{
    assert_ptr_equal(boot, &info);
    for (unsigned i = 0; i < tables; i++) {
        uint64_t frame = frames();
        if (frame == 0)
            return -ENOMEM;
        assert_int_equal(frame % PAGE, 0);
        assert_true(frame + PAGE <= ENTRY_MAPPED_SIZE); /* what the boot page tables reach */
        expect_zeroed(frame);
        given[frame / PAGE]++;
    }
    return 0;
}

void mmu_set_frame_source(mmu_frame_source frames)
{
    later = frames;
}

int mmu_guard_page(uintptr_t virtual_address)
{
    assert_int_equal(virtual_address, cpu_stacks()[guards].guard);
    return ++guards == failing_guard ? -ENOMEM : 0;
}

const struct cpu_stack *cpu_stacks(void)
{
    static const struct cpu_stack stacks[CPU_STACK_COUNT] = {{.guard = 1}, {.guard = 2}, {.guard = 3},
                                                             {.guard = 4}, {.guard = 5}, {.guard = 6}};
    return stacks;
}

static void give(const struct frames_range *range)
{
    uint64_t first = (range->base + PAGE - 1) / PAGE, end = (range->base + range->size) / PAGE;
    assert_true(range->base + range->size <= MEMORY);
    for (uint64_t page = first; page < end; page++)
        given[page]++;
}

int frames_initialise(const struct frames_range *usable, size_t count, uintptr_t direct_map_offset,
                      frames_broken broken)
{
    assert_int_equal(direct_map_offset, fake_direct_map);
    assert_non_null(broken);
    for (size_t i = 0; i < count; i++)
        give(&usable[i]);
    return frames_error;
}

int frames_add(const struct frames_range *usable)
{
    give(usable);
    return 0;
}

int frames_alloc(size_t count, size_t align, uint64_t *physical)
{
    assert_int_equal(count, 1);
    assert_int_equal(align, PAGE);
    *physical = 0x200000;
    return frames_error;
}

void heap_initialise(heap_broken broken)
{
    assert_non_null(broken);
}

_Noreturn void panic(const char *format, ...)
{
    (void)format;
    abort();
}

/* ---- maps ---- */

static int start(void **state)
{
    (void)state;
    memset(&info, 0, sizeof info);
    tables = 10;
    guards = failing_guard = 0;
    frames_error = 0;
    later = NULL;
    return 0;
}

static void mark(uint8_t *pages, uint64_t first, uint64_t end)
{
    memset(pages + first, 1, end > first ? end - first : 0);
}

/* Whole pages that the map and the modules leave, against what was handed out. */
static void check_pages(void)
{
    memset(in_map, 0, sizeof in_map);
    memset(reserved, 0, sizeof reserved);
    for (size_t i = 0; i < info.range_count; i++)
        mark(in_map, (info.ranges[i].base + PAGE - 1) / PAGE,
             (info.ranges[i].base + info.ranges[i].size) / PAGE);
    mark(reserved, 0, 16); /* 64 KiB */
    mark(reserved, IMAGE_START / PAGE, IMAGE_END / PAGE);
    for (size_t i = 0; i < info.module_count; i++)
        mark(reserved, info.modules[i].base / PAGE,
             (info.modules[i].base + info.modules[i].size + PAGE - 1) / PAGE);
    uint64_t wrong = 0;
    for (uint64_t page = 0; page < PAGE_COUNT; page++)
        if (given[page] != (in_map[page] != 0 && reserved[page] == 0 ? 1 : 0))
            wrong++;
    assert_int_equal(wrong, 0);
}

static int initialise(void)
{
    memset(given, 0, sizeof given);
    guards = 0;
    return memory_initialise(&info);
}

static void add_range(uint64_t base, uint64_t size)
{
    boot_info_add_range(&info, base, size);
}

static void add_module(uint64_t base, uint64_t size)
{
    boot_info_add_module(&info, base, size, "m", 1);
}

static void test_as_qemu_does_it(void **state)
{
    (void)state;
    add_range(0, 0x9fc00);
    add_range(0x100000, 63 * MIB);
    add_module(63 * MIB, 0x1234);
    assert_int_equal(initialise(), 0);
    check_pages();
    assert_int_equal(guards, CPU_STACK_COUNT);
    assert_non_null(later);
    memset(fake_memory + 0x200000, 0xaa, PAGE);
    assert_int_equal(later(), 0x200000);
    expect_zeroed(0x200000);
    frames_error = -ENOMEM;
    assert_int_equal(later(), 0);
}

static void test_memory_beyond_the_boot_page_tables(void **state)
{
    (void)state;
    add_range(0x100000, 2 * GIB);
    add_module(ENTRY_MAPPED_SIZE - 0x800, 0x1000); /* over the border */
    add_module(2 * GIB - 5, 1);
    tables = 100;
    assert_int_equal(initialise(), 0);
    check_pages();
}

static void test_modules_in_odd_places(void **state)
{
    (void)state;
    add_range(0, 0xa0000);
    add_range(0x100000, 31 * MIB);
    add_range(0x4000800, 0x10000);
    add_module(0, 0x1000);          /* in what is reserved anyway */
    add_module(0x12345, 1);         /* less than a page */
    add_module(0x9f000, 0x61000);   /* over a hole, up to the image */
    add_module(0x4000000, 0x20000); /* more than a range */
    add_module(0x800000, 0);        /* nothing */
    add_module(0x900000, 0x2000);   /* twice */
    add_module(0x901000, 0x2000);
    add_module(0x2fff000, 0x1000);      /* no memory there */
    add_module(UINT64_MAX - 0x10, 0x8); /* nor there */
    assert_int_equal(initialise(), 0);
    info.module_count--; /* beyond the maps of this test */
    check_pages();
}

static void test_too_little(void **state)
{
    (void)state;
    assert_int_equal(initialise(), -ENOMEM); /* nothing at all */
    add_range(0x100000, IMAGE_END - 0x100000);
    assert_int_equal(initialise(), -ENOMEM); /* the image and nothing else */
    add_range(0x1000000, 9 * (uint64_t)PAGE + 100);
    assert_int_equal(initialise(), -ENOMEM); /* one page too few for the tables */
    tables = 9;
    assert_int_equal(initialise(), 0);
    check_pages();
    /* All of it beyond the boot page tables. */
    memset(&info, 0, sizeof info);
    add_range(2 * GIB, 100 * MIB);
    assert_int_equal(initialise(), -ENOMEM);
}

static void test_errors_are_handed_on(void **state)
{
    (void)state;
    add_range(0x100000, 31 * MIB);
    for (failing_guard = 1; failing_guard <= CPU_STACK_COUNT; failing_guard++) {
        assert_int_equal(initialise(), -ENOMEM);
        assert_int_equal(guards, failing_guard);
    }
    failing_guard = 0;
    frames_error = -EINVAL;
    assert_int_equal(initialise(), -EINVAL);
}

static void test_random_maps(void **state)
{
    (void)state;
    unsigned good = 0;
    for (unsigned round = 0; round < 40; round++) {
        memset(&info, 0, sizeof info);
        uint64_t at = 0, ranges = round < 20 ? 1 + random_below(8) : BOOT_RANGES_MAX;
        add_range(0x100000, 0x100000); /* the image is in memory */
        for (uint64_t i = 0; i < ranges && at < 1400 * MIB; i++) {
            at += random_below(round < 20 ? 300 * MIB : 10 * MIB);
            uint64_t size = random_below(round < 20 ? 400 * MIB : 10 * MIB);
            add_range(random_below(2) ? at : at & ~0xfffull, random_below(2) ? size : size & ~0xfffull);
            at += size;
        }
        uint64_t modules = random_below(BOOT_MODULES_MAX + 1);
        for (uint64_t i = 0; i < modules; i++)
            add_module(random_below(1500 * MIB), random_below(random_below(2) ? 20 * MIB : 0x3000));
        tables = (unsigned)random_below(40);
        if (initialise() != 0)
            continue;
        check_pages();
        good++;
    }
    assert_true(good >= 30);
}

static int create(void **state)
{
    (void)state;
    fake_memory_create(MEMORY);
    fake_direct_map = (uintptr_t)fake_memory;
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    fake_memory_destroy();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_as_qemu_does_it, start),
        cmocka_unit_test_setup(test_memory_beyond_the_boot_page_tables, start),
        cmocka_unit_test_setup(test_modules_in_odd_places, start),
        cmocka_unit_test_setup(test_too_little, start),
        cmocka_unit_test_setup(test_errors_are_handed_on, start),
        cmocka_unit_test_setup(test_random_maps, start),
    };
    return cmocka_run_group_tests(tests, create, destroy);
}
