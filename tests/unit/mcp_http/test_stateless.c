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
        TEST(links_of_the_pool_are_closed),
        TEST(a_subscription),
        TEST(a_client_that_closes_its_side),
        TEST(a_slow_reader),
        TEST(the_list_of_tools_is_asked_for),
        TEST(the_list_of_tools_cannot_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
