/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <service/job_queue.h>

static struct job_queue queue;

static int start(void **state)
{
    (void)state;
    memset(&queue, 0, sizeof queue);
    return 0;
}

static uintptr_t unwanted = UINTPTR_MAX;

static bool is_unwanted(void *argument)
{
    return (uintptr_t)argument == unwanted;
}

/* The argument of a job is its number. */
static int add(unsigned owner, uintptr_t number)
{
    const struct job job = {.argument = (void *)number, .owner = owner + 1, .unwanted = is_unwanted};
    return job_queue_add(&queue, &job);
}

static uintptr_t take(unsigned owner)
{
    struct job job;
    assert_true(job_queue_take(&queue, JOB_NOBODY, &job));
    assert_int_equal(job.owner, owner + 1);
    return (uintptr_t)job.argument;
}

static void one_owner_is_served_in_order(void **state)
{
    (void)state;
    struct job job;
    for (uintptr_t number = 0; number < JOBS_MAX / 2; number++)
        assert_int_equal(add(0, number), 0);
    for (uintptr_t number = 0; number < JOBS_MAX / 2; number++)
        assert_int_equal(take(0), number);
    assert_false(job_queue_take(&queue, JOB_NOBODY, &job));
}

static void owners_take_turns(void **state)
{
    (void)state;
    for (uintptr_t number = 0; number < 50; number++)
        assert_int_equal(add(0, number), 0);
    assert_int_equal(take(0), 0);
    for (uintptr_t number = 0; number < 3; number++)
        assert_int_equal(add(1, number), 0);
    assert_int_equal(add(2, 0), 0);
    /* One job of the first comes before each round of the others at most. */
    assert_int_equal(take(1), 0);
    assert_int_equal(take(2), 0);
    assert_int_equal(take(0), 1);
    assert_int_equal(take(1), 1);
    assert_int_equal(take(0), 2);
    assert_int_equal(take(1), 2);
    assert_int_equal(take(0), 3);
    assert_int_equal(take(0), 4);
}

static void silence_earns_no_credit(void **state)
{
    (void)state;
    for (uintptr_t number = 0; number < 40; number++)
        assert_int_equal(add(0, number), 0);
    for (uintptr_t number = 0; number < 20; number++)
        assert_int_equal(take(0), number);
    for (uintptr_t number = 0; number < 10; number++)
        assert_int_equal(add(1, number), 0);
    unsigned of_second = 0;
    struct job job;
    for (unsigned i = 0; i < 10; i++) {
        assert_true(job_queue_take(&queue, JOB_NOBODY, &job));
        of_second += job.owner == 2 ? 1 : 0;
    }
    assert_in_range(of_second, 5, 6);
}

static void a_flood_leaves_places_for_everybody(void **state)
{
    (void)state;
    uintptr_t number = 0;
    while (add(0, number) == 0)
        number++;
    assert_int_equal(number, JOBS_MAX / 2);
    for (unsigned owner = 1; owner <= 64; owner++) {
        assert_int_equal(add(owner, 0), 0);
        assert_int_equal(add(owner, 1), 0);
        assert_int_equal(add(owner, 2), -EAGAIN);
    }
    assert_int_equal(queue.count, JOBS_MAX);
    assert_int_equal(add(65, 0), -EAGAIN);
    for (unsigned owner = 0; owner <= 64; owner++)
        assert_int_equal(take(owner), 0);
    for (unsigned owner = 0; owner <= 64; owner++)
        assert_int_equal(take(owner), 1);
    assert_int_equal(take(0), 2);
}

static void what_is_unwanted_can_be_taken_out(void **state)
{
    (void)state;
    struct job job;
    for (uintptr_t number = 0; number < 10; number++)
        assert_int_equal(add((unsigned)number % 3, number), 0);
    assert_false(job_queue_take_unwanted(&queue, &job));
    unwanted = 4;
    assert_true(job_queue_take_unwanted(&queue, &job));
    assert_int_equal((uintptr_t)job.argument, 4);
    assert_false(job_queue_take_unwanted(&queue, &job));
    unwanted = UINTPTR_MAX;
    static const uintptr_t order[] = {0, 1, 2, 3, 5, 6, 7, 8, 9};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        assert_int_equal(take((unsigned)order[i] % 3), order[i]);
    assert_int_equal(queue.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_owner_is_served_in_order, start),
        cmocka_unit_test_setup(owners_take_turns, start),
        cmocka_unit_test_setup(silence_earns_no_credit, start),
        cmocka_unit_test_setup(a_flood_leaves_places_for_everybody, start),
        cmocka_unit_test_setup(what_is_unwanted_can_be_taken_out, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
