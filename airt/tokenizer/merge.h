/* SPDX-License-Identifier: MIT
 *
 * Merging: a text begins as symbols, and the most important pair of neighbours becomes one symbol until none
 * is left that may. Both kinds of tokenizers are this; they differ in which pairs may, and how much each
 * matters. n log n of the symbols.
 */
#ifndef AIRT_TOKENIZER_MERGE_H
#define AIRT_TOKENIZER_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "work.h"

#define MERGE_END UINT32_MAX

struct symbol {
    uint32_t start, length;  /* in the text */
    uint32_t id;             /* its token, or VOCABULARY_NONE */
    uint32_t previous, next; /* number of a symbol, or MERGE_END */
    uint32_t merged;         /* what it and the next one become; VOCABULARY_NONE: they stay */
    uint32_t priority;       /* of that; the least goes first, of equals the first in the text */
};

/* Whether two neighbours become one: sets *merged and *priority. */
typedef bool (*merge_pair)(const void *context, const struct symbol *left, const struct symbol *right,
                           uint32_t *merged, uint32_t *priority);

/* Memory for merging, which grows as needed. All zeros at first. */
struct merger {
    struct symbol *symbols; /* filled by the caller: start, length, id */
    uint64_t *heap;
    uint32_t capacity; /* symbols */
};

/* Room for `count` symbols; what was in there is lost. Returns 0 or -ENOMEM. */
int merger_reserve(struct merger *merger, const struct airt_hooks *hooks, size_t count);
void merger_free(struct merger *merger, const struct airt_hooks *hooks);

/* Merges the first `count` symbols (at least 1). The result is the list that begins with the first and goes
 * on by `next`. Returns 0 or -ECANCELED. */
int merger_run(struct merger *merger, struct work *work, uint32_t count, merge_pair pair,
               const void *context);

#endif
