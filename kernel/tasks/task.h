/* SPDX-License-Identifier: MIT
 *
 * Cooperative tasks on one CPU, and what they wait for. A task runs until it waits, yields or ends, so that
 * nothing between these needs a lock. Interrupts only raise events; the tasks that wait for them run at the
 * next switch.
 */
#ifndef KERNEL_TASKS_TASK_H
#define KERNEL_TASKS_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TASKS_MAX       16
#define TASK_STACK_SIZE (32ul * 1024) /* what most tasks need */
#define TASK_NAME_MAX   15
#define TASK_FOREVER    UINT64_MAX

struct task;

/* Makes the caller, on the boot stack, the first task. */
void tasks_initialise(const char *name);

/* Starts entry(argument) on a stack of `stack_size` bytes (a multiple of 4096, at most 60 KiB) with a guard
 * page below; it first runs when the caller waits or yields, and ends when it returns. Returns 0, -EAGAIN
 * (TASKS_MAX), -ENOMEM, -EINVAL. */
int task_create(const char *name, void (*entry)(void *argument), void *argument, size_t stack_size);

/* Lets every other ready task run once. Returns at once when there is none and no event is raised. */
void task_yield(void);

/* Returns at `deadline_us` of timer_now_us, or a little later. */
void task_sleep_until(uint64_t deadline_us);

const char *task_name(void); /* of the running task */
void *task_argument(void);   /* that it was created with; NULL for the first one */

/* The running task's stack, for the panic's report: false before tasks_initialise and on the boot stack. Any
 * context. */
bool task_stack(uintptr_t *guard, uintptr_t *bottom, uintptr_t *top);

/* Whose guard page an address lies in, or NULL. Any context. */
const char *task_guard_owner(uintptr_t address);

struct task_statistics {
    uint32_t count;    /* alive */
    uint64_t switches; /* ever */
    uint64_t idle_us;  /* spent with the CPU halted */
};
void tasks_get_statistics(struct task_statistics *result);

/* ---- waiting ---- */

/* Tasks that wait for the same thing, first come first served. The zero value is empty. */
struct wait_queue {
    struct task *first, *last;
};

/* Waits until woken or until `deadline_us` (TASK_FOREVER: no limit). Returns 0 or -ETIMEDOUT. */
int wait_queue_sleep(struct wait_queue *queue, uint64_t deadline_us);
void wait_queue_wake_one(struct wait_queue *queue);
void wait_queue_wake_all(struct wait_queue *queue);

/* Something that an interrupt handler announces. It stays raised until a task has waited for it. */
struct interrupt_event {
    volatile bool raised;
    bool registered;
    struct wait_queue waiters;
    struct interrupt_event *next;
};

/* Interrupt context, or any other. */
void interrupt_event_raise(struct interrupt_event *event);

/* Waits until it is raised, and lowers it; every other ready task runs once even if it is raised already.
 * Returns 0 or -ETIMEDOUT. */
int interrupt_event_wait(struct interrupt_event *event, uint64_t deadline_us);

#endif
