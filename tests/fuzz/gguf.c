/* SPDX-License-Identifier: MIT
 *
 * The GGUF reader: the input is a file. Whatever it holds, it is a model or an error that says what and
 * where; mapped or read it is the same, and what a plan points to is in memory.
 */
#include <errno.h>

#include "fuzz.h"
#include "gguf/gguf.h"
#include "unit/airt/support.h"
#include "utf8.h"

/* What a load may hold beside a copy of the file. Found by reckoning: a token of 8 bytes has 21 more, a
 * tensor of 33 has 100; a layer needs a tensor. */
#define BYTES_PER_BYTE 24
#define BYTES_MORE     65536

static volatile uint64_t seen;

static void touch(const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; bytes != NULL && i < size; i++)
        seen += bytes[i];
}

static void touch_matrix(const struct matrix *matrix, const struct gguf *gguf)
{
    assert_true(matrix->data != NULL && matrix->rows > 0 && matrix->columns > 0);
    assert_true(tensor_row_size(matrix->type, matrix->columns) * matrix->rows <= gguf->weight_bytes);
    touch(matrix->data, tensor_row_size(matrix->type, matrix->columns) * matrix->rows);
}

static void touch_plan(const struct gguf *gguf)
{
    const struct plan *plan = &gguf->plan;

    assert_true(plan->heads % plan->kv_heads == 0 && plan->rope.dimensions % 2 == 0);
    assert_true(plan->rope.dimensions <= plan->head_length && plan->context_length > 0);
    assert_true(plan->epsilon > 0 && plan->vocabulary == gguf->vocabulary.count);
    touch_matrix(&plan->token_embedding, gguf);
    touch_matrix(&plan->output, gguf);
    touch(plan->output_norm, plan->embedding_length * sizeof(float));
    touch(plan->rope.factors, plan->rope.dimensions / 2 * sizeof(float));
    touch(plan->rope.factors_short, plan->rope.dimensions / 2 * sizeof(float));
    touch(plan->rope.factors_long, plan->rope.dimensions / 2 * sizeof(float));
    for (uint32_t i = 0; i < plan->layer_count; i++) {
        const struct layer *layer = &plan->layers[i];
        const struct matrix *const matrices[] = {
            &layer->query, &layer->key, &layer->value, &layer->attention_output,
            &layer->gate,  &layer->up,  &layer->down};

        for (size_t j = 0; j < sizeof(matrices) / sizeof(matrices[0]); j++)
            touch_matrix(matrices[j], gguf);
        touch(layer->attention_norm, plan->embedding_length * sizeof(float));
        touch(layer->feed_norm, plan->embedding_length * sizeof(float));
        touch(layer->query_bias, (size_t)plan->heads * plan->head_length * sizeof(float));
        touch(layer->query_norm, plan->head_length * sizeof(float));
        touch(layer->key_norm, plan->head_length * sizeof(float));
    }
}

static bool is_id(const struct vocabulary *vocabulary, uint32_t id)
{
    return id < vocabulary->count || id == VOCABULARY_NONE;
}

static void touch_vocabulary(const struct vocabulary *vocabulary)
{
    for (uint32_t i = 0; i < vocabulary->count; i++) {
        touch(vocabulary->tokens[i].bytes, vocabulary->tokens[i].length);
        assert_true(vocabulary->kinds[i] >= TOKEN_NORMAL && vocabulary->kinds[i] <= TOKEN_BYTE);
        assert_true(vocabulary->scores == NULL || vocabulary->scores[i] <= 1e30f);
    }
    for (uint32_t i = 0; i < vocabulary->merge_count; i++)
        touch(vocabulary->merges[i].bytes, vocabulary->merges[i].length);
    touch(vocabulary->chat_template.bytes, vocabulary->chat_template.length);
    assert_true(is_id(vocabulary, vocabulary->bos) && is_id(vocabulary, vocabulary->eos));
    assert_true(is_id(vocabulary, vocabulary->eot) && is_id(vocabulary, vocabulary->unknown));
    assert_true(is_id(vocabulary, vocabulary->padding));
}

static void check_error(int rc, bool failing)
{
    assert_true(rc == -EINVAL || failing);
    assert_true(rc == -EINVAL || rc == -ENOMEM || rc == -ECANCELED || rc == -EIO);
    assert_true(strncmp(error.text, "test.kv: ", 9) == 0 && strlen(error.text) > 12 &&
                strnlen(error.text, sizeof(error.text)) < sizeof(error.text));
    for (size_t at = 0; error.text[at] != '\0';) {
        uint32_t character;
        size_t bytes = utf8_decode(error.text + at, strlen(error.text + at), &character);
        assert_true(bytes > 0);
        at += bytes;
    }
}

static int load(const uint8_t *data, size_t size, bool mapped, uint32_t options, bool failing)
{
    static const struct airt_options none;
    struct airt_source source = source_open(data, size, mapped);
    struct work work = {.hooks = &hooks};
    struct gguf *gguf = NULL;

    counters_reset();
    if (failing) {
        counters.fail_allocation = options / 2 % 3 == 0 ? 1 + options / 8 % 16 : 0;
        counters.stop_yield = options / 2 % 3 == 1 ? 1 + options / 8 % 4 : 0;
        fail_read = options / 2 % 3 == 2 ? 1 + options / 8 % 3 : 0;
    }
    int rc = gguf_load(&work, &none, &source, &gguf, &error);
    assert_true(counters.peak <= BYTES_PER_BYTE * size + BYTES_MORE);
    if (rc == 0) {
        assert_int_equal(gguf->file.bytes_held, counters.in_use);
        touch_plan(gguf);
        touch_vocabulary(&gguf->vocabulary);
        gguf_free(&hooks, gguf);
    } else {
        check_error(rc, failing);
    }
    assert_int_equal(counters.in_use, 0);
    if (!failing && gguf_load_vocabulary(&work, &source, &gguf, &error) == 0) {
        touch_vocabulary(&gguf->vocabulary);
        gguf_free(&hooks, gguf);
    }
    source_close(&source);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t options = input_hash(data, size);

    if (size == 0)
        return 0;
    int mapped = load(data, size, true, options, false);
    int copied = load(data, size, false, options, false);
    assert_int_equal(mapped, copied);
    (void)load(data, size, (options & 1) != 0, options, true);
    return 0;
}
