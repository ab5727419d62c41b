/* SPDX-License-Identifier: MIT
 *
 * The tasks that do what may take long, while the rest of the service goes on: one for what waits for the
 * host's share, and a few that infer, taking turns at every yield of the model.
 */
#ifndef KERNEL_SERVICE_WORKERS_H
#define KERNEL_SERVICE_WORKERS_H

#include <stdbool.h>

#include <service/job_queue.h>

enum workers_kind {
    WORKERS_SHARE,    /* loads and lists: one after the other */
    WORKERS_INFERENCE /* as many at a time as there are tasks, of one owner one less; the others wait */
};

/* Starts the tasks. Returns 0 or a negative errno. */
int workers_start(void);

/* Queues a job; `queued_at` is filled in. One that has waited for a minute when its turn comes is refused:
 * its client has given up. So is one that is unwanted, then or when its place is needed. Returns 0, or
 * -EAGAIN when too many wait already. */
int workers_queue(enum workers_kind kind, const struct job *job);

/* How many jobs of an owner wait or run. */
size_t workers_jobs_of(uint64_t owner);

/* Whether the running task's job has become unwanted: it should end. False in other tasks. Its
 * argument is looked at, so a job that has answered and freed that must not ask, nor yield. */
bool workers_job_is_unwanted(void);

#endif
