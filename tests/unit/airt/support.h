/* SPDX-License-Identifier: MIT
 *
 * What the airt tests share: hooks that count and fail, sources in memory, and a listener for answers.
 */
#ifndef AIRT_TEST_SUPPORT_H
#define AIRT_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "airt/airt.h"

/* Counts of the hooks; the n-th call from now on fails where *_until is n (0: never). */
struct counters {
    unsigned long allocations;
    unsigned long fail_allocation;
    unsigned long yields;
    unsigned long stop_yield;
    size_t in_use;
    size_t peak;
};
extern struct counters counters;
extern const struct airt_hooks hooks;

void counters_reset(void);

/* A source that gives `size` bytes, mapped or by reading. Each use makes an exact copy on the heap, so that
 * ASan sees every byte too far. Free with source_close. */
struct airt_source source_open(const void *bytes, size_t size, bool mapped);
void source_close(struct airt_source *source);

/* Makes the n-th read fail with -EIO (0: none). */
extern unsigned long fail_read;

/* Loads text that must be fine. */
struct airt_model *load_text(const char *text);
void unload_text(struct airt_model *model);

/* Collects what is emitted. */
struct answer_text {
    char *text;
    size_t length;
    unsigned long emits;
    unsigned long stop_emit; /* the n-th emit says stop; 0: none does */
};
int collect(void *context, const char *text, size_t length);

/* Asks; the answer (to be freed) is valid until the next call. Returns what airt_infer returned. */
extern struct answer_text answer;
extern struct airt_result result;
extern struct airt_error error;
int ask_n(struct airt_model *model, const char *prompt, size_t length, uint32_t max_tokens);
int ask(struct airt_model *model, const char *prompt);

/* Reads a whole file, with a NUL behind it. */
char *read_file(const char *path, size_t *size);

/* The same numbers in every run. */
uint64_t random_below(uint64_t bound);
void random_seed(uint64_t seed);

#endif
