/* SPDX-License-Identifier: MIT
 *
 * What people and programs read: text that is safe on a terminal, JSON, aligned "key: value" lines, colours.
 */
#ifndef MCP_CLI_OUTPUT_H
#define MCP_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

enum colour_choice { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };
enum colour { COLOUR_ERROR, COLOUR_WARNING, COLOUR_STRONG, COLOUR_FAINT };

struct output {
    FILE *file;
    bool is_terminal; /* control characters are written as \x1b, \u009b */
    bool is_dumb;     /* a terminal that cannot move its cursor */
    bool colours;
};

/* AUTO: on a terminal, unless TERM is "dumb" or NO_COLOR is set (no-color.org). */
void output_initialise(struct output *output, FILE *file, enum colour_choice choice);

/* Text from the server. On a terminal, all of C0 and C1 but newline and tab is made visible. */
void output_text(const struct output *output, const char *text, size_t length);
/* The same in a colour. */
void output_coloured(const struct output *output, enum colour colour, const char *text);
/* A line from the server: output_text, and a newline unless the text ends with one. */
void output_line(const struct output *output, const char *text, size_t length);

/* One JSON document and a newline; `flags` of json_dumps. U+007F to U+009F are written as \u00XX: the same
 * JSON, and harmless on a terminal. */
void output_json(const struct output *output, const json_t *value, size_t flags);

/* A JSON value for people: objects as aligned "key: value" lines, what is in them indented. */
void output_value(const struct output *output, const json_t *value);

/* Columns that the text takes, one for each code point. */
size_t output_width(const char *text);
void output_spaces(const struct output *output, size_t count);

#endif
