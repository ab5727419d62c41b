/* SPDX-License-Identifier: MIT
 *
 * The public calls: find the format, check what all formats have in common.
 */
#include "airt/airt.h"

#include <errno.h>
#include <string.h>

#include "message.h"
#include "model.h"
#include "utf8.h"

void *model_alloc(struct airt_model *model, uint64_t count, size_t size)
{
    void *memory;

    if (count == 0 || count > SIZE_MAX / size)
        return NULL;
    memory = model->hooks.alloc(model->hooks.context, (size_t)count * size);
    if (memory != NULL)
        model->bytes += count * size;
    return memory;
}

void model_free(struct airt_model *model, void *memory, uint64_t count, size_t size)
{
    if (memory == NULL)
        return;
    model->bytes -= count * size;
    model->hooks.free(model->hooks.context, memory, (size_t)count * size);
}

void model_set_name(struct airt_model *model, const char *name, size_t length)
{
    length = utf8_cut(name, length, sizeof(model->name) - 1);
    memcpy(model->name, name, length);
    model->name[length] = '\0';
}

int airt_load(const struct airt_hooks *hooks, const struct airt_source *source, struct airt_model **model,
              struct airt_error *error)
{
    return airt_load_with(hooks, NULL, source, model, error);
}

int airt_load_with(const struct airt_hooks *hooks, const struct airt_options *options,
                   const struct airt_source *source, struct airt_model **model, struct airt_error *error)
{
    static const struct airt_options no_options;
    struct work work = {.hooks = hooks};
    struct airt_error ignored;
    char head[4] = {0};
    int rc = 0;

    if (error == NULL)
        error = &ignored;
    message_start(error, NULL);
    *model = NULL;
    if (options == NULL)
        options = &no_options;
    if (source->mapped == NULL && source->read == NULL)
        return message_fail(error, source->name, -EINVAL, "neither mapped nor readable");
    if (source->size == 0)
        return message_fail(error, source->name, -EINVAL, "empty file");

    if (source->size >= sizeof(head)) {
        if (source->mapped != NULL)
            memcpy(head, source->mapped, sizeof(head));
        else
            rc = source->read(source->context, 0, head, sizeof(head));
    }
    if (rc != 0)
        return message_fail(error, source->name, rc, "cannot be read");
    if (memcmp(head, "GGUF", sizeof(head)) == 0)
        return gguf_format.load(&work, options, source, model, error);
    return dictionary_format.load(&work, options, source, model, error);
}

void airt_unload(struct airt_model *model)
{
    if (model != NULL)
        model->format->unload(model);
}

void airt_describe(const struct airt_model *model, struct airt_description *description)
{
    memset(description, 0, sizeof(*description));
    description->name = model->name;
    description->bytes = model->bytes;
    description->template_family = description->instruction_set = description->sha256 = "";
    model->format->describe(model, description);
}

/* ---- requests ---- */

static int fail_number(const struct airt_model *model, struct airt_error *error, const char *before,
                       uint64_t number, const char *after, uint64_t most)
{
    message_start(error, model->name);
    message_text(error, before);
    message_number(error, number);
    message_text(error, after);
    if (most > 0)
        message_number(error, most);
    return -EINVAL;
}

/* UTF-8, and no longer than what `left` of AIRT_PROMPT_MAX allows. */
static int check_text(const struct airt_model *model, struct work *work, struct airt_text text, size_t *left,
                      struct airt_error *error)
{
    if (text.length > *left) {
        (void)fail_number(model, error, "a prompt of ", AIRT_PROMPT_MAX - *left + text.length,
                          " bytes, at most ", AIRT_PROMPT_MAX);
        message_text(error, " are taken");
        return -EINVAL;
    }
    *left -= text.length;
    for (size_t at = 0; at < text.length;) {
        uint32_t character;
        size_t length = utf8_decode(text.bytes + at, text.length - at, &character);

        if (length == 0)
            return fail_number(model, error, "the prompt is not UTF-8 at byte ", at, "", 0);
        at += length;
    }
    return work_spend(work, text.length);
}

static int check_prompt(const struct airt_model *model, struct work *work, const struct airt_request *request,
                        struct airt_error *error)
{
    size_t left = AIRT_PROMPT_MAX;
    int rc = 0;

    if (request->prompt != NULL && request->message_count > 0)
        return message_fail(error, model->name, -EINVAL, "a prompt and messages: give one of them");
    if (request->message_count == 0) {
        if (request->prompt_length == 0)
            return message_fail(error, model->name, -EINVAL, "the prompt is empty");
        return check_text(model, work, (struct airt_text){request->prompt, request->prompt_length}, &left,
                          error);
    }
    for (size_t i = 0; i < request->message_count && rc == 0; i++) {
        if (request->messages[i].role > AIRT_ROLE_ASSISTANT)
            return fail_number(model, error, "message ", i + 1, " has no role that is known", 0);
        rc = check_text(model, work, request->messages[i].text, &left, error);
    }
    if (rc == 0 && left == AIRT_PROMPT_MAX)
        return message_fail(error, model->name, -EINVAL, "the messages are empty");
    return rc;
}

static int check_stops(const struct airt_model *model, const struct airt_request *request,
                       struct airt_error *error)
{
    if (request->stop_count > AIRT_STOP_MAX)
        return fail_number(model, error, "", request->stop_count, " stop strings, at most ", AIRT_STOP_MAX);
    for (size_t i = 0; i < request->stop_count; i++) {
        struct airt_text stop = request->stop[i];

        if (stop.length == 0 || stop.length > AIRT_STOP_LENGTH_MAX)
            return fail_number(model, error, "a stop string of ", stop.length, " bytes, expected 1 to ",
                               AIRT_STOP_LENGTH_MAX);
        for (size_t at = 0; at < stop.length;) {
            uint32_t character;
            size_t length = utf8_decode(stop.bytes + at, stop.length - at, &character);

            if (length == 0)
                return fail_number(model, error, "a stop string is not UTF-8 at byte ", at, "", 0);
            at += length;
        }
    }
    return 0;
}

/* Comparisons are written so that NaN is out of range too. */
static int check_numbers(const struct airt_model *model, const struct airt_request *request,
                         struct airt_error *error)
{
    if (!(request->temperature >= 0 && request->temperature <= AIRT_TEMPERATURE_MAX))
        return message_fail(error, model->name, -EINVAL, "temperature must be from 0 to 10");
    if (!(request->top_p >= 0 && request->top_p <= 1))
        return message_fail(error, model->name, -EINVAL, "top_p must be from 0 to 1");
    if (!(request->min_p >= 0 && request->min_p <= 1))
        return message_fail(error, model->name, -EINVAL, "min_p must be from 0 to 1");
    if (!(request->repeat_penalty >= 0 && request->repeat_penalty <= AIRT_PENALTY_MAX))
        return message_fail(error, model->name, -EINVAL, "repeat_penalty must be above 0, at most 10");
    if (request->logprobs > AIRT_LOGPROBS_MAX)
        return fail_number(model, error, "logprobs of ", request->logprobs, " tokens, at most ",
                           AIRT_LOGPROBS_MAX);
    return check_stops(model, request, error);
}

int airt_infer(struct airt_model *model, const struct airt_request *request, airt_emit emit, void *context,
               struct airt_result *result, struct airt_error *error)
{
    struct work work = {.hooks = &model->hooks};
    struct airt_error ignored;
    int rc;

    if (error == NULL)
        error = &ignored;
    message_start(error, NULL);
    memset(result, 0, sizeof(*result));
    rc = check_numbers(model, request, error);
    if (rc == 0)
        rc = check_prompt(model, &work, request, error);
    if (rc == 0)
        rc = model->format->infer(model, &work, request, emit, context, result, error);
    if (rc == -ECANCELED)
        message_fail(error, model->name, rc, "cancelled");
    return rc;
}

/* ---- models that generate ---- */

static int fail_unable(const struct airt_model *model, struct airt_error *error)
{
    return message_fail(error, model->name, -ENOTSUP, "a model of this format has no tokens");
}

int airt_tokenize(struct airt_model *model, const char *text, size_t length, bool whole, bool special,
                  uint32_t *ids, size_t capacity, size_t *count, struct airt_error *error)
{
    struct work work = {.hooks = &model->hooks};

    message_start(error, NULL);
    *count = 0;
    if (model->format->tokenize == NULL)
        return fail_unable(model, error);
    return model->format->tokenize(model, &work, text, length, whole, special, ids, capacity, count, error);
}

int airt_token_piece(const struct airt_model *model, uint32_t id, const char **piece, size_t *length)
{
    *piece = "";
    *length = 0;
    if (model->format->token_piece == NULL)
        return -ENOTSUP;
    return model->format->token_piece(model, id, piece, length);
}

int airt_embed(struct airt_model *model, const char *text, size_t length, float *out,
               struct airt_error *error)
{
    struct work work = {.hooks = &model->hooks};

    message_start(error, NULL);
    if (model->format->embed == NULL)
        return fail_unable(model, error);
    return model->format->embed(model, &work, text, length, out, error);
}

int airt_sequence_create(struct airt_model *model, uint32_t capacity, struct airt_sequence **sequence,
                         struct airt_error *error)
{
    message_start(error, NULL);
    *sequence = NULL;
    if (model->format->sequence_create == NULL)
        return fail_unable(model, error);
    return model->format->sequence_create(model, capacity, sequence, error);
}
