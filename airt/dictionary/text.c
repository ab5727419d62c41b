/* SPDX-License-Identifier: MIT
 *
 * The text form, for people; airt/README.md describes it.
 */
#include <errno.h>
#include <string.h>

#include "../message.h"
#include "dictionary.h"

#define SIGNATURE "# microkernelia dictionary"
#define BOM       "\xef\xbb\xbf"
#define CHUNK     4096

struct line {
    size_t number; /* from 1 */
    size_t start;
    size_t end;  /* line end not included */
    size_t next; /* where the next line begins */
};

enum state { IN_HEADER, IN_QUESTIONS, IN_ANSWER };

/* What the walk has seen so far. */
struct position {
    struct line line;
    enum state state;
    uint32_t block;       /* first question of the current answer */
    struct line question; /* where it stands */
    bool answered;        /* the current answer has text */
};

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static size_t skip_blanks(const struct dictionary *dictionary, size_t at, size_t end)
{
    while (at < end && is_blank(dictionary->data[at]))
        at++;
    return at;
}

static bool begins(const struct dictionary *dictionary, size_t at, size_t end, const char *prefix)
{
    size_t length = strlen(prefix);

    return end - at >= length && memcmp(dictionary->data + at, prefix, length) == 0;
}

static size_t skip_bom(const struct dictionary *dictionary)
{
    return begins(dictionary, 0, dictionary->size, BOM) ? strlen(BOM) : 0;
}

bool text_detect(const struct dictionary *dictionary)
{
    size_t at = skip_bom(dictionary);

    if (!begins(dictionary, at, dictionary->size, SIGNATURE))
        return false;
    at = skip_blanks(dictionary, at + strlen(SIGNATURE), dictionary->size);
    return at == dictionary->size || dictionary->data[at] == '\n';
}

static int fail_at(struct dictionary *dictionary, struct scan *scan, const struct line *line, size_t at,
                   const char *what)
{
    message_start(scan->error, dictionary->base.name);
    message_text(scan->error, "line ");
    message_number(scan->error, line->number);
    message_text(scan->error, " (byte ");
    message_number(scan->error, at);
    message_text(scan->error, "): ");
    message_text(scan->error, what);
    return -EINVAL;
}

/* Moves to the next line and checks its bytes. */
static int next_line(struct dictionary *dictionary, struct scan *scan, struct line *line)
{
    size_t at = line->next;
    size_t bad = 0;
    int rc;

    line->number++;
    line->start = at;
    for (;;) {
        size_t length = dictionary->size - at < CHUNK ? dictionary->size - at : CHUNK;
        const char *found = length > 0 ? memchr(dictionary->data + at, '\n', length) : NULL;

        if (found != NULL) {
            line->end = (size_t)(found - dictionary->data);
            line->next = line->end + 1;
            break;
        }
        at += length;
        if (at == dictionary->size) {
            line->end = line->next = at;
            break;
        }
        if (work_spend(scan->work, length) != 0)
            return -ECANCELED;
    }
    rc = scan_text(dictionary, scan, line->start, line->end - line->start, &bad);
    if (rc == -EINVAL)
        return fail_at(dictionary, scan, line, bad, "a control character, or not UTF-8");
    return rc;
}

/* The text of a line behind its first `skip` bytes, without blanks at both ends. */
static struct slice trimmed(const struct dictionary *dictionary, const struct line *line, size_t skip)
{
    size_t start = skip_blanks(dictionary, line->start + skip, line->end);
    size_t end = line->end;

    while (end > start && is_blank(dictionary->data[end - 1]))
        end--;
    return (struct slice){dictionary->data + start, end - start};
}

static int on_question(struct dictionary *dictionary, struct scan *scan, struct position *position)
{
    struct slice question = trimmed(dictionary, &position->line, 2);

    if (position->state == IN_ANSWER && !position->answered)
        return fail_at(dictionary, scan, &position->line, position->line.start,
                       "the answer before this question is empty");
    if (question.length > QUESTION_MAX)
        return fail_at(dictionary, scan, &position->line, position->line.start,
                       "a question of more than 1000 bytes");
    if (words_empty(question.text, question.length))
        return fail_at(dictionary, scan, &position->line, position->line.start,
                       "a question without a letter or digit");
    if (position->state != IN_QUESTIONS) {
        position->state = IN_QUESTIONS;
        position->block = scan->count;
        position->question = position->line;
    }
    return scan_add(dictionary, scan, (size_t)(question.text - dictionary->data));
}

static int on_answer(struct dictionary *dictionary, struct scan *scan, struct position *position)
{
    const struct line *line = &position->line;

    if (position->state == IN_HEADER)
        return fail_at(dictionary, scan, line, line->start, "an answer without a question");
    if (position->state == IN_ANSWER)
        return fail_at(dictionary, scan, line, line->start,
                       "a second answer (write \"\\A:\" if it belongs to the text)");
    position->state = IN_ANSWER;
    position->answered = trimmed(dictionary, line, 2).length > 0;
    for (uint32_t i = position->block; scan->entries != NULL && i < scan->count; i++)
        scan->entries[i].answer = (uint32_t)line->start + 2;
    return 0;
}

static int on_name(struct dictionary *dictionary, struct scan *scan, const struct line *line)
{
    struct slice name = trimmed(dictionary, line, strlen("Name:"));

    if (scan->name.length > 0)
        return fail_at(dictionary, scan, line, line->start, "a second name");
    if (name.length == 0 || name.length >= MODEL_NAME_SIZE)
        return fail_at(dictionary, scan, line, line->start, "a name has 1 to 103 bytes");
    scan->name = name;
    return 0;
}

static int on_line(struct dictionary *dictionary, struct scan *scan, struct position *position)
{
    const struct line *line = &position->line;

    if (begins(dictionary, line->start, line->end, "#"))
        return 0;
    if (begins(dictionary, line->start, line->end, "Q:"))
        return on_question(dictionary, scan, position);
    if (begins(dictionary, line->start, line->end, "A:"))
        return on_answer(dictionary, scan, position);
    if (skip_blanks(dictionary, line->start, line->end) == line->end)
        return 0;
    switch (position->state) {
    case IN_HEADER:
        if (begins(dictionary, line->start, line->end, "Name:"))
            return on_name(dictionary, scan, line);
        return fail_at(dictionary, scan, line, line->start, "expected \"Name:\", \"Q:\" or a comment");
    case IN_QUESTIONS:
        return fail_at(dictionary, scan, line, line->start, "expected \"Q:\" or \"A:\"");
    case IN_ANSWER:
        /* A lone backslash is an empty line. */
        position->answered = position->answered || dictionary->data[line->start] != '\\' ||
                             skip_blanks(dictionary, line->start + 1, line->end) < line->end;
        break;
    }
    return 0;
}

int text_scan(struct dictionary *dictionary, struct scan *scan)
{
    struct position position = {.line.next = skip_bom(dictionary)};

    memset(&scan->name, 0, sizeof(scan->name));
    while (position.line.next < dictionary->size) {
        int rc = next_line(dictionary, scan, &position.line);

        if (rc == 0)
            rc = on_line(dictionary, scan, &position);
        if (rc != 0)
            return rc;
    }
    if (position.state == IN_HEADER)
        return fail_at(dictionary, scan, &position.line, dictionary->size, "no question in the file");
    if (position.state == IN_QUESTIONS)
        return fail_at(dictionary, scan, &position.question, position.question.start,
                       "a question without an answer");
    if (!position.answered)
        return fail_at(dictionary, scan, &position.line, dictionary->size, "the last answer is empty");
    return 0;
}

struct slice text_question(const struct dictionary *dictionary, uint32_t entry)
{
    struct line line = {.start = dictionary->entries[entry].question};
    size_t limit =
        dictionary->size - line.start < QUESTION_MAX + 1 ? dictionary->size - line.start : QUESTION_MAX + 1;
    const char *end = memchr(dictionary->data + line.start, '\n', limit);

    line.end = end != NULL ? (size_t)(end - dictionary->data) : line.start + limit;
    return trimmed(dictionary, &line, 0);
}

bool text_answer_next(const struct dictionary *dictionary, struct answer *answer, struct slice *piece)
{
    size_t at = answer->at;
    size_t limit;
    const char *end;

    if (at == dictionary->size)
        return false;
    if (answer->line_start) {
        if (begins(dictionary, at, dictionary->size, "Q:"))
            return false;
        answer->comment = dictionary->data[at] == '#';
        if (dictionary->data[at] == '\\')
            at++;
    }
    limit = dictionary->size - at < CHUNK ? dictionary->size - at : CHUNK;
    end = limit > 0 ? memchr(dictionary->data + at, '\n', limit) : NULL;
    answer->line_start = end != NULL;
    if (end != NULL)
        limit = (size_t)(end - dictionary->data) + 1 - at;
    answer->at = at + limit;
    *piece = (struct slice){dictionary->data + at, answer->comment ? 0 : limit};
    return true;
}
