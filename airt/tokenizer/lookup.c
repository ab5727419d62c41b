/* SPDX-License-Identifier: MIT */
#include "lookup.h"

#include <errno.h>

#define SAME_HASH_MAX  16 /* different entries; three are rare among a million */
#define WORK_PER_ENTRY 32

/* `starts` has one number more than there are values of the top bits. */
static size_t starts_size(unsigned bits)
{
    return (((size_t)1 << bits) + 1) * sizeof(uint32_t);
}

int lookup_create(struct lookup *lookup, const struct airt_hooks *hooks, uint32_t capacity)
{
    unsigned bits = 1;

    if (capacity == 0)
        capacity = 1;
    while (bits < 28 && capacity >> bits > 2)
        bits++;
    *lookup = (struct lookup){.capacity = capacity, .bits = bits};
    lookup->numbers = hooks->alloc(hooks->context, capacity * sizeof(*lookup->numbers));
    lookup->starts = lookup->numbers != NULL ? hooks->alloc(hooks->context, starts_size(bits)) : NULL;
    if (lookup->starts != NULL)
        return 0;
    lookup_free(lookup, hooks);
    return -ENOMEM;
}

void lookup_free(struct lookup *lookup, const struct airt_hooks *hooks)
{
    if (lookup->numbers != NULL)
        hooks->free(hooks->context, lookup->numbers, lookup->capacity * sizeof(*lookup->numbers));
    if (lookup->starts != NULL)
        hooks->free(hooks->context, lookup->starts, starts_size(lookup->bits));
    *lookup = (struct lookup){0};
}

uint64_t lookup_size(const struct lookup *lookup)
{
    return lookup->numbers == NULL ? 0
                                   : lookup->capacity * sizeof(*lookup->numbers) + starts_size(lookup->bits);
}

void lookup_add(struct lookup *lookup, uint32_t hash, uint32_t number)
{
    lookup->numbers[lookup->count++] = (uint64_t)hash << 32 | number;
}

/* Drops what equals one before it. Sets *number where too many differ. */
static int drop_equal(struct lookup *lookup, struct work *work, lookup_same same, const void *context,
                      uint32_t *number)
{
    uint64_t *numbers = lookup->numbers;
    uint32_t kept = 0;
    uint32_t group = 0; /* the first that is kept of this hash */

    for (uint32_t i = 0; i < lookup->count; i++) {
        bool equal = false;

        if (kept > 0 && numbers[kept - 1] >> 32 != numbers[i] >> 32)
            group = kept;
        for (uint32_t other = group; other < kept && !equal; other++)
            equal = same(context, (uint32_t)numbers[other], (uint32_t)numbers[i]);
        if (!equal && kept - group == SAME_HASH_MAX) {
            *number = (uint32_t)numbers[i];
            return -EINVAL;
        }
        if (!equal)
            numbers[kept++] = numbers[i];
        if (work_spend(work, WORK_PER_ENTRY) != 0)
            return -ECANCELED;
    }
    lookup->count = kept;
    return 0;
}

int lookup_finish(struct lookup *lookup, struct work *work, lookup_same same, const void *context,
                  uint32_t *number)
{
    uint32_t values = (uint32_t)1 << lookup->bits;
    uint32_t at = 0;
    int rc = work_sort(work, lookup->numbers, lookup->count);

    if (rc == 0)
        rc = drop_equal(lookup, work, same, context, number);
    for (uint32_t value = 0; rc == 0 && value < values; value++) {
        while (at < lookup->count && lookup->numbers[at] >> (64 - lookup->bits) < value)
            at++;
        lookup->starts[value] = at;
        rc = work_spend(work, sizeof(*lookup->starts));
    }
    lookup->starts[values] = lookup->count;
    return rc;
}

uint32_t lookup_find(const struct lookup *lookup, uint32_t hash, lookup_equal equal, const void *context,
                     const void *wanted)
{
    uint32_t value = hash >> (32 - lookup->bits);
    uint32_t start = lookup->starts[value];
    uint32_t end = lookup->starts[value + 1];
    size_t at = start + work_search(lookup->numbers + start, end - start, (uint64_t)hash << 32);

    for (; at < end && lookup->numbers[at] >> 32 == hash; at++)
        if (equal(context, (uint32_t)lookup->numbers[at], wanted))
            return (uint32_t)lookup->numbers[at];
    return LOOKUP_NONE;
}

/* The last step of MurmurHash3's 32-bit form: each bit depends on all. */
static uint32_t mix(uint32_t hash)
{
    hash = (hash ^ hash >> 16) * UINT32_C(0x85ebca6b);
    hash = (hash ^ hash >> 13) * UINT32_C(0xc2b2ae35);
    return hash ^ hash >> 16;
}

uint32_t lookup_hash_byte(uint32_t state, char byte)
{
    return (state ^ (unsigned char)byte) * UINT32_C(16777619); /* FNV-1a */
}

uint32_t lookup_hash_end(uint32_t state)
{
    return mix(state);
}

uint32_t lookup_hash(const char *bytes, size_t length)
{
    uint32_t state = LOOKUP_HASH_START;

    for (size_t i = 0; i < length; i++)
        state = lookup_hash_byte(state, bytes[i]);
    return lookup_hash_end(state);
}

uint32_t lookup_hash_pair(uint32_t left, uint32_t right)
{
    return mix(mix(left) + right);
}
