/* SPDX-License-Identifier: MIT
 *
 * Nothing here depends on how fast the machine is: times are compared with what was asked for, from below.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/interrupts.h>
#include <arch/timer.h>
#include <guest.h>
#include <memory/frames.h>
#include <tasks/task.h>

static uint64_t slept(uint64_t duration_us)
{
    uint64_t start = timer_now_us();
    task_sleep_until(start + duration_us);
    return timer_now_us() - start;
}

void check_clock(void)
{
    check(timer_frequency() >= 1000000 && strcmp(timer_source(), "nothing") != 0, "the clock has a rate");
    uint64_t last = timer_now_us();
    bool forward = last > 0;
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t now = timer_now_us();
        forward = forward && now >= last;
        last = now;
    }
    check(forward, "it never goes back");
    check(slept(1) >= 1, "a sleep of 1 us takes as long");
    check(slept(20000) >= 20000, "of 20 ms, too");
    check(slept(1100000) >= 1100000, "longer than one alarm reaches, too");
    task_sleep_until(0);
    check(timer_now_us() >= last, "a time that has passed does not wait");
    struct task_statistics statistics;
    tasks_get_statistics(&statistics);
    check(statistics.idle_us > 0, "who waits halts the CPU");
}

/* ---- tasks ---- */

#define LARGEST_STACK ((size_t)61440)

static struct wait_queue ping, pong;
static unsigned exchanges;
static char order[64];
static size_t order_length;
static unsigned ended;
static bool aligned, control_reset;
static uint64_t bedtime_us; /* far enough ahead that a busy host cannot keep a sleeper up beyond it */

static void note(char what)
{
    if (order_length < sizeof order - 1)
        order[order_length++] = what;
}

static bool order_is(const char *expected)
{
    bool same = strcmp(order, expected) == 0;
    memset(order, 0, sizeof order);
    order_length = 0;
    return same;
}

static void answer(void *argument)
{
    for (unsigned i = 0; i < *(const unsigned *)argument; i++) {
        if (wait_queue_sleep(&ping, TASK_FOREVER) == 0)
            exchanges++;
        wait_queue_wake_one(&pong);
    }
    ended++;
}

static void sleeper(void *argument)
{
    const char *letter = argument;
    task_sleep_until(bedtime_us + 10000 * (uint64_t)(*letter - 'a'));
    note(*letter);
    ended++;
}

static void turn(void *argument)
{
    for (unsigned i = 0; i < 3; i++) {
        note(*(const char *)argument);
        task_yield();
    }
    ended++;
}

static uint32_t vector_control(void)
{
    uint32_t value;
    __asm__ volatile("stmxcsr %0" : "=m"(value));
    return value;
}

static void set_vector_control(uint32_t value)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(value));
}

static void look(void *argument)
{
    (void)argument;
    aligned = (uintptr_t)__builtin_frame_address(0) % 16 == 0;
    control_reset = vector_control() == 0x1f80;
    set_vector_control(0x1f80 | 0x2000); /* round down: nobody else's affair */
    task_yield();
    control_reset = control_reset && vector_control() == (0x1f80 | 0x2000);
    ended++;
}

static void nothing(void *argument)
{
    (void)argument;
    ended++;
}

static void wait_for(unsigned count)
{
    while (ended < count)
        task_sleep_until(timer_now_us() + 1000);
    ended = 0;
    task_yield(); /* the last one's stack is given back */
}

static uint64_t free_frames(void)
{
    struct frames_statistics statistics;
    frames_get_statistics(&statistics);
    return statistics.free / FRAME_SIZE;
}

void check_tasks(void)
{
    static const unsigned rounds = 1000;
    bool good = task_create("answer", answer, (void *)&rounds, 8192) == 0;
    task_yield();
    /* Page tables for the stacks stay, so this is what is free from here on, but for the one stack. */
    uint64_t before = free_frames() + 8192 / FRAME_SIZE;
    unsigned answers = 0;
    while (good && answers < rounds) {
        wait_queue_wake_one(&ping);
        if (wait_queue_sleep(&pong, timer_now_us() + 60000000) != 0)
            break;
        answers++;
    }
    check(answers == rounds && exchanges == rounds, "two tasks play ping-pong");
    wait_for(1);

    good = true;
    bedtime_us = timer_now_us() + 300000;
    for (const char *letter = "dbac"; *letter != '\0'; letter++)
        good = task_create("sleeper", sleeper, (void *)(uintptr_t)letter, 4096) == 0 && good;
    wait_for(4);
    check(good && order_is("abcd"), "sleepers wake in the order of their deadlines");

    good = task_create("x", turn, (void *)(uintptr_t) "x", 8192) == 0 &&
           task_create("y", turn, (void *)(uintptr_t) "y", 8192) == 0;
    wait_for(2);
    check(good && order_is("xyxyxy"), "who yields lets every other one run");

    good = task_create("look", look, NULL, 8192) == 0;
    task_yield();
    bool kept = vector_control() == 0x1f80;
    wait_for(1);
    check(good && aligned, "a task starts on an aligned stack");
    check(good && control_reset && kept, "each task has its own MXCSR");

    uint64_t start = timer_now_us();
    struct wait_queue nobody = {0};
    check(wait_queue_sleep(&nobody, start + 5000) == -ETIMEDOUT && timer_now_us() >= start + 5000,
          "a wait that nobody ends times out");

    unsigned created = 0;
    while (created <= TASKS_MAX && task_create("many", nothing, NULL, LARGEST_STACK) == 0)
        created++;
    check(created == TASKS_MAX - 1 && task_create("more", nothing, NULL, 4096) == -EAGAIN,
          "one task too many is refused");
    wait_for(created);
    check(task_create("odd", nothing, NULL, 4095) == -EINVAL &&
              task_create("none", nothing, NULL, 0) == -EINVAL &&
              task_create("huge", nothing, NULL, LARGEST_STACK + 4096) == -EINVAL,
          "stack sizes that make no sense are refused");
    struct task_statistics statistics;
    tasks_get_statistics(&statistics);
    check(statistics.count == 1, "all tasks have ended");
    uint64_t after = free_frames();
    created = 0;
    while (created <= TASKS_MAX && task_create("many", nothing, NULL, LARGEST_STACK) == 0)
        created++;
    wait_for(created);
    check(free_frames() == after && after <= before, "stacks are given back");
}

/* ---- interrupts ---- */

#define APIC_COMMAND      0x300
#define APIC_COMMAND_SELF 0x40000u /* Intel SDM volume 3, figure 11-12: shorthand "self", fixed delivery */
#define FLAG_INTERRUPT    0x200u

static volatile unsigned calls;

INTERRUPT_CODE static void count_call(void *argument)
{
    calls += *(const unsigned *)argument;
}

static bool interrupts_on(void)
{
    uint64_t flags;
    __asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags));
    return (flags & FLAG_INTERRUPT) != 0;
}

static struct interrupt_event event;

INTERRUPT_CODE static void raise_event(void *argument)
{
    interrupt_event_raise(argument);
}

/* Raises a vector on this CPU; with interrupts on, its handler has run when this returns. */
static void send_self(uint32_t vector)
{
    apic_write(APIC_COMMAND, APIC_COMMAND_SELF | vector);
    for (unsigned i = 0; i < 1000; i++)
        __asm__ volatile("pause" : : : "memory");
}

void check_interrupts(void)
{
    check(interrupts_on(), "they are on");
    uint64_t before = timer_now_us();
    interrupts_disable(); /* first: an alarm that rings before the halt ends no halt */
    timer_set_alarm(before + 10000);
    interrupts_wait();
    check(interrupts_on() && timer_now_us() > before, "an alarm ends a halt");
    interrupts_disable();
    timer_set_alarm(0);
    interrupts_wait();
    check(true, "one whose time has passed, too");

    static unsigned one = 1;
    uint64_t address = 0;
    uint32_t data = 0;
    check(interrupt_allocate(count_call, &one, &address, &data) == 0 && (address >> 20) == 0xfee,
          "a vector is allocated");
    send_self(data);
    check(calls == 1, "its handler is called, with its argument");
    interrupts_disable();
    send_self(data);
    check(calls == 1, "not while interrupts are off");
    interrupts_enable();
    send_self(INTERRUPT_VECTOR_TIMER);
    check(calls == 2, "but then");
    uint64_t spurious = interrupts_spurious();
    check(spurious == 0, "so far every interrupt was asked for");
    interrupt_free(address, data);
    send_self(data);
    check(calls == 2 && interrupts_spurious() == spurious + 1, "one that nobody asks for is counted");

    uint32_t all[256];
    unsigned count = 0;
    while (count < 256 && interrupt_allocate(count_call, &one, &address, &all[count]) == 0)
        count++;
    check(count == 0xf0 - 0x30 && interrupt_allocate(count_call, &one, &address, &data) == -ENOSPC,
          "vectors run out with an error");
    while (count > 0)
        interrupt_free(address, all[--count]);

    check(interrupt_allocate(raise_event, &event, &address, &data) == 0, "a vector for an event");
    send_self(data);
    check(interrupt_event_wait(&event, TASK_FOREVER) == 0, "an event raised before the wait is not lost");
    check(interrupt_event_wait(&event, timer_now_us() + 2000) == -ETIMEDOUT, "and announces itself once");
    interrupts_disable();
    send_self(data); /* delivered when the idle loop halts */
    check(interrupt_event_wait(&event, TASK_FOREVER) == 0 && interrupts_on(),
          "an event ends the halt of a wait");
    interrupt_free(address, data);
}
