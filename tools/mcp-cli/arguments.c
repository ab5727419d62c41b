/* SPDX-License-Identifier: MIT */
#include "arguments.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define JSON_TEXT (JSON_DECODE_ANY | JSON_REJECT_DUPLICATES)

const char *argument_type(const json_t *property, char *buffer, size_t size)
{
    const json_t *type = json_object_get(property, "type");
    snprintf(buffer, size, "%s", json_is_string(type) ? json_string_value(type) : "");
    for (size_t i = 0; i < json_array_size(type); i++) {
        const char *each = json_string_value(json_array_get(type, i));
        size_t used = strlen(buffer);
        snprintf(buffer + used, size - used, "%s%s", used ? " or " : "", each ? each : "any");
    }
    if (buffer[0] == '\0')
        snprintf(buffer, size, "any");
    return buffer;
}

/* The value as `type`, or NULL when it does not fit. */
static json_t *read_as(const char *type, const char *text)
{
    if (strcmp(type, "string") == 0)
        return json_string(text);
    json_t *value = json_loads(text, JSON_TEXT, NULL);
    bool fits = false;
    if (strcmp(type, "integer") == 0)
        fits = json_is_integer(value);
    else if (strcmp(type, "number") == 0)
        fits = json_is_number(value);
    else if (strcmp(type, "boolean") == 0)
        fits = json_is_boolean(value);
    else if (strcmp(type, "array") == 0)
        fits = json_is_array(value);
    else if (strcmp(type, "object") == 0)
        fits = json_is_object(value);
    else if (strcmp(type, "null") == 0)
        fits = json_is_null(value);
    if (fits)
        return value;
    json_decref(value);
    return NULL;
}

static json_t *read_value(const json_t *type, const char *text)
{
    if (json_is_string(type))
        return read_as(json_string_value(type), text);
    if (json_array_size(type) == 0)
        return json_string(text);
    json_t *value = NULL;
    bool is_text = false;
    for (size_t i = 0; i < json_array_size(type) && !value; i++) {
        const char *each = json_string_value(json_array_get(type, i));
        if (each && strcmp(each, "string") == 0)
            is_text = true; /* which fits everything: last */
        else if (each)
            value = read_as(each, text);
    }
    return !value && is_text ? json_string(text) : value;
}

enum status arguments_from_words(const json_t *schema, int count, char *const *words, json_t **arguments,
                                 struct error *error)
{
    const json_t *properties = json_object_get(schema, "properties");
    *arguments = json_object();
    for (int i = 0; i < count; i++) {
        enum status status = STATUS_OK;
        const char *equals = strchr(words[i], '=');
        size_t length = equals ? (size_t)(equals - words[i]) : 0;
        char key[256];
        char type[128];
        if (length == 0 || length >= sizeof key) {
            status = error_set(error, STATUS_USAGE, "'%s' is not key=value", words[i]);
            goto failed;
        }
        memcpy(key, words[i], length);
        key[length] = '\0';
        if (json_object_get(*arguments, key)) {
            status = error_set(error, STATUS_USAGE, "%s is given twice", key);
            goto failed;
        }
        const json_t *property = json_object_get(properties, key);
        json_t *text = json_string(equals + 1);
        bool is_utf8 = text != NULL;
        json_decref(text);
        json_t *value = is_utf8 ? read_value(json_object_get(property, "type"), equals + 1) : NULL;
        if (!value) {
            status = is_utf8 ? error_set(error, STATUS_USAGE, "%s takes a value of type %s, not '%s'", key,
                                         argument_type(property, type, sizeof type), equals + 1)
                             : error_set(error, STATUS_USAGE, "the value of %s is not UTF-8", key);
            goto failed;
        }
        if (json_object_set_new(*arguments, key, value) < 0) {
            status = error_set(error, STATUS_USAGE, "the name before '=' is not UTF-8");
            goto failed;
        }
        continue;
    failed:
        json_decref(*arguments);
        *arguments = NULL;
        return status;
    }
    return STATUS_OK;
}

enum status arguments_from_json(const char *text, json_t **arguments, struct error *error)
{
    json_error_t cause;
    *arguments = json_loads(text, JSON_TEXT, &cause);
    if (!*arguments)
        return error_set(error, STATUS_USAGE, "--args takes a JSON object: %s (byte %d)", cause.text,
                         cause.position);
    if (json_is_object(*arguments))
        return STATUS_OK;
    json_decref(*arguments);
    *arguments = NULL;
    return error_set(error, STATUS_USAGE, "--args takes a JSON object, {\"key\": value}, not '%s'", text);
}
