/* SPDX-License-Identifier: MIT
 *
 * The model's task: whose jobs are done, and which are stopped.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <arch/mmu.h>
#include <arch/timer.h>
#include <hooks/library_memory.h>
#include <logging/log.h>
#include <service/model.h>
#include <service/share.h>
#include <tasks/task.h>

static uint64_t now;
static const struct airt_hooks *model_hooks; /* that the model was loaded with */
static void (*model_task)(void *argument);
static jmp_buf idle;

/* ---- the machine ---- */

struct mmu_layout mmu_layout;

uint64_t timer_now_us(void)
{
    return now;
}

int task_create(const char *name, void (*entry)(void *argument), void *argument, size_t stack_size)
{
    (void)name;
    (void)argument;
    (void)stack_size;
    model_task = entry;
    return 0;
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

/* Lets the task do all jobs. */
static void run(void)
{
    if (setjmp(idle) == 0)
        model_task(NULL);
}

/* ---- the runtime, which only takes the hooks, and no share ---- */

int airt_load(const struct airt_hooks *hooks, const struct airt_source *source, struct airt_model **model,
              struct airt_error *error)
{
    static char loaded;
    (void)source;
    (void)error;
    model_hooks = hooks;
    *model = (struct airt_model *)(void *)&loaded;
    return 0;
}

void airt_unload(struct airt_model *model)
{
    (void)model;
}

void airt_describe(const struct airt_model *model, struct airt_description *description)
{
    (void)model;
    *description = (struct airt_description){.format = "none"};
}

void *kernel_airt_alloc(void *context, size_t size)
{
    (void)context;
    (void)size;
    return NULL;
}

void kernel_airt_free(void *context, void *memory, size_t size)
{
    (void)context;
    (void)memory;
    (void)size;
}

struct virtio_fs *share_get(void)
{
    return NULL;
}

bool share_is_known(void)
{
    return false;
}

const char *share_tag(void)
{
    return NULL;
}

int virtio_fs_open(struct virtio_fs *fs, const char *path, struct virtio_fs_file **file)
{
    (void)fs;
    (void)path;
    (void)file;
    return -ENOENT;
}

void virtio_fs_close(struct virtio_fs_file *file)
{
    (void)file;
}

uint64_t virtio_fs_file_size(const struct virtio_fs_file *file)
{
    (void)file;
    return 0;
}

int virtio_fs_read(struct virtio_fs_file *file, uint64_t offset, void *memory, size_t size)
{
    (void)file;
    (void)offset;
    (void)memory;
    (void)size;
    return -EIO;
}

const char *virtio_fs_tag(const struct virtio_fs *fs)
{
    (void)fs;
    return "";
}

/* ---- jobs ---- */

struct work {
    bool cancelled;
    unsigned asked, done, refused;
    int yielded; /* what the runtime heard when it yielded during the job */
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
    work->yielded = model_hooks->yield(model_hooks->context);
}

static void refuse_work(void *argument)
{
    ((struct work *)argument)->refused++;
}

static int queue(struct work *work, uint64_t owner)
{
    const struct job job = {
        .run = do_work, .refuse = refuse_work, .unwanted = is_unwanted, .argument = work, .owner = owner};
    return model_queue(&job);
}

static int start(void **state)
{
    static const struct boot_info boot = {.range_count = 1,
                                          .module_count = 1,
                                          .ranges = {{.base = 0, .size = 4096}},
                                          .modules = {{.base = 0, .size = 10, .name = "a.kv"}}};
    (void)state;
    return model_start(&boot, "");
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
    assert_int_equal(model_hooks->yield(model_hooks->context), 0); /* no job, nobody to ask */
    assert_int_equal(model_queue(&cancelled), 0);
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
    assert_int_equal(model_hooks->yield(model_hooks->context), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_job_is_asked_about_itself_alone, start),
        cmocka_unit_test_setup(what_nobody_wants_is_not_done, start),
        cmocka_unit_test_setup(the_places_of_those_who_left_are_free, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
