/* SPDX-License-Identifier: MIT
 *
 * Typed access to the arguments of a tool.
 */
#include <errno.h>
#include <string.h>

#include "call_private.h"

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
