/* SPDX-License-Identifier: MIT
 *
 * The tools of the kernel, as commands of their own.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"

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

/* The text of an answer, as far as it was not shown while it came. */
static void print_rest(struct session *session, const char *text, size_t length)
{
    struct buffer *shown = &session->streamed;
    if (shown->length > 0 && shown->length <= length && memcmp(shown->bytes, text, shown->length) == 0) {
        text += shown->length;
        length -= shown->length;
        if (length == 0 && shown->bytes[shown->length - 1] == '\n')
            text = NULL; /* the end of the line is there, too */
    } else if (shown->length > 0) {
        fputc('\n', session->output.file); /* it was about the answer: the answer follows */
    }
    if (text)
        output_line(&session->output, text, length);
    shown->length = 0;
}

enum status command_infer(struct session *session, int count, char **argv, struct error *error)
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
    enum status status = command_options(session, options, &count, argv, error);
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
    session->streams = !session->json && session->output.is_terminal;
    session->streamed.length = 0;
    status = session_call(session, "infer", arguments, &result, error);
    session->streams = false;
    if (status != STATUS_OK && session->streamed.length > 0)
        fputc('\n', session->output.file); /* what follows is no more of it */
    const json_t *text = json_object_get(json_object_get(result, "structuredContent"), "text");
    if (status == STATUS_OK && !session->json && json_is_string(text))
        print_rest(session, json_string_value(text), json_string_length(text));
    else if (status == STATUS_OK || (result && session->json))
        print_result(session, result);
    json_decref(result);
    return status;
}

/* A tool without arguments, or with one text. */
static enum status run_simple(struct session *session, const char *tool, int count, char **argv,
                              struct error *error)
{
    enum status status = command_no_operands(session, tool, count, argv, error);
    return status == STATUS_OK ? call_and_print(session, tool, json_object(), error) : status;
}

enum status command_health(struct session *session, int count, char **argv, struct error *error)
{
    return run_simple(session, "health", count, argv, error);
}

enum status command_metadata(struct session *session, int count, char **argv, struct error *error)
{
    return run_simple(session, "metadata", count, argv, error);
}

enum status command_load_model(struct session *session, int count, char **argv, struct error *error)
{
    enum status status = command_options(session, NULL, &count, argv, error);
    if (status != STATUS_OK)
        return status;
    if (count != 1)
        return error_set(error, STATUS_USAGE, "load-model needs the path of one model, as the VM sees it");
    json_t *arguments = json_pack("{s:s}", "path", argv[0]);
    if (!arguments)
        return error_set(error, STATUS_USAGE, "the path is not UTF-8");
    return call_and_print(session, "load_model", arguments, error);
}
