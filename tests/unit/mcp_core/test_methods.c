/* SPDX-License-Identifier: MIT
 *
 * methods_are_tools: requests whose method is a tool's name.
 */
#include "support.h"

#include <mcp/ask.h>

#define PLAIN          "{\"type\":\"object\"}"
#define RESULT(result) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}"

static struct client client;

static void greet(struct mcp_call *call, void *context)
{
    const char *name;
    size_t length;

    (void)context;
    if (mcp_call_string(call, "name", &name, &length) != 0)
        return;
    mcp_json_begin_object(mcp_call_result(call));
    mcp_json_member_string(mcp_call_result(call), "hello", name);
    mcp_json_end_object(mcp_call_result(call));
    mcp_call_text(call, "not asked for", 13);
    mcp_call_finish(call);
}

static void say(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_text(call, "one", 3);
    mcp_call_finish(call);
}

static void give_up(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_fail(call, "no \"luck\"");
}

static void refuse(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_error(call, MCP_ERROR_INTERNAL, "broken");
}

static void find_nothing(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_not_found(call);
}

/* Its own arguments are no state of an earlier question. */
static void look_for_state(struct mcp_call *call, void *context)
{
    const void *state;
    size_t size;

    if (mcp_call_state(call, &state, &size) != 0)
        return;
    assert_null(state);
    say(call, context);
}

static const struct mcp_tool tools[] = {
    {.name = "greet",
     .input_schema =
         "{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\"}}}",
     .handler = greet},
    {.name = "say", .input_schema = PLAIN, .handler = say},
    {.name = "fail", .input_schema = PLAIN, .handler = give_up},
    {.name = "refuse", .input_schema = PLAIN, .handler = refuse},
    {.name = "ping", .input_schema = PLAIN, .handler = say},
    {.name = "find", .input_schema = PLAIN, .handler = find_nothing},
    {.name = "state", .input_schema = PLAIN, .handler = look_for_state},
};

static void start(bool methods_are_tools)
{
    struct mcp_server_config config = test_config;

    config.methods_are_tools = methods_are_tools;
    client = (struct client){0};
    client_start(&client, &config);
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
        assert_int_equal(mcp_server_add_tool(client.server, &tools[i]), 0);
}

static void only_on_request(void **state)
{
    (void)state;
    start(false);
    client_expect_error(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"say\"}", "1", -32601, "say");
    client_expect_error(&client, "{\"id\":1,\"method\":\"say\"}", "1", -32600, "jsonrpc must");
    client_stop(&client);
}

static void tools_by_their_names(void **state)
{
    (void)state;
    start(true);
    client_expect(&client, "{\"id\":1,\"method\":\"greet\",\"params\":{\"name\":\"Bo\"}}",
                  RESULT("{\"hello\":\"Bo\"}"));
    client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"greet\",\"params\":{\"name\":\"\"}}",
                  RESULT("{\"hello\":\"\"}"));
    client_expect(&client, "{\"id\":1,\"method\":\"say\"}",
                  RESULT("{\"content\":[{\"type\":\"text\",\"text\":\"one\"}]}"));
    client_expect_nothing(&client, "{\"method\":\"say\"}"); /* without an id: a notification */
    client_expect_error(&client, "{\"id\":1,\"method\":\"fail\"}", "1", -32603, "no \\\"luck\\\"");
    client_expect_error(&client, "{\"id\":1,\"method\":\"refuse\"}", "1", -32603, "broken");
    client_expect_error(&client, "{\"id\":1,\"method\":\"greet\"}", "1", -32602, "\\\"name\\\" is missing");
    client_expect_error(&client, "{\"id\":1,\"method\":\"greet\",\"params\":[]}", "1", -32602, "params must");
    client_expect_error(&client, "{\"id\":1,\"method\":\"unknown\"}", "1", -32600, "jsonrpc must");
    client_expect_error(&client, "{\"jsonrpc\":null,\"id\":1,\"method\":\"say\"}", "1", -32600,
                        "jsonrpc must");
    client_stop(&client);
}

static void beside_the_protocol(void **state)
{
    (void)state;
    start(true);
    client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
                  RESULT("{}")); /* its name wins */
    client_initialise(&client, "2025-11-25");
    client_expect(&client, "{\"id\":1,\"method\":\"greet\",\"params\":{\"name\":\"Bo\"}}",
                  RESULT("{\"hello\":\"Bo\"}"));
    client_expect_error(&client, "{\"id\":1,\"method\":\"greet\"}", "1", -32602, "\\\"name\\\" is missing");
    client_expect(&client,
                  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"ping\"}}",
                  RESULT("{\"content\":[{\"type\":\"text\",\"text\":\"one\"}]}"));
    client_stop(&client);
}

static void what_has_no_version(void **state)
{
    (void)state;
    start(true);
    client_expect_error(&client, "{\"id\":1,\"method\":\"find\",\"params\":{}}", "1",
                        MCP_ERROR_INVALID_PARAMS, "not found");
    client_expect(&client, "{\"id\":1,\"method\":\"state\",\"params\":{\"requestState\":\"x\"}}",
                  RESULT("{\"content\":[{\"type\":\"text\",\"text\":\"one\"}]}"));
    client_stop(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_on_request),
        cmocka_unit_test(tools_by_their_names),
        cmocka_unit_test(beside_the_protocol),
        cmocka_unit_test(what_has_no_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
