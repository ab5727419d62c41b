/* SPDX-License-Identifier: MIT
 *
 * What a tokenizer has made of its vocabulary.
 */
#ifndef AIRT_TOKENIZER_PRIVATE_H
#define AIRT_TOKENIZER_PRIVATE_H

#include "tokenizer/lookup.h"
#include "tokenizer/merge.h"
#include "tokenizer/tokenizer.h"

#define SPECIAL_MAX 256  /* bytes of a special token's text */
#define SPM_MAX     1024 /* bytes of a token that SPM makes from text */
#define MARKERS_MAX 24

struct bpe_merge {
    uint32_t left, right, merged; /* ids */
};

struct tokenizer {
    const struct vocabulary *vocabulary;
    /* What token i stands for, or how a special one is written: bytes from starts[i] to starts[i + 1]. */
    char *bytes;
    uint32_t *starts; /* one more than tokens */
    uint32_t byte_count;
    struct lookup words;    /* tokens that text is made into, by what they stand for */
    struct lookup specials; /* the others but single bytes, by how they are written */
    uint32_t longest_word;
    uint16_t longest_special[256]; /* of those that begin with this byte; 0: none does */
    uint32_t byte_ids[256];        /* VOCABULARY_NONE: no token is this byte */
    struct bpe_merge *merges;      /* BPE: by rank */
    struct lookup pairs;           /* BPE: numbers of merges by their left and right */
    uint32_t unknown;              /* for text that no token is; VOCABULARY_NONE: it is left out */
    uint32_t markers[MARKERS_MAX]; /* what templates put around messages */
    uint32_t marker_count;
    uint32_t ends[MARKERS_MAX]; /* those that end an answer */
    uint32_t end_count;
};

/* Whether text is made into tokens of this kind; else they are special, or the single bytes of SPM. */
bool tokenizer_is_word(const struct vocabulary *vocabulary, uint32_t id);

/* The kind that counts: files call some markers of templates user-defined, but they are never made from what
 * a user wrote. */
enum token_kind tokenizer_kind(const struct tokenizer *tokenizer, uint32_t id);

/* What a token stands for, special ones too. */
struct airt_text tokenizer_text(const struct tokenizer *tokenizer, uint32_t id);

/* The one of `lookup` (words or specials) with this text, or VOCABULARY_NONE. */
uint32_t tokenizer_lookup(const struct tokenizer *tokenizer, const struct lookup *lookup, uint32_t hash,
                          const char *text, size_t length);

/* Fills bytes, starts and byte_ids. 0, -EINVAL, -ENOMEM, -ECANCELED. */
int tokenizer_decode_all(struct tokenizer *tokenizer, struct work *work, const char *name,
                         struct airt_error *error);

/* Byte-level BPE: writes the bytes that `text` stands for, and returns how many. A text that is not of this
 * form stands for itself. */
size_t bpe_decode(struct airt_text text, char *out);
/* SPM: the same; U+2581 is a space. */
size_t spm_decode(struct airt_text text, char *out);

/* Fills merges and pairs, after words and specials. The same. */
int bpe_prepare(struct tokenizer *tokenizer, struct work *work, const char *name, struct airt_error *error);

void token_list_add(struct token_list *list, uint32_t id);

/* Appends the ids of text without special tokens. 0, -ENOMEM, -ECANCELED. */
int bpe_encode(const struct tokenizer *tokenizer, struct work *work, struct merger *merger, const char *text,
               size_t length, struct token_list *list);
/* The same, with a space before it where `prefix`. */
int spm_encode(const struct tokenizer *tokenizer, struct work *work, struct merger *merger, const char *text,
               size_t length, bool prefix, struct token_list *list);

#endif
