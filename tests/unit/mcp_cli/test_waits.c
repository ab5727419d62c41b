/* SPDX-License-Identifier: MIT
 *
 * What takes its time: a person who is asked at the terminal, text in pieces, tasks.
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

#define AUTO(...)                                                                                            \
    do {                                                                                                     \
        harness.era = "auto";                                                                                \
        RUN(__VA_ARGS__);                                                                                    \
    } while (0)

static void elicitation_on_a_terminal(void **state)
{
    (void)state;
    run_on_terminal(WORDS("call", "x", "--args", "{}"));
    server_handshake();
    server_expect_call("x", "{}");
    json_int_t id = server_id();
    server_send(
        "{\"jsonrpc\":\"2.0\",\"id\":\"e\",\"method\":\"elicitation/create\",\"params\":{\"message\":"
        "\"Who\\u001b[2J?\",\"requestedSchema\":{\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{"
        "\"type\":\"integer\",\"default\":7},\"sure\":{\"type\":\"boolean\"},\"colour\":{\"enum\":[\"red\","
        "\"blue\"]}},\"required\":[\"name\",\"sure\"]}}}");
    terminal_wait_for("Who\\x1b[2J?");
    terminal_wait_for("Answer it? [y/N] ");
    terminal_type("y\n");
    terminal_wait_for("name (string): ");
    terminal_type("\n"); /* is required */
    terminal_wait_for("That does not fit.");
    terminal_type("Ann\n");
    terminal_wait_for("age (integer) [7], or nothing: ");
    terminal_type("\n");
    terminal_wait_for("sure (boolean): ");
    terminal_type("yes\n");
    terminal_wait_for("colour (red, blue), or nothing: ");
    terminal_type("green\n");
    terminal_forget();
    terminal_wait_for("That does not fit.");
    terminal_type("blue\n");
    json_t *message = server_read();
    json_t *wanted = json_pack("{s:s, s:{s:s, s:i, s:b, s:s}}", "action", "accept", "content", "name", "Ann",
                               "age", 7, "sure", 1, "colour", "blue");
    assert_true(json_equal(json_object_get(message, "result"), wanted));
    json_decref(wanted);
    json_decref(message);
    server_send("{\"jsonrpc\":\"2.0\",\"id\":\"f\",\"method\":\"elicitation/"
                "create\",\"params\":{\"message\":\"m\"}}");
    terminal_forget();
    terminal_wait_for("Answer it? [y/N] ");
    run_interrupt();
    message = server_read();
    json_t *action = json_object_get(json_object_get(message, "result"), "action");
    assert_string_equal(json_string_value(action), "cancel");
    json_decref(message);
    char answer[100];
    snprintf(answer, sizeof answer, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"content\":[]}}",
             (long long)id);
    server_send(answer);
    assert_int_equal(run_finish(), 0);
}

/* Sends an elicitation with these params; what the program answers is `result`. */
static void assert_elicits(const char *params, const char *const *answers, const char *result)
{
    char text[900];
    snprintf(text, sizeof text,
             "{\"jsonrpc\":\"2.0\",\"id\":\"e\",\"method\":\"elicitation/create\",\"params\":%s}", params);
    server_send(text);
    for (; answers[0]; answers += 2) {
        terminal_wait_for(answers[0]);
        terminal_forget();
        terminal_type(answers[1]);
    }
    json_t *message = server_read();
    json_t *wanted = json_loads(result, 0, NULL);
    assert_true(json_equal(json_object_get(message, "result"), wanted));
    json_decref(wanted);
    json_decref(message);
}

static void more_elicitations(void **state)
{
    (void)state;
    run_on_terminal(WORDS("call", "x", "--args", "{}"));
    server_handshake();
    server_expect_call("x", "{}");
    json_int_t id = server_id();
    assert_elicits("{\"mode\":\"url\",\"message\":\"Log in\",\"url\":\"https://h/\\u001b[2J\"}",
                   WORDS("https://h/\\x1b[2J\r\nHave you opened it? [y/N] ", "y\n"),
                   "{\"action\":\"accept\"}");
    assert_elicits("{\"message\":\"m\"}", WORDS("Answer it? [y/N] ", "\n"), "{\"action\":\"decline\"}");
    /* a type that would move the cursor; several choices; choices with titles; a text that may be left out */
    assert_elicits("{\"message\":\"m\",\"requestedSchema\":{\"properties\":{\"t\":{\"type\":\"\\u001b[2J\"},"
                   "\"s\":{\"title\":"
                   "\"Some\",\"description\":\"of "
                   "them\",\"type\":\"array\",\"items\":{\"anyOf\":[{\"const\":\"a\",\"title\":\"A\"},{"
                   "\"const\":\"b\"}]}},\"o\":{\"type\":\"string\",\"oneOf\":[{\"const\":\"x\"},{\"const\":"
                   "\"y\"}]},\"f\":{\"type\":"
                   "\"boolean\"}}}}",
                   WORDS("Answer it? [y/N] ", "y\n", "t (\\x1b[2J), or nothing: ", "\n",
                         "Some, of them (a, b), or nothing: ", "a, c\n", "That does not fit.", "b , a\n",
                         "o (x, y), or nothing: ", "y\n", "f (boolean), or nothing: ", "no\n"),
                   "{\"action\":\"accept\",\"content\":{\"s\":[\"b\",\"a\"],\"o\":\"y\",\"f\":false}}");
    char answer[100];
    snprintf(answer, sizeof answer, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"content\":[]}}",
             (long long)id);
    server_send(answer);
    assert_int_equal(run_finish(), 0);
}

static void streamed_text(void **state)
{
    (void)state;
    run_on_terminal(WORDS("infer", "x"));
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"x\"}");
    for (int i = 1; i <= 2; i++) {
        char text[200];
        snprintf(
            text, sizeof text,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%lld,"
            "\"progress\":%d,\"message\":\"piece%d \"}}",
            (long long)server_id(), i, i);
        server_send(text);
    }
    terminal_wait_for("piece1 piece2 "); /* before the answer is there */
    server_reply_structured("{\"text\":\"piece1 piece2 end\"}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.screen, "piece1 piece2 end\r\n");
}

#define TASK(status) "\"taskId\":\"t\",\"status\":\"" status "\",\"pollIntervalMs\":1,\"pollInterval\":1"

static void a_task(void **state)
{
    (void)state;
    AUTO("--root", "/", "call", "x", "--args", "{}");
    server_discovered();
    json_t *meta = server_expect_stateless("tools/call", "{\"name\":\"x\",\"arguments\":{}}");
    json_t *can = json_object_get(meta, "io.modelcontextprotocol/clientCapabilities");
    assert_non_null(json_object_get(json_object_get(can, "extensions"), "io.modelcontextprotocol/tasks"));
    json_decref(meta);
    server_reply("{\"resultType\":\"task\"," TASK("working") "}");
    json_decref(server_expect_stateless("tasks/get", "{\"taskId\":\"t\"}"));
    server_reply("{" TASK("input_required") ",\"inputRequests\":{\"r\":{\"method\":\"roots/list\"}}}");
    json_decref(server_expect_stateless("tasks/update",
                                        "{\"taskId\":\"t\",\"inputResponses\":{\"r\":{\"roots\":[{\"uri\":"
                                        "\"file:///\",\"name\":\"/\"}]}}}"));
    server_reply("{}");
    json_decref(server_expect_stateless("tasks/get", "{\"taskId\":\"t\"}"));
    /* the answer is on its way: the question is not answered twice */
    server_reply("{" TASK("input_required") ",\"inputRequests\":{\"r\":{\"method\":\"roots/list\"}}}");
    json_decref(server_expect_stateless("tasks/get", "{\"taskId\":\"t\"}"));
    server_reply("{" TASK("completed") ",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"ok\"}]}}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "ok\n");

    static const char *const ends[][2] = {
        {TASK("failed") ",\"error\":{\"code\":-32603,\"message\":\"broken\"}", "x: broken (error -32603)"},
        {TASK("cancelled") ",\"statusMessage\":\"enough\"", "x: the task was cancelled: enough"},
        {TASK("completed"), "x: the task completed without a result"},
        {"\"taskId\":\"t\"", "x: the server's task has no status, or no id"},
        {"\"status\":\"working\"", "x: the server's task has no status, or no id"},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char text[200];
        AUTO("call", "x", "--args", "{}");
        server_discovered();
        json_decref(server_expect_stateless("tools/call", NULL));
        snprintf(text, sizeof text, "{\"resultType\":\"task\",%s}", ends[i][0]);
        server_reply(text);
        assert_fails(1, ends[i][1]);
    }
}

static void a_task_is_cancelled(void **state)
{
    (void)state;
    AUTO("call", "x", "--args", "{}");
    server_discovered();
    json_decref(server_expect_stateless("tools/call", NULL));
    server_reply(
        "{\"resultType\":\"task\",\"taskId\":\"t\",\"status\":\"working\",\"pollIntervalMs\":60000}");
    run_interrupt();
    json_t *message = server_read();
    /* before the task was there, the call is cancelled */
    const char *method = json_string_value(json_object_get(message, "method"));
    assert_true(strcmp(method, "tasks/cancel") == 0 || strcmp(method, "notifications/cancelled") == 0);
    server_send("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}");
    json_decref(message);
    assert_int_equal(run_finish(), 130);
}

static void a_task_of_the_older_era(void **state)
{
    (void)state;
    RUN("call", "x", "--args", "{}");
    server_accept();
    json_decref(server_read());
    server_send("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\","
                "\"capabilities\":{\"tasks\":{"
                "\"requests\":{\"tools\":{\"call\":{}}}}}}}");
    server_expect("notifications/initialized", NULL);
    server_expect("tools/list", "{}");
    server_reply("{\"tools\":[{\"name\":\"x\",\"execution\":{\"taskSupport\":\"required\"}}]}");
    json_t *message = server_read();
    assert_non_null(json_object_get(json_object_get(message, "params"), "task"));
    json_decref(message);
    server_send("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"task\":{" TASK("working") "}}}");
    server_expect("tasks/get", "{\"taskId\":\"t\"}");
    server_reply("{" TASK("completed") "}");
    message = server_read();
    assert_string_equal(json_string_value(json_object_get(message, "method")), "tasks/result");
    json_decref(message);
    server_send(
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"ok\"}]}}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "ok\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(elicitation_on_a_terminal), TEST(more_elicitations),      TEST(streamed_text), TEST(a_task),
        TEST(a_task_is_cancelled),       TEST(a_task_of_the_older_era)};
    return cmocka_run_group_tests_name("mcp-cli: waits", tests, NULL, NULL);
}
