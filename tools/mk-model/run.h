/* SPDX-License-Identifier: MIT
 *
 * What run and bench share: a model that is loaded, with threads.
 */
#ifndef MK_MODEL_RUN_H
#define MK_MODEL_RUN_H

#include "commands.h"
#include "threads.h"

struct runner {
    struct model_file file;
    struct threads *threads;
    struct airt_hooks hooks;
    struct airt_model *model;
    struct airt_description description;
};

/* Says why not, and returns false. */
bool runner_open(struct runner *runner, const char *path, uint32_t threads,
                 const struct airt_options *options);
void runner_close(struct runner *runner);

uint64_t now_us(void);

#endif
