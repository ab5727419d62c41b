/* SPDX-License-Identifier: MIT
 *
 * Documents: the tokens that json_scan finds in a text.
 */
#include "mcp/json.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "json_private.h"
#include "json_scan.h"

struct mcp_json_document {
    struct mcp_memory memory;
    size_t size; /* of this block */
    const char *text;
    uint32_t token_count;
    struct json_token tokens[];
};

/* A usual message has not more, and is scanned once. */
#define TOKENS_FEW 48

static struct mcp_json_document *allocate(const struct mcp_memory *memory, size_t tokens, size_t text_length)
{
    size_t size = sizeof(struct mcp_json_document) + tokens * sizeof(struct json_token) + text_length;
    struct mcp_json_document *document = memory->allocate(memory->context, size);

    if (document != NULL)
        *document =
            (struct mcp_json_document){.memory = *memory, .size = size, .token_count = (uint32_t)tokens};
    return document;
}

int mcp_json_parse(const struct mcp_memory *memory, const char *text, size_t length,
                   struct mcp_json_document **document, struct mcp_json_error *error)
{
    struct json_token few[TOKENS_FEW];
    struct mcp_json_document *parsed;
    size_t count;
    int result;

    *error = (struct mcp_json_error){.message = "the text is too long"};
    if (length >= INT_MAX)
        return -EINVAL;
    result = json_scan(text, length, few, TOKENS_FEW, &count, error);
    if (result != 0)
        return result;
    *error = (struct mcp_json_error){.message = "out of memory"};
    parsed = allocate(memory, count, 0);
    if (parsed == NULL)
        return -ENOMEM;
    parsed->text = text;
    if (count <= TOKENS_FEW)
        memcpy(parsed->tokens, few, count * sizeof(few[0]));
    else
        (void)json_scan(text, length, parsed->tokens, count, &count, error); /* it is valid */
    *document = parsed;
    return 0;
}

void mcp_json_free(struct mcp_json_document *document)
{
    if (document != NULL) {
        struct mcp_memory memory = document->memory;

        memory.release(memory.context, document, document->size);
    }
}

size_t json_size(const struct mcp_json_document *document)
{
    return document != NULL ? document->size : 0;
}

uint32_t json_token_count(const struct mcp_json_document *document)
{
    return document->token_count;
}

static const struct json_token *token_of(struct mcp_json value)
{
    if (value.document == NULL || value.token >= value.document->token_count)
        return NULL;
    return &value.document->tokens[value.token];
}

static struct mcp_json at(const struct mcp_json_document *document, uint32_t token)
{
    return (struct mcp_json){.document = document, .token = token};
}

struct mcp_json mcp_json_root(const struct mcp_json_document *document)
{
    return at(document, 0);
}

enum mcp_json_type mcp_json_type(struct mcp_json value)
{
    const struct json_token *token = token_of(value);

    return token != NULL ? (enum mcp_json_type)token->type : MCP_JSON_NONE;
}

size_t mcp_json_count(struct mcp_json array_or_object)
{
    const struct json_token *token = token_of(array_or_object);

    if (token == NULL || (token->type != MCP_JSON_OBJECT && token->type != MCP_JSON_ARRAY))
        return 0;
    return token->size;
}

struct mcp_json mcp_json_first(struct mcp_json array_or_object)
{
    if (mcp_json_count(array_or_object) == 0)
        return at(NULL, 0);
    return at(array_or_object.document,
              array_or_object.token + (token_of(array_or_object)->type == MCP_JSON_OBJECT ? 2 : 1));
}

struct mcp_json mcp_json_next(struct mcp_json value)
{
    const struct json_token *token = token_of(value);

    if (token == NULL || token->next_sibling == 0)
        return at(NULL, 0);
    return at(value.document, token->next_sibling);
}

struct mcp_json mcp_json_key(struct mcp_json member_value)
{
    const struct json_token *token = token_of(member_value);

    if (token == NULL || member_value.token == 0 || !(token - 1)->is_key)
        return at(NULL, 0);
    return at(member_value.document, member_value.token - 1);
}

/* A string with escapes is longer than what it means. */
static bool string_is(const struct mcp_json_document *document, const struct json_token *token,
                      const char *text)
{
    const char *raw = document->text + token->start;
    size_t length = token->end - token->start;
    size_t expected;

    if (length > 0 && *raw != *text && *raw != '\\') /* most names differ here */
        return false;
    expected = strlen(text);
    if (length <= expected)
        return length == expected && memcmp(raw, text, length) == 0;
    return json_raw_string_is(raw, length, text);
}

bool mcp_json_equals(struct mcp_json value, const char *text)
{
    const struct json_token *token = token_of(value);

    return token != NULL && token->type == MCP_JSON_STRING && string_is(value.document, token, text);
}

struct mcp_json mcp_json_member(struct mcp_json object, const char *name)
{
    const struct json_token *token = token_of(object);
    uint32_t member = 0; /* 0: none; the root is nobody's member */

    if (token != NULL && token->type == MCP_JSON_OBJECT && token->size > 0)
        member = object.token + 2;
    while (member != 0 && !string_is(object.document, &object.document->tokens[member - 1], name))
        member = object.document->tokens[member].next_sibling;
    return member != 0 ? at(object.document, member) : at(NULL, 0);
}

const char *mcp_json_raw(struct mcp_json value, size_t *length)
{
    const struct json_token *token = token_of(value);
    size_t quote;

    if (token == NULL) {
        *length = 0;
        return NULL;
    }
    quote = token->type == MCP_JSON_STRING ? 1 : 0;
    *length = token->end - token->start + 2 * quote;
    return value.document->text + token->start - quote;
}

int json_clone(const struct mcp_memory *memory, struct mcp_json value, struct mcp_json_document **document)
{
    const struct json_token *token = token_of(value);
    struct mcp_json_document *copy;
    const char *raw;
    size_t length;
    uint32_t offset;
    uint32_t end;

    if (token == NULL)
        return -EINVAL;
    raw = mcp_json_raw(value, &length);
    end = value.token + 1;
    while (end < value.document->token_count && value.document->tokens[end].start < token->end)
        end++;
    copy = allocate(memory, end - value.token, length);
    if (copy == NULL)
        return -ENOMEM;
    copy->text = memcpy(&copy->tokens[copy->token_count], raw, length);
    memcpy(copy->tokens, token, copy->token_count * sizeof(struct json_token));
    offset = (uint32_t)(raw - value.document->text);
    copy->tokens[0].next_sibling = 0;
    for (uint32_t i = 0; i < copy->token_count; i++) {
        copy->tokens[i].start -= offset;
        copy->tokens[i].end -= offset;
        if (copy->tokens[i].next_sibling != 0)
            copy->tokens[i].next_sibling -= value.token;
    }
    *document = copy;
    return 0;
}

int mcp_json_get_bool(struct mcp_json value, bool *out)
{
    if (mcp_json_type(value) != MCP_JSON_BOOL)
        return -EINVAL;
    *out = value.document->text[token_of(value)->start] == 't';
    return 0;
}

int mcp_json_get_int(struct mcp_json value, int64_t *out)
{
    const char *raw;
    size_t length;

    if (mcp_json_type(value) != MCP_JSON_NUMBER)
        return -EINVAL;
    raw = mcp_json_raw(value, &length);
    return json_number_to_int(raw, length, out);
}

int mcp_json_get_double(struct mcp_json value, double *out)
{
    const char *raw;
    size_t length;

    if (mcp_json_type(value) != MCP_JSON_NUMBER)
        return -EINVAL;
    raw = mcp_json_raw(value, &length);
    return json_number_to_double(raw, length, out);
}
