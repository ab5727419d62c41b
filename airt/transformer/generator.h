/* SPDX-License-Identifier: MIT
 *
 * A model that generates: what its file holds, and what runs it.
 */
#ifndef AIRT_TRANSFORMER_GENERATOR_H
#define AIRT_TRANSFORMER_GENERATOR_H

#include "gguf/gguf.h"
#include "model.h"
#include "template/template.h"
#include "transformer/engine.h"

struct generator {
    struct airt_model base;
    struct gguf *gguf;
    struct tokenizer *tokenizer;
    enum template_family family;
    struct engine engine;
};

/* The ids of a request's prompt or messages, in memory of hooks->alloc: *capacity of them. Returns 0 and sets
 * *ids; nothing is allocated otherwise. */
int prompt_encode(struct generator *generator, struct work *work, const struct airt_request *request,
                  uint32_t **ids, size_t *capacity, size_t *count, struct airt_error *error);

/* The ids of a text as a prompt begins (where `whole`), counting beyond the list's capacity. */
int text_encode(const struct generator *generator, struct work *work, struct airt_text text, bool whole,
                bool special, struct token_list *list);

/* airt_format's infer. */
int generator_infer(struct airt_model *model, struct work *work, const struct airt_request *request,
                    airt_emit emit, void *context, struct airt_result *result, struct airt_error *error);

#endif
