/* SPDX-License-Identifier: MIT
 *
 * Answers a prompt: the matching question's answer, or an honest sentence.
 */
#include <errno.h>
#include <string.h>

#include "../message.h"
#include "../utf8.h"
#include "dictionary.h"

#define PIECE_MAX 1024

/* Collects characters into pieces, counts words, and stops after as many as asked for. */
struct output {
    struct work *work;
    airt_emit emit;
    void *context;
    uint32_t words_max; /* 0: no limit */
    uint32_t words;
    bool in_word;
    bool full; /* a word more than words_max was to come */
    char piece[PIECE_MAX];
    size_t length;
};

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static int flush(struct output *output)
{
    size_t length = output->length;

    output->length = 0;
    if (length > 0 && output->emit(output->context, output->piece, length) != 0)
        return -ECANCELED;
    return work_spend(output->work, length);
}

/* Puts one character. Returns 0, or -ECANCELED; sets `full` instead of putting a word too many. */
static int put_character(struct output *output, const char *bytes, size_t length)
{
    bool space = is_space(bytes[0]);

    if (space && output->words_max != 0 && output->words == output->words_max) {
        output->in_word = false;
        return 0; /* only if a word follows, and then it is one too many */
    }
    if (!space && !output->in_word) {
        if (output->words_max != 0 && output->words == output->words_max) {
            output->full = true;
            return 0;
        }
        output->words++;
    }
    output->in_word = !space;
    if (output->length + length > sizeof(output->piece)) {
        int rc = flush(output);

        if (rc != 0)
            return rc;
    }
    memcpy(output->piece + output->length, bytes, length);
    output->length += length;
    return 0;
}

/* Puts checked text, which may end inside a character: sets *used to what was put. */
static int put(struct output *output, const char *text, size_t length, size_t *used)
{
    size_t at = 0;

    while (at < length && !output->full) {
        uint32_t character;
        size_t bytes = utf8_decode(text + at, length - at, &character);
        int rc;

        if (bytes == 0)
            break;
        rc = put_character(output, text + at, bytes);
        if (rc != 0)
            return rc;
        at += bytes;
    }
    *used = at;
    return 0;
}

static int put_words(struct output *output, const char *text)
{
    size_t used;

    return put(output, text, strlen(text), &used);
}

/* --- answers --- */

/* Where the last character of a text answer that is no white space ends. */
static int find_end(struct dictionary *dictionary, struct work *work, struct answer answer, size_t *end)
{
    struct slice piece;

    *end = answer.at;
    while (text_answer_next(dictionary, &answer, &piece)) {
        for (size_t i = piece.length; i > 0; i--) {
            if (!is_space(piece.text[i - 1])) {
                *end = (size_t)(piece.text - dictionary->data) + i;
                break;
            }
        }
        if (work_spend(work, 64 + piece.length) != 0)
            return -ECANCELED;
    }
    return 0;
}

/* Puts a piece without carriage returns, and without white space while nothing was put yet. */
static int put_piece(struct output *output, struct slice piece, size_t *used)
{
    size_t at = 0;
    int rc = 0;

    while (at < piece.length && !output->full && rc == 0) {
        size_t run = 0;
        size_t put_bytes = 0;

        if (piece.text[at] == '\r' || (output->words == 0 && is_space(piece.text[at]))) {
            at++;
            continue;
        }
        while (at + run < piece.length && piece.text[at + run] != '\r')
            run++;
        rc = put(output, piece.text + at, run, &put_bytes);
        at += put_bytes;
        if (put_bytes < run)
            break;
    }
    *used = at;
    return rc;
}

static int put_text_answer(struct dictionary *dictionary, struct output *output, uint32_t entry)
{
    struct answer answer = {.at = dictionary->entries[entry].answer};
    struct slice piece;
    size_t end;
    int rc = find_end(dictionary, output->work, answer, &end);

    while (rc == 0 && !output->full && answer.at < end && text_answer_next(dictionary, &answer, &piece)) {
        size_t start = (size_t)(piece.text - dictionary->data);
        size_t used = 0;

        if (start + piece.length > end)
            piece.length = end - start;
        rc = put_piece(output, piece, &used);
        if (rc == 0)
            rc = work_spend(output->work, 64);
        /* A piece that ends inside a character: go on there. */
        if (used < piece.length && used > 0 && !answer.line_start)
            answer.at = start + used;
    }
    return rc;
}

static int put_answer(struct dictionary *dictionary, struct output *output, uint32_t entry)
{
    struct slice answer;
    size_t used;

    if (dictionary->text)
        return put_text_answer(dictionary, output, entry);
    answer = binary_answer(dictionary, entry);
    return put(output, answer.text, answer.length, &used);
}

static int put_refusal(struct output *output, const struct match *match, struct slice question)
{
    size_t used;
    int rc = put_words(output, "I have no answer to that.");

    if (rc != 0 || match->score < SCORE_MENTION)
        return rc;
    rc = put_words(output, " The closest question that I know is: \"");
    if (rc == 0)
        rc = put(output, question.text, question.length, &used);
    if (rc == 0)
        rc = put_words(output, "\"");
    return rc;
}

static uint32_t count_words(const char *text, size_t length)
{
    uint32_t words = 0;

    for (size_t i = 0; i < length; i++)
        if (!is_space(text[i]) && (i == 0 || is_space(text[i - 1])))
            words++;
    return words;
}

/* The last message of the user, where there are messages. */
static struct airt_text last_prompt(const struct airt_request *request)
{
    for (size_t i = request->message_count; i > 0; i--)
        if (request->messages[i - 1].role == AIRT_ROLE_USER)
            return request->messages[i - 1].text;
    return (struct airt_text){request->prompt, request->message_count > 0 ? 0 : request->prompt_length};
}

int dictionary_infer(struct airt_model *model, struct work *work, const struct airt_request *request,
                     airt_emit emit, void *context, struct airt_result *result, struct airt_error *error)
{
    struct dictionary *dictionary = (struct dictionary *)model;
    struct output output = {.work = work, .emit = emit, .context = context, .words_max = request->max_tokens};
    struct slice question = {"", 0};
    struct match match;
    struct airt_text prompt = last_prompt(request);
    int rc;

    if (prompt.length == 0)
        return message_fail(error, model->name, -EINVAL, "the prompt is empty");
    rc = match_prompt(dictionary, work, prompt.bytes, prompt.length, &match);
    if (rc == -ENOMEM)
        return message_fail(error, model->name, rc, "no memory to look the prompt up");
    if (rc != 0)
        return rc;

    result->prompt_tokens = count_words(prompt.bytes, prompt.length);
    result->matched = match.score >= SCORE_THRESHOLD;
    result->score = (float)match.score / (float)SCORE_ONE;
    if (result->matched || match.score >= SCORE_MENTION) {
        size_t length;

        question = dictionary_question(dictionary, match.entry);
        length = utf8_cut(question.text, question.length, sizeof(result->match) - 1);
        memcpy(result->match, question.text, length);
    }
    rc = result->matched ? put_answer(dictionary, &output, match.entry)
                         : put_refusal(&output, &match, question);
    if (rc == 0)
        rc = flush(&output);
    result->tokens = output.words;
    result->finish = output.full ? AIRT_FINISH_LENGTH : AIRT_FINISH_STOP;
    return rc;
}
