/* SPDX-License-Identifier: MIT */
#include "header_arguments.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base64.h"

#define SAFE_INTEGER 9007199254740991 /* of JavaScript, 2^53 - 1 */
#define DEPTH_MAX    64

/* RFC 9110, section 5.6.2. */
static bool is_token(const char *text)
{
    if (text[0] == '\0')
        return false;
    for (; *text; text++) {
        bool is_letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
        if (!is_letter && !(*text >= '0' && *text <= '9') && !strchr("!#$%&'*+-.^_`|~", *text))
            return false;
    }
    return true;
}

static bool is_plain(const char *text)
{
    size_t length = strlen(text);
    if (length > 0 && (strchr(" \t", text[0]) || strchr(" \t", text[length - 1])))
        return false;
    if (strncmp(text, "=?base64?", 9) == 0 && length >= 11 && strcmp(text + length - 2, "?=") == 0)
        return false; /* it would be decoded */
    for (; *text; text++) {
        if ((*text < ' ' && *text != '\t') || *text > '~')
            return false;
    }
    return true;
}

json_t *header_value(const char *text)
{
    if (is_plain(text))
        return json_string(text);
    size_t length = strlen(text);
    char *encoded = malloc(BASE64_SIZE(length));
    if (!encoded)
        return NULL;
    base64_encode(text, length, encoded);
    json_t *value = json_sprintf("=?base64?%s?=", encoded);
    free(encoded);
    return value;
}

static bool is_used(const json_t *headers, const char *name)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)headers, key, value)
    {
        if (strcasecmp(key, name) == 0)
            return true;
    }
    return false;
}

static json_t *text_of(const json_t *value)
{
    if (json_is_string(value))
        return header_value(json_string_value(value));
    if (json_is_boolean(value))
        return json_string(json_is_true(value) ? "true" : "false");
    json_int_t number = json_integer_value(value);
    if (json_is_integer(value) && number <= SAFE_INTEGER && number >= -SAFE_INTEGER)
        return json_sprintf("%lld", (long long)number);
    return NULL; /* absent, null, or what a server refuses anyway */
}

/* The properties of one object, and of the objects in it: those of arrays or alternatives cannot be marked.
 */
static bool collect(const json_t *schema, const json_t *arguments, int depth, json_t *seen, json_t *headers)
{
    const char *key;
    json_t *property;
    json_object_foreach(json_object_get(schema, "properties"), key, property)
    {
        const json_t *mark = json_object_get(property, "x-mcp-header");
        const json_t *value = json_object_get(arguments, key);
        if (mark) {
            char name[256] = "Mcp-Param-";
            const char *type = json_string_value(json_object_get(property, "type"));
            bool is_primitive = type && (strcmp(type, "string") == 0 || strcmp(type, "integer") == 0 ||
                                         strcmp(type, "boolean") == 0);
            if (!json_is_string(mark) || !is_token(json_string_value(mark)) || !is_primitive ||
                json_string_length(mark) > sizeof name - strlen(name) - 1)
                return false;
            strncat(name, json_string_value(mark), sizeof name - strlen(name) - 1);
            if (is_used(seen, name))
                return false;
            json_object_set_new(seen, name, json_null());
            json_t *text = text_of(value);
            if (text)
                json_object_set_new(headers, name, text);
        }
        if (depth < DEPTH_MAX && !collect(property, value, depth + 1, seen, headers))
            return false;
    }
    return true;
}

enum status header_arguments(const json_t *schema, const json_t *arguments, json_t **headers,
                             struct error *error)
{
    json_t *seen = json_object();
    *headers = json_object();
    bool is_right = collect(schema, arguments, 0, seen, *headers);
    json_decref(seen);
    if (is_right)
        return STATUS_OK;
    json_decref(*headers);
    *headers = NULL;
    return error_set(error, STATUS_TOOL,
                     "the tool's schema has an x-mcp-header that the protocol does not allow: "
                     "the tool cannot be called over HTTP");
}
