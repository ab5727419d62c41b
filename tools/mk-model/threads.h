/* SPDX-License-Identifier: MIT
 *
 * Threads behind airt's hooks->parallel: they wait awake, since a token is made of hundreds of short pieces.
 */
#ifndef MK_MODEL_THREADS_H
#define MK_MODEL_THREADS_H

#include <stdint.h>

struct threads;

#define THREADS_MAX 256

/* `count` of them, the caller among them. NULL, with a complaint: there are no more. */
struct threads *threads_create(uint32_t count);
void threads_destroy(struct threads *threads);

/* airt_hooks.parallel, with the threads as its context. */
void threads_run(void *context, void (*work)(void *argument, uint32_t part, uint32_t parts), void *argument);

#endif
