/* SPDX-License-Identifier: MIT
 *
 * One step of a transformer, for all architectures: what a plan does not have is left out.
 */
#include <errno.h>
#include <string.h>

#include "math/math.h"
#include "tensor/quantize.h"
#include "transformer/rope.h"
#include "transformer/sequence.h"
#include "work.h"

#define GELU_ROOT  0.7978845608028654 /* of 2 / pi */
#define GELU_CUBIC 0.044715

#define SPEND_AFTER 4096 /* logits that are capped between two looks at the work done */

/* ---- numbers ---- */

/* Root mean square norm of one vector; `out` may be `in`. */
static void norm(const float *in, const float *weight, float epsilon, uint32_t length, float *out)
{
    double squares[4] = {0};
    double scale;
    float factor;
    uint32_t i = 0;

    for (; i + 4 <= length; i += 4)
        for (uint32_t lane = 0; lane < 4; lane++)
            squares[lane] += (double)in[i + lane] * (double)in[i + lane];
    for (; i < length; i++)
        squares[0] += (double)in[i] * (double)in[i];
    scale = (squares[0] + squares[1] + (squares[2] + squares[3])) / length;
    factor = (float)(1 / math_sqrt(scale + (double)epsilon));
    for (i = 0; i < length; i++)
        out[i] = in[i] * factor * weight[i];
}

static void add(float *to, const float *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] += numbers[i];
}

/* The gate's activation, times `up`. */
static void activate(enum activation activation, float *gate, const float *up, size_t count)
{
    float part[64];

    for (size_t at = 0; at < count; at += 64) {
        size_t numbers = count - at < 64 ? count - at : 64;

        if (activation == ACTIVATION_SILU) {
            for (size_t i = 0; i < numbers; i++)
                part[i] = -gate[at + i];
        } else { /* (1 + tanh(y)) / 2 = 1 / (1 + exp(-2 y)) */
            for (size_t i = 0; i < numbers; i++) {
                double x = (double)gate[at + i];

                part[i] = (float)(-2 * GELU_ROOT * (x + GELU_CUBIC * x * x * x));
            }
        }
        math_exp_floats(part, numbers);
        for (size_t i = 0; i < numbers; i++)
            gate[at + i] = gate[at + i] / (1 + part[i]) * up[at + i];
    }
}

/* ---- products ---- */

struct product {
    const struct airt_sequence *sequence;
    const struct matrix *matrix;
    const struct vectors *vectors;
    float *out;
    size_t stride;
};

static void multiply_rows(void *argument, uint32_t first, uint32_t end)
{
    const struct product *product = argument;

    product->sequence->engine->kernels->multiply(product->matrix, first, end, product->vectors, product->out,
                                                 product->stride);
}

/* The vectors that the next products are of. */
static struct vectors take(const struct airt_sequence *sequence, const float *values, uint32_t count,
                           uint32_t length)
{
    return (struct vectors){.values = values,
                            .count = count,
                            .length = length,
                            .stride = length,
                            .quants = sequence->quants,
                            .scales = sequence->scales,
                            .sums = sequence->sums};
}

static int multiply(const struct airt_sequence *sequence, const struct matrix *matrix, const float *bias,
                    struct vectors *vectors, float *out)
{
    const struct engine *engine = sequence->engine;
    struct product product = {sequence, matrix, vectors, out, matrix->rows};
    int rc;

    if (!vectors->quantized && engine->kernels->quantize != NULL && tensor_is_quantized(matrix->type))
        engine->kernels->quantize(vectors);
    rc = engine_share(engine, matrix->rows, (uint64_t)matrix->columns * vectors->count, multiply_rows,
                      &product);
    if (bias != NULL)
        for (uint32_t token = 0; token < vectors->count; token++)
            add(out + (size_t)token * matrix->rows, bias, matrix->rows);
    return rc;
}

/* ---- layers ---- */

static void norm_tokens(const struct airt_sequence *sequence, const float *in, const float *weight,
                        uint32_t count, float *out)
{
    const struct plan *plan = sequence->engine->plan;

    for (uint32_t token = 0; token < count; token++)
        norm(in + (size_t)token * plan->embedding_length, weight, plan->epsilon, plan->embedding_length,
             out + (size_t)token * plan->embedding_length);
}

/* Norms and turns the heads of each token. */
static void turn_heads(const struct airt_sequence *sequence, const struct layer *layer, float *heads,
                       const float *weight, uint32_t head_count, uint32_t count)
{
    const struct plan *plan = sequence->engine->plan;
    const float *angles = sequence->angles[layer->sliding ? 1 : 0];

    for (uint32_t token = 0; token < count; token++, angles += plan->rope.dimensions) {
        for (uint32_t i = 0; i < head_count; i++, heads += plan->head_length) {
            if (weight != NULL)
                norm(heads, weight, plan->epsilon, plan->head_length, heads);
            rope_turn(&plan->rope, angles, heads);
        }
    }
}

/* Into the cache, as the numbers that it has. */
static void remember(const struct airt_sequence *sequence, char *cache, const float *heads, uint32_t layer,
                     uint32_t position, uint32_t count)
{
    const struct engine *engine = sequence->engine;
    const struct plan *plan = engine->plan;

    for (uint32_t token = 0; token < count; token++) {
        for (uint32_t i = 0; i < plan->kv_heads; i++, heads += plan->head_length) {
            struct matrix row = sequence_head(sequence, cache, layer, i, position + token, 1);
            char *place = cache + ((const char *)row.data - cache);

            if (engine->cache_f32)
                memcpy(place, heads, plan->head_length * sizeof(*heads));
            else
                engine->kernels->narrow(heads, (uint16_t *)(void *)place, plan->head_length);
        }
    }
}

static int attention(struct airt_sequence *sequence, uint32_t number, uint32_t position, uint32_t count)
{
    const struct plan *plan = sequence->engine->plan;
    const struct layer *layer = &plan->layers[number];
    struct vectors vectors = take(sequence, sequence->normed, count, plan->embedding_length);
    int rc;

    norm_tokens(sequence, sequence->stream, layer->attention_norm, count, sequence->normed);
    rc = multiply(sequence, &layer->query, layer->query_bias, &vectors, sequence->query);
    if (rc == 0)
        rc = multiply(sequence, &layer->key, layer->key_bias, &vectors, sequence->key);
    if (rc == 0)
        rc = multiply(sequence, &layer->value, layer->value_bias, &vectors, sequence->value);
    if (rc != 0)
        return rc;
    turn_heads(sequence, layer, sequence->query, layer->query_norm, plan->heads, count);
    turn_heads(sequence, layer, sequence->key, layer->key_norm, plan->kv_heads, count);
    remember(sequence, sequence->keys, sequence->key, number, position, count);
    remember(sequence, sequence->values, sequence->value, number, position, count);
    rc = attend(sequence, number, position, count);
    if (rc != 0)
        return rc;
    vectors = take(sequence, sequence->attention, count, plan->heads * plan->head_length);
    rc = multiply(sequence, &layer->attention_output, layer->attention_output_bias, &vectors,
                  sequence->normed);
    if (rc != 0)
        return rc;
    if (layer->attention_post_norm != NULL)
        norm_tokens(sequence, sequence->normed, layer->attention_post_norm, count, sequence->normed);
    add(sequence->stream, sequence->normed, (size_t)count * plan->embedding_length);
    return 0;
}

static int feed(struct airt_sequence *sequence, uint32_t number, uint32_t count)
{
    const struct plan *plan = sequence->engine->plan;
    const struct layer *layer = &plan->layers[number];
    struct vectors vectors = take(sequence, sequence->normed, count, plan->embedding_length);
    int rc;

    norm_tokens(sequence, sequence->stream, layer->feed_norm, count, sequence->normed);
    rc = multiply(sequence, &layer->gate, NULL, &vectors, sequence->gate);
    if (rc == 0)
        rc = multiply(sequence, &layer->up, NULL, &vectors, sequence->up);
    if (rc != 0)
        return rc;
    activate(plan->activation, sequence->gate, sequence->up, (size_t)count * plan->feed_length);
    vectors = take(sequence, sequence->gate, count, plan->feed_length);
    rc = multiply(sequence, &layer->down, NULL, &vectors, sequence->normed);
    if (rc != 0)
        return rc;
    if (layer->feed_post_norm != NULL)
        norm_tokens(sequence, sequence->normed, layer->feed_post_norm, count, sequence->normed);
    add(sequence->stream, sequence->normed, (size_t)count * plan->embedding_length);
    return 0;
}

/* ---- ends ---- */

static int begin(struct airt_sequence *sequence, uint32_t position, const uint32_t *ids, uint32_t count)
{
    const struct plan *plan = sequence->engine->plan;
    struct work work = {.hooks = sequence->engine->hooks};
    const struct matrix *table = &plan->token_embedding;
    size_t row_size = tensor_row_size(table->type, table->columns);

    for (uint32_t token = 0; token < count; token++) {
        float *row = sequence->stream + (size_t)token * plan->embedding_length;

        tensor_dequantize_row(table->type, (const char *)table->data + ids[token] * row_size, row,
                              plan->embedding_length);
        for (uint32_t i = 0; i < plan->embedding_length; i++)
            row[i] *= plan->embedding_scale;
        for (unsigned i = 0; i < 2; i++)
            if (sequence->angles[i] != NULL)
                rope_angles(&plan->rope, sequence->frequencies[i], sequence->magnitude[i], position + token,
                            sequence->angles[i] + (size_t)token * plan->rope.dimensions);
        /* An angle's sine and cosine cost as much as reading some 64 bytes. */
        if (work_spend(&work, plan->embedding_length * sizeof(*row) + plan->rope.dimensions * 64) != 0)
            return -ECANCELED;
    }
    return 0;
}

/* Bends logits so that none is beyond the cap. */
static int cap_logits(const struct plan *plan, struct work *work, float *logits, size_t count)
{
    double cap = (double)plan->logit_softcap;

    for (size_t i = 0; i < count; i++) {
        logits[i] = (float)(cap * math_tanh((double)logits[i] / cap));
        if (i % SPEND_AFTER == SPEND_AFTER - 1 && work_spend(work, SPEND_AFTER * 16) != 0)
            return -ECANCELED;
    }
    return 0;
}

static int end(struct airt_sequence *sequence, uint32_t count, const struct outcome *outcome)
{
    const struct plan *plan = sequence->engine->plan;
    uint32_t first = outcome->every || outcome->sum != NULL ? 0 : count - 1;
    size_t skipped = (size_t)first * plan->embedding_length;
    struct vectors vectors =
        take(sequence, sequence->normed + skipped, count - first, plan->embedding_length);
    struct work work = {.hooks = sequence->engine->hooks};
    int rc = 0;

    if (outcome->logits == NULL && outcome->sum == NULL)
        return 0;
    norm_tokens(sequence, sequence->stream + skipped, plan->output_norm, count - first,
                sequence->normed + skipped);
    if (outcome->sum != NULL)
        for (uint32_t token = 0; token < count; token++)
            add(outcome->sum, sequence->normed + (size_t)token * plan->embedding_length,
                plan->embedding_length);
    if (outcome->logits != NULL)
        rc = multiply(sequence, &plan->output, NULL, &vectors, outcome->logits);
    if (rc == 0 && outcome->logits != NULL && plan->logit_softcap > 0)
        rc = cap_logits(plan, &work, outcome->logits, (size_t)(count - first) * plan->vocabulary);
    return rc;
}

int forward(struct airt_sequence *sequence, uint32_t position, const uint32_t *ids, uint32_t count,
            const struct outcome *outcome)
{
    const struct plan *plan = sequence->engine->plan;
    int rc = begin(sequence, position, ids, count);

    for (uint32_t i = 0; i < plan->layer_count && rc == 0; i++) {
        rc = attention(sequence, i, position, count);
        if (rc == 0)
            rc = feed(sequence, i, count);
    }
    return rc == 0 ? end(sequence, count, outcome) : rc;
}
