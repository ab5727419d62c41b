/* SPDX-License-Identifier: MIT
 *
 * Text to token ids and back, for both kinds of vocabularies.
 */
#ifndef AIRT_TOKENIZER_TOKENIZER_H
#define AIRT_TOKENIZER_TOKENIZER_H

#include "tokenizer/vocabulary.h"
#include "work.h"

struct tokenizer;

/* Builds what looking up needs; the vocabulary must stay. Returns 0, -EINVAL (error says which token or merge
 * is wrong), -ENOMEM or -ECANCELED. */
int tokenizer_create(struct work *work, const char *name, const struct vocabulary *vocabulary,
                     struct tokenizer **tokenizer, struct airt_error *error);
void tokenizer_destroy(const struct airt_hooks *hooks, struct tokenizer *tokenizer);

/* Bytes that it holds. */
uint64_t tokenizer_size(const struct tokenizer *tokenizer);
/* No less than that, before there is one. 0 or -ECANCELED. */
int tokenizer_size_most(const struct vocabulary *vocabulary, struct work *work, uint64_t *size);

/* Where ids go: at most `capacity` are written, `count` goes on counting. */
struct token_list {
    uint32_t *ids;
    size_t capacity, count;
};

/* Appends the ids of a piece of text. `first`: it begins the whole text (the SPM space prefix). `special`:
 * texts of control and user-defined tokens in it become these tokens; else only user-defined ones do.
 * Ids of beginning and end (add_bos, add_eos) are the caller's. Work is bounded by n log n of the length.
 * Returns 0, -ENOMEM or -ECANCELED. */
int tokenizer_encode(const struct tokenizer *tokenizer, struct work *work, const char *text, size_t length,
                     bool first, bool special, struct token_list *list);

/* The id whose text is this, special ones too; VOCABULARY_NONE when there is none. */
uint32_t tokenizer_find(const struct tokenizer *tokenizer, const char *text, size_t length);

/* The bytes that a token stands for in a text; empty for a control token and one beyond the vocabulary. */
struct airt_text tokenizer_piece(const struct tokenizer *tokenizer, uint32_t id);

/* Whether a token ends an answer (eos, eot and their kin by family). */
bool tokenizer_ends(const struct tokenizer *tokenizer, uint32_t id);

#endif
