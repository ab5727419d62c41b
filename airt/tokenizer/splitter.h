/* SPDX-License-Identifier: MIT
 *
 * Pre-tokenizers: cut a text into the words that byte-pair encoding works on. Each is published as a regular
 * expression; here it is a scanner that takes what the expression would take, in linear time.
 */
#ifndef AIRT_TOKENIZER_SPLITTER_H
#define AIRT_TOKENIZER_SPLITTER_H

#include <stddef.h>

#include "tokenizer/vocabulary.h"

struct splitter {
    enum pretokenizer pretokenizer;
    const char *text;
    size_t length;
    size_t at;   /* where the next word begins */
    size_t stop; /* smollm: the end of the stretch without numbers that `at` is in */
};

void splitter_start(struct splitter *splitter, enum pretokenizer pretokenizer, const char *text,
                    size_t length);

/* The bytes of the next word, which begins at `at` before the call; 0 at the end. The words make up the whole
 * text. A byte that is not UTF-8 counts as a character that is neither letter, number nor space. */
size_t splitter_next(struct splitter *splitter);

#endif
