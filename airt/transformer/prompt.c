/* SPDX-License-Identifier: MIT
 *
 * From a request to token ids.
 */
#include <errno.h>
#include <string.h>

#include "message.h"
#include "transformer/generator.h"

static void append(struct token_list *list, uint32_t id)
{
    if (list->count < list->capacity)
        list->ids[list->count] = id;
    list->count++;
}

int text_encode(const struct generator *generator, struct work *work, struct airt_text text, bool whole,
                bool special, struct token_list *list)
{
    const struct vocabulary *vocabulary = &generator->gguf->vocabulary;
    int rc;

    if (whole && vocabulary->add_bos && vocabulary->bos != VOCABULARY_NONE)
        append(list, vocabulary->bos);
    rc = tokenizer_encode(generator->tokenizer, work, text.bytes, text.length, whole, special, list);
    return rc;
}

static int encode(const struct generator *generator, struct work *work, const struct airt_request *request,
                  struct token_list *list, struct airt_error *error)
{
    const struct airt_message one = {AIRT_ROLE_USER, {request->prompt, request->prompt_length}};
    bool raw = request->raw || generator->family == TEMPLATE_NONE;
    const struct airt_message *messages = request->prompt != NULL ? &one : request->messages;
    size_t count = request->prompt != NULL ? 1 : request->message_count;
    int rc = 0;

    list->count = 0;
    if (!raw)
        return template_encode(generator->family, generator->tokenizer, work, messages, count, list, error);
    /* Without a template, messages follow each other as paragraphs. */
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (i > 0)
            rc = text_encode(generator, work, (struct airt_text){"\n\n", 2}, false, false, list);
        if (rc == 0)
            rc = text_encode(generator, work, messages[i].text, i == 0, false, list);
    }
    return rc;
}

static int fail_long(const struct generator *generator, size_t count, struct airt_error *error)
{
    message_start(error, generator->base.name);
    message_text(error, "a prompt of ");
    message_number(error, count);
    message_text(error, " tokens, the context has ");
    message_number(error, generator->gguf->plan.context_length);
    return -EINVAL;
}

int prompt_encode(struct generator *generator, struct work *work, const struct airt_request *request,
                  uint32_t **ids, size_t *capacity, size_t *count, struct airt_error *error)
{
    const struct airt_hooks *hooks = work->hooks;
    uint32_t context = generator->gguf->plan.context_length;
    struct token_list list = {NULL, 64, 0};
    int rc;

    /* A guess that is too low tells how many there are. */
    list.capacity += request->prompt_length;
    for (size_t i = 0; request->prompt == NULL && i < request->message_count; i++)
        list.capacity += request->messages[i].text.length + 64;
    if (list.capacity > context)
        list.capacity = context;
    for (;;) {
        list.ids = hooks->alloc(hooks->context, list.capacity * sizeof(*list.ids));
        if (list.ids == NULL)
            return message_fail(error, generator->base.name, -ENOMEM,
                                "no memory for the tokens of the prompt");
        rc = encode(generator, work, request, &list, error);
        if (rc == 0 && list.count > context)
            rc = fail_long(generator, list.count, error);
        else if (rc == 0 && list.count == 0)
            rc = message_fail(error, generator->base.name, -EINVAL, "the prompt has no tokens");
        if (rc == 0 && list.count <= list.capacity)
            break;
        hooks->free(hooks->context, list.ids, list.capacity * sizeof(*list.ids));
        if (rc != 0)
            break;
        list.capacity = list.count;
    }
    if (rc == -ENOMEM)
        message_fail(error, generator->base.name, rc, "no memory to tokenize the prompt");
    *ids = list.ids;
    *capacity = list.capacity;
    *count = list.count;
    return rc;
}
