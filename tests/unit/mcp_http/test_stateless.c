/* SPDX-License-Identifier: MIT
 *
 * MCP 2026-07-28: every request by itself.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR(code) "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":" code ",\"message\":\"no\"}}"
#define TOOLS                                                                                                \
    "{\"ttlMs\":5000,\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"r\":" \
    "{\"type\":\"string\",\"x-mcp-header\":\"R\"}}}}]}"

static struct gateway_statistics statistics(void)
{
    struct gateway_statistics result;
    gateway_get_statistics(gateway, &result);
    return result;
}

static void answers_and_their_status(void **state)
{
    static const struct {
        const char *answer;
        unsigned status;
    } cases[] = {{"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", 200},
                 {ERROR("-32601"), 404},
                 {ERROR("-32021"), 400},
                 {ERROR("-32022"), 400},
                 {ERROR("-32600"), 400},
                 {ERROR("-32602"), 200},
                 {ERROR("-32000"), 200},
                 {ERROR("7"), 200}};
    struct client client;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        call(&client, "some/method", NULL, "");
        assert_int_equal(status_of(&client), 0);
        assert_non_null(strstr(server_got(newest_link()), "\"some/method\""));
        server_says(newest_link(), "1", cases[i].answer);
        assert_int_equal(status_of(&client), cases[i].status);
        assert_string_equal(body_of(&client), cases[i].answer);
        assert_string_equal(exchange_session(client.exchange), "");
        leave(&client);
    }
    assert_int_equal(link_count, 1); /* one after the other on the same link */
}

static void a_stream_of_its_own(void **state)
{
    struct client one, two;
    bool ended;
    (void)state;
    call(&one, "a", NULL, "");
    struct fake_link *first = newest_link();
    call(&two, "a", NULL, "");
    struct fake_link *second = newest_link();
    assert_true(first != second);
    server_says(first, "1", NOTIFICATION("n/1"));
    server_says(second, "1", NOTIFICATION("n/2"));
    server_says(first, "", NOTIFICATION("for/nobody"));
    assert_string_equal(read_all(&one, &ended), "data: " NOTIFICATION("n/1") "\n\n");
    assert_false(ended);
    server_answers(first, "1", "{}");
    assert_non_null(strstr(read_all(&one, &ended), "\"result\":{}"));
    assert_true(ended);
    assert_non_null(strstr(read_all(&two, &ended), "n/2"));
    leave(&one);
    assert_int_equal(open_links(), 2);
    leave(&two); /* that cancels */
    assert_int_equal(open_links(), 1);
    assert_int_equal(statistics().messages_dropped, 1);
}

static void what_does_not_belong_here(void **state)
{
    static const char *const headers[] = {"MCP-Protocol-Version: 2026-07-28", NULL};
    struct client client;
    (void)state;
    ask(&client, "POST", headers, NOTIFICATION("notifications/cancelled"));
    assert_int_equal(status_of(&client), 202);
    leave(&client);
    ask(&client, "POST", headers, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    assert_int_equal(status_of(&client), 400);
    leave(&client);
    ask(&client, "POST", headers, REQUEST("77", "a"));
    assert_int_equal(status_of(&client), 400);
    assert_non_null(strstr(body_of(&client), "\"id\":77,\"error\":{\"code\":-32602"));
    leave(&client);
    call(&client, "tools/call", "u", "\"name\":\"t\"");
    assert_int_equal(status_of(&client), 400);
    assert_non_null(strstr(body_of(&client), "-32020"));
    leave(&client);
    assert_int_equal(statistics().messages_in, 0);
    assert_int_equal(statistics().mismatches, 1);
}

static void the_server_ends(void **state)
{
    struct client waiting, stream;
    bool ended;
    (void)state;
    call(&waiting, "a", NULL, "");
    server_ends(newest_link());
    assert_int_equal(status_of(&waiting), 502);
    leave(&waiting);
    call(&stream, "a", NULL, "");
    server_says(newest_link(), "1", NOTIFICATION("n"));
    server_ends(newest_link());
    assert_non_null(strstr(read_all(&stream, &ended), "\"id\":1,\"error\""));
    assert_true(ended);
    leave(&stream);
    unreachable = true;
    call(&waiting, "a", NULL, "");
    assert_int_equal(status_of(&waiting), 503);
    leave(&waiting);
}

static void all_links_are_in_use(void **state)
{
    struct client clients[5];
    (void)state;
    for (int i = 0; i < 5; i++) {
        call(&clients[i], "a", NULL, "");
        assert_int_equal(status_of(&clients[i]), i < 4 ? 0 : 503);
    }
    for (int i = 0; i < 5; i++)
        leave(&clients[i]);
    assert_int_equal(open_links(), 0);
}

/* ---- who waits for a link ---- */

static void wait_for_links(size_t links_max, size_t waiting_max)
{
    gateway->config.links_max = links_max;
    gateway->config.waiting_max = waiting_max;
    gateway->config.waiting_ms = 10000;
}

/* Answers what the server was asked last. */
static void answer_next(struct fake_link *link, const char *method)
{
    const char *got = server_got(link);
    assert_non_null(got);
    assert_non_null(strstr(got, method));
    server_answers(link, "1", "{}");
}

static void requests_wait_their_turn(void **state)
{
    static const char *const methods[] = {"m/0", "m/1", "m/2", "m/3", "m/4"};
    struct client clients[5], last;
    (void)state;
    wait_for_links(1, 4);
    for (int i = 0; i < 5; i++)
        call(&clients[i], methods[i], NULL, "");
    assert_int_equal(statistics().waiting, 4);
    call(&last, "m/5", NULL, ""); /* as many wait as may */
    assert_int_equal(status_of(&last), 503);
    assert_true(exchange_answer(last.exchange)->retry_after > 0);
    leave(&last);
    leave(&clients[2]); /* and one goes */
    for (int i = 0; i < 5; i++) {
        if (i == 2)
            continue;
        assert_int_equal(status_of(&clients[i]), 0);
        answer_next(&links[0], methods[i]); /* in the order of their arrival */
        assert_int_equal(status_of(&clients[i]), 200);
        assert_string_equal(body_of(&clients[i]), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
        leave(&clients[i]);
        gateway_tick(gateway);
    }
    assert_int_equal(statistics().waiting, 0);
    assert_int_equal(link_count, 1);
}

static void nobody_overtakes_who_waits(void **state)
{
    struct client one, two, three;
    (void)state;
    wait_for_links(1, 4);
    call(&one, "m/1", NULL, "");
    call(&two, "m/2", NULL, "");
    answer_next(&links[0], "m/1");
    call(&three, "m/3", NULL, ""); /* before the gateway has looked */
    gateway_tick(gateway);
    answer_next(&links[0], "m/2");
    gateway_tick(gateway);
    answer_next(&links[0], "m/3");
    leave(&one);
    leave(&two);
    leave(&three);
}

static void nobody_waits_for_ever(void **state)
{
    struct client one, two;
    (void)state;
    wait_for_links(1, 4);
    call(&one, "subscriptions/listen", NULL, "");
    now += 20000;
    call(&two, "m", NULL, "");
    assert_true(gateway_tick(gateway) <= 10000);
    now += 9999;
    gateway_tick(gateway);
    assert_int_equal(status_of(&two), 0); /* nor has it become a stream */
    now += 1;
    gateway_tick(gateway);
    assert_int_equal(status_of(&two), 503);
    assert_true(exchange_answer(two.exchange)->retry_after > 0);
    assert_non_null(strstr(body_of(&two), "\"id\":1,\"error\""));
    leave(&two);
    call(&two, "m", NULL, ""); /* and one whose server goes */
    unreachable = true;
    server_ends(&links[0]);
    gateway_tick(gateway);
    assert_int_equal(status_of(&two), 503);
    leave(&one);
    leave(&two);
}

static void who_waits_may_have_gone(void **state)
{
    struct client one, two;
    (void)state;
    wait_for_links(1, 4);
    call(&one, "m/1", NULL, "");
    call(&two, "m/2", NULL, "");
    exchange_probe(two.exchange);
    assert_int_equal(status_of(&two), 0); /* it may be refused yet */
    answer_next(&links[0], "m/1");
    gateway_tick(gateway);
    assert_string_equal(read_all(&two, NULL), ":\n\n");
    leave(&one);
    leave(&two);
}

static void a_session_at_rest_gives_way(void **state)
{
    char id[SESSION_ID_LENGTH + 1];
    struct client one, two;
    (void)state;
    wait_for_links(1, 4);
    (void)open_session(id);
    post(&one, id, REQUEST("7", "a"));
    call(&two, "m", NULL, "");
    gateway_tick(gateway);
    assert_int_equal(statistics().waiting, 1);
    server_answers(newest_link(), "7", "{}");
    gateway_tick(gateway);
    assert_int_equal(statistics().sessions_parked, 1);
    answer_next(newest_link(), "\"m\"");
    assert_int_equal(status_of(&two), 200);
    leave(&one);
    leave(&two);
}

static void links_of_the_pool_are_closed(void **state)
{
    (void)state;
    assert_int_equal(open_links(), 1); /* the probe's */
    now += 60000;
    gateway_tick(gateway);
    assert_int_equal(open_links(), 0);
}

static void a_subscription(void **state)
{
    struct client client;
    bool ended;
    (void)state;
    call(&client, "subscriptions/listen", NULL, "");
    server_says(newest_link(), "1", NOTIFICATION("acknowledged"));
    now += 100;
    gateway_tick(gateway);
    (void)read_all(&client, &ended);
    assert_false(ended);
    gateway_drain(gateway);
    (void)read_all(&client, &ended);
    assert_true(ended);
    leave(&client);
}

static void a_client_that_closes_its_side(void **state)
{
    struct client client;
    (void)state;
    call(&client, "a", NULL, "");
    exchange_probe(client.exchange); /* the comment reaches it, or a reset comes back */
    assert_string_equal(read_all(&client, NULL), ":\n\n");
    leave(&client);
}

static void a_slow_reader(void **state)
{
    static char large[60000];
    struct client client;
    (void)state;
    (void)snprintf(large, sizeof large,
                   "{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":{\"x\":\"%050000d\"}}", 0);
    call(&client, "a", NULL, "");
    struct fake_link *link = newest_link();
    for (int i = 0; i < 6; i++)
        server_says(link, "1", large);
    assert_true(link->paused);
    (void)read_all(&client, NULL);
    assert_false(link->paused);
    for (int i = 0; i < 6; i++)
        server_says(link, "1", large);
    server_answers(link, "1", "{}");
    assert_false(link->paused); /* the next one's */
    assert_non_null(strstr(read_all(&client, NULL), "\"result\":{}"));
    leave(&client);
}

/* ---- arguments in headers ---- */

static void call_tool(struct client *client, const char *header, const char *arguments)
{
    static char body[1000];
    const char *const headers[] = {"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/call",
                                   "Mcp-Name: t", header, NULL};
    (void)snprintf(
        body, sizeof body,
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"arguments\":%s,"
        "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
        "\"io.modelcontextprotocol/clientCapabilities\":{}}}}",
        arguments);
    ask(client, "POST", headers, body);
}

/* A proxy may look at the one and the gateway at the other. */
static void an_argument_in_two_headers(void **state)
{
    static const char *const headers[] = {"MCP-Protocol-Version: 2026-07-28", "Mcp-Param-R: x",
                                          "mcp-param-r: y", NULL};
    struct client client;
    (void)state;
    ask(&client, "POST", headers, "{}");
    assert_int_equal(status_of(&client), 400);
    assert_non_null(strstr(body_of(&client), "twice"));
    leave(&client);
}

static void the_list_of_tools_is_asked_for(void **state)
{
    struct client one, two;
    (void)state;
    call_tool(&one, "Mcp-Param-R: x", "{\"r\":\"x\"}");
    call_tool(&two, NULL, "{\"r\":\"x\"}");
    struct fake_link *link = newest_link();
    assert_non_null(strstr(server_got(link), "\"tools/list\""));
    assert_null(server_got(link)); /* once for both */
    now += 100;
    gateway_tick(gateway);
    exchange_probe(one.exchange);
    assert_int_equal(status_of(&one), 0); /* no stream yet: it may be refused */
    server_says(link, "0",
                "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"nextCursor\":\"\\u0061\",\"tools\":[]}}");
    assert_non_null(strstr(server_got(link), "\"cursor\":\"\\u0061\""));
    server_answers(link, "0", TOOLS);
    assert_int_equal(status_of(&one), 0);
    assert_int_equal(status_of(&two), 400);
    assert_non_null(strstr(body_of(&two), "\"id\":5,\"error\":{\"code\":-32020"));
    assert_non_null(strstr(server_got(link), "\"tools/call\""));
    server_answers(link, "5", "{}");
    assert_int_equal(status_of(&one), 200);
    leave(&one);
    leave(&two);

    call_tool(&one, "Mcp-Param-R: x", "{\"r\":\"x\"}"); /* known now */
    assert_non_null(strstr(server_got(link), "\"tools/call\""));
    server_answers(link, "5", "{}");
    leave(&one);
    now += 2000; /* an older list refuses nobody before it is asked for again */
    call_tool(&one, NULL, "{\"r\":\"x\"}");
    assert_int_equal(status_of(&one), 0);
    assert_non_null(strstr(server_got(link), "\"tools/list\""));
    server_answers(link, "0", "{\"ttlMs\":5000,\"tools\":[]}");
    assert_non_null(strstr(server_got(link), "\"tools/call\"")); /* the tool has changed */
    server_answers(link, "5", "{}");
    assert_int_equal(status_of(&one), 200);
    leave(&one);
    assert_int_equal(statistics().mismatches, 1);
}

static void the_list_of_tools_waits_for_a_link(void **state)
{
    struct client one, two;
    (void)state;
    wait_for_links(1, 4);
    call(&one, "m", NULL, "");
    call_tool(&two, "Mcp-Param-R: x", "{\"r\":\"x\"}");
    assert_int_equal(statistics().waiting, 1);
    answer_next(&links[0], "\"m\"");
    gateway_tick(gateway);
    assert_non_null(strstr(server_got(&links[0]), "\"tools/list\""));
    server_answers(&links[0], "0", TOOLS);
    assert_non_null(strstr(server_got(&links[0]), "\"tools/call\""));
    server_answers(&links[0], "5", "{}");
    assert_int_equal(status_of(&two), 200);
    leave(&one);
    leave(&two);
}

static void the_list_of_tools_cannot_be_had(void **state)
{
    struct client client;
    (void)state;
    call_tool(&client, NULL, "{}");
    server_says(newest_link(), "0",
                "{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":-32603,\"message\":\"no\"}}");
    assert_int_equal(status_of(&client), 503);
    leave(&client);
    call_tool(&client, NULL, "{}");
    server_ends(newest_link());
    assert_int_equal(status_of(&client), 503);
    leave(&client);
    call_tool(&client, NULL, "{}");
    now += 10000;
    gateway_tick(gateway);
    assert_int_equal(status_of(&client), 503);
    leave(&client);
    call_tool(&client, NULL, "{}");
    leave(&client); /* and the list comes for nobody */
    server_answers(newest_link(), "0", TOOLS);
    unreachable = true;
    now += 10000;
    server_ends(newest_link());
    call_tool(&client, NULL, "{}");
    assert_int_equal(status_of(&client), 503);
    leave(&client);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_and_their_status),
        TEST(a_stream_of_its_own),
        TEST(what_does_not_belong_here),
        TEST(the_server_ends),
        TEST(all_links_are_in_use),
        TEST(requests_wait_their_turn),
        TEST(nobody_overtakes_who_waits),
        TEST(nobody_waits_for_ever),
        TEST(who_waits_may_have_gone),
        TEST(a_session_at_rest_gives_way),
        TEST(the_list_of_tools_waits_for_a_link),
        TEST(links_of_the_pool_are_closed),
        TEST(a_subscription),
        TEST(a_client_that_closes_its_side),
        TEST(a_slow_reader),
        TEST(an_argument_in_two_headers),
        TEST(the_list_of_tools_is_asked_for),
        TEST(the_list_of_tools_cannot_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
