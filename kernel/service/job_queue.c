/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <service/job_queue.h>

int job_queue_add(struct job_queue *queue, const struct job *job)
{
    uint64_t round = queue->last_owner == job->owner ? queue->round + 1 : queue->round;
    size_t owned = 0;
    for (size_t i = 0; i < queue->count; i++) {
        const struct queued_job *queued = &queue->jobs[i];
        if (queued->job.owner != job->owner)
            continue;
        owned++;
        if (queued->round >= round)
            round = queued->round + 1;
    }
    if (queue->count == JOBS_MAX || (queue->count >= JOBS_MAX / 2 && owned >= JOBS_OF_OWNER_WHEN_BUSY))
        return -EAGAIN;
    queue->jobs[queue->count++] = (struct queued_job){*job, round};
    return 0;
}

static void take(struct job_queue *queue, size_t index, struct job *job)
{
    *job = queue->jobs[index].job;
    queue->count--;
    memmove(&queue->jobs[index], &queue->jobs[index + 1], (queue->count - index) * sizeof queue->jobs[0]);
}

bool job_queue_take(struct job_queue *queue, uint64_t passed_over, struct job *job)
{
    size_t first = queue->count;
    for (size_t i = 0; i < queue->count; i++)
        if (queue->jobs[i].job.owner != passed_over &&
            (first == queue->count || queue->jobs[i].round < queue->jobs[first].round))
            first = i;
    if (first == queue->count)
        return false;
    queue->round = queue->jobs[first].round;
    take(queue, first, job);
    queue->last_owner = job->owner;
    return true;
}

size_t job_queue_count(const struct job_queue *queue, uint64_t owner)
{
    size_t count = 0;
    for (size_t i = 0; i < queue->count; i++)
        count += queue->jobs[i].job.owner == owner ? 1 : 0;
    return count;
}

bool job_queue_take_unwanted(struct job_queue *queue, struct job *job)
{
    for (size_t i = 0; i < queue->count; i++) {
        if (queue->jobs[i].job.unwanted(queue->jobs[i].job.argument)) {
            take(queue, i, job);
            return true;
        }
    }
    return false;
}
