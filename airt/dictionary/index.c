/* SPDX-License-Identifier: MIT
 *
 * Builds the indices. All are arrays sorted in place: no rehashing, no peak above what stays, and nothing
 * that a hostile choice of questions makes slow.
 */
#include <errno.h>
#include <string.h>

#include "../message.h"
#include "dictionary.h"

/* So many different questions may share a 32-bit hash. By chance that does not happen below the size limit;
 * a file that was made so does not load. */
#define SAME_HASH_MAX 16

static int no_memory(struct dictionary *dictionary, struct airt_error *error)
{
    return message_fail(error, dictionary->base.name, -ENOMEM, "no memory for the index");
}

static uint64_t pair(uint32_t hash, uint32_t entry)
{
    return (uint64_t)hash << 32 | entry;
}

static int hash_questions(struct dictionary *dictionary, struct work *work)
{
    for (uint32_t i = 0; i < dictionary->entry_count; i++) {
        struct slice question = dictionary_question(dictionary, i);

        dictionary->exact[i] = pair(words_hash(question.text, question.length), i);
        if (work_spend(work, WORK_PER_QUESTION + question.length) != 0)
            return -ECANCELED;
    }
    return work_sort(work, dictionary->exact, dictionary->entry_count);
}

/* Whether the question equals one of those kept. */
static bool is_kept(struct dictionary *dictionary, const uint32_t *kept, size_t kept_count, uint32_t entry)
{
    struct slice question = dictionary_question(dictionary, entry);

    for (size_t i = 0; i < kept_count; i++) {
        struct slice other = dictionary_question(dictionary, kept[i]);

        if (words_equal(question.text, question.length, other.text, other.length))
            return true;
    }
    return false;
}

/* Of equal questions keeps the last, from the end of each run of equal hashes; the array shrinks towards its
 * own end and is moved to the front at last. */
static int drop_equal_questions(struct dictionary *dictionary, struct work *work, struct airt_error *error)
{
    uint32_t kept[SAME_HASH_MAX];
    size_t kept_count = 0;
    size_t out = dictionary->entry_count;

    for (size_t i = dictionary->entry_count; i-- > 0;) {
        uint32_t entry = (uint32_t)dictionary->exact[i];

        if (work_spend(work, 64 + kept_count * 64) != 0)
            return -ECANCELED;
        if (i + 1 == dictionary->entry_count || dictionary->exact[i] >> 32 != dictionary->exact[i + 1] >> 32)
            kept_count = 0;
        if (is_kept(dictionary, kept, kept_count, entry)) {
            dictionary->entries[entry].answer = 0;
            continue;
        }
        if (kept_count == SAME_HASH_MAX)
            return message_fail(error, dictionary->base.name, -EINVAL,
                                "questions made to collide in the index");
        kept[kept_count++] = entry;
        dictionary->exact[--out] = dictionary->exact[i];
    }
    dictionary->exact_count = dictionary->entry_count - (uint32_t)out;
    memmove(dictionary->exact, dictionary->exact + out, dictionary->exact_count * sizeof(*dictionary->exact));
    return 0;
}

/* The distinct tokens of a question, sorted, as the high halves of `tokens`. */
static int distinct_tokens(struct dictionary *dictionary, struct work *work, uint32_t entry, uint64_t *tokens,
                           size_t *count)
{
    struct slice question = dictionary_question(dictionary, entry);
    struct words words;
    uint32_t token;
    size_t found = 0;
    size_t distinct = 0;
    int rc;

    words_start(&words, question.text, question.length);
    while (found < TOKENS_MAX(QUESTION_MAX) && words_token(&words, &token))
        tokens[found++] = pair(token, entry);
    rc = work_sort(work, tokens, found);
    if (rc == 0)
        rc = work_spend(work, WORK_PER_QUESTION + question.length);
    for (size_t i = 0; i < found; i++)
        if (i == 0 || tokens[i] != tokens[i - 1])
            tokens[distinct++] = tokens[i];
    *count = distinct;
    return rc;
}

/* Counts the postings, or fills them in when there is room for them. */
static int walk_tokens(struct dictionary *dictionary, struct work *work, uint64_t *tokens, uint64_t *postings)
{
    for (uint32_t i = 0; i < dictionary->entry_count; i++) {
        size_t count;
        int rc;

        if (dictionary->entries[i].answer == 0)
            continue;
        rc = distinct_tokens(dictionary, work, i, tokens, &count);
        if (rc != 0)
            return rc;
        if (dictionary->postings != NULL) {
            /* A mapped source that changes must not write beyond what was counted. */
            if (count > dictionary->posting_count - *postings)
                count = (size_t)(dictionary->posting_count - *postings);
            memcpy(dictionary->postings + *postings, tokens, count * sizeof(*tokens));
        }
        *postings += count;
    }
    return 0;
}

static int add_up_weights(struct dictionary *dictionary, struct work *work)
{
    size_t count = (size_t)dictionary->posting_count;

    for (size_t i = 0, end; i < count; i = end) {
        uint32_t token = (uint32_t)(dictionary->postings[i] >> 32);
        uint32_t weight;

        for (end = i; end < count && dictionary->postings[end] >> 32 == token; end++)
            if (end % 4096 == 0 && work_spend(work, 4096 * sizeof(uint64_t)) != 0)
                return -ECANCELED;
        weight = match_weight(token, end - i, dictionary->exact_count);
        for (size_t j = i; j < end; j++) {
            uint32_t entry = (uint32_t)dictionary->postings[j];

            dictionary->totals[entry] = (uint16_t)(dictionary->totals[entry] + weight);
            if (j % 4096 == 0 && work_spend(work, 4096 * sizeof(uint64_t)) != 0)
                return -ECANCELED;
        }
    }
    return 0;
}

static int index_tokens(struct dictionary *dictionary, struct work *work, uint64_t *tokens,
                        struct airt_error *error)
{
    struct airt_model *base = &dictionary->base;
    uint64_t postings = 0;
    uint64_t filled = 0;
    int rc = walk_tokens(dictionary, work, tokens, &postings);

    if (rc != 0 || postings == 0)
        return rc;
    dictionary->postings = model_alloc(base, postings, sizeof(*dictionary->postings));
    if (dictionary->postings == NULL)
        return no_memory(dictionary, error);
    dictionary->posting_count = postings;
    rc = walk_tokens(dictionary, work, tokens, &filled);
    if (rc != 0)
        return rc;
    if (filled != postings)
        return message_fail(error, base->name, -EINVAL, "changed while it was loaded");
    rc = work_sort(work, dictionary->postings, (size_t)postings);
    return rc != 0 ? rc : add_up_weights(dictionary, work);
}

int index_build(struct dictionary *dictionary, struct work *work, struct airt_error *error)
{
    struct airt_model *base = &dictionary->base;
    uint64_t *tokens;
    int rc;

    dictionary->exact = model_alloc(base, dictionary->entry_count, sizeof(*dictionary->exact));
    dictionary->totals = model_alloc(base, dictionary->entry_count, sizeof(*dictionary->totals));
    if (dictionary->exact == NULL || dictionary->totals == NULL)
        return no_memory(dictionary, error);
    memset(dictionary->totals, 0, dictionary->entry_count * sizeof(*dictionary->totals));
    rc = hash_questions(dictionary, work);
    if (rc == 0)
        rc = drop_equal_questions(dictionary, work, error);
    if (rc != 0)
        return rc;

    tokens = model_alloc(base, TOKENS_MAX(QUESTION_MAX), sizeof(*tokens));
    if (tokens == NULL)
        return no_memory(dictionary, error);
    rc = index_tokens(dictionary, work, tokens, error);
    model_free(base, tokens, TOKENS_MAX(QUESTION_MAX), sizeof(*tokens));
    return rc;
}
