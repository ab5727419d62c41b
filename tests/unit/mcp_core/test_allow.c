/* SPDX-License-Identifier: MIT
 *
 * What a session is not allowed is not listed, and its use is refused, in both eras and by every way.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

enum { READ = 1, WRITE = 2, LOGS = 4 };

static struct client client;
static unsigned handled;

static void answer(struct mcp_call *call, void *context)
{
    (void)context;
    handled++;
    mcp_call_text(call, "yes", 3);
    mcp_call_finish(call);
}

static int set_up(void **state)
{
    struct mcp_server_config config = test_config;
    const struct mcp_prompt_argument argument = {.name = "a"};
    static struct mcp_prompt_argument arguments[1];

    (void)state;
    arguments[0] = argument;
    handled = 0;
    config.logging = config.methods_are_tools = true;
    config.logging_needs = LOGS;
    client_start(&client, &config);
    mcp_server_enable_changes(client.server, false, true);
    assert_int_equal(
        mcp_server_add_tool(
            client.server,
            &(struct mcp_tool){.name = "free", .input_schema = "{\"type\":\"object\"}", .handler = answer}),
        0);
    assert_int_equal(
        mcp_server_add_tool(client.server, &(struct mcp_tool){.name = "both",
                                                              .input_schema = "{\"type\":\"object\"}",
                                                              .needs = READ | WRITE,
                                                              .handler = answer}),
        0);
    assert_int_equal(
        mcp_server_add_resource(
            client.server,
            &(struct mcp_resource){.uri = "a:one", .name = "one", .needs = READ, .handler = answer}),
        0);
    assert_int_equal(mcp_server_add_resource(client.server, &(struct mcp_resource){.uri = "b:{x}",
                                                                                   .name = "many",
                                                                                   .needs = WRITE,
                                                                                   .handler = answer,
                                                                                   .complete = answer}),
                     0);
    assert_int_equal(mcp_server_add_prompt(client.server, &(struct mcp_prompt){.name = "p",
                                                                               .arguments = arguments,
                                                                               .argument_count = 1,
                                                                               .needs = WRITE,
                                                                               .handler = answer,
                                                                               .complete = answer}),
                     0);
    client_initialise(&client, "2025-11-25");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_stop(&client);
    return 0;
}

static void expect_listed(const char *method, const char *name, bool listed)
{
    char request[100];

    (void)snprintf(request, sizeof(request), "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"%s\"}", method);
    client_tell(&client, request);
    assert_int_equal(strstr(client.last, name) != NULL, listed);
    client_tell(&client, stateless("9", method, "", ""));
    assert_int_equal(strstr(client.last, name) != NULL, listed);
    assert_int_equal(strstr(client.last, "\"cacheScope\":\"public\"") != NULL, false);
}

static void lists(void **state)
{
    (void)state;
    mcp_session_allow(client.session, READ);
    expect_listed("tools/list", "\"free\"", true);
    expect_listed("tools/list", "\"both\"", false);
    expect_listed("resources/list", "\"a:one\"", true);
    expect_listed("resources/templates/list", "\"b:{x}\"", false);
    expect_listed("prompts/list", "\"p\"", false);
    mcp_session_allow(client.session, WRITE);
    expect_listed("resources/list", "\"a:one\"", false);
    expect_listed("resources/templates/list", "\"b:{x}\"", true);
    mcp_session_allow(client.session, READ | WRITE);
    expect_listed("tools/list", "\"both\"", true);
}

static const struct {
    const char *method, *params;
} uses[] = {
    {"tools/call", "\"name\":\"both\""},
    {"resources/read", "\"uri\":\"b:7\""},
    {"prompts/get", "\"name\":\"p\""},
    {"completion/complete",
     "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"p\"},\"argument\":{\"name\":\"a\",\"value\":\"\"}"},
    {"completion/complete",
     "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"b:{x}\"},\"argument\":{\"name\":\"x\",\"value\":\"\"}"},
};

static void use(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        char request[300], params[200];

        (void)snprintf(request, sizeof(request),
                       "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"%s\",\"params\":{%s}}", uses[i].method,
                       uses[i].params);
        (void)snprintf(params, sizeof(params), ",%s", uses[i].params);
        mcp_session_allow(client.session, READ);
        client_expect_error(&client, request, "9", MCP_ERROR_FORBIDDEN,
                            "Forbidden: this client may not use ");
        client_expect_error(&client, stateless("9", uses[i].method, params, ""), "9", MCP_ERROR_FORBIDDEN,
                            "Forbidden: this client may not use ");
        assert_int_equal(handled, 0);
        mcp_session_allow(client.session, READ | WRITE);
        client_tell(&client, request);
        client_tell(&client, stateless("9", uses[i].method, params, ""));
        assert_int_equal(handled, 2);
        handled = 0;
    }
    mcp_session_allow(client.session, READ);
    client_expect_error(&client, "{\"id\":9,\"method\":\"both\",\"params\":{}}", "9", MCP_ERROR_FORBIDDEN,
                        "Forbidden: this client may not use both");
    assert_int_equal(handled, 0);
}

static void what_may_not_be_read_is_not_watched(void **state)
{
    static const char subscribe[] =
        "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"resources/subscribe\",\"params\":{"
        "\"uri\":\"a:one\"}}";

    (void)state;
    mcp_session_allow(client.session, WRITE);
    client_expect_error(&client, subscribe, "9", MCP_ERROR_RESOURCE_NOT_FOUND, "");
    client_tell(&client, stateless("10", "subscriptions/listen",
                                   ",\"notifications\":{\"resourceSubscriptions\":[\"a:one\",\"b:7\"]}", ""));
    assert_null(strstr(client.last, "a:one"));
    assert_non_null(strstr(client.last, "b:7"));
    mcp_session_allow(client.session, READ);
    client_tell(&client, subscribe);
    assert_non_null(strstr(client.last, "\"result\""));
    size_t before = client.received;
    mcp_server_resource_updated(client.server, "a:one");
    assert_int_equal(client.received, before + 1);
    mcp_session_allow(client.session, WRITE); /* the right is taken away again */
    mcp_server_resource_updated(client.server, "a:one");
    assert_int_equal(client.received, before + 1);
}

static void log_messages_need_it(void **state)
{
    (void)state;
    client_tell(&client, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"logging/setLevel\",\"params\":{"
                         "\"level\":\"debug\"}}");
    mcp_session_allow(client.session, READ | WRITE);
    size_t before = client.received;
    mcp_server_log(client.server, MCP_LOG_ERROR, "x", "secret");
    assert_int_equal(client.received, before);
    mcp_session_allow(client.session, LOGS);
    mcp_server_log(client.server, MCP_LOG_ERROR, "x", "no secret");
    assert_int_equal(client.received, before + 1);
    assert_non_null(strstr(client.last, "no secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_may_not_be_read_is_not_watched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(log_messages_need_it, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
