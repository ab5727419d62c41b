/* SPDX-License-Identifier: MIT
 *
 * Jobs that wait for one worker, fairly: the owners of jobs take turns, however many each has queued.
 * (Start-time fair queuing with jobs of equal size, Goyal et al., SIGCOMM 1996.) Work per call is linear in
 * JOBS_MAX.
 */
#ifndef KERNEL_SERVICE_JOB_QUEUE_H
#define KERNEL_SERVICE_JOB_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOBS_MAX 256
/* Of one owner, once half of the places are taken: so there is one for everybody. */
#define JOBS_OF_OWNER_WHEN_BUSY 2

struct job {
    void (*run)(void *argument);
    void (*refuse)(void *argument);   /* instead of run, when it has waited too long, or nobody wants it */
    bool (*unwanted)(void *argument); /* whether nobody waits for the result any more */
    void *argument;
    uint64_t owner;
    uint64_t queued_at;
};

/* The zero value is empty. */
struct job_queue {
    struct queued_job {
        struct job job;
        uint64_t round;
    } jobs[JOBS_MAX]; /* in order of arrival */
    size_t count;
    uint64_t last_owner; /* whose job was taken last, */
    uint64_t round;      /* and its round */
};

/* Returns 0, or -EAGAIN when the queue, or this owner's part of it, is full. */
int job_queue_add(struct job_queue *queue, const struct job *job);

#define JOB_NOBODY UINT64_MAX /* as an owner */

/* Takes the next job that is not of the owner `passed_over`. Returns whether there is one. */
bool job_queue_take(struct job_queue *queue, uint64_t passed_over, struct job *job);

/* How many jobs of the owner wait. */
size_t job_queue_count(const struct job_queue *queue, uint64_t owner);

/* Takes a job that is unwanted. Returns whether there is one. */
bool job_queue_take_unwanted(struct job_queue *queue, struct job *job);

#endif
