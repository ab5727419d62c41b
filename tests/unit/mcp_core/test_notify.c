/* SPDX-License-Identifier: MIT
 *
 * What a call tells before its answer: progress and log messages; the request's _meta.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

static struct client client;
static struct mcp_call *waiting;

static void later(struct mcp_call *call, void *context)
{
    (void)context;
    assert_true(mcp_json_equals(mcp_json_member(mcp_call_meta(call), "k"), "v"));
    waiting = call;
}

static const struct mcp_tool tool = {.name = "t", .input_schema = "{\"type\":\"object\"}", .handler = later};

static int set_up(void **state)
{
    struct mcp_server_config config = test_config;

    (void)state;
    config.logging = true;
    config.methods_are_tools = true;
    client = (struct client){0};
    client_start(&client, &config);
    assert_int_equal(mcp_server_add_tool(client.server, &tool), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_stop(&client);
    return 0;
}

#define CALL(meta)                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"tools/"                                                  \
    "call\",\"params\":{\"name\":\"t\",\"_meta\":{\"k\":\"v\"" meta "}}}"
#define NOTE(method, params)                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/" method "\",\"params\":{" params "}}"
#define LOG(level, data) NOTE("message", "\"level\":\"" level "\",\"data\":\"" data "\"")

static void expect_progress(double progress, double total, const char *message, const char *params)
{
    size_t before = client.received;

    mcp_call_progress(waiting, progress, total, message);
    assert_int_equal(client.received, before + (params != NULL ? 1 : 0));
    if (params != NULL) {
        char text[400];

        (void)snprintf(text, sizeof(text), NOTE("progress", "%s"), params);
        assert_string_equal(client.last, text);
        assert_string_equal(client.sent_for, "\"c\"");
    }
}

static void progress(void **state)
{
    (void)state;
    client_initialise(&client, "2025-03-26");
    client_expect_nothing(&client, CALL(",\"progressToken\":\"T\\u0041\""));
    assert_true(mcp_json_type(mcp_call_meta(waiting)) == MCP_JSON_NONE); /* its message is gone */
    expect_progress(0, 0, NULL, "\"progressToken\":\"T\\u0041\",\"progress\":0");
    expect_progress(0, 0, NULL, NULL); /* it must increase */
    expect_progress(0.5, 2, "half \xff",
                    "\"progressToken\":\"T\\u0041\",\"progress\":0.5,\"total\":2,\"message\":"
                    "\"half \xef\xbf\xbd\"");
    expect_progress(0.25, 2, NULL, NULL);
    expect_progress(1e308 * 10, 2, NULL, NULL);
    expect_progress(1.5, -1, NULL, "\"progressToken\":\"T\\u0041\",\"progress\":1.5");
    client_expect_nothing(&client, NOTE("cancelled", "\"requestId\":\"c\""));
    expect_progress(2, 2, NULL, NULL);
    mcp_call_finish(waiting);
}

static void progress_of_the_first_version(void **state)
{
    (void)state;
    client_initialise(&client, "2024-11-05");
    client_expect_nothing(&client, CALL(",\"progressToken\":7,\"traceparent\":\"00-ab-cd-01\""));
    expect_progress(
        1, 2, "has no message", /* there */
        "\"progressToken\":7,\"progress\":1,\"total\":2,\"_meta\":{\"traceparent\":\"00-ab-cd-01\"}");
    mcp_call_finish(waiting);
    client_expect_nothing(&client, CALL(",\"traceparent\":1"));
    expect_progress(1, 2, NULL, NULL); /* nobody asked */
    mcp_call_finish(waiting);
    client_expect_error(&client, CALL(",\"progressToken\":1.5"), "\"c\"", -32602, "progressToken");
    client_expect_error(&client, CALL(",\"progressToken\":null"), "\"c\"", -32602, "progressToken");
}

static void a_call_whose_session_is_gone(void **state)
{
    struct mcp_session *second;

    (void)state;
    client_initialise(&client, "2025-11-25");
    client_expect_nothing(&client, CALL(",\"progressToken\":7"));
    mcp_session_close(client.session);
    expect_progress(1, 0, NULL, NULL);
    mcp_call_log(waiting, MCP_LOG_EMERGENCY, NULL, "x");
    assert_int_equal(client.received, 1);
    mcp_call_finish(waiting);
    assert_int_equal(mcp_session_open(client.server, NULL, NULL, &second), 0);
    client.session = second;
}

static void expect_log(enum mcp_log_level level, const char *logger, const char *note)
{
    size_t before = client.received;

    mcp_call_log(waiting, level, logger, "d");
    assert_int_equal(client.received, before + (note != NULL ? 1 : 0));
    if (note != NULL)
        assert_string_equal(client.last, note);
}

static void levels_of_a_session(void **state)
{
    (void)state;
    client_initialise(&client, "2025-11-25");
    assert_non_null(strstr(client.last, "\"logging\":{}"));
    client_expect_nothing(&client, CALL(""));
    expect_log(MCP_LOG_DEBUG, NULL, NULL);
    expect_log(MCP_LOG_INFO, "l", NOTE("message", "\"level\":\"info\",\"logger\":\"l\",\"data\":\"d\""));
    assert_string_equal(client.sent_for, "\"c\"");
    mcp_server_log(client.server, MCP_LOG_EMERGENCY, NULL, "x"); /* nobody asked for those of no call */
    assert_int_equal(client.received, 2);
    client_expect(
        &client,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"logging/setLevel\",\"params\":{\"level\":\"alert\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    expect_log(MCP_LOG_CRITICAL, NULL, NULL);
    expect_log(MCP_LOG_ALERT, NULL, LOG("alert", "d"));
    expect_log((enum mcp_log_level)99, NULL, LOG("emergency", "d"));
    mcp_server_log(client.server, MCP_LOG_CRITICAL, NULL, "x");
    assert_int_equal(client.received, 5);
    mcp_server_log(client.server, MCP_LOG_ALERT, NULL, "x");
    assert_string_equal(client.last, LOG("alert", "x"));
    assert_string_equal(client.sent_for, "");
    mcp_call_finish(waiting);
}

static void levels_of_a_request(void **state)
{
    (void)state;
    client_expect_nothing(&client, stateless("\"c\"", "tools/call", ",\"name\":\"t\"", ",\"k\":\"v\""));
    expect_log(MCP_LOG_EMERGENCY, NULL, NULL);
    mcp_call_finish(waiting);
    client_expect_nothing(&client, stateless("\"c\"", "tools/call", ",\"name\":\"t\"",
                                             ",\"k\":\"v\",\"io.modelcontextprotocol/logLevel\":\"error\""));
    assert_string_equal(mcp_call_version(waiting), "2026-07-28");
    expect_log(MCP_LOG_WARNING, NULL, NULL);
    expect_log(MCP_LOG_ERROR, NULL, LOG("error", "d"));
    mcp_server_log(client.server, MCP_LOG_EMERGENCY, NULL, "x");
    mcp_call_finish(waiting);
    assert_int_equal(client.received, 3);
}

static void a_tool_by_its_name(void **state)
{
    (void)state;
    client_expect_nothing(&client, "{\"id\":1,\"method\":\"t\",\"params\":{\"_meta\":{\"k\":\"v\"}}}");
    assert_null(mcp_call_version(waiting));
    expect_log(MCP_LOG_EMERGENCY, NULL, NULL);
    mcp_call_finish(waiting);
}

static void notifications_that_memory_lost(void **state)
{
    struct mcp_server_statistics statistics;
    char text[600];

    (void)state;
    memset(text, 't', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    client_initialise(&client, "2025-11-25");
    client_expect_nothing(&client, CALL(",\"progressToken\":7"));
    client.memory.fail_at = client.memory.allocations + 1;
    client.memory.fail_from = true;
    mcp_call_progress(waiting, 1, 0, text);
    mcp_call_progress(waiting, 2, 0, "short ones need none");
    assert_non_null(strstr(client.last, "short ones"));
    client.memory.fail_at = 0;
    mcp_server_get_statistics(client.server, &statistics);
    assert_int_equal(statistics.lost_notifications, 1);
    mcp_call_finish(waiting);
}

static void log_what_is_sent(struct client *receiver)
{
    mcp_server_log(receiver->server, MCP_LOG_EMERGENCY, "send", "sent");
}

/* Where sending a message is logged, that must not be the cause of the next. */
static void a_log_does_not_feed_itself(void **state)
{
    struct mcp_server_statistics statistics;

    (void)state;
    client_initialise(&client, "2025-11-25");
    client_tell(
        &client,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"logging/setLevel\",\"params\":{\"level\":\"info\"}}");
    client.received = 0;
    client.on_message = log_what_is_sent;
    mcp_server_log(client.server, MCP_LOG_ALERT, NULL, "x");
    assert_int_equal(client.received, 1);
    mcp_server_log(client.server, MCP_LOG_ALERT, NULL, "y");
    assert_int_equal(client.received, 2);
    client.on_message = NULL;
    mcp_server_get_statistics(client.server, &statistics);
    assert_int_equal(statistics.lost_notifications, 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(progress),
        TEST(progress_of_the_first_version),
        TEST(a_call_whose_session_is_gone),
        TEST(levels_of_a_session),
        TEST(levels_of_a_request),
        TEST(a_tool_by_its_name),
        TEST(notifications_that_memory_lost),
        TEST(a_log_does_not_feed_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
