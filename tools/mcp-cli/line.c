/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

static bool is_blank(char character)
{
    return character != '\0' && strchr(blanks, character) != NULL;
}

/* Reads the word at *next, which is not blank: unquotes it in place, ends it and moves *next behind it. NULL
 * when a quote is not closed. */
static char *read_word(char **next)
{
    char *word = *next;
    char *from = word;
    char *to = word;
    char quote = '\0';
    for (; *from && (quote || !is_blank(*from)); from++) {
        if (*from == '\\' && quote != '\'' && from[1] != '\0')
            *to++ = *++from;
        else if (quote ? *from == quote : *from == '\'' || *from == '"')
            quote = quote ? '\0' : *from;
        else
            *to++ = *from;
    }
    *next = *from ? from + 1 : from;
    *to = '\0';
    return quote ? NULL : word;
}

static enum status add(struct line *line, char *word, struct error *error)
{
    if (!word)
        return error_set(error, STATUS_USAGE, "a quote is not closed");
    if (line->count == LINE_WORDS_MAX)
        return error_set(error, STATUS_USAGE, "more than %d words", LINE_WORDS_MAX);
    line->words[line->count++] = word;
    return STATUS_OK;
}

/* Whether the text is one quoted word, with nothing but options after it. */
static bool is_quoted_whole(const char *text)
{
    char quote = text[0];
    if (quote != '\'' && quote != '"')
        return false;
    const char *end = text + 1;
    while (*end && *end != quote)
        end += *end == '\\' && quote == '"' && end[1] != '\0' ? 2 : 1;
    if (*end == '\0')
        return false;
    const char *after = end + 1 + strspn(end + 1, blanks);
    return *after == '\0' || (after > end + 1 && *after == '-');
}

static char *skip_blanks(char *text)
{
    return text + strspn(text, blanks);
}

/* Options, each with its value, then the prompt. */
static enum status read_prompt(char *next, struct line *line, struct error *error)
{
    static char end_of_options[] = "--";
    enum status status = STATUS_OK;
    bool more = true; /* options may follow */
    next = skip_blanks(next);
    while (more && status == STATUS_OK && next[0] == '-' && next[1] != '\0' && !is_blank(next[1])) {
        if (next[1] == '-' && (next[2] == '\0' || is_blank(next[2]))) {
            next = skip_blanks(next + 2); /* a prompt that begins with a dash; the two are added below */
            more = false;
            continue;
        }
        char *option = read_word(&next);
        status = add(line, option, error);
        next = skip_blanks(next);
        bool is_flag = !option || strcmp(option, "--json") == 0 || strcmp(option, "--quiet") == 0 ||
                       strcmp(option, "-q") == 0 || strcmp(option, "--help") == 0;
        if (is_flag || strchr(option, '=') || *next == '\0' || status != STATUS_OK)
            continue;
        status = add(line, read_word(&next), error);
        next = skip_blanks(next);
    }
    if (status != STATUS_OK || *next == '\0')
        return status;
    if (more && is_quoted_whole(next)) {
        for (; *next && status == STATUS_OK; next = skip_blanks(next))
            status = add(line, read_word(&next), error);
        return status;
    }
    size_t length = strlen(next);
    while (is_blank(next[length - 1]))
        next[--length] = '\0';
    status = add(line, end_of_options, error);
    return status == STATUS_OK ? add(line, next, error) : status;
}

enum status line_read_words(char *text, struct line *line, struct error *error)
{
    line->count = 0;
    enum status status = STATUS_OK;
    for (char *next = skip_blanks(text); *next && status == STATUS_OK; next = skip_blanks(next))
        status = add(line, read_word(&next), error);
    line->words[line->count] = NULL;
    return status;
}

enum status line_read(char *text, struct line *line, struct error *error)
{
    line->count = 0;
    char *next = skip_blanks(text);
    enum status status = STATUS_OK;
    if (*next == '#')
        next += strlen(next);
    while (*next && status == STATUS_OK) {
        status = add(line, read_word(&next), error);
        if (status == STATUS_OK && line->count == 1 && strcmp(line->words[0], "infer") == 0) {
            status = read_prompt(next, line, error);
            break;
        }
        next = skip_blanks(next);
    }
    line->words[line->count] = NULL;
    return status;
}
