/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "fake_memory.h"
#include "memory/frames.h"

static void start(const struct frames_range *ranges, size_t count)
{
    assert_int_equal(frames_initialise(ranges, count, (uintptr_t)fake_memory, note_broken), 0);
}

static struct frames_statistics statistics(void)
{
    struct frames_statistics now;

    frames_get_statistics(&now);
    return now;
}

/* --- a model that knows of every frame whether it is taken --- */

#define MODEL_SIZE   (64 * MIB)
#define MODEL_FRAMES (MODEL_SIZE / FRAME_SIZE)
#define PIECES_MAX   300

static const struct frames_range model_ranges[] = {
    {0, 640 * KIB}, {MIB + 123, 14 * MIB}, {17 * MIB, 30 * MIB + 5}, {50 * MIB - 1, 14 * MIB}};

struct piece {
    uint64_t physical;
    size_t count;
};

static bool in_model_range(uint64_t physical, size_t count)
{
    for (size_t i = 0; i < sizeof(model_ranges) / sizeof(model_ranges[0]); i++)
        if (physical >= model_ranges[i].base &&
            physical + count * FRAME_SIZE <= model_ranges[i].base + model_ranges[i].size)
            return true;
    return false;
}

static void mark(bool *taken, struct piece piece, bool value)
{
    for (size_t i = 0; i < piece.count; i++) {
        assert_int_equal(taken[piece.physical / FRAME_SIZE + i], !value);
        taken[piece.physical / FRAME_SIZE + i] = value;
    }
}

static void test_random_against_model(void **state)
{
    static bool taken[MODEL_FRAMES];
    struct piece pieces[PIECES_MAX];
    size_t piece_count = 0;
    uint64_t taken_bytes = 0;
    struct frames_statistics initial;
    unsigned refused = 0;

    (void)state;
    fake_memory_create(MODEL_SIZE);
    start(model_ranges, 4);
    initial = statistics();
    assert_int_equal(initial.total, initial.free);
    assert_true(initial.total + initial.metadata <= 14 * MIB + 30 * MIB + 14 * MIB + 640 * KIB);
    assert_true(initial.total + initial.metadata >= 14 * MIB + 30 * MIB + 14 * MIB + 620 * KIB);

    for (unsigned step = 0; step < 60000; step++) {
        if (piece_count < PIECES_MAX && random_below(100) < 52) {
            size_t count = 1 + random_below(UINT64_C(1) << random_below(12));
            size_t align = (size_t)FRAME_SIZE << (random_below(3) == 0 ? random_below(8) : 0);
            struct piece piece = {.count = count};
            int rc = frames_alloc(count, align, &piece.physical);

            if (rc != 0) {
                assert_int_equal(rc, -ENOMEM);
                refused++;
                continue;
            }
            assert_int_equal(piece.physical % align, 0);
            assert_true(in_model_range(piece.physical, count));
            mark(taken, piece, true);
            memset(frames_pointer(piece.physical), (int)step, count * FRAME_SIZE > 64 ? 64 : 1);
            taken_bytes += count * FRAME_SIZE;
            pieces[piece_count++] = piece;
        } else if (piece_count > 0) {
            struct piece *piece = &pieces[random_below(piece_count)];
            size_t part = random_below(4) == 0 ? 1 + random_below(piece->count) : piece->count;

            mark(taken, (struct piece){piece->physical, part}, false);
            frames_free(piece->physical, part);
            taken_bytes -= part * FRAME_SIZE;
            piece->physical += part * FRAME_SIZE;
            piece->count -= part;
            if (piece->count == 0)
                *piece = pieces[--piece_count];
        }
        assert_int_equal(statistics().free, initial.free - taken_bytes);
    }
    assert_true(refused > 0);
    while (piece_count > 0) {
        piece_count--;
        mark(taken, pieces[piece_count], false);
        frames_free(pieces[piece_count].physical, pieces[piece_count].count);
    }
    /* All is one again. */
    assert_int_equal(statistics().free, initial.free);
    assert_int_equal(statistics().largest_free, initial.largest_free);
    assert_int_equal(broken_count, 0);
    fake_memory_destroy();
}

static void test_exhaustion_hands_out_every_frame(void **state)
{
    const struct frames_range range = {0, 4 * MIB};
    uint64_t physical = 0;
    uint64_t sum = 0;
    uint64_t expected = 0;
    size_t count = 0;
    struct frames_statistics initial;

    (void)state;
    fake_memory_create(4 * MIB);
    start(&range, 1);
    initial = statistics();
    assert_int_equal(initial.metadata, FRAME_SIZE);
    while (frames_alloc(1, FRAME_SIZE, &physical) == 0) {
        assert_true(physical != 0);
        sum += physical / FRAME_SIZE;
        count++;
    }
    for (uint64_t frame = 2; frame < 1024; frame++)
        expected += frame;
    assert_int_equal(sum, expected);
    assert_int_equal(count, 1022);
    assert_int_equal(statistics().free, 0);
    assert_int_equal(statistics().largest_free, 0);
    assert_int_equal(statistics().failures, 1);

    for (uint64_t frame = 2; frame < 1024; frame++)
        frames_free(frame * FRAME_SIZE, 1);
    assert_int_equal(statistics().largest_free, initial.largest_free);
    assert_int_equal(statistics().free, initial.free);
    fake_memory_destroy();
}

#ifndef MK_DEBUG_MEMORY /* which would fill gigabytes */
/* 900 MiB fit into a guest of 1 GiB, though no power of two that holds them does. */
static void test_large_runs(void **state)
{
    const struct frames_range ranges[] = {{0, 640 * KIB}, {MIB, GIB - MIB}, {4 * GIB, 3 * GIB}};
    struct frames_statistics initial;
    uint64_t physical = 0;
    uint64_t small = 0;
    uint64_t other = 0;

    (void)state;
    fake_memory_create(8 * GIB);
    start(ranges, 2);
    initial = statistics();
    assert_int_equal(frames_alloc(1, FRAME_SIZE, &small), 0);
    assert_int_equal(frames_alloc(900 * MIB / FRAME_SIZE, 2 * MIB, &physical), 0);
    assert_int_equal(physical % (2 * MIB), 0);
    assert_true(physical >= MIB && physical + 900 * MIB <= GIB);
    assert_int_equal(frames_alloc(900 * MIB / FRAME_SIZE, FRAME_SIZE, &other), -ENOMEM);
    assert_int_equal(statistics().free, initial.free - 900 * MIB - FRAME_SIZE);
    frames_free(physical, 900 * MIB / FRAME_SIZE);
    frames_free(small, 1);
    assert_int_equal(statistics().largest_free, initial.largest_free);

    /* Aligned to more than the blocks it is made of, behind single frames that are taken. */
    start(ranges, 2);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(frames_alloc(1 + i % 3, FRAME_SIZE, &physical), 0);
    small = physical;
    for (uint64_t align = FRAME_SIZE; align <= 256 * MIB; align *= 2) {
        struct frames_statistics before = statistics();

        assert_int_equal(frames_alloc(600 * MIB / FRAME_SIZE + 1, align, &physical), 0);
        assert_int_equal(physical % align, 0);
        assert_true(physical > small && physical + 600 * MIB + FRAME_SIZE <= GIB);
        assert_int_equal(statistics().free, before.free - 600 * MIB - FRAME_SIZE);
        frames_free(physical, 600 * MIB / FRAME_SIZE + 1);
        assert_int_equal(statistics().free, before.free);
        assert_int_equal(statistics().largest_free, before.largest_free);
    }

    /* A small thing that has come to lie behind a run does not keep the next one of its size from finding a
     * place. */
    start(ranges, 2);
    assert_int_equal(frames_alloc(512 * MIB / FRAME_SIZE + 1, FRAME_SIZE, &physical), 0);
    assert_int_equal(frames_alloc(1, FRAME_SIZE, &small), 0);
    assert_int_equal(small, physical + 512 * MIB + FRAME_SIZE);
    frames_free(physical, 512 * MIB / FRAME_SIZE + 1);
    assert_int_equal(frames_alloc(512 * MIB / FRAME_SIZE + 1, FRAME_SIZE, &other), 0);
    assert_true(other < small);
    frames_free(other, 512 * MIB / FRAME_SIZE + 1);

    /* More than the largest block. */
    start(ranges, 3);
    initial = statistics();
    assert_int_equal(frames_alloc(5 * GIB / 2 / FRAME_SIZE, FRAME_SIZE, &physical), 0);
    assert_true(physical >= 4 * GIB && physical + 5 * GIB / 2 <= 7 * GIB);
    frames_free(physical, 5 * GIB / 2 / FRAME_SIZE);
    assert_int_equal(statistics().largest_free, initial.largest_free);
    assert_int_equal(statistics().free, initial.free);
    assert_int_equal(frames_alloc(4 * GIB / FRAME_SIZE, FRAME_SIZE, &physical), -ENOMEM);
    assert_int_equal(frames_alloc(SIZE_MAX, FRAME_SIZE, &physical), -ENOMEM);
    assert_int_equal(frames_alloc(1, 4 * GIB, &physical), -ENOMEM);
    assert_int_equal(broken_count, 0);
    fake_memory_destroy();
}

#endif

static void test_arguments(void **state)
{
    const struct frames_range range = {MIB, 4 * MIB};
    const struct frames_range overlapping[] = {{MIB, 4 * MIB}, {3 * MIB, 4 * MIB}};
    const struct frames_range wrapping = {UINT64_MAX - 4095, MIB};
    const struct frames_range at_the_end = {UINT64_MAX - 4093, 4093};
    const struct frames_range small = {2 * MIB, 4 * FRAME_SIZE - 1};
    const struct frames_range tiny[] = {{MIB, 100}, {2 * MIB + 1, 16 * KIB}};
    uint64_t physical = 1;

    (void)state;
    fake_memory_create(8 * MIB);
    assert_int_equal(frames_initialise(NULL, 0, (uintptr_t)fake_memory, note_broken), -ENOMEM);
    assert_int_equal(frames_initialise(tiny, 2, (uintptr_t)fake_memory, note_broken), -ENOMEM);
    assert_int_equal(frames_initialise(overlapping, 2, (uintptr_t)fake_memory, note_broken), -EINVAL);
    assert_int_equal(frames_initialise(&wrapping, 1, (uintptr_t)fake_memory, note_broken), -EINVAL);
    start(&range, 1);
    assert_int_equal(frames_add(&small), -EINVAL);
    assert_int_equal(frames_add(&at_the_end), -EINVAL);
    assert_int_equal(frames_alloc(0, FRAME_SIZE, &physical), -EINVAL);
    assert_int_equal(frames_alloc(1, 0, &physical), -EINVAL);
    assert_int_equal(frames_alloc(1, 2048, &physical), -EINVAL);
    assert_int_equal(frames_alloc(1, 12 * KIB, &physical), -EINVAL);
    assert_int_equal(physical, 1);
    assert_int_equal(statistics().failures, 0);
    fake_memory_destroy();
}

static void test_ranges_added_in_any_order(void **state)
{
    struct frames_range ranges[FRAMES_RANGE_MAX + 1];
    struct frames_statistics initial;

    (void)state;
    fake_memory_create(256 * MIB);
    for (size_t i = 0; i <= FRAMES_RANGE_MAX; i++)
        ranges[i] = (struct frames_range){(i * 37 % (FRAMES_RANGE_MAX + 1)) * 2 * MIB + MIB, MIB};
    start(ranges, FRAMES_RANGE_MAX + 1);
    initial = statistics();
    assert_int_equal(initial.total + initial.metadata, FRAMES_RANGE_MAX * MIB);
    assert_int_equal(frames_add(&ranges[FRAMES_RANGE_MAX]), -ENOSPC);

    /* Neighbouring ranges are fine, and are not joined. */
    start((const struct frames_range[]){{2 * MIB, MIB}, {MIB, MIB}}, 2);
    assert_int_equal(frames_add(&(struct frames_range){3 * MIB, MIB}), 0);
    assert_int_equal(frames_add(&(struct frames_range){3 * MIB, MIB}), -EINVAL);
    assert_int_equal(statistics().total + statistics().metadata, 3 * MIB);
    fake_memory_destroy();
}

static void expect_broken(const char *part)
{
    assert_int_equal(broken_count, 1);
    assert_non_null(strstr(broken_what, part));
    broken_count = 0;
}

static void test_misuse_is_noticed(void **state)
{
    const struct frames_range range = {MIB, 8 * MIB};
    struct frames_statistics before;
    uint64_t physical = 0;
    uint64_t other = 0;

    (void)state;
    fake_memory_create(16 * MIB);
    start(&range, 1);
    assert_int_equal(frames_alloc(6, FRAME_SIZE, &physical), 0);
    before = statistics();
    frames_free(physical + 8, 1);
    expect_broken("no frame");
    frames_free(physical, 0);
    expect_broken("no frame");
    frames_free(12 * MIB, 1);
    expect_broken("not the allocator's");
    frames_free(MIB, 1); /* its own bits */
    expect_broken("not the allocator's");
    frames_free(physical, SIZE_MAX);
    expect_broken("not the allocator's");
    frames_free(8 * MIB, 1); /* never handed out */
    expect_broken("double free");
    frames_free(physical, 7); /* one too many */
    expect_broken("double free");
    assert_int_equal(statistics().free, before.free);
    frames_free(physical, 6);
    assert_int_equal(broken_count, 0);
    frames_free(physical, 6);
    expect_broken("double free");
    frames_free(physical + 8 * KIB, 1);
    expect_broken("double free");

    /* A write after free that damages a list. */
    start(&range, 1);
    assert_int_equal(frames_alloc(1, FRAME_SIZE, &physical), 0);
    assert_int_equal(frames_alloc(1, FRAME_SIZE, &other), 0);
    frames_free(physical, 1);
    ((void **)frames_pointer(physical))[0] = frames_pointer(other);
    memset(frames_pointer(other), 0, FRAME_SIZE);
    assert_int_equal(frames_alloc(1, FRAME_SIZE, &other), -ENOMEM);
    expect_broken("damaged");
    fake_memory_destroy();
}

static void test_starting_touches_little(void **state)
{
    const struct frames_range ranges[] = {{MIB, 3 * GIB - MIB}, {4 * GIB, 61 * GIB}};
    unsigned char resident[1024];
    uint64_t touched = 0;

    (void)state;
    fake_memory_create(65 * GIB);
    start(ranges, 2);
    assert_true(statistics().metadata <= 64 * GIB / FRAME_SIZE / 4 + 12 * KIB);
    for (uint64_t at = 0; at < fake_memory_size; at += sizeof(resident) * FRAME_SIZE) {
        assert_int_equal(mincore(fake_memory + at, sizeof(resident) * FRAME_SIZE, resident), 0);
        for (size_t i = 0; i < sizeof(resident); i++)
            touched += resident[i] & 1;
    }
    /* Its bits and nothing else. */
    assert_true(touched <= statistics().metadata / FRAME_SIZE);
    assert_int_equal(statistics().free, statistics().total);
    assert_int_equal(statistics().largest_free, GIB);

    /* Small allocations stay close together, at the lowest addresses: behind the bits of the first range. */
    for (unsigned i = 0; i < 100; i++) {
        uint64_t physical = 0;

        assert_int_equal(frames_alloc(1, FRAME_SIZE, &physical), 0);
        assert_true(physical < 4 * MIB);
    }
    fake_memory_destroy();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_against_model),
        cmocka_unit_test(test_exhaustion_hands_out_every_frame),
#ifndef MK_DEBUG_MEMORY
        cmocka_unit_test(test_large_runs),
#endif
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_ranges_added_in_any_order),
        cmocka_unit_test(test_misuse_is_noticed),
        cmocka_unit_test(test_starting_touches_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
