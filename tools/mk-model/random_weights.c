/* SPDX-License-Identifier: MIT
 *
 * The tensors of a random model. Weights are scaled so that what goes through the layers keeps its size, and
 * the logits have a standard deviation of about 3, as those of trained models.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "random_model.h"

#define PER_LAYER 20
#define ENDS      8

struct list {
    const struct shape *shape;
    const struct mix *mix;
    struct weight *weights;
    size_t count;
};

/* `layer` below 0: not of a layer. */
static void add(struct list *list, int64_t layer, const char *name, uint64_t columns, uint64_t rows,
                double mean, double spread)
{
    struct weight *weight = &list->weights[list->count++];

    if (layer < 0)
        snprintf(weight->name, sizeof(weight->name), "%s", name);
    else
        snprintf(weight->name, sizeof(weight->name), "blk.%lld.%s", (long long)layer, name);
    weight->columns = columns;
    weight->rows = rows;
    weight->mean = (float)mean;
    weight->spread = (float)spread;
    weight->type = rows == 0 ? TENSOR_F32
                             : mix_type(list->mix, weight->name, (uint32_t)list->shape->layers,
                                        list->shape->tied != 0, columns);
}

static void add_matrix(struct list *list, int64_t layer, const char *name, uint64_t columns, uint64_t rows,
                       double gain)
{
    add(list, layer, name, columns, rows, 0, gain / sqrt((double)columns));
}

static void add_norm(struct list *list, int64_t layer, const char *name, uint64_t length)
{
    add(list, layer, name, length, 0, 1, 0.1);
}

static void add_layer(struct list *list, int64_t layer)
{
    const struct shape *shape = list->shape;
    enum architecture architecture = shape->architecture;
    uint64_t embedding = shape->embedding;
    uint64_t queries = shape->heads * shape->head_length;
    uint64_t keys = shape->kv_heads * shape->head_length;
    double into_stream = 1 / sqrt(2.0 * (double)shape->layers); /* so many are added up */

    add_norm(list, layer, "attn_norm.weight", embedding);
    if (architecture == ARCH_PHI3) {
        add_matrix(list, layer, "attn_qkv.weight", embedding, queries + 2 * keys, 1);
    } else {
        add_matrix(list, layer, "attn_q.weight", embedding, queries, 1);
        add_matrix(list, layer, "attn_k.weight", embedding, keys, 1);
        add_matrix(list, layer, "attn_v.weight", embedding, keys, 1);
    }
    if (architecture == ARCH_QWEN2) {
        add(list, layer, "attn_q.bias", queries, 0, 0, 0.1);
        add(list, layer, "attn_k.bias", keys, 0, 0, 0.1);
        add(list, layer, "attn_v.bias", keys, 0, 0, 0.1);
    }
    if (architecture == ARCH_QWEN3 || architecture == ARCH_GEMMA3) {
        add_norm(list, layer, "attn_q_norm.weight", shape->head_length);
        add_norm(list, layer, "attn_k_norm.weight", shape->head_length);
    }
    add_matrix(list, layer, "attn_output.weight", queries, embedding, into_stream);
    if (architecture == ARCH_GEMMA3)
        add_norm(list, layer, "post_attention_norm.weight", embedding);
    add_norm(list, layer, "ffn_norm.weight", embedding);
    if (architecture != ARCH_PHI3)
        add_matrix(list, layer, "ffn_gate.weight", embedding, shape->feed, 1);
    add_matrix(list, layer, "ffn_up.weight", embedding,
               architecture == ARCH_PHI3 ? 2 * shape->feed : shape->feed, 1);
    add_matrix(list, layer, "ffn_down.weight", shape->feed, embedding, into_stream);
    if (architecture == ARCH_GEMMA3)
        add_norm(list, layer, "post_ffw_norm.weight", embedding);
}

size_t list_weights(const struct shape *shape, const struct mix *mix, struct weight **weights)
{
    struct list list = {.shape = shape, .mix = mix};

    list.weights = calloc(shape->layers * PER_LAYER + ENDS, sizeof(*list.weights));
    *weights = list.weights;
    if (list.weights == NULL) {
        complain("out of memory");
        exit(EXIT_WRONG);
    }
    add_matrix(&list, -1, "token_embd.weight", shape->embedding, shape->vocabulary, shape->tied != 0 ? 3 : 1);
    for (uint64_t layer = 0; layer < shape->layers; layer++)
        add_layer(&list, (int64_t)layer);
    if (shape->factors != 0 && shape->architecture == ARCH_PHI3) {
        add(&list, -1, "rope_factors_long.weight", shape->head_length / 2, 0, 4, 0.5);
        add(&list, -1, "rope_factors_short.weight", shape->head_length / 2, 0, 1.2, 0.05);
    } else if (shape->factors != 0) {
        add(&list, -1, "rope_freqs.weight", shape->head_length / 2, 0, 4, 0.5);
    }
    add_norm(&list, -1, "output_norm.weight", shape->embedding);
    if (shape->tied == 0)
        add_matrix(&list, -1, "output.weight", shape->embedding, shape->vocabulary, 3);
    return list.count;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t word = *state += 0x9e3779b97f4a7c15u;

    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
    word = (word ^ word >> 27) * 0x94d049bb133111ebu;
    return word ^ word >> 31;
}

void random_row(const struct weight *weight, uint64_t seed, size_t number, uint64_t row, float *out)
{
    uint64_t state = seed;

    state = next_random(&state) ^ (uint64_t)number << 40 ^ row;
    state = next_random(&state);
    for (uint64_t i = 0; i < weight->columns; i++) {
        /* Four numbers of 16 bits, added up, are near enough to a normal distribution: variance 1/3. */
        uint64_t word = next_random(&state);
        double sum =
            (double)((word & 0xffff) + (word >> 16 & 0xffff) + (word >> 32 & 0xffff) + (word >> 48)) /
                65535.0 -
            2;

        out[i] = weight->mean + weight->spread * (float)(sum * 1.7320508075688772);
    }
}
