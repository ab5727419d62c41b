/* SPDX-License-Identifier: MIT
 *
 * Prompts, and completion of their arguments.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct client client;
static size_t suggestions;

static void greet(struct mcp_call *call, void *context)
{
    const char *name;
    size_t length;

    (void)context;
    if (mcp_call_string(call, "name", &name, &length) != 0)
        return;
    mcp_call_text(call, name, length);
    mcp_call_message(call, MCP_ROLE_ASSISTANT,
                     &(struct mcp_content){.type = MCP_CONTENT_TEXT, .data = "hi", .size = 2});
    mcp_call_finish(call);
}

static void suggest(struct mcp_call *call, void *context)
{
    const char *name, *value;
    size_t length;

    (void)context;
    mcp_call_completing(call, &name, &value, &length);
    assert_string_equal(name, "name");
    assert_int_equal(length, 3);
    assert_memory_equal(value, "B\0o", 4);
    for (size_t i = 0; i < suggestions; i++)
        mcp_call_suggest(call, "\"Bo\"");
    mcp_call_finish(call);
}

static void suggest_wrongly(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_suggest(call, "x");
    mcp_call_finish(call);
}

static void speak_wrongly(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_text(call, "x", 1);
    mcp_call_finish(call);
}

static const struct mcp_prompt_argument arguments[] = {
    {.name = "name", .title = "N", .description = "D", .required = true}, {.name = "mood"}};

static const struct mcp_prompt prompts[] = {
    {.name = "greet",
     .title = "T",
     .description = "Greets",
     .arguments = arguments,
     .argument_count = 2,
     .handler = greet,
     .complete = suggest},
    {.name = "plain", .handler = suggest_wrongly, .arguments = arguments, .argument_count = 1},
    {.name = "odd", .handler = greet, .complete = speak_wrongly, .arguments = arguments, .argument_count = 1},
};

static int set_up(void **state)
{
    (void)state;
    client = (struct client){0};
    client_start(&client, NULL);
    for (size_t i = 0; i < sizeof(prompts) / sizeof(prompts[0]); i++)
        assert_int_equal(mcp_server_add_prompt(client.server, &prompts[i]), 0);
    client_initialise(&client, "2025-06-18");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_stop(&client);
    return 0;
}

#define GET(params)    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/get\",\"params\":{" params "}}"
#define RESULT(result) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}"
#define COMPLETE(ref, argument)                                                                              \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"completion/complete\",\"params\":{\"ref\":{\"type\":\"ref/"  \
    "prompt\","                                                                                              \
    "\"name\":\"" ref "\"},\"argument\":{\"name\":\"" argument "\",\"value\":\"B\\u0000o\"}}}"

static void the_list(void **state)
{
    (void)state;
    assert_non_null(strstr(client.last, "\"capabilities\":{\"prompts\":{},\"completions\":{}}"));
    client_expect(
        &client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/list\"}",
        RESULT(
            "{\"prompts\":[{\"name\":\"greet\",\"title\":\"T\",\"description\":\"Greets\","
            "\"arguments\":[{\"name\":\"name\",\"title\":\"N\",\"description\":\"D\",\"required\":true},"
            "{\"name\":\"mood\",\"required\":false}]},{\"name\":\"plain\",\"arguments\":[{\"name\":\"name\","
            "\"title\":\"N\",\"description\":\"D\",\"required\":true}]},{\"name\":\"odd\",\"arguments\":[{"
            "\"name\":\"name\",\"title\":\"N\",\"description\":\"D\",\"required\":true}]}]}"));
}

static void getting(void **state)
{
    (void)state;
    client_expect(&client, GET("\"name\":\"greet\",\"arguments\":{\"name\":\"Bo\",\"more\":\"x\"}"),
                  RESULT("{\"description\":\"Greets\",\"messages\":[{\"role\":\"user\",\"content\":{\"type\":"
                         "\"text\",\"text\":\"Bo\"}},{\"role\":\"assistant\",\"content\":{\"type\":\"text\","
                         "\"text\":\"hi\"}}]}"));
    client_expect_error(&client, GET("\"name\":\"greet\""), "1", -32602, "\\\"name\\\" is missing");
    client_expect_error(&client, GET("\"name\":\"greet\",\"arguments\":{\"name\":\"x\",\"mood\":1}"), "1",
                        -32602, "\\\"mood\\\" must be a string");
    client_expect_error(&client, GET("\"name\":\"none\""), "1", -32602, "unknown prompt \\\"none\\\"");
    client_expect_error(&client, GET("\"name\":\"plain\",\"arguments\":{\"name\":\"x\"}"), "1", -32603,
                        "not valid");
}

static void completing(void **state)
{
    (void)state;
    suggestions = 2;
    client_expect(
        &client, COMPLETE("greet", "name"),
        RESULT(
            "{\"completion\":{\"values\":[\"\\\"Bo\\\"\",\"\\\"Bo\\\"\"],\"total\":2,\"hasMore\":false}}"));
    suggestions = 0;
    client_expect(&client, COMPLETE("greet", "name"),
                  RESULT("{\"completion\":{\"values\":[],\"total\":0,\"hasMore\":false}}"));
    suggestions = MCP_SUGGESTIONS_MAX + 1;
    client_tell(&client, COMPLETE("greet", "name"));
    assert_non_null(strstr(client.last, "\"total\":101,\"hasMore\":true"));
    client_expect(&client, COMPLETE("plain", "name"), /* nobody completes it */
                  RESULT("{\"completion\":{\"values\":[],\"total\":0,\"hasMore\":false}}"));
    client_expect_error(&client, COMPLETE("odd", "name"), "1", -32603, "not valid");
    client_expect_error(&client, COMPLETE("greet", "nam"), "1", -32602, "none of the prompt's");
    client_expect_error(&client, COMPLETE("gree", "name"), "1", -32602, "names no prompt");
}

static void declarations(void **state)
{
    static const struct mcp_prompt_argument nameless = {.title = "x"};
    static const struct mcp_prompt wrong[] = {
        {.handler = greet},
        {.name = "a b", .handler = greet},
        {.name = "x"},
        {.name = "x", .handler = greet, .icons = "{}"},
        {.name = "x", .handler = greet, .meta = "[]"},
        {.name = "x", .handler = greet, .arguments = &nameless, .argument_count = 1},
    };
    struct mcp_prompt long_prompt = {.name = "long", .handler = greet};
    static char text[1100000];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(mcp_server_add_prompt(client.server, &wrong[i]), -EINVAL);
    assert_int_equal(mcp_server_add_prompt(client.server, &prompts[0]), -EEXIST);
    memset(text, 't', sizeof(text) - 1);
    long_prompt.description = text;
    assert_int_equal(mcp_server_add_prompt(client.server, &long_prompt), -EINVAL);
    assert_int_equal(mcp_server_remove_prompt(client.server, "none"), -ENOENT);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(mcp_server_remove_prompt(client.server, prompts[i].name), 0);
    client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/list\"}",
                  RESULT("{\"prompts\":[]}"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_list),
        TEST(getting),
        TEST(completing),
        TEST(declarations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
