/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arguments.h"

#define JSON_PRETTY JSON_INDENT(2)

void commands_common_options(struct session *session, struct option options[2])
{
    options[0] = (struct option){"json", 0, OPTION_FLAG, &session->json};
    options[1] = (struct option){NULL, 0, OPTION_FLAG, NULL};
}

/* Reads the options of one command; `options` may be NULL. */
static enum status read_options(struct session *session, const struct option *options, int *count,
                                char **argv, struct error *error)
{
    struct option common[2];
    commands_common_options(session, common);
    return options_parse(options, common, false, count, argv, error);
}

static enum status no_operands(const char *name, int count, char **argv, struct error *error)
{
    if (count == 0)
        return STATUS_OK;
    return error_set(error, STATUS_USAGE, "%s takes no argument: %s", name, argv[0]);
}

/* One block of a result's content. */
static void print_content(const struct session *session, const json_t *block)
{
    const json_t *text = json_object_get(block, "text");
    const char *type = json_string_value(json_object_get(block, "type"));
    if (json_is_string(text)) {
        output_line(&session->output, json_string_value(text), json_string_length(text));
        return;
    }
    const char *mime = json_string_value(json_object_get(block, "mimeType"));
    output_coloured(&session->output, COLOUR_FAINT, "[content that is no text: ");
    output_coloured(&session->output, COLOUR_FAINT, mime ? mime : type ? type : "of no type");
    output_coloured(&session->output, COLOUR_FAINT, "; --json prints it]");
    fputc('\n', session->output.file);
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

/* Calls a tool and prints its result. */
static enum status call_and_print(struct session *session, const char *tool, json_t *arguments,
                                  struct error *error)
{
    json_t *result;
    enum status status = session_call(session, tool, arguments, &result, error);
    if (status == STATUS_OK || (result && session->json))
        print_result(session, result);
    json_decref(result);
    return status;
}

static enum status command_infer(struct session *session, int count, char **argv, struct error *error)
{
    struct option_integer max_tokens = {0};
    struct option_integer seed = {0};
    struct option_number temperature = {0};
    struct option_number top_p = {0};
    const struct option options[] = {{"max-tokens", 'n', OPTION_INTEGER, &max_tokens},
                                     {"temperature", 't', OPTION_NUMBER, &temperature},
                                     {"top-p", 'p', OPTION_NUMBER, &top_p},
                                     {"seed", 's', OPTION_INTEGER, &seed},
                                     {NULL, 0, OPTION_FLAG, NULL}};
    enum status status = read_options(session, options, &count, argv, error);
    if (status != STATUS_OK)
        return status;
    if (count == 0)
        return error_set(error, STATUS_USAGE, "infer needs a prompt: infer \"What is a unikernel?\"");

    json_t *prompt = json_string(argv[0]);
    for (int i = 1; i < count && prompt; i++) { /* words without quotes are one prompt */
        json_t *longer = json_sprintf("%s %s", json_string_value(prompt), argv[i]);
        json_decref(prompt);
        prompt = longer;
    }
    if (!prompt)
        return error_set(error, STATUS_USAGE, "the prompt is not UTF-8");
    json_t *arguments = json_pack("{s:o}", "prompt", prompt);
    if (max_tokens.given)
        json_object_set_new(arguments, "max_tokens", json_integer(max_tokens.value));
    if (temperature.given)
        json_object_set_new(arguments, "temperature", json_real(temperature.value));
    if (top_p.given)
        json_object_set_new(arguments, "top_p", json_real(top_p.value));
    if (seed.given)
        json_object_set_new(arguments, "seed", json_integer(seed.value));

    json_t *result;
    status = session_call(session, "infer", arguments, &result, error);
    const json_t *text = json_object_get(json_object_get(result, "structuredContent"), "text");
    if (status == STATUS_OK && !session->json && json_is_string(text))
        output_line(&session->output, json_string_value(text), json_string_length(text));
    else if (status == STATUS_OK || (result && session->json))
        print_result(session, result);
    json_decref(result);
    return status;
}

/* A tool without arguments, or with one text. */
static enum status run_simple(struct session *session, const char *tool, int count, char **argv,
                              struct error *error)
{
    enum status status = read_options(session, NULL, &count, argv, error);
    if (status == STATUS_OK)
        status = no_operands(tool, count, argv, error);
    return status == STATUS_OK ? call_and_print(session, tool, json_object(), error) : status;
}

static enum status command_health(struct session *session, int count, char **argv, struct error *error)
{
    return run_simple(session, "health", count, argv, error);
}

static enum status command_metadata(struct session *session, int count, char **argv, struct error *error)
{
    return run_simple(session, "metadata", count, argv, error);
}

static enum status command_load_model(struct session *session, int count, char **argv, struct error *error)
{
    enum status status = read_options(session, NULL, &count, argv, error);
    if (status != STATUS_OK)
        return status;
    if (count != 1)
        return error_set(error, STATUS_USAGE, "load-model needs the path of one model, as the VM sees it");
    json_t *arguments = json_pack("{s:s}", "path", argv[0]);
    if (!arguments)
        return error_set(error, STATUS_USAGE, "the path is not UTF-8");
    return call_and_print(session, "load_model", arguments, error);
}

/* The schema of a tool's arguments, from tools/list. */
static enum status find_schema(struct session *session, const char *name, const json_t **schema,
                               struct error *error)
{
    json_t *tools;
    enum status status = session_tools(session, &tools, error);
    if (status != STATUS_OK)
        return status;
    char names[600] = "";
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *tool = json_array_get(tools, i);
        const char *each = json_string_value(json_object_get(tool, "name"));
        if (each && strcmp(each, name) == 0) {
            *schema = json_object_get(tool, "inputSchema");
            return STATUS_OK;
        }
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", each ? each : "");
    }
    return error_set(error, STATUS_TOOL, "there is no tool '%.200s'. The server has: %s", name, names);
}

static enum status command_call(struct session *session, int count, char **argv, struct error *error)
{
    const char *json = NULL;
    const struct option options[] = {{"args", 'a', OPTION_TEXT, &json}, {NULL, 0, OPTION_FLAG, NULL}};
    enum status status = read_options(session, options, &count, argv, error);
    if (status != STATUS_OK)
        return status;
    if (count == 0)
        return error_set(error, STATUS_USAGE, "call needs the name of a tool; the command tools lists them");
    if (json && count > 1)
        return error_set(error, STATUS_USAGE, "call takes key=value or --args, not both: %s", argv[1]);
    json_t *arguments = NULL;
    if (json) {
        status = arguments_from_json(json, &arguments, error);
    } else {
        const json_t *schema = NULL;
        status = find_schema(session, argv[0], &schema, error);
        if (status == STATUS_OK)
            status = arguments_from_words(schema, count - 1, argv + 1, &arguments, error);
    }
    return status == STATUS_OK ? call_and_print(session, argv[0], arguments, error) : status;
}

static bool is_required(const json_t *schema, const char *key)
{
    const json_t *required = json_object_get(schema, "required");
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *each = json_string_value(json_array_get(required, i));
        if (each && strcmp(each, key) == 0)
            return true;
    }
    return false;
}

static void print_padded(const struct output *output, const char *text, size_t width)
{
    size_t used = output_width(text);
    output_text(output, text, strlen(text));
    output_spaces(output, (used < width ? width - used : 0) + 2);
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
        fputs(is_required(schema, key) ? "required" : "optional", output->file);
        if (description) {
            fputs("  ", output->file);
            output_text(output, description, strlen(description));
        }
        fputc('\n', output->file);
    }
}

static enum status command_tools(struct session *session, int count, char **argv, struct error *error)
{
    const struct output *output = &session->output;
    enum status status = read_options(session, NULL, &count, argv, error);
    if (status == STATUS_OK)
        status = no_operands("tools", count, argv, error);
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

static enum status command_ping(struct session *session, int count, char **argv, struct error *error)
{
    enum status status = read_options(session, NULL, &count, argv, error);
    if (status == STATUS_OK)
        status = no_operands("ping", count, argv, error);
    if (status == STATUS_OK)
        status = session_connect(session, error);
    if (status != STATUS_OK)
        return status;
    json_t *result;
    struct error cause;
    double begin = clock_exact_ms();
    status = client_request(&session->client, "ping", NULL, CLIENT_QUICK, &result, &cause);
    double elapsed = round((clock_exact_ms() - begin) * 1000) / 1000; /* whole microseconds */
    json_decref(result);
    if (status == STATUS_TOOL)
        return error_set(error, STATUS_CONNECTION, "the server refuses a ping: %.900s", cause.text);
    if (status != STATUS_OK) {
        *error = cause;
        return status;
    }
    json_t *answer =
        json_pack("{s:s, s:f}", "endpoint", session->options.endpoint.name, "milliseconds", elapsed);
    if (session->json)
        output_json(&session->output, answer, JSON_PRETTY);
    else
        fprintf(session->output.file, "%s answers after %.3f ms\n", session->options.endpoint.name, elapsed);
    json_decref(answer);
    return STATUS_OK;
}

const struct command commands[] = {
    {"infer", "PROMPT", "ask the model; --max-tokens N, --temperature T, --top-p P, --seed N",
     "--max-tokens --temperature --top-p --seed --json", command_infer},
    {"tools", "", "list the server's tools and their arguments", "--json", command_tools},
    {"call", "NAME key=value...", "call any tool; or --args with a JSON object", "--args --json",
     command_call},
    {"health", "", "how the server is", "--json", command_health},
    {"metadata", "", "which model and which build it is", "--json", command_metadata},
    {"load-model", "PATH", "change to another model; the path is the VM's", "--json", command_load_model},
    {"logs", "", "the server's log; -f follows it, --level LEVEL, --cursor N",
     "--follow --level --cursor --json", command_logs},
    {"ping", "", "whether the server answers, and how fast", "--json", command_ping},
    {NULL, NULL, NULL, NULL, NULL}};

const struct command *command_find(const char *name)
{
    for (const struct command *command = commands; command->name; command++) {
        if (strcmp(command->name, name) == 0)
            return command;
    }
    return NULL;
}

enum status command_run(struct session *session, int count, char **argv, struct error *error)
{
    const struct command *command = command_find(argv[0]);
    if (!command)
        return error_set(error, STATUS_USAGE, "there is no command '%s'", argv[0]);
    if (count == 2 && strcmp(argv[1], "--help") == 0) {
        fprintf(session->output.file, "%s %s\n  %s\n", command->name, command->arguments, command->summary);
        return STATUS_OK;
    }
    return command->run(session, count - 1, argv + 1, error);
}
