/* SPDX-License-Identifier: MIT
 *
 * Small vocabularies for tests, and texts of what they make.
 */
#ifndef AIRT_TEST_SMALL_VOCABULARY_H
#define AIRT_TEST_SMALL_VOCABULARY_H

#include "support.h"

#include "template/template.h"
#include "tokenizer/tokenizer.h"

#define SMALL_MAX 400

struct small {
    struct vocabulary vocabulary;
    struct airt_text tokens[SMALL_MAX];
    float scores[SMALL_MAX];
    uint8_t kinds[SMALL_MAX];
    struct airt_text merges[SMALL_MAX];
    char texts[256][8]; /* of the tokens for single bytes */
};

/* Tokens for all bytes: of SPM <unk> (0), <s> (1), </s> (2) and <0x00> (3) to <0xFF>; of BPE bytes 0 to 255.
 */
void small_start(struct small *small, enum vocabulary_kind kind);
/* Appends; both return the number. Texts must stay. */
uint32_t small_token(struct small *small, const char *text, enum token_kind kind, float score);
uint32_t small_merge(struct small *small, const char *text);

struct tokenizer *small_tokenizer(struct small *small);

/* Ids as text: pieces, and special tokens in braces. Static. */
const char *shown(const struct tokenizer *tokenizer, const struct small *small,
                  const struct token_list *list);
/* Encodes and shows. */
const char *encoded(const struct tokenizer *tokenizer, const struct small *small, const char *text,
                    bool special);

#endif
