/* SPDX-License-Identifier: MIT
 *
 * Answers a prompt: token after token, until the model ends, a stop string appears, or a budget is used up.
 */
#include <errno.h>
#include <string.h>

#include "message.h"
#include "transformer/generator.h"
#include "transformer/output.h"
#include "transformer/sampler.h"
#include "transformer/sequence.h"

#define TOKENS_DEFAULT 256 /* of an answer, where the request does not say */

struct generation {
    struct generator *generator;
    struct work *work;
    const struct airt_request *request;
    void *context; /* of the callbacks */
    struct airt_result *result;
    struct airt_error *error;
    struct airt_sequence *sequence;
    struct sampler sampler;
    float *logits;
    uint64_t start;
    uint32_t room; /* tokens that the answer can have */
};

static uint64_t now(const struct generation *generation)
{
    const struct airt_hooks *hooks = generation->work->hooks;

    return hooks->clock_us != NULL ? hooks->clock_us(hooks->context) : 0;
}

static bool out_of_time(const struct generation *generation)
{
    return generation->request->max_us > 0 &&
           now(generation) - generation->start >= generation->request->max_us;
}

/* Tells the caller of a token. */
static int tell(struct generation *generation, uint32_t id, struct airt_text piece)
{
    const struct airt_request *request = generation->request;
    struct airt_token likely[AIRT_LOGPROBS_MAX];
    struct airt_token chosen = {.id = id};
    uint32_t count = request->logprobs;
    int rc;

    if (request->token == NULL)
        return 0;
    if (count > generation->sampler.vocabulary)
        count = generation->sampler.vocabulary;
    rc = sampler_likely(&generation->sampler, generation->work, generation->logits, &chosen, likely, count);
    if (rc == 0 &&
        request->token(generation->context, &chosen, piece.bytes, piece.length, likely, count) != 0)
        rc = -ECANCELED;
    return rc;
}

/* Chooses a token and gives its text away. Sets *ended where the answer ends with it or before it. */
static int step(struct generation *generation, struct output *output, uint32_t *id, bool *ended)
{
    const struct tokenizer *tokenizer = generation->generator->tokenizer;
    struct airt_result *result = generation->result;
    struct airt_text piece;
    int rc = sampler_choose(&generation->sampler, generation->work, generation->logits, id);

    if (rc == -EDOM)
        return message_fail(generation->error, generation->generator->base.name, -EINVAL,
                            "the model computes no numbers: its weights are broken");
    if (rc != 0)
        return rc;
    *ended = tokenizer_ends(tokenizer, *id);
    result->finish = AIRT_FINISH_STOP;
    if (*ended)
        return 0;
    sampler_see(&generation->sampler, *id);
    piece = tokenizer_piece(tokenizer, *id);
    if (result->tokens++ == 0)
        result->first_token_us = now(generation) - generation->start;
    rc = tell(generation, *id, piece);
    if (rc == 0)
        rc = output_add(output, piece.bytes, piece.length);
    if (rc != 0 || output->stopped) {
        *ended = true;
        return rc;
    }
    *ended = result->tokens == generation->room || out_of_time(generation);
    if (*ended)
        result->finish = result->tokens == generation->room ? AIRT_FINISH_LENGTH : AIRT_FINISH_TIME;
    return 0;
}

/* Batch by batch: a prompt may take longer than the time there is. Sets *late where it does. */
static int feed_prompt(struct generation *generation, const uint32_t *ids, size_t count,
                       const struct outcome *outcome, bool *late)
{
    const struct outcome none = {.logits = NULL};
    size_t batch = generation->sequence->batch;
    int rc = 0;

    for (size_t at = 0; at < count && rc == 0; at += batch) {
        bool last = count - at <= batch;

        *late = at > 0 && out_of_time(generation);
        if (*late)
            return 0;
        rc = sequence_feed(generation->sequence, ids + at, last ? count - at : batch, last ? outcome : &none,
                           generation->error);
    }
    return rc;
}

static int run(struct generation *generation, const uint32_t *ids, size_t count, struct output *output)
{
    const struct outcome outcome = {.logits = generation->logits};
    bool ended = false;
    uint32_t id;
    int rc;

    for (size_t i = 0; i < count; i++)
        sampler_see(&generation->sampler, ids[i]);
    rc = feed_prompt(generation, ids, count, &outcome, &ended);
    if (ended)
        generation->result->finish = AIRT_FINISH_TIME;
    while (rc == 0 && !ended) {
        rc = step(generation, output, &id, &ended);
        if (rc == 0 && !ended)
            rc = sequence_feed(generation->sequence, &id, 1, &outcome, generation->error);
    }
    return rc == 0 ? output_end(output) : rc;
}

/* Memory for all of it, before any of it. */
static int prepare(struct generation *generation, size_t count)
{
    const struct airt_request *request = generation->request;
    struct generator *generator = generation->generator;
    const struct airt_hooks *hooks = generation->work->hooks;
    const struct plan *plan = &generator->gguf->plan;
    uint32_t wanted = request->max_tokens > 0 ? request->max_tokens : TOKENS_DEFAULT;
    uint32_t left = plan->context_length - (uint32_t)count;
    int rc;

    /* The last token of an answer is not fed: one more fits than the context has left. */
    generation->room = wanted <= left ? wanted : left + 1;
    rc = sequence_create(&generator->engine, (uint32_t)count + (generation->room - 1), &generation->sequence,
                         generation->error);
    if (rc != 0)
        return rc;
    generation->logits = hooks->alloc(hooks->context, plan->vocabulary * sizeof(*generation->logits));
    if (generation->logits == NULL ||
        sampler_create(hooks, request, plan->vocabulary, &generation->sampler) != 0)
        return message_fail(generation->error, generator->base.name, -ENOMEM, "no memory for the logits");
    return 0;
}

static void clean_up(struct generation *generation)
{
    const struct airt_hooks *hooks = generation->work->hooks;

    sampler_destroy(hooks, &generation->sampler);
    if (generation->logits != NULL)
        hooks->free(hooks->context, generation->logits,
                    generation->generator->gguf->plan.vocabulary * sizeof(*generation->logits));
    airt_sequence_destroy(generation->sequence);
}

int generator_infer(struct airt_model *model, struct work *work, const struct airt_request *request,
                    airt_emit emit, void *context, struct airt_result *result, struct airt_error *error)
{
    struct generator *generator = (struct generator *)model;
    struct generation generation = {.generator = generator,
                                    .work = work,
                                    .request = request,
                                    .context = context,
                                    .result = result,
                                    .error = error};
    struct output output = {.work = work,
                            .emit = emit,
                            .context = context,
                            .stops = request->stop,
                            .stop_count = request->stop_count};
    uint32_t *ids;
    size_t capacity;
    size_t count;
    int rc;

    generation.start = now(&generation);
    result->matched = true;
    result->score = 1;
    result->seed = request->seed;
    rc = prompt_encode(generator, work, request, &ids, &capacity, &count, error);
    if (rc != 0)
        return rc;
    result->prompt_tokens = (uint32_t)count;
    rc = prepare(&generation, count);
    if (rc == 0)
        rc = run(&generation, ids, count, &output);
    clean_up(&generation);
    work->hooks->free(work->hooks->context, ids, capacity * sizeof(*ids));
    result->elapsed_us = now(&generation) - generation.start;
    return rc;
}
