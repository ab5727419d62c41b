/* SPDX-License-Identifier: MIT
 *
 * The model that answers, and the task that works with it. Whatever may take long (loading, inference) is a
 * job in that task's queue, done one after the other, while the rest of the service goes on.
 */
#ifndef KERNEL_SERVICE_MODEL_H
#define KERNEL_SERVICE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <airt/airt.h>
#include <arch/boot_info.h>
#include <service/job_queue.h>

/* Loads the first model and starts the task. A missing or malformed model is logged; infer then says that
 * there is none. Returns 0 or a negative errno. */
int model_start(const struct boot_info *boot, const char *name);

/* Queues a job for the model task; `queued_at` is filled in. One that has waited for a minute when its turn
 * comes is refused: its client has given up. So is one that is unwanted, then or when its place is needed;
 * where it becomes so while it runs, loading and inference end with -ECANCELED at the next yield. Returns 0,
 * or -EAGAIN when too many wait already. */
int model_queue(const struct job *job);

/* Replaces the model by the boot module, or else the file of the share, called `path`. The old one stays when
 * that fails. Returns 0, or a negative errno (-ENOENT: there is neither) with *error set. In the model task,
 * or before it runs. */
int model_load(const char *path, struct airt_error *error);

/* How far the load of a file is that model_load works on: called after each piece is read, in the model task.
 * NULL: nobody wants to know. The next load has to be asked for again. */
typedef void (*model_progress)(void *context, uint64_t done, uint64_t size);
void model_tell_progress(model_progress tell, void *context);

/* NULL when there is none. */
struct airt_model *model_get(void);

/* Why the first model did not load; "" when it did, or when none was asked for. */
const char *model_first_error(void);

/* The boot modules that could be loaded. */
const struct boot_info *model_modules(void);

#endif
