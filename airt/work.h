/* SPDX-License-Identifier: MIT
 *
 * Long work that lets others run, and the sorting that is most of it.
 */
#ifndef AIRT_WORK_H
#define AIRT_WORK_H

#include <stddef.h>
#include <stdint.h>

#include "airt/airt.h"

struct work {
    const struct airt_hooks *hooks;
    size_t done; /* bytes since the last yield */
};

/* Counts `bytes` of work (at most 64 KiB at a time keeps the promise of airt.h). Returns 0, or -ECANCELED. */
int work_spend(struct work *work, size_t bytes);

/* Sorts in place, in at most 64 passes, with no more memory. Returns 0, or -ECANCELED. */
int work_sort(struct work *work, uint64_t *numbers, size_t count);

/* The first place in sorted `numbers` with a number of at least `wanted`; `count` when there is none. */
size_t work_search(const uint64_t *numbers, size_t count, uint64_t wanted);

#endif
