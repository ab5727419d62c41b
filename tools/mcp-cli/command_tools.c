/* SPDX-License-Identifier: MIT
 *
 * The list of tools, and their calls.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "commands.h"
#include "suggest.h"

/* The schema of a tool's arguments, from tools/list. */
static enum status find_schema(struct session *session, const char *name, const json_t **schema,
                               struct error *error)
{
    json_t *tools;
    char names[600] = "";
    struct suggestion suggestion = {.word = name};
    enum status status = session_tools(session, &tools, error);
    if (status != STATUS_OK)
        return status;
    const json_t *tool = session_find_tool(tools, name);
    *schema = json_object_get(tool, "inputSchema");
    if (tool)
        return STATUS_OK;
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const char *each = json_string_value(json_object_get(json_array_get(tools, i), "name"));
        size_t used = strlen(names);
        suggest_offer(&suggestion, each);
        snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", each ? each : "");
    }
    if (suggestion.best)
        error_set(error, STATUS_TOOL, "there is no tool '%.200s'", name);
    else
        error_set(error, STATUS_TOOL, "there is no tool '%.200s'. The server has: %s", name, names);
    suggest_append(&suggestion, error);
    return STATUS_TOOL;
}

/* All arguments as a JSON object on standard input. */
static enum status read_input(json_t **arguments, struct error *error)
{
    char *text = NULL;
    size_t length;
    enum status status = arguments_read_file("-", &text, &length, error);
    if (status == STATUS_OK && strlen(text) != length)
        status = error_set(error, STATUS_USAGE, "standard input has a NUL byte: it is no text");
    if (status == STATUS_OK)
        status = arguments_from_json(text, "standard input", arguments, error);
    free(text);
    return status;
}

enum status command_call(struct session *session, int count, char **argv, struct error *error)
{
    const char *json = NULL;
    const struct option options[] = {{"args", 'a', OPTION_TEXT, &json}, {NULL, 0, OPTION_FLAG, NULL}};
    enum status status = command_options(session, options, &count, argv, error);
    if (status != STATUS_OK)
        return status;
    if (count == 0)
        return error_set(error, STATUS_USAGE, "call needs the name of a tool; the command tools lists them");
    if (json && count > 1)
        return error_set(error, STATUS_USAGE, "call takes key=value or --args, not both: %s", argv[1]);
    json_t *arguments = NULL;
    if (json) {
        status = arguments_from_json(json, "--args", &arguments, error);
    } else if (count == 2 && strcmp(argv[1], "-") == 0) {
        status = read_input(&arguments, error);
    } else {
        const json_t *schema = NULL;
        status = find_schema(session, argv[0], &schema, error);
        if (status == STATUS_OK)
            status = arguments_from_words(schema, count - 1, argv + 1, &arguments, error);
    }
    if (status != STATUS_OK)
        return status;
    json_t *result;
    status = session_call(session, argv[0], arguments, &result, error);
    if (status == STATUS_OK || (result && session->json))
        print_result(session, result);
    json_decref(result);
    return status;
}

static void print_arguments(const struct output *output, const json_t *schema)
{
    const char *key;
    json_t *property;
    char type[128];
    size_t key_width = 0;
    size_t type_width = 0;
    json_t *properties = json_object_get(schema, "properties");
    json_object_foreach(properties, key, property)
    {
        size_t width = output_width(key);
        key_width = width > key_width ? width : key_width;
        width = output_width(argument_type(property, type, sizeof type));
        type_width = width > type_width ? width : type_width;
    }
    json_object_foreach(properties, key, property)
    {
        const char *description = json_string_value(json_object_get(property, "description"));
        output_spaces(output, 4);
        print_padded(output, key, key_width);
        print_padded(output, argument_type(property, type, sizeof type), type_width);
        fputs(argument_required(schema, key) ? "required" : "optional", output->file);
        if (description) {
            fputs("  ", output->file);
            output_text(output, description, strlen(description));
        }
        fputc('\n', output->file);
    }
}

enum status command_tools(struct session *session, int count, char **argv, struct error *error)
{
    const struct output *output = &session->output;
    enum status status = command_no_operands(session, "tools", count, argv, error);
    if (status != STATUS_OK)
        return status;
    json_decref(session->tools); /* who asks wants the list of this moment */
    session->tools = NULL;
    json_t *tools;
    status = session_tools(session, &tools, error);
    if (status != STATUS_OK)
        return status;
    if (session->json) {
        output_json(output, tools, JSON_PRETTY);
        return STATUS_OK;
    }
    size_t width = 0;
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(tools, i), "name"));
        width = name && output_width(name) > width ? output_width(name) : width;
    }
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *tool = json_array_get(tools, i);
        const char *name = json_string_value(json_object_get(tool, "name"));
        const char *description = json_string_value(json_object_get(tool, "description"));
        if (!name)
            continue;
        output_coloured(output, COLOUR_STRONG, name);
        output_spaces(output, description ? width - output_width(name) + 2 : 0);
        output_line(output, description ? description : "", description ? strlen(description) : 0);
        print_arguments(output, json_object_get(tool, "inputSchema"));
    }
    return STATUS_OK;
}
