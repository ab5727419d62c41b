/* SPDX-License-Identifier: MIT */
#include "arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suggest.h"
#include "transport/buffer.h"

#define JSON_TEXT (JSON_DECODE_ANY | JSON_REJECT_DUPLICATES)
#define TYPES_MAX 16

/* The types that a schema allows, of `type` or of the alternatives of anyOf and oneOf. Returns how many. */
static size_t types_of(const json_t *property, const char *types[TYPES_MAX])
{
    static const char *const keys[] = {"type", "anyOf", "oneOf"};
    size_t count = 0;
    for (size_t k = 0; k < sizeof keys / sizeof *keys && count == 0; k++) {
        const json_t *type = json_object_get(property, keys[k]);
        if (json_is_string(type))
            types[count++] = json_string_value(type);
        for (size_t i = 0; i < json_array_size(type) && count < TYPES_MAX; i++) {
            const json_t *each = json_array_get(type, i);
            types[count++] = json_string_value(json_is_object(each) ? json_object_get(each, "type") : each);
            if (!types[count - 1])
                types[count - 1] = "any";
        }
    }
    return count;
}

const char *argument_type(const json_t *property, char *buffer, size_t size)
{
    const char *types[TYPES_MAX];
    size_t count = types_of(property, types);
    snprintf(buffer, size, "%s", count == 0 ? "any" : "");
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(buffer);
        snprintf(buffer + used, size - used, "%s%s", used ? " or " : "", types[i]);
    }
    return buffer;
}

bool argument_required(const json_t *schema, const char *key)
{
    const json_t *required = json_object_get(schema, "required");
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *each = json_string_value(json_array_get(required, i));
        if (each && strcmp(each, key) == 0)
            return true;
    }
    return false;
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

json_t *argument_value(const json_t *property, const char *text)
{
    const char *types[TYPES_MAX];
    size_t count = types_of(property, types);
    json_t *value = NULL;
    bool is_text = count == 0;
    for (size_t i = 0; i < count && !value; i++) {
        if (strcmp(types[i], "string") == 0)
            is_text = true; /* which fits everything: last */
        else
            value = read_as(types[i], text);
    }
    return !value && is_text ? json_string(text) : value;
}

enum status arguments_read_file(const char *path, char **text, size_t *length, struct error *error)
{
    bool is_input = strcmp(path, "-") == 0;
    FILE *file = is_input ? stdin : fopen(path, "rb");
    struct buffer bytes = {0};
    char part[16384];
    size_t count;
    int result = file ? buffer_add(&bytes, "", 0) : -errno;
    while (result == 0 && (count = fread(part, 1, sizeof part, file)) > 0)
        result = buffer_add(&bytes, part, count);
    if (result == 0 && ferror(file))
        result = errno ? -errno : -EIO;
    if (file && !is_input)
        fclose(file);
    *text = bytes.bytes;
    *length = bytes.length;
    if (result == 0)
        return STATUS_OK;
    buffer_release(&bytes);
    *text = NULL;
    return error_set(error, STATUS_USAGE, "cannot read %s: %s", is_input ? "standard input" : path,
                     strerror(-result));
}

/* One word taken apart. */
struct word {
    char key[256];
    bool is_json;     /* := */
    const char *text; /* behind the '=' or ':=' */
};

static enum status split(const char *word, struct word *parts, struct error *error)
{
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : 0;
    parts->is_json = length > 1 && word[length - 1] == ':';
    length -= parts->is_json ? 1 : 0;
    if (length == 0 || length >= sizeof parts->key) {
        error_set(error, STATUS_USAGE, "'%s' is not key=value", word);
        return STATUS_USAGE;
    }
    memcpy(parts->key, word, length);
    parts->key[length] = '\0';
    parts->text = equals + 1;
    return STATUS_OK;
}

static enum status read_value(const struct word *word, const json_t *property, const char *text,
                              size_t length, json_t **value, struct error *error)
{
    char type[128];
    json_error_t cause;
    if (word->is_json) {
        *value = json_loadb(text, length, JSON_TEXT, &cause);
        return *value ? STATUS_OK
                      : error_set(error, STATUS_USAGE, "%s:= takes JSON: %s (byte %d)", word->key, cause.text,
                                  cause.position);
    }
    json_t *plain = json_stringn(text, length);
    bool is_utf8 = plain != NULL && strlen(text) == length;
    json_decref(plain);
    *value = is_utf8 ? argument_value(property, text) : NULL;
    if (*value)
        return STATUS_OK;
    if (!is_utf8)
        return error_set(error, STATUS_USAGE, "the value of %s is not UTF-8", word->key);
    return error_set(error, STATUS_USAGE, "%s takes a value of type %s, not '%s'", word->key,
                     argument_type(property, type, sizeof type), text);
}

/* A key that the schema does not have, when it has one that is nearly the same. */
static enum status check_key(const json_t *properties, const char *key, struct error *error)
{
    const char *each;
    json_t *property;
    struct suggestion suggestion = {.word = key};
    if (json_object_get(properties, key))
        return STATUS_OK;
    json_object_foreach((json_t *)properties, each, property) suggest_offer(&suggestion, each);
    if (!suggestion.best)
        return STATUS_OK;
    error_set(error, STATUS_USAGE, "there is no argument '%s' (%s:=... sends it as JSON)", key, key);
    suggest_append(&suggestion, error);
    return STATUS_USAGE;
}

static enum status read_word(const json_t *schema, const char *text, json_t *arguments, struct error *error)
{
    const json_t *properties = json_object_get(schema, "properties");
    struct word word;
    char *contents = NULL;
    json_t *value = NULL;
    enum status status = split(text, &word, error);
    if (status != STATUS_OK)
        return status;
    if (json_object_get(arguments, word.key))
        return error_set(error, STATUS_USAGE, "%s is given twice", word.key);
    if (!word.is_json)
        status = check_key(properties, word.key, error);
    size_t length = strlen(word.text);
    const char *from = word.text;
    if (status == STATUS_OK && from[0] == '@' && from[1] == '@') {
        from++;
        length--;
    } else if (status == STATUS_OK && from[0] == '@') {
        status = arguments_read_file(from + 1, &contents, &length, error);
        from = contents ? contents : "";
    }
    if (status == STATUS_OK)
        status = read_value(&word, json_object_get(properties, word.key), from, length, &value, error);
    free(contents);
    if (status == STATUS_OK && json_object_set_new(arguments, word.key, value) < 0)
        status = error_set(error, STATUS_USAGE, "the name before '=' is not UTF-8");
    return status;
}

enum status arguments_from_words(const json_t *schema, int count, char *const *words, json_t **arguments,
                                 struct error *error)
{
    enum status status = STATUS_OK;
    *arguments = json_object();
    for (int i = 0; i < count && status == STATUS_OK; i++)
        status = read_word(schema, words[i], *arguments, error);
    if (status != STATUS_OK) {
        json_decref(*arguments);
        *arguments = NULL;
    }
    return status;
}

enum status arguments_from_json(const char *text, const char *what, json_t **arguments, struct error *error)
{
    json_error_t cause;
    *arguments = json_loads(text, JSON_TEXT, &cause);
    if (!*arguments)
        return error_set(error, STATUS_USAGE, "%s takes a JSON object: %s (byte %d)", what, cause.text,
                         cause.position);
    if (json_is_object(*arguments))
        return STATUS_OK;
    json_decref(*arguments);
    *arguments = NULL;
    return error_set(error, STATUS_USAGE, "%s takes a JSON object, {\"key\": value}, not '%s'", what, text);
}
