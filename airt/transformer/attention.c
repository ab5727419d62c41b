/* SPDX-License-Identifier: MIT
 *
 * Attention: each head of a token over the keys and values of the tokens before it, in blocks, with a running
 * maximum (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018). The blocks depend on
 * the token's position alone.
 */
#include <string.h>

#include "math/math.h"
#include "transformer/sequence.h"

#define BLOCK 128 /* positions */

struct step {
    struct airt_sequence *sequence;
    uint32_t layer, position, count;
};

/* What a head has seen so far. */
struct softmax {
    float most; /* of the scores */
    float sum;  /* of exp(score - most) */
};

/* Adds a block of scores; they become weights. Returns what earlier weights are multiplied by. */
static float add_block(struct softmax *softmax, float *scores, uint32_t count, float scale)
{
    float before = softmax->most;
    float kept;

    for (uint32_t i = 0; i < count; i++) {
        scores[i] *= scale;
        if (scores[i] > softmax->most)
            softmax->most = scores[i];
    }
    for (uint32_t i = 0; i < count; i++)
        scores[i] -= softmax->most;
    math_exp_floats(scores, count);
    kept = before - softmax->most;
    math_exp_floats(&kept, 1);
    softmax->sum *= kept;
    for (uint32_t i = 0; i < count; i++)
        softmax->sum += scores[i];
    return kept;
}

static void attend_head(const struct step *step, uint32_t token, uint32_t head)
{
    struct airt_sequence *sequence = step->sequence;
    const struct tensor_kernels *kernels = sequence->engine->kernels;
    const struct plan *plan = sequence->engine->plan;
    uint32_t kv_head = head / (plan->heads / plan->kv_heads);
    uint32_t end = step->position + token + 1;
    uint32_t first = 0;
    size_t place = ((size_t)token * plan->heads + head) * plan->head_length;
    float *out = sequence->attention + place;
    const struct vectors query = {.values = sequence->query + place,
                                  .count = 1,
                                  .length = plan->head_length,
                                  .stride = plan->head_length};
    struct softmax softmax = {.most = -3e38f, .sum = 0};
    float scores[BLOCK];

    if (plan->layers[step->layer].sliding && end > plan->sliding_window)
        first = end - plan->sliding_window;
    memset(out, 0, plan->head_length * sizeof(*out));
    for (; first < end; first += BLOCK) {
        uint32_t count = end - first < BLOCK ? end - first : BLOCK;
        struct matrix keys = sequence_head(sequence, sequence->keys, step->layer, kv_head, first, count);
        struct matrix values = sequence_head(sequence, sequence->values, step->layer, kv_head, first, count);
        float kept;

        kernels->multiply(&keys, 0, count, &query, scores, count);
        kept = add_block(&softmax, scores, count, plan->attention_scale);
        kernels->combine(&values, scores, kept, out);
    }
    for (uint32_t i = 0; i < plan->head_length; i++)
        out[i] /= softmax.sum;
}

/* Items are tokens and heads, those of a head together. */
static void attend_items(void *argument, uint32_t first, uint32_t end)
{
    const struct step *step = argument;

    for (uint32_t item = first; item < end; item++)
        attend_head(step, item % step->count, item / step->count);
}

int attend(struct airt_sequence *sequence, uint32_t layer, uint32_t position, uint32_t count)
{
    const struct plan *plan = sequence->engine->plan;
    struct step step = {sequence, layer, position, count};
    uint64_t seen = (uint64_t)position + count;

    if (plan->layers[layer].sliding && seen > plan->sliding_window)
        seen = plan->sliding_window;
    return engine_share(sequence->engine, plan->heads * count, 2 * seen * plan->head_length, attend_items,
                        &step);
}
