/* SPDX-License-Identifier: MIT
 *
 * SentencePiece's byte-pair encoding: characters merge to tokens, the one with the highest score first. What
 * is no token in the end is written as tokens of single bytes.
 */
#include "private.h"

#include <errno.h>
#include <string.h>

#include "utf8.h"

struct spm {
    const struct tokenizer *tokenizer;
    const char *text;
};

/* The higher the score, the smaller the number. */
static uint32_t priority_of(float score)
{
    uint32_t bits;

    score += 0.0F; /* -0 becomes 0 */
    memcpy(&bits, &score, sizeof(bits));
    return (bits & 0x80000000) != 0 ? bits : ~(bits | 0x80000000);
}

static bool spm_pair(const void *context, const struct symbol *left, const struct symbol *right,
                     uint32_t *merged, uint32_t *priority)
{
    const struct spm *spm = context;
    const struct tokenizer *tokenizer = spm->tokenizer;
    const float *scores = tokenizer->vocabulary->scores;
    const char *text = spm->text + left->start;
    uint32_t length = left->length + right->length;
    uint32_t id;

    if (length > tokenizer->longest_word)
        return false;
    id = tokenizer_lookup(tokenizer, &tokenizer->words, lookup_hash(text, length), text, length);
    if (id == VOCABULARY_NONE)
        return false;
    *merged = id;
    *priority = priority_of(scores != NULL ? scores[id] : 0);
    return true;
}

static void emit(const struct spm *spm, const struct symbol *symbol, struct token_list *list)
{
    bool unknown = false;

    if (symbol->id != VOCABULARY_NONE) {
        token_list_add(list, symbol->id);
        return;
    }
    for (uint32_t i = 0; i < symbol->length; i++) {
        uint32_t id = spm->tokenizer->byte_ids[(unsigned char)spm->text[symbol->start + i]];

        if (id != VOCABULARY_NONE)
            token_list_add(list, id);
        unknown = unknown || id == VOCABULARY_NONE;
    }
    if (unknown && spm->tokenizer->unknown != VOCABULARY_NONE)
        token_list_add(list, spm->tokenizer->unknown);
}

static int encode(const struct spm *spm, struct work *work, struct merger *merger, size_t length,
                  struct token_list *list)
{
    const struct tokenizer *tokenizer = spm->tokenizer;
    uint32_t count = 0;
    int rc = length <= UINT32_MAX ? merger_reserve(merger, work->hooks, length) : -ENOMEM;

    if (rc != 0)
        return rc;
    for (size_t at = 0; at < length; count++) {
        struct symbol *symbol = &merger->symbols[count];
        const char *text = spm->text + at;
        uint32_t character;
        size_t bytes = utf8_decode(text, length - at, &character);

        if (bytes == 0)
            bytes = 1;
        symbol->start = (uint32_t)at;
        symbol->length = (uint32_t)bytes;
        symbol->id = tokenizer_lookup(tokenizer, &tokenizer->words, lookup_hash(text, bytes), text, bytes);
        at += bytes;
    }
    rc = merger_run(merger, work, count, spm_pair, spm);
    for (uint32_t i = 0; rc == 0 && i != MERGE_END; i = merger->symbols[i].next)
        emit(spm, &merger->symbols[i], list);
    return rc;
}

int spm_encode(const struct tokenizer *tokenizer, struct work *work, struct merger *merger, const char *text,
               size_t length, bool prefix, struct token_list *list)
{
    const struct airt_hooks *hooks = work->hooks;
    char *folded = hooks->alloc(hooks->context, length + 1);
    struct spm spm = {tokenizer, folded};
    size_t count;
    int rc;

    if (folded == NULL)
        return -ENOMEM;
    folded[0] = ' ';
    /* U+2581 in a text is a space, as SentencePiece has it. */
    count = spm_decode((struct airt_text){text, length}, folded + (prefix ? 1 : 0));
    rc = encode(&spm, work, merger, count + (prefix ? 1 : 0), list);
    hooks->free(hooks->context, folded, length + 1);
    return rc;
}
