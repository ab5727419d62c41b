/* SPDX-License-Identifier: MIT */
#include "tasks_fixture.h"

static struct wait_queue queue;
static struct interrupt_event event;

/* ---- queues ---- */

static void wait_for_ever(void *argument)
{
    assert_int_equal(wait_queue_sleep(&queue, TASK_FOREVER), 0);
    note(*(const char *)argument);
}

static void wait_until_1100(void *argument)
{
    int error = wait_queue_sleep(&queue, 1100);
    note(*(const char *)argument);
    note(error == 0 ? '+' : error == -ETIMEDOUT ? '!' : '?');
}

static void test_first_come_first_served(void **state)
{
    (void)state;
    wait_queue_wake_one(&queue); /* nobody is there: nothing is remembered */
    wait_queue_wake_all(&queue);
    start_task(wait_for_ever, "a");
    start_task(wait_for_ever, "b");
    start_task(wait_for_ever, "c");
    start_task(wait_for_ever, "d");
    task_yield();
    task_yield();
    expect_trace("");
    wait_queue_wake_one(&queue);
    expect_trace(""); /* the waker runs on */
    task_yield();
    expect_trace("a");
    wait_queue_wake_all(&queue);
    assert_null(queue.first);
    assert_null(queue.last);
    task_yield();
    expect_trace("bcd");
}

static void test_waits_time_out(void **state)
{
    (void)state;
    assert_int_equal(wait_queue_sleep(&queue, 1050), -ETIMEDOUT);
    assert_int_equal(machine.now_us, 1050);
    assert_null(queue.first);
    assert_null(queue.last);
    assert_int_equal(wait_queue_sleep(&queue, 0), -ETIMEDOUT); /* has passed: does not wait */
    assert_int_equal(machine.halts, 1);
}

/* The first, one in the middle and the last leave a queue; who stays and who joins is still served. */
static void test_timeouts_leave_the_queue_whole(void **state)
{
    (void)state;
    start_task(wait_until_1100, "a");
    start_task(wait_for_ever, "b");
    start_task(wait_until_1100, "c");
    start_task(wait_for_ever, "d");
    start_task(wait_until_1100, "e");
    task_sleep_until(1200);
    expect_trace("a!c!e!");
    start_task(wait_for_ever, "f");
    task_yield();
    wait_queue_wake_one(&queue);
    task_yield();
    expect_trace("b");
    wait_queue_wake_all(&queue);
    task_yield();
    expect_trace("df");
}

static void test_a_wake_ends_the_timeout(void **state)
{
    (void)state;
    start_task(wait_until_1100, "a");
    start_task(wait_until_1100, "b");
    task_yield();
    wait_queue_wake_one(&queue);
    machine.now_us = 2000; /* its time is over, too, before it runs */
    task_yield();
    expect_trace("a+b!");
    task_sleep_until(3000);
    assert_null(queue.first);
}

/* ---- events ---- */

static void wait_for_event(void *argument)
{
    assert_int_equal(interrupt_event_wait(&event, TASK_FOREVER), 0);
    note(*(const char *)argument);
}

static void raise_now(void)
{
    machine.on_halt = machine.on_disable = NULL;
    interrupt_event_raise(&event);
}

static void test_an_event_before_the_wait_is_not_lost(void **state)
{
    (void)state;
    interrupt_event_raise(&event);
    interrupt_event_raise(&event);
    assert_int_equal(interrupt_event_wait(&event, TASK_FOREVER), 0);
    assert_int_equal(machine.halts, 0);
    assert_int_equal(interrupt_event_wait(&event, 1500), -ETIMEDOUT); /* announced once */
    assert_int_equal(machine.now_us, 1500);
}

/* An event that is raised again before each wait (a flood of packets) leaves the others their turns. */
static void test_an_event_that_never_rests_starves_nobody(void **state)
{
    (void)state;
    start_task(write_thrice, "a");
    start_task(write_thrice, "b");
    for (unsigned i = 0; i < 3; i++) {
        interrupt_event_raise(&event);
        assert_int_equal(interrupt_event_wait(&event, TASK_FOREVER), 0);
        note('.');
    }
    expect_trace("ab.ab.ab.");
    assert_int_equal(machine.halts, 0);
}

static void test_an_event_ends_a_halt(void **state)
{
    (void)state;
    machine.on_halt = raise_now;
    assert_int_equal(interrupt_event_wait(&event, TASK_FOREVER), 0);
    assert_int_equal(machine.halts, 1);
    assert_int_equal(machine.alarm_us, UINT64_MAX);
}

/* Between the last look at the events and the halt. */
static void test_an_event_just_before_a_halt(void **state)
{
    (void)state;
    machine.on_disable = raise_now;
    assert_int_equal(interrupt_event_wait(&event, TASK_FOREVER), 0);
    assert_int_equal(machine.halts, 0);
}

static void test_an_event_after_the_timeout_stays(void **state)
{
    (void)state;
    assert_int_equal(interrupt_event_wait(&event, 1100), -ETIMEDOUT);
    interrupt_event_raise(&event);
    assert_int_equal(interrupt_event_wait(&event, TASK_FOREVER), 0);
}

static void test_a_yield_delivers_events(void **state)
{
    (void)state;
    start_task(wait_for_event, "a");
    task_yield();
    expect_trace("");
    interrupt_event_raise(&event);
    task_yield();
    expect_trace("a");
}

/* All who wait are told, in order, and each once; who waits later is not. */
static void test_an_event_wakes_all_who_wait(void **state)
{
    (void)state;
    start_task(wait_for_event, "a");
    start_task(wait_for_event, "b");
    start_task(write_thrice, "x"); /* so that there are switches between */
    start_task(write_thrice, "y");
    task_yield();
    expect_trace("xy");
    interrupt_event_raise(&event);
    task_yield();
    expect_trace("xyab");
    start_task(wait_for_event, "c");
    task_yield();
    expect_trace("xy");
    assert_int_equal(interrupt_event_wait(&event, 1100), -ETIMEDOUT);
    interrupt_event_raise(&event);
    task_yield();
    expect_trace("c");
}

/* ---- all together ---- */

static uint64_t random_state = 88172645463325252u;

static uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

static struct wait_queue queues[3];
static unsigned steps, waiting[3], timeouts, wakes;

static void do_anything(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < 300; i++) {
        steps++;
        size_t which = random_below(3);
        uint64_t deadline = machine.now_us + random_below(50);
        switch (random_below(5)) {
        case 0:
            task_yield();
            break;
        case 1:
            task_sleep_until(deadline);
            assert_true(machine.now_us >= deadline);
            break;
        case 2:
            if (queues[which].first != NULL)
                wakes++;
            wait_queue_wake_one(&queues[which]);
            break;
        case 3:
            if (random_below(8) == 0)
                wait_queue_wake_all(&queues[which]);
            break;
        default:
            waiting[which]++;
            if (wait_queue_sleep(&queues[which], deadline) == -ETIMEDOUT) {
                timeouts++;
                assert_true(machine.now_us >= deadline);
            }
            waiting[which]--;
        }
    }
}

static void test_many_tasks_do_anything(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 1; i < TASKS_MAX; i++)
            start_task(do_anything, "w");
        while (statistics().count > 1) {
            task_sleep_until(machine.now_us + 7);
        }
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(waiting[i], 0);
            assert_null(queues[i].first);
            assert_null(queues[i].last);
        }
    }
    assert_int_equal(steps, 10 * (TASKS_MAX - 1) * 300);
    assert_true(timeouts > 100 && wakes > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_come_first_served, start, end),
        cmocka_unit_test_setup_teardown(test_waits_time_out, start, end),
        cmocka_unit_test_setup_teardown(test_timeouts_leave_the_queue_whole, start, end),
        cmocka_unit_test_setup_teardown(test_a_wake_ends_the_timeout, start, end),
        cmocka_unit_test_setup_teardown(test_an_event_before_the_wait_is_not_lost, start, end),
        cmocka_unit_test_setup_teardown(test_an_event_that_never_rests_starves_nobody, start, end),
        cmocka_unit_test_setup_teardown(test_an_event_ends_a_halt, start, end),
        cmocka_unit_test_setup_teardown(test_an_event_just_before_a_halt, start, end),
        cmocka_unit_test_setup_teardown(test_an_event_after_the_timeout_stays, start, end),
        cmocka_unit_test_setup_teardown(test_a_yield_delivers_events, start, end),
        cmocka_unit_test_setup_teardown(test_an_event_wakes_all_who_wait, start, end),
        cmocka_unit_test_setup_teardown(test_many_tasks_do_anything, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
