/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <service/output_queue.h>

#include "memory_fixture.h"

static struct output_queue queue;
static uint64_t written, taken; /* bytes; the n-th byte of the stream is byte_at(n) */

static uint8_t byte_at(uint64_t n)
{
    return (uint8_t)(n * 7 + (n >> 8));
}

static int start(void **state)
{
    (void)state;
    memset(&queue, 0, sizeof queue);
    written = taken = 0;
    return start_memory(16 * MIB);
}

static int end(void **state)
{
    (void)state;
    output_queue_clear(&queue);
    assert_null(queue.first);
    assert_null(queue.last);
    assert_int_equal(queue.size, 0);
    end_memory();
    return 0;
}

static int add(size_t length)
{
    /* Of exactly this size, for AddressSanitizer. */
    uint8_t *bytes = malloc(length > 0 ? length : 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = byte_at(written + i);
    int error = output_queue_add(&queue, bytes, length);
    if (error == 0)
        written += length;
    free(bytes);
    assert_int_equal(queue.size, written - taken);
    return error;
}

/* At most `length` bytes; checks that they are the next ones. Returns how many lay together. */
static size_t take(size_t length)
{
    const void *front = NULL;
    size_t there = output_queue_front(&queue, &front);
    assert_int_equal(there == 0, written == taken);
    assert_true(there <= written - taken);
    for (size_t i = 0; i < there; i++)
        assert_int_equal(((const uint8_t *)front)[i], byte_at(taken + i));
    if (length > there)
        length = there;
    output_queue_take(&queue, length);
    taken += length;
    assert_int_equal(queue.size, written - taken);
    return there;
}

static void take_all(void)
{
    while (take(SIZE_MAX) > 0)
        continue;
    assert_int_equal(written, taken);
    assert_int_equal(client_pool.used, 0);
}

static void test_order_over_blocks(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 100, 3000, 5000, 1, 4096, 1048576, 20, 0, 4000};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        assert_int_equal(add(lengths[i]), 0);
    take_all();
    assert_int_equal(add(10), 0); /* an empty queue starts again */
    take_all();
}

static void test_partial_takes(void **state)
{
    (void)state;
    assert_int_equal(add(10000), 0);
    for (unsigned i = 0; i < 5000; i++)
        (void)take(1);
    assert_int_equal(add(10000), 0);
    for (unsigned i = 0; i < 3; i++)
        (void)take(4321);
    assert_true(client_pool.used > 0);
    take_all();
}

static void test_nothing(void **state)
{
    (void)state;
    const void *front = NULL;
    assert_int_equal(output_queue_front(&queue, &front), 0);
    output_queue_take(&queue, 0);
    output_queue_clear(&queue);
    assert_int_equal(output_queue_add(&queue, NULL, 0), 0);
    assert_int_equal(output_queue_add(&queue, "", 0), 0);
    assert_int_equal(client_pool.used, 0);
    assert_int_equal(add(3), 0);
    assert_int_equal(add(0), 0);
    (void)take(0);
    take_all();
}

/* Many small messages share blocks, and a block is no larger than it must be. */
static void test_what_it_costs(void **state)
{
    (void)state;
    assert_int_equal(add(1), 0);
    assert_true(client_pool.used <= FRAME_SIZE);
    for (unsigned i = 0; i < 999; i++)
        assert_int_equal(add(100), 0);
    assert_true(client_pool.used <= 99901 + 99901 / 10 + FRAME_SIZE);
    take_all();
}

static void test_exhaustion_adds_nothing(void **state)
{
    (void)state;
    client_pool.limit = 12288; /* three frames */
    assert_int_equal(add(20000), -ENOMEM);
    assert_null(queue.first);
    while (add(100) == 0)
        continue;
    assert_true(written > FRAME_SIZE);
    assert_true(client_pool.used <= client_pool.limit);
    assert_int_equal(client_pool.refusals, 2);
    /* What fits into the last block in part is not added in part. */
    uint64_t before = written;
    assert_int_equal(add(5000), -ENOMEM);
    assert_int_equal(written, before);
    /* Once something is taken there is room again, and the order is kept. */
    (void)take(SIZE_MAX);
    assert_int_equal(add(100), 0);
    take_all();

    /* The heap can fail, too. */
    client_pool.limit = SIZE_MAX;
    assert_int_equal(add(64 * MIB), -ENOMEM);
    assert_int_equal(add(100), 0);
    take_all();
}

static void test_clear(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(add(3000), 0);
    (void)take(17);
    output_queue_clear(&queue);
    assert_int_equal(client_pool.used, 0);
    written = taken = 0;
    assert_int_equal(add(5), 0);
    take_all();
}

static void test_two_queues_do_not_mix(void **state)
{
    (void)state;
    struct output_queue other = {0};
    const void *front = NULL;
    assert_int_equal(add(6000), 0);
    assert_int_equal(output_queue_add(&other, "other", 5), 0);
    assert_int_equal(add(6000), 0);
    assert_int_equal(output_queue_front(&other, &front), 5);
    assert_memory_equal(front, "other", 5);
    while (take(SIZE_MAX) > 0)
        continue;
    assert_int_equal(other.size, 5);
    output_queue_clear(&other);
}

static void test_random(void **state)
{
    (void)state;
    client_pool.limit = 200000;
    unsigned refused = 0;
    for (unsigned step = 0; step < 20000; step++) {
        size_t length = random_below(random_below(20) == 0 ? 30000 : 300);
        if (random_below(100) < (step / 4000 % 2 == 0 ? 60u : 40u))
            refused += add(length) == 0 ? 0 : 1;
        else
            (void)take(length);
    }
    assert_true(refused > 10 && taken > 100000);
    take_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order_over_blocks, start, end),
        cmocka_unit_test_setup_teardown(test_partial_takes, start, end),
        cmocka_unit_test_setup_teardown(test_nothing, start, end),
        cmocka_unit_test_setup_teardown(test_what_it_costs, start, end),
        cmocka_unit_test_setup_teardown(test_exhaustion_adds_nothing, start, end),
        cmocka_unit_test_setup_teardown(test_clear, start, end),
        cmocka_unit_test_setup_teardown(test_two_queues_do_not_mix, start, end),
        cmocka_unit_test_setup_teardown(test_random, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
