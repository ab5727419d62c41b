/* SPDX-License-Identifier: MIT
 *
 * Tasks of 2026-07-28, the extension io.modelcontextprotocol/tasks: the server chooses.
 */
#include <stdio.h>
#include <string.h>

#include "task_support.h"

#define DATE_0 "\"1970-01-01T00:00:00.000Z\""
#define TASK(id, status, more)                                                                               \
    ",\"taskId\":\"" id "\",\"status\":\"" status "\",\"createdAt\":" DATE_0 ",\"lastUpdatedAt\":" DATE_0    \
    ",\"ttlMs\":600000,\"pollIntervalMs\":1000" more
#define CREATED(id, task)                                                                                    \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{\"resultType\":\"task\"" TASK(task, "working", "")       \
        STATELESS_END
#define DONE        "{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\",\"text\":\"done\"}]}"
#define TASK_OF(id) ",\"taskId\":\"" id "\""
#define ANSWER      "{\"action\":\"accept\",\"content\":{\"name\":\"Bo\"}}"

/* A request of a client that can have tasks, and be asked by form. */
static const char *able(const char *id, const char *method, const char *params)
{
    static char message[4096];

    (void)snprintf(message, sizeof(message),
                   "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"%s\",\"params\":{\"_meta\":{"
                   "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                   "\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{},\"extensions\":{"
                   "\"io.modelcontextprotocol/tasks\":{}}}}%s}}",
                   id, method, params);
    return message;
}

static const char *call(const char *id, const char *name)
{
    char params[128];

    (void)snprintf(params, sizeof(params), ",\"name\":\"%s\"", name);
    return able(id, "tools/call", params);
}

static void test_declared(void **state)
{
    (void)state;
    client_tell(&client, stateless("1", "server/discover", "", ""));
    assert_non_null(strstr(client.last, "\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}"));
    assert_null(strstr(client.last, "\"tasks\":"));
    client_tell(&client, stateless("1", "tools/list", "", ""));
    assert_null(strstr(client.last, "execution"));
}

static void test_polled(void **state)
{
    (void)state;
    client_expect(&client, call("1", "later"), CREATED("1", TASK_1));
    assert_int_equal(mcp_session_pending(client.session), 0);
    mcp_call_progress(kept, 1, 2, "half"); /* is told to those who ask, and is no notification */
    mcp_call_log(kept, MCP_LOG_ERROR, NULL, "hm");
    client_expect(&client, able("1", "tasks/get", TASK_OF(TASK_1)),
                  STATELESS_RESULT("1") TASK(TASK_1, "working", ",\"statusMessage\":\"half\"") STATELESS_END);
    mcp_call_text(kept, "done", 4);
    mcp_call_finish(kept);
    client_expect(&client, able("2", "tasks/get", TASK_OF(TASK_1)),
                  STATELESS_RESULT("2") TASK(TASK_1, "completed", "") ",\"result\":" DONE STATELESS_END);
}

/* What needs no waiting is no task; nor is a call of a client that cannot have one. */
static void test_ordinary_calls(void **state)
{
    struct mcp_server_statistics statistics;

    (void)state;
    client_expect(&client, call("1", "now"),
                  STATELESS_RESULT("1") ",\"content\":[{\"type\":\"text\",\"text\":\"done\"}]" STATELESS_END);
    client_tell(&client, able("1", "tools/call", ",\"name\":\"never\",\"task\":{\"ttl\":60000}"));
    assert_non_null(strstr(client.last, "\"resultType\":\"complete\""));
    client_expect_nothing(&client, stateless("1", "tools/call", ",\"name\":\"later\"", ""));
    mcp_call_finish(kept);
    assert_non_null(strstr(client.last, "\"resultType\":\"complete\""));
    client_tell(&client, able("1", "tools/call", ",\"name\":\"later\",\"arguments\":{\"n\":\"x\"}"));
    assert_non_null(strstr(client.last, "\"isError\":true"));
    mcp_server_get_statistics(client.server, &statistics);
    assert_int_equal(statistics.tasks, 0);
}

static void test_needs_the_extension(void **state)
{
    static const char *const methods[] = {"tasks/get", "tasks/update", "tasks/cancel"};

    (void)state;
    client_expect_error(&client, stateless("1", "tools/call", ",\"name\":\"must\"", ""), "1",
                        MCP_ERROR_MISSING_CAPABILITY, "extension io.modelcontextprotocol/tasks");
    assert_non_null(strstr(
        client.last,
        "\"data\":{\"requiredCapabilities\":{\"extensions\":{\"io.modelcontextprotocol/tasks\":{}}}}"));
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        client_expect_error(&client, stateless("1", methods[i], TASK_OF("x"), ""), "1",
                            MCP_ERROR_MISSING_CAPABILITY, "extension");
    client_expect_error(&client, able("1", "tasks/result", TASK_OF("x")), "1", MCP_ERROR_METHOD_NOT_FOUND,
                        "");
    client_expect_error(&client, able("1", "tasks/list", ""), "1", MCP_ERROR_METHOD_NOT_FOUND, "");
    client_expect_error(&client, able("1", "tasks/get", TASK_OF("x")), "1", MCP_ERROR_INVALID_PARAMS,
                        "no such task");
    client_expect_error(&client, able("1", "tasks/cancel", ",\"taskId\":1"), "1", MCP_ERROR_INVALID_PARAMS,
                        "taskId must");
    assert_int_equal(runs, 0);
}

static void test_failures(void **state)
{
    (void)state;
    client_tell(&client, call("1", "later"));
    mcp_call_fail(kept, "no luck");
    client_expect(&client, able("1", "tasks/get", TASK_OF(TASK_1)),
                  STATELESS_RESULT("1")
                      TASK(TASK_1, "completed",
                           ",\"statusMessage\":\"no luck\"") ",\"result\":{\"resultType\":\"complete\","
                                                             "\"content\":[{\"type\":\"text\",\"text\":"
                                                             "\"no luck\"}],\"isError\":true}" STATELESS_END);
    client_tell(&client, call("1", "must"));
    mcp_call_error(kept, MCP_ERROR_INTERNAL, "broken");
    client_expect(
        &client, able("1", "tasks/get", TASK_OF(TASK_2)),
        STATELESS_RESULT("1")
            TASK(TASK_2, "failed", ",\"statusMessage\":\"broken\"") ",\"error\":{\"code\":-32603,\"message\":"
                                                                    "\"broken\"}" STATELESS_END);
}

static void test_cancelled(void **state)
{
    (void)state;
    client_tell(&client, call("1", "later"));
    client_expect(&client, able("1", "tasks/cancel", TASK_OF(TASK_1)), STATELESS_RESULT("1") STATELESS_END);
    assert_int_equal(cancelled_count, 1);
    client_tell(&client, able("1", "tasks/get", TASK_OF(TASK_1)));
    assert_non_null(strstr(client.last, "\"status\":\"cancelled\""));
    client_expect(&client, able("1", "tasks/cancel", TASK_OF(TASK_1)), STATELESS_RESULT("1") STATELESS_END);
    assert_int_equal(cancelled_count, 1);
    mcp_call_text(kept, "late", 4);
    mcp_call_finish(kept);
    client_tell(&client, able("1", "tasks/get", TASK_OF(TASK_1)));
    assert_non_null(strstr(client.last, "\"status\":\"cancelled\""));
    assert_null(strstr(client.last, "late"));
}

static void test_asks(void **state)
{
    (void)state;
    rounds = 2;
    client_expect(&client, call("1", "ask"), CREATED("1", TASK_1));
    client_expect(&client, able("1", "tasks/get", TASK_OF(TASK_1)),
                  STATELESS_RESULT("1") TASK(TASK_1, "input_required",
                                             "") ",\"inputRequests\":{\"1-name\":{\"method\":\"elicitation/"
                                                 "create\",\"params\":{\"mode\":\"form\","
                                                 "\"message\":\"Who?\"}}}" STATELESS_END);
    /* Answers to nothing are passed over; what is no answer is refused. */
    client_expect(&client,
                  able("2", "tasks/update", TASK_OF(TASK_1) ",\"inputResponses\":{\"name\":" ANSWER "}"),
                  STATELESS_RESULT("2") STATELESS_END);
    client_expect_error(&client,
                        able("2", "tasks/update", TASK_OF(TASK_1) ",\"inputResponses\":{\"1-name\":1}"), "2",
                        MCP_ERROR_INVALID_PARAMS, "must be an object");
    client_expect_error(&client, able("2", "tasks/update", TASK_OF(TASK_1)), "2", MCP_ERROR_INVALID_PARAMS,
                        "inputResponses");
    assert_int_equal(runs, 1);
    client_expect(&client,
                  able("2", "tasks/update", TASK_OF(TASK_1) ",\"inputResponses\":{\"1-name\":" ANSWER "}"),
                  STATELESS_RESULT("2") STATELESS_END);
    assert_int_equal(runs, 2);
    client_tell(&client, able("3", "tasks/get", TASK_OF(TASK_1)));
    assert_non_null(strstr(client.last, "\"inputRequests\":{\"2-name\":"));
    client_tell(&client,
                able("2", "tasks/update", TASK_OF(TASK_1) ",\"inputResponses\":{\"2-name\":" ANSWER "}"));
    client_expect(&client, able("4", "tasks/get", TASK_OF(TASK_1)),
                  STATELESS_RESULT("4")
                      TASK(TASK_1, "completed", "") ",\"result\":{\"resultType\":\"complete\",\"content\":[{"
                                                    "\"type\":\"text\",\"text\":\"Bo\"}]}" STATELESS_END);
    client_expect(&client, able("2", "tasks/update", TASK_OF(TASK_1) ",\"inputResponses\":{}"),
                  STATELESS_RESULT("2") STATELESS_END);
    /* Cancelled while nobody has it. */
    client_tell(&client, call("1", "ask"));
    client_tell(&client, able("1", "tasks/cancel", TASK_OF(TASK_2)));
    assert_int_equal(cancelled_count, 0);
}

/* Two questions at once, answered one by one. */
static void test_asks_two(void **state)
{
    (void)state;
    client_tell(&client, call("1", "two"));
    client_tell(&client,
                able("2", "tasks/update", TASK_OF(TASK_1) ",\"inputResponses\":{\"1-b\":" ANSWER "}"));
    client_tell(&client, able("3", "tasks/get", TASK_OF(TASK_1)));
    assert_non_null(strstr(client.last, "\"status\":\"input_required\""));
    assert_non_null(strstr(client.last, "\"inputRequests\":{\"1-a\":{"));
    assert_null(strstr(client.last, "1-b"));
    client_tell(&client, able("2", "tasks/update", TASK_OF(TASK_1) ",\"inputResponses\":{\"1-b\":1}"));
    assert_null(strstr(client.last, "error")); /* it has been answered, so this is nothing */
    client_tell(&client,
                able("2", "tasks/update", TASK_OF(TASK_1) ",\"inputResponses\":{\"1-a\":" ANSWER "}"));
    client_tell(&client, able("3", "tasks/get", TASK_OF(TASK_1)));
    assert_non_null(strstr(client.last, "\"status\":\"completed\""));
}

/* What is asked before there is a task goes the way of every call. */
static void test_asks_first(void **state)
{
    char again[1024];
    const char *sealed;

    (void)state;
    client_tell(&client, call("1", "first"));
    assert_non_null(strstr(client.last, "\"resultType\":\"input_required\""));
    assert_null(strstr(client.last, "taskId"));
    sealed = strstr(client.last, "\"requestState\":");
    assert_non_null(sealed);
    (void)snprintf(again, sizeof(again), ",\"name\":\"first\",\"inputResponses\":{\"name\":" ANSWER "},%.*s",
                   (int)strcspn(sealed, ","), sealed);
    client_tell(&client, able("2", "tools/call", again));
    assert_non_null(strstr(client.last, "\"resultType\":\"task\""));
    assert_null(strstr(client.last, "requestState"));
    mcp_call_finish(kept);
}

/* It outlives the connection, and belongs to whom it was made for. */
static void test_principals(void **state)
{
    (void)state;
    mcp_session_identify(client.session, "ann", 3);
    client_tell(&client, call("1", "later"));
    mcp_session_close(client.session);
    assert_int_equal(cancelled_count, 0);
    mcp_call_text(kept, "done", 4);
    mcp_call_finish(kept);

    client_open(&client);
    client_expect_error(&client, able("1", "tasks/get", TASK_OF(TASK_1)), "1", MCP_ERROR_INVALID_PARAMS,
                        "no such");
    mcp_session_identify(client.session, "anna", 4);
    client_expect_error(&client, able("1", "tasks/get", TASK_OF(TASK_1)), "1", MCP_ERROR_INVALID_PARAMS,
                        "no such");
    client_expect_error(&client, able("1", "tasks/cancel", TASK_OF(TASK_1)), "1", MCP_ERROR_INVALID_PARAMS,
                        "no such");
    mcp_session_identify(client.session, "ann", 3);
    client_tell(&client, able("1", "tasks/get", TASK_OF(TASK_1)));
    assert_non_null(strstr(client.last, "\"result\":" DONE));
}

/* The handler of a call that is no task yet may be the last to know that its client is gone. */
static void test_closed_before_it_is_a_task(void **state)
{
    struct mcp_server_statistics statistics;

    (void)state;
    client_tell(&client, stateless("1", "tools/call", ",\"name\":\"later\"", ""));
    mcp_session_close(client.session);
    client_open(&client);
    assert_int_equal(cancelled_count, 1);
    mcp_call_continue_as_task(kept);
    mcp_call_finish(kept);
    mcp_server_get_statistics(client.server, &statistics);
    assert_int_equal(statistics.tasks, 0);
}

static void test_limits(void **state)
{
    struct mcp_server_config config = task_config();
    const struct mcp_task_config limits = {.tasks_per_client = 2, .tasks_in_all = 3, .ttl_ms = 3000};
    struct mcp_call *first;

    (void)state;
    client_stop(&client);
    client = (struct client){0};
    config.memory_per_session = 8192;
    task_start(&config, &limits);
    client_tell(&client, call("1", "later"));
    first = kept;
    client_tell(&client, call("2", "later"));
    mcp_call_finish(kept);
    kept = NULL;
    client_expect_nothing(&client, call("3", "later")); /* an ordinary call */
    assert_non_null(kept);
    mcp_call_finish(kept);
    assert_non_null(strstr(client.last, "\"resultType\":\"complete\""));
    client_expect_error(&client, call("3", "must"), "3", MCP_ERROR_OVERLOADED, "too many tasks");
    mcp_session_identify(client.session, "b", 1);
    client_tell(&client, call("3", "must"));
    mcp_call_finish(kept);
    client_expect_error(&client, call("3", "must"), "3", MCP_ERROR_OVERLOADED, "too many tasks");
    mcp_session_identify(client.session, "c", 1);
    client_expect_error(&client, call("3", "must"), "3", MCP_ERROR_OVERLOADED, "too many tasks");
    /* A cancelled one counts until its handler has ended. */
    now = 3000;
    mcp_server_expire_tasks(client.server);
    assert_int_equal(cancelled_count, 1);
    for (size_t i = 0; i < 512; i++)
        mcp_call_text(first, "0123456789abcdef", 16);
    client_tell(&client, call("3", "must"));
    mcp_call_finish(kept);
    client_tell(&client, call("3", "must"));
    mcp_call_finish(kept);
    mcp_session_identify(client.session, "d", 1);
    client_expect_error(&client, call("3", "must"), "3", MCP_ERROR_OVERLOADED, "too many tasks");
    mcp_call_finish(first);
    client_tell(&client, call("3", "must"));
    assert_non_null(strstr(client.last, "\"resultType\":\"task\""));
    for (size_t i = 0; i < 512; i++)
        mcp_call_text(kept, "0123456789abcdef", 16);
    mcp_call_finish(kept);
    client_tell(&client, able("1", "tasks/get", TASK_OF("06060606060606060606060606060606")));
}

static void test_without_entropy(void **state)
{
    (void)state;
    entropy_fails = true;
    client_expect_error(&client, call("1", "must"), "1", MCP_ERROR_INTERNAL, "entropy");
    assert_int_equal(runs, 0);
    /* Who can do without a task gets an ordinary answer. */
    client_expect_nothing(&client, call("2", "later"));
    assert_int_equal(runs, 1);
    entropy_fails = false;
    mcp_call_finish(kept);
    assert_null(strstr(client.last, "\"resultType\":\"task\""));
}

static void test_listened_to(void **state)
{
    (void)state;
    client_tell(&client, call("1", "later"));
    client_expect_error(&client,
                        stateless("2", "subscriptions/listen", ",\"notifications\":{\"taskIds\":[]}", ""),
                        "2", MCP_ERROR_MISSING_CAPABILITY, "extension");
    client_expect_error(&client, able("2", "subscriptions/listen", ",\"notifications\":{\"taskIds\":1}"), "2",
                        MCP_ERROR_INVALID_PARAMS, "taskIds");
    client_expect(&client,
                  able("2", "subscriptions/listen",
                       ",\"notifications\":{\"toolsListChanged\":true,\"taskIds\":[\"x\",\"" TASK_1 "\"]}"),
                  NOTE("notifications/subscriptions/acknowledged",
                       "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":2},\"notifications\":{"
                       "\"toolsListChanged\":true,\"taskIds\":[\"" TASK_1 "\"]}"));
    client.received = 0;
    mcp_call_text(kept, "done", 4);
    mcp_call_finish(kept);
    assert_int_equal(client.received, 1);
    assert_string_equal(client.last, NOTE("notifications/tasks",
                                          "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":2}" TASK(
                                              TASK_1, "completed", "") ",\"result\":" DONE));
    assert_string_equal(client.sent_for, "2");
    client_tell(&client, call("1", "later"));
    client.received = 0;
    mcp_call_finish(kept); /* of which nobody wanted to hear */
    assert_int_equal(client.received, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_declared, task_set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_polled, task_set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_ordinary_calls, task_set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_needs_the_extension, task_set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_failures, task_set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_cancelled, task_set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_asks, task_set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_asks_two, task_set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_asks_first, task_set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_principals, task_set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_closed_before_it_is_a_task, task_set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_limits, task_set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_without_entropy, task_set_up, task_tear_down),
        cmocka_unit_test_setup_teardown(test_listened_to, task_set_up, task_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
