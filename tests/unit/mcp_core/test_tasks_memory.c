/* SPDX-License-Identifier: MIT
 *
 * Memory that runs out in the life of a task, at every single allocation: each request is answered once, a
 * task that its client was told of stays there to be asked about, and nothing leaks.
 */
#include <mcp/pool.h>
#include <stdio.h>
#include <string.h>

#include "task_support.h"

#define MODERN                                                                                               \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                                 \
    "\"io.modelcontextprotocol/clientCapabilities\":{\"elicitation\":{},\"extensions\":{"                    \
    "\"io.modelcontextprotocol/tasks\":{}}}}"
#define ANSWER "{\"action\":\"accept\",\"content\":{\"name\":\"Bo\"}}"

static size_t answers;

/* Not notifications, and no questions of the server: theirs is a method where answers have a result. */
static void count_answers(struct client *receiver)
{
    const char *id = strstr(receiver->last, ",\"id\":");
    const char *member = id != NULL ? strstr(id + 1, ",\"") : NULL;

    if (id == strchr(receiver->last, ',') && member != NULL && strncmp(member, ",\"method", 8) != 0)
        answers++;
}

static void tell_once(const char *message)
{
    answers = 0;
    client_tell(&client, message);
    assert_int_equal(answers, 1);
}

/* Each finishes a call, if there is one: then it is of a task or of the last request. */
static void finish_kept(void)
{
    char text[600];

    if (kept == NULL)
        return;
    memset(text, 't', sizeof(text));
    mcp_call_progress(kept, 1, 2, NULL);
    mcp_call_log(kept, MCP_LOG_ALERT, NULL, "alert");
    mcp_call_text(kept, text, sizeof(text));
    mcp_call_finish(kept);
    kept = NULL;
}

static bool was_task(void)
{
    return strstr(client.last, "\"taskId\"") != NULL && strstr(client.last, "\"error\"") == NULL;
}

static void live_in_session(void)
{
    bool is_task;

    kept = NULL;
    tell_once(REQUEST("1", "tools/call", "\"name\":\"later\",\"task\":{}"));
    is_task = was_task();
    tell_once(REQUEST("2", "tasks/get", "\"taskId\":\"" TASK_1 "\""));
    tell_once(REQUEST("3", "tasks/list", ""));
    answers = 0;
    client_tell(&client, REQUEST("4", "tasks/result", "\"taskId\":\"" TASK_1 "\""));
    finish_kept();
    assert_int_equal(answers, 1);
    tell_once(REQUEST("5", "tasks/result", "\"taskId\":\"" TASK_1 "\""));
    assert_true(is_task || strstr(client.last, "\"error\"") != NULL);
    tell_once(REQUEST("6", "tasks/cancel", "\"taskId\":\"" TASK_1 "\""));
    /* The question may be lost with the memory for it: then the task ends by itself, or is cancelled. */
    client_tell(&client, REQUEST("7", "tools/call", "\"name\":\"ask\",\"task\":{}"));
    client_tell(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" ANSWER "}");
    tell_once(REQUEST("8", "tasks/cancel", "\"taskId\":\"" TASK_2 "\""));
    client_tell(&client, REQUEST("9", "tools/call", "\"name\":\"now\",\"task\":{}"));
}

static void live_without_session(void)
{
    kept = NULL;
    answers = 0;
    client_tell(&client, REQUEST("1", "tools/call", "\"name\":\"later\"," MODERN));
    client_tell(&client, REQUEST("2", "subscriptions/listen",
                                 "\"notifications\":{\"taskIds\":[\"" TASK_1 "\",\"" TASK_2 "\"]}," MODERN));
    answers = strstr(client.last, "\"id\":1") != NULL ? 1 : 0;
    finish_kept();
    tell_once(REQUEST("3", "tasks/get", "\"taskId\":\"" TASK_1 "\"," MODERN));
    tell_once(REQUEST("4", "tasks/cancel", "\"taskId\":\"" TASK_1 "\"," MODERN));
    tell_once(REQUEST("5", "tools/call", "\"name\":\"ask\"," MODERN));
    tell_once(REQUEST("6", "tasks/get", "\"taskId\":\"" TASK_2 "\"," MODERN));
    tell_once(REQUEST("7", "tasks/update",
                      "\"taskId\":\"" TASK_2 "\",\"inputResponses\":{\"1-name\":" ANSWER "}," MODERN));
    tell_once(REQUEST("8", "tasks/cancel", "\"taskId\":\"" TASK_2 "\"," MODERN));
}

static void fail_each(void (*live)(void), const char *version)
{
    for (int from = 0; from < 2; from++) {
        size_t fail_at = 0;
        bool failed;

        do {
            task_set_up(NULL);
            if (version != NULL)
                client_tell(&client, REQUEST("0", "initialize",
                                             "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{"
                                             "\"elicitation\":{}}"));
            client.on_message = count_answers;
            client.memory.allocations = 0;
            client.memory.fail_at = ++fail_at;
            client.memory.fail_from = from == 1;
            live();
            failed = client.memory.allocations >= fail_at;
            client.memory.fail_at = 0;
            task_tear_down(NULL);
        } while (failed);
        assert_true(fail_at > 20);
    }
}

static void test_of_a_session(void **state)
{
    (void)state;
    fail_each(live_in_session, "2025-11-25");
}

static void test_of_a_principal(void **state)
{
    (void)state;
    fail_each(live_without_session, NULL);
}

/* A client that could not be told of its task has none, and the handler hears that nobody waits. */
static void test_of_an_answer_that_is_lost(void **state)
{
    static char title[600];
    struct mcp_server_config config = task_config();
    struct mcp_server_statistics statistics;
    size_t lost = 0;

    (void)state;
    memset(title, 't', sizeof(title) - 1);
    config.title = title; /* too long for an answer without memory */
    for (size_t fail_at = 1; fail_at < 10; fail_at++) {
        task_set_up(NULL);
        client_stop(&client);
        client = (struct client){0};
        task_start(&config, NULL);
        client.on_message = count_answers;
        client.memory.allocations = 0;
        client.memory.fail_at = fail_at;
        client.memory.fail_from = true;
        answers = 0;
        client_tell(&client, REQUEST("1", "tools/call", "\"name\":\"must\"," MODERN));
        client.memory.fail_at = 0;
        assert_int_equal(answers, 1);
        mcp_server_get_statistics(client.server, &statistics);
        if (kept != NULL && strstr(client.last, "\"error\"") != NULL) {
            assert_int_equal(cancelled_count, 1);
            assert_int_equal(statistics.tasks, 1); /* hidden, until the handler has ended */
            mcp_call_finish(kept);
            mcp_server_get_statistics(client.server, &statistics);
            assert_int_equal(statistics.tasks, 0);
            lost++;
        } else if (kept != NULL) {
            mcp_call_finish(kept);
        }
        task_tear_down(NULL);
    }
    assert_true(lost > 0);
}

/* What has been said once needs no more memory than the pool has. */
static void test_no_allocation_when_warm(void **state)
{
    struct mcp_server_config config = task_config();
    const struct mcp_task_config tasks = {.ttl_ms = 1000};
    struct mcp_pool pool;
    struct test_memory memory = {0};
    const struct mcp_memory source = test_memory_hooks(&memory);
    size_t warm = 0;

    (void)state;
    mcp_pool_initialise(&pool, &source, (size_t)64 * 1024);
    config.memory = mcp_pool_memory(&pool);
    client = (struct client){0};
    now = 0;
    kept = NULL;
    entropy_fails = false;
    task_start(&config, &tasks);
    for (size_t i = 0; i < 4; i++) {
        char request[512];

        client_tell(&client, REQUEST("1", "tools/call", "\"name\":\"later\"," MODERN));
        (void)snprintf(request, sizeof(request), REQUEST("2", "tasks/get", "\"taskId\":\"%s\"," MODERN),
                       task_id());
        client_tell(&client, request);
        finish_kept();
        client_tell(&client, request);
        assert_non_null(strstr(client.last, "completed"));
        now += 1000;
        mcp_server_expire_tasks(client.server);
        if (i == 0)
            warm = memory.allocations;
        assert_int_equal(memory.allocations, warm);
    }
    mcp_session_close(client.session);
    mcp_server_destroy(client.server);
    client_forget(&client);
    mcp_pool_trim(&pool);
    assert_int_equal(memory.held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_a_session),
        cmocka_unit_test(test_of_a_principal),
        cmocka_unit_test(test_of_an_answer_that_is_lost),
        cmocka_unit_test(test_no_allocation_when_warm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
