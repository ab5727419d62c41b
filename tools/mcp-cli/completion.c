/* SPDX-License-Identifier: MIT */
#include "completion.h"

#include <stdbool.h>
#include <string.h>

#include "commands.h"

/* Names are typed without quotes, and shown on a terminal. */
static bool is_plain(const char *name)
{
    if (name[0] == '\0')
        return false;
    for (; *name; name++) {
        if (*name <= ' ' || *name > '~' || strchr("\\'\"=", *name))
            return false;
    }
    return true;
}

static void offer(json_t *words, const char *stem, const char *name, const char *suffix)
{
    if (is_plain(name) && strncmp(name, stem, strlen(stem)) == 0)
        json_array_append_new(words, json_sprintf("%s%s", name, suffix));
}

/* The `index`-th word of the line, copied. */
static bool word_at(const char *line, size_t index, char *word, size_t size)
{
    for (;; index--) {
        line += strspn(line, " \t");
        size_t length = strcspn(line, " \t");
        if (index == 0) {
            bool fits = length < size;
            memcpy(word, line, fits ? length : 0);
            word[fits ? length : 0] = '\0';
            return fits && length > 0;
        }
        line += length;
    }
}

static void offer_commands(json_t *words, const char *stem)
{
    for (const struct command *command = commands; command->name; command++)
        offer(words, stem, command->name, " ");
    offer(words, stem, "help", " ");
    offer(words, stem, "quit", " ");
}

static void offer_options(json_t *words, const char *stem, const char *name)
{
    const struct command *command = command_find(name);
    char option[64];
    for (size_t i = 0; command && word_at(command->options, i, option, sizeof option); i++)
        offer(words, stem, option, " ");
}

static const json_t *find_tool(const json_t *tools, const char *name)
{
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const char *each = json_string_value(json_object_get(json_array_get(tools, i), "name"));
        if (each && strcmp(each, name) == 0)
            return json_array_get(tools, i);
    }
    return NULL;
}

static void offer_tools(json_t *words, const char *stem, const json_t *tools)
{
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(tools, i), "name"));
        if (name)
            offer(words, stem, name, " ");
    }
}

static void offer_keys(json_t *words, const char *stem, const json_t *tool)
{
    const char *key;
    json_t *property;
    json_t *properties = json_object_get(json_object_get(tool, "inputSchema"), "properties");
    json_object_foreach(properties, key, property) offer(words, stem, key, "=");
}

json_t *completion_find(struct session *session, const char *line, size_t *stem_length)
{
    json_t *words = json_array();
    size_t index = 0;
    const char *stem = line + strspn(line, " \t");
    for (const char *end = stem + strcspn(stem, " \t"); *end; end = stem + strcspn(stem, " \t")) {
        stem = end + strspn(end, " \t");
        index++;
    }
    *stem_length = strlen(stem);

    char command[64] = "";
    char tool[128] = "";
    word_at(line, 0, command, sizeof command);
    if (index == 0) {
        offer_commands(words, stem);
    } else if (stem[0] == '-') {
        offer_options(words, stem, command);
    } else if (strcmp(command, "call") == 0) {
        struct error ignored; /* without a server there is nothing to offer */
        json_t *tools = NULL;
        session_tools(session, &tools, &ignored);
        if (index == 1)
            offer_tools(words, stem, tools);
        else if (word_at(line, 1, tool, sizeof tool))
            offer_keys(words, stem, find_tool(tools, tool));
    }
    return words;
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
