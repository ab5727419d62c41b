/* SPDX-License-Identifier: MIT */
#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(void *context, size_t size)
{
    (void)context;
    return malloc(size);
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    free(memory);
}

const struct mcp_memory message_memory = {.allocate = allocate, .release = release};

bool piece_equals(struct piece one, struct piece other)
{
    return one.length == other.length && one.length > 0 && memcmp(one.text, other.text, one.length) == 0;
}

bool message_is(const struct message *message, const char *method)
{
    return strcmp(message->method, method) == 0;
}

char *message_string(struct mcp_json value, size_t most)
{
    size_t length = mcp_json_string_length(value);
    if (mcp_json_type(value) != MCP_JSON_STRING || length > most)
        return NULL;
    char *text = malloc(length + 1);
    if (text == NULL)
        return NULL;
    if (mcp_json_get_string(value, text, length + 1) == (int64_t)length && strlen(text) == length)
        return text;
    free(text);
    return NULL;
}

int messages_open(struct messages *messages, const char *text, size_t length)
{
    struct mcp_json_error error = {0};
    *messages = (struct messages){0};
    int result = mcp_json_parse(&message_memory, text, length, &messages->document, &error);
    if (result != 0) {
        messages->problem = result == -ENOMEM ? "out of memory" : error.message;
        return result;
    }
    struct mcp_json root = mcp_json_root(messages->document);
    messages->is_batch = mcp_json_type(root) == MCP_JSON_ARRAY;
    messages->count = messages->is_batch ? mcp_json_count(root) : 1;
    messages->next = messages->is_batch ? mcp_json_first(root) : root;
    if (messages->count > 0)
        return 0;
    messages->problem = "the batch is empty";
    return -EBADMSG;
}

void messages_release(struct messages *messages)
{
    if (messages->document != NULL)
        mcp_json_free(messages->document);
    *messages = (struct messages){0};
}

static struct piece raw(struct mcp_json value)
{
    struct piece piece = {0};
    if (mcp_json_type(value) != MCP_JSON_NONE)
        piece.text = mcp_json_raw(value, &piece.length);
    return piece;
}

static int refuse(struct messages *messages, const char *problem)
{
    messages->problem = problem;
    return -EBADMSG;
}

static int read_response(struct messages *messages, struct mcp_json root, struct message *message)
{
    struct mcp_json error = mcp_json_member(root, "error");
    int64_t code = 0;
    message->kind = MESSAGE_RESPONSE;
    message->is_error = mcp_json_type(error) == MCP_JSON_OBJECT;
    if (!message->is_error && mcp_json_type(mcp_json_member(root, "result")) == MCP_JSON_NONE)
        return refuse(messages, "a message has a method, a result or an error");
    (void)mcp_json_get_int(mcp_json_member(error, "code"), &code);
    message->code = code;
    return 1;
}

static int read_message(struct messages *messages, struct mcp_json root, struct message *message)
{
    *message = (struct message){.root = root, .text = raw(root), .id = raw(mcp_json_member(root, "id"))};
    if (mcp_json_type(root) != MCP_JSON_OBJECT)
        return refuse(messages, "a message must be an object");
    if (!mcp_json_equals(mcp_json_member(root, "jsonrpc"), "2.0"))
        return refuse(messages, "\"jsonrpc\" must be \"2.0\"");
    struct mcp_json id = mcp_json_member(root, "id"), method = mcp_json_member(root, "method");
    if (message->id.length > MESSAGE_ID_MAX)
        return refuse(messages, "the id is longer than 1024 bytes");
    if (mcp_json_type(method) == MCP_JSON_NONE)
        return read_response(messages, root, message);
    if (mcp_json_type(method) != MCP_JSON_STRING)
        return refuse(messages, "\"method\" must be a string");
    if (mcp_json_get_string(method, message->method, sizeof message->method) < 0)
        message->method[0] = '\0';
    message->kind = message->id.text != NULL ? MESSAGE_REQUEST : MESSAGE_NOTIFICATION;
    if (message->kind == MESSAGE_REQUEST && mcp_json_type(id) != MCP_JSON_STRING &&
        mcp_json_type(id) != MCP_JSON_NUMBER)
        return refuse(messages, "the id must be a string or a number");
    message->params = mcp_json_member(root, "params");
    message->meta = mcp_json_member(message->params, "_meta");
    message->version = mcp_json_member(message->meta, "io.modelcontextprotocol/protocolVersion");
    return 1;
}

int messages_next(struct messages *messages, struct message *message)
{
    struct mcp_json root = messages->next;
    if (mcp_json_type(root) == MCP_JSON_NONE)
        return 0;
    messages->next = messages->is_batch ? mcp_json_next(root) : (struct mcp_json){0};
    return read_message(messages, root, message);
}
