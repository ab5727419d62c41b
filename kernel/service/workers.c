/* SPDX-License-Identifier: MIT */
#include <arch/timer.h>
#include <service/workers.h>
#include <tasks/task.h>

#define STACK_SIZE      (48 * 1024)
#define PATIENCE_US     UINT64_C(60000000)
#define INFERENCE_TASKS 4

static struct kind {
    struct job_queue jobs;
    struct wait_queue waiters;
} kinds[2];

/* What a task is given. */
struct worker {
    struct kind *kind;
    const struct job *running; /* NULL: none */
};

static struct worker workers[1 + INFERENCE_TASKS];

/* Who has all the tasks of a kind but one: that one is for others. A kind of one task has no such owner. */
static uint64_t greedy_owner(const struct kind *kind)
{
    uint64_t owner = JOB_NOBODY;
    size_t tasks = 0, most = 0;
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++) {
        if (workers[i].kind != kind)
            continue;
        tasks++;
        size_t running = 0;
        for (size_t j = 0; j < sizeof workers / sizeof workers[0]; j++)
            running += workers[i].running != NULL && workers[j].kind == kind && workers[j].running != NULL &&
                               workers[j].running->owner == workers[i].running->owner
                           ? 1
                           : 0;
        if (running > most) {
            most = running;
            owner = workers[i].running->owner;
        }
    }
    return tasks > 1 && most >= tasks - 1 ? owner : JOB_NOBODY;
}

static void work(void *argument)
{
    struct worker *worker = argument;
    struct kind *kind = worker->kind;
    for (;;) {
        struct job job;
        while (!job_queue_take(&kind->jobs, greedy_owner(kind), &job))
            (void)wait_queue_sleep(&kind->waiters, TASK_FOREVER);
        worker->running = &job;
        if (timer_now_us() - job.queued_at < PATIENCE_US && !job.unwanted(job.argument))
            job.run(job.argument);
        else
            job.refuse(job.argument);
        worker->running = NULL;
        task_yield(); /* short jobs never yield by themselves, and a queue of them is long */
    }
}

int workers_start(void)
{
    int error = 0;
    for (size_t i = 0; i < sizeof workers / sizeof workers[0] && error == 0; i++) {
        workers[i].kind = &kinds[i == 0 ? WORKERS_SHARE : WORKERS_INFERENCE];
        error = task_create(i == 0 ? "share" : "inference", work, &workers[i], STACK_SIZE);
    }
    return error;
}

int workers_queue(enum workers_kind kind, const struct job *job)
{
    struct kind *queue = &kinds[kind];
    struct job queued = *job;
    queued.queued_at = timer_now_us();
    int error = job_queue_add(&queue->jobs, &queued);
    if (error != 0) {
        struct job unwanted;
        while (job_queue_take_unwanted(&queue->jobs, &unwanted))
            unwanted.refuse(unwanted.argument);
        error = job_queue_add(&queue->jobs, &queued);
    }
    if (error == 0)
        wait_queue_wake_one(&queue->waiters);
    return error;
}

size_t workers_jobs_of(uint64_t owner)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        count += job_queue_count(&kinds[i].jobs, owner);
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++)
        count += workers[i].running != NULL && workers[i].running->owner == owner ? 1 : 0;
    return count;
}

bool workers_job_is_unwanted(void)
{
    const struct worker *worker = task_argument();
    if (worker < workers || worker >= workers + sizeof workers / sizeof workers[0])
        return false;
    return worker->running != NULL && worker->running->unwanted(worker->running->argument);
}
