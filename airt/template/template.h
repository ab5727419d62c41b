/* SPDX-License-Identifier: MIT
 *
 * Chat templates by family. A model's file holds a Jinja program; it is not run, but recognised by what it
 * says, and the family's form is written from a table.
 */
#ifndef AIRT_TEMPLATE_TEMPLATE_H
#define AIRT_TEMPLATE_TEMPLATE_H

#include "tokenizer/tokenizer.h"

enum template_family {
    TEMPLATE_NONE, /* unknown, or none: raw completion */
    TEMPLATE_CHATML,
    TEMPLATE_LLAMA2,
    TEMPLATE_LLAMA3,
    TEMPLATE_GEMMA,
    TEMPLATE_PHI3,
    TEMPLATE_MISTRAL,
    TEMPLATE_ZEPHYR
};

const char *template_name(enum template_family family); /* "chatml" */

/* From the text in the vocabulary. A family whose tokens the vocabulary lacks is not recognised. */
enum template_family template_recognise(const struct vocabulary *vocabulary,
                                        const struct tokenizer *tokenizer);

/* Appends the ids of a conversation up to where the assistant speaks (with the ids that begin a text).
 * Special tokens come from the table alone: what a message holds is plain text always. Returns 0, -EINVAL (an
 * order of roles that the family does not know; error says which message), -ENOMEM or -ECANCELED. */
int template_encode(enum template_family family, const struct tokenizer *tokenizer, struct work *work,
                    const struct airt_message *messages, size_t count, struct token_list *list,
                    struct airt_error *error);

#endif
