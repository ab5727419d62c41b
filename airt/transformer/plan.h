/* SPDX-License-Identifier: MIT
 *
 * What a model computes: its shape and where its weights are, checked. gguf/ fills it for every architecture;
 * forward.c runs it without knowing their names.
 */
#ifndef AIRT_TRANSFORMER_PLAN_H
#define AIRT_TRANSFORMER_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/types.h"

enum architecture { ARCH_LLAMA, ARCH_QWEN2, ARCH_QWEN3, ARCH_GEMMA3, ARCH_PHI3 };

enum rope_style {
    ROPE_ADJACENT, /* pairs are (0, 1), (2, 3), ...: llama */
    ROPE_HALVES    /* pairs are (0, n/2), (1, n/2 + 1), ...: qwen, gemma, phi ("neox") */
};
enum rope_scaling { ROPE_SCALING_NONE, ROPE_SCALING_LINEAR, ROPE_SCALING_YARN };
enum activation { ACTIVATION_SILU, ACTIVATION_GELU_TANH };

/* Pointers are NULL, and matrices without data, where the architecture does not have them. A matrix that a
 * file holds fused with others (phi3: q, k and v; gate and up) points into it. */
struct layer {
    const float *attention_norm;     /* [embedding_length] */
    struct matrix query, key, value; /* rows: heads * head_length, kv_heads * head_length */
    const float *query_bias, *key_bias, *value_bias;
    const float *query_norm, *key_norm; /* [head_length]: of every head (qwen3, gemma3) */
    struct matrix attention_output;
    const float *attention_output_bias;
    const float *attention_post_norm; /* gemma3 */
    const float *feed_norm;           /* [embedding_length] */
    struct matrix gate, up, down;
    const float *feed_post_norm; /* gemma3 */
    bool sliding;                /* attends to the last sliding_window tokens only */
};

struct rope {
    enum rope_style style;
    enum rope_scaling scaling;
    uint32_t dimensions; /* of a head that turn; even */
    float base;          /* of layers that see all */
    float base_sliding;  /* of sliding layers (gemma3); else as base */
    bool scaled_sliding; /* the scaling is for sliding layers, too (all but gemma3) */
    float factor;        /* of the scaling; 1: none */
    uint32_t original_context;
    float yarn_attention_factor, yarn_beta_fast, yarn_beta_slow, yarn_extrapolation;
    float attention_factor;     /* what cosine and sine are multiplied by; 1: none */
    const float *factors;       /* [dimensions / 2]: rope_freqs, or NULL */
    const float *factors_short; /* longrope (phi3): of a context_length up to original_context */
    const float *factors_long;  /* of a longer one */
};

struct plan {
    enum architecture architecture;
    uint32_t context_length, embedding_length, layer_count, heads, kv_heads, head_length, feed_length,
        vocabulary;
    uint32_t sliding_window; /* 0: none */
    float epsilon;           /* of the norms */
    float embedding_scale;   /* 1, or the square root of embedding_length (gemma) */
    float attention_scale;   /* of query times key */
    float logit_softcap;     /* 0: none */
    enum activation activation;
    struct rope rope;
    struct matrix token_embedding; /* rows: vocabulary */
    struct matrix output;          /* may be token_embedding */
    const float *output_norm;
    struct layer *layers;
};

#endif
