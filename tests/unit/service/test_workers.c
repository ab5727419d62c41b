/* SPDX-License-Identifier: MIT
 *
 * The workers: whose jobs are done, by which task, and which are stopped.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <arch/timer.h>
#include <service/workers.h>
#include <tasks/task.h>

#define TASKS 8

static uint64_t now;
static struct {
    void (*entry)(void *argument);
    void *argument;
} tasks[TASKS];
static size_t task_count, task_current = TASKS;
static jmp_buf idle;

/* ---- the machine ---- */

uint64_t timer_now_us(void)
{
    return now;
}

int task_create(const char *name, void (*entry)(void *argument), void *argument, size_t stack_size)
{
    (void)name;
    (void)stack_size;
    tasks[task_count].entry = entry;
    tasks[task_count++].argument = argument;
    return 0;
}

void *task_argument(void)
{
    return task_current < TASKS ? tasks[task_current].argument : NULL;
}

void task_yield(void)
{
}

int wait_queue_sleep(struct wait_queue *queue, uint64_t deadline)
{
    (void)queue;
    (void)deadline;
    longjmp(idle, 1);
}

void wait_queue_wake_one(struct wait_queue *queue)
{
    (void)queue;
}

/* Lets one task do all jobs that it finds. */
static void run_task(size_t number)
{
    task_current = number;
    if (setjmp(idle) == 0)
        tasks[number].entry(tasks[number].argument);
    task_current = TASKS;
}

static void run(void)
{
    run_task(1);
}

/* ---- jobs ---- */

struct work {
    bool cancelled;
    unsigned asked, done, refused;
    int yielded; /* what was said about the job while it ran */
};

static bool is_unwanted(void *argument)
{
    struct work *work = argument;
    work->asked++;
    return work->cancelled;
}

static void do_work(void *argument)
{
    struct work *work = argument;
    work->done++;
    work->yielded = workers_job_is_unwanted();
}

static void refuse_work(void *argument)
{
    ((struct work *)argument)->refused++;
}

static int queue(struct work *work, uint64_t owner)
{
    const struct job job = {
        .run = do_work, .refuse = refuse_work, .unwanted = is_unwanted, .argument = work, .owner = owner};
    return workers_queue(WORKERS_INFERENCE, &job);
}

static int start(void **state)
{
    (void)state;
    task_count = 0;
    return workers_start();
}

static void cancel_and_do(void *argument)
{
    ((struct work *)argument)->cancelled = true;
    do_work(argument);
}

static void a_job_is_asked_about_itself_alone(void **state)
{
    (void)state;
    struct work first = {0}, second = {0};
    const struct job cancelled = {
        .run = cancel_and_do, .refuse = refuse_work, .unwanted = is_unwanted, .argument = &first, .owner = 1};
    assert_false(workers_job_is_unwanted()); /* no job, nobody to ask */
    assert_int_equal(workers_queue(WORKERS_INFERENCE, &cancelled), 0);
    run();
    assert_int_equal(first.done, 1);
    assert_int_equal(first.yielded, 1);
    unsigned asked = first.asked;
    assert_int_equal(queue(&second, 1), 0);
    run();
    assert_int_equal(second.done, 1);
    assert_int_equal(second.yielded, 0);
    assert_int_equal(first.asked, asked);
    asked = second.asked;
    task_current = 1;
    assert_false(workers_job_is_unwanted());
    task_current = TASKS;
    assert_int_equal(second.asked, asked); /* it is over, and its memory another's */
}

static void what_nobody_wants_is_not_done(void **state)
{
    (void)state;
    struct work gone = {.cancelled = true}, late = {0}, wanted = {0};
    assert_int_equal(queue(&late, 1), 0);
    now += UINT64_C(60000000);
    assert_int_equal(queue(&gone, 1), 0);
    assert_int_equal(queue(&wanted, 1), 0);
    run();
    assert_int_equal(gone.refused, 1);
    assert_int_equal(late.refused, 1);
    assert_int_equal(wanted.done, 1);
    assert_int_equal(gone.done + late.done + wanted.refused, 0);
}

/* A client that queues, leaves and comes again does not keep the others out. */
static void the_places_of_those_who_left_are_free(void **state)
{
    (void)state;
    static struct work works[JOBS_MAX], other, more;
    uint64_t owner = 1;
    for (size_t i = 0; i < JOBS_MAX; i++)
        assert_int_equal(queue(&works[i], owner + i / 2), 0);
    assert_int_equal(queue(&other, 1000), -EAGAIN);
    for (size_t i = 0; i < 10; i++)
        works[i].cancelled = true;
    assert_int_equal(queue(&other, 1000), 0);
    assert_int_equal(queue(&more, 1001), 0);
    unsigned refused = 0;
    for (size_t i = 0; i < JOBS_MAX; i++)
        refused += works[i].refused;
    assert_int_equal(refused, 10);
    run();
    assert_int_equal(other.done + more.done, 2);
}

/* What waits for the host keeps nobody from inferring, and the other way round. */
static void each_kind_has_its_own_tasks(void **state)
{
    (void)state;
    struct work slow = {0}, quick = {0};
    const struct job share = {
        .run = do_work, .refuse = refuse_work, .unwanted = is_unwanted, .argument = &slow, .owner = 1};
    assert_true(task_count >= 3);
    assert_int_equal(workers_queue(WORKERS_SHARE, &share), 0);
    assert_int_equal(queue(&quick, 1), 0);
    run_task(task_count - 1);
    assert_int_equal(quick.done, 1);
    assert_int_equal(slow.done, 0);
    run_task(0);
    assert_int_equal(slow.done, 1);
}

static struct work inner;
static size_t depth, most_of_one;

/* Each job lets the next task run, as long as there are jobs for it. */
static void nest(void *argument)
{
    struct work *work = argument;
    jmp_buf outer;
    size_t here = task_current;
    work->done++;
    depth++;
    if (workers_jobs_of(7) > 0 && here + 1 < task_count) {
        memcpy(outer, idle, sizeof outer);
        run_task(here + 1);
        memcpy(idle, outer, sizeof outer);
        task_current = here;
    }
    most_of_one = depth > most_of_one ? depth : most_of_one;
    depth--;
}

/* One owner's jobs never have all the tasks: the last one is for others. */
static void one_task_is_left_for_others(void **state)
{
    (void)state;
    static struct work works[20], other;
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        const struct job job = {
            .run = nest, .refuse = refuse_work, .unwanted = is_unwanted, .argument = &works[i], .owner = 7};
        assert_int_equal(workers_queue(WORKERS_INFERENCE, &job), 0);
    }
    assert_int_equal(workers_jobs_of(7), 20);
    assert_int_equal(workers_jobs_of(8), 0);
    run_task(1);
    assert_int_equal(most_of_one, task_count - 2); /* one of them is the share's */
    assert_int_equal(workers_jobs_of(7), 0);
    assert_int_equal(queue(&other, 8), 0);
    run_task(1);
    assert_int_equal(other.done, 1);
}

/* Another task's job runs while this one yields. */
static void yield_to_another(void *argument)
{
    struct work *work = argument;
    jmp_buf outer;
    memcpy(outer, idle, sizeof outer);
    assert_int_equal(queue(&inner, 2), 0);
    run_task(2);
    memcpy(idle, outer, sizeof outer);
    task_current = 1;
    work->cancelled = true;
    work->done++;
    work->yielded = workers_job_is_unwanted();
}

static void tasks_know_their_own_jobs(void **state)
{
    (void)state;
    struct work outer = {0};
    const struct job job = {.run = yield_to_another,
                            .refuse = refuse_work,
                            .unwanted = is_unwanted,
                            .argument = &outer,
                            .owner = 1};
    memset(&inner, 0, sizeof inner);
    assert_int_equal(workers_queue(WORKERS_INFERENCE, &job), 0);
    run_task(1);
    assert_int_equal(inner.done, 1);
    assert_int_equal(inner.yielded, 0);
    assert_int_equal(outer.done, 1);
    assert_int_equal(outer.yielded, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_job_is_asked_about_itself_alone, start),
        cmocka_unit_test_setup(what_nobody_wants_is_not_done, start),
        cmocka_unit_test_setup(the_places_of_those_who_left_are_free, start),
        cmocka_unit_test_setup(each_kind_has_its_own_tasks, start),
        cmocka_unit_test_setup(tasks_know_their_own_jobs, start),
        cmocka_unit_test_setup(one_task_is_left_for_others, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
