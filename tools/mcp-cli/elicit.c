/* SPDX-License-Identifier: MIT */
#include "elicit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "connection.h"
#include "platform.h"

bool elicit_possible(const struct output *output)
{
    return output->is_terminal && isatty(STDIN_FILENO) == 1;
}

static void say(const struct output *output, const char *text)
{
    output_text(output, text, strlen(text));
}

/* A line without its end; NULL at the end of the input. */
static char *read_answer(const struct output *output)
{
    char *text = NULL;
    size_t size = 0;
    fflush(output->file);
    ssize_t length = platform_ask_line(&text, &size);
    if (length < 0) {
        fputc('\n', output->file);
        free(text);
        return NULL;
    }
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        text[--length] = '\0';
    return text;
}

/* The values that a schema allows, as its enum or as the consts of its oneOf or anyOf. */
static json_t *choices_of(const json_t *schema)
{
    const json_t *list = json_object_get(schema, "enum");
    json_t *choices = json_array();
    if (json_is_array(list))
        json_array_extend(choices, (json_t *)list);
    list = json_object_get(schema, "oneOf");
    if (!list)
        list = json_object_get(schema, "anyOf");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *value = json_object_get(json_array_get(list, i), "const");
        if (value)
            json_array_append(choices, value);
    }
    return choices;
}

static void say_choices(const struct output *output, const json_t *choices)
{
    for (size_t i = 0; i < json_array_size(choices); i++) {
        const char *choice = json_string_value(json_array_get(choices, i));
        say(output, i ? ", " : " (");
        say(output, choice ? choice : "?");
    }
    say(output, json_array_size(choices) ? ")" : "");
}

static bool is_choice(const json_t *choices, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(choices); i++) {
        if (json_equal(json_array_get(choices, i), value))
            return true;
    }
    return json_array_size(choices) == 0;
}

/* Several choices, between commas. */
static json_t *read_several(char *text, const json_t *choices)
{
    json_t *values = json_array();
    for (char *next = strtok(text, ","); next; next = strtok(NULL, ",")) {
        next += strspn(next, " \t");
        size_t length = strlen(next);
        while (length > 0 && strchr(" \t", next[length - 1]))
            next[--length] = '\0';
        json_t *value = json_string(next);
        if (!value || !is_choice(choices, value)) {
            json_decref(value);
            json_decref(values);
            return NULL;
        }
        json_array_append_new(values, value);
    }
    return values;
}

static json_t *read_value(const json_t *schema, const json_t *choices, char *text)
{
    const char *type = json_string_value(json_object_get(schema, "type"));
    if (type && strcmp(type, "boolean") == 0) {
        if (strchr("yYtT", text[0]))
            return json_true();
        return strchr("nNfF", text[0]) ? json_false() : NULL;
    }
    if (type && strcmp(type, "array") == 0)
        return read_several(text, choices);
    json_t *value = argument_value(schema, text);
    if (value && !is_choice(choices, value)) {
        json_decref(value);
        value = NULL;
    }
    return value;
}

/* Asks until the answer fits. *value is NULL when none is given. Returns false at the end of the input. */
static bool ask_property(const struct output *output, const char *key, const json_t *schema, bool needed,
                         json_t **value)
{
    const char *title = json_string_value(json_object_get(schema, "title"));
    const char *description = json_string_value(json_object_get(schema, "description"));
    json_t *standard = json_object_get(schema, "default");
    const json_t *items = json_object_get(schema, "items");
    json_t *choices = choices_of(items ? items : schema);
    char type[128];
    bool answered = false;
    *value = NULL;
    for (;;) {
        say(output, title ? title : key);
        if (description) {
            say(output, ", ");
            say(output, description);
        }
        if (json_array_size(choices)) {
            say_choices(output, choices);
        } else {
            say(output, " (");
            say(output, argument_type(schema, type, sizeof type));
            say(output, ")");
        }
        if (standard) {
            char *text = json_dumps(standard, JSON_ENCODE_ANY);
            say(output, " [");
            say(output, text ? text : "");
            say(output, "]");
            free(text);
        }
        say(output, needed && !standard ? ": " : ", or nothing: ");
        char *text = read_answer(output);
        if (!text)
            break;
        answered = true;
        if (text[0] != '\0')
            *value = read_value(schema, choices, text);
        else
            *value = json_incref(standard);
        bool is_wrong = !*value && (text[0] != '\0' || needed);
        free(text);
        if (!is_wrong)
            break;
        answered = false;
        say(output, "That does not fit.\n");
    }
    json_decref(choices);
    return answered;
}

/* 1 yes, 0 no, -1 the end of the input. */
static int ask_whether(const struct output *output, const char *question)
{
    say(output, question);
    char *text = read_answer(output);
    int answer = text ? strchr("yY", text[0]) != NULL && text[0] != '\0' : -1;
    free(text);
    return answer;
}

static json_t *ask_form(const struct output *output, const json_t *schema)
{
    const char *key;
    json_t *property;
    json_t *content = json_object();
    json_object_foreach(json_object_get(schema, "properties"), key, property)
    {
        json_t *value;
        if (!ask_property(output, key, property, argument_required(schema, key), &value)) {
            json_decref(content);
            return NULL;
        }
        if (value)
            json_object_set_new(content, key, value);
    }
    return json_pack("{s:s, s:o}", "action", "accept", "content", content);
}

json_t *elicit(const struct output *output, const json_t *params)
{
    const char *message = json_string_value(json_object_get(params, "message"));
    const char *mode = json_string_value(json_object_get(params, "mode"));
    const char *url = json_string_value(json_object_get(params, "url"));
    output_coloured(output, COLOUR_STRONG, "The server asks: ");
    output_line(output, message ? message : "", message ? strlen(message) : 0);
    bool by_url = mode && strcmp(mode, "url") == 0;
    if (by_url && url) {
        say(output, "It wants you to open ");
        output_line(output, url, strlen(url));
    }
    int answer = ask_whether(output, by_url ? "Have you opened it? [y/N] " : "Answer it? [y/N] ");
    if (answer < 0)
        return NULL;
    if (answer == 0)
        return json_pack("{s:s}", "action", "decline");
    return by_url ? json_pack("{s:s}", "action", "accept")
                  : ask_form(output, json_object_get(params, "requestedSchema"));
}
