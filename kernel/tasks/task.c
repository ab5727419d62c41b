/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/interrupts.h>
#include <arch/mmu.h>
#include <arch/timer.h>
#include <memory/frames.h>
#include <panic.h>
#include <tasks/scheduler.h>

/* Each task owns a slot of address space: a guard page, then room for the stack, which ends at the slot's
 * end. */
#define SLOT_SIZE      (64u * 1024)
#define STACK_SIZE_MAX (SLOT_SIZE - MMU_PAGE_SIZE)

static struct task tasks[TASKS_MAX];
static struct task *current;
static struct task *ready_first, *ready_last;
static struct task *sleepers; /* sorted by deadline */
static struct task_statistics statistics;

static uintptr_t slot_of(const struct task *task)
{
    return mmu_layout.stacks + (uintptr_t)(task - tasks) * SLOT_SIZE;
}

struct task *task_current(void)
{
    return current;
}

void task_make_ready(struct task *task)
{
    task->state = TASK_READY;
    task->next = NULL;
    if (ready_last != NULL)
        ready_last->next = task;
    else
        ready_first = task;
    ready_last = task;
}

static void sleepers_add(struct task *task)
{
    struct task **at = &sleepers;
    while (*at != NULL && (*at)->deadline_us <= task->deadline_us)
        at = &(*at)->next_sleeper;
    task->next_sleeper = *at;
    *at = task;
}

static void sleepers_remove(struct task *task)
{
    for (struct task **at = &sleepers; *at != NULL; at = &(*at)->next_sleeper) {
        if (*at == task) {
            *at = task->next_sleeper;
            break;
        }
    }
    task->deadline_us = TASK_FOREVER;
}

void task_wake(struct task *task)
{
    if (task->deadline_us != TASK_FOREVER)
        sleepers_remove(task);
    task_make_ready(task);
}

static void wake_expired(void)
{
    if (sleepers == NULL)
        return;
    uint64_t now = timer_now_us();
    while (sleepers != NULL && sleepers->deadline_us <= now) {
        struct task *task = sleepers;
        task->timed_out = true;
        if (task->queue != NULL)
            wait_queue_remove(task->queue, task);
        task_wake(task);
    }
}

static void release_stack(struct task *task)
{
    for (uintptr_t page = task->stack_bottom; page < task->stack_top; page += MMU_PAGE_SIZE) {
        uint64_t frame;
        if (mmu_query(page, &frame, NULL)) {
            (void)mmu_unmap(page, MMU_PAGE_SIZE); /* one small page: nothing to split */
            frames_free(frame, 1);
        }
    }
    task->stack_bottom = task->stack_top = 0;
}

/* Tasks that ended give their stack back when another one runs. */
static void bury_ended(void)
{
    for (size_t i = 0; i < TASKS_MAX; i++) {
        if (tasks[i].state == TASK_ENDED) {
            release_stack(&tasks[i]);
            tasks[i].state = TASK_FREE;
            statistics.count--;
        }
    }
}

static void idle(void)
{
    uint64_t before = timer_now_us();
    interrupts_disable();
    if (wait_events_pending()) {
        interrupts_enable();
        return;
    }
    timer_set_alarm(sleepers != NULL ? sleepers->deadline_us : TASK_FOREVER);
    interrupts_wait();
    statistics.idle_us += timer_now_us() - before;
}

static void schedule(void)
{
    struct task *previous = current;
    for (;;) {
        wait_deliver_events();
        wake_expired();
        if (ready_first != NULL)
            break;
        idle();
    }
    struct task *next = ready_first;
    ready_first = next->next;
    if (ready_first == NULL)
        ready_last = NULL;
    next->state = TASK_RUNNING;
    if (next == previous)
        return;
    statistics.switches++;
    current = next;
    cpu_switch(&previous->stack_pointer, next->stack_pointer);
    bury_ended();
}

static void task_start(void *argument)
{
    struct task *task = argument;
    bury_ended();
    task->entry(task->argument);
    task->state = TASK_ENDED;
    schedule();
    panic("task '%s' ran on after its end", task->name);
}

void tasks_initialise(const char *name)
{
    current = &tasks[0];
    current->state = TASK_RUNNING;
    current->deadline_us = TASK_FOREVER;
    strncpy(current->name, name, TASK_NAME_MAX);
    statistics.count = 1;
}

int task_create(const char *name, void (*entry)(void *argument), void *argument, size_t stack_size)
{
    if (stack_size == 0 || stack_size % MMU_PAGE_SIZE != 0 || stack_size > STACK_SIZE_MAX)
        return -EINVAL;
    struct task *task = NULL;
    for (size_t i = 0; i < TASKS_MAX && task == NULL; i++)
        if (tasks[i].state == TASK_FREE)
            task = &tasks[i];
    if (task == NULL)
        return -EAGAIN;

    memset(task, 0, sizeof *task);
    task->stack_top = slot_of(task) + SLOT_SIZE;
    task->stack_bottom = task->stack_top - stack_size;
    for (uintptr_t page = task->stack_bottom; page < task->stack_top; page += MMU_PAGE_SIZE) {
        uint64_t frame;
        int error = frames_alloc(1, MMU_PAGE_SIZE, &frame);
        if (error == 0) {
            error = mmu_map(frame, page, MMU_PAGE_SIZE, MMU_WRITE);
            if (error != 0)
                frames_free(frame, 1);
        }
        if (error != 0) {
            release_stack(task);
            return -ENOMEM;
        }
    }
    strncpy(task->name, name, TASK_NAME_MAX);
    task->entry = entry;
    task->argument = argument;
    task->deadline_us = TASK_FOREVER;
    task->stack_pointer = cpu_prepare_stack((void *)task->stack_top, task_start, task);
    statistics.count++;
    task_make_ready(task);
    return 0;
}

void task_yield(void)
{
    wait_deliver_events();
    wake_expired();
    if (ready_first == NULL)
        return;
    task_make_ready(current);
    schedule();
}

void task_wait(uint64_t deadline_us)
{
    current->state = TASK_WAITING;
    current->timed_out = false;
    current->deadline_us = deadline_us;
    if (deadline_us != TASK_FOREVER)
        sleepers_add(current);
    schedule();
}

void task_sleep_until(uint64_t deadline_us)
{
    task_wait(deadline_us);
}

const char *task_name(void)
{
    return current != NULL ? current->name : "boot";
}

void *task_argument(void)
{
    return current != NULL ? current->argument : NULL;
}

bool task_stack(uintptr_t *guard, uintptr_t *bottom, uintptr_t *top)
{
    if (current == NULL || current->stack_top == 0)
        return false;
    *guard = current->stack_bottom - MMU_PAGE_SIZE;
    *bottom = current->stack_bottom;
    *top = current->stack_top;
    return true;
}

const char *task_guard_owner(uintptr_t address)
{
    for (size_t i = 0; i < TASKS_MAX; i++)
        if (tasks[i].stack_top != 0 && address < tasks[i].stack_bottom && address >= slot_of(&tasks[i]))
            return tasks[i].name;
    return NULL;
}

void tasks_get_statistics(struct task_statistics *result)
{
    *result = statistics;
}
