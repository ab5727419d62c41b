/* SPDX-License-Identifier: MIT
 *
 * Each task writes letters; what comes out says who ran when.
 */
#ifndef TASKS_FIXTURE_H
#define TASKS_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <tasks/task.h>

#include "fake_machine.h"

#define STACK ((size_t)16 * 4096 - 4096) /* the most; ASan's frames are large */

static char trace[256];

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

static void write_thrice(void *argument)
{
    for (unsigned i = 0; i < 3; i++) {
        note(*(const char *)argument);
        task_yield();
    }
}

#endif
