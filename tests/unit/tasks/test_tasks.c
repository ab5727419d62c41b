/* SPDX-License-Identifier: MIT */
#include "tasks_fixture.h"

#include <arch/mmu.h>

/* ---- tasks ---- */

static void write_name(void *argument)
{
    note(*(const char *)argument);
}

static void test_tasks_run_in_turn(void **state)
{
    (void)state;
    start_task(write_thrice, "a");
    start_task(write_thrice, "b");
    start_task(write_thrice, "c");
    expect_trace(""); /* not before the creator lets them */
    task_yield();
    expect_trace("abc");
    note('-');
    task_yield();
    task_yield();
    task_yield();
    expect_trace("-abcabc");
}

static void test_a_yield_alone_returns(void **state)
{
    (void)state;
    uint64_t switches = statistics().switches;
    task_yield();
    task_yield();
    assert_int_equal(statistics().switches, switches);
    assert_int_equal(machine.halts, 0);
}

static void create_another(void *argument)
{
    note(*(const char *)argument);
    start_task(write_name, "z");
}

static void test_a_task_creates_a_task(void **state)
{
    (void)state;
    start_task(create_another, "a");
    start_task(write_name, "b");
    task_yield();
    task_yield();
    expect_trace("abz");
}

static void test_the_end_of_a_task_frees_its_stack(void **state)
{
    (void)state;
    assert_int_equal(task_create("a", write_name, (void *)(uintptr_t) "a", 32768), 0);
    assert_int_equal(machine.frames, 8);
    assert_int_equal(machine.pages, 8);
    assert_int_equal(statistics().count, 2);
    task_yield();
    assert_int_equal(machine.frames, 0);
    assert_int_equal(machine.pages, 0);
    assert_int_equal(statistics().count, 1);
    /* Tasks that end one after the other bury each other. */
    start_task(write_name, "b");
    start_task(write_name, "c");
    task_yield();
    expect_trace("abc");
    assert_int_equal(machine.frames, 0);
}

static void test_too_many_tasks(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 1; i < TASKS_MAX; i++)
            start_task(write_name, "x");
        assert_int_equal(task_create("y", write_name, NULL, STACK), -EAGAIN);
        assert_int_equal(statistics().count, TASKS_MAX);
        task_yield();
        expect_trace("xxxxxxxxxxxxxxx");
        assert_int_equal(statistics().count, 1);
    }
}

static void test_stack_sizes(void **state)
{
    (void)state;
    static const size_t wrong[] = {0, 1, 4095, 4097, 61440 + 4096, 61440 + 1024, SIZE_MAX, SIZE_MAX - 4095};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(task_create("x", write_name, NULL, wrong[i]), -EINVAL);
    assert_int_equal(machine.frames, 0);
    assert_int_equal(statistics().count, 1);
}

static void test_every_failed_allocation(void **state)
{
    (void)state;
    size_t *failing[] = {&machine.fail_frame, &machine.fail_map};
    for (size_t which = 0; which < 2; which++) {
        for (size_t n = 1; n <= 15; n++) {
            *failing[which] = n;
            assert_int_equal(task_create("x", write_name, NULL, STACK), -ENOMEM);
            assert_int_equal(machine.frames, 0);
            assert_int_equal(machine.pages, 0);
            assert_int_equal(statistics().count, 1);
        }
    }
    start_task(write_name, "a");
    task_yield();
    expect_trace("a");
}

static void look_at_itself(void *argument)
{
    uintptr_t guard = 0, bottom = 0, top = 0;
    assert_ptr_equal(argument, &trace);
    assert_string_equal(task_name(), "a name that is ");
    assert_true(task_stack(&guard, &bottom, &top));
    assert_int_equal(top - bottom, STACK);
    assert_int_equal(bottom - guard, MMU_PAGE_SIZE);
    assert_false(mmu_query(guard, NULL, NULL));
    assert_true(mmu_query(bottom, NULL, NULL));
    assert_string_equal(task_guard_owner(guard), "a name that is ");
    assert_string_equal(task_guard_owner(bottom - 1), "a name that is ");
    assert_null(task_guard_owner(bottom));
    assert_null(task_guard_owner(top));
    note('l');
}

static void test_names_and_stacks(void **state)
{
    (void)state;
    uintptr_t guard, bottom, top;
    assert_false(task_stack(&guard, &bottom, &top));
    assert_int_equal(task_create("a name that is too long", look_at_itself, &trace, STACK), 0);
    task_yield();
    expect_trace("l");
    assert_null(task_guard_owner(mmu_layout.stacks + 65536));
}

/* ---- time ---- */

static void sleep_by_name(void *argument)
{
    const char *name = argument;
    uint64_t deadline = 1000 + 100 * (uint64_t)(*name - 'a' + 1);
    task_sleep_until(deadline);
    assert_true(machine.now_us >= deadline);
    note(*name);
}

static void test_sleepers_wake_by_deadline(void **state)
{
    (void)state;
    start_task(sleep_by_name, "c");
    start_task(sleep_by_name, "a");
    start_task(sleep_by_name, "d");
    start_task(sleep_by_name, "b");
    task_sleep_until(1350);
    expect_trace("abc");
    assert_int_equal(machine.now_us, 1350);
    assert_int_equal(machine.halts, 4);
    task_sleep_until(1400); /* the same moment: who slept first, wakes first */
    expect_trace("d");
    assert_int_equal(statistics().idle_us >= 400, true);
}

static void test_a_deadline_that_has_passed(void **state)
{
    (void)state;
    task_sleep_until(0);
    task_sleep_until(1000);
    assert_int_equal(machine.halts, 0);
    task_sleep_until(1001);
    assert_int_equal(machine.halts, 1);
}

static void test_alarms_that_ring_early(void **state)
{
    (void)state;
    machine.alarm_step = 10;
    task_sleep_until(1095);
    assert_int_equal(machine.now_us, 1095);
    assert_int_equal(machine.halts, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tasks_run_in_turn, start, end),
        cmocka_unit_test_setup_teardown(test_a_yield_alone_returns, start, end),
        cmocka_unit_test_setup_teardown(test_a_task_creates_a_task, start, end),
        cmocka_unit_test_setup_teardown(test_the_end_of_a_task_frees_its_stack, start, end),
        cmocka_unit_test_setup_teardown(test_too_many_tasks, start, end),
        cmocka_unit_test_setup_teardown(test_stack_sizes, start, end),
        cmocka_unit_test_setup_teardown(test_every_failed_allocation, start, end),
        cmocka_unit_test_setup_teardown(test_names_and_stacks, start, end),
        cmocka_unit_test_setup_teardown(test_sleepers_wake_by_deadline, start, end),
        cmocka_unit_test_setup_teardown(test_a_deadline_that_has_passed, start, end),
        cmocka_unit_test_setup_teardown(test_alarms_that_ring_early, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
