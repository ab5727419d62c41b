/* SPDX-License-Identifier: MIT */
#include "tool_headers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX 1000u
#define TEXT_MAX  256u /* bytes of a tool's, a header's or a property's name */
#define VALUE_MAX 8192u

struct tool_header {
    struct tool_header *next;
    char *tool, *name; /* of the header, with its prefix */
    size_t depth;
    char *path[]; /* the properties from the root on */
};

/* The way from the root to where the walk is. */
struct walk {
    struct tool_headers *headers;
    const char *tool;
    const struct step {
        const struct step *before;
        struct mcp_json key;
    } * step;
    size_t depth;
};

static void destroy(struct tool_header *header)
{
    for (size_t i = 0; i < header->depth; i++)
        free(header->path[i]);
    free(header->tool);
    free(header->name);
    free(header);
}

void tool_headers_release(struct tool_headers *headers)
{
    while (headers->first != NULL) {
        struct tool_header *next = headers->first->next;
        destroy(headers->first);
        headers->first = next;
    }
    headers->count = 0;
}

/* RFC 9110, section 5.6.2. */
static bool is_token(const char *text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (const char *at = text; *at != '\0'; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9');
        if (!plain && strchr(others, *at) == NULL)
            return false;
    }
    return *text != '\0';
}

static bool has_type(struct mcp_json schema)
{
    struct mcp_json type = mcp_json_member(schema, "type");
    return mcp_json_equals(type, "string") || mcp_json_equals(type, "integer") ||
           mcp_json_equals(type, "boolean");
}

static int add(const struct walk *walk, const char *suffix)
{
    struct tool_header *header = calloc(1, sizeof *header + walk->depth * sizeof header->path[0]);
    if (header == NULL)
        return -ENOMEM;
    header->depth = walk->depth;
    header->tool = strdup(walk->tool);
    header->name = malloc(strlen(suffix) + 11);
    bool complete = header->tool != NULL && header->name != NULL;
    if (header->name != NULL)
        (void)snprintf(header->name, strlen(suffix) + 11, "Mcp-Param-%s", suffix);
    const struct step *step = walk->step;
    for (size_t i = walk->depth; i > 0; i--, step = step->before) {
        header->path[i - 1] = message_string(step->key, TEXT_MAX);
        complete = complete && header->path[i - 1] != NULL;
    }
    if (!complete) {
        destroy(header);
        return -ENOMEM;
    }
    header->next = walk->headers->first;
    walk->headers->first = header;
    walk->headers->count++;
    return 0;
}

/* Only along `properties`: the document limits the depth. */
static int walk_properties(const struct walk *above, struct mcp_json schema)
{
    struct mcp_json at = mcp_json_first(mcp_json_member(schema, "properties"));
    int result = 0;
    for (; mcp_json_type(at) != MCP_JSON_NONE && result == 0; at = mcp_json_next(at)) {
        const struct step step = {above->step, mcp_json_key(at)};
        const struct walk here = {above->headers, above->tool, &step, above->depth + 1};
        struct mcp_json annotation = mcp_json_member(at, "x-mcp-header");
        char *suffix = message_string(annotation, TEXT_MAX);
        if (suffix != NULL && is_token(suffix) && has_type(at))
            result = above->headers->count < COUNT_MAX ? add(&here, suffix) : -E2BIG;
        free(suffix);
        if (result == 0 && mcp_json_type(at) == MCP_JSON_OBJECT)
            result = walk_properties(&here, at);
    }
    return result;
}

int tool_headers_add(struct tool_headers *headers, struct mcp_json result)
{
    struct mcp_json tool = mcp_json_first(mcp_json_member(result, "tools"));
    int problem = 0;
    for (; mcp_json_type(tool) != MCP_JSON_NONE && problem == 0; tool = mcp_json_next(tool)) {
        char *name = message_string(mcp_json_member(tool, "name"), TEXT_MAX);
        const struct walk root = {headers, name, NULL, 0};
        if (name != NULL)
            problem = walk_properties(&root, mcp_json_member(tool, "inputSchema"));
        free(name);
    }
    return problem;
}

/* ---- the check ---- */

static bool equal_integers(const char *text, struct mcp_json value)
{
    struct mcp_json_document *document = NULL;
    struct mcp_json_error error;
    int64_t one = 0, other = 0;
    if (mcp_json_parse(&message_memory, text, strlen(text), &document, &error) != 0)
        return false;
    bool equal = mcp_json_get_int(mcp_json_root(document), &one) == 0 &&
                 mcp_json_get_int(value, &other) == 0 && one == other;
    mcp_json_free(document);
    return equal;
}

static bool is_equal(const char *text, size_t length, struct mcp_json value)
{
    bool flag;
    switch (mcp_json_type(value)) {
    case MCP_JSON_STRING:
        return strlen(text) == length && mcp_json_equals(value, text);
    case MCP_JSON_NUMBER:
        return equal_integers(text, value);
    case MCP_JSON_BOOL:
        return mcp_json_get_bool(value, &flag) == 0 && strcmp(text, flag ? "true" : "false") == 0;
    default:
        return true; /* the server says that it is of the wrong type */
    }
}

static const char *check_one(const struct tool_header *entry, const struct http_head *head,
                             struct mcp_json value)
{
    static char decoded[VALUE_MAX];
    const char *given = head_find(head, entry->name);
    for (size_t i = 0; i < entry->depth; i++)
        value = mcp_json_member(value, entry->path[i]);
    bool there = mcp_json_type(value) != MCP_JSON_NONE && mcp_json_type(value) != MCP_JSON_NULL;
    if (!there)
        return given != NULL ? "is there without its argument" : NULL;
    if (given == NULL)
        return "is missing, and its argument is there";
    long length = head_decode(given, decoded, sizeof decoded);
    if (length < 0)
        return "is not a value that a header can have";
    return is_equal(decoded, (size_t)length, value) ? NULL : "differs from its argument";
}

int tool_headers_check(const struct tool_headers *headers, const struct http_head *head,
                       const struct message *message, char *problem, size_t size)
{
    struct mcp_json name = mcp_json_member(message->params, "name");
    struct mcp_json arguments = mcp_json_member(message->params, "arguments");
    for (const struct tool_header *entry = headers->first; entry != NULL; entry = entry->next) {
        if (!mcp_json_equals(name, entry->tool))
            continue;
        const char *wrong = check_one(entry, head, arguments);
        if (wrong != NULL) {
            (void)snprintf(problem, size, "Header mismatch: %s %s", entry->name, wrong);
            return -EPROTO;
        }
    }
    return 0;
}
