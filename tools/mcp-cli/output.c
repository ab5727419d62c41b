/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INDENT      2
#define REAL_DIGITS JSON_REAL_PRECISION(15) /* 0.1 stays 0.1 */

void output_initialise(struct output *output, FILE *file, enum colour_choice choice)
{
    const char *terminal = getenv("TERM");
    const char *no_colour = getenv("NO_COLOR");
    bool wanted = !no_colour || no_colour[0] == '\0';
    output->file = file;
    output->is_terminal = isatty(fileno(file)) == 1;
    output->is_dumb = !terminal || strcmp(terminal, "dumb") == 0;
    output->colours = choice == COLOUR_ALWAYS ||
                      (choice == COLOUR_AUTO && output->is_terminal && !output->is_dumb && wanted);
}

void output_text(const struct output *output, const char *text, size_t length)
{
    if (!output->is_terminal) {
        fwrite(text, 1, length, output->file);
        return;
    }
    size_t rest = 0; /* continuation bytes that the character still has */
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];
        unsigned char next = i + 1 < length ? (unsigned char)text[i + 1] : 0;
        bool continues = (byte & 0xC0) == 0x80;
        bool is_stray = continues && rest == 0; /* not UTF-8: C1 for a terminal of eight bits */
        if (continues && rest > 0)
            rest--;
        else
            rest = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : byte >= 0xC0 ? 1 : 0;
        if (byte == 0xC2 && next >= 0x80 && next <= 0x9F) { /* C1 in UTF-8 */
            fprintf(output->file, "\\u%04x", next);
            rest = 0;
            i++;
        } else if (is_stray || (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F) {
            fprintf(output->file, "\\x%02x", byte);
        } else {
            fputc(byte, output->file);
        }
    }
}

void output_coloured(const struct output *output, enum colour colour, const char *text)
{
    static const char *const codes[] = {
        [COLOUR_ERROR] = "31", [COLOUR_WARNING] = "33", [COLOUR_STRONG] = "1", [COLOUR_FAINT] = "2"};
    if (output->colours)
        fprintf(output->file, "\033[%sm", codes[colour]);
    output_text(output, text, strlen(text));
    if (output->colours)
        fputs("\033[0m", output->file);
}

void output_line(const struct output *output, const char *text, size_t length)
{
    output_text(output, text, length);
    if (length == 0 || text[length - 1] != '\n')
        fputc('\n', output->file);
}

void output_json(const struct output *output, const json_t *value, size_t flags)
{
    char *text = json_dumps(value, flags | JSON_ENCODE_ANY | REAL_DIGITS);
    if (!text) {
        fputs("null\n", output->file);
        return;
    }
    for (const unsigned char *next = (const unsigned char *)text; *next; next++) {
        /* these bytes stand in strings alone: JSON's own syntax is ASCII */
        if (next[0] == 0xC2 && next[1] >= 0x80 && next[1] <= 0x9F)
            fprintf(output->file, "\\u%04X", *++next);
        else if (next[0] == 0x7F)
            fputs("\\u007F", output->file);
        else
            fputc(next[0], output->file);
    }
    fputc('\n', output->file);
    free(text);
}

size_t output_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

void output_spaces(const struct output *output, size_t count)
{
    fprintf(output->file, "%*s", (int)(count < 200 ? count : 200), "");
}

static bool is_scalar(const json_t *value)
{
    return !json_is_object(value) && !json_is_array(value);
}

static void scalar(const struct output *output, const json_t *value, size_t indent)
{
    if (!json_is_string(value)) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | REAL_DIGITS);
        fputs(text ? text : "null", output->file);
        free(text);
        return;
    }
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);
    while (length > 0 && text[length - 1] == '\n')
        length--;
    for (;;) { /* further lines stand below the first */
        const char *newline = memchr(text, '\n', length);
        size_t line = newline ? (size_t)(newline - text) : length;
        output_text(output, text, line);
        if (!newline)
            return;
        fputc('\n', output->file);
        output_spaces(output, indent);
        text += line + 1;
        length -= line + 1;
    }
}

/* A list, empty or of scalars: it stands on one line. */
static bool is_plain_list(const json_t *list)
{
    if (!json_is_array(list))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!is_scalar(json_array_get(list, i)))
            return false;
    }
    return true;
}

static bool is_on_the_line(const json_t *value)
{
    return is_scalar(value) || is_plain_list(value) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

static void print_object(const struct output *output, const json_t *object, size_t indent,
                         bool first_is_indented);

/* A value that is_on_the_line, and its end; further lines of a text begin at `column`. */
static void print_on_the_line(const struct output *output, const json_t *value, size_t column)
{
    if (is_scalar(value))
        scalar(output, value, column);
    else if (json_array_size(value) == 0)
        fputs("none", output->file);
    for (size_t i = 0; i < json_array_size(value); i++) {
        fputs(i ? ", " : "", output->file);
        scalar(output, json_array_get(value, i), column);
    }
    fputc('\n', output->file);
}

static void print_list(const struct output *output, const json_t *list, size_t indent)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *element = json_array_get(list, i);
        output_spaces(output, indent);
        fputs("- ", output->file);
        if (is_on_the_line(element)) {
            print_on_the_line(output, element, indent + INDENT);
        } else if (json_is_object(element)) {
            print_object(output, element, indent + INDENT, true);
        } else {
            fputc('\n', output->file);
            print_list(output, element, indent + INDENT);
        }
    }
}

static void print_object(const struct output *output, const json_t *object, size_t indent,
                         bool first_is_indented)
{
    const char *key;
    json_t *value;
    size_t widest = 0; /* of the keys whose values stand beside them, in a column */
    json_object_foreach((json_t *)object, key, value)
    {
        size_t width = is_on_the_line(value) ? output_width(key) : 0;
        widest = width > widest ? width : widest;
    }
    json_object_foreach((json_t *)object, key, value)
    {
        output_spaces(output, first_is_indented ? 0 : indent);
        first_is_indented = false;
        output_coloured(output, COLOUR_STRONG, key);
        fputc(':', output->file);
        if (is_on_the_line(value)) {
            output_spaces(output, widest - output_width(key) + 1);
            print_on_the_line(output, value, indent + widest + 2);
            continue;
        }
        fputc('\n', output->file);
        if (json_is_object(value))
            print_object(output, value, indent + INDENT, false);
        else
            print_list(output, value, indent + INDENT);
    }
}

void output_value(const struct output *output, const json_t *value)
{
    if (is_on_the_line(value))
        print_on_the_line(output, value, 0);
    else if (json_is_object(value))
        print_object(output, value, 0, false);
    else
        print_list(output, value, 0);
}
