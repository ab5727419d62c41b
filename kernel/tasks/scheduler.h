/* SPDX-License-Identifier: MIT
 *
 * Between task.c and wait.c only.
 */
#ifndef KERNEL_TASKS_SCHEDULER_H
#define KERNEL_TASKS_SCHEDULER_H

#include <tasks/task.h>

enum task_state { TASK_FREE, TASK_READY, TASK_RUNNING, TASK_WAITING, TASK_ENDED };

struct task {
    void *stack_pointer;
    enum task_state state;
    char name[TASK_NAME_MAX + 1];
    bool timed_out;                    /* the last wait ended by its deadline */
    uintptr_t stack_bottom, stack_top; /* 0 for the first task: it runs on the boot stack */
    struct task *next;                 /* in the ready list or in a wait queue */
    struct wait_queue *queue;          /* which it waits in, or NULL */
    struct task *next_sleeper;         /* in the list sorted by deadline */
    uint64_t deadline_us;              /* TASK_FOREVER: not in that list */
    void (*entry)(void *argument);
    void *argument;
};

struct task *task_current(void);
void task_make_ready(struct task *task);

/* Puts the running task to sleep until task_wake, or until the deadline; the caller has put it into a queue,
 * if any. */
void task_wait(uint64_t deadline_us);

/* Ends a wait: takes the task out of the sleepers and makes it ready. The caller has taken it out of its
 * queue. */
void task_wake(struct task *task);

/* wait.c: lowers each raised event that somebody waits for, and wakes all who do. */
void wait_deliver_events(void);
/* Whether a raised event has a waiter. Interrupts off. */
bool wait_events_pending(void);
void wait_queue_remove(struct wait_queue *queue, struct task *task);

#endif
