/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <arch/mmu.h>
#include <arch/timer.h>
#include <hooks/library_memory.h>
#include <logging/log.h>
#include <memory/frames.h>
#include <service/model.h>
#include <service/share.h>
#include <service/workers.h>
#include <tasks/task.h>

#define PROGRESS_BYTES (64u << 20) /* a line in the log for so much of a file */
#define RESERVE        (4u << 20)  /* of memory, that no model takes: for tasks, tables and queues */

static struct airt_error first_error; /* why there is no model from the start */
static const struct boot_info *boot_modules;
static const char *instruction_set; /* NULL: the best */

/* ---- the models in use ---- */

/* The one that answers, and those before it that still answer somebody: at most one for each task. */
static struct held {
    struct airt_model *model;
    unsigned users;
} models[8];
static struct airt_model *current;

static struct held *find(const struct airt_model *model)
{
    struct held *held = models;
    while (held < models + sizeof models / sizeof models[0] && held->model != model)
        held++;
    return held < models + sizeof models / sizeof models[0] ? held : NULL;
}

struct airt_model *model_hold(void)
{
    if (current != NULL)
        find(current)->users++;
    return current;
}

void model_release(struct airt_model *model)
{
    if (model == NULL)
        return;
    struct held *held = find(model);
    held->users--;
    if (held->users == 0 && model != current) {
        held->model = NULL;
        airt_unload(model);
    }
}

/* Returns 0, or -EBUSY when too many old ones are in use. */
static int replace(struct airt_model *model)
{
    struct held *held = find(NULL), *before = current != NULL ? find(current) : NULL;
    if (held == NULL)
        return -EBUSY;
    held->model = current = model;
    if (before != NULL && before->users == 0) {
        airt_unload(before->model);
        before->model = NULL;
    }
    return 0;
}

/* ---- loading ---- */

static int yield(void *context)
{
    (void)context;
    task_yield();
    return workers_job_is_unwanted();
}

static uint64_t clock_us(void *context)
{
    (void)context;
    return timer_now_us();
}

/* What a model and its answers may take: what is free, less the clients' part. */
static uint64_t memory_for_models(void)
{
    struct frames_statistics frames;
    frames_get_statistics(&frames);
    uint64_t reserve = RESERVE + (client_pool.limit - client_pool.used);
    return frames.free > reserve ? frames.free - reserve : 1;
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

/* Loads from a source, and lets the old model go only then. */
static int load(const struct airt_source *source, struct airt_error *error)
{
    static const struct airt_hooks hooks = {
        .alloc = kernel_airt_alloc, .free = kernel_airt_free, .yield = yield, .clock_us = clock_us};
    const struct airt_options options = {.instruction_set = instruction_set,
                                         .memory_max = memory_for_models()};
    uint64_t start = timer_now_us();
    struct airt_model *loaded;
    int result = airt_load_with(&hooks, &options, source, &loaded, error);
    if (result != 0)
        return result;
    result = replace(loaded);
    if (result != 0) {
        airt_unload(loaded);
        (void)log_format(error->text, sizeof error->text,
                         "models that were replaced are still answering: try again");
        return result;
    }
    struct airt_description description;
    airt_describe(current, &description);
    log_write(LOG_INFO, "model", "'%s' loaded: %s, %llu entries, %llu bytes, %llu us", source->name,
              description.format, (unsigned long long)description.entries,
              (unsigned long long)description.bytes, (unsigned long long)(timer_now_us() - start));
    return 0;
}

static int load_module(const struct boot_module *module, struct airt_error *error)
{
    if (!module_is_mapped(module)) {
        (void)log_format(error->text, sizeof error->text, "boot module '%s' does not lie in memory",
                         module->name);
        return -EINVAL;
    }
    const struct airt_source source = {.context = (void *)(uintptr_t)module,
                                       .name = module->name,
                                       .size = module->size,
                                       .mapped = mmu_direct(module->base),
                                       .read = read_module};
    return load(&source, error);
}

/* What an error of the share means to who gave the path. */
static const char *share_error(int error)
{
    switch (error) {
    case -ENOENT:
        return "no such file";
    case -EISDIR:
        return "it is a directory";
    case -ENOTDIR:
        return "a part of the path is no directory";
    case -ENAMETOOLONG:
        return "the path, or a name in it, is too long";
    case -EINVAL:
        return "not the path of a regular file ('.', '..' and empty names are refused)";
    case -EACCES:
        return "not allowed, or a link leads out of the share";
    case -ELOOP:
        return "too many links";
    case -ENODATA:
        return "the file has become shorter";
    case -ENOMEM:
        return "out of memory";
    case -ETIMEDOUT:
        return "the host does not answer";
    default:
        return "the share has failed";
    }
}

static struct {
    model_progress tell;
    void *context;
} progress;

void model_tell_progress(model_progress tell, void *context)
{
    progress.tell = tell;
    progress.context = context;
}

/* A file of the share while it is loaded. */
struct reading {
    struct virtio_fs_file *file;
    const char *name;
    uint64_t size, done, told; /* bytes */
    uint64_t us;               /* that reading took */
};

static int read_file(void *context, uint64_t offset, void *out, size_t length)
{
    struct reading *reading = context;
    uint64_t start = timer_now_us();
    int error = virtio_fs_read(reading->file, offset, out, length);
    reading->us += timer_now_us() - start;
    /* Not added up: the first bytes are read twice, once to tell the format. */
    if (error == 0 && offset + length > reading->done)
        reading->done = offset + length;
    if (error == 0 && progress.tell != NULL)
        progress.tell(progress.context, offset + length, reading->size);
    if (error == 0 && reading->done - reading->told >= PROGRESS_BYTES) {
        reading->told = reading->done;
        log_write(LOG_INFO, "model", "'%s': %llu of %llu MiB read", reading->name,
                  (unsigned long long)(reading->done >> 20), (unsigned long long)(reading->size >> 20));
    }
    return error;
}

static int load_file(const char *path, struct airt_error *error)
{
    struct virtio_fs *share = share_get();
    struct virtio_fs_file *file;
    error->text[0] = '\0';
    int result = share != NULL ? virtio_fs_open(share, path, &file) : -ENOENT;
    if (result == 0) {
        const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
        struct reading reading = {.file = file, .name = name, .size = virtio_fs_file_size(file)};
        const struct airt_source source = {
            .context = &reading, .name = name, .size = reading.size, .read = read_file};
        log_write(LOG_INFO, "model", "loading '%s' from share '%s', %llu bytes", name, share_tag(),
                  (unsigned long long)source.size);
        result = load(&source, error);
        virtio_fs_close(file);
        log_write(LOG_INFO, "model", "%llu bytes of '%s' read in %llu us", (unsigned long long)reading.done,
                  name, (unsigned long long)reading.us);
    }
    if (result == 0 || result == -ECANCELED || result == -EBUSY ||
        (result == -EINVAL && error->text[0] != '\0'))
        return result;
    if (share == NULL && share_is_known())
        (void)log_format(
            error->text, sizeof error->text,
            "no boot module is called '%.60s', and the share does not answer: has virtiofsd ended?", path);
    else if (share == NULL)
        (void)log_format(
            error->text, sizeof error->text,
            "no boot module is called '%.60s', and there is no share; metadata lists what can be loaded",
            path);
    else if (error->text[0] == '\0' || result != -ENOMEM)
        (void)log_format(error->text, sizeof error->text, "'%.100s' of share '%s': %s", path,
                         virtio_fs_tag(share), share_error(result));
    return result;
}

int model_load(const char *path, struct airt_error *error)
{
    const struct boot_module *module = find_module(path);
    int result = module != NULL ? load_module(module, error) : load_file(path, error);
    model_tell_progress(NULL, NULL);
    if (result != 0)
        log_write(LOG_WARNING, "model", "cannot load: %s", error->text);
    return result;
}

int model_start(const struct boot_info *boot, const char *name, const char *instructions)
{
    instruction_set = instructions;
    boot_modules = boot;
    if (name[0] == '\0' && boot->module_count > 0)
        name = boot->modules[0].name;
    if (name[0] == '\0')
        log_write(LOG_WARNING, "model", "no boot module, so no model: infer cannot answer");
    else
        (void)model_load(name, &first_error);
    return workers_start();
}

const char *model_first_error(void)
{
    return first_error.text;
}

struct airt_model *model_get(void)
{
    return current;
}

const struct boot_info *model_modules(void)
{
    return boot_modules;
}
