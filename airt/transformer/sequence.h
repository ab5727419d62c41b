/* SPDX-License-Identifier: MIT
 *
 * A text under way: the keys and values of its tokens, and the memory that one step of the transformer needs.
 */
#ifndef AIRT_TRANSFORMER_SEQUENCE_H
#define AIRT_TRANSFORMER_SEQUENCE_H

#include "transformer/engine.h"

struct airt_sequence {
    const struct engine *engine;
    size_t size;       /* bytes of this block of memory, which holds all below */
    uint32_t capacity; /* tokens */
    uint32_t length;
    uint32_t batch; /* tokens of a step, at most */
    /* [layer][kv_head][capacity][head_length], F16 or F32: those of a head are a matrix. */
    char *keys, *values;
    size_t cache_head; /* bytes of one head's matrix */
    /* Of rope: [sliding][dimensions / 2], and [sliding][batch][dimensions]. */
    double *frequencies[2];
    double magnitude[2];
    float *angles[2]; /* the second is NULL where no layer slides */
    /* Of one step, a row for each token. */
    float *stream; /* embedding_length: what the layers add to */
    float *normed; /* embedding_length */
    float *query, *key, *value;
    float *attention; /* as query */
    float *gate, *up; /* feed_length */
    /* The quantized form of the vectors that are multiplied. */
    int8_t *quants;
    float *scales, *sums;
};

/* Bytes that an inference takes beside its cache: what a step of engine->batch tokens needs, the logits and
 * the sampler's arrays. Looks at plan, batch and cache_f32 alone; SIZE_MAX where that overflows. */
size_t sequence_step_size(const struct engine *engine);

/* `capacity` is from 1 to the plan's context_length. -ENOMEM: the error says how many MiB are needed. */
int sequence_create(const struct engine *engine, uint32_t capacity, struct airt_sequence **sequence,
                    struct airt_error *error);

/* What a step leaves beside keys and values. */
struct outcome {
    float *logits; /* NULL: none */
    bool every;    /* a row of logits for every token of the step, else for the last one */
    float *sum;    /* NULL, or where the last layer's normed outputs are added up */
};

/* One step: `count` tokens (up to `batch`) from `position` on. Returns 0 or -ECANCELED. */
int forward(struct airt_sequence *sequence, uint32_t position, const uint32_t *ids, uint32_t count,
            const struct outcome *outcome);

/* As airt_sequence_feed. */
int sequence_feed(struct airt_sequence *sequence, const uint32_t *ids, size_t count,
                  const struct outcome *outcome, struct airt_error *error);

/* Attention of the step's tokens over the cache, for one layer. Returns 0 or -ECANCELED. */
int attend(struct airt_sequence *sequence, uint32_t layer, uint32_t position, uint32_t count);

/* Where the keys (values) of a head are, as a matrix of `rows` positions from `first` on. */
struct matrix sequence_head(const struct airt_sequence *sequence, const char *cache, uint32_t layer,
                            uint32_t kv_head, uint32_t first, uint32_t rows);

#endif
