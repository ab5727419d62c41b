/* SPDX-License-Identifier: MIT
 *
 * The model that answers: where it comes from, and who uses it.
 */
#ifndef KERNEL_SERVICE_MODEL_H
#define KERNEL_SERVICE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <airt/airt.h>
#include <arch/boot_info.h>

/* Loads the first model and starts the workers. `instructions`: what inference may use of the CPU, or NULL. A
 * missing or malformed model is logged; infer then says that there is none. Returns 0 or a negative errno. */
int model_start(const struct boot_info *boot, const char *name, const char *instructions);

/* Replaces the model by the boot module, or else the file of the share, called `path`. The old one stays when
 * that fails. Returns 0, or a negative errno (-ENOENT: there is neither) with *error set. In the share's
 * worker, or before it runs; -ECANCELED at the next yield after its job became unwanted. */
int model_load(const char *path, struct airt_error *error);

/* How far the load of a file is that model_load works on: called after each piece is read.
 * NULL: nobody wants to know. The next load has to be asked for again. */
typedef void (*model_progress)(void *context, uint64_t done, uint64_t size);
void model_tell_progress(model_progress tell, void *context);

/* The one that answers, NULL when there is none. Good until the caller lets another task run. */
struct airt_model *model_get(void);

/* The same, to be used for longer: it stays until it is released, though another may answer by then. */
struct airt_model *model_hold(void);
void model_release(struct airt_model *model);

/* Why the first model did not load; "" when it did, or when none was asked for. */
const char *model_first_error(void);

/* The boot modules that could be loaded. */
const struct boot_info *model_modules(void);

#endif
