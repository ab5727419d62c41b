/* SPDX-License-Identifier: MIT
 *
 * Servers, sessions and JSON-RPC: who is answered, and with what.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct client client;

static int set_up(void **state)
{
    (void)state;
    client = (struct client){0};
    client_start(&client, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_stop(&client);
    return 0;
}

static void wrong_configurations(void **state)
{
    struct test_memory memory = {0};
    struct mcp_server_config config = test_config;
    struct mcp_server *server;

    (void)state;
    assert_int_equal(mcp_server_create(&config, &server), -EINVAL); /* no memory hooks */
    config.memory = test_memory_hooks(&memory);
    config.message_max = 1023;
    assert_int_equal(mcp_server_create(&config, &server), -EINVAL);
    config.message_max = 0;
    config.name = NULL;
    assert_int_equal(mcp_server_create(&config, &server), -EINVAL);
    config.name = "n";
    config.version = NULL;
    assert_int_equal(mcp_server_create(&config, &server), -EINVAL);
    config.version = "v";
    memory.fail_at = 1;
    assert_int_equal(mcp_server_create(&config, &server), -ENOMEM);
    mcp_server_destroy(NULL);
    mcp_session_close(NULL);
}

static void each_version_is_negotiated(void **state)
{
    static const struct {
        const char *asked, *answered;
        bool title;
    } cases[] = {
        {"2024-11-05", "2024-11-05", false}, {"2025-03-26", "2025-03-26", false},
        {"2025-06-18", "2025-06-18", true},  {"2025-11-25", "2025-11-25", true},
        {"2026-07-28", "2025-11-25", true},  {"", "2025-11-25", true},
        {"2025-03-2", "2025-11-25", true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char question[200], answer[400];

        (void)snprintf(question, sizeof(question),
                       "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":"
                       "{\"protocolVersion\":\"%s\"}}",
                       cases[i].asked);
        (void)snprintf(
            answer, sizeof(answer),
            "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"%s\",\"capabilities\":{},"
            "\"serverInfo\":{\"name\":\"test\",%s\"version\":\"0.1\"},"
            "\"instructions\":\"Be \\\"kind\\\".\"}}",
            cases[i].answered, cases[i].title ? "\"title\":\"A test\"," : "");
        client_expect(&client, question, answer);
        tear_down(state);
        set_up(state);
    }
}

static void initialize_checks_its_params(void **state)
{
    static const char *const wrong[][2] = {
        {"", "protocolVersion"},
        {",\"params\":{}", "protocolVersion"},
        {",\"params\":{\"protocolVersion\":1}", "protocolVersion"},
        {",\"params\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":1}", "capabilities"},
        {",\"params\":{\"protocolVersion\":\"2025-11-25\",\"clientInfo\":[]}", "clientInfo"},
        {",\"params\":[\"2025-11-25\"]", "params must be an object"},
        {",\"params\":null", "params must be an object"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char question[200];

        (void)snprintf(question, sizeof(question),
                       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\"%s}", wrong[i][0]);
        client_expect_error(&client, question, "1", -32602, wrong[i][1]);
    }
    client_initialise(&client, "2025-11-25"); /* and none of that has begun the session */
    client_expect_error(&client,
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
                        "\"protocolVersion\":\"2025-11-25\"}}",
                        "1", -32600, "initialised already");
}

static void before_initialize_only_ping(void **state)
{
    (void)state;
    client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
                  "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    client_expect_error(&client, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}", "2", -32602,
                        "initialize first");
    client_expect_error(
        &client, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}}", "3",
        -32602, "initialize first");
    client_expect_error(&client, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"server/discover\"}", "4", -32602,
                        "protocolVersion"); /* of the era where every request has it */
    client_expect_nothing(&client, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    client_initialise(&client, "2024-11-05");
    client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/list\",\"params\":{}}",
                  "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"tools\":[]}}");
}

static void ids_come_back_as_they_came(void **state)
{
    static const char *const good[] = {
        "0",    "-7",    "9007199254740993",   "123456789012345678901234567890",
        "\"\"", "\"a\"", "\"\\u00e9\\/\\\"\"", "\"1\""};
    static const char *const bad[] = {"1.5",  "1.0",   "1e3", "1E3", "null",
                                      "true", "false", "[1]", "{}",  "{\"id\":1}"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char question[200], answer[200];

        (void)snprintf(question, sizeof(question), "{\"method\":\"ping\",\"id\" : %s ,\"jsonrpc\":\"2.0\"}",
                       good[i]);
        (void)snprintf(answer, sizeof(answer), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}", good[i]);
        client_expect(&client, question, answer);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char question[200];

        (void)snprintf(question, sizeof(question), "{\"method\":\"ping\",\"id\":%s,\"jsonrpc\":\"2.0\"}",
                       bad[i]);
        client_expect_error(&client, question, "null", -32600, "id must be");
    }
}

static void long_ids_come_back_too(void **state)
{
    char question[4000], answer[4000], id[3000];

    (void)state;
    for (size_t length = 200; length < sizeof(id) - 1; length += 50) {
        memset(id, 'i', length);
        id[0] = id[length - 1] = '"';
        id[length] = '\0';
        (void)snprintf(question, sizeof(question), "{\"method\":\"ping\",\"id\":%s,\"jsonrpc\":\"2.0\"}", id);
        (void)snprintf(answer, sizeof(answer), "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}", id);
        client_expect(&client, question, answer);
        (void)snprintf(question, sizeof(question), "{\"method\":\"pong\",\"id\":%s,\"jsonrpc\":\"2.0\"}", id);
        (void)snprintf(answer, sizeof(answer),
                       "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32601,\"message\":"
                       "\"Method not found: \\\"pong\\\"\"}}",
                       id);
        client_expect(&client, question, answer);
    }
}

static void what_is_no_request(void **state)
{
    static const char *const wrong[][3] = {
        {"1", "null", "must be an object"},
        {"\"x\"", "null", "must be an object"},
        {"null", "null", "must be an object"},
        {"{}", "null", "method must be"},
        {"{\"jsonrpc\":\"2.0\"}", "null", "method must be"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1}", "1", "method must be"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":1}", "1", "method must be"},
        {"{\"jsonrpc\":\"2.0\",\"method\":1,\"params\":\"bar\"}", "null", "method must be"},
        {"{\"id\":1,\"method\":\"ping\"}", "1", "jsonrpc must be"},
        {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", "1", "jsonrpc must be"},
        {"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}", "1", "jsonrpc must be"},
        {"{\"jsonrpc\":\"2.0 \",\"method\":\"ping\"}", "null", "jsonrpc must be"},
        {"[]", "null", "2025-03-26"},
        {"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", "null", "2025-03-26"},
    };
    static const char *const unknown[] = {
        "foo",           "tools/call2", "tools", "", "notifications/initialized", "notifications/cancelled",
        "resources/list"};

    (void)state;
    client_initialise(&client, "2025-11-25");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        client_expect_error(&client, wrong[i][0], wrong[i][1], -32600, wrong[i][2]);
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        char question[200];

        (void)snprintf(question, sizeof(question), "{\"jsonrpc\":\"2.0\",\"id\":\"u\",\"method\":\"%s\"}",
                       unknown[i]);
        client_expect_error(&client, question, "\"u\"", -32601, unknown[i]);
    }
}

static void a_long_method_is_not_repeated(void **state)
{
    char question[2000];

    (void)state;
    (void)snprintf(question, sizeof(question), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%01500d\"}", 0);
    client_expect_error(&client, question, "1", -32601, "0000...\\\"");
    assert_true(client.last_length < 200);
}

static void parse_errors_say_where(void **state)
{
    (void)state;
    client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,}",
                  "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":"
                  "\"Parse error: a key in double quotes is expected at byte 24\"}}");
    client_expect_error(&client, "", "null", -32700, "at byte 0");
    client_expect_error(&client, "  ", "null", -32700, "at byte 2");
    client_expect_error(&client, "{\"a\":\"\xff\"}", "null", -32700, "UTF-8 at byte 6");
}

static void notifications_and_responses_are_not_answered(void **state)
{
    static const char *const messages[] = {
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/unknown\",\"params\":[1]}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":[]}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":7}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":{}}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"error\":{}}",
        "{\"result\":null}",
    };
    struct mcp_server_statistics statistics;

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
            client_expect_nothing(&client, messages[i]);
        if (round == 0)
            client_initialise(&client, "2025-11-25");
    }
    mcp_server_get_statistics(client.server, &statistics);
    assert_int_equal(statistics.sessions, 1);
    assert_int_equal(statistics.notifications, 8 * 2 + 1);
    assert_int_equal(statistics.requests, 1);
    assert_int_equal(statistics.errors, 0);
}

static void batches_of_2025_03_26(void **state)
{
    (void)state;
    client_initialise(&client, "2025-03-26");
    client_expect_error(&client, "[]", "null", -32600, "must not be empty");
    client_expect(&client,
                  "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},1,"
                  "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"},"
                  "{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"nope\"},[],"
                  "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}},"
                  "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}]",
                  "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}},"
                  "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":"
                  "\"Invalid Request: a message must be an object\"}},"
                  "{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"error\":{\"code\":-32601,\"message\":"
                  "\"Method not found: \\\"nope\\\"\"}},"
                  "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":"
                  "\"Invalid Request: a message must be an object\"}},"
                  "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"tools\":[]}}]");
    client_expect_nothing(&client, "[{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"},"
                                   "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}]");
    client_expect(&client,
                  "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
                  "\"2025-03-26\"}}]",
                  "[{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600,\"message\":"
                  "\"Invalid Request: the session is initialised already\"}}]");
}

static size_t answers_in_batches;

static void count_answers(struct client *receiver)
{
    json_t *json = test_load(receiver->last, receiver->last_length, NULL);

    assert_true(receiver->last_length <= 2048);
    answers_in_batches += json_is_array(json) ? json_array_size(json) : 1;
    json_decref(json);
}

/* More answers than one message can hold leave in several, none is lost. */
static void a_batch_beyond_the_limit(void **state)
{
    struct mcp_server_config config = test_config;
    static char batch[100000];
    size_t length = 0;

    tear_down(state);
    config.message_max = 2048;
    client = (struct client){.on_message = count_answers};
    client_start(&client, &config);
    client_initialise(&client, "2025-03-26");
    for (int i = 0; i < MCP_BATCH_MAX; i++)
        length +=
            (size_t)snprintf(batch + length, 100, "%c{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"ping\"}",
                             i == 0 ? '[' : ',', i);
    (void)snprintf(batch + length, 10, "]");
    answers_in_batches = 0;
    client_tell(&client, batch);
    assert_int_equal(answers_in_batches, MCP_BATCH_MAX);
    (void)snprintf(batch + length, 10, ",1]");
    client.on_message = NULL;
    client_expect_error(&client, batch, "null", -32600, "at most 256");
}

static void the_transport_reports(void **state)
{
    (void)state;
    mcp_session_report(client.session, MCP_ERROR_TOO_LARGE, "Message too large", "{\"limit\":1048576}");
    assert_string_equal(client.last,
                        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32001,\"message\":"
                        "\"Message too large\",\"data\":{\"limit\":1048576}}}");
    mcp_session_report(client.session, -1, "m", NULL);
    assert_string_equal(client.last,
                        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-1,\"message\":\"m\"}}");
    mcp_session_report(client.session, -1, "m", "not JSON"); /* never passed on */
    assert_string_equal(client.last,
                        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-1,\"message\":\"m\"}}");
    assert_int_equal(client.received, 3);
}

static void close_the_session(struct client *receiver)
{
    mcp_session_close(receiver->session);
    client_expect_nothing(receiver, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}");
    mcp_session_report(receiver->session, -1, "nobody hears it", NULL);
}

/* The connection may break while the library writes to it. */
static void the_send_hook_may_close(void **state)
{
    struct mcp_session *second;

    (void)state;
    client_initialise(&client, "2025-03-26");
    client.on_message = close_the_session;
    client_expect(
        &client,
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":"
        "\"ping\"}]",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}},{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}]");
    client.on_message = NULL;
    assert_int_equal(mcp_session_open(client.server, NULL, NULL, &second), 0);
    client.session = second; /* client_stop closes it */
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wrong_configurations),         TEST(each_version_is_negotiated),
        TEST(initialize_checks_its_params), TEST(before_initialize_only_ping),
        TEST(ids_come_back_as_they_came),   TEST(long_ids_come_back_too),
        TEST(what_is_no_request),           TEST(a_long_method_is_not_repeated),
        TEST(parse_errors_say_where),       TEST(notifications_and_responses_are_not_answered),
        TEST(batches_of_2025_03_26),        TEST(a_batch_beyond_the_limit),
        TEST(the_transport_reports),        TEST(the_send_hook_may_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
