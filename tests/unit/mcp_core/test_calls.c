/* SPDX-License-Identifier: MIT
 *
 * Calls that are answered later: order, cancellation, limits, the end of their session.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 100

static struct client client;
static struct mcp_call *waiting[CALLS_MAX];
static size_t waiting_count;
static size_t cancelled_count;
static bool finish_when_cancelled;

/* Keeps the call. */
static void wait_for_it(struct mcp_call *call, void *context)
{
    (void)context;
    assert_true(waiting_count < CALLS_MAX);
    mcp_call_set_context(call, &waiting[waiting_count]);
    waiting[waiting_count++] = call;
}

static void told_to_stop(struct mcp_call *call, void *context)
{
    (void)context;
    assert_true(mcp_call_is_cancelled(call));
    cancelled_count++;
    if (finish_when_cancelled)
        mcp_call_finish(call);
}

/* Answers with the arguments as they came. */
static void answer(struct mcp_call *call)
{
    struct mcp_json_writer *result = mcp_call_result(call);

    mcp_json_begin_object(result);
    mcp_json_key_write(result, "echo");
    mcp_json_value(result, mcp_json_member(mcp_call_arguments(call), "x"));
    mcp_json_end_object(result);
    mcp_call_finish(call);
}

static const struct mcp_tool tools[] = {
    {.name = "later",
     .input_schema = "{\"type\":\"object\"}",
     .handler = wait_for_it,
     .cancelled = told_to_stop},
    {.name = "stubborn", .input_schema = "{\"type\":\"object\"}", .handler = wait_for_it},
};

static void start(const char *version, const struct mcp_server_config *config)
{
    client = (struct client){0};
    waiting_count = 0;
    cancelled_count = 0;
    finish_when_cancelled = false;
    client_start(&client, config);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(mcp_server_add_tool(client.server, &tools[i]), 0);
    client_initialise(&client, version);
}

static int set_up(void **state)
{
    (void)state;
    start("2025-06-18", NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_stop(&client);
    return 0;
}

static const char *call_text(const char *id, const char *tool, const char *x)
{
    static char text[400];

    (void)snprintf(text, sizeof(text),
                   "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"tools/call\",\"params\":{\"name\":\"%s\","
                   "\"arguments\":{\"x\":%s}}}",
                   id, tool, x);
    return text;
}

static const char *cancel_text(const char *id)
{
    static char text[200];

    (void)snprintf(
        text, sizeof(text),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%s}}", id);
    return text;
}

static const char *answer_text(const char *id, const char *x)
{
    static char text[400];

    (void)snprintf(text, sizeof(text),
                   "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":"
                   "\"{\\\"echo\\\":%s}\"}],\"structuredContent\":{\"echo\":%s}}}",
                   id, x, x);
    return text;
}

static void answered_in_another_order(void **state)
{
    (void)state;
    client_expect_nothing(&client, call_text("1", "later", "[1]"));
    client_expect_nothing(&client, call_text("\"two\"", "later", "2"));
    client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}",
                  "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}");
    client_expect_nothing(&client, call_text("4", "stubborn", "null"));
    assert_int_equal(mcp_session_pending(client.session), 3);
    assert_ptr_equal(mcp_call_get_context(waiting[1]), &waiting[1]);
    answer(waiting[1]);
    assert_string_equal(client.last, answer_text("\"two\"", "2"));
    answer(waiting[2]);
    assert_string_equal(client.last, answer_text("4", "null"));
    assert_int_equal(mcp_session_pending(client.session), 1);
    answer(waiting[0]);
    assert_string_equal(client.last, answer_text("1", "[1]"));
    assert_int_equal(mcp_session_pending(client.session), 0);
    assert_int_equal(client.received, 5);
}

static void ids_in_flight_are_taken(void **state)
{
    (void)state;
    client_expect_nothing(&client, call_text("1", "later", "1"));
    client_expect_nothing(&client, call_text("\"a\\u00e9\"", "later", "2"));
    client_expect_error(&client, call_text("1", "later", "1"), "1", -32600, "not answered yet");
    client_expect_error(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", "1", -32600,
                        "not answered yet");
    client_expect_error(&client, call_text("\"a\xc3\xa9\"", "later", "1"), "\"a\xc3\xa9\"", -32600,
                        "not answered yet");
    client_expect_nothing(&client, call_text("\"1\"", "later", "3")); /* another id */
    client_expect_nothing(&client, call_text("10", "later", "4"));
    for (size_t i = 0; i < waiting_count; i++)
        answer(waiting[i]);
    client_expect_nothing(&client, call_text("1", "later", "1"));
    answer(waiting[4]);
    assert_string_equal(client.last, answer_text("1", "1"));
}

static void cancelled_calls_are_not_answered(void **state)
{
    (void)state;
    client_expect_nothing(&client, call_text("1", "later", "1"));
    client_expect_nothing(&client, call_text("2", "stubborn", "1"));
    client_expect_nothing(&client, call_text("\"3/\"", "later", "1"));
    client_expect_nothing(&client, cancel_text("1"));
    client_expect_nothing(&client, cancel_text("1")); /* told once */
    client_expect_nothing(&client, cancel_text("2"));
    client_expect_nothing(&client, cancel_text("77"));
    client_expect_nothing(&client, cancel_text("\"1\""));
    assert_int_equal(cancelled_count, 1);
    assert_true(mcp_call_is_cancelled(waiting[1]));
    finish_when_cancelled = true;
    client_expect_nothing(&client, cancel_text("\"\\u0033\\/\""));
    assert_int_equal(cancelled_count, 2);
    assert_int_equal(mcp_session_pending(client.session), 2); /* until the tool lets go */
    answer(waiting[0]);
    mcp_call_fail(waiting[1], "cancelled");
    assert_int_equal(mcp_session_pending(client.session), 0);
    assert_int_equal(client.received, 1); /* of initialize */
}

static void each_way_to_end_a_cancelled_call(void **state)
{
    (void)state;
    for (int way = 0; way < 5; way++) {
        const char *text;
        size_t length;

        waiting_count = 0;
        client_expect_nothing(&client, call_text("1", "stubborn", "1"));
        client_expect_nothing(&client, cancel_text("1"));
        switch (way) {
        case 0:
            mcp_call_finish(waiting[0]);
            break;
        case 1:
            mcp_call_fail(waiting[0], "m");
            break;
        case 2:
            mcp_call_error(waiting[0], 1, "m");
            break;
        case 3:
            assert_int_not_equal(mcp_call_string(waiting[0], "x", &text, &length), 0);
            break;
        default:
            client.memory.fail_at = client.memory.allocations + 1;
            mcp_call_text(waiting[0], "x", 1);
            mcp_call_finish(waiting[0]);
            break;
        }
        assert_int_equal(mcp_session_pending(client.session), 0);
    }
    assert_int_equal(client.received, 1);
}

/* Text that a handler got lives until the call ends, long after the message. */
static void arguments_outlive_the_message(void **state)
{
    const char *text, *again;
    size_t length;

    (void)state;
    client_expect_nothing(&client, call_text("1", "later", "\"\\u00e9\\u0000z\""));
    client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}",
                  "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}");
    assert_int_equal(mcp_call_string(waiting[0], "x", &text, &length), 0);
    assert_int_equal(mcp_call_string_or(waiting[0], "x", NULL, &again, &length), 0);
    assert_int_equal(length, 4);
    assert_memory_equal(text, "\xc3\xa9\0z", 5);
    assert_memory_equal(again, "\xc3\xa9\0z", 5);
    assert_int_equal(mcp_call_string_or(waiting[0], "y", NULL, &again, &length), 0);
    assert_null(again);
    assert_int_equal(length, 0);
    answer(waiting[0]);
    assert_non_null(strstr(client.last, "\"structuredContent\":{\"echo\":\"\\u00e9\\u0000z\"}"));
}

/* A pending call holds its arguments, not the message they came in. */
static void memory_of_a_pending_call_is_bounded(void **state)
{
    char message[20000];
    size_t before = client.memory.held;

    (void)state;
    (void)snprintf(message, sizeof(message),
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"later\","
                   "\"arguments\":{\"x\":1},\"_meta\":{\"filler\":\"%015000d\"}}}",
                   0);
    client_expect_nothing(&client, message);
    assert_true(client.memory.held - before < 1000);
    answer(waiting[0]);
    assert_int_equal(client.memory.held, before);
}

static void too_many_calls(void **state)
{
    struct mcp_server_config config = test_config;

    tear_down(state);
    config.calls_per_session = 3;
    start("2025-11-25", &config);
    for (int i = 0; i < 3; i++) {
        char id[8];

        (void)snprintf(id, sizeof(id), "%d", i);
        client_expect_nothing(&client, call_text(id, "later", "1"));
    }
    client_expect_error(&client, call_text("3", "later", "1"), "3", MCP_ERROR_OVERLOADED,
                        "\"data\":{\"retryAfterMs\":1000}");
    client_expect_nothing(&client, cancel_text("0")); /* still held by its tool: it counts */
    client_expect_error(&client, call_text("3", "later", "1"), "3", MCP_ERROR_OVERLOADED, "retryAfterMs");
    client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"ping\"}",
                  "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}");
    answer(waiting[0]);
    client_expect_nothing(&client, call_text("3", "later", "1"));
    for (size_t i = 1; i < 4; i++)
        answer(waiting[i]);
}

/* A call with `length` bytes of arguments, or of id. */
static const char *call_of_size(const char *id, int length, int id_length)
{
    static char message[20000];

    (void)snprintf(message, sizeof(message),
                   "{\"jsonrpc\":\"2.0\",\"id\":\"%s%0*d\",\"method\":\"tools/call\",\"params\":{\"name\":"
                   "\"later\",\"arguments\":{\"x\":\"%0*d\"}}}",
                   id, id_length, 0, length, 0);
    return message;
}

static void calls_that_hold_too_much(void **state)
{
    struct mcp_server_config config = test_config;

    tear_down(state);
    config.memory_per_session = 5000;
    start("2025-11-25", &config);
    client_expect_nothing(&client, call_of_size("a", 9000, 1)); /* alone, so it is taken */
    client_expect_error(&client, call_of_size("b", 1, 1), "\"b0\"", MCP_ERROR_OVERLOADED, "retryAfterMs");
    client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"ping\"}",
                  "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}");
    answer(waiting[0]);
    client_expect_nothing(&client, call_of_size("c", 1000, 1));
    client_tell(&client, call_of_size("d", 1, 4000));
    assert_non_null(strstr(client.last, "hold too much memory"));
    client_expect_nothing(&client, call_of_size("e", 1000, 1));
    answer(waiting[1]);
    answer(waiting[2]);
    client_expect_nothing(&client, call_of_size("f", 1, 4000));
    answer(waiting[3]);
}

static void the_session_closes_first(void **state)
{
    struct mcp_server_statistics statistics;
    struct mcp_session *second;

    (void)state;
    client_expect_nothing(&client, call_text("1", "later", "1"));
    client_expect_nothing(&client, call_text("2", "stubborn", "1"));
    client_expect_nothing(&client, call_text("3", "later", "1"));
    mcp_session_close(client.session);
    assert_int_equal(cancelled_count, 2);
    for (size_t i = 0; i < 3; i++)
        assert_true(mcp_call_is_cancelled(waiting[i]));
    mcp_server_get_statistics(client.server, &statistics);
    assert_int_equal(statistics.sessions, 0);
    assert_int_equal(statistics.pending, 3);
    assert_int_equal(mcp_session_open(client.server, NULL, NULL, &second),
                     0); /* the memory may be the same */
    answer(waiting[2]);
    mcp_call_fail(waiting[0], "late");
    mcp_call_error(waiting[1], 1, "late");
    assert_int_equal(client.received, 1);
    client.session = second;
}

static void the_session_closes_and_the_tool_lets_go(void **state)
{
    struct mcp_session *second;

    (void)state;
    finish_when_cancelled = true;
    for (int i = 0; i < 5; i++) {
        char id[8];

        (void)snprintf(id, sizeof(id), "%d", i);
        client_expect_nothing(&client, call_text(id, "later", "1"));
    }
    mcp_session_close(client.session);
    assert_int_equal(cancelled_count, 5);
    assert_int_equal(mcp_session_open(client.server, NULL, NULL, &second), 0);
    client.session = second;
}

static const char batch[] =
    "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"later\"}},"
    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"},"
    "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"later\"}}]";

static void a_batch_waits_for_its_calls(void **state)
{
    tear_down(state);
    start("2025-03-26", NULL);
    client_expect_nothing(&client, batch);
    mcp_call_finish(waiting[1]);
    assert_int_equal(client.received, 1);
    mcp_call_fail(waiting[0], "no");
    assert_string_equal(
        client.last,
        "[{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}},"
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"content\":[]}},"
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"no\"}],"
        "\"isError\":true}}]");

    waiting_count = 0;
    client_expect_nothing(&client, batch);
    client_expect_nothing(&client, cancel_text("3"));
    mcp_call_finish(waiting[0]);
    mcp_call_finish(waiting[1]);
    assert_string_equal(client.last, "[{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}},"
                                     "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}]");
}

static void a_batch_whose_session_closes(void **state)
{
    struct mcp_session *second;

    tear_down(state);
    start("2025-03-26", NULL);
    client_expect_nothing(&client, batch);
    mcp_call_finish(waiting[0]);
    mcp_session_close(client.session);
    mcp_call_finish(waiting[1]);
    assert_int_equal(client.received, 1);
    assert_int_equal(mcp_session_open(client.server, NULL, NULL, &second), 0);
    client.session = second;
}

/* Within the send hook everything may happen: another request, another answer, the end. */
static void ask_and_close(struct client *receiver)
{
    if (receiver->received == 2) {
        client_tell(receiver, call_text("1", "later", "5")); /* its id is free again */
        answer(waiting[1]);
    } else if (receiver->received == 3) {
        mcp_session_close(receiver->session);
    }
}

static void the_send_hook_comes_back(void **state)
{
    struct mcp_session *second;

    (void)state;
    client.on_message = ask_and_close;
    client_expect_nothing(&client, call_text("1", "later", "1"));
    client_expect_nothing(&client, call_text("2", "later", "2"));
    answer(waiting[0]);
    assert_int_equal(client.received, 3);
    assert_string_equal(client.last, answer_text("2", "2"));
    assert_int_equal(cancelled_count, 1); /* the call that was made in the hook */
    mcp_call_finish(waiting[2]);
    client.on_message = NULL;
    assert_int_equal(mcp_session_open(client.server, NULL, NULL, &second), 0);
    client.session = second;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answered_in_another_order),
        TEST(ids_in_flight_are_taken),
        TEST(cancelled_calls_are_not_answered),
        TEST(each_way_to_end_a_cancelled_call),
        TEST(arguments_outlive_the_message),
        TEST(memory_of_a_pending_call_is_bounded),
        TEST(too_many_calls),
        TEST(calls_that_hold_too_much),
        TEST(the_session_closes_first),
        TEST(the_session_closes_and_the_tool_lets_go),
        TEST(a_batch_waits_for_its_calls),
        TEST(a_batch_whose_session_closes),
        TEST(the_send_hook_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
