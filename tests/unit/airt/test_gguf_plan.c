/* SPDX-License-Identifier: MIT
 *
 * What becomes of GGUF files that are fine: plan, vocabulary, weights, memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gguf/reader.h"
#include "gguf/sha256.h"
#include "gguf_model.h"
#include "tensor/quantize.h"

#define RAW(bytes)  .raw = (bytes), .raw_size = sizeof(bytes) - 1
#define U32         "\4\0\0\0"
#define F32         "\6\0\0\0"
#define STRING      "\10\0\0\0"
#define ARRAY       "\11\0\0\0"
#define N(low)      low "\0\0\0"
#define LENGTH(low) low "\0\0\0\0\0\0\0"

/* One at a time. */
static struct model_bytes model;
static struct airt_source source;
static struct gguf *gguf;

static void open_model(const struct change *change, const struct airt_options *options)
{
    counters_reset();
    model = model_make(change);
    source = source_open(model.bytes, model.size, false);
    gguf = gguf_of(&source, options);
    assert_int_equal(gguf->file.bytes_held, counters.in_use);
}

static void close_model(void)
{
    gguf_free(&hooks, gguf);
    assert_int_equal(counters.in_use, 0);
    source_close(&source);
    free(model.bytes);
}

static const char *bytes_of(const char *tensor)
{
    const struct gguf_tensor *found = gguf_tensor_find(&gguf->file, tensor, strlen(tensor));

    assert_non_null(found);
    return model.bytes + gguf->file.data_start + found->offset;
}

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

/* However the file packs them, tensors are aligned in memory. */
static void alignments(void **state)
{
    static const uint32_t alignments_tried[] = {1, 8, 16, 64, 4096, 65536};

    (void)state;
    for (size_t i = 0; i < sizeof(alignments_tried) / sizeof(alignments_tried[0]); i++) {
        open_model(&(struct change){.alignment = alignments_tried[i], .shape = SMALL ",factors=1"}, NULL);
        assert_int_equal(gguf->file.alignment, alignments_tried[i]);
        assert_sizes();
        assert_separate();
        for (uint32_t j = 0; j < gguf->file.tensor_count; j++)
            assert_int_equal((uintptr_t)gguf->file.tensors[j].data % 32, 0);
        close_model();
    }
}

static void mapped_and_aligned_is_used_in_place(void **state)
{
    struct airt_source mapped = {.name = "test.kv"};
    struct gguf *in_place;
    void *aligned;

    (void)state;
    open_model(&(struct change){.architecture = ARCH_QWEN3}, NULL);
    assert_int_equal(posix_memalign(&aligned, 64, model.size + 16), 0);
    memcpy(aligned, model.bytes, model.size);
    mapped.mapped = aligned;
    mapped.size = model.size;
    in_place = gguf_of(&mapped, NULL);
    assert_ptr_equal(in_place->file.bytes, aligned);
    assert_true(in_place->file.bytes_held < model.size / 4);
    assert_ptr_equal(in_place->plan.output_norm,
                     (char *)aligned + (bytes_of("output_norm.weight") - model.bytes));
    assert_string_equal(in_place->sha256, gguf->sha256);
    assert_int_equal(in_place->parameters, gguf->parameters);
    gguf_free(&hooks, in_place);
    /* Elsewhere it is copied. */
    mapped.mapped = memmove((char *)aligned + 16, aligned, model.size);
    in_place = gguf_of(&mapped, NULL);
    assert_true(in_place->file.bytes_held > model.size / 2);
    assert_int_equal((uintptr_t)in_place->plan.output_norm % 32, 0);
    assert_memory_equal(in_place->plan.output_norm, gguf->plan.output_norm, 32 * sizeof(float));
    assert_string_equal(in_place->sha256, gguf->sha256);
    gguf_free(&hooks, in_place);
    free(aligned);
    close_model();
}

/* FIPS 180-4's examples, and every length around a block. */
static void sha256(void **state)
{
    static const char abc[] = "abc";
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    struct sha256 sha;
    char digits[65];
    char whole[65];
    char text[200];

    (void)state;
    gguf_sha256_init(&sha);
    gguf_sha256_finish(&sha, digits);
    assert_string_equal(digits, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    gguf_sha256_init(&sha);
    gguf_sha256_add(&sha, abc, 3);
    gguf_sha256_finish(&sha, digits);
    assert_string_equal(digits, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    gguf_sha256_init(&sha);
    gguf_sha256_add(&sha, two, 56);
    gguf_sha256_finish(&sha, digits);
    assert_string_equal(digits, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(text, 'a', sizeof(text));
    for (size_t length = 0; length <= sizeof(text); length++) {
        gguf_sha256_init(&sha);
        gguf_sha256_add(&sha, text, length);
        gguf_sha256_finish(&sha, whole);
        gguf_sha256_init(&sha);
        for (size_t at = 0; at < length; at += 7)
            gguf_sha256_add(&sha, text + at, length - at < 7 ? length - at : 7);
        gguf_sha256_finish(&sha, digits);
        assert_string_equal(digits, whole);
    }
}

static int load_with(const struct airt_options *options)
{
    struct work work = {.hooks = &hooks};

    return gguf_load(&work, options, &source, &gguf, &error);
}

static void memory_is_limited(void **state)
{
    const uint64_t per_token = 2 * 2 * 8 * 2 * 2;
    struct airt_options options = {.context_length = 0};
    uint64_t held;

    (void)state;
    open_model(&(struct change){.shape = SMALL ",context=100000"}, NULL);
    held = gguf->file.bytes_held;
    gguf_free(&hooks, gguf);

    /* The context is what fits. */
    options.memory_max = held + 1000 * per_token;
    assert_int_equal(load_with(&options), 0);
    assert_int_equal(gguf->plan.context_length, 1000);
    gguf_free(&hooks, gguf);
    options.cache_f32 = true;
    assert_int_equal(load_with(&options), 0);
    assert_int_equal(gguf->plan.context_length, 500);
    assert_int_equal(gguf->cache_bytes_per_token, 2 * per_token);
    gguf_free(&hooks, gguf);
    options.cache_f32 = false;

    /* With a context that is asked for it fits, or it does not. */
    options.context_length = 1000;
    assert_int_equal(load_with(&options), 0);
    assert_int_equal(gguf->plan.context_length, 1000);
    gguf_free(&hooks, gguf);
    options.context_length = 90000;
    counters.peak = 0;
    fail_read = 3; /* beyond the head: would be reading the weights */
    assert_int_equal(load_with(&options), -ENOMEM);
    assert_string_equal(error.text,
                        "test.kv: needs 12 MiB of memory (11 of it for a context of 90000 tokens),"
                        " there are 0 MiB");
    assert_true(counters.peak < held);

    /* Of too little memory nothing is left. */
    options.context_length = 0;
    options.memory_max = held - 1;
    assert_int_equal(load_with(&options), -ENOMEM);
    assert_non_null(strstr(error.text, " for a context of 64 tokens), there are 0 MiB"));
    fail_read = 0;

    /* More than the model has is what the model has. */
    options = (struct airt_options){.context_length = 200000};
    assert_int_equal(load_with(&options), 0);
    assert_int_equal(gguf->plan.context_length, 100000);
    close_model();
}

static void vocabulary(void **state)
{
    const struct vocabulary *read;
    struct work work = {.hooks = &hooks};

    (void)state;
    open_model(&(struct change){.shape = NULL}, NULL);
    read = &gguf->vocabulary;
    assert_int_equal(read->kind, VOCABULARY_SPM);
    assert_int_equal(read->count, 320);
    assert_true(gguf_text_is(read->tokens[0], "<unk>"));
    assert_true(gguf_text_is(read->tokens[3 + 255], "<0xFF>"));
    assert_int_equal(read->kinds[0], TOKEN_UNKNOWN);
    assert_int_equal(read->kinds[3], TOKEN_BYTE);
    assert_int_equal(read->kinds[319], TOKEN_UNUSED);
    assert_true(read->scores[259] == -1);
    assert_int_equal(read->merge_count, 0);
    assert_int_equal(read->bos, 1);
    assert_int_equal(read->eos, 2);
    assert_int_equal(read->unknown, 0);
    assert_int_equal(read->eot, VOCABULARY_NONE);
    assert_int_equal(read->padding, VOCABULARY_NONE);
    assert_true(read->add_bos && !read->add_eos && read->add_space_prefix);
    assert_int_equal(read->chat_template.length, 0);
    gguf_free(&hooks, gguf);

    /* Alone: the tensors are not looked at. */
    assert_int_equal(gguf_load_vocabulary(&work, &source, &gguf, &error), 0);
    assert_int_equal(gguf->vocabulary.count, 320);
    assert_int_equal(gguf->plan.layer_count, 0);
    close_model();

    /* Without tensors it is no model; some writers pad it. */
    {
        struct writer head;
        struct airt_source bytes = {.name = "v"};

        writer_begin(&head);
        writer_key_text(&head, "general.architecture", "llama");
        writer_key_text(&head, "tokenizer.ggml.model", "llama");
        writer_key_array(&head, "tokenizer.ggml.tokens", GGUF_STRING, 1);
        writer_text(&head, "a", 1);
        writer_key_array(&head, "tokenizer.ggml.scores", GGUF_F32, 1);
        writer_u32(&head, 0);
        writer_end(&head, 3, 32);
        writer_bytes(&head, "\0\0\0\0", 4);
        bytes.mapped = head.bytes;
        bytes.size = head.size;
        assert_int_equal(gguf_load(&work, &(struct airt_options){.context_length = 0}, &bytes, &gguf, &error),
                         -EINVAL);
        assert_string_equal(error.text, "v: byte 8: no tensors: a vocabulary, not a model");
        assert_int_equal(gguf_load_vocabulary(&work, &bytes, &gguf, &error), 0);
        assert_int_equal(gguf->vocabulary.bos, VOCABULARY_NONE); /* 1 is beyond it */
        gguf_free(&hooks, gguf);
        free(head.bytes);
    }

    /* -1 is none. */
    open_model(&(struct change){.key = "tokenizer.ggml.bos_token_id", RAW(U32 "\xff\xff\xff\xff")}, NULL);
    assert_int_equal(gguf->vocabulary.bos, VOCABULARY_NONE);
    assert_false(gguf->vocabulary.add_bos);
    close_model();
    open_model(&(struct change){.key = "tokenizer.ggml.token_type"}, NULL);
    assert_int_equal(gguf->vocabulary.kinds[0], TOKEN_NORMAL);
    close_model();
}

/* Without tensors: a vocabulary. Returns what loading it returned. */
static int load_bpe(const char *pre, uint32_t merges)
{
    struct airt_source bytes = {.name = "bpe"};
    struct work work = {.hooks = &hooks};
    struct writer head;
    int rc;

    writer_begin(&head);
    writer_key_text(&head, "tokenizer.ggml.model", "gpt2");
    if (pre != NULL)
        writer_key_text(&head, "tokenizer.ggml.pre", pre);
    writer_key_array(&head, "tokenizer.ggml.tokens", GGUF_STRING, 3);
    writer_text(&head, "a", 1);
    writer_text(&head, "b", 1);
    writer_text(&head, "ab", 2);
    if (merges > 0) {
        writer_key_array(&head, "tokenizer.ggml.merges", GGUF_STRING, merges);
        writer_text(&head, "a b", 3);
    }
    writer_end(&head, 2, 32);
    bytes.mapped = head.bytes;
    bytes.size = head.size;
    rc = gguf_load_vocabulary(&work, &bytes, &gguf, &error);
    if (rc == 0) {
        const struct vocabulary *read = &gguf->vocabulary;

        assert_string_equal(gguf->format, "GGUF 2");
        assert_int_equal(read->kind, VOCABULARY_BPE);
        assert_int_equal(read->merge_count, 1);
        assert_true(gguf_text_is(read->merges[0], "a b"));
        assert_null(read->scores);
        assert_false(read->add_space_prefix);
        assert_int_equal(read->bos, VOCABULARY_NONE);
    }
    free(head.bytes);
    return rc;
}

static void pretokenizers(void **state)
{
    static const struct {
        const char *name;
        enum pretokenizer pretokenizer;
    } names[] = {{"gpt-2", PRETOKENIZER_GPT2},   {"llama-bpe", PRETOKENIZER_LLAMA_BPE},
                 {"qwen2", PRETOKENIZER_QWEN2},  {"smollm", PRETOKENIZER_SMOLLM},
                 {"gpt-4o", PRETOKENIZER_GPT4O}, {"llama-v3", PRETOKENIZER_LLAMA_BPE}};

    (void)state;
    counters_reset();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(load_bpe(names[i].name, 1), 0);
        assert_int_equal(gguf->vocabulary.pretokenizer, names[i].pretokenizer);
        gguf_free(&hooks, gguf);
    }
    assert_int_equal(load_bpe("klingon", 1), -EINVAL);
    assert_non_null(strstr(error.text, "'klingon', known are gpt-2, llama-bpe, qwen2, smollm, gpt-4o"));
    assert_int_equal(load_bpe("gpt-2", 0), -EINVAL);
    assert_string_equal(error.text, "bpe: key 'tokenizer.ggml.merges' is missing");
    assert_int_equal(counters.in_use, 0);
}

/* Files as others make them, where they are. */
static void shared_models(void **state)
{
    static const char sum[] = "047bf46455a544931cff6fef14d7910154c56afbc23ab1c5e56a72e69912c04b";
    const char *shared = getenv("MK_SHARED");
    char path[512];
    FILE *file;
    size_t size;

    (void)state;
    snprintf(path, sizeof(path), "%s/models/stories260K/stories260K.gguf", shared != NULL ? shared : SHARED);
    file = fopen(path, "rb");
    if (file == NULL) {
        print_message("skipped: no %s\n", path);
        skip();
    }
    fclose(file);
    counters_reset();
    model.bytes = read_file(path, &size);
    model.size = size;
    source = source_open(model.bytes, model.size, false);
    gguf = gguf_of(&source, NULL);
    assert_string_equal(gguf->sha256, sum);
    assert_int_equal(gguf->plan.vocabulary, 512);
    assert_int_equal(gguf->parameters, 292800);
    assert_int_equal(gguf->vocabulary.padding, VOCABULARY_NONE);
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
        cmocka_unit_test(output_may_be_the_embedding),
        cmocka_unit_test(numbers_of_any_type),
        cmocka_unit_test(every_type),
        cmocka_unit_test(alignments),
        cmocka_unit_test(mapped_and_aligned_is_used_in_place),
        cmocka_unit_test(sha256),
        cmocka_unit_test(memory_is_limited),
        cmocka_unit_test(vocabulary),
        cmocka_unit_test(pretokenizers),
        cmocka_unit_test(shared_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
