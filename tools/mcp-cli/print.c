/* SPDX-License-Identifier: MIT
 *
 * Results of the protocol as people read them.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"

void print_padded(const struct output *output, const char *text, size_t width)
{
    size_t used = output_width(text);
    output_text(output, text, strlen(text));
    output_spaces(output, (used < width ? width - used : 0) + 2);
}

/* What cannot be shown as text. */
static void print_note(const struct output *output, const char *before, const char *what, const char *after)
{
    output_coloured(output, COLOUR_FAINT, before);
    output_coloured(output, COLOUR_FAINT, what);
    output_coloured(output, COLOUR_FAINT, after);
    fputc('\n', output->file);
}

void print_contents(const struct session *session, const json_t *contents)
{
    const json_t *text = json_object_get(contents, "text");
    const char *mime = json_string_value(json_object_get(contents, "mimeType"));
    if (json_is_string(text))
        output_line(&session->output, json_string_value(text), json_string_length(text));
    else
        print_note(&session->output, "[content that is no text: ", mime ? mime : "of no type",
                   "; read --output FILE writes it]");
}

void print_content(const struct session *session, const json_t *block)
{
    const struct output *output = &session->output;
    const json_t *text = json_object_get(block, "text");
    const char *type = json_string_value(json_object_get(block, "type"));
    const char *uri = json_string_value(json_object_get(block, "uri"));
    const char *mime = json_string_value(json_object_get(block, "mimeType"));
    if (json_is_string(text)) {
        output_line(output, json_string_value(text), json_string_length(text));
    } else if (type && strcmp(type, "resource") == 0) {
        const json_t *resource = json_object_get(block, "resource");
        const char *name = json_string_value(json_object_get(resource, "uri"));
        print_note(output, "[", name ? name : "a resource", "]");
        print_contents(session, resource);
    } else if (type && strcmp(type, "resource_link") == 0 && uri) {
        print_note(output, "[resource ", uri, "; read prints it]");
    } else {
        print_note(output, "[content that is no text: ",
                   mime   ? mime
                   : type ? type
                          : "of no type",
                   "; --json prints it]");
    }
}

void print_result(const struct session *session, const json_t *result)
{
    const json_t *structured = json_object_get(result, "structuredContent");
    const json_t *content = json_object_get(result, "content");
    if (session->json) {
        const json_t *document = structured ? structured : content;
        output_json(&session->output, document ? document : result, JSON_PRETTY);
    } else if (structured) {
        output_value(&session->output, structured);
    } else {
        for (size_t i = 0; i < json_array_size(content); i++)
            print_content(session, json_array_get(content, i));
    }
}
