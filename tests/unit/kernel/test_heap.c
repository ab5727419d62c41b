/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fake_memory.h"
#include "memory/budget.h"
#include "memory/frames.h"
#include "memory/heap.h"

#define BLOCKS_MAX 3000

struct block {
    unsigned char *memory;
    size_t size;
    unsigned char fill;
};

#ifdef MK_DEBUG_MEMORY
#define FENCE 1u /* byte at least behind every block */
#else
#define FENCE 0u
#endif

static uint64_t free_at_start;

static int setup(void **state)
{
    const struct frames_range range = {MIB, 31 * MIB};
    struct frames_statistics frames;

    (void)state;
    fake_memory_create(32 * MIB);
    if (frames_initialise(&range, 1, (uintptr_t)fake_memory, note_broken) != 0)
        return -1;
    heap_initialise(note_broken);
    frames_get_statistics(&frames);
    free_at_start = frames.free;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_memory_destroy();
    return 0;
}

static struct heap_statistics statistics(void)
{
    struct heap_statistics now;

    heap_get_statistics(&now);
    return now;
}

static uint64_t frames_taken(void)
{
    struct frames_statistics now;

    frames_get_statistics(&now);
    return free_at_start - now.free;
}

/* What is left when every block is free: at most a spare slab per class. */
static void assert_all_free(void)
{
    assert_int_equal(statistics().used, 0);
    assert_int_equal(statistics().blocks, 0);
    assert_int_equal(statistics().reserved, frames_taken());
    assert_true(statistics().reserved <= 92 * KIB);
    assert_int_equal(broken_count, 0);
}

static void expect_broken(const char *part)
{
    assert_int_equal(broken_count, 1);
    assert_non_null(strstr(broken_what, part));
    broken_count = 0;
}

static size_t random_size(void)
{
    switch (random_below(8)) {
    case 0:
        return random_below(HEAP_SMALL_MAX + 200);
    case 1:
        return random_below(40000);
    default:
        return random_below(200);
    }
}

static void check(const struct block *block, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(block->memory[i], block->fill);
}

/* Every block keeps its fill, so no two overlap. */
static void test_random_against_fills(void **state)
{
    static struct block blocks[BLOCKS_MAX];
    size_t count = 0;
    size_t expected_used = 0;

    (void)state;
    for (unsigned step = 0; step < 60000; step++) {
        unsigned action = (unsigned)random_below(100);

        if (count < BLOCKS_MAX && action < (step / 10000 % 2 == 0 ? 55u : 40u)) {
            struct block *block = &blocks[count];

            block->size = random_size();
            block->memory = heap_alloc(block->size);
            if (block->memory == NULL)
                continue;
            assert_int_equal((uintptr_t)block->memory % HEAP_ALIGNMENT, 0);
            block->fill = (unsigned char)step;
            memset(block->memory, block->fill, block->size);
            expected_used += heap_cost(block->size);
            count++;
        } else if (count > 0 && action < 85) {
            struct block *block = &blocks[random_below(count)];

            check(block, block->size);
            heap_free(block->memory);
            expected_used -= heap_cost(block->size);
            *block = blocks[--count];
        } else if (count > 0) {
            struct block *block = &blocks[random_below(count)];
            size_t size = random_size();
            unsigned char *moved = heap_resize(block->memory, size);

            if (moved == NULL)
                continue;
            block->memory = moved;
            check(block, size < block->size ? size : block->size);
            expected_used += heap_cost(size) - heap_cost(block->size);
            block->size = size;
            memset(moved, block->fill, size);
        }
        assert_int_equal(statistics().used, expected_used);
        assert_int_equal(statistics().blocks, count);
    }
    assert_int_equal(statistics().reserved, frames_taken());
    assert_true(statistics().peak >= statistics().used);
    while (count > 0) {
        count--;
        check(&blocks[count], blocks[count].size);
        heap_free(blocks[count].memory);
    }
    assert_all_free();
}

static void test_every_size(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 12 * KIB; size++) {
        unsigned char *block = heap_alloc(size);

        assert_non_null(block);
        memset(block, 1, size);
        assert_int_equal(statistics().used, heap_cost(size));
        assert_true(heap_cost(size) >= size && heap_cost(size) >= 16);
        heap_free(block);
    }
    assert_all_free();
}

static void test_exhaustion(void **state)
{
    void *first = NULL;
    void *last = NULL;
    size_t count = 0;

    (void)state;
    for (;;) {
        void **block = heap_alloc(1000);

        if (block == NULL)
            break;
        *block = last;
        last = block;
        count++;
    }
    assert_int_equal(count, (free_at_start / FRAME_SIZE) * 4);
    assert_int_equal(statistics().failures, 1);
    assert_null(heap_alloc(100000));
    assert_null(heap_alloc(1));
    assert_null(heap_alloc(SIZE_MAX));
    assert_null(heap_alloc(SIZE_MAX / 2));
    assert_null(heap_alloc(SIZE_MAX - 64));
    assert_int_equal(heap_cost(SIZE_MAX), SIZE_MAX);
    assert_null(heap_resize(last, 2000));
    assert_null(heap_resize(last, SIZE_MAX));
    assert_null(heap_resize(NULL, 2000));
    assert_int_equal(statistics().failures, 9);
    while (last != NULL) {
        first = *(void **)last;
        heap_free(last);
        last = first;
    }
    assert_int_equal(statistics().failures, 9);
    assert_all_free();
}

#ifdef MK_DEBUG_MEMORY
/* One byte behind what was asked for, at every kind of block; the old byte put back, all is well again. */
static void test_overruns(void **state)
{
    static const size_t sizes[] = {0, 1, 13, 14, 16, 100, 2013, 2014, 2016, 4000, 4031, 4032, 10000};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *block = heap_alloc(sizes[i]), old = block[sizes[i]];

        memset(block, 7, sizes[i]);
        block[sizes[i]] = (unsigned char)(old ^ 1);
        heap_free(block);
        expect_broken("overrun");
        assert_null(heap_resize(block, 5));
        expect_broken("overrun");
        block[sizes[i]] = old;
        block = heap_resize(block, 50); /* the fence moves with the size */
        assert_non_null(block);
        old = block[50];
        block[50] = 0;
        heap_free(block);
        expect_broken("overrun");
        block[50] = old;
        heap_free(block);
    }
    assert_all_free();
}
#endif

static void test_resize_of_large_blocks(void **state)
{
    unsigned char *block = heap_alloc(100000);
    unsigned char *moved;

    (void)state;
    memset(block, 7, 100000);
    assert_ptr_equal(heap_resize(block, 20000), block);
    assert_int_equal(statistics().used, 5 * FRAME_SIZE);
    assert_int_equal(frames_taken(), 5 * FRAME_SIZE);
    assert_ptr_equal(heap_resize(block, 5 * FRAME_SIZE - 64 - FENCE), block);
    moved = heap_resize(block, 1000000);
    assert_non_null(moved);
    for (size_t i = 0; i < 20000; i++)
        assert_int_equal(moved[i], 7);
    block = heap_resize(moved, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(block[i], 7);
    heap_free(block);
    heap_free(NULL);
    assert_all_free();
}

static void test_misuse_is_noticed(void **state)
{
    unsigned char *small = heap_alloc(100);
    unsigned char *other = heap_alloc(100);
    unsigned char *large = heap_alloc(10000);
    struct heap_statistics before = statistics();
    struct heap_statistics after;

    (void)state;
    memset(large, 0, 10000);
    heap_free(small + 16);
    expect_broken("no block");
    heap_free(small + 8);
    expect_broken("no block");
    heap_free(other + 112); /* a block that was never handed out */
    expect_broken("no block");
    heap_free((void *)((uintptr_t)small & ~(uintptr_t)4095));
    expect_broken("no block");
    heap_free(large + 16);
    expect_broken("no block");
    heap_free(large + FRAME_SIZE);
    expect_broken("no block");
    assert_null(heap_resize(large + FRAME_SIZE, 10));
    expect_broken("no block");
    assert_null(heap_resize(small + 8, 10));
    expect_broken("no block");
    memcpy(large + FRAME_SIZE - 64, large - 64, 64); /* a copied header is none */
    heap_free(large + FRAME_SIZE);
    expect_broken("no block");
    after = statistics();
    assert_memory_equal(&before, &after, sizeof(before));

    heap_free(small);
    heap_free(small);
    expect_broken("double free");
    small[8] ^= 1; /* write after free */
    assert_null(heap_alloc(100));
    expect_broken("damaged");
    small[8] ^= 1;
    *(void **)small = large;
    assert_null(heap_alloc(100));
    expect_broken("damaged");
    *(void **)small = NULL;
    assert_ptr_equal(heap_alloc(100), small);
    heap_free(small);
    heap_free(other);
    heap_free(large);
    assert_all_free();
}

/* A block that nobody wrote to can be freed although it still holds what an earlier owner left. */
static void test_stale_contents_are_no_double_free(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        void *blocks[300];

        for (size_t i = 0; i < 300; i++)
            blocks[i] = heap_alloc(16);
        for (size_t i = 0; i < 300; i++)
            heap_free(blocks[i]);
    }
    assert_all_free();
}

#ifdef MK_DEBUG_MEMORY
#define FILLED FRAMES_JUNK /* the frames fill again */
#else
#define FILLED HEAP_JUNK
#endif

/* The allocators' own links stand at the start of what is free. */
static void expect_filled(const unsigned char *bytes, size_t from, size_t to, unsigned char with)
{
    for (size_t i = from; i < to; i++)
        assert_int_equal(bytes[i], with);
}

static void test_freed_memory_is_filled(void **state)
{
    unsigned char *small = heap_alloc(64), *resized = heap_alloc(100);
    unsigned char *large = heap_alloc(FRAME_SIZE), *shrunk = heap_alloc(5 * FRAME_SIZE);

    (void)state;
    memset(small, 1, 64);
    memset(resized, 1, 100);
    memset(large, 1, FRAME_SIZE);
    memset(shrunk, 1, 5 * FRAME_SIZE);
    heap_free(small);
    heap_free(large);
    expect_filled(small, 16, 64, HEAP_JUNK);
    expect_filled(large, 64, FRAME_SIZE, FILLED);

    unsigned char *moved = heap_resize(resized, 1000);
    assert_ptr_not_equal(moved, resized);
    expect_filled(resized, 16, 100, HEAP_JUNK);
    assert_ptr_equal(heap_resize(shrunk, FRAME_SIZE), shrunk);
    expect_filled(shrunk, FRAME_SIZE * 4, 5 * FRAME_SIZE, FILLED);
    expect_filled(shrunk, 0, FRAME_SIZE, 1);
    heap_free(moved);
    heap_free(shrunk);
}

static void test_budget(void **state)
{
    struct budget budget = {.limit = 10000};
    void *a = budget_alloc(&budget, 3000);
    void *b = budget_alloc(&budget, 100);

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(budget.used, 4096 + 112);
    assert_null(budget_alloc(&budget, 6000));
    assert_null(budget_resize(&budget, b, 100, 9000));
    assert_null(budget_alloc(&budget, SIZE_MAX));
    assert_int_equal(budget.refusals, 3);
    b = budget_resize(&budget, b, 100, 1000);
    assert_non_null(b);
    assert_int_equal(budget.used, 4096 + 1008);
    assert_ptr_equal(budget_resize(&budget, b, 1000, 1004), b);
    assert_int_equal(budget.used, 4096 + 1008);
    b = budget_resize(&budget, b, 1004, 1);
    assert_int_equal(budget.used, 4096 + 16);
    budget_free(&budget, b, 1);
    budget_free(&budget, NULL, 77);
    budget.limit = 100; /* a limit that sinks below what is used only refuses */
    assert_null(budget_alloc(&budget, 1));
    a = budget_resize(&budget, a, 3000, 50);
    assert_int_equal(budget.used, 64);
    budget_free(&budget, a, 50);
    assert_int_equal(budget.used, 0);
    assert_int_equal(budget.peak, 4096 + 1008);
    a = budget_resize(&budget, NULL, 0, 10);
    assert_int_equal(budget.used, 16);
    budget_free(&budget, a, 10);

    /* The heap fails, not the budget. */
    budget = (struct budget){.limit = SIZE_MAX};
    assert_null(budget_alloc(&budget, 64 * MIB));
    a = budget_alloc(&budget, 10);
    assert_null(budget_resize(&budget, a, 10, 64 * MIB));
    assert_int_equal(budget.used, 16);
    assert_int_equal(budget.refusals, 0);
    budget_free(&budget, a, 10);
    assert_all_free();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_against_fills, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exhaustion, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resize_of_large_blocks, setup, teardown),
#ifdef MK_DEBUG_MEMORY
        cmocka_unit_test_setup_teardown(test_overruns, setup, teardown),
#endif
        cmocka_unit_test_setup_teardown(test_misuse_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stale_contents_are_no_double_free, setup, teardown),
        cmocka_unit_test_setup_teardown(test_freed_memory_is_filled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
