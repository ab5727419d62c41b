/* SPDX-License-Identifier: MIT
 *
 * Arguments of tools: typed access, and the check against the top level of the tool's schema.
 */
#include <errno.h>
#include <string.h>

#include "json_private.h"
#include "server_private.h"

static bool has_type(struct mcp_json value, struct mcp_json type)
{
    size_t length;
    const char *raw = mcp_json_raw(value, &length);

    switch (mcp_json_type(value)) {
    case MCP_JSON_NULL:
        return mcp_json_equals(type, "null");
    case MCP_JSON_BOOL:
        return mcp_json_equals(type, "boolean");
    case MCP_JSON_NUMBER:
        return mcp_json_equals(type, "number") ||
               (mcp_json_equals(type, "integer") && json_number_is_integer(raw, length));
    case MCP_JSON_STRING:
        return mcp_json_equals(type, "string");
    case MCP_JSON_ARRAY:
        return mcp_json_equals(type, "array");
    case MCP_JSON_OBJECT:
        return mcp_json_equals(type, "object");
    default:
        return false;
    }
}

static void add_argument(struct text *message, struct mcp_json name)
{
    text_add(message, "argument ");
    text_add_quoted(message, name);
}

/* `types` is a schema's "type": a name, an array of names, or NONE. */
static int check_type(struct mcp_json value, struct mcp_json types, struct text *message)
{
    struct mcp_json type = mcp_json_type(types) == MCP_JSON_ARRAY ? mcp_json_first(types) : types;

    if (mcp_json_type(type) != MCP_JSON_STRING)
        return 0;
    for (struct mcp_json each = type; mcp_json_type(each) != MCP_JSON_NONE;
         each = mcp_json_type(types) == MCP_JSON_ARRAY ? mcp_json_next(each) : (struct mcp_json){0})
        if (has_type(value, each))
            return 0;
    add_argument(message, mcp_json_key(value));
    text_add(message, " must be of type ");
    for (struct mcp_json each = type; mcp_json_type(each) != MCP_JSON_NONE;) {
        char name[16] = "";

        (void)json_string_start(each, name, sizeof(name) - 1);
        text_add(message, name);
        each = mcp_json_type(types) == MCP_JSON_ARRAY ? mcp_json_next(each) : (struct mcp_json){0};
        if (mcp_json_type(each) != MCP_JSON_NONE)
            text_add(message, " or ");
    }
    return -EINVAL;
}

/* The member of `object` whose name is the string `name`. */
static struct mcp_json member_named(struct mcp_json object, struct mcp_json name)
{
    char text[129];
    int64_t length = mcp_json_get_string(name, text, sizeof(text));

    if (length < 0 || strlen(text) != (size_t)length) /* a NUL in it: no schema names such a member */
        return (struct mcp_json){0};
    return mcp_json_member(object, text);
}

int arguments_check(struct mcp_json schema, struct mcp_json arguments, struct text *message)
{
    struct mcp_json properties = mcp_json_member(schema, "properties");
    struct mcp_json required = mcp_json_member(schema, "required");
    bool others_allowed = true;

    (void)mcp_json_get_bool(mcp_json_member(schema, "additionalProperties"), &others_allowed);
    for (struct mcp_json name = mcp_json_first(required); mcp_json_type(name) != MCP_JSON_NONE;
         name = mcp_json_next(name)) {
        if (mcp_json_type(name) == MCP_JSON_STRING &&
            mcp_json_type(member_named(arguments, name)) == MCP_JSON_NONE) {
            add_argument(message, name);
            text_add(message, " is missing");
            return -EINVAL;
        }
    }
    for (struct mcp_json value = mcp_json_first(arguments); mcp_json_type(value) != MCP_JSON_NONE;
         value = mcp_json_next(value)) {
        struct mcp_json property = member_named(properties, mcp_json_key(value));

        if (mcp_json_type(property) == MCP_JSON_NONE && !others_allowed) {
            add_argument(message, mcp_json_key(value));
            text_add(message, " is unknown");
            return -EINVAL;
        }
        if (check_type(value, mcp_json_member(property, "type"), message) != 0)
            return -EINVAL;
    }
    return 0;
}

/* ---- typed access ---- */

int mcp_call_reject(struct mcp_call *call, const char *name, const char *why)
{
    struct text text = {0};

    text_add(&text, "argument \"");
    text_add(&text, name);
    text_add(&text, "\" ");
    text_add(&text, why);
    return call_reject(call, &text);
}

static int get_string(struct mcp_call *call, const char *name, struct mcp_json value, const char **text,
                      size_t *length)
{
    size_t size;
    char *copy;

    if (mcp_json_type(value) != MCP_JSON_STRING)
        return mcp_call_reject(call, name, "must be a string");
    *length = mcp_json_string_length(value);
    size = *length + 1;
    copy = call_allocate(call, size);
    if (copy == NULL) {
        mcp_call_error(call, MCP_ERROR_OVERLOADED, "Overloaded: out of memory for an argument");
        return -ENOMEM;
    }
    (void)mcp_json_get_string(value, copy, size);
    *text = copy;
    return 0;
}

int mcp_call_string(struct mcp_call *call, const char *name, const char **text, size_t *length)
{
    struct mcp_json value = mcp_json_member(mcp_call_arguments(call), name);

    if (mcp_json_type(value) == MCP_JSON_NONE)
        return mcp_call_reject(call, name, "is missing");
    return get_string(call, name, value, text, length);
}

int mcp_call_string_or(struct mcp_call *call, const char *name, const char *fallback, const char **text,
                       size_t *length)
{
    struct mcp_json value = mcp_json_member(mcp_call_arguments(call), name);

    if (mcp_json_type(value) == MCP_JSON_NONE) {
        *text = fallback;
        *length = fallback != NULL ? strlen(fallback) : 0;
        return 0;
    }
    return get_string(call, name, value, text, length);
}

int mcp_call_int_or(struct mcp_call *call, const char *name, int64_t fallback, int64_t minimum,
                    int64_t maximum, int64_t *out)
{
    struct mcp_json value = mcp_json_member(mcp_call_arguments(call), name);
    struct text why = {0};

    *out = fallback;
    if (mcp_json_type(value) == MCP_JSON_NONE)
        return 0;
    if (mcp_json_get_int(value, out) == 0 && *out >= minimum && *out <= maximum)
        return 0;
    text_add(&why, "must be an integer from ");
    text_add_int(&why, minimum);
    text_add(&why, " to ");
    text_add_int(&why, maximum);
    return mcp_call_reject(call, name, why.bytes);
}

int mcp_call_double_or(struct mcp_call *call, const char *name, double fallback, double minimum,
                       double maximum, double *out)
{
    struct mcp_json value = mcp_json_member(mcp_call_arguments(call), name);
    struct text why = {0};

    *out = fallback;
    if (mcp_json_type(value) == MCP_JSON_NONE)
        return 0;
    if (mcp_json_get_double(value, out) == 0 && *out >= minimum && *out <= maximum)
        return 0;
    text_add(&why, "must be a number from ");
    text_add_double(&why, minimum);
    text_add(&why, " to ");
    text_add_double(&why, maximum);
    return mcp_call_reject(call, name, why.bytes);
}

int mcp_call_bool_or(struct mcp_call *call, const char *name, bool fallback, bool *out)
{
    struct mcp_json value = mcp_json_member(mcp_call_arguments(call), name);

    *out = fallback;
    if (mcp_json_type(value) == MCP_JSON_NONE || mcp_json_get_bool(value, out) == 0)
        return 0;
    return mcp_call_reject(call, name, "must be true or false");
}
