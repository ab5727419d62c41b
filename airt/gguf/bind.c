/* SPDX-License-Identifier: MIT
 *
 * Which tensor is which weight: the plan's pointers, from the tensors' names. Every shape is checked against
 * the model's numbers, and a tensor that has no place in the architecture is refused: to leave it out is to
 * compute something else.
 */
#include <errno.h>
#include <string.h>

#include "gguf/reader.h"
#include "message.h"

#define LAYER_NAME_SIZE 64

/* Where a name is put together: "blk.12." and what follows. */
struct name {
    char text[LAYER_NAME_SIZE];
};

static struct name layer_name(uint32_t layer, const char *suffix)
{
    struct name name = {"blk."};
    char digits[10];
    size_t first = sizeof(digits);

    do {
        digits[--first] = (char)('0' + layer % 10);
        layer /= 10;
    } while (layer > 0);
    memcpy(name.text + 4, digits + first, sizeof(digits) - first);
    memcpy(name.text + 4 + sizeof(digits) - first, suffix, strlen(suffix) + 1);
    return name;
}

static int fail_shape(struct gguf_reader *reader, const struct gguf_tensor *tensor, uint64_t rows,
                      uint64_t columns)
{
    (void)gguf_fail_numbers(reader, gguf_tensor_place(tensor), "shape ", tensor->counts[0], " by ",
                            tensor->counts[1], "");
    for (uint32_t i = 2; i < tensor->dimensions; i++) {
        message_text(reader->error, " by ");
        message_number(reader->error, tensor->counts[i]);
    }
    message_text(reader->error, ", expected ");
    message_number(reader->error, columns);
    message_text(reader->error, " by ");
    message_number(reader->error, rows);
    return -EINVAL;
}

/* Finds a tensor of this shape. *found stays NULL where it is missing and may be. */
static int find(struct gguf_reader *reader, const char *name, bool required, uint64_t rows, uint64_t columns,
                struct gguf_tensor **found)
{
    struct gguf_tensor *tensor = gguf_tensor_find(&reader->gguf->file, name, strlen(name));

    *found = NULL;
    if (tensor == NULL)
        return required ? gguf_fail_missing(reader, "tensor", name) : 0;
    if (tensor->counts[0] != columns || tensor->counts[1] != rows || tensor->counts[2] != 1 ||
        tensor->counts[3] != 1)
        return fail_shape(reader, tensor, rows, columns);
    tensor->used = true;
    *found = tensor;
    return 0;
}

static int bind_matrix(struct gguf_reader *reader, const char *name, bool required, uint64_t rows,
                       uint64_t columns, struct matrix *matrix)
{
    struct gguf_tensor *tensor;
    int rc = find(reader, name, required, rows, columns, &tensor);

    if (rc != 0 || tensor == NULL)
        return rc;
    if (rows > UINT32_MAX || columns > UINT32_MAX)
        return fail_shape(reader, tensor, UINT32_MAX, UINT32_MAX);
    *matrix = (struct matrix){tensor->type, (uint32_t)rows, (uint32_t)columns, tensor->data};
    return 0;
}

static int bind_vector(struct gguf_reader *reader, const char *name, bool required, uint64_t length,
                       const float **vector)
{
    struct gguf_tensor *tensor;
    int rc = find(reader, name, required, 1, length, &tensor);

    if (rc != 0 || tensor == NULL)
        return rc;
    if (tensor->type != TENSOR_F32)
        return gguf_fail_numbers(reader, gguf_tensor_place(tensor), "numbers of type ", tensor->type,
                                 ", expected ", TENSOR_F32, " (F32)");
    *vector = tensor->data;
    return 0;
}

/* `count` rows of a matrix, from `first` on. */
static struct matrix rows_of(const struct matrix *matrix, uint32_t first, uint32_t count)
{
    const char *data = matrix->data;

    if (data != NULL)
        data += first * tensor_row_size(matrix->type, matrix->columns);
    return (struct matrix){matrix->type, count, matrix->columns, data};
}

static int bind_attention(struct gguf_reader *reader, uint32_t number, struct layer *layer)
{
    const struct plan *plan = &reader->gguf->plan;
    uint64_t embedding = plan->embedding_length;
    uint64_t queries = (uint64_t)plan->heads * plan->head_length;
    uint64_t keys = (uint64_t)plan->kv_heads * plan->head_length;
    struct matrix fused = {.data = NULL};
    int rc = 0;

    if (plan->architecture == ARCH_PHI3)
        rc = bind_matrix(reader, layer_name(number, ".attn_qkv.weight").text, false, queries + 2 * keys,
                         embedding, &fused);
    if (rc != 0)
        return rc;
    if (fused.rows > 0) {
        layer->query = rows_of(&fused, 0, (uint32_t)queries);
        layer->key = rows_of(&fused, (uint32_t)queries, (uint32_t)keys);
        layer->value = rows_of(&fused, (uint32_t)(queries + keys), (uint32_t)keys);
    } else {
        rc = bind_matrix(reader, layer_name(number, ".attn_q.weight").text, true, queries, embedding,
                         &layer->query);
        if (rc == 0)
            rc = bind_matrix(reader, layer_name(number, ".attn_k.weight").text, true, keys, embedding,
                             &layer->key);
        if (rc == 0)
            rc = bind_matrix(reader, layer_name(number, ".attn_v.weight").text, true, keys, embedding,
                             &layer->value);
    }
    if (rc == 0)
        rc = bind_matrix(reader, layer_name(number, ".attn_output.weight").text, true, embedding, queries,
                         &layer->attention_output);
    return rc;
}

static int bind_attention_vectors(struct gguf_reader *reader, uint32_t number, struct layer *layer)
{
    const struct plan *plan = &reader->gguf->plan;
    enum architecture architecture = plan->architecture;
    uint64_t queries = (uint64_t)plan->heads * plan->head_length;
    uint64_t keys = (uint64_t)plan->kv_heads * plan->head_length;
    bool biases = architecture == ARCH_QWEN2;
    int rc = bind_vector(reader, layer_name(number, ".attn_norm.weight").text, true, plan->embedding_length,
                         &layer->attention_norm);

    if (rc == 0 && (biases || architecture == ARCH_LLAMA)) {
        rc =
            bind_vector(reader, layer_name(number, ".attn_q.bias").text, biases, queries, &layer->query_bias);
        if (rc == 0)
            rc = bind_vector(reader, layer_name(number, ".attn_k.bias").text, biases, keys, &layer->key_bias);
        if (rc == 0)
            rc = bind_vector(reader, layer_name(number, ".attn_v.bias").text, biases, keys,
                             &layer->value_bias);
        if (rc == 0)
            rc = bind_vector(reader, layer_name(number, ".attn_output.bias").text, false,
                             plan->embedding_length, &layer->attention_output_bias);
    }
    if (rc == 0 && (architecture == ARCH_QWEN3 || architecture == ARCH_GEMMA3)) {
        rc = bind_vector(reader, layer_name(number, ".attn_q_norm.weight").text, true, plan->head_length,
                         &layer->query_norm);
        if (rc == 0)
            rc = bind_vector(reader, layer_name(number, ".attn_k_norm.weight").text, true, plan->head_length,
                             &layer->key_norm);
    }
    if (rc == 0 && architecture == ARCH_GEMMA3)
        rc = bind_vector(reader, layer_name(number, ".post_attention_norm.weight").text, true,
                         plan->embedding_length, &layer->attention_post_norm);
    return rc;
}

static int bind_feed(struct gguf_reader *reader, uint32_t number, struct layer *layer)
{
    const struct plan *plan = &reader->gguf->plan;
    uint32_t embedding = plan->embedding_length;
    uint32_t feed = plan->feed_length;
    struct matrix fused = {.data = NULL};
    int rc =
        bind_vector(reader, layer_name(number, ".ffn_norm.weight").text, true, embedding, &layer->feed_norm);

    if (rc == 0 && plan->architecture == ARCH_GEMMA3)
        rc = bind_vector(reader, layer_name(number, ".post_ffw_norm.weight").text, true, embedding,
                         &layer->feed_post_norm);
    if (rc == 0 && plan->architecture == ARCH_PHI3) {
        rc = bind_matrix(reader, layer_name(number, ".ffn_up.weight").text, true, 2 * (uint64_t)feed,
                         embedding, &fused);
        layer->gate = rows_of(&fused, 0, feed);
        layer->up = rows_of(&fused, feed, feed);
    } else if (rc == 0) {
        rc = bind_matrix(reader, layer_name(number, ".ffn_gate.weight").text, true, feed, embedding,
                         &layer->gate);
        if (rc == 0)
            rc = bind_matrix(reader, layer_name(number, ".ffn_up.weight").text, true, feed, embedding,
                             &layer->up);
    }
    if (rc == 0)
        rc = bind_matrix(reader, layer_name(number, ".ffn_down.weight").text, true, embedding, feed,
                         &layer->down);
    return rc;
}

/* Frequencies of the rotation are divided by these; longrope has two sets. */
static int bind_factors(struct gguf_reader *reader)
{
    struct rope *rope = &reader->gguf->plan.rope;
    uint32_t length = rope->dimensions / 2;
    bool has_long = gguf_tensor_find(&reader->gguf->file, "rope_factors_long.weight", 24) != NULL;
    int rc = bind_vector(reader, "rope_freqs.weight", false, length, &rope->factors);

    if (rc == 0)
        rc = bind_vector(reader, "rope_factors_long.weight", false, length, &rope->factors_long);
    if (rc == 0)
        rc = bind_vector(reader, "rope_factors_short.weight", has_long, length, &rope->factors_short);
    return rc;
}

static int bind_ends(struct gguf_reader *reader)
{
    struct gguf *gguf = reader->gguf;
    struct plan *plan = &gguf->plan;
    struct gguf_tensor *embedding = gguf_tensor_find(&gguf->file, "token_embd.weight", 17);
    int rc;

    if (embedding == NULL)
        return gguf_fail_missing(reader, "tensor", "token_embd.weight");
    plan->vocabulary = gguf->vocabulary.count;
    rc = bind_matrix(reader, "token_embd.weight", true, plan->vocabulary, plan->embedding_length,
                     &plan->token_embedding);
    /* Without an output of its own the model takes the embedding for it. */
    plan->output = plan->token_embedding;
    if (rc == 0)
        rc = bind_matrix(reader, "output.weight", false, plan->vocabulary, plan->embedding_length,
                         &plan->output);
    if (rc == 0)
        rc = bind_vector(reader, "output_norm.weight", true, plan->embedding_length, &plan->output_norm);
    return rc == 0 ? bind_factors(reader) : rc;
}

static int fail_unwanted(struct gguf_reader *reader, const struct gguf_tensor *tensor)
{
    (void)gguf_fail(reader, gguf_tensor_place(tensor), "has no place in a model of architecture '");
    message_text(reader->error, reader->gguf->architecture);
    message_text(reader->error, "'");
    return -EINVAL;
}

int gguf_bind(struct gguf_reader *reader)
{
    struct gguf_file *file = &reader->gguf->file;
    struct plan *plan = &reader->gguf->plan;
    int rc = bind_ends(reader);

    for (uint32_t i = 0; i < plan->layer_count && rc == 0; i++) {
        rc = bind_attention(reader, i, &plan->layers[i]);
        if (rc == 0)
            rc = bind_attention_vectors(reader, i, &plan->layers[i]);
        if (rc == 0)
            rc = bind_feed(reader, i, &plan->layers[i]);
        if (rc == 0)
            rc = work_spend(reader->work, 4096);
    }
    for (uint32_t i = 0; i < file->tensor_count && rc == 0; i++)
        if (!file->tensors[i].used)
            return fail_unwanted(reader, &file->tensors[i]);
    return rc;
}
