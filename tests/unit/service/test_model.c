/* SPDX-License-Identifier: MIT
 *
 * The model: replaced, while some still use the one before.
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
#include <memory/frames.h>
#include <service/model.h>
#include <service/share.h>
#include <service/workers.h>
#include <tasks/task.h>

static uint64_t now;
static const struct airt_hooks *model_hooks; /* that the model was loaded with */
/* ---- the machine ---- */

struct mmu_layout mmu_layout;

uint64_t timer_now_us(void)
{
    return now;
}

void task_yield(void)
{
}

int workers_start(void)
{
    return 0;
}

static bool unwanted;

bool workers_job_is_unwanted(void)
{
    return unwanted;
}

struct budget client_pool = {.limit = 1000, .used = 400};

void frames_get_statistics(struct frames_statistics *statistics)
{
    *statistics = (struct frames_statistics){.free = UINT64_C(100) << 20};
}

/* ---- the runtime, which only takes the hooks, and no share ---- */

static char models[20];
static size_t loads, unloaded[20];
static uint64_t memory_max;

int airt_load_with(const struct airt_hooks *hooks, const struct airt_options *options,
                   const struct airt_source *source, struct airt_model **model, struct airt_error *error)
{
    (void)source;
    (void)error;
    model_hooks = hooks;
    memory_max = options->memory_max;
    *model = (struct airt_model *)(void *)&models[loads++];
    return 0;
}

void airt_unload(struct airt_model *model)
{
    unloaded[(char *)model - models]++;
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

/* ---- tests ---- */

static int start(void **state)
{
    static const struct boot_info boot = {.range_count = 1,
                                          .module_count = 1,
                                          .ranges = {{.base = 0, .size = 4096}},
                                          .modules = {{.base = 0, .size = 10, .name = "a.kv"}}};
    (void)state;
    return model_start(&boot, "", NULL);
}

static size_t number_of(const struct airt_model *model)
{
    return (size_t)((const char *)model - models);
}

static void load_another(void)
{
    struct airt_error error;
    assert_int_equal(model_load("a.kv", &error), 0);
}

static void one_that_nobody_uses_goes_at_once(void **state)
{
    (void)state;
    size_t before = number_of(model_get());
    load_another();
    assert_int_equal(unloaded[before], 1);
    assert_int_equal(number_of(model_get()), before + 1);
    assert_int_equal(unloaded[before + 1], 0);
}

static void one_in_use_stays_until_it_is_released(void **state)
{
    (void)state;
    struct airt_model *first = model_hold(), *again = model_hold();
    assert_ptr_equal(first, again);
    load_another();
    struct airt_model *second = model_hold();
    assert_ptr_not_equal(first, second);
    model_release(first);
    assert_int_equal(unloaded[number_of(first)], 0);
    model_release(again);
    assert_int_equal(unloaded[number_of(first)], 1);
    model_release(second); /* it answers */
    assert_int_equal(unloaded[number_of(second)], 0);
    assert_ptr_equal(model_get(), second);
}

/* More of them than tasks there are not; if there were, the load would be refused and nothing lost. */
static void too_many_in_use(void **state)
{
    (void)state;
    struct airt_model *held[8];
    struct airt_error error;
    size_t count = 0;
    int result;
    do {
        held[count++] = model_hold();
        result = model_load("a.kv", &error);
    } while (result == 0 && count < 8);
    assert_int_equal(result, -EBUSY);
    assert_true(count == 8 && error.text[0] != '\0');
    assert_ptr_equal(model_get(), held[count - 1]);
    assert_int_equal(unloaded[loads - 1], 1);
    while (count > 0)
        model_release(held[--count]);
    load_another();
}

static void what_loads_stops_with_its_job(void **state)
{
    (void)state;
    assert_int_equal(model_hooks->yield(model_hooks->context), 0);
    unwanted = true;
    assert_int_not_equal(model_hooks->yield(model_hooks->context), 0);
    unwanted = false;
    now = 77;
    assert_int_equal(model_hooks->clock_us(model_hooks->context), 77);
    /* Something is left for the clients and for the kernel. */
    assert_true(memory_max < (UINT64_C(100) << 20) - 600 && memory_max > (UINT64_C(90) << 20));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_that_nobody_uses_goes_at_once, start),
        cmocka_unit_test(one_in_use_stays_until_it_is_released),
        cmocka_unit_test(too_many_in_use),
        cmocka_unit_test(what_loads_stops_with_its_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
