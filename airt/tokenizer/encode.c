/* SPDX-License-Identifier: MIT
 *
 * Finds the special tokens in a text; what is between them is encoded by itself.
 */
#include "private.h"

#include <errno.h>

#define WORK_PER_LOOKUP 8

void token_list_add(struct token_list *list, uint32_t id)
{
    if (list->count < list->capacity)
        list->ids[list->count] = id;
    list->count++;
}

static bool is_wanted(const struct tokenizer *tokenizer, uint32_t id, bool special)
{
    enum token_kind kind = tokenizer_kind(tokenizer, id);

    return kind == TOKEN_USER_DEFINED || (special && (kind == TOKEN_CONTROL || kind == TOKEN_UNKNOWN));
}

/* The longest special token at the start of `text`, of `length` bytes (at least 1). Sets *end to its bytes,
 * or 0. */
static int special_at(const struct tokenizer *tokenizer, struct work *work, const char *text, size_t length,
                      bool special, uint32_t *found, size_t *end)
{
    size_t longest = tokenizer->longest_special[(unsigned char)text[0]];
    uint32_t state = LOOKUP_HASH_START;

    *end = 0;
    if (longest > length)
        longest = length;
    for (size_t i = 0; i < longest; i++) {
        uint32_t id;

        state = lookup_hash_byte(state, text[i]);
        id = tokenizer_lookup(tokenizer, &tokenizer->specials, lookup_hash_end(state), text, i + 1);
        if (id != VOCABULARY_NONE && is_wanted(tokenizer, id, special)) {
            *found = id;
            *end = i + 1;
        }
    }
    return work_spend(work, WORK_PER_LOOKUP * (1 + longest));
}

static int encode_plain(const struct tokenizer *tokenizer, struct work *work, struct merger *merger,
                        const char *text, size_t length, bool first, struct token_list *list)
{
    const struct vocabulary *vocabulary = tokenizer->vocabulary;

    if (length == 0)
        return 0;
    if (vocabulary->kind == VOCABULARY_BPE)
        return bpe_encode(tokenizer, work, merger, text, length, list);
    return spm_encode(tokenizer, work, merger, text, length, first && vocabulary->add_space_prefix, list);
}

static int encode(const struct tokenizer *tokenizer, struct work *work, struct merger *merger,
                  const char *text, size_t length, bool first, bool special, struct token_list *list)
{
    size_t plain = 0; /* where the text behind the last special token begins */
    size_t at = 0;

    while (at < length) {
        uint32_t id = VOCABULARY_NONE;
        size_t bytes;
        int rc = special_at(tokenizer, work, text + at, length - at, special, &id, &bytes);

        if (rc == 0 && bytes > 0) {
            rc = encode_plain(tokenizer, work, merger, text + plain, at - plain, first, list);
            token_list_add(list, id);
            plain = at + bytes;
            first = true;
        }
        if (rc != 0)
            return rc;
        at += bytes > 0 ? bytes : 1;
    }
    return encode_plain(tokenizer, work, merger, text + plain, length - plain, first, list);
}

int tokenizer_encode(const struct tokenizer *tokenizer, struct work *work, const char *text, size_t length,
                     bool first, bool special, struct token_list *list)
{
    struct merger merger = {0};
    int rc = encode(tokenizer, work, &merger, text, length, first, special, list);

    merger_free(&merger, work->hooks);
    return rc;
}
