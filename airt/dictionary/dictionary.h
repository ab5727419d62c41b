/* SPDX-License-Identifier: MIT
 *
 * The key/value dictionary as it lies in memory: the bytes of the file, and indices over them.
 *
 *  entries   one per question: where it and its answer begin in the bytes
 *  exact     sorted by the hash of the normalised question: hash << 32 | entry
 *  postings  sorted by token: token << 32 | entry, for each distinct token of each question
 *  totals    per entry the weights of its tokens added up
 *
 * 18 bytes per question and 8 per token. Of questions that are equal after normalising the last one counts;
 * the others stay in `entries`, with an answer of 0, and in no index.
 */
#ifndef AIRT_DICTIONARY_H
#define AIRT_DICTIONARY_H

#include <stdbool.h>

#include "../model.h"
#include "words.h"

/* Bytes of a question in the text form; the binary form cannot say more than 255. So the weights of a
 * question's tokens (at most 500, of at most 130 each) fit into 16 bits. */
#define QUESTION_MAX 1000

/* A short question costs more than its bytes. */
#define WORK_PER_QUESTION 64

struct entry {
    uint32_t question;
    uint32_t answer;
};

struct dictionary {
    struct airt_model base;
    bool text; /* else binary */
    const char *data;
    char *owned; /* data, when it is a copy */
    size_t size; /* below 4 GiB */
    struct entry *entries;
    uint32_t entry_count;
    uint64_t *exact;
    uint32_t exact_count; /* of questions that differ */
    uint64_t *postings;
    uint64_t posting_count;
    uint16_t *totals;
};

struct slice {
    const char *text;
    size_t length;
};

/* One walk over the bytes. The first one, without entries, checks all of them. */
struct scan {
    struct work *work;
    struct airt_error *error;
    struct entry *entries; /* NULL: only count */
    uint32_t capacity;
    uint32_t count;
    struct slice name; /* of the text form's header */
};

/* Adds one question; its answer comes later. */
int scan_add(struct dictionary *dictionary, struct scan *scan, size_t question);

/* Checks that [start, start + length) is UTF-8 without control characters other than tab and line ends. Sets
 * *bad to the first byte that is not, and returns -EINVAL then; or -ECANCELED. Only in the first walk. */
int scan_text(struct dictionary *dictionary, struct scan *scan, size_t start, size_t length, size_t *bad);

/* binary.c and text.c: walk, and find again what was found. */
int binary_scan(struct dictionary *dictionary, struct scan *scan);
struct slice binary_question(const struct dictionary *dictionary, uint32_t entry);
struct slice binary_answer(const struct dictionary *dictionary, uint32_t entry);

bool text_detect(const struct dictionary *dictionary);
int text_scan(struct dictionary *dictionary, struct scan *scan);
struct slice text_question(const struct dictionary *dictionary, uint32_t entry);

/* Reads an answer piece by piece, from {.at = the entry's answer} on. A piece ends at a line end, which it
 * contains, or after 4 KiB, anywhere; it is empty for a comment. Returns false behind the last. */
struct answer {
    size_t at;
    bool line_start;
    bool comment;
};
bool text_answer_next(const struct dictionary *dictionary, struct answer *answer, struct slice *piece);

struct slice dictionary_question(const struct dictionary *dictionary, uint32_t entry);

/* index.c: fills exact, postings and totals from the entries. 0, -EINVAL, -ENOMEM, -ECANCELED. */
int index_build(struct dictionary *dictionary, struct work *work, struct airt_error *error);

/* match.c */
#define SCORE_ONE       1000000u
#define SCORE_THRESHOLD 500000u /* from here on an answer is given */
#define SCORE_MENTION   200000u /* from here on the closest question is worth naming */

struct match {
    bool found; /* any question with a word in common */
    uint32_t entry;
    uint32_t score; /* millionths; SCORE_ONE exactly when the normalised texts are equal */
};

/* Finds the nearest question. 0, -ENOMEM, -ECANCELED. */
int match_prompt(struct dictionary *dictionary, struct work *work, const char *prompt, size_t length,
                 struct match *match);

/* What a token counts that `frequency` of `count` questions have; 0 for a token that none has. */
uint32_t match_weight(uint32_t token, uint64_t frequency, uint64_t count);

/* How well a prompt whose weights add up to `prompt` matches a question of `question`, `common` in both. */
uint32_t match_score(uint64_t common, uint64_t prompt, uint64_t question);

/* infer.c */
int dictionary_infer(struct airt_model *model, struct work *work, const struct airt_request *request,
                     airt_emit emit, void *context, struct airt_result *result, struct airt_error *error);

#endif
