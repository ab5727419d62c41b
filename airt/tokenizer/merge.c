/* SPDX-License-Identifier: MIT */
#include "merge.h"

#include <errno.h>

#include "tokenizer/vocabulary.h"

#define COUNT_MAX      (UINT32_C(1) << 28)
#define HEAP_PER_PAIR  3 /* every pair of the text, and two new ones for every merge */
#define WORK_PER_MERGE 256

int merger_reserve(struct merger *merger, const struct airt_hooks *hooks, size_t count)
{
    uint32_t capacity = 64;

    if (count <= merger->capacity)
        return 0;
    if (count > COUNT_MAX)
        return -ENOMEM;
    merger_free(merger, hooks);
    while (capacity < count)
        capacity *= 2;
    merger->symbols = hooks->alloc(hooks->context, capacity * sizeof(*merger->symbols));
    if (merger->symbols == NULL)
        return -ENOMEM;
    merger->heap = hooks->alloc(hooks->context, (size_t)HEAP_PER_PAIR * capacity * sizeof(*merger->heap));
    if (merger->heap == NULL) {
        hooks->free(hooks->context, merger->symbols, capacity * sizeof(*merger->symbols));
        merger->symbols = NULL;
        return -ENOMEM;
    }
    merger->capacity = capacity;
    return 0;
}

void merger_free(struct merger *merger, const struct airt_hooks *hooks)
{
    size_t capacity = merger->capacity;

    if (capacity == 0)
        return;
    hooks->free(hooks->context, merger->symbols, capacity * sizeof(*merger->symbols));
    hooks->free(hooks->context, merger->heap, HEAP_PER_PAIR * capacity * sizeof(*merger->heap));
    *merger = (struct merger){0};
}

/* A binary heap, the least number first. */
static void heap_push(uint64_t *heap, size_t count, uint64_t number)
{
    size_t at = count;

    for (; at > 0 && heap[(at - 1) / 2] > number; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = number;
}

/* Takes the first out of `count` numbers. */
static uint64_t heap_pop(uint64_t *heap, size_t count)
{
    uint64_t first = heap[0];
    uint64_t last = heap[count - 1];
    size_t at = 0;

    for (size_t child; (child = 2 * at + 1) < count - 1; at = child) {
        if (child + 1 < count - 1 && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= last)
            break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return first;
}

struct run {
    struct merger *merger;
    merge_pair pair;
    const void *context;
    size_t heap_count;
};

/* Notes what a symbol and its next one become. */
static void offer(struct run *run, uint32_t number)
{
    struct symbol *symbols = run->merger->symbols;
    struct symbol *left = &symbols[number];

    left->merged = VOCABULARY_NONE;
    if (left->next == MERGE_END ||
        !run->pair(run->context, left, &symbols[left->next], &left->merged, &left->priority))
        return;
    heap_push(run->merger->heap, run->heap_count++, (uint64_t)left->priority << 32 | number);
}

static void merge(struct run *run, uint32_t number)
{
    struct symbol *symbols = run->merger->symbols;
    struct symbol *left = &symbols[number];
    struct symbol *right = &symbols[left->next];

    left->id = left->merged;
    left->length += right->length;
    left->next = right->next;
    right->merged = VOCABULARY_NONE; /* what the heap still says of it is void */
    if (left->next != MERGE_END)
        symbols[left->next].previous = number;
    if (left->previous != MERGE_END)
        offer(run, left->previous);
    offer(run, number);
}

int merger_run(struct merger *merger, struct work *work, uint32_t count, merge_pair pair, const void *context)
{
    struct run run = {.merger = merger, .pair = pair, .context = context};
    struct symbol *symbols = merger->symbols;

    for (uint32_t i = 0; i < count; i++) {
        symbols[i].previous = i > 0 ? i - 1 : MERGE_END;
        symbols[i].next = i + 1 < count ? i + 1 : MERGE_END;
    }
    for (uint32_t i = 0; i < count; i++) {
        offer(&run, i);
        if (work_spend(work, WORK_PER_MERGE) != 0)
            return -ECANCELED;
    }
    while (run.heap_count > 0) {
        uint64_t least = heap_pop(merger->heap, run.heap_count--);
        uint32_t number = (uint32_t)least;

        /* Void, if a neighbour was merged since. The same pair noted twice is merged at the first. */
        if (symbols[number].merged == VOCABULARY_NONE || symbols[number].priority != least >> 32)
            continue;
        merge(&run, number);
        if (work_spend(work, WORK_PER_MERGE) != 0)
            return -ECANCELED;
    }
    return 0;
}
