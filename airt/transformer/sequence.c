/* SPDX-License-Identifier: MIT */
#include "transformer/sequence.h"

#include <errno.h>
#include <string.h>

#include "message.h"
#include "transformer/rope.h"
#include "transformer/sampler.h"

#define ALIGNMENT 64u

/* Lays arrays out one behind the other; first to learn the size, then in the memory itself. */
struct layout {
    char *memory; /* NULL: only the size is wanted */
    size_t used;
    bool overflow;
};

static void *place(struct layout *layout, uint64_t count, size_t size)
{
    uint64_t bytes;
    uint64_t end;
    size_t start = layout->used;

    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, layout->used + (ALIGNMENT - 1), &end) || end > SIZE_MAX / 2) {
        layout->overflow = true;
        return NULL;
    }
    layout->used = (size_t)end / ALIGNMENT * ALIGNMENT;
    return layout->memory != NULL ? layout->memory + start : NULL;
}

static size_t cache_number_size(const struct engine *engine)
{
    return engine->cache_f32 ? sizeof(float) : sizeof(uint16_t);
}

static uint64_t larger(uint64_t one, uint64_t other)
{
    return one > other ? one : other;
}

static bool any_slides(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->layer_count; i++)
        if (plan->layers[i].sliding)
            return true;
    return false;
}

static void lay_out(struct airt_sequence *sequence, struct layout *layout)
{
    const struct engine *engine = sequence->engine;
    const struct plan *plan = engine->plan;
    uint64_t batch = sequence->batch;
    uint64_t queries = (uint64_t)plan->heads * plan->head_length;
    uint64_t keys = (uint64_t)plan->kv_heads * plan->head_length;
    uint64_t longest = larger(larger(plan->embedding_length, plan->feed_length), queries);
    uint64_t cache;

    if (__builtin_mul_overflow(keys * plan->layer_count, (uint64_t)sequence->capacity, &cache))
        layout->overflow = true;
    sequence->cache_head = (size_t)sequence->capacity * plan->head_length * cache_number_size(engine);
    sequence->keys = place(layout, cache, cache_number_size(engine));
    sequence->values = place(layout, cache, cache_number_size(engine));
    for (unsigned i = 0; i < (any_slides(plan) ? 2 : 1); i++) {
        sequence->frequencies[i] = place(layout, plan->rope.dimensions / 2, sizeof(double));
        sequence->angles[i] = place(layout, batch * plan->rope.dimensions, sizeof(float));
    }
    sequence->stream = place(layout, batch * plan->embedding_length, sizeof(float));
    sequence->normed = place(layout, batch * plan->embedding_length, sizeof(float));
    sequence->query = place(layout, batch * queries, sizeof(float));
    sequence->key = place(layout, batch * keys, sizeof(float));
    sequence->value = place(layout, batch * keys, sizeof(float));
    sequence->attention = place(layout, batch * queries, sizeof(float));
    sequence->gate = place(layout, batch * plan->feed_length, sizeof(float));
    sequence->up = place(layout, batch * plan->feed_length, sizeof(float));
    sequence->quants = place(layout, batch * longest, 1);
    sequence->scales = place(layout, batch * (longest / TENSOR_GROUP + 1), sizeof(float));
    sequence->sums = place(layout, batch * (longest / TENSOR_GROUP + 1), sizeof(float));
}

size_t sequence_step_size(const struct engine *engine)
{
    struct airt_sequence wanted = {.engine = engine, .batch = engine->batch};
    struct layout layout = {.memory = NULL};

    (void)place(&layout, 1, sizeof(wanted));
    lay_out(&wanted, &layout);
    (void)place(&layout, engine->plan->vocabulary, sizeof(float) + SAMPLER_TOKEN_SIZE);
    /* The alignment of all, and of keys and values. */
    return layout.overflow ? SIZE_MAX : layout.used + 3 * (size_t)ALIGNMENT;
}

static int fail_memory(const struct engine *engine, const struct layout *layout, uint32_t capacity,
                       struct airt_error *error)
{
    message_start(error, engine->name);
    message_text(error, "no memory for a text of ");
    message_number(error, capacity);
    message_text(error, " tokens");
    if (!layout->overflow) {
        message_text(error, ": ");
        message_number(error, (layout->used >> 20) + 1);
        message_text(error, " MiB are needed");
    }
    return -ENOMEM;
}

int sequence_create(const struct engine *engine, uint32_t capacity, struct airt_sequence **sequence,
                    struct airt_error *error)
{
    const struct airt_hooks *hooks = engine->hooks;
    struct airt_sequence wanted = {
        .engine = engine, .capacity = capacity, .batch = engine->batch < capacity ? engine->batch : capacity};
    struct layout layout = {.memory = NULL};
    struct airt_sequence *made = NULL;
    size_t size;

    *sequence = NULL;
    (void)place(&layout, 1, sizeof(*made));
    lay_out(&wanted, &layout);
    size = layout.used + ALIGNMENT;
    if (!layout.overflow)
        made = hooks->alloc(hooks->context, size);
    if (made == NULL)
        return fail_memory(engine, &layout, capacity, error);
    *made = wanted;
    made->size = size;
    /* The hook aligns to 16 bytes alone. */
    layout = (struct layout){(char *)made + (ALIGNMENT - (uintptr_t)made % ALIGNMENT) % ALIGNMENT, 0, false};
    (void)place(&layout, 1, sizeof(*made));
    lay_out(made, &layout);
    for (unsigned i = 0; i < 2; i++)
        if (made->frequencies[i] != NULL)
            made->magnitude[i] = rope_frequencies(&engine->plan->rope, i == 1, engine->plan->context_length,
                                                  made->frequencies[i]);
    *sequence = made;
    return 0;
}

struct matrix sequence_head(const struct airt_sequence *sequence, const char *cache, uint32_t layer,
                            uint32_t kv_head, uint32_t first, uint32_t rows)
{
    const struct plan *plan = sequence->engine->plan;
    size_t row_size = plan->head_length * cache_number_size(sequence->engine);
    size_t head = (size_t)layer * plan->kv_heads + kv_head;

    return (struct matrix){sequence->engine->cache_f32 ? TENSOR_F32 : TENSOR_F16, rows, plan->head_length,
                           cache + head * sequence->cache_head + first * row_size};
}

int sequence_feed(struct airt_sequence *sequence, const uint32_t *ids, size_t count,
                  const struct outcome *outcome, struct airt_error *error)
{
    const struct engine *engine = sequence->engine;
    uint32_t vocabulary = engine->plan->vocabulary;
    uint32_t done = 0;

    message_start(error, NULL);
    if (count > sequence->capacity - sequence->length) {
        message_start(error, engine->name);
        message_number(error, count);
        message_text(error, " more tokens, there is room for ");
        message_number(error, sequence->capacity - sequence->length);
        return -ENOSPC;
    }
    for (size_t i = 0; i < count; i++) {
        if (ids[i] >= vocabulary) {
            message_start(error, engine->name);
            message_text(error, "token ");
            message_number(error, ids[i]);
            message_text(error, " of a vocabulary of ");
            message_number(error, vocabulary);
            return -EINVAL;
        }
    }
    while (done < count) {
        uint32_t step = (uint32_t)count - done < sequence->batch ? (uint32_t)count - done : sequence->batch;
        struct outcome part = *outcome;

        if (part.logits != NULL && part.every)
            part.logits += (size_t)done * vocabulary;
        else if (done + step < count)
            part.logits = NULL;
        if (forward(sequence, sequence->length + done, ids + done, step, &part) != 0)
            return message_fail(error, engine->name, -ECANCELED, "cancelled");
        done += step;
    }
    sequence->length += done;
    return 0;
}

int airt_sequence_feed(struct airt_sequence *sequence, const uint32_t *ids, size_t count, float *logits,
                       bool every, struct airt_error *error)
{
    const struct outcome outcome = {.logits = logits, .every = every};

    return sequence_feed(sequence, ids, count, &outcome, error);
}

void airt_sequence_destroy(struct airt_sequence *sequence)
{
    const struct airt_hooks *hooks;

    if (sequence == NULL)
        return;
    hooks = sequence->engine->hooks;
    hooks->free(hooks->context, sequence, sequence->size);
}

uint32_t airt_sequence_length(const struct airt_sequence *sequence)
{
    return sequence->length;
}

void airt_sequence_cut(struct airt_sequence *sequence, uint32_t length)
{
    if (length < sequence->length)
        sequence->length = length;
}
