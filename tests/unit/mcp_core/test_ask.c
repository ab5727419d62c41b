/* SPDX-License-Identifier: MIT
 *
 * Calls that ask their client by requests, in sessions.
 */
#include "ask_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void by_requests(void **state)
{
    (void)state;
    initialise_able("2025-11-25", ALL);
    client_expect(&client, CALL("greet"),
                  ASKS("1", "elicitation/create", "\"mode\":\"form\",\"message\":\"Who?\""));
    assert_string_equal(client.sent_for, "\"c\"");
    assert_int_equal(mcp_session_pending(client.session), 0); /* nothing but the client's answer is missing */
    client_expect_error(&client, CALL("greet"), "\"c\"", -32600, "not answered yet");
    client_expect_nothing(&client, ANSWER("7", NAME)); /* none of ours */
    client_expect_nothing(&client, ANSWER("\"1\"", NAME));
    client.received = 0;
    client_tell(&client, ANSWER("1", NAME));
    assert_int_equal(client.received, 2);
    assert_string_equal(client.last, ASKS("3", "sampling/createMessage", "\"maxTokens\":5"));
    client_expect_nothing(&client, ANSWER("1", NAME));
    client_expect_nothing(&client, ANSWER("3", "{\"role\":\"assistant\"}"));
    client_expect_nothing(&client, ANSWER("3", "{\"role\":\"assistant\"}")); /* twice */
    client_expect(&client, ANSWER("2", "{\"roots\":[{\"uri\":\"file:///\"}]}"),
                  ANSWER("\"c\"", "{\"content\":[{\"type\":\"text\",\"text\":\"Bo has 1 roots\"}]}"));
    assert_int_equal(runs, 3);
    assert_int_equal(mcp_session_pending(client.session), 0);
}

static void versions(void **state)
{
    (void)state;
    initialise_able("2025-06-18", ALL);
    client_expect(&client, CALL("greet"), ASKS("1", "elicitation/create", "\"message\":\"Who?\""));
    client_expect(&client, ANSWER("1", "{\"action\":\"decline\"}"), /* it asks again */
                  ASKS("2", "elicitation/create", "\"message\":\"Who?\""));
    client_stop(&client);
    ask_set_up(state);
    initialise_able("2025-11-25", ALL);
    client_expect(&client, CALL("visit"),
                  ASKS("1", "elicitation/create",
                       "\"mode\":\"url\",\"elicitationId\":\"1\",\"url\":\"https://example.com/\""));
    client_expect_nothing(&client, ANSWER("1", "{\"action\":\"accept\"}"));
    assert_non_null(kept); /* its handler answers later; the answers are gone, the call is not */
    assert_true(mcp_json_type(mcp_call_input(kept, "page")) == MCP_JSON_NONE);
    mcp_call_finish(kept);
    assert_string_equal(client.last, ANSWER("\"c\"", "{\"content\":[]}"));
}

/* A client that makes a tool ask again and again does not make it hold more and more. */
static void many_rounds(void **state)
{
    static char call[21000] = "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"tools/"
                              "call\",\"params\":{\"name\":\"insist\",\"arguments\":{"
                              "\"text\":\"";
    size_t begin = strlen(call), held = 0;

    (void)state;
    initialise_able("2025-11-25", ALL);
    memset(call + begin, 't', 20000);
    memcpy(call + begin + 20000, "\"}}}", 5);
    client_tell(&client, call);
    for (int round = 1; round <= 50; round++) {
        char answer[100];

        if (round == 3)
            held = client.memory.held;
        (void)snprintf(answer, sizeof(answer), ANSWER("%d", "{\"action\":\"decline\"}"), round);
        client_tell(&client, answer);
    }
    assert_int_equal(runs, 51);
    assert_in_range(client.memory.held, 20000, held);
    client_tell(
        &client,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"c\"}}");
}

static void clients_that_cannot(void **state)
{
    static const struct {
        const char *version, *capabilities, *tool;
        bool can;
    } cases[] = {
        {"2025-11-25", "", "greet", false},
        {"2025-11-25", "\"elicitation\":{}", "greet", true},
        {"2025-11-25", "\"elicitation\":{\"url\":{}}", "greet", false},
        {"2025-11-25", "\"elicitation\":{\"form\":{}}", "visit", false},
        {"2025-06-18", "\"elicitation\":{\"url\":{}}", "visit", false},
        {"2025-06-18", "\"elicitation\":{\"url\":{}}", "greet", true},
        {"2025-03-26", ALL, "greet", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char question[200];

        initialise_able(cases[i].version, cases[i].capabilities);
        (void)snprintf(question, sizeof(question), CALL("%s"), cases[i].tool);
        client_tell(&client, question);
        assert_int_equal(strstr(client.last, "elicitation/create") != NULL, cases[i].can);
        assert_int_equal(strstr(client.last, "\"isError\":true") != NULL, !cases[i].can);
        client_stop(&client);
        ask_set_up(state);
    }
}

static void answers_that_are_errors(void **state)
{
    (void)state;
    initialise_able("2025-11-25", ALL);
    client_tell(&client, CALL("greet"));
    client_tell(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":\"no\"}}");
    assert_non_null(strstr(client.last, "did not answer a question"));
    assert_non_null(strstr(client.last, "\"isError\":true"));
    client_tell(&client, CALL("greet"));
    client_tell(&client, ANSWER("2", "7"));
    assert_non_null(strstr(client.last, "\"isError\":true"));
    client_expect_error(&client, CALL("much"), "\"c\"", -32603, "too many questions");
    client_expect_error(&client, CALL("nothing"), "\"c\"", -32603, "without a question");
    client_expect_error(&client, CALL("wrong"), "\"c\"", -32603, "not valid");
    assert_int_equal(mcp_session_pending(client.session), 0);
}

static void an_answer_too_large(void **state)
{
    struct mcp_server_config config = ask_config();
    char answer[5000];

    (void)state;
    client_stop(&client);
    config.memory_per_session = 3000;
    ask_start(&config);
    initialise_able("2025-11-25", ALL);
    client_tell(&client, CALL("greet"));
    (void)snprintf(answer, sizeof(answer), ANSWER("1", "{\"x\":\"%04000d\"}"), 0);
    client_tell(&client, answer);
    assert_non_null(strstr(client.last, "did not answer a question"));
}

static void ends_while_it_waits(void **state)
{
    struct mcp_server_statistics statistics;
    struct mcp_session *second;

    (void)state;
    initialise_able("2025-11-25", ALL);
    client_tell(&client, CALL("greet"));
    client_expect_nothing(&client, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                                   "\"requestId\":\"c\"}}");
    mcp_server_get_statistics(client.server, &statistics);
    assert_int_equal(statistics.pending, 0); /* by itself: no handler has it */
    assert_int_equal(cancelled_count, 0);
    client_expect_nothing(&client, ANSWER("1", NAME));
    client_tell(&client, CALL("greet"));
    client_tell(&client, CALL("greet"));
    mcp_session_close(client.session);
    assert_int_equal(mcp_session_open(client.server, NULL, NULL, &second), 0);
    client.session = second;
}

/* ---- hooks that come back while the questions are sent ---- */

static enum reaction { ANSWERS, REFUSES, CANCELS, CLOSES } reaction;

static void react(struct client *receiver)
{
    char answer[200];
    int id;

    if (strstr(receiver->last, "\"method\"") == NULL)
        return;
    id = atoi(strstr(receiver->last, "\"id\":") + 5);
    (void)snprintf(answer, sizeof(answer), ANSWER("%d", "%s"), id, reaction == REFUSES ? "1" : NAME);
    if (id == 1 || reaction == ANSWERS || reaction == REFUSES)
        client_tell(receiver, answer);
    else if (reaction == CANCELS)
        client_tell(receiver,
                    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":"
                    "\"c\"}}");
    else
        mcp_session_close(receiver->session);
}

static void the_hook_comes_back(void **state)
{
    static const size_t messages[] = {4, 2, 2, 2};

    for (int i = ANSWERS; i <= CLOSES; i++) {
        struct mcp_session *second;

        reaction = (enum reaction)i;
        initialise_able("2025-11-25", ALL);
        client.on_message = react;
        client_tell(&client, CALL("greet"));
        client.on_message = NULL;
        assert_int_equal(client.received, messages[i]);
        if (i == ANSWERS)
            assert_non_null(strstr(client.last, "Bo has 0 roots"));
        if (i == CLOSES) {
            assert_int_equal(mcp_session_open(client.server, NULL, NULL, &second), 0);
            client.session = second;
        }
        client_stop(&client);
        ask_set_up(state);
    }
}

static const char *const to_tell[] = {CALL("greet"), ANSWER("1", NAME), ANSWER("2", "{\"roots\":[]}"),
                                      ANSWER("3", "{\"role\":\"user\"}")};

static void every_allocation_fails_once(void **state)
{
    for (int from = 0; from < 2; from++) {
        for (size_t fail_at = 1;; fail_at++) {
            struct mcp_server_statistics statistics;
            bool failed;

            client_stop(&client);
            ask_set_up(state);
            initialise_able("2025-11-25", ALL);
            client.memory.allocations = 0;
            client.memory.fail_at = fail_at;
            client.memory.fail_from = from == 1;
            for (size_t i = 0; i < sizeof(to_tell) / sizeof(to_tell[0]); i++)
                client_tell(&client, to_tell[i]);
            failed = client.memory.allocations >= fail_at;
            client.memory.fail_at = 0;
            client_expect_nothing(&client, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                                           "\"params\":{\"requestId\":\"c\"}}");
            mcp_server_get_statistics(client.server, &statistics);
            assert_int_equal(statistics.pending, 0);
            if (!failed)
                break;
        }
    }
}

static void answer_at_once(struct client *receiver)
{
    char answer[128];
    const char *id = strstr(receiver->last, "\"id\":");

    if (strstr(receiver->last, "elicitation/create") == NULL || runs > 200)
        return;
    (void)snprintf(answer, sizeof(answer), "{\"jsonrpc\":\"2.0\",%.*s,\"result\":{}}", (int)strcspn(id, ","),
                   id);
    client_tell(receiver, answer);
}

/* Rounds that are answered while they are sent do not lie in each other on the stack. */
static void rounds_do_not_nest(void **state)
{
    (void)state;
    initialise_able("2025-11-25", ALL);
    client.on_message = answer_at_once;
    most_insisting = 0;
    client_tell(&client, "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"tools/call\",\"params\":{"
                         "\"name\":\"insist\",\"arguments\":{\"text\":\"x\"}}}");
    assert_int_equal(runs, 201);
    assert_int_equal(most_insisting, 1);
}

static void pages_that_must_be_visited(void **state)
{
    (void)state;
    initialise_able("2025-11-25", ALL);
    client_expect(
        &client, CALL("require"),
        "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"error\":{\"code\":-32042,\"message\":\"The client must visit a "
        "page first: see data.elicitations\",\"data\":{\"elicitations\":[{\"mode\":\"url\","
        "\"elicitationId\":\"1\",\"message\":\"Visit\",\"url\":\"https://example.com/\"}]}}}");
    client_expect_error(&client, CALL("require_nothing"), "\"c\"", -32603, "without a question");
    mcp_session_close(client.session);
    client_open(&client);
    initialise_able("2025-06-18", ALL);
    client_tell(&client, CALL("require"));
    assert_non_null(strstr(client.last, "cannot be asked"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, ask_set_up, ask_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(by_requests),
        TEST(versions),
        TEST(many_rounds),
        TEST(rounds_do_not_nest),
        TEST(pages_that_must_be_visited),
        TEST(clients_that_cannot),
        TEST(answers_that_are_errors),
        TEST(an_answer_too_large),
        TEST(ends_while_it_waits),
        TEST(the_hook_comes_back),
        TEST(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
