/* SPDX-License-Identifier: MIT
 *
 * Documents: jsmn's tokens over a text that json_scan has checked.
 *
 * The scan counts the tokens, so that they are allocated once, and limits the depth, so that jsmn's walk up
 * the parents at each closing bracket costs at most a constant. Once jsmn is done the parent links are
 * needed no more, and their place takes the index of the next sibling (0: none), so that mcp_json_next is
 * O(1).
 */
#include "mcp/json.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#include "json_private.h"
#include "json_scan.h"

struct mcp_json_document {
    struct mcp_memory memory;
    size_t size; /* of this block */
    const char *text;
    uint32_t token_count;
    jsmntok_t tokens[];
};

#define next_sibling parent

static struct mcp_json_document *allocate(const struct mcp_memory *memory, size_t tokens, size_t text_length)
{
    size_t size = sizeof(struct mcp_json_document) + tokens * sizeof(jsmntok_t) + text_length;
    struct mcp_json_document *document = memory->allocate(memory->context, size);

    if (document != NULL)
        *document =
            (struct mcp_json_document){.memory = *memory, .size = size, .token_count = (uint32_t)tokens};
    return document;
}

/* In a valid text only a key has a size of 1 among the strings. */
static bool is_key(const jsmntok_t *token)
{
    return token->type == JSMN_STRING && token->size == 1;
}

static void link_siblings(struct mcp_json_document *document)
{
    uint32_t open[MCP_JSON_DEPTH_MAX]; /* containers around the current token */
    uint32_t last[MCP_JSON_DEPTH_MAX]; /* the last value seen in each; 0: none */
    size_t depth = 0;

    for (uint32_t i = 0; i < document->token_count; i++) {
        jsmntok_t *token = &document->tokens[i];

        while (depth > 0 && token->start >= document->tokens[open[depth - 1]].end)
            depth--;
        token->next_sibling = 0;
        if (is_key(token))
            continue;
        if (depth > 0) {
            if (last[depth - 1] != 0)
                document->tokens[last[depth - 1]].next_sibling = (int)i;
            last[depth - 1] = i;
        }
        if (token->type == JSMN_OBJECT || token->type == JSMN_ARRAY) {
            open[depth] = i;
            last[depth] = 0;
            depth++;
        }
    }
}

/* jsmn in strict mode refuses a number or a literal that stands alone, which RFC 8259 allows. */
static void tokenise_lone_primitive(struct mcp_json_document *document, size_t length)
{
    size_t start = strspn(document->text, " \t\r\n");
    size_t end = length;

    while (strchr(" \t\r\n", document->text[end - 1]) != NULL)
        end--;
    document->tokens[0] = (jsmntok_t){.type = JSMN_PRIMITIVE, .start = (int)start, .end = (int)end};
}

static bool is_lone_primitive(const char *text, size_t tokens)
{
    char first = text[strspn(text, " \t\r\n")];

    return tokens == 1 && first != '{' && first != '[' && first != '"';
}

int mcp_json_parse(const struct mcp_memory *memory, const char *text, size_t length,
                   struct mcp_json_document **document, struct mcp_json_error *error)
{
    struct mcp_json_document *parsed;
    jsmn_parser parser;
    size_t tokens;
    int result;

    *error = (struct mcp_json_error){.message = "the text is too long"};
    if (length >= INT_MAX) /* jsmn counts in int */
        return -EINVAL;
    result = json_scan(text, length, &tokens, error);
    if (result != 0)
        return result;
    *error = (struct mcp_json_error){.message = "out of memory"};
    parsed = allocate(memory, tokens, 0);
    if (parsed == NULL)
        return -ENOMEM;
    parsed->text = text;
    if (is_lone_primitive(text, tokens)) {
        tokenise_lone_primitive(parsed, length);
    } else {
        jsmn_init(&parser);
        if (jsmn_parse(&parser, text, length, parsed->tokens, (unsigned)tokens) != (int)tokens) {
            mcp_json_free(parsed); /* unreachable: the scan is stricter than jsmn */
            *error = (struct mcp_json_error){.message = "not valid JSON"};
            return -EINVAL;
        }
        link_siblings(parsed);
    }
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

static const jsmntok_t *token_of(struct mcp_json value)
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
    const jsmntok_t *token = token_of(value);

    if (token == NULL)
        return MCP_JSON_NONE;
    switch (token->type) {
    case JSMN_OBJECT:
        return MCP_JSON_OBJECT;
    case JSMN_ARRAY:
        return MCP_JSON_ARRAY;
    case JSMN_STRING:
        return MCP_JSON_STRING;
    default:
        break;
    }
    switch (value.document->text[token->start]) {
    case 'n':
        return MCP_JSON_NULL;
    case 't':
    case 'f':
        return MCP_JSON_BOOL;
    default:
        return MCP_JSON_NUMBER;
    }
}

size_t mcp_json_count(struct mcp_json array_or_object)
{
    const jsmntok_t *token = token_of(array_or_object);

    if (token == NULL || (token->type != JSMN_OBJECT && token->type != JSMN_ARRAY))
        return 0;
    return (size_t)token->size;
}

struct mcp_json mcp_json_first(struct mcp_json array_or_object)
{
    if (mcp_json_count(array_or_object) == 0)
        return at(NULL, 0);
    return at(array_or_object.document,
              array_or_object.token + (token_of(array_or_object)->type == JSMN_OBJECT ? 2 : 1));
}

struct mcp_json mcp_json_next(struct mcp_json value)
{
    const jsmntok_t *token = token_of(value);

    if (token == NULL || token->next_sibling == 0)
        return at(NULL, 0);
    return at(value.document, (uint32_t)token->next_sibling);
}

struct mcp_json mcp_json_key(struct mcp_json member_value)
{
    const jsmntok_t *token = token_of(member_value);

    if (token == NULL || member_value.token == 0 || !is_key(token - 1))
        return at(NULL, 0);
    return at(member_value.document, member_value.token - 1);
}

/* A string with escapes is longer than what it means. */
static bool string_is(const struct mcp_json_document *document, const jsmntok_t *token, const char *text)
{
    const char *raw = document->text + token->start;
    size_t length = (size_t)(token->end - token->start);
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
    const jsmntok_t *token = token_of(value);

    return token != NULL && token->type == JSMN_STRING && string_is(value.document, token, text);
}

struct mcp_json mcp_json_member(struct mcp_json object, const char *name)
{
    const jsmntok_t *token = token_of(object);
    uint32_t member = 0; /* 0: none; the root is nobody's member */

    if (token != NULL && token->type == JSMN_OBJECT && token->size > 0)
        member = object.token + 2;
    while (member != 0 && !string_is(object.document, &object.document->tokens[member - 1], name))
        member = (uint32_t)object.document->tokens[member].next_sibling;
    return member != 0 ? at(object.document, member) : at(NULL, 0);
}

const char *mcp_json_raw(struct mcp_json value, size_t *length)
{
    const jsmntok_t *token = token_of(value);
    size_t quote;

    if (token == NULL) {
        *length = 0;
        return NULL;
    }
    quote = token->type == JSMN_STRING ? 1 : 0; /* jsmn leaves the quotes out */
    *length = (size_t)(token->end - token->start) + 2 * quote;
    return value.document->text + token->start - quote;
}

int json_clone(const struct mcp_memory *memory, struct mcp_json value, struct mcp_json_document **document)
{
    const jsmntok_t *token = token_of(value);
    struct mcp_json_document *copy;
    const char *raw;
    size_t length;
    int offset;
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
    memcpy(copy->tokens, token, copy->token_count * sizeof(jsmntok_t));
    offset = (int)(raw - value.document->text);
    copy->tokens[0].next_sibling = 0;
    for (uint32_t i = 0; i < copy->token_count; i++) {
        copy->tokens[i].start -= offset;
        copy->tokens[i].end -= offset;
        if (copy->tokens[i].next_sibling != 0)
            copy->tokens[i].next_sibling -= (int)value.token;
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
