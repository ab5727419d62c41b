/* SPDX-License-Identifier: MIT
 *
 * What one client may take: calls, memory, and what it is told without having asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <hooks/library_memory.h>
#include <logging/log.h>
#include <service/connection.h>
#include <service/log_notices.h>
#include <service/tools.h>

#include "fake_clients.h"

#define CALL(id, tool)                                                                                       \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool "\"}}"
#define SET_LEVEL                                                                                            \
    "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"logging/setLevel\",\"params\":{\"level\":\"debug\"}}\n"

static void unanswered_calls_are_bounded_by_the_rule(void **state)
{
    (void)state;
    set_policy("any=all,calls=2");
    struct client *client = come(0, PING, 0);
    use_version(client, "2025-11-25");
    ask(client, CALL("2", "infer") "\n");
    ask(client, CALL("3", "infer") "\n");
    ask(client, CALL("4", "infer") "\n");
    assert_non_null(strstr(client->last, "\"id\":4"));
    assert_non_null(strstr(client->last, "as many calls as the policy allows"));
    assert_int_equal(model_job_count, 2);
    run_model_jobs();
    ask(client, CALL("5", "infer") "\n");
    assert_int_equal(model_job_count, 1);
}

/* A call that became a task is answered at once, and worked for all the same. */
static void tasks_are_bounded_by_the_rule_too(void **state)
{
    static const char *const forms[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/"
        "call\",\"params\":{\"name\":\"infer\",\"task\":{}}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"infer\",\"_meta\":{"
        "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
        "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"t\",\"version\":\"1\"},"
        "\"io.modelcontextprotocol/clientCapabilities\":{\"extensions\":{\"io.modelcontextprotocol/"
        "tasks\":{}}}}}}\n"};
    (void)state;
    set_policy("any=all,calls=2");
    for (unsigned form = 0; form < 2; form++) {
        struct client *client = come(form, PING, 0);
        if (form == 0)
            use_version(client, "2025-11-25");
        for (unsigned i = 0; i < 2; i++) {
            ask(client, forms[form]);
            assert_non_null(strstr(client->last, "taskId"));
        }
        ask(client, forms[form]);
        assert_non_null(strstr(client->last, "as many calls as the policy allows"));
        assert_int_equal(model_job_count, 2);
        run_model_jobs();
    }
}

static void a_full_model_is_told(void **state)
{
    (void)state;
    struct client *client = come(0, PING, 0);
    use_version(client, "2025-11-25");
    model_job_count = MODEL_JOBS;
    ask(client, CALL("2", "infer") "\n");
    model_job_count = 0;
    assert_non_null(strstr(client->last, "-32000"));
    assert_non_null(strstr(client->last, "retryAfterMs"));
}

static void connections_have_numbers_of_their_own(void **state)
{
    (void)state;
    struct client *client = come(0, PING, 0);
    use_version(client, "2025-11-25");
    ask(client, CALL("2", "infer") "\n");
    connection_reset(client->connection);
    (void)connections_poll();
    struct client *other = come(1, PING, 0); /* in the other's memory, perhaps */
    use_version(other, "2025-11-25");
    ask(other, CALL("2", "infer") "\n");
    assert_int_equal(model_job_count, 2);
    assert_true(model_jobs[0].unwanted(model_jobs[0].argument));
    assert_false(model_jobs[1].unwanted(model_jobs[1].argument));
    assert_true(model_jobs[0].owner != model_jobs[1].owner);
}

/* A client that has closed its end takes no answer: what it asked is stopped, not finished first. */
static void who_has_gone_is_not_worked_for(void **state)
{
    (void)state;
    struct client *client = come(0, PING, 0);
    use_version(client, "2025-11-25");
    ask(client, CALL("2", "infer") "\n");
    assert_int_equal(model_job_count, 1);
    client->ended = client->gone = true;
    connection_readable(client->connection);
    connection_writable(client->connection);
    (void)connections_poll();
    assert_true(model_jobs[0].unwanted(model_jobs[0].argument));
    assert_true(client->closed || client->aborted);
}

/* One message holds many calls: who does not read their answers does not get all done. */
static void a_batch_does_not_take_the_memory(void **state)
{
    (void)state;
    static char batch[250 * sizeof CALL("100", "health")];
    size_t length = 0;
    for (unsigned i = 0; i < 250; i++)
        length +=
            log_format(batch + length, sizeof batch - length, "%s" CALL("1", "health"), i > 0 ? "," : "[");
    (void)log_format(batch + length, sizeof batch - length, "]\n");
    struct client *client = come(0, PING, 0);
    use_version(client, "2025-03-26");
    client->window = 0;
    ask(client, batch);
    assert_false(client->aborted);
    assert_true(client_pool.used < 3u << 20);
    client->window = SIZE_MAX;
    connection_writable(client->connection);
    while (connections_poll() == 0)
        ;
    ask(client, CALL("7", "infer") "\n"); /* it has read: it is served again */
    assert_int_equal(model_job_count, 1);
}

static void tell_the_log(unsigned lines)
{
    for (unsigned i = 0; i < lines; i++) {
        log_write(LOG_INFO, "test", "line %u", i);
        while (log_notices_poll() == 0)
            ;
    }
}

static void the_log_is_for_those_who_may_call_logs(void **state)
{
    (void)state;
    set_policy("vsock:2:0=health;any=logs");
    struct client *stranger = come(0, PING, 0), *operator= come(1, PING, 0);
    use_version(stranger, "2025-11-25");
    use_version(operator, "2025-11-25");
    ask(stranger, SET_LEVEL);
    ask(operator, SET_LEVEL);
    uint64_t before = stranger->answers, told = operator->answers;
    tell_the_log(10);
    assert_int_equal(stranger->answers, before);
    assert_int_equal(operator->answers, told + 10);
    assert_non_null(strstr(operator->last, "line 9"));
    assert_int_equal(get_statistics().missed, 0);
    ask(stranger, PING); /* answers go on */
    assert_int_equal(stranger->answers, before + 1);
}

static void who_does_not_read_misses_notices(void **state)
{
    (void)state;
    struct client *deaf = come(0, PING, 0), *other = come(1, PING, 0);
    use_version(deaf, "2025-11-25");
    use_version(other, "2025-11-25");
    ask(deaf, SET_LEVEL);
    ask(other, SET_LEVEL);
    deaf->window = 0;
    size_t before = client_pool.used;
    uint64_t told = other->answers;
    tell_the_log(20000);
    assert_int_equal(other->answers - told, 20000);
    assert_true(client_pool.used - before < 2 * connections_input_share(256 * 1024));
    assert_in_range(get_statistics().missed, 10000, 19999);
    deaf->window = SIZE_MAX;
    connection_writable(deaf->connection);
    while (connections_poll() == 0)
        ;
    tell_the_log(1);
    assert_non_null(strstr(deaf->last, "line 0"));
}

/* 64 calls may wait for the model, and each answer may be large. */
static void who_holds_most_pays_when_memory_runs_out(void **state)
{
    (void)state;
    struct client *deaf = come(0, PING, 0), *other = come(1, PING, 0), *third = come(2, PING, 0);
    use_version(deaf, "2025-11-25");
    use_version(other, "2025-11-25");
    ask(deaf, CALL("2", "infer") "\n");
    ask(other, CALL("2", "infer") "\n");
    deaf->window = other->window = third->window = 0;
    ask(third, PING);
    ask(deaf, CALL("3", "health") "\n");
    size_t limit = client_pool.limit;
    client_pool.limit = client_pool.used + 2048; /* enough to make the answer, not to keep it */
    run_model_jobs();
    client_pool.limit = limit;
    (void)connections_poll();
    assert_true(deaf->aborted);
    assert_false(other->aborted || third->aborted);
    other->window = SIZE_MAX;
    connection_writable(other->connection);
    (void)connections_poll();
    assert_non_null(strstr(other->last, "done"));
}

/* A connection that is to be closed when its last answer is out, whose client does not read that. */
static void who_broke_a_rule_and_is_deaf_makes_room(void **state)
{
    (void)state;
    struct client *rude = come(0, "POST / HTTP/1.1\n", 0);
    rude->window = 0;
    ask(rude, "POST / HTTP/1.1\n");
    assert_false(rude->closed || rude->aborted);
    for (unsigned i = 1; i < CONNECTIONS_MAX; i++)
        assert_non_null(come(i, PING, 0)->connection);
    now += UINT64_C(31000000);
    assert_non_null(come(70, PING, 0)->connection);
    (void)connections_poll();
    assert_true(rude->aborted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unanswered_calls_are_bounded_by_the_rule, start, end),
        cmocka_unit_test_setup_teardown(tasks_are_bounded_by_the_rule_too, start, end),
        cmocka_unit_test_setup_teardown(a_full_model_is_told, start, end),
        cmocka_unit_test_setup_teardown(connections_have_numbers_of_their_own, start, end),
        cmocka_unit_test_setup_teardown(who_has_gone_is_not_worked_for, start, end),
        cmocka_unit_test_setup_teardown(a_batch_does_not_take_the_memory, start, end),
        cmocka_unit_test_setup_teardown(the_log_is_for_those_who_may_call_logs, start, end),
        cmocka_unit_test_setup_teardown(who_does_not_read_misses_notices, start, end),
        cmocka_unit_test_setup_teardown(who_holds_most_pays_when_memory_runs_out, start, end),
        cmocka_unit_test_setup_teardown(who_broke_a_rule_and_is_deaf_makes_room, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
