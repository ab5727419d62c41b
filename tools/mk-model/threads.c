/* SPDX-License-Identifier: MIT */
#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "commands.h"

#define SPINS 20000 /* before others get the CPU */

struct thread {
    struct threads *threads;
    uint32_t part;
    pthread_t id;
};

struct threads {
    uint32_t count;
    void (*work)(void *argument, uint32_t part, uint32_t parts);
    void *argument;
    atomic_uint round;   /* of work; what is above was written before it rose */
    atomic_uint pending; /* threads that have not finished this round */
    atomic_bool stop;
    struct thread list[];
};

static void wait_while(atomic_uint *number, unsigned value)
{
    for (unsigned spins = 0; atomic_load_explicit(number, memory_order_acquire) == value; spins++) {
        if (spins < SPINS)
            __builtin_ia32_pause();
        else
            (void)sched_yield();
    }
}

static void *run(void *argument)
{
    struct thread *thread = argument;
    struct threads *threads = thread->threads;

    for (unsigned round = 0;; round++) {
        wait_while(&threads->round, round);
        if (atomic_load(&threads->stop))
            return NULL;
        threads->work(threads->argument, thread->part, threads->count);
        atomic_fetch_sub_explicit(&threads->pending, 1, memory_order_release);
    }
}

struct threads *threads_create(uint32_t count)
{
    struct threads *threads = calloc(1, sizeof(*threads) + count * sizeof(threads->list[0]));

    if (threads == NULL) {
        complain("no memory for threads");
        return NULL;
    }
    threads->count = 1;
    for (uint32_t i = 1; i < count; i++) {
        threads->list[i].threads = threads;
        threads->list[i].part = i;
        if (pthread_create(&threads->list[i].id, NULL, run, &threads->list[i]) != 0) {
            complain("%u threads are more than the system gives", count);
            threads_destroy(threads);
            return NULL;
        }
        threads->count++;
    }
    return threads;
}

void threads_destroy(struct threads *threads)
{
    if (threads == NULL)
        return;
    atomic_store(&threads->stop, true);
    atomic_fetch_add(&threads->round, 1);
    for (uint32_t i = 1; i < threads->count; i++)
        (void)pthread_join(threads->list[i].id, NULL);
    free(threads);
}

void threads_run(void *context, void (*work)(void *argument, uint32_t part, uint32_t parts), void *argument)
{
    struct threads *threads = context;

    threads->work = work;
    threads->argument = argument;
    atomic_store_explicit(&threads->pending, threads->count - 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&threads->round, 1, memory_order_release);
    work(argument, 0, threads->count);
    for (unsigned left = threads->count - 1; left > 0;) {
        wait_while(&threads->pending, left);
        left = atomic_load_explicit(&threads->pending, memory_order_acquire);
    }
}
