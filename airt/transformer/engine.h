/* SPDX-License-Identifier: MIT
 *
 * What runs a plan: kernels, hooks, and how work is shared out.
 */
#ifndef AIRT_TRANSFORMER_ENGINE_H
#define AIRT_TRANSFORMER_ENGINE_H

#include "airt/airt.h"
#include "tensor/kernels.h"
#include "transformer/plan.h"

#define ENGINE_BATCH 64 /* tokens of a prompt at once, where the options do not say */

struct engine {
    const struct airt_hooks *hooks;
    const struct plan *plan;
    const struct tensor_kernels *kernels;
    const char *name; /* of the model, for errors */
    uint32_t batch;
    bool cache_f32;
};

/* Calls work(argument, first, end) for ranges that make up all of 0 to `count`, on all CPUs that
 * hooks->parallel has; `cost` is the multiplications of one. After every 4 Mi of them hooks->yield is called.
 * Returns 0 or -ECANCELED. */
int engine_share(const struct engine *engine, uint32_t count, uint64_t cost,
                 void (*work)(void *argument, uint32_t first, uint32_t end), void *argument);

#endif
