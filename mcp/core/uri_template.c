/* SPDX-License-Identifier: MIT
 *
 * Matching URIs against templates. RFC 6570 says how a template expands and leaves matching open: here a
 * variable ends where the literal behind it first comes, and the last literal must be the end of the URI.
 */
#include "uri_template.h"

#include <string.h>

#include "json_scan.h"

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

/* Literal text, and the expression behind it. */
struct part {
    const char *literal;
    size_t literal_length;
    const char *name; /* NULL: no expression, the template ends */
    size_t name_length;
    bool reserved; /* {+name} */
};

/* How far it is to one of the (at most two) characters, or to the end. */
static size_t length_to(const char *text, char a, char b)
{
    size_t length = 0;

    while (text[length] != '\0' && text[length] != a && text[length] != b)
        length++;
    return length;
}

static bool begins_with(const char *text, const char *literal, size_t length)
{
    size_t i = 0;

    while (i < length && text[i] == literal[i]) /* the end of the text is no character of the literal */
        i++;
    return i == length;
}

/* Returns what follows, or NULL when the template is wrong here. */
static const char *next_part(const char *text, struct part *part)
{
    *part = (struct part){.literal = text, .literal_length = length_to(text, '{', '}')};
    text += part->literal_length;
    if (*text == '\0')
        return text;
    if (*text++ == '}')
        return NULL;
    part->reserved = *text == '+';
    if (part->reserved)
        text++;
    part->name = text;
    part->name_length = strspn(text, NAME_CHARACTERS);
    text += part->name_length;
    return part->name_length > 0 && *text == '}' ? text + 1 : NULL;
}

bool uri_is_template(const char *uri)
{
    return uri[length_to(uri, '{', '}')] != '\0';
}

bool uri_template_is_valid(const char *text)
{
    struct part part;
    size_t variables = 0;

    do {
        text = next_part(text, &part);
        if (text == NULL || part.name_length > URI_VARIABLE_NAME_MAX ||
            (variables > 0 && part.name != NULL && part.literal_length == 0))
            return false;
        if (part.name != NULL)
            variables++;
    } while (part.name != NULL);
    return variables > 0 && variables <= URI_TEMPLATE_VARIABLES;
}

static void copy_name(char name[URI_VARIABLE_NAME_MAX + 1], const struct part *part)
{
    memcpy(name, part->name, part->name_length);
    name[part->name_length] = '\0';
}

bool uri_template_has_variable(const char *text, struct mcp_json name)
{
    struct part part;
    char copy[URI_VARIABLE_NAME_MAX + 1];

    for (text = next_part(text, &part); text != NULL && part.name != NULL; text = next_part(text, &part)) {
        copy_name(copy, &part);
        if (mcp_json_equals(name, copy))
            return true;
    }
    return false;
}

/* How far the value of a variable reaches that begins at `uri`: to the literal behind it, which is the end of
 * the URI where the template ends. -1: nowhere. */
static ptrdiff_t value_length(const char *uri, const struct part *variable, const struct part *next)
{
    size_t limit = variable->reserved ? strlen(uri) : length_to(uri, '/', '/');
    bool last = next->name == NULL;
    size_t literal = next->literal_length;

    if (last) {
        size_t length = strlen(uri);

        if (length < literal || memcmp(uri + length - literal, next->literal, literal) != 0)
            return -1;
        length -= literal;
        return length <= limit ? (ptrdiff_t)length : -1;
    }
    for (size_t at = 0; at <= limit; at++)
        if (begins_with(uri + at, next->literal, literal))
            return (ptrdiff_t)at;
    return -1;
}

int uri_template_match(const char *text, const char *uri,
                       struct uri_variable variables[URI_TEMPLATE_VARIABLES])
{
    struct part part, next;
    int count = 0;

    text = next_part(text, &part);
    if (text == NULL || !begins_with(uri, part.literal, part.literal_length))
        return -1;
    uri += part.literal_length;
    for (; part.name != NULL; part = next) {
        ptrdiff_t length;

        text = next_part(text, &next);
        length = text != NULL ? value_length(uri, &part, &next) : -1;
        if (length <= 0) /* a variable without a value names nothing */
            return -1;
        copy_name(variables[count].name, &part);
        variables[count].value = uri;
        variables[count].length = (size_t)length;
        count++;
        uri += (size_t)length + next.literal_length;
    }
    return count;
}

size_t uri_decode(char *text, size_t length)
{
    size_t to = 0;

    for (size_t at = 0; at < length; at++) {
        int high = text[at] == '%' && length - at > 2 ? json_hex_digit(text[at + 1]) : -1;
        int low = high >= 0 ? json_hex_digit(text[at + 2]) : -1;

        if (low >= 0) {
            text[to++] = (char)(high << 4 | low);
            at += 2;
        } else {
            text[to++] = text[at];
        }
    }
    return to;
}
