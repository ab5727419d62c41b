/* SPDX-License-Identifier: MIT */
#include "completion.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "commands.h"
#include "line.h"

/* Names are typed without quotes, and shown on a terminal. */
static bool is_plain(const char *name)
{
    if (name[0] == '\0')
        return false;
    for (; *name; name++) {
        if (*name <= ' ' || *name > '~' || strchr("\\'\"`$;&|<>()*?", *name))
            return false;
    }
    return true;
}

void completion_offer(json_t *words, const char *stem, const char *name, const char *suffix)
{
    if (name && is_plain(name) && strncmp(name, stem, strlen(stem)) == 0)
        json_array_append_new(words, json_sprintf("%s%s", name, suffix));
}

void completion_offer_all(json_t *words, const char *stem, const char *names)
{
    while (*names) {
        char name[64];
        size_t length = strcspn(names, " ");
        snprintf(name, sizeof name, "%.*s", (int)length, names);
        completion_offer(words, stem, name, " ");
        names += length;
        names += strspn(names, " ");
    }
}

/* KEY=VALUE, which begins with the stem as a whole. */
static void offer_value(json_t *words, const char *stem, const char *key, const char *value)
{
    char word[1024];
    int length = value ? snprintf(word, sizeof word, "%s=%s", key, value) : -1;
    if (length > 0 && (size_t)length < sizeof word)
        completion_offer(words, stem, word, " ");
}

/* The members `key` of a list of objects. */
static void offer_members(json_t *words, const char *stem, const json_t *list, const char *key,
                          const char *suffix)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        completion_offer(words, stem, json_string_value(json_object_get(json_array_get(list, i), key)),
                         suffix);
}

static const json_t *find_named(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *each = json_string_value(json_object_get(json_array_get(list, i), "name"));
        if (each && strcmp(each, name) == 0)
            return json_array_get(list, i);
    }
    return NULL;
}

/* The key of a stem "key=..."; false: there is no '=' yet. */
static bool split_stem(const char *stem, char *key, size_t size)
{
    size_t length = strcspn(stem, "=");
    if (stem[length] != '=' || length >= size)
        return false;
    memcpy(key, stem, length);
    key[length] = '\0';
    return true;
}

static void offer_tool_arguments(json_t *words, const char *stem, const json_t *tool)
{
    const char *name;
    json_t *property;
    char key[256];
    char type[128];
    json_t *properties = json_object_get(json_object_get(tool, "inputSchema"), "properties");
    if (!split_stem(stem, key, sizeof key)) {
        json_object_foreach(properties, name, property) completion_offer(words, stem, name, "=");
        return;
    }
    property = json_object_get(properties, key);
    const json_t *values = json_object_get(property, "enum");
    for (size_t i = 0; i < json_array_size(values); i++)
        offer_value(words, stem, key, json_string_value(json_array_get(values, i)));
    if (strcmp(argument_type(property, type, sizeof type), "boolean") == 0) {
        offer_value(words, stem, key, "true");
        offer_value(words, stem, key, "false");
    }
}

/* What the server suggests for an argument of a prompt or a template. */
static void ask_server(struct session *session, const char *kind, const char *member, const char *name,
                       const char *key, const char *value, json_t **values)
{
    struct error ignored;
    json_t *result = NULL;
    json_t *params = json_pack("{s:{s:s, s:s}, s:{s:s, s:s}}", "ref", "type", kind, member, name, "argument",
                               "name", key, "value", value);
    if (!params || !json_object_get(json_object_get(session->client.server, "capabilities"), "completions"))
        json_decref(params);
    else
        session_request(session, "completion/complete", "completion", params, &result, &ignored);
    *values = json_incref(json_object_get(json_object_get(result, "completion"), "values"));
    json_decref(result);
}

static void offer_prompt_arguments(struct session *session, json_t *words, const char *stem,
                                   const json_t *prompts, const char *name)
{
    char key[256];
    json_t *values = NULL;
    if (!split_stem(stem, key, sizeof key)) {
        offer_members(words, stem, json_object_get(find_named(prompts, name), "arguments"), "name", "=");
        return;
    }
    ask_server(session, "ref/prompt", "name", name, key, strchr(stem, '=') + 1, &values);
    for (size_t i = 0; i < json_array_size(values); i++)
        offer_value(words, stem, key, json_string_value(json_array_get(values, i)));
    json_decref(values);
}

/* Of a template with one variable at its end, the values; of others what stands before the first. */
static void offer_template(struct session *session, json_t *words, const char *stem, const char *template)
{
    char text[512];
    char key[128];
    json_t *values = NULL;
    size_t literal = strcspn(template, "{");
    const char *name = template + literal + strspn(template + literal, "{+#./;?&");
    size_t length = strcspn(name, "}");
    if (literal >= sizeof text || length >= sizeof key)
        return;
    snprintf(text, sizeof text, "%.*s", (int)literal, template);
    if (strncmp(stem, text, literal) != 0 || strcmp(name + length, "}") != 0) {
        completion_offer(words, stem, text, "");
        return;
    }
    snprintf(key, sizeof key, "%.*s", (int)length, name);
    ask_server(session, "ref/resource", "uri", template, key, stem + literal, &values);
    for (size_t i = 0; i < json_array_size(values); i++) {
        const char *value = json_string_value(json_array_get(values, i));
        int size = value ? snprintf(text + literal, sizeof text - literal, "%s", value) : -1;
        if (size > 0 && (size_t)size < sizeof text - literal)
            completion_offer(words, stem, text, " ");
    }
    if (json_array_size(values) == 0)
        completion_offer(words, stem, text, "");
    json_decref(values);
}

static json_t *list(struct session *session, const char *method, const char *member)
{
    struct error ignored; /* without a server there is nothing to offer */
    json_t *all = NULL;
    session_list(session, method, member, &all, &ignored);
    return all;
}

static void offer_resources(struct session *session, json_t *words, const char *stem, bool templates)
{
    json_t *resources = list(session, "resources/list", "resources");
    offer_members(words, stem, resources, "uri", " ");
    json_decref(resources);
    json_t *patterns = templates ? list(session, "resources/templates/list", "resourceTemplates") : NULL;
    for (size_t i = 0; i < json_array_size(patterns); i++) {
        const char *each = json_string_value(json_object_get(json_array_get(patterns, i), "uriTemplate"));
        if (each)
            offer_template(session, words, stem, each);
    }
    json_decref(patterns);
}

/* `index` words of the command stand before this one; `first` is the first of them. */
static void offer_words(struct session *session, json_t *words, const char *stem, enum command_words kind,
                        int index, const char *first)
{
    struct error ignored;
    json_t *tools = NULL;
    json_t *prompts = NULL;
    switch (kind) {
    case WORDS_NONE:
        break;
    case WORDS_TOOL:
        session_tools(session, &tools, &ignored);
        if (index == 0)
            offer_members(words, stem, tools, "name", " ");
        else
            offer_tool_arguments(words, stem, session_find_tool(tools, first));
        break;
    case WORDS_PROMPT:
    case WORDS_COMPLETE:
        prompts = list(session, "prompts/list", "prompts");
        if (index == 0)
            offer_members(words, stem, prompts, "name", " ");
        else
            offer_prompt_arguments(session, words, stem, prompts, first);
        json_decref(prompts);
        break;
    case WORDS_RESOURCE:
    case WORDS_SUBSCRIBE:
        if (index == 0 || kind == WORDS_SUBSCRIBE)
            offer_resources(session, words, stem, kind == WORDS_RESOURCE);
        break;
    case WORDS_SHELL:
        completion_offer_all(words, stem, index == 0 ? "bash zsh fish" : "");
        break;
    }
}

json_t *completion_words(struct session *session, int count, char *const *words, const char *stem)
{
    json_t *offers = json_array();
    if (count == 0) {
        for (const struct command *command = commands; command->name; command++)
            completion_offer(offers, stem, command->name, " ");
        return offers;
    }
    const struct command *command = command_find(words[0]);
    if (command && stem[0] == '-')
        completion_offer_all(offers, stem, command->options);
    else if (command)
        offer_words(session, offers, stem, command->words, count - 1, count > 1 ? words[1] : "");
    return offers;
}

json_t *completion_find(struct session *session, const char *line, size_t *stem_length)
{
    char *words[LINE_WORDS_MAX] = {NULL};
    int count = 0;
    const char *stem = line + strspn(line, " \t");
    char *copy = strdup(stem);
    *stem_length = 0;
    if (!copy)
        return json_array();
    char *next = copy;
    for (size_t length = strcspn(next, " \t"); next[length] != '\0' && count < LINE_WORDS_MAX;
         length = strcspn(next, " \t")) {
        words[count++] = next;
        next[length] = '\0';
        next += length + 1;
        next += strspn(next, " \t");
    }
    *stem_length = strlen(next);
    json_t *offers = completion_words(session, count, words, next);
    if (count == 0) { /* of the prompt alone */
        completion_offer(offers, next, "help", " ");
        completion_offer(offers, next, "quit", " ");
    }
    free(copy);
    return offers;
}

size_t completion_common(const json_t *words)
{
    const char *first = json_string_value(json_array_get(words, 0));
    size_t common = first ? strlen(first) : 0;
    for (size_t i = 1; i < json_array_size(words); i++) {
        const char *each = json_string_value(json_array_get(words, i));
        size_t length = 0;
        while (length < common && each[length] == first[length])
            length++;
        common = length;
    }
    return common;
}
