/* SPDX-License-Identifier: MIT
 *
 * The smallest server that is of use: one tool. Says how much memory it takes; size.py looks at how large it
 * is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mcp/server.h>

static size_t held, most, answers;

static void *allocate(void *context, size_t size)
{
    (void)context;
    held += size;
    most = held > most ? held : most;
    return malloc(size);
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    held -= size;
    free(memory);
}

static void echo(struct mcp_call *call, void *context)
{
    const char *text;
    size_t length;

    (void)context;
    if (mcp_call_string(call, "text", &text, &length) != 0)
        return;
    mcp_json_begin_object(mcp_call_result(call));
    mcp_json_key_write(mcp_call_result(call), "text");
    mcp_json_string_n(mcp_call_result(call), text, length);
    mcp_json_end_object(mcp_call_result(call));
    mcp_call_finish(call);
}

static const struct mcp_tool tool = {
    .name = "echo",
    .description = "Says what it is told.",
    .input_schema =
        "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"}},\"required\":[\"text\"]}",
    .handler = echo};

static const char *const messages[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\","
    "\"capabilities\":{},\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":{"
    "\"text\":\"hello\"}}}",
};

static int count(void *context, const char *message, size_t length)
{
    (void)context;
    answers += memchr(message, 'r', length) != NULL ? 1 : 0;
    return 0;
}

int main(void)
{
    const struct mcp_server_config config = {
        .name = "smallest", .version = "1", .memory = {.allocate = allocate, .release = release}};
    struct mcp_server *server;
    struct mcp_session *session;
    size_t at_rest;

    if (mcp_server_create(&config, &server) != 0 || mcp_server_add_tool(server, &tool) != 0)
        return 1;
    at_rest = held;
    if (mcp_session_open(server, count, NULL, &session) != 0)
        return 1;
    (void)printf("server and tool: %zu bytes; a session: %zu\n", at_rest, held - at_rest);
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        mcp_session_receive(session, messages[i], strlen(messages[i]));
    (void)printf("at most: %zu bytes\n", most);
    mcp_session_close(session);
    mcp_server_destroy(server);
    return answers == 3 && held == 0 ? 0 : 1;
}
