/* SPDX-License-Identifier: MIT
 *
 * What becomes of GGUF files that are fine: plan and weights.
 */
#include <stdio.h>

#include "gguf/reader.h"
#include "gguf_model.h"
#include "transformer/rope.h"

static void assert_matrix(const struct matrix *matrix, uint32_t rows, uint32_t columns, const char *tensor,
                          uint32_t first)
{
    size_t row = tensor_row_size(matrix->type, columns);

    assert_int_equal(matrix->rows, rows);
    assert_int_equal(matrix->columns, columns);
    assert_memory_equal(matrix->data, bytes_of(tensor) + first * row, rows * row);
}

static void assert_vector(const float *vector, size_t length, const char *tensor)
{
    assert_non_null(vector);
    assert_int_equal((uintptr_t)vector % 32, 0);
    assert_memory_equal(vector, bytes_of(tensor), length * sizeof(*vector));
}

static void assert_sizes(void)
{
    const struct plan *plan = &gguf->plan;

    assert_int_equal(plan->context_length, 64);
    assert_int_equal(plan->embedding_length, 32);
    assert_int_equal(plan->layer_count, 2);
    assert_int_equal(plan->heads, 4);
    assert_int_equal(plan->kv_heads, 2);
    assert_int_equal(plan->head_length, 8);
    assert_int_equal(plan->feed_length, 64);
    assert_int_equal(plan->vocabulary, 320);
    assert_int_equal(plan->rope.dimensions, 8);
    assert_true(plan->epsilon == 1e-5f);
    assert_true(plan->logit_softcap == 0);
    assert_int_equal(gguf->cache_bytes_per_token, 2 * 2 * 8 * 2 * 2);
    assert_matrix(&plan->token_embedding, 320, 32, "token_embd.weight", 0);
    assert_matrix(&plan->output, 320, 32, "output.weight", 0);
    assert_vector(plan->output_norm, 32, "output_norm.weight");
    for (uint32_t i = 0; i < 2; i++) {
        char name[40];

        snprintf(name, sizeof(name), "blk.%u.attn_norm.weight", i);
        assert_vector(plan->layers[i].attention_norm, 32, name);
        snprintf(name, sizeof(name), "blk.%u.ffn_norm.weight", i);
        assert_vector(plan->layers[i].feed_norm, 32, name);
        snprintf(name, sizeof(name), "blk.%u.attn_output.weight", i);
        assert_matrix(&plan->layers[i].attention_output, 32, 32, name, 0);
        snprintf(name, sizeof(name), "blk.%u.ffn_down.weight", i);
        assert_matrix(&plan->layers[i].down, 32, 64, name, 0);
    }
}

static void assert_separate(void)
{
    const struct layer *layer = &gguf->plan.layers[1];

    assert_matrix(&layer->query, 32, 32, "blk.1.attn_q.weight", 0);
    assert_matrix(&layer->key, 16, 32, "blk.1.attn_k.weight", 0);
    assert_matrix(&layer->value, 16, 32, "blk.1.attn_v.weight", 0);
    assert_matrix(&layer->gate, 64, 32, "blk.1.ffn_gate.weight", 0);
    assert_matrix(&layer->up, 64, 32, "blk.1.ffn_up.weight", 0);
}

static void llama(void **state)
{
    (void)state;
    open_model(&(struct change){.architecture = ARCH_LLAMA}, NULL);
    assert_sizes();
    assert_separate();
    assert_string_equal(gguf->architecture, "llama");
    assert_string_equal(gguf->format, "GGUF 3");
    assert_string_equal(gguf->quantization, "F32 100 %");
    assert_true(gguf_text_is(gguf->name, "random"));
    assert_int_equal(gguf->plan.rope.style, ROPE_ADJACENT);
    assert_int_equal(gguf->plan.rope.scaling, ROPE_SCALING_NONE);
    assert_true(gguf->plan.rope.base == 10000 && gguf->plan.rope.base_sliding == 10000);
    assert_true(gguf->plan.rope.factor == 1 && gguf->plan.rope.attention_factor == 1);
    assert_int_equal(gguf->plan.activation, ACTIVATION_SILU);
    assert_vector(gguf->plan.rope.factors, 4, "rope_freqs.weight");
    assert_null(gguf->plan.rope.factors_long);
    assert_int_equal(gguf->plan.sliding_window, 0); /* other runtimes leave it out, too */
    assert_false(gguf->plan.layers[0].sliding);
    assert_null(gguf->plan.layers[0].query_bias);
    assert_null(gguf->plan.layers[0].query_norm);
    assert_true(gguf->plan.attention_scale > 0.35355f && gguf->plan.attention_scale < 0.35356f);
    assert_true(gguf->plan.embedding_scale == 1);
    close_model();
}

static void qwen(void **state)
{
    (void)state;
    open_model(&(struct change){.architecture = ARCH_QWEN2}, NULL);
    assert_sizes();
    assert_separate();
    assert_int_equal(gguf->plan.rope.style, ROPE_HALVES);
    assert_true(gguf->plan.rope.base == 1000000);
    assert_vector(gguf->plan.layers[1].query_bias, 32, "blk.1.attn_q.bias");
    assert_vector(gguf->plan.layers[1].key_bias, 16, "blk.1.attn_k.bias");
    assert_vector(gguf->plan.layers[1].value_bias, 16, "blk.1.attn_v.bias");
    close_model();

    open_model(&(struct change){.architecture = ARCH_QWEN3}, NULL);
    assert_sizes();
    assert_separate();
    assert_vector(gguf->plan.layers[1].query_norm, 8, "blk.1.attn_q_norm.weight");
    assert_vector(gguf->plan.layers[1].key_norm, 8, "blk.1.attn_k_norm.weight");
    assert_null(gguf->plan.layers[1].query_bias);
    close_model();
}

static void gemma3(void **state)
{
    (void)state;
    open_model(&(struct change){.architecture = ARCH_GEMMA3}, NULL);
    assert_sizes();
    assert_separate();
    assert_int_equal(gguf->plan.activation, ACTIVATION_GELU_TANH);
    assert_true(gguf->plan.embedding_scale > 5.65685f && gguf->plan.embedding_scale < 5.65686f);
    assert_vector(gguf->plan.layers[1].attention_post_norm, 32, "blk.1.post_attention_norm.weight");
    assert_vector(gguf->plan.layers[1].feed_post_norm, 32, "blk.1.post_ffw_norm.weight");
    assert_int_equal(gguf->plan.sliding_window, 16);
    assert_true(gguf->plan.rope.base == 1000000 && gguf->plan.rope.base_sliding == 10000);
    close_model();

    open_model(&(struct change){.architecture = ARCH_GEMMA3,
                                .shape = SMALL ",layers=13",
                                .key = "gemma3.final_logit_softcapping",
                                RAW(F32 "\0\0\xf0\x41")},
               NULL);
    for (uint32_t i = 0; i < 13; i++)
        assert_int_equal(gguf->plan.layers[i].sliding, i != 5 && i != 11);
    assert_true(gguf->plan.logit_softcap == 30);
    close_model();

    /* 27B scales its attention by what a head has of the embedding. */
    open_model(&(struct change){.architecture = ARCH_GEMMA3,
                                .shape = "layers=62,embedding=16,heads=4,kv_heads=4,head_length=8,feed=8"},
               NULL);
    assert_true(gguf->plan.attention_scale == 0.5f);
    close_model();
}

static void phi3(void **state)
{
    const struct layer *layer;

    (void)state;
    open_model(&(struct change){.architecture = ARCH_PHI3, .type = "Q8_0"}, NULL);
    assert_sizes();
    layer = &gguf->plan.layers[1];
    assert_matrix(&layer->query, 32, 32, "blk.1.attn_qkv.weight", 0);
    assert_matrix(&layer->key, 16, 32, "blk.1.attn_qkv.weight", 32);
    assert_matrix(&layer->value, 16, 32, "blk.1.attn_qkv.weight", 48);
    assert_matrix(&layer->gate, 64, 32, "blk.1.ffn_up.weight", 0);
    assert_matrix(&layer->up, 64, 32, "blk.1.ffn_up.weight", 64);
    assert_vector(gguf->plan.rope.factors_long, 4, "rope_factors_long.weight");
    assert_vector(gguf->plan.rope.factors_short, 4, "rope_factors_short.weight");
    assert_int_equal(gguf->plan.rope.original_context, 16);
    assert_true(gguf->plan.rope.attention_factor > 1.18f);
    assert_int_equal(gguf->plan.sliding_window, 16);
    assert_true(gguf->plan.layers[0].sliding && gguf->plan.layers[1].sliding);
    close_model();
}

/* 0 says that there is none. */
static void zeros(void **state)
{
    static const struct {
        enum architecture architecture;
        const char *key;
    } keys[] = {{ARCH_LLAMA, "llama.rope.scaling.factor"},
                {ARCH_LLAMA, "llama.rope.scaling.yarn_ext_factor"},
                {ARCH_GEMMA3, "gemma3.final_logit_softcapping"}};

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        open_model(
            &(struct change){.architecture = keys[i].architecture, .key = keys[i].key, RAW(F32 "\0\0\0\0")},
            NULL);
        assert_true(gguf->plan.rope.factor == 1);
        assert_int_equal(gguf->plan.rope.scaling, ROPE_SCALING_NONE);
        assert_true(gguf->plan.logit_softcap == 0);
        close_model();
    }
}

/* Of frequencies: sliding layers of gemma3 are not scaled, and attn_factor counts without factors, too. */
static void frequencies(void **state)
{
    struct rope rope = {.scaling = ROPE_SCALING_LINEAR,
                        .dimensions = 4,
                        .base = 10000,
                        .base_sliding = 10000,
                        .factor = 8,
                        .original_context = 64,
                        .attention_factor = 1.5f,
                        .yarn_attention_factor = 1,
                        .yarn_extrapolation = 1,
                        .yarn_beta_fast = 32,
                        .yarn_beta_slow = 1};
    double numbers[2];

    (void)state;
    assert_true(rope_frequencies(&rope, true, 64, numbers) == 1.5);
    assert_true(numbers[0] == 1);
    rope.scaled_sliding = true;
    (void)rope_frequencies(&rope, true, 64, numbers);
    assert_true(numbers[0] == 0.125);
    rope.scaling = ROPE_SCALING_YARN; /* 1.5 * (1 + 0.1 * ln 8) */
    assert_in_range((int)(1e6 * rope_frequencies(&rope, false, 64, numbers)), 1811915, 1811917);
    open_model(&(struct change){.architecture = ARCH_GEMMA3}, NULL);
    assert_false(gguf->plan.rope.scaled_sliding);
    close_model();
    open_model(&(struct change){.architecture = ARCH_PHI3}, NULL);
    assert_true(gguf->plan.rope.scaled_sliding);
    close_model();
}

static void scaling(void **state)
{
    (void)state;
    open_model(&(struct change){.key = "llama.rope.scaling.factor", RAW(F32 "\0\0\0\x41")}, NULL);
    assert_int_equal(gguf->plan.rope.scaling, ROPE_SCALING_LINEAR);
    assert_true(gguf->plan.rope.factor == 8);
    close_model();
    open_model(&(struct change){.key = "llama.rope.scaling.type", RAW(STRING LENGTH("\4") "yarn")}, NULL);
    assert_int_equal(gguf->plan.rope.scaling, ROPE_SCALING_YARN);
    assert_true(gguf->plan.rope.yarn_beta_fast == 32 && gguf->plan.rope.yarn_beta_slow == 1);
    assert_int_equal(gguf->plan.rope.original_context, 64);
    close_model();
    open_model(&(struct change){.key = "llama.rope.scaling.type", RAW(STRING LENGTH("\4") "none")}, NULL);
    assert_int_equal(gguf->plan.rope.scaling, ROPE_SCALING_NONE);
    close_model();
}

static void output_may_be_the_embedding(void **state)
{
    (void)state;
    open_model(&(struct change){.shape = SMALL ",tied=1", .type = "Q4_0"}, NULL);
    assert_ptr_equal(gguf->plan.output.data, gguf->plan.token_embedding.data);
    assert_int_equal(gguf->plan.output.type, TENSOR_Q4_0);
    close_model();
}

/* Numbers may be of any width, and of a number for each layer. */
static void numbers_of_any_type(void **state)
{
    (void)state;
    open_model(&(struct change){.key = "llama.attention.head_count_kv",
                                RAW(ARRAY "\5\0\0\0" LENGTH("\2") N("\2") N("\2"))},
               NULL);
    assert_int_equal(gguf->plan.kv_heads, 2);
    close_model();
    open_model(&(struct change){.key = "llama.feed_forward_length", RAW("\12\0\0\0" LENGTH("\100"))}, NULL);
    assert_sizes();
    close_model();
    open_model(&(struct change){.key = "llama.attention.layer_norm_rms_epsilon",
                                RAW("\14\0\0\0"
                                    "\0\0\0\0\0\0\xe0\x3f")},
               NULL);
    assert_true(gguf->plan.epsilon == 0.5f);
    close_model();
}

static void every_type(void **state)
{
    static const char *const types[] = {"F32",  "F16",  "BF16", "Q8_0", "Q4_0", "Q4_1",
                                        "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"};

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        char expected[16];

        snprintf(expected, sizeof(expected), "%s ", types[i]);
        open_model(&(struct change){.shape = "tiny,layers=1", .type = types[i]}, NULL);
        assert_memory_equal(gguf->quantization, expected, strlen(expected));
        assert_matrix(&gguf->plan.layers[0].down, 256, 512, "blk.0.ffn_down.weight", 0);
        close_model();
    }
    open_model(&(struct change){.shape = "tiny,layers=3,tied=1", .type = "Q4_K_M"}, NULL);
    assert_string_equal(gguf->quantization, "Q4_K 78 %, Q6_K 21 %, F32 1 %");
    close_model();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llama),
        cmocka_unit_test(qwen),
        cmocka_unit_test(gemma3),
        cmocka_unit_test(phi3),
        cmocka_unit_test(scaling),
        cmocka_unit_test(zeros),
        cmocka_unit_test(frequencies),
        cmocka_unit_test(output_may_be_the_embedding),
        cmocka_unit_test(numbers_of_any_type),
        cmocka_unit_test(every_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
