/* SPDX-License-Identifier: MIT
 *
 * The stateless era (2026-07-28): what every request must say, what every result says, and both eras on one
 * connection.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

#define META(name) "\"io.modelcontextprotocol/" name "\":"

static struct client client;

static void add_up(struct mcp_call *call, void *context)
{
    double a, b;

    (void)context;
    if (mcp_call_double_or(call, "a", 0, -1e9, 1e9, &a) != 0 ||
        mcp_call_double_or(call, "b", 0, -1e9, 1e9, &b) != 0)
        return;
    if (a > 100)
        mcp_call_fail(call, "too much");
    else if (b > 100)
        mcp_call_error(call, MCP_ERROR_RESOURCE_NOT_FOUND, "no such number");
    else {
        mcp_json_double(mcp_call_result(call), a + b);
        mcp_call_finish(call);
    }
}

static const struct mcp_tool tool = {
    .name = "add",
    .input_schema = "{\"type\":\"object\"}",
    .output_schema = "{\"type\":\"number\"}",
    .handler = add_up,
};

static int set_up(void **state)
{
    struct mcp_server_config config = test_config;

    (void)state;
    config.list_ttl_ms = 60000;
    config.check_results = true;
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

static void discover(void **state)
{
    (void)state;
    client_expect(
        &client, stateless("1", "server/discover", "", ""),
        STATELESS_RESULT("1") ",\"supportedVersions\":[\"2026-07-28\",\"2025-11-25\",\"2025-06-18\","
                              "\"2025-03-26\",\"2024-11-05\"],\"capabilities\":{\"tools\":{}},"
                              "\"instructions\":\"Be \\\"kind\\\".\",\"ttlMs\":60000,"
                              "\"cacheScope\":\"public\"" STATELESS_END);
    assert_string_equal(client.sent_for, "1");
}

static void results_say_what_they_are(void **state)
{
    (void)state;
    client_expect(
        &client, stateless("\"l\"", "tools/list", "", ""),
        STATELESS_RESULT("\"l\"") ",\"tools\":[{\"name\":\"add\",\"inputSchema\":{\"type\":\"object\"},"
                                  "\"outputSchema\":{\"type\":\"number\"}}],\"ttlMs\":60000,"
                                  "\"cacheScope\":\"public\"" STATELESS_END);
    assert_string_equal(client.sent_for, "\"l\"");
    client_expect(&client,
                  stateless("2", "tools/call", ",\"name\":\"add\",\"arguments\":{\"a\":1,\"b\":2}", ""),
                  STATELESS_RESULT("2") ",\"content\":[{\"type\":\"text\",\"text\":\"3\"}],"
                                        "\"structuredContent\":3" STATELESS_END);
    client_expect(&client, stateless("3", "tools/call", ",\"name\":\"add\",\"arguments\":{\"a\":101}", ""),
                  STATELESS_RESULT("3") ",\"content\":[{\"type\":\"text\",\"text\":\"too much\"}],"
                                        "\"isError\":true" STATELESS_END);
    client_expect(
        &client, stateless("4", "tools/call", ",\"name\":\"add\",\"arguments\":{\"a\":\"x\"}", ""),
        STATELESS_RESULT("4") ",\"content\":[{\"type\":\"text\",\"text\":\"argument \\\"a\\\" must be a "
                              "number from -1000000000 to 1000000000\"}],\"isError\":true" STATELESS_END);
}

/* On every request, whatever was said before. */
static void what_every_request_must_say(void **state)
{
    static const struct {
        const char *meta, *words;
        int code;
    } cases[] = {
        {META("protocolVersion") "\"2026-07-28\"", "clientCapabilities", -32602},
        {META("protocolVersion") "\"2026-07-28\"," META("clientCapabilities") "[]", "clientCapabilities",
         -32602},
        {META("clientCapabilities") "{}", "protocolVersion", -32602},
        {META("protocolVersion") "1," META("clientCapabilities") "{}", "protocolVersion", -32602},
        {META("protocolVersion") "\"2026-07-28\"," META("clientCapabilities") "{}," META("clientInfo") "{}",
         "clientInfo", -32602},
        {META("protocolVersion") "\"2026-07-28\"," META("clientCapabilities") "{}," META("clientInfo") "1",
         "clientInfo", -32602},
        {META("protocolVersion") "\"2026-07-28\"," META("clientCapabilities") "{}," META(
             "logLevel") "\"loud\"",
         "logLevel", -32602},
        {META("protocolVersion") "\"2025-11-25\"," META("clientCapabilities") "{}",
         "\"data\":{\"supported\":[\"2026-07-28\"],\"requested\":\"2025-11-25\"}", -32022},
        {META("protocolVersion") "\"1900-01-01\"", "\"requested\":\"1900-01-01\"", -32022},
        {META("protocolVersion") "\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\u0000\\u0000\\u"
                                 "0000"
                                 "\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u00"
                                 "00"
                                 "\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u00"
                                 "00\"",
         "\"supported\":[\"2026-07-28\"],\"requested\":\"\\u0000", -32022},
    };

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            char question[1000];

            (void)snprintf(
                question, sizeof(question),
                "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"tools/list\",\"params\":{\"_meta\":{%s}}}", i,
                cases[i].meta);
            client_expect_error(&client, question, (char[]){(char)('0' + i), '\0'}, cases[i].code,
                                cases[i].words);
        }
        client_tell(&client, stateless("9", "tools/list", "", ""));
        assert_non_null(strstr(client.last, "\"resultType\":\"complete\""));
        if (round == 0)
            client_initialise(&client, "2025-11-25");
    }
}

static void methods_that_are_gone(void **state)
{
    static const char *const gone[] = {"initialize",
                                       "ping",
                                       "logging/setLevel",
                                       "resources/subscribe",
                                       "resources/unsubscribe",
                                       "notifications/initialized",
                                       "tasks/get",
                                       "none"};

    (void)state;
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        client_expect_error(&client, stateless("1", gone[i], ",\"protocolVersion\":\"2025-11-25\"", ""), "1",
                            -32601, gone[i]);
    /* None of that has begun a session. */
    client_expect_error(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", "1", -32602,
                        "initialize first");
}

static void both_eras_on_one_connection(void **state)
{
    (void)state;
    client_tell(&client, stateless("1", "tools/list", "", ""));
    assert_non_null(strstr(client.last, "\"resultType\""));
    client_initialise(&client, "2025-03-26");
    client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
                  "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[{\"name\":\"add\",\"inputSchema\":{"
                  "\"type\":\"object\"}}]}}");
    client_tell(&client, stateless("1", "tools/list", "", ""));
    assert_non_null(strstr(client.last, "\"outputSchema\""));
    client_expect_error(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\"}", "1", -32601,
                        "server/discover");
    client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
                  "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    /* A result that is no object is text alone for older versions. */
    client_expect(
        &client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"add\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"0\"}]}}");
    /* One message of a batch may be of the other era. */
    client_tell(
        &client,
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":"
        "\"server/discover\",\"params\":{\"_meta\":{" META("protocolVersion") "\"2026-07-28\"," META(
            "clientCapabilities") "{}}}}]");
    assert_non_null(strstr(client.last, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}},"));
    assert_non_null(
        strstr(client.last, "\"id\":2,\"result\":{\"resultType\":\"complete\",\"supportedVersions\""));
    assert_string_equal(client.sent_for, "");
}

/* Codes that the era does not have are not sent in it. */
static void codes_that_are_gone(void **state)
{
    static const char call[] = ",\"name\":\"add\",\"arguments\":{\"b\":101}";

    (void)state;
    client_expect_error(&client, stateless("1", "tools/call", call, ""), "1", -32602, "no such number");
    client_initialise(&client, "2025-11-25");
    client_expect_error(
        &client,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"add\","
        "\"arguments\":{\"b\":101}}}",
        "1", -32002, "no such number");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(discover),
        TEST(results_say_what_they_are),
        TEST(what_every_request_must_say),
        TEST(methods_that_are_gone),
        TEST(both_eras_on_one_connection),
        TEST(codes_that_are_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
