/* SPDX-License-Identifier: MIT
 *
 * GGUF models behind the interface of all formats.
 */
#include <errno.h>
#include <string.h>

#include "math/math.h"
#include "message.h"
#include "transformer/generator.h"
#include "transformer/sequence.h"

static void unload(struct airt_model *model)
{
    struct generator *generator = (struct generator *)model;
    struct airt_hooks hooks = model->hooks;

    if (generator->tokenizer != NULL)
        tokenizer_destroy(&hooks, generator->tokenizer);
    if (generator->gguf != NULL)
        gguf_free(&hooks, generator->gguf);
    hooks.free(hooks.context, generator, sizeof(*generator));
}

static int open_model(struct generator *generator, struct work *work, const struct airt_options *options,
                      const struct airt_source *source, struct airt_error *error)
{
    struct engine *engine = &generator->engine;
    struct gguf *gguf;
    int rc;

    engine->kernels = tensor_kernels_find(options->instruction_set);
    if (engine->kernels == NULL) {
        message_start(error, source->name);
        message_text(error, "this CPU cannot run \"");
        message_text(error, options->instruction_set);
        message_text(error, "\"; known are sse2 and avx2");
        return -ENOTSUP;
    }
    rc = gguf_load(work, options, source, &generator->gguf, error);
    if (rc != 0)
        return rc;
    gguf = generator->gguf;
    if (gguf->name.length > 0)
        model_set_name(&generator->base, gguf->name.bytes, gguf->name.length);
    rc = tokenizer_create(work, source->name, &gguf->vocabulary, &generator->tokenizer, error);
    if (rc != 0)
        return rc;
    generator->family = template_recognise(&gguf->vocabulary, generator->tokenizer);
    generator->base.bytes = sizeof(*generator) + gguf->file.bytes_held + tokenizer_size(generator->tokenizer);
    engine->hooks = &generator->base.hooks;
    engine->plan = &gguf->plan;
    engine->name = generator->base.name;
    engine->batch = options->prefill_batch > 0 ? options->prefill_batch : ENGINE_BATCH;
    engine->cache_f32 = options->cache_f32;
    return 0;
}

static int load(struct work *work, const struct airt_options *options, const struct airt_source *source,
                struct airt_model **model, struct airt_error *error)
{
    const struct airt_hooks *hooks = work->hooks;
    struct generator *generator = hooks->alloc(hooks->context, sizeof(*generator));
    int rc;

    if (generator == NULL)
        return message_fail(error, source->name, -ENOMEM, "no memory for the model");
    memset(generator, 0, sizeof(*generator));
    generator->base.format = &gguf_format;
    generator->base.hooks = *hooks;
    model_set_name(&generator->base, source->name, strlen(source->name));
    rc = open_model(generator, work, options, source, error);
    if (rc != 0)
        unload(&generator->base);
    else
        *model = &generator->base;
    return rc;
}

static void describe(const struct airt_model *model, struct airt_description *description)
{
    const struct generator *generator = (const struct generator *)model;
    const struct gguf *gguf = generator->gguf;

    description->format = gguf->format;
    description->quantization = gguf->quantization;
    description->arch = gguf->architecture;
    description->parameters = gguf->parameters;
    description->cache_bytes_per_token = gguf->cache_bytes_per_token;
    description->vocabulary = gguf->plan.vocabulary;
    description->context_length = gguf->plan.context_length;
    description->layers = gguf->plan.layer_count;
    description->embedding_length = gguf->plan.embedding_length;
    description->template_family = template_name(generator->family);
    description->instruction_set = generator->engine.kernels->name;
    description->sha256 = gguf->sha256;
}

static int tokenize(struct airt_model *model, struct work *work, const char *text, size_t length, bool whole,
                    bool special, uint32_t *ids, size_t capacity, size_t *count, struct airt_error *error)
{
    const struct generator *generator = (const struct generator *)model;
    struct token_list list = {ids, capacity, 0};
    int rc = text_encode(generator, work, (struct airt_text){text, length}, whole, special, &list);

    *count = list.count;
    if (rc != 0)
        message_fail(error, model->name, rc, rc == -ENOMEM ? "no memory to tokenize a text" : "cancelled");
    return rc;
}

static int token_piece(const struct airt_model *model, uint32_t id, const char **piece, size_t *length)
{
    const struct generator *generator = (const struct generator *)model;
    struct airt_text text;

    if (id >= generator->gguf->vocabulary.count)
        return -EINVAL;
    text = tokenizer_piece(generator->tokenizer, id);
    *piece = text.bytes;
    *length = text.length;
    return 0;
}

static int create_sequence(struct airt_model *model, uint32_t capacity, struct airt_sequence **sequence,
                           struct airt_error *error)
{
    const struct generator *generator = (const struct generator *)model;
    uint32_t most = generator->gguf->plan.context_length;

    if (capacity > most) {
        message_start(error, model->name);
        message_number(error, capacity);
        message_text(error, " tokens, the context has ");
        message_number(error, most);
        return -EINVAL;
    }
    return sequence_create(&generator->engine, capacity > 0 ? capacity : most, sequence, error);
}

/* To length 1. */
static void normalise(float *vector, uint32_t length)
{
    double sum = 0;
    double factor;

    for (uint32_t i = 0; i < length; i++)
        sum += (double)vector[i] * (double)vector[i];
    factor = sum > 0 ? 1 / math_sqrt(sum) : 0;
    for (uint32_t i = 0; i < length; i++)
        vector[i] = (float)((double)vector[i] * factor);
}

static int embed(struct airt_model *model, struct work *work, const char *text, size_t length, float *out,
                 struct airt_error *error)
{
    struct generator *generator = (struct generator *)model;
    const struct airt_request request = {.prompt = text, .prompt_length = length, .raw = true};
    const struct outcome outcome = {.sum = out};
    struct airt_sequence *sequence;
    uint32_t *ids;
    size_t capacity;
    size_t count;
    int rc = prompt_encode(generator, work, &request, &ids, &capacity, &count, error);

    if (rc != 0)
        return rc;
    rc = sequence_create(&generator->engine, (uint32_t)count, &sequence, error);
    if (rc == 0) {
        memset(out, 0, generator->gguf->plan.embedding_length * sizeof(*out));
        rc = sequence_feed(sequence, ids, count, &outcome, error);
        airt_sequence_destroy(sequence);
    }
    if (rc == 0)
        normalise(out, generator->gguf->plan.embedding_length);
    model->hooks.free(model->hooks.context, ids, capacity * sizeof(*ids));
    return rc;
}

const struct airt_format gguf_format = {.load = load,
                                        .unload = unload,
                                        .describe = describe,
                                        .infer = generator_infer,
                                        .tokenize = tokenize,
                                        .token_piece = token_piece,
                                        .embed = embed,
                                        .sequence_create = create_sequence};
