/* SPDX-License-Identifier: MIT
 *
 * An MCP server on standard input and output, with one tool: `add`.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mcp/server.h>

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

static int send(void *context, const char *message, size_t length)
{
    (void)context;
    bool written =
        fwrite(message, 1, length, stdout) == length && putchar('\n') == '\n' && fflush(stdout) == 0;
    return written ? 0 : -1;
}

static void add(struct mcp_call *call, void *context)
{
    (void)context;
    int64_t a, b;
    if (mcp_call_int_or(call, "a", 0, -1000000, 1000000, &a) != 0 ||
        mcp_call_int_or(call, "b", 0, -1000000, 1000000, &b) != 0)
        return;
    struct mcp_json_writer *result = mcp_call_result(call);
    mcp_json_begin_object(result);
    mcp_json_member_int(result, "sum", a + b);
    mcp_json_end_object(result);
    mcp_call_finish(call);
}

int main(void)
{
    const struct mcp_server_config config = {
        .name = "stdio-server", .version = "1.0.0", .memory = {.allocate = allocate, .release = release}};
    const struct mcp_tool tool = {.name = "add",
                                  .input_schema =
                                      "{\"type\":\"object\",\"required\":[\"a\",\"b\"],\"properties\":"
                                      "{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"integer\"}}}",
                                  .handler = add};
    struct mcp_server *server;
    struct mcp_session *session;
    if (mcp_server_create(&config, &server) != 0 || mcp_server_add_tool(server, &tool) != 0 ||
        mcp_session_open(server, send, NULL, &session) != 0)
        return 1;

    char line[4096];
    while (fgets(line, sizeof line, stdin) != NULL)
        mcp_session_receive(session, line, strcspn(line, "\n"));
    mcp_session_close(session);
    mcp_server_destroy(server);
    return 0;
}
