/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <arch/mmu.h>
#include <arch/timer.h>
#include <hooks/library_memory.h>
#include <logging/log.h>
#include <service/model.h>
#include <tasks/task.h>

#define MODEL_STACK_SIZE (48 * 1024)

struct job {
    void (*run)(void *argument);
    void *argument;
};

static struct job jobs[MODEL_JOBS_MAX];
static size_t job_first, job_count;
static struct wait_queue job_waiters;
static struct airt_model *current;
static const struct boot_info *boot_modules;

static struct {
    bool (*stop)(void *argument);
    void *argument;
} stopper;

static int yield(void *context)
{
    (void)context;
    task_yield();
    return stopper.stop != NULL && stopper.stop(stopper.argument);
}

const struct airt_hooks *model_hooks(bool (*stop)(void *argument), void *argument)
{
    static const struct airt_hooks hooks = {
        .alloc = kernel_airt_alloc, .free = kernel_airt_free, .yield = yield};
    stopper.stop = stop;
    stopper.argument = argument;
    return &hooks;
}

static const struct boot_module *find_module(const char *name)
{
    for (size_t i = 0; i < boot_modules->module_count; i++)
        if (strcmp(boot_modules->modules[i].name, name) == 0)
            return &boot_modules->modules[i];
    return NULL;
}

/* Whether the loader put the module where memory is: it is read through the direct map. */
static bool module_is_mapped(const struct boot_module *module)
{
    for (size_t i = 0; i < boot_modules->range_count; i++) {
        const struct boot_range *range = &boot_modules->ranges[i];
        if (module->base >= range->base && module->base - range->base <= range->size &&
            module->size <= range->size - (module->base - range->base))
            return true;
    }
    return false;
}

static int read_module(void *context, uint64_t offset, void *out, size_t length)
{
    const struct boot_module *module = context;
    memcpy(out, (const uint8_t *)mmu_direct(module->base) + offset, length);
    return 0;
}

int model_load(const char *name, struct airt_error *error)
{
    const struct boot_module *module = find_module(name);
    if (module == NULL) {
        (void)log_format(error->text, sizeof error->text,
                         "no boot module is called '%s'; metadata lists them", name);
        return -ENOENT;
    }
    if (!module_is_mapped(module)) {
        (void)log_format(error->text, sizeof error->text, "boot module '%s' does not lie in memory", name);
        return -EINVAL;
    }
    const struct airt_source source = {.context = (void *)(uintptr_t)module,
                                       .name = module->name,
                                       .size = module->size,
                                       .mapped = mmu_direct(module->base),
                                       .read = read_module};
    uint64_t start = timer_now_us();
    struct airt_model *loaded;
    int result = airt_load(model_hooks(stopper.stop, stopper.argument), &source, &loaded, error);
    if (result != 0) {
        log_write(LOG_WARNING, "model", "cannot load '%s': %s", name, error->text);
        return result;
    }
    if (current != NULL)
        airt_unload(current);
    current = loaded;
    struct airt_description description;
    airt_describe(current, &description);
    log_write(LOG_INFO, "model", "'%s' loaded: %s, %llu entries, %llu bytes, %llu us", name,
              description.format, (unsigned long long)description.entries,
              (unsigned long long)description.bytes, (unsigned long long)(timer_now_us() - start));
    return 0;
}

static void model_task(void *argument)
{
    (void)argument;
    for (;;) {
        while (job_count == 0)
            (void)wait_queue_sleep(&job_waiters, TASK_FOREVER);
        struct job job = jobs[job_first];
        job_first = (job_first + 1) % MODEL_JOBS_MAX;
        job_count--;
        job.run(job.argument);
        task_yield(); /* short jobs never yield by themselves, and a queue of them is long */
    }
}

int model_queue(void (*run)(void *argument), void *argument)
{
    if (job_count == MODEL_JOBS_MAX)
        return -EAGAIN;
    jobs[(job_first + job_count++) % MODEL_JOBS_MAX] = (struct job){run, argument};
    wait_queue_wake_one(&job_waiters);
    return 0;
}

int model_start(const struct boot_info *boot, const char *name)
{
    boot_modules = boot;
    struct airt_error error;
    if (name[0] == '\0' && boot->module_count > 0)
        name = boot->modules[0].name;
    if (name[0] == '\0')
        log_write(LOG_WARNING, "model", "no boot module, so no model: infer cannot answer");
    else if (model_load(name, &error) == -ENOENT)
        log_write(LOG_WARNING, "model", "model=%s: %s", name, error.text);
    return task_create("model", model_task, NULL, MODEL_STACK_SIZE);
}

struct airt_model *model_get(void)
{
    return current;
}

const struct boot_info *model_modules(void)
{
    return boot_modules;
}
