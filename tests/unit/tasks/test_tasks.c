/* SPDX-License-Identifier: MIT
 *
 * Each task writes letters; what comes out says who ran when.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <arch/mmu.h>
#include <tasks/task.h>

#include "fake_machine.h"

#define STACK ((size_t)16 * 4096 - 4096) /* the most; ASan's frames are large */

static char trace[256];
static struct wait_queue queue;
static struct interrupt_event event;

static void note(char letter)
{
    size_t length = strlen(trace);
    assert_true(length < sizeof trace - 1);
    trace[length] = letter;
    trace[length + 1] = '\0';
}

static void expect_trace(const char *expected)
{
    assert_string_equal(trace, expected);
    memset(trace, 0, sizeof trace);
}

static void start_task(void (*entry)(void *argument), const char *name)
{
    assert_int_equal(task_create(name, entry, (void *)(uintptr_t)name, STACK), 0);
}

static struct task_statistics statistics(void)
{
    struct task_statistics now;
    tasks_get_statistics(&now);
    return now;
}

static int start(void **state)
{
    (void)state;
    machine_start();
    tasks_initialise("main");
    memset(trace, 0, sizeof trace);
    memset(&queue, 0, sizeof queue);
    return 0;
}

/* Whatever a test does, every other task ends in it, and gives back what it had. */
static int end(void **state)
{
    (void)state;
    machine.on_halt = machine.on_disable = NULL;
    for (unsigned i = 0; i < 10; i++)
        task_yield();
    assert_int_equal(statistics().count, 1);
    assert_int_equal(machine.frames, 0);
    assert_int_equal(machine.pages, 0);
    assert_true(machine.interrupts);
    assert_string_equal(task_name(), "main");
    return 0;
}

/* ---- tasks ---- */

static void write_name(void *argument)
{
    note(*(const char *)argument);
}

static void write_thrice(void *argument)
{
    for (unsigned i = 0; i < 3; i++) {
        note(*(const char *)argument);
        task_yield();
    }
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
    assert_null(task_guard_owner(MMU_STACKS_BASE + 65536));
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
        cmocka_unit_test_setup_teardown(test_first_come_first_served, start, end),
        cmocka_unit_test_setup_teardown(test_waits_time_out, start, end),
        cmocka_unit_test_setup_teardown(test_timeouts_leave_the_queue_whole, start, end),
        cmocka_unit_test_setup_teardown(test_a_wake_ends_the_timeout, start, end),
        cmocka_unit_test_setup_teardown(test_an_event_before_the_wait_is_not_lost, start, end),
        cmocka_unit_test_setup_teardown(test_an_event_ends_a_halt, start, end),
        cmocka_unit_test_setup_teardown(test_an_event_just_before_a_halt, start, end),
        cmocka_unit_test_setup_teardown(test_an_event_after_the_timeout_stays, start, end),
        cmocka_unit_test_setup_teardown(test_a_yield_delivers_events, start, end),
        cmocka_unit_test_setup_teardown(test_an_event_wakes_all_who_wait, start, end),
        cmocka_unit_test_setup_teardown(test_many_tasks_do_anything, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
