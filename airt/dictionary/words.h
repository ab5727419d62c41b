/* SPDX-License-Identifier: MIT
 *
 * Text as the dictionary compares it.
 *
 * Normalised text: letters in lower case (Latin, Greek, Cyrillic), everything but letters and digits squeezed
 * to one space, apostrophes dropped ("don't" is "dont"), a possessive "'s" too ("what's" is "what").
 *
 * Tokens are the words of it with English endings taken off, as 32-bit hashes. Words that say nothing ("the",
 * "of") are no tokens; words that say little ("what", "you") have bit 0 set, which is part of the hash.
 * Characters of scripts without spaces between words are tokens of their own.
 */
#ifndef AIRT_WORDS_H
#define AIRT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORDS_END          UINT32_MAX
#define TOKEN_WEAK         1u
#define TOKENS_MAX(length) ((length) / 2 + 1) /* in so many bytes of text */

struct words {
    const char *text;
    size_t length;
    size_t at;
    bool in_word;
    bool any;      /* a word was seen */
    uint32_t held; /* read ahead, or 0 */
};

void words_start(struct words *words, const char *text, size_t length);

/* The next character of the normalised text, or WORDS_END. */
uint32_t words_next(struct words *words);

/* The next token. Returns false at the end. Do not mix with words_next. */
bool words_token(struct words *words, uint32_t *token);

uint32_t words_hash(const char *text, size_t length);
bool words_equal(const char *a, size_t a_length, const char *b, size_t b_length);
bool words_empty(const char *text, size_t length);

#endif
