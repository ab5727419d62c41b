/* SPDX-License-Identifier: MIT
 *
 * What a model computes, from its keys: the numbers of the plan.
 */
#include <errno.h>
#include <string.h>

#include "gguf/reader.h"
#include "math/math.h"
#include "message.h"

#define COUNT_MAX      (UINT32_C(1) << 24) /* of any length in a model: far beyond any that there is */
#define CONTEXT_MAX    (UINT32_C(1) << 30)
#define KEY_NAME_SIZE  80
#define KNOWN          "llama, qwen2, qwen3, gemma3, phi3"
#define ROPE_BASE      10000.0f
#define GEMMA3_PATTERN 6  /* every sixth layer sees all */
#define GEMMA3_27B     62 /* layers of the one whose attention is scaled otherwise */

static const struct family {
    const char *name;
    enum architecture architecture;
    enum rope_style rope;
    enum activation activation;
} families[] = {
    {"llama", ARCH_LLAMA, ROPE_ADJACENT, ACTIVATION_SILU},
    {"qwen2", ARCH_QWEN2, ROPE_HALVES, ACTIVATION_SILU},
    {"qwen3", ARCH_QWEN3, ROPE_HALVES, ACTIVATION_SILU},
    {"gemma3", ARCH_GEMMA3, ROPE_HALVES, ACTIVATION_GELU_TANH},
    {"phi3", ARCH_PHI3, ROPE_HALVES, ACTIVATION_SILU},
};

static float square_root(uint32_t number)
{
    return (float)math_sqrt((double)number);
}

struct key_name {
    char text[KEY_NAME_SIZE];
};

/* "llama" and ".block_count" are "llama.block_count". */
static struct key_name key_name(const struct gguf_reader *reader, const char *suffix)
{
    struct key_name name = {""};
    size_t length = strlen(reader->gguf->architecture);

    memcpy(name.text, reader->gguf->architecture, length);
    memcpy(name.text + length, suffix, strlen(suffix) + 1);
    return name;
}

static int count(struct gguf_reader *reader, const char *suffix, bool required, uint32_t least, uint32_t most,
                 uint32_t *value)
{
    return gguf_get_count(reader, key_name(reader, suffix).text, required, least, most, value);
}

static int positive(struct gguf_reader *reader, const char *suffix, bool required, float *value)
{
    return gguf_get_positive(reader, key_name(reader, suffix).text, required, value);
}

/* Where 0 says that there is none. */
static int positive_or_none(struct gguf_reader *reader, const char *suffix, float *value)
{
    return gguf_get_positive_or_none(reader, key_name(reader, suffix).text, value);
}

/* For an error about a key that may be missing, where its default does not fit. */
static struct gguf_place place_of(const struct gguf_reader *reader, const char *suffix)
{
    struct key_name name = key_name(reader, suffix);
    const struct gguf_key *key = gguf_key_find(&reader->gguf->file, name.text, strlen(name.text));

    return key != NULL ? gguf_key_place(key) : (struct gguf_place){.at = 0};
}

static int read_family(struct gguf_reader *reader)
{
    static const char name[] = "general.architecture";
    struct gguf *gguf = reader->gguf;
    struct airt_text text = {"", 0};
    int rc = gguf_get_text(reader, name, true, &text);

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        if (!gguf_text_is(text, families[i].name))
            continue;
        gguf->architecture = families[i].name;
        gguf->plan.architecture = families[i].architecture;
        gguf->plan.rope.style = families[i].rope;
        gguf->plan.activation = families[i].activation;
        return 0;
    }
    return gguf_fail_unknown(reader, gguf_key_place(gguf_key_find(&gguf->file, name, sizeof(name) - 1)), text,
                             KNOWN);
}

static int read_lengths(struct gguf_reader *reader)
{
    struct plan *plan = &reader->gguf->plan;
    uint32_t experts = 0;
    int rc;

    if (reader->gguf->file.tensor_count == 0)
        return gguf_fail(reader, (struct gguf_place){.at = 8}, "no tensors: a vocabulary, not a model");
    rc = count(reader, ".context_length", true, 1, CONTEXT_MAX, &plan->context_length);

    if (rc == 0)
        rc = count(reader, ".embedding_length", true, 1, COUNT_MAX, &plan->embedding_length);
    if (rc == 0)
        rc = count(reader, ".block_count", true, 1, GGUF_TENSORS_MAX, &plan->layer_count);
    if (rc == 0)
        rc = count(reader, ".feed_forward_length", true, 1, COUNT_MAX, &plan->feed_length);
    if (rc == 0) /* a mixture of experts is another thing */
        rc = count(reader, ".expert_count", false, 0, 0, &experts);
    if (rc == 0 && plan->layer_count > reader->gguf->file.tensor_count)
        return gguf_fail_numbers(reader, place_of(reader, ".block_count"), "", plan->layer_count,
                                 " layers in a file of ", reader->gguf->file.tensor_count, " tensors");
    return rc;
}

static int read_heads(struct gguf_reader *reader)
{
    struct plan *plan = &reader->gguf->plan;
    uint32_t value_length;
    int rc = count(reader, ".attention.head_count", true, 1, COUNT_MAX, &plan->heads);

    if (rc != 0)
        return rc;
    plan->kv_heads = plan->heads;
    rc = count(reader, ".attention.head_count_kv", false, 1, COUNT_MAX, &plan->kv_heads);
    if (rc != 0)
        return rc;
    if (plan->heads % plan->kv_heads != 0)
        return gguf_fail_numbers(reader, place_of(reader, ".attention.head_count_kv"), "", plan->kv_heads,
                                 ", which does not divide ", plan->heads, " heads");
    rc = count(reader, ".attention.key_length", false, 1, COUNT_MAX, &plan->head_length);
    if (rc != 0)
        return rc;
    if (plan->head_length == 0) {
        if (plan->embedding_length % plan->heads != 0)
            return gguf_fail_numbers(reader, place_of(reader, ".attention.head_count"), "", plan->heads,
                                     " heads, which do not divide an embedding_length of ",
                                     plan->embedding_length, "");
        plan->head_length = plan->embedding_length / plan->heads;
    }
    value_length = plan->head_length;
    rc = count(reader, ".attention.value_length", false, 1, COUNT_MAX, &value_length);
    if (rc == 0 && value_length != plan->head_length)
        return gguf_fail_numbers(reader, place_of(reader, ".attention.value_length"), "", value_length,
                                 ", expected ", plan->head_length, " as the keys have");
    return rc;
}

static int read_scaling(struct gguf_reader *reader)
{
    struct plan *plan = &reader->gguf->plan;
    struct rope *rope = &plan->rope;
    struct airt_text type = {"", 0};
    int rc = gguf_get_text(reader, key_name(reader, ".rope.scaling.type").text, false, &type);

    /* Older files have a factor alone, which is linear. */
    rope->factor = 1;
    if (rc == 0)
        rc = positive(reader, ".rope.scale_linear", false, &rope->factor);
    if (rc == 0)
        rc = positive_or_none(reader, ".rope.scaling.factor", &rope->factor);
    if (rc != 0)
        return rc;
    if (!(rope->factor > 0))
        rope->factor = 1;
    if (type.length == 0 || gguf_text_is(type, "linear")) {
        rope->scaling = rope->factor < 1 || rope->factor > 1 ? ROPE_SCALING_LINEAR : ROPE_SCALING_NONE;
    } else if (gguf_text_is(type, "yarn")) {
        rope->scaling = ROPE_SCALING_YARN;
    } else if (gguf_text_is(type, "none") || gguf_text_is(type, "longrope")) {
        rope->factor = 1; /* longrope is in tensors */
    } else {
        return gguf_fail_unknown(reader, place_of(reader, ".rope.scaling.type"), type,
                                 "none, linear, yarn, longrope");
    }

    rope->original_context = plan->context_length;
    rc = count(reader, ".rope.scaling.original_context_length", false, 1, CONTEXT_MAX,
               &rope->original_context);
    rope->attention_factor = rope->yarn_attention_factor = rope->yarn_extrapolation = 1;
    rope->yarn_beta_fast = 32;
    rope->yarn_beta_slow = 1;
    if (rc == 0)
        rc = positive(reader, ".rope.scaling.attn_factor", false, &rope->attention_factor);
    if (rc == 0)
        rc = positive(reader, ".rope.scaling.yarn_attn_factor", false, &rope->yarn_attention_factor);
    if (rc == 0)
        rc = positive_or_none(reader, ".rope.scaling.yarn_ext_factor", &rope->yarn_extrapolation);
    /* Where all frequencies are interpolated it is linear. */
    if (rope->scaling == ROPE_SCALING_YARN && !(rope->yarn_extrapolation > 0))
        rope->scaling = ROPE_SCALING_LINEAR;
    if (rc == 0)
        rc = positive(reader, ".rope.scaling.yarn_beta_fast", false, &rope->yarn_beta_fast);
    if (rc == 0)
        rc = positive(reader, ".rope.scaling.yarn_beta_slow", false, &rope->yarn_beta_slow);
    return rc;
}

static int read_rope(struct gguf_reader *reader)
{
    struct plan *plan = &reader->gguf->plan;
    struct rope *rope = &plan->rope;
    int rc;

    rope->dimensions = plan->head_length;
    rc = count(reader, ".rope.dimension_count", false, 1, plan->head_length, &rope->dimensions);
    if (rc != 0)
        return rc;
    if (rope->dimensions % 2 != 0)
        return gguf_fail_number(reader, place_of(reader, ".rope.dimension_count"), "", rope->dimensions,
                                ", expected a multiple of 2");
    rope->base = ROPE_BASE;
    rope->scaled_sliding = plan->architecture != ARCH_GEMMA3;
    rc = positive(reader, ".rope.freq_base", false, &rope->base);
    rope->base_sliding = plan->architecture == ARCH_GEMMA3 ? ROPE_BASE : rope->base;
    if (rc == 0)
        rc = positive(reader, ".rope.freq_base_swa", false, &rope->base_sliding);
    return rc == 0 ? read_scaling(reader) : rc;
}

/* Which layers look back no further than a window. */
static int read_window(struct gguf_reader *reader)
{
    struct gguf *gguf = reader->gguf;
    struct plan *plan = &gguf->plan;
    uint32_t pattern = GEMMA3_PATTERN;
    bool gemma = plan->architecture == ARCH_GEMMA3;
    int rc = 0;

    if (gemma || plan->architecture == ARCH_PHI3)
        rc = count(reader, ".attention.sliding_window", false, 0, CONTEXT_MAX, &plan->sliding_window);
    if (rc == 0 && gemma)
        rc = count(reader, ".attention.sliding_window_pattern", false, 1, COUNT_MAX, &pattern);
    if (rc != 0)
        return rc;
    plan->layers = gguf_allocate(reader, "the layers", plan->layer_count, sizeof(*plan->layers));
    if (plan->layers == NULL)
        return -ENOMEM;
    memset(plan->layers, 0, plan->layer_count * sizeof(*plan->layers));
    for (uint32_t i = 0; i < plan->layer_count; i++)
        plan->layers[i].sliding = plan->sliding_window > 0 && (!gemma || (i + 1) % pattern != 0);
    return 0;
}

static int read_scales(struct gguf_reader *reader)
{
    struct plan *plan = &reader->gguf->plan;
    bool gemma = plan->architecture == ARCH_GEMMA3;
    uint32_t length = plan->head_length;
    int rc = positive(reader, ".attention.layer_norm_rms_epsilon", true, &plan->epsilon);

    if (gemma && plan->layer_count == GEMMA3_27B && plan->embedding_length >= plan->heads)
        length = plan->embedding_length / plan->heads;
    plan->attention_scale = 1 / square_root(length);
    plan->embedding_scale = gemma ? square_root(plan->embedding_length) : 1;
    if (rc == 0)
        rc = positive(reader, ".attention.scale", false, &plan->attention_scale);
    if (rc == 0)
        rc = positive_or_none(reader, ".final_logit_softcapping", &plan->logit_softcap);
    return rc;
}

int gguf_read_shape(struct gguf_reader *reader)
{
    int rc = read_family(reader);

    if (rc == 0)
        rc = read_lengths(reader);
    if (rc == 0)
        rc = read_heads(reader);
    if (rc == 0)
        rc = read_rope(reader);
    if (rc == 0)
        rc = read_window(reader);
    if (rc == 0)
        rc = read_scales(reader);
    return rc;
}
