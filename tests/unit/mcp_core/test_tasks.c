/* SPDX-License-Identifier: MIT
 *
 * Tasks of 2025-11-25: the client asks for them.
 */
#include <stdio.h>
#include <string.h>

#include "task_support.h"

#define CALL(id, name, more) REQUEST(id, "tools/call", "\"name\":\"" name "\"" more)
#define AS_TASK              ",\"task\":{}"
#define DATE_0               "\"1970-01-01T00:00:00.000Z\""
#define TIMES(created, updated, ttl)                                                                         \
    ",\"createdAt\":" created ",\"lastUpdatedAt\":" updated ",\"ttl\":" ttl ",\"pollInterval\":1000"
#define TASK(id, status, more, times) "\"taskId\":\"" id "\",\"status\":\"" status "\"" times more
#define WORKING(id)                   TASK(id, "working", "", TIMES(DATE_0, DATE_0, "600000"))
#define RELATED(id)                   "\"_meta\":{\"io.modelcontextprotocol/related-task\":{\"taskId\":\"" id "\"}}"
#define DONE                          "\"content\":[{\"type\":\"text\",\"text\":\"done\"}],"
#define GET(request)                  REQUEST(request, "tasks/get", "\"taskId\":\"" TASK_1 "\"")

static int set_up(void **state)
{
    task_set_up(state);
    client_initialise(&client, "2025-11-25");
    return 0;
}

/* What a session of another version, or of a client that can do more, begins with. */
static void begin_again(const char *version, const char *capabilities)
{
    char message[512];

    client_stop(&client);
    task_set_up(NULL);
    (void)snprintf(message, sizeof(message),
                   REQUEST("0", "initialize", "\"protocolVersion\":\"%s\",\"capabilities\":{%s}"), version,
                   capabilities);
    client_tell(&client, message);
}

static void test_declared(void **state)
{
    (void)state;
    client_tell(&client, REQUEST("1", "tools/list", ""));
    assert_non_null(strstr(client.last, "\"execution\":{\"taskSupport\":\"optional\"}"));
    assert_non_null(strstr(client.last, "\"execution\":{\"taskSupport\":\"required\"}"));
    begin_again("2025-11-25", "");
    assert_non_null(
        strstr(client.last, "\"tasks\":{\"list\":{},\"cancel\":{},\"requests\":{\"tools\":{\"call\":{}}}}"));
    begin_again("2025-06-18", "");
    assert_null(strstr(client.last, "\"tasks\""));
    client_tell(&client, REQUEST("1", "tools/list", ""));
    assert_null(strstr(client.last, "execution"));
    /* Where there are no tasks, the param means nothing, and all calls are ordinary. */
    client_expect(&client, CALL("2", "now", AS_TASK),
                  RESULT("2", "\"content\":[{\"type\":\"text\",\"text\":\"done\"}]"));
    client_expect_error(&client, GET("3"), "3", MCP_ERROR_METHOD_NOT_FOUND, "tasks/get");
}

static void test_polled(void **state)
{
    (void)state;
    now = 1;
    client_expect(&client, CALL("1", "later", AS_TASK),
                  RESULT("1", "\"task\":{" TASK(TASK_1, "working", "",
                                                TIMES("\"1970-01-01T00:00:00.001Z\"",
                                                      "\"1970-01-01T00:00:00.001Z\"", "600000")) "}"));
    assert_int_equal(mcp_session_pending(client.session), 0);
    now = 86400000ull * 365 + 3661002; /* the id of the request is free again */
    now = 599000;
    client_expect(
        &client, GET("1"),
        RESULT("1", TASK(TASK_1, "working", "",
                         TIMES("\"1970-01-01T00:00:00.001Z\"", "\"1970-01-01T00:00:00.001Z\"", "600000"))));
    mcp_call_progress(kept, 3, 4, NULL);
    client_tell(&client, GET("1"));
    assert_non_null(strstr(client.last, "\"statusMessage\":\"3 of 4\""));
    mcp_call_progress(kept, 4, 4, "soon");
    client_tell(&client, GET("1"));
    assert_non_null(strstr(client.last, "\"statusMessage\":\"soon\""));
    mcp_call_text(kept, "done", 4);
    mcp_call_finish(kept);
    assert_string_equal(client.last, NOTE("notifications/tasks/status",
                                          TASK(TASK_1, "completed", "",
                                               TIMES("\"1970-01-01T00:00:00.001Z\"",
                                                     "\"1970-01-01T00:09:59.000Z\"", "600000"))));
    assert_string_equal(client.sent_for, "");
    client_expect(&client, REQUEST("2", "tasks/result", "\"taskId\":\"" TASK_1 "\""),
                  RESULT("2", DONE RELATED(TASK_1)));
    client_expect(&client, REQUEST("3", "tasks/result", "\"taskId\":\"" TASK_1 "\""),
                  RESULT("3", DONE RELATED(TASK_1)));
}

static void test_answered_at_once(void **state)
{
    size_t before = client.received;

    (void)state;
    client_tell(&client, CALL("1", "now", AS_TASK)); /* the task, and that it is done */
    assert_int_equal(client.received, before + 2);
    client_expect(&client, REQUEST("2", "tasks/result", "\"taskId\":\"" TASK_1 "\""),
                  RESULT("2", DONE RELATED(TASK_1)));
}

static void test_result_waits(void **state)
{
    (void)state;
    client_tell(&client, CALL("1", "later", AS_TASK));
    client_expect_nothing(&client, REQUEST("2", "tasks/result", "\"taskId\":\"" TASK_1 "\""));
    client_expect_nothing(&client, REQUEST("3", "tasks/result", "\"taskId\":\"" TASK_1 "\""));
    client_expect_nothing(&client, REQUEST("4", "tasks/result", "\"taskId\":\"" TASK_1 "\""));
    assert_int_equal(mcp_session_pending(client.session), 3);
    client_expect_error(&client, REQUEST("2", "ping", ""), "2", MCP_ERROR_INVALID_REQUEST, "not answered");
    client_expect_nothing(&client, NOTE("notifications/cancelled", "\"requestId\":3"));
    mcp_call_progress(kept, 1, 0, "x"); /* it has no token */
    mcp_call_log(kept, MCP_LOG_ERROR, NULL, "hm");
    assert_string_equal(
        client.last, NOTE("notifications/message", "\"level\":\"error\",\"data\":\"hm\"," RELATED(TASK_1)));
    assert_string_equal(client.sent_for, "4");
    client.received = 0;
    mcp_call_error(kept, MCP_ERROR_INTERNAL, "broken");
    assert_int_equal(client.received, 3);
    assert_string_equal(client.last,
                        "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32603,\"message\":\"broken\"}}");
    client_tell(&client, GET("1"));
    assert_non_null(strstr(client.last, "\"statusMessage\":\"broken\""));
}

static void test_failure_of_the_tool(void **state)
{
    (void)state;
    client_tell(&client, CALL("1", "later", AS_TASK));
    mcp_call_fail(kept, "no luck");
    assert_non_null(strstr(client.last, "\"statusMessage\":\"no luck\""));
    client_expect(
        &client, REQUEST("2", "tasks/result", "\"taskId\":\"" TASK_1 "\""),
        RESULT("2",
               "\"content\":[{\"type\":\"text\",\"text\":\"no luck\"}],\"isError\":true," RELATED(TASK_1)));
    /* Wrong arguments, too, are what the call would have returned. */
    client_tell(&client, CALL("3", "later", ",\"arguments\":{\"n\":\"x\"}" AS_TASK));
    client_tell(&client, REQUEST("2", "tasks/result", "\"taskId\":\"" TASK_2 "\""));
    assert_non_null(strstr(client.last, "must be of type integer"));
    assert_int_equal(runs, 1);
}

static void test_cancelled(void **state)
{
    (void)state;
    client_tell(&client, CALL("1", "later", AS_TASK));
    client_expect_nothing(&client, NOTE("notifications/cancelled", "\"requestId\":1"));
    assert_int_equal(cancelled_count, 0); /* that is not how */
    client_expect_nothing(&client, REQUEST("5", "tasks/result", "\"taskId\":\"" TASK_1 "\""));
    now = 7;
    client.received = 0;
    client_tell(&client, REQUEST("2", "tasks/cancel", "\"taskId\":\"" TASK_1 "\""));
    assert_int_equal(client.received, 3); /* the notification, the answer to tasks/result, the answer */
    assert_string_equal(
        client.last,
        RESULT("2", TASK(TASK_1, "cancelled", ",\"statusMessage\":\"The task was cancelled by request.\"",
                         TIMES(DATE_0, "\"1970-01-01T00:00:00.007Z\"", "600000"))));
    assert_int_equal(cancelled_count, 1);
    assert_true(mcp_call_is_cancelled(kept));
    client_expect_error(&client, REQUEST("3", "tasks/cancel", "\"taskId\":\"" TASK_1 "\""), "3",
                        MCP_ERROR_INVALID_PARAMS, "it is cancelled");
    client_expect_error(&client, REQUEST("3", "tasks/result", "\"taskId\":\"" TASK_1 "\""), "3",
                        MCP_ERROR_INVALID_PARAMS, "cancelled");
    client.received = 0;
    mcp_call_text(kept, "late", 4);
    mcp_call_finish(kept);
    assert_int_equal(client.received, 0);
    client_tell(&client, GET("4"));
    assert_non_null(strstr(client.last, "\"status\":\"cancelled\""));
}

static void test_refusals(void **state)
{
    (void)state;
    client_expect_error(&client, CALL("1", "never", AS_TASK), "1", MCP_ERROR_METHOD_NOT_FOUND,
                        "never cannot be called as a task");
    client_expect_error(&client, CALL("1", "must", ""), "1", MCP_ERROR_METHOD_NOT_FOUND,
                        "must must be called as a task");
    client_expect_error(&client, CALL("1", "now", ",\"task\":1"), "1", MCP_ERROR_INVALID_PARAMS, "task must");
    client_expect_error(&client, CALL("1", "now", ",\"task\":{\"ttl\":-1}"), "1", MCP_ERROR_INVALID_PARAMS,
                        "ttl");
    client_expect_error(&client, CALL("1", "now", ",\"task\":{\"ttl\":\"1\"}"), "1", MCP_ERROR_INVALID_PARAMS,
                        "ttl");
    client_expect_error(&client, REQUEST("1", "tasks/get", ""), "1", MCP_ERROR_INVALID_PARAMS, "taskId must");
    client_expect_error(&client, GET("1"), "1", MCP_ERROR_INVALID_PARAMS, "no such task");
    client_expect_error(&client, REQUEST("1", "tasks/update", "\"taskId\":\"x\""), "1",
                        MCP_ERROR_METHOD_NOT_FOUND, "tasks/update");
    client_expect_error(&client, REQUEST("1", "tasks/list", "\"cursor\":\"x\""), "1",
                        MCP_ERROR_INVALID_PARAMS, "cursor");
    entropy_fails = true;
    client_expect_error(&client, CALL("1", "now", AS_TASK), "1", MCP_ERROR_INTERNAL, "entropy");
    entropy_fails = false;
    assert_int_equal(runs, 0);
}

static char heard[512]; /* by the other session */

static int hear(void *context, const char *message, size_t length)
{
    (void)context;
    (void)snprintf(heard, sizeof(heard), "%.*s", (int)length, message);
    return 0;
}

static void other_tells(struct mcp_session *other, const char *message)
{
    mcp_session_receive(other, message, strlen(message));
}

/* Not even one of the same principal. */
static void test_of_another_session(void **state)
{
    static const char *const methods[] = {"tasks/get", "tasks/result", "tasks/cancel"};
    struct mcp_session *other;
    char request[256];

    (void)state;
    client_tell(&client, CALL("1", "later", AS_TASK));
    assert_int_equal(mcp_session_open(client.server, hear, NULL, &other), 0);
    other_tells(other, REQUEST("1", "initialize", "\"protocolVersion\":\"2025-11-25\""));
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        (void)snprintf(request, sizeof(request), REQUEST("1", "%s", "\"taskId\":\"" TASK_1 "\""), methods[i]);
        other_tells(other, request);
        assert_non_null(strstr(heard, "no such task"));
    }
    other_tells(other, REQUEST("1", "tasks/list", ""));
    assert_string_equal(heard, RESULT("1", "\"tasks\":[]"));
    /* A cursor of a list with a task of its own leads to none of the other's. */
    other_tells(other, CALL("1", "now", AS_TASK));
    other_tells(other, REQUEST("1", "tasks/list", ""));
    assert_non_null(strstr(heard, TASK_2));
    assert_null(strstr(heard, TASK_1));
    mcp_session_close(other);
    client_tell(&client, GET("2"));
    assert_non_null(strstr(client.last, "working"));
    mcp_call_finish(kept);
}

static void test_ends_with_its_session(void **state)
{
    struct mcp_server_statistics statistics;

    (void)state;
    client_tell(&client, CALL("1", "later", AS_TASK));
    client_tell(&client, CALL("2", "now", AS_TASK));
    client_expect_nothing(&client, REQUEST("3", "tasks/result", "\"taskId\":\"" TASK_1 "\""));
    mcp_server_get_statistics(client.server, &statistics);
    assert_int_equal(statistics.tasks, 2);
    mcp_session_close(client.session);
    client.session = NULL;
    assert_int_equal(cancelled_count, 1);
    mcp_server_get_statistics(client.server, &statistics);
    assert_int_equal(statistics.tasks, 0);
    mcp_call_finish(kept);
}

static void test_expires(void **state)
{
    (void)state;
    client_tell(&client, CALL("1", "later", ",\"task\":{\"ttl\":5000}"));
    assert_non_null(strstr(client.last, "\"ttl\":5000"));
    client_tell(&client, CALL("1", "now", ",\"task\":{\"ttl\":1}"));
    client_expect_nothing(&client, REQUEST("9", "tasks/result", "\"taskId\":\"" TASK_1 "\""));
    now = 1000;
    client_expect_error(&client, REQUEST("2", "tasks/get", "\"taskId\":\"" TASK_2 "\""), "2",
                        MCP_ERROR_INVALID_PARAMS, "expired");
    assert_int_equal(cancelled_count, 0);
    now = 5000;
    client.received = 0;
    mcp_server_expire_tasks(client.server);
    assert_int_equal(client.received, 1);
    assert_non_null(strstr(client.last, "\"id\":9,\"error\":{\"code\":-32602"));
    assert_int_equal(cancelled_count, 1);
    client_expect_error(&client, GET("2"), "2", MCP_ERROR_INVALID_PARAMS, "expired");
    client.received = 0;
    mcp_call_finish(kept);
    assert_int_equal(client.received, 0);
}

static void test_listed(void **state)
{
    struct mcp_server_config config = task_config();
    size_t seen = 0;
    char cursor[64] = "";

    (void)state;
    client_expect(&client, REQUEST("1", "tasks/list", ""), RESULT("1", "\"tasks\":[]"));
    client_tell(&client, CALL("1", "now", AS_TASK));
    client_tell(&client, REQUEST("1", "tasks/list", ""));
    assert_non_null(strstr(client.last, TASK_1));
    client_stop(&client);

    config.message_max = 1024; /* the least */
    client = (struct client){0};
    task_start(&config, NULL);
    client_initialise(&client, "2025-11-25");
    for (size_t i = 0; i < 10; i++)
        client_tell(&client, CALL("1", "now", AS_TASK));
    for (;;) {
        char request[256];
        const char *next;

        (void)snprintf(request, sizeof(request), REQUEST("1", "tasks/list", "%s%s%s"),
                       cursor[0] != '\0' ? "\"cursor\":\"" : "", cursor, cursor[0] != '\0' ? "\"" : "");
        client_tell(&client, request);
        for (const char *at = client.last; (at = strstr(at, "\"taskId\"")) != NULL; at++)
            seen++;
        next = strstr(client.last, "\"nextCursor\":\"");
        if (next == NULL)
            break;
        (void)snprintf(cursor, sizeof(cursor), "%.24s", next + strlen("\"nextCursor\":\""));
    }
    assert_int_equal(seen, 10);
}

static void test_limits(void **state)
{
    struct mcp_server_config config = task_config();
    const struct mcp_task_config limits = {.tasks_per_client = 2, .ttl_ms = 3000, .poll_ms = 10};

    (void)state;
    client_stop(&client);
    client = (struct client){0};
    config.memory_per_session = 8192;
    task_start(&config, &limits);
    client_initialise(&client, "2025-11-25");
    client_tell(&client, CALL("1", "now", ",\"task\":{\"ttl\":999999999999}"));
    client_tell(&client, CALL("1", "later", AS_TASK));
    assert_non_null(strstr(client.last, "\"ttl\":3000,\"pollInterval\":10"));
    client_expect_error(&client, CALL("1", "now", AS_TASK), "1", MCP_ERROR_OVERLOADED, "too many tasks");
    /* A result that there is no room for is an error of the task. */
    for (size_t i = 0; i < 512; i++)
        mcp_call_text(kept, "0123456789abcdef", 16);
    mcp_call_finish(kept);
    client_expect_error(&client, REQUEST("2", "tasks/result", "\"taskId\":\"" TASK_2 "\""), "2",
                        MCP_ERROR_OVERLOADED, "no memory for the result");
    now = 3000;
    client_tell(&client, CALL("1", "now", AS_TASK));
    assert_non_null(strstr(client.last, "\"status\":\"completed\""));
}

static void test_asks(void **state)
{
    (void)state;
    begin_again("2025-11-25", "\"elicitation\":{}");
    client.received = 0;
    client_tell(&client, CALL("1", "ask", AS_TASK)); /* the task, that it waits, the question */
    assert_int_equal(client.received, 3);
    assert_non_null(strstr(client.last, "\"method\":\"elicitation/create\""));
    assert_non_null(strstr(client.last, RELATED(TASK_1)));
    client_tell(&client, GET("2"));
    assert_non_null(strstr(client.last, "input_required"));
    client_tell(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"accept\",\"content\":{"
                         "\"name\":\"Bo\"}}}");
    client_expect(&client, REQUEST("2", "tasks/result", "\"taskId\":\"" TASK_1 "\""),
                  RESULT("2", "\"content\":[{\"type\":\"text\",\"text\":\"Bo\"}]," RELATED(TASK_1)));
    /* One that waits for its client is cancelled without its handler. */
    client_tell(&client, CALL("1", "ask", AS_TASK));
    client_tell(&client, REQUEST("2", "tasks/cancel", "\"taskId\":\"" TASK_2 "\""));
    assert_int_equal(cancelled_count, 0);
    assert_int_equal(runs, 3);
    client_expect_nothing(&client, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
}

static void close_it(struct client *of)
{
    of->on_message = NULL;
    mcp_session_close(of->session);
    of->session = NULL;
}

static void test_closed_while_told(void **state)
{
    (void)state;
    client.on_message = close_it;
    client_tell(&client, CALL("1", "later", AS_TASK));
    assert_int_equal(runs, 0); /* the handler never had it */
}

static void test_closed_when_done(void **state)
{
    (void)state;
    client_tell(&client, CALL("1", "later", AS_TASK));
    client_expect_nothing(&client, REQUEST("2", "tasks/result", "\"taskId\":\"" TASK_1 "\""));
    client.on_message = close_it;
    mcp_call_finish(kept);
}

static uint64_t date; /* seconds since 1970 */

static uint64_t unix_time_ms(void *context)
{
    (void)context;
    return date * 1000 + 9;
}

static void test_dates(void **state)
{
    static const struct {
        uint64_t seconds;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.009Z"},          {951825599, "2000-02-29T11:59:59.009Z"},
        {1709164800, "2024-02-29T00:00:00.009Z"}, {1735689599, "2024-12-31T23:59:59.009Z"},
        {1785240000, "2026-07-28T12:00:00.009Z"}, {4107542400, "2100-03-01T00:00:00.009Z"},
    };
    const struct mcp_task_config with_clock = {.unix_time_ms = unix_time_ms};
    struct mcp_server_config config = task_config();

    (void)state;
    client_stop(&client);
    client = (struct client){0};
    task_start(&config, &with_clock);
    client_initialise(&client, "2025-11-25");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        date = cases[i].seconds;
        client_tell(&client, CALL("1", "now", AS_TASK));
        if (strstr(client.last, cases[i].text) == NULL)
            fail_msg("%s is not in %s", cases[i].text, client.last);
    }
}

static void test_needs(void **state)
{
    struct client other = {0};
    struct mcp_server_config config = test_config;
    const struct mcp_tool tool = {.name = "x",
                                  .handler = (mcp_call_handler)(uintptr_t)1,
                                  .input_schema = "{\"type\":\"object\"}",
                                  .tasks = MCP_TASKS_REQUIRED};

    (void)state;
    client_start(&other, &config);
    assert_true(mcp_server_enable_tasks(other.server, NULL) < 0); /* no entropy */
    mcp_server_expire_tasks(other.server);
    mcp_server_end_tasks(other.server);
    assert_int_equal(mcp_server_add_tool(other.server, &tool), 0);
    client_initialise(&other, "2025-11-25");
    client_tell(&other, REQUEST("1", "tools/list", ""));
    assert_null(strstr(other.last, "execution"));
    client_stop(&other);
    assert_true(mcp_server_enable_tasks(client.server, NULL) < 0); /* there are tools */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_declared, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_polled, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_answered_at_once, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_result_waits, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_failure_of_the_tool, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_cancelled, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_of_another_session, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_ends_with_its_session, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_expires, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_listed, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_asks, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_closed_while_told, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_closed_when_done, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_dates, set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_needs, set_up, task_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
