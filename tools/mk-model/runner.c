/* SPDX-License-Identifier: MIT */
#include <time.h>

#include "run.h"

uint64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

bool runner_open(struct runner *runner, const char *path, uint32_t threads,
                 const struct airt_options *options)
{
    struct airt_error error;

    *runner = (struct runner){.hooks = host_hooks};
    if (!model_file_open(&runner->file, path))
        return false;
    if (threads > 1) {
        runner->threads = threads_create(threads);
        runner->hooks.context = runner->threads;
        runner->hooks.parallel = threads_run;
    }
    if (threads <= 1 || runner->threads != NULL) {
        if (airt_load_with(&runner->hooks, options, &runner->file.source, &runner->model, &error) == 0) {
            airt_describe(runner->model, &runner->description);
            if (runner->description.vocabulary > 0)
                return true;
            complain("%s: not a model that generates", runner->description.name);
        } else {
            complain("%s", error.text);
        }
    }
    runner_close(runner);
    return false;
}

void runner_close(struct runner *runner)
{
    airt_unload(runner->model);
    threads_destroy(runner->threads);
    model_file_close(&runner->file);
}
