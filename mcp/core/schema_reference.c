/* SPDX-License-Identifier: MIT
 *
 * References inside a schema (JSON Schema 2020-12, Core section 8.2): where they lead, and that they do not
 * lead round in a circle.
 */
#include "schema_private.h"

#include <string.h>

#include "json_private.h"
#include "json_scan.h"

/* Schemas that can be applied to one value, one because of the other ($ref, allOf, ...). Also finds those
 * that would go on for ever. */
#define HEIGHT_MAX 32

#define REFERENCE_MAX 256

static bool decode_percent(char *text)
{
    char *to = text;

    for (; *text != '\0'; text++) {
        if (*text == '%') {
            int high = json_hex_digit(text[1]);
            int low = high < 0 ? -1 : json_hex_digit(text[2]);

            if (low < 0 || high + low == 0)
                return false;
            *to++ = (char)(high * 16 + low);
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
    return true;
}

/* RFC 6901, section 4: ~1 is /, ~0 is ~. */
static bool decode_tilde(char *text)
{
    char *to = text;

    for (; *text != '\0'; text++) {
        char c = *text;

        if (c == '~') {
            c = *++text;
            if (c != '0' && c != '1')
                return false;
            c = c == '0' ? '~' : '/';
        }
        *to++ = c;
    }
    *to = '\0';
    return true;
}

static struct mcp_json item_named(struct mcp_json array, const char *name)
{
    struct mcp_json item = mcp_json_first(array);
    char index[JSON_DOUBLE_MAX + 1];

    for (uint64_t i = 0; mcp_json_type(item) != MCP_JSON_NONE; i++, item = mcp_json_next(item)) {
        index[json_uint_to_text(i, index)] = '\0';
        if (strcmp(name, index) == 0)
            break;
    }
    return item;
}

/* RFC 6901, section 3. `pointer` is empty or begins with a slash, and is used up. */
static struct mcp_json follow_pointer(struct mcp_json value, char *pointer)
{
    while (*pointer != '\0') {
        char *part = pointer + 1;
        char *end = strchr(part, '/');

        pointer = end != NULL ? end : part + strlen(part);
        if (end != NULL)
            *end = '\0';
        if (!decode_tilde(part))
            return (struct mcp_json){0};
        value =
            mcp_json_type(value) == MCP_JSON_ARRAY ? item_named(value, part) : mcp_json_member(value, part);
        if (end != NULL)
            *end = '/';
    }
    return value;
}

static struct mcp_json find_anchor(const struct schema *schema, const char *name)
{
    for (uint32_t token = 1; token < schema->count; token++)
        if (schema_keyword_of(schema, schema_token(schema, token)) == KEYWORD_ANCHOR &&
            mcp_json_equals(schema_token(schema, token), name))
            return schema_token(schema, schema->notes[token - 1].link);
    return (struct mcp_json){0};
}

static int compile_reference(const struct compilation *compilation, struct mcp_json reference)
{
    struct schema *schema = compilation->schema;
    struct mcp_json target;
    char text[REFERENCE_MAX];
    int64_t length = mcp_json_get_string(reference, text, sizeof(text));

    if (length < 0)
        return schema_refuse(compilation, reference, "the reference is too long");
    if (text[0] != '#')
        return schema_refuse(compilation, reference,
                             "only references inside the document (#...) are supported");
    if (strlen(text) != (size_t)length || !decode_percent(text))
        return schema_refuse(compilation, reference, "not a valid reference");
    if (text[1] == '\0' || text[1] == '/')
        target = follow_pointer(schema_root(schema), text + 1);
    else
        target = find_anchor(schema, text + 1);
    if (mcp_json_type(target) == MCP_JSON_NONE || schema->notes[target.token].height == 0)
        return schema_refuse(compilation, reference, "leads to no schema of this document");
    schema->notes[reference.token - 1].link = target.token;
    return 0;
}

/* ---- nothing goes on for ever ---- */

static void raise_height(const struct schema *schema, uint8_t *height, struct mcp_json inner)
{
    if (schema->notes[inner.token].height >= *height)
        *height = (uint8_t)(schema->notes[inner.token].height + 1);
}

static uint8_t height_of(const struct schema *schema, struct mcp_json object)
{
    uint8_t height = 1;

    for (EACH(operand, object)) {
        switch (schema_keyword_of(schema, operand)) {
        case KEYWORD_REF:
            raise_height(schema, &height, schema_token(schema, schema->notes[operand.token - 1].link));
            break;
        case KEYWORD_NOT:
        case KEYWORD_IF:
        case KEYWORD_THEN:
        case KEYWORD_ELSE:
            raise_height(schema, &height, operand);
            break;
        case KEYWORD_ALL_OF:
        case KEYWORD_ANY_OF:
        case KEYWORD_ONE_OF:
        case KEYWORD_DEPENDENT_SCHEMAS:
            for (EACH(each, operand))
                raise_height(schema, &height, each);
            break;
        default:
            break;
        }
    }
    return height;
}

/* The height of a schema is one more than the greatest of those that it leads to. Repeated until nothing
 * changes; on a circle, and above it, the heights grow until they are too great. */
static int compile_heights(const struct compilation *compilation)
{
    struct schema *schema = compilation->schema;
    uint32_t worst = UINT32_MAX; /* of those that are too high the last, which is the one deepest inside */
    bool changed = true;

    while (changed) {
        changed = false;
        for (uint32_t token = schema->count; token-- > 0;) {
            struct note *note = &schema->notes[token];
            uint8_t height;

            if (note->height == 0 || note->height > HEIGHT_MAX)
                continue;
            height = height_of(schema, schema_token(schema, token));
            changed = changed || height != note->height;
            note->height = height;
            if (height > HEIGHT_MAX && (worst == UINT32_MAX || token > worst))
                worst = token;
        }
    }
    if (worst == UINT32_MAX)
        return 0;
    return schema_refuse(compilation, schema_token(schema, worst),
                         "refers to itself for ever, or through too many schemas");
}

/* ---- */

int schema_compile_references(const struct compilation *compilation)
{
    const struct schema *schema = compilation->schema;

    for (uint32_t token = 1; token < schema->count; token++) {
        struct mcp_json operand = schema_token(schema, token);
        int result =
            schema_keyword_of(schema, operand) == KEYWORD_REF ? compile_reference(compilation, operand) : 0;

        if (result != 0)
            return result;
    }
    return compile_heights(compilation);
}
