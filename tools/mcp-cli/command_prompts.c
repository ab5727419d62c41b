/* SPDX-License-Identifier: MIT
 *
 * Prompts, and what servers suggest for the arguments of prompts and templates.
 */
#include <stdio.h>
#include <string.h>

#include "arguments.h"
#include "commands.h"
#include "suggest.h"

enum status command_prompts(struct session *session, int count, char **argv, struct error *error)
{
    const struct output *output = &session->output;
    json_t *prompts = NULL;
    enum status status = command_no_operands(session, "prompts", count, argv, error);
    if (status == STATUS_OK)
        status = session_list(session, "prompts/list", "prompts", &prompts, error);
    if (status == STATUS_OK && session->json)
        output_json(output, prompts, JSON_PRETTY);
    for (size_t i = 0; i < json_array_size(prompts) && !session->json; i++) {
        const json_t *prompt = json_array_get(prompts, i);
        const json_t *arguments = json_object_get(prompt, "arguments");
        const char *name = json_string_value(json_object_get(prompt, "name"));
        const char *description = json_string_value(json_object_get(prompt, "description"));
        if (!name)
            continue;
        output_coloured(output, COLOUR_STRONG, name);
        fputs(description ? "  " : "", output->file);
        output_line(output, description ? description : "", description ? strlen(description) : 0);
        for (size_t j = 0; j < json_array_size(arguments); j++) {
            const json_t *argument = json_array_get(arguments, j);
            const char *key = json_string_value(json_object_get(argument, "name"));
            const char *text = json_string_value(json_object_get(argument, "description"));
            output_spaces(output, 4);
            print_padded(output, key ? key : "?", 0);
            fputs(json_is_true(json_object_get(argument, "required")) ? "required" : "optional",
                  output->file);
            fputs(text ? "  " : "", output->file);
            output_line(output, text ? text : "", text ? strlen(text) : 0);
        }
    }
    json_decref(prompts);
    return status;
}

static void print_messages(const struct session *session, const json_t *messages)
{
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        const char *role = json_string_value(json_object_get(message, "role"));
        const json_t *content = json_object_get(message, "content");
        output_coloured(&session->output, COLOUR_STRONG, role ? role : "?");
        fputs(": ", session->output.file);
        if (json_is_object(content))
            print_content(session, content);
        for (size_t j = 0; j < json_array_size(content); j++)
            print_content(session, json_array_get(content, j));
    }
}

/* "there is no prompt", with a name that is near, after the server refused this one. */
static void suggest_prompt(struct session *session, const char *name, struct error *error)
{
    json_t *prompts = NULL;
    struct error ignored;
    struct suggestion suggestion = {.word = name};
    if (session_list(session, "prompts/list", "prompts", &prompts, &ignored) == STATUS_OK) {
        bool is_there = false;
        for (size_t i = 0; i < json_array_size(prompts); i++) {
            const char *each = json_string_value(json_object_get(json_array_get(prompts, i), "name"));
            is_there = is_there || (each && strcmp(each, name) == 0);
            suggest_offer(&suggestion, each);
        }
        if (!is_there)
            suggest_append(&suggestion, error);
    }
    json_decref(prompts);
}

enum status command_prompt(struct session *session, int count, char **argv, struct error *error)
{
    const char *json = NULL;
    const struct option options[] = {{"args", 'a', OPTION_TEXT, &json}, {NULL, 0, OPTION_FLAG, NULL}};
    json_t *arguments = NULL;
    json_t *result;
    enum status status = command_options(session, options, &count, argv, error);
    if (status != STATUS_OK)
        return status;
    if (count == 0)
        return error_set(error, STATUS_USAGE,
                         "prompt needs the name of a prompt; the command prompts lists them");
    if (json && count > 1)
        return error_set(error, STATUS_USAGE, "prompt takes key=value or --args, not both: %s", argv[1]);
    if (json)
        status = arguments_from_json(json, "--args", &arguments, error);
    else
        status = arguments_from_words(NULL, count - 1, argv + 1, &arguments, error);
    if (status != STATUS_OK)
        return status;
    json_t *params = json_pack("{s:s, s:o}", "name", argv[0], "arguments", arguments);
    if (!params)
        return error_set(error, STATUS_USAGE, "the name of the prompt is not UTF-8");
    status = session_request(session, "prompts/get", argv[0], params, &result, error);
    if (status == STATUS_TOOL)
        suggest_prompt(session, argv[0], error);
    const json_t *messages = json_object_get(result, "messages");
    if (status == STATUS_OK && !json_is_array(messages))
        status = error_set(error, STATUS_TOOL, "%.200s: the server's answer has no messages", argv[0]);
    else if (status == STATUS_OK && session->json)
        output_json(&session->output, result, JSON_PRETTY);
    else if (status == STATUS_OK)
        print_messages(session, messages);
    json_decref(result);
    return status;
}

enum status command_complete(struct session *session, int count, char **argv, struct error *error)
{
    json_t *result;
    enum status status = command_options(session, NULL, &count, argv, error);
    if (status != STATUS_OK)
        return status;
    if (count < 2)
        return error_set(error, STATUS_USAGE,
                         "complete needs a prompt or the template of a URI, and the argument: complete ask "
                         "question=What; further ones are known already");
    json_t *argument = NULL;
    json_t *known = NULL;
    status = arguments_from_words(NULL, 1, argv + 1, &argument, error);
    if (status == STATUS_OK)
        status = arguments_from_words(NULL, count - 2, argv + 2, &known, error);
    void *first = json_object_iter(argument);
    bool is_uri = strstr(argv[0], "://") || strchr(argv[0], '{');
    json_t *params = NULL;
    if (status == STATUS_OK)
        params =
            json_pack("{s:{s:s, s:s}, s:{s:s, s:O}}", "ref", "type", is_uri ? "ref/resource" : "ref/prompt",
                      is_uri ? "uri" : "name", argv[0], "argument", "name", json_object_iter_key(first),
                      "value", json_object_iter_value(first));
    if (status == STATUS_OK && !params)
        status = error_set(error, STATUS_USAGE, "the name is not UTF-8");
    if (status == STATUS_OK && json_object_size(known) > 0)
        json_object_set_new(params, "context", json_pack("{s:O}", "arguments", known));
    json_decref(argument);
    json_decref(known);
    if (status != STATUS_OK) {
        json_decref(params);
        return status;
    }
    status = session_request(session, "completion/complete", argv[0], params, &result, error);
    const json_t *completion = json_object_get(result, "completion");
    const json_t *values = json_object_get(completion, "values");
    if (status == STATUS_OK && session->json)
        output_json(&session->output, completion, JSON_PRETTY);
    for (size_t i = 0; i < json_array_size(values) && !session->json; i++) {
        const json_t *value = json_array_get(values, i);
        if (json_is_string(value))
            output_line(&session->output, json_string_value(value), json_string_length(value));
    }
    json_decref(result);
    return status;
}
