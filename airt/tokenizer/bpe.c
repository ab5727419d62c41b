/* SPDX-License-Identifier: MIT
 *
 * Byte-level byte-pair encoding: the bytes of each word merge to tokens, by the rank of the merge.
 */
#include "private.h"

#include <errno.h>
#include <string.h>

#include "message.h"
#include "splitter.h"

static int fail(struct airt_error *error, const char *name, uint32_t rank, const char *what)
{
    message_start(error, name);
    message_text(error, "merge ");
    message_number(error, rank);
    message_text(error, what);
    return -EINVAL;
}

static uint32_t find(const struct tokenizer *tokenizer, const char *text, size_t length)
{
    uint32_t hash = lookup_hash(text, length);
    uint32_t id = tokenizer_lookup(tokenizer, &tokenizer->words, hash, text, length);

    return id != VOCABULARY_NONE ? id : tokenizer_lookup(tokenizer, &tokenizer->specials, hash, text, length);
}

/* A merge is written as "left right". `bytes` has room for what they stand for. */
static int read_merge(struct tokenizer *tokenizer, const char *name, uint32_t rank, char *bytes,
                      struct airt_error *error)
{
    const struct airt_text text = tokenizer->vocabulary->merges[rank];
    struct bpe_merge *merge = &tokenizer->merges[rank];
    const char *space = text.length > 2 ? memchr(text.bytes + 1, ' ', text.length - 2) : NULL;
    size_t left;
    size_t right;

    if (space == NULL)
        return fail(error, name, rank, " is not two texts with a space between them");
    left = bpe_decode((struct airt_text){text.bytes, (size_t)(space - text.bytes)}, bytes);
    right = bpe_decode((struct airt_text){space + 1, text.length - (size_t)(space - text.bytes) - 1},
                       bytes + left);
    merge->left = find(tokenizer, bytes, left);
    merge->right = find(tokenizer, bytes + left, right);
    merge->merged = find(tokenizer, bytes, left + right);
    if (merge->left == VOCABULARY_NONE || merge->right == VOCABULARY_NONE)
        return fail(error, name, rank, " has a half that is no token");
    if (merge->merged == VOCABULARY_NONE)
        return fail(error, name, rank, " makes no token");
    /* A special one is never made from text. */
    if (tokenizer_is_word(tokenizer->vocabulary, merge->merged))
        lookup_add(&tokenizer->pairs, lookup_hash_pair(merge->left, merge->right), rank);
    return 0;
}

static int read_merges(struct tokenizer *tokenizer, struct work *work, const char *name, char *bytes,
                       struct airt_error *error)
{
    const struct vocabulary *vocabulary = tokenizer->vocabulary;
    int rc = 0;

    for (uint32_t rank = 0; rc == 0 && rank < vocabulary->merge_count; rank++) {
        rc = read_merge(tokenizer, name, rank, bytes, error);
        if (rc == 0)
            rc = work_spend(work, 64 + 4 * vocabulary->merges[rank].length);
    }
    return rc;
}

static bool same_pair(const void *context, uint32_t a, uint32_t b)
{
    const struct tokenizer *tokenizer = context;

    return tokenizer->merges[a].left == tokenizer->merges[b].left &&
           tokenizer->merges[a].right == tokenizer->merges[b].right;
}

int bpe_prepare(struct tokenizer *tokenizer, struct work *work, const char *name, struct airt_error *error)
{
    const struct vocabulary *vocabulary = tokenizer->vocabulary;
    const struct airt_hooks *hooks = work->hooks;
    size_t longest = 1;
    uint32_t rank;
    char *bytes;
    int rc = lookup_create(&tokenizer->pairs, hooks, vocabulary->merge_count);

    if (rc != 0)
        return rc;
    if (vocabulary->merge_count == 0)
        return lookup_finish(&tokenizer->pairs, work, same_pair, tokenizer, &rank);
    for (uint32_t i = 0; i < vocabulary->merge_count; i++)
        if (vocabulary->merges[i].length > longest)
            longest = vocabulary->merges[i].length;
    tokenizer->merges = hooks->alloc(hooks->context, vocabulary->merge_count * sizeof(*tokenizer->merges));
    bytes = tokenizer->merges != NULL ? hooks->alloc(hooks->context, longest) : NULL;
    if (bytes == NULL)
        return -ENOMEM;
    rc = read_merges(tokenizer, work, name, bytes, error);
    hooks->free(hooks->context, bytes, longest);
    if (rc != 0)
        return rc;
    rc = lookup_finish(&tokenizer->pairs, work, same_pair, tokenizer, &rank);
    return rc == -EINVAL ? fail(error, name, rank, ": too many with the same hash") : rc;
}

static bool equal_pair(const void *context, uint32_t number, const void *wanted)
{
    const struct bpe_merge *merge = &((const struct tokenizer *)context)->merges[number];
    const struct bpe_merge *pair = wanted;

    return merge->left == pair->left && merge->right == pair->right;
}

static bool bpe_pair(const void *context, const struct symbol *left, const struct symbol *right,
                     uint32_t *merged, uint32_t *priority)
{
    const struct tokenizer *tokenizer = context;
    struct bpe_merge pair = {.left = left->id, .right = right->id};
    uint32_t rank;

    if (pair.left == VOCABULARY_NONE || pair.right == VOCABULARY_NONE)
        return false;
    rank =
        lookup_find(&tokenizer->pairs, lookup_hash_pair(pair.left, pair.right), equal_pair, tokenizer, &pair);
    if (rank == LOOKUP_NONE)
        return false;
    *merged = tokenizer->merges[rank].merged;
    *priority = rank;
    return true;
}

static int encode_word(const struct tokenizer *tokenizer, struct work *work, struct merger *merger,
                       const char *word, size_t length, struct token_list *list)
{
    /* Llama 3 takes a word that is a token whole, whatever its merges say. */
    uint32_t id = length == 1 ? tokenizer->byte_ids[(unsigned char)word[0]] : VOCABULARY_NONE;
    int rc;

    if (tokenizer->vocabulary->pretokenizer == PRETOKENIZER_LLAMA_BPE && length <= tokenizer->longest_word)
        id = tokenizer_lookup(tokenizer, &tokenizer->words, lookup_hash(word, length), word, length);
    if (id != VOCABULARY_NONE) {
        token_list_add(list, id);
        return work_spend(work, length);
    }
    rc = length <= UINT32_MAX ? merger_reserve(merger, work->hooks, length) : -ENOMEM;
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < length; i++)
        merger->symbols[i] =
            (struct symbol){.start = i, .length = 1, .id = tokenizer->byte_ids[(unsigned char)word[i]]};
    rc = merger_run(merger, work, (uint32_t)length, bpe_pair, tokenizer);
    for (uint32_t i = 0; rc == 0 && i != MERGE_END; i = merger->symbols[i].next)
        if (merger->symbols[i].id != VOCABULARY_NONE)
            token_list_add(list, merger->symbols[i].id);
    return rc;
}

int bpe_encode(const struct tokenizer *tokenizer, struct work *work, struct merger *merger, const char *text,
               size_t length, struct token_list *list)
{
    struct splitter splitter;
    size_t word;
    int rc = 0;

    splitter_start(&splitter, tokenizer->vocabulary->pretokenizer, text, length);
    while (rc == 0 && (word = splitter_next(&splitter)) > 0)
        rc = encode_word(tokenizer, work, merger, text + splitter.at - word, word, list);
    return rc;
}
