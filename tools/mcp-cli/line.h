/* SPDX-License-Identifier: MIT
 *
 * A typed line as the words of a command.
 */
#ifndef MCP_CLI_LINE_H
#define MCP_CLI_LINE_H

#include "error.h"

#define LINE_WORDS_MAX 64

struct line {
    int count;                       /* 0: an empty line or a comment */
    char *words[LINE_WORDS_MAX + 1]; /* into the text */
};

/* Takes the text apart in place. Words stand between white space; '...' and "..." keep it, and a backslash
 * keeps the next character, except within '...'. A line that begins with # is a comment. What follows `infer`
 * and its options is one word as it stands, quotes and all ("infer What's a kernel?"), unless it is quoted as
 * a whole. STATUS_USAGE when a quote is not closed or there are too many words. */
enum status line_read(char *text, struct line *line, struct error *error);

/* The same without comments, and without a command whose last words need no quotes. */
enum status line_read_words(char *text, struct line *line, struct error *error);

#endif
