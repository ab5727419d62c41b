/* SPDX-License-Identifier: MIT
 *
 * Finding by hash in a sorted array: no choice of entries makes it slow, because a file in which more than a
 * few different ones have the same hash, which does not happen by chance, is refused.
 */
#ifndef AIRT_TOKENIZER_LOOKUP_H
#define AIRT_TOKENIZER_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "work.h"

#define LOOKUP_NONE UINT32_MAX

struct lookup {
    uint64_t *numbers; /* hash << 32 | number of the entry, in order */
    uint32_t *starts;  /* for each value of the hash's top bits: where its numbers begin */
    uint32_t count;    /* of entries that can be found */
    uint32_t capacity;
    unsigned bits;
};

/* Whether the entry with this number is the one that `wanted` stands for. */
typedef bool (*lookup_equal)(const void *context, uint32_t number, const void *wanted);
/* Whether two entries are equal. */
typedef bool (*lookup_same)(const void *context, uint32_t a, uint32_t b);

/* Room for `capacity` entries. Returns 0 or -ENOMEM. */
int lookup_create(struct lookup *lookup, const struct airt_hooks *hooks, uint32_t capacity);
void lookup_free(struct lookup *lookup, const struct airt_hooks *hooks);
uint64_t lookup_size(const struct lookup *lookup);

void lookup_add(struct lookup *lookup, uint32_t hash, uint32_t number);
/* After the last one is added. Of equal entries only the one with the lowest number stays. Returns 0,
 * -ECANCELED, or -EINVAL when too many have the same hash: *number is then one of them. */
int lookup_finish(struct lookup *lookup, struct work *work, lookup_same same, const void *context,
                  uint32_t *number);

/* The entry's number, or LOOKUP_NONE. */
uint32_t lookup_find(const struct lookup *lookup, uint32_t hash, lookup_equal equal, const void *context,
                     const void *wanted);

uint32_t lookup_hash(const char *bytes, size_t length);
/* The same byte by byte: lookup_hash_end of what lookup_hash_byte made of LOOKUP_HASH_START. */
#define LOOKUP_HASH_START UINT32_C(2166136261)
uint32_t lookup_hash_byte(uint32_t state, char byte);
uint32_t lookup_hash_end(uint32_t state);
uint32_t lookup_hash_pair(uint32_t left, uint32_t right);

#endif
