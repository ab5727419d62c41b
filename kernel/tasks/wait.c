/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <arch/interrupts.h>
#include <tasks/scheduler.h>

static struct interrupt_event *events; /* every event that a task has ever waited for */

void wait_queue_remove(struct wait_queue *queue, struct task *task)
{
    struct task *before = NULL;
    for (struct task *at = queue->first; at != NULL; before = at, at = at->next) {
        if (at != task)
            continue;
        if (before != NULL)
            before->next = at->next;
        else
            queue->first = at->next;
        if (queue->last == at)
            queue->last = before;
        break;
    }
    task->queue = NULL;
    task->next = NULL;
}

int wait_queue_sleep(struct wait_queue *queue, uint64_t deadline_us)
{
    struct task *task = task_current();
    task->next = NULL;
    task->queue = queue;
    if (queue->last != NULL)
        queue->last->next = task;
    else
        queue->first = task;
    queue->last = task;
    task_wait(deadline_us);
    return task->timed_out ? -ETIMEDOUT : 0;
}

void wait_queue_wake_one(struct wait_queue *queue)
{
    struct task *task = queue->first;
    if (task == NULL)
        return;
    wait_queue_remove(queue, task);
    task_wake(task);
}

void wait_queue_wake_all(struct wait_queue *queue)
{
    while (queue->first != NULL)
        wait_queue_wake_one(queue);
}

INTERRUPT_CODE void interrupt_event_raise(struct interrupt_event *event)
{
    event->raised = true;
}

int interrupt_event_wait(struct interrupt_event *event, uint64_t deadline_us)
{
    if (!event->registered) {
        event->registered = true;
        event->next = events;
        events = event;
    }
    if (!event->raised)
        return wait_queue_sleep(&event->waiters, deadline_us);
    event->raised = false;
    task_yield(); /* something that happens all the time does not keep the other tasks waiting */
    return 0;
}

void wait_deliver_events(void)
{
    for (struct interrupt_event *event = events; event != NULL; event = event->next)
        if (event->raised && event->waiters.first != NULL) {
            /* Lowered before the waiter looks at what it announces: what comes later raises it again. */
            event->raised = false;
            wait_queue_wake_all(
                &event->waiters); /* each may be waiting for something else that it announces */
        }
}

bool wait_events_pending(void)
{
    for (const struct interrupt_event *event = events; event != NULL; event = event->next)
        if (event->raised && event->waiters.first != NULL)
            return true;
    return false;
}
