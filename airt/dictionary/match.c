/* SPDX-License-Identifier: MIT
 *
 * Finds the question that is nearest to a prompt: the same normalised text by hash, or else the one that
 * shares the most tokens with it, rare ones counting more. Integers only, so that every machine answers
 * alike. The work is at most linear in the prompt and the dictionary.
 */
#include <errno.h>
#include <string.h>

#include "dictionary.h"

/* floor(4 * log2(numerator / denominator)), for 1 <= denominator <= numerator < 2^32. */
static uint32_t quarter_log2(uint64_t numerator, uint64_t denominator)
{
    /* 2^(31 + 1/4), 2^(31 + 2/4), 2^(31 + 3/4) */
    static const uint32_t quarters[] = {0x9837f052, 0xb504f334, 0xd744fccb};
    uint64_t ratio = (numerator << 24) / denominator;
    unsigned whole = 63u - (unsigned)__builtin_clzll(ratio);
    uint32_t mantissa = (uint32_t)(ratio << (63 - whole) >> 32);
    uint32_t result = 4 * (whole - 24);

    for (unsigned i = 0; i < 3 && mantissa >= quarters[i]; i++)
        result++;
    return result;
}

uint32_t match_weight(uint32_t token, uint64_t frequency, uint64_t count)
{
    if ((token & TOKEN_WEAK) != 0)
        return 1;
    return 2 + quarter_log2(count, frequency != 0 ? frequency : 1);
}

/* Words of the question that the prompt lacks count twice as much as words that the prompt has beside it:
 * people wrap what they ask in more words. (Tversky's index with 1/2 and 1/4.) */
uint32_t match_score(uint64_t common, uint64_t prompt, uint64_t question)
{
    uint64_t score;

    if (common == 0)
        return 0;
    score = 4 * common * SCORE_ONE / (common + 2 * question + prompt);
    return score < SCORE_ONE - SCORE_ONE / 100 ? (uint32_t)score : SCORE_ONE - SCORE_ONE / 100;
}

static bool find_exact(struct dictionary *dictionary, const char *prompt, size_t length, struct match *match)
{
    uint64_t wanted = (uint64_t)words_hash(prompt, length) << 32;
    size_t at = work_search(dictionary->exact, dictionary->exact_count, wanted);

    for (; at < dictionary->exact_count && dictionary->exact[at] >> 32 == wanted >> 32; at++) {
        uint32_t entry = (uint32_t)dictionary->exact[at];
        struct slice question = dictionary_question(dictionary, entry);

        if (words_equal(prompt, length, question.text, question.length)) {
            *match = (struct match){.found = true, .entry = entry, .score = SCORE_ONE};
            return true;
        }
    }
    return false;
}

/* Adds the token's weight to every question that has it, and to *total. */
static int add_token(struct dictionary *dictionary, struct work *work, uint32_t token, uint16_t *common,
                     uint64_t *total)
{
    size_t count = (size_t)dictionary->posting_count;
    size_t first = work_search(dictionary->postings, count, (uint64_t)token << 32);
    size_t end =
        first + work_search(dictionary->postings + first, count - first, (uint64_t)token << 32 | UINT32_MAX);
    uint32_t weight;

    /* No entry has the number UINT32_MAX, so `end` is the first posting of another token. */
    weight = match_weight(token, end - first, dictionary->exact_count);
    *total += weight;
    for (size_t i = first; i < end; i++) {
        uint32_t entry = (uint32_t)dictionary->postings[i];

        common[entry] = (uint16_t)(common[entry] + weight);
        if (i % 1024 == 0 && work_spend(work, 1024 * sizeof(uint64_t)) != 0)
            return -ECANCELED;
    }
    return work_spend(work, 64);
}

static int pick_best(struct dictionary *dictionary, struct work *work, const uint16_t *common, uint64_t total,
                     struct match *match)
{
    for (uint32_t i = 0; i < dictionary->entry_count; i++) {
        uint32_t score = match_score(common[i], total, dictionary->totals[i]);

        if (score > match->score)
            *match = (struct match){.found = true, .entry = i, .score = score};
        if (i % 4096 == 0 && work_spend(work, 4096 * sizeof(uint32_t)) != 0)
            return -ECANCELED;
    }
    return 0;
}

static int find_nearest(struct dictionary *dictionary, struct work *work, const char *prompt, size_t length,
                        uint64_t *tokens, uint16_t *common, struct match *match)
{
    struct words words;
    uint32_t token;
    uint64_t total = 0;
    size_t count = 0;
    int rc;

    words_start(&words, prompt, length);
    while (words_token(&words, &token))
        tokens[count++] = token;
    rc = work_spend(work, length);
    if (rc == 0)
        rc = work_sort(work, tokens, count);
    for (size_t i = 0; i < count && rc == 0; i++)
        if (i == 0 || tokens[i] != tokens[i - 1])
            rc = add_token(dictionary, work, (uint32_t)tokens[i], common, &total);
    return rc != 0 ? rc : pick_best(dictionary, work, common, total, match);
}

int match_prompt(struct dictionary *dictionary, struct work *work, const char *prompt, size_t length,
                 struct match *match)
{
    const struct airt_hooks *hooks = &dictionary->base.hooks;
    size_t tokens_size = TOKENS_MAX(length) * sizeof(uint64_t);
    size_t common_size = dictionary->entry_count * sizeof(uint16_t);
    uint64_t *tokens;
    uint16_t *common;
    int rc = -ENOMEM;

    memset(match, 0, sizeof(*match));
    if (find_exact(dictionary, prompt, length, match) || dictionary->posting_count == 0)
        return 0;
    tokens = hooks->alloc(hooks->context, tokens_size);
    common = hooks->alloc(hooks->context, common_size);
    if (tokens != NULL && common != NULL) {
        memset(common, 0, common_size);
        rc = find_nearest(dictionary, work, prompt, length, tokens, common, match);
    }
    if (tokens != NULL)
        hooks->free(hooks->context, tokens, tokens_size);
    if (common != NULL)
        hooks->free(hooks->context, common, common_size);
    return rc;
}
