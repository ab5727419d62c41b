/* SPDX-License-Identifier: MIT
 *
 * The versions with sessions, 2025-03-26 to 2025-11-25.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct gateway_statistics statistics(void)
{
    struct gateway_statistics result;
    gateway_get_statistics(gateway, &result);
    return result;
}

static void tick_after(uint64_t ms)
{
    now += ms;
    gateway_tick(gateway);
}

/* ---- requests that are refused ---- */

static void refusals(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const unknown[] = {"Mcp-Session-Id: 0123456789abcdef0123456789abcdef", NULL};
    static const char *const newer[] = {"MCP-Protocol-Version: 2026-07-28", NULL};
    const struct {
        const char *method, *const *headers, *body;
        unsigned status;
    } cases[] = {
        {"POST", none, "{", 400},
        {"POST", none, "", 400},
        {"POST", none, "7", 400},
        {"POST", none, "[]", 400},
        {"POST", none, "[{}]", 400},
        {"POST", none, "{\"jsonrpc\":\"2.0\"}", 400},
        {"POST", none, REQUEST("1", "ping"), 400},
        {"POST", none, "[" REQUEST("1", "initialize") "]", 400},
        {"POST", unknown, REQUEST("1", "ping"), 404},
        {"POST", unknown, INITIALIZE, 404},
        {"GET", none, NULL, 400},
        {"GET", unknown, NULL, 404},
        {"GET", newer, NULL, 405},
        {"DELETE", none, NULL, 400},
        {"DELETE", unknown, NULL, 404},
        {"DELETE", newer, NULL, 405},
        {"PUT", none, "{}", 405},
        {"OPTIONS", none, NULL, 204},
        {"POST", (const char *const[]){"Host: evil.example", NULL}, INITIALIZE, 403},
        {"POST", (const char *const[]){"Host:", NULL}, INITIALIZE, 403},
        {"POST", (const char *const[]){"Origin: http://evil.example", NULL}, INITIALIZE, 403},
        {"POST", (const char *const[]){"Host: localhost", "Host: localhost", NULL}, INITIALIZE, 400},
        {"POST", (const char *const[]){"Accept: application/json", NULL}, INITIALIZE, 406},
        {"GET", (const char *const[]){"Accept: application/json", NULL}, NULL, 406},
        {"POST", (const char *const[]){"Content-Type: text/plain", NULL}, INITIALIZE, 415},
        {"POST", (const char *const[]){"Content-Type:", NULL}, INITIALIZE, 415},
        {"POST", (const char *const[]){"Path: /", NULL}, INITIALIZE, 404},
        {"POST", (const char *const[]){"Path: /healthz", NULL}, INITIALIZE, 405},
        {"GET", (const char *const[]){"Path: /healthz", NULL}, NULL, 200},
        {"HEAD", (const char *const[]){"Path: /metrics", NULL}, NULL, 200},
    };
    struct client client;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ask(&client, cases[i].method, cases[i].headers, cases[i].body);
        if (status_of(&client) != cases[i].status)
            fail_msg("case %zu: %u: %s", i, status_of(&client), body_of(&client));
        if (cases[i].status >= 400) { /* says what to do, as JSON-RPC */
            struct messages messages;
            struct message message;
            const char *body = body_of(&client);
            assert_int_equal(messages_open(&messages, body, strlen(body)), 0);
            assert_int_equal(messages_next(&messages, &message), 1);
            assert_true(message.is_error);
            messages_release(&messages);
        }
        leave(&client);
    }
    assert_int_equal(statistics().messages_in, 0);
}

static void without_the_token(void **state)
{
    static const char *const right[] = {"Authorization: Bearer 0123456789abcdef", NULL},
                             *const wrong[] = {"Authorization: Bearer 0123456789abcdeF", NULL},
                             *const health[] = {"Path: /healthz", NULL},
                             *const metrics[] = {"Path: /metrics", NULL};
    struct client client;
    (void)state;
    gateway->config.rules.token = "0123456789abcdef";
    ask(&client, "POST", wrong, INITIALIZE);
    assert_int_equal(status_of(&client), 401);
    assert_true(exchange_answer(client.exchange)->challenge);
    leave(&client);
    ask(&client, "GET", metrics, NULL);
    assert_int_equal(status_of(&client), 401);
    leave(&client);
    ask(&client, "GET", health, NULL);
    assert_int_equal(status_of(&client), 200);
    leave(&client);
    ask(&client, "POST", right, INITIALIZE);
    assert_int_equal(status_of(&client), 0);
    leave(&client);
    assert_int_equal(statistics().unauthorised, 2);
}

static void bodies_are_bounded(void **state)
{
    struct client client = {.head = {.method = "POST", .path = "/mcp", .headers = client.headers}};
    static char part[60000];
    (void)state;
    client.headers[0] = (struct http_header){"Host", "localhost"};
    client.headers[1] = (struct http_header){"Content-Type", "application/json"};
    client.head.header_count = 2;
    memset(part, ' ', sizeof part);
    client.exchange = exchange_create(gateway, &client.head, &client);
    assert_int_equal(exchange_body(client.exchange, part, sizeof part), 0);
    assert_int_equal(status_of(&client), 0);
    assert_true(statistics().bodies >= sizeof part);
    assert_int_equal(exchange_body(client.exchange, part, sizeof part), 0);
    assert_int_equal(status_of(&client), 413);
    assert_int_equal(statistics().bodies, 0);
    size_t more = 0; /* read for a while, so that the client can see why */
    while (exchange_body(client.exchange, part, sizeof part) == 0)
        more += sizeof part;
    assert_in_range(more, 15000000, 17000000);
    exchange_end(client.exchange);

    struct exchange *others[20];
    for (size_t i = 0; i < 20; i++) {
        others[i] = exchange_create(gateway, &client.head, &client);
        assert_int_equal(exchange_body(others[i], part, sizeof part), 0);
        assert_true(statistics().bodies <= config.bodies_max);
    }
    assert_int_equal(exchange_state(others[0]), EXCHANGE_BODY);
    assert_int_equal(exchange_answer(others[19])->status, 503);
    for (size_t i = 0; i < 20; i++)
        exchange_end(others[i]);
}

/* ---- a session ---- */

static void answers_as_json(void **state)
{
    static const char request[] = "{ \"jsonrpc\":\"2.0\",\"id\": \"\\u0061\" ,\"method\":\"tools/list\" }";
    static const char answer[] = "{\"jsonrpc\":\"2.0\", \"id\":\"\\u0061\",\"result\":{\"x\":1.0}}";
    char id[SESSION_ID_LENGTH + 1];
    struct client client;
    (void)state;
    open_session(id);
    post(&client, id, request);
    assert_int_equal(status_of(&client), 0);
    assert_string_equal(server_got(newest_link()), request); /* not a byte is different */
    server_says(newest_link(), "\"\\u0061\"", answer);
    assert_true(client.wakes > 0);
    assert_int_equal(status_of(&client), 200);
    assert_string_equal(body_of(&client), answer);
    leave(&client);
    assert_int_equal(open_links(), 2); /* the probe's, in the pool, and the session's */
}

static void an_initialize_that_fails(void **state)
{
    struct client client;
    (void)state;
    post(&client, NULL, INITIALIZE);
    server_says(newest_link(), "0",
                "{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":-32602,\"message\":\"no\"}}");
    assert_int_equal(status_of(&client), 200);
    assert_non_null(strstr(body_of(&client), "-32602"));
    assert_string_equal(exchange_session(client.exchange), "");
    leave(&client);
    assert_int_equal(statistics().sessions, 0);
    post(&client, NULL, INITIALIZE);
    server_ends(newest_link());
    assert_int_equal(status_of(&client), 502);
    assert_string_equal(exchange_session(client.exchange), "");
    leave(&client);
    assert_int_equal(statistics().sessions, 0);
}

static void a_stream_for_each_request(void **state)
{
    char id[SESSION_ID_LENGTH + 1];
    struct client one, two, general;
    bool ended;
    (void)state;
    open_session(id);
    struct fake_link *link = newest_link();
    get(&general, id, NULL);
    assert_string_equal(read_all(&general, NULL), ":\n\n");
    post(&one, id, REQUEST("1", "a"));
    post(&two, id, REQUEST("\"1\"", "b"));
    server_says(link, "\"1\"", NOTIFICATION("for/two"));
    server_says(link, "1", NOTIFICATION("for/one"));
    server_says(link, "", NOTIFICATION("for/nobody"));
    server_says(link, "2", NOTIFICATION("for/a/request/that/is/none"));
    server_says(link, "1", REQUEST("5", "sampling/createMessage"));
    assert_string_equal(read_all(&one, &ended),
                        "id: 2-1\nretry: 1000\ndata: \n\n"
                        "id: 2-2\ndata: " NOTIFICATION("for/one") "\n\n"
                                                                  "id: 2-3\ndata: " REQUEST(
                                                                      "5", "sampling/createMessage") "\n\n");
    assert_false(ended);
    server_answers(link, "1", "{}");
    assert_non_null(
        strstr(read_all(&one, &ended), "id: 2-4\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n"));
    assert_true(ended);
    leave(&one);
    assert_string_equal(read_all(&general, &ended), "id: 0-1\ndata: " NOTIFICATION("for/nobody") "\n\n");
    assert_false(ended);
    leave(&general);
    assert_non_null(strstr(read_all(&two, &ended), NOTIFICATION("for/two")));
    assert_false(ended);
    leave(&two);
    assert_int_equal(statistics().messages_dropped, 1);
}

static void a_slow_answer_becomes_a_stream(void **state)
{
    char id[SESSION_ID_LENGTH + 1];
    struct client client;
    bool ended;
    (void)state;
    open_session(id);
    post(&client, id, REQUEST("1", "a"));
    tick_after(49);
    assert_int_equal(status_of(&client), 0);
    tick_after(1);
    assert_string_equal(read_all(&client, &ended), "id: 2-1\nretry: 1000\ndata: \n\n");
    tick_after(15000);
    assert_string_equal(read_all(&client, &ended), ":\n\n"); /* still there */
    assert_false(ended);
    server_answers(newest_link(), "1", "{}");
    assert_non_null(strstr(read_all(&client, &ended), "\"result\":{}"));
    assert_true(ended);
    leave(&client);
}

static void coming_back(void **state)
{
    char id[SESSION_ID_LENGTH + 1];
    struct client client, again;
    bool ended;
    (void)state;
    open_session(id);
    struct fake_link *link = newest_link();
    post(&client, id, REQUEST("1", "a"));
    server_says(link, "1", NOTIFICATION("n/1"));
    (void)read_all(&client, NULL);
    leave(&client); /* which cancels nothing */
    server_says(link, "1", NOTIFICATION("n/2"));
    get(&again, id, "2-2");
    assert_string_equal(read_all(&again, &ended), ":\n\nid: 2-3\ndata: " NOTIFICATION("n/2") "\n\n");
    assert_false(ended);
    get(&client, id, "2-1"); /* takes the stream over */
    (void)read_all(&again, &ended);
    assert_true(ended);
    leave(&again);
    server_answers(link, "1", "{}");
    const char *text = read_all(&client, &ended);
    assert_non_null(strstr(text, "n/1"));
    assert_non_null(strstr(text, "n/2"));
    assert_true(ended);
    leave(&client);
    get(&client, id, "2-3"); /* the answer may not have arrived */
    assert_string_equal(read_all(&client, &ended),
                        ":\n\nid: 2-4\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n");
    assert_true(ended);
    leave(&client);
    tick_after(config.retain_ms + 1);
    get(&client, id, "2-3");
    assert_int_equal(status_of(&client), 400);
    leave(&client);
    get(&client, id, "nonsense");
    assert_int_equal(status_of(&client), 400);
    leave(&client);
    assert_int_equal(server_got(link) != NULL, true); /* the request; nothing was cancelled */
    assert_null(server_got(link));
}

static void who_leaves_before_the_stream_begins(void **state)
{
    char id[SESSION_ID_LENGTH + 1];
    struct client client;
    (void)state;
    open_session(id);
    post(&client, id, REQUEST("1", "a"));
    leave(&client);
    server_says(newest_link(), "1", NOTIFICATION("n"));
    server_answers(newest_link(), "1", "{}");
    assert_int_equal(statistics().messages_dropped, 2);
    assert_int_equal(statistics().buffered, 0);
}

static void a_request_is_cancelled(void **state)
{
    static const char cancel[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}";
    char id[SESSION_ID_LENGTH + 1];
    struct client client, other;
    bool ended;
    (void)state;
    open_session(id);
    struct fake_link *link = newest_link();
    post(&client, id, REQUEST("1", "a"));
    (void)server_got(link);
    post(&other, id, cancel);
    assert_int_equal(status_of(&other), 202);
    leave(&other);
    assert_string_equal(server_got(link), cancel);
    (void)read_all(&client, &ended);
    assert_true(ended);
    leave(&client);
    server_answers(link, "1", "{}"); /* too late */
    assert_int_equal(statistics().messages_dropped, 1);
    post(&client, id, REQUEST("1", "b")); /* the id is free again */
    assert_int_equal(status_of(&client), 0);
    leave(&client);
}

static void an_id_that_is_in_use(void **state)
{
    char id[SESSION_ID_LENGTH + 1];
    struct client client, other;
    (void)state;
    open_session(id);
    post(&client, id, REQUEST("1", "a"));
    post(&other, id, REQUEST("1", "b"));
    assert_int_equal(status_of(&other), 400);
    leave(&other);
    leave(&client);
}

static void so_many_requests_at_once(void **state)
{
    char id[SESSION_ID_LENGTH + 1], text[100];
    struct client clients[5];
    (void)state;
    open_session(id);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"a\"}", i);
        post(&clients[i], id, text);
        assert_int_equal(status_of(&clients[i]), i < 4 ? 0 : 429);
    }
    assert_true(exchange_answer(clients[4].exchange)->retry_after > 0);
    for (int i = 0; i < 5; i++)
        leave(&clients[i]);
}

static void batches(void **state)
{
    static const char batch[] = "[" REQUEST("1", "a") "," NOTIFICATION("n") "," REQUEST("2", "b") "]";
    char id[SESSION_ID_LENGTH + 1];
    struct client client;
    bool ended;
    (void)state;
    open_session(id);
    post(&client, id, batch);
    assert_int_equal(status_of(&client), 400); /* 2025-11-25 has none */
    leave(&client);
    post(&client, NULL, INITIALIZE);
    struct fake_link *link = newest_link();
    server_answers(link, "0", "{\"protocolVersion\":\"2025-03-26\"}");
    memcpy(id, exchange_session(client.exchange), sizeof id);
    leave(&client);
    (void)server_got(link);
    post(&client, id, batch);
    assert_string_equal(server_got(link), REQUEST("1", "a"));
    assert_string_equal(server_got(link), NOTIFICATION("n"));
    assert_string_equal(server_got(link), REQUEST("2", "b"));
    server_answers(link, "2", "{}");
    assert_string_equal(read_all(&client, &ended),
                        "id: 2-1\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}\n\n");
    assert_false(ended);
    server_answers(link, "1", "{}");
    (void)read_all(&client, &ended);
    assert_true(ended);
    leave(&client);
    post(&client, id, "[" NOTIFICATION("n") "," NOTIFICATION("m") "]");
    assert_int_equal(status_of(&client), 202);
    leave(&client);
    post(&client, id, "[" REQUEST("1", "a") ",7]");
    assert_int_equal(status_of(&client), 400);
    leave(&client);
    while (server_got(link) != NULL)
        ;
    post(&client, id, "[" REQUEST("1", "a") "," REQUEST("1", "a") "]"); /* one answer cannot be both's */
    assert_int_equal(status_of(&client), 400);
    assert_null(server_got(link));
    leave(&client);
}

static void the_end_of_a_session(void **state)
{
    char id[SESSION_ID_LENGTH + 1], header[100];
    const char *const headers[] = {header, NULL};
    struct client waiting, general, client;
    bool ended;
    (void)state;
    open_session(id);
    (void)snprintf(header, sizeof header, "Mcp-Session-Id: %s", id);
    post(&waiting, id, REQUEST("1", "a"));
    get(&general, id, NULL);
    ask(&client, "DELETE", headers, NULL);
    assert_int_equal(status_of(&client), 204);
    leave(&client);
    assert_int_equal(status_of(&waiting), 404);
    (void)read_all(&general, &ended);
    assert_true(ended);
    leave(&waiting);
    leave(&general);
    post(&client, id, REQUEST("2", "a"));
    assert_int_equal(status_of(&client), 404);
    leave(&client);
    assert_int_equal(open_links(), 1);
}

/* ---- many sessions, few links ---- */

#define SUBSCRIBE                                                                                            \
    "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"a:b\"}}"
#define OTHER "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"a:c\"}}"
#define UNSUBSCRIBE                                                                                          \
    "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"resources/unsubscribe\",\"params\":{\"uri\":\"a:c\"}}"
#define LEVEL "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"logging/setLevel\",\"params\":{\"level\":\"info\"}}"

static void record(const char *id, const char *text, const char *message_id)
{
    struct client client;
    struct fake_link *link = newest_link();
    post(&client, id, text);
    assert_string_equal(server_got(link), text);
    server_answers(link, message_id, "{}");
    assert_int_equal(status_of(&client), 200);
    leave(&client);
}

/* What the session has told its server is told to the next one, byte for byte, before anything else. */
static void a_link_is_replaced(void **state)
{
    char id[SESSION_ID_LENGTH + 1];
    struct client client;
    (void)state;
    open_session(id);
    record(id, LEVEL, "9");
    record(id, SUBSCRIBE, "8");
    record(id, OTHER, "8");
    record(id, UNSUBSCRIBE, "8");
    server_ends(newest_link());
    assert_int_equal(statistics().sessions, 1);
    post(&client, id, REQUEST("8", "a")); /* an id of the handshake is none of its business */
    struct fake_link *link = newest_link();
    assert_string_equal(server_got(link), INITIALIZE);
    assert_null(server_got(link));
    server_answers(link, "0", "{\"protocolVersion\":\"2025-11-25\"}");
    assert_string_equal(server_got(link), INITIALIZED);
    assert_string_equal(server_got(link), LEVEL);
    assert_string_equal(server_got(link), SUBSCRIBE);
    assert_null(server_got(link));
    server_answers(link, "9", "{}");
    server_answers(link, "8", "{}");
    assert_string_equal(server_got(link), REQUEST("8", "a"));
    assert_int_equal(status_of(&client), 0);
    server_answers(link, "8", "{}");
    assert_int_equal(status_of(&client), 200);
    leave(&client);
    assert_int_equal(statistics().sessions_replayed, 1);
}

static void another_server_refuses_the_handshake(void **state)
{
    char id[SESSION_ID_LENGTH + 1];
    struct client client;
    (void)state;
    open_session(id);
    server_ends(newest_link());
    post(&client, id, REQUEST("1", "a"));
    server_says(newest_link(), "0",
                "{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":-32602,\"message\":\"no\"}}");
    assert_int_equal(status_of(&client), 502);
    leave(&client);
    unreachable = true;
    post(&client, id, REQUEST("1", "a"));
    assert_int_equal(status_of(&client), 503);
    assert_true(exchange_answer(client.exchange)->retry_after > 0);
    leave(&client);
    post(&client, NULL, INITIALIZE);
    assert_int_equal(status_of(&client), 503);
    leave(&client);
    assert_int_equal(statistics().sessions, 1);
}

static void what_is_under_way_is_answered_when_the_server_ends(void **state)
{
    char id[SESSION_ID_LENGTH + 1];
    struct client waiting, stream;
    bool ended;
    (void)state;
    open_session(id);
    struct fake_link *link = newest_link();
    post(&waiting, id, REQUEST("1", "a"));
    post(&stream, id, REQUEST("2", "a"));
    server_says(link, "2", NOTIFICATION("n"));
    server_ends(link);
    assert_int_equal(status_of(&waiting), 502);
    assert_non_null(strstr(body_of(&waiting), "\"id\":1,\"error\""));
    assert_non_null(strstr(read_all(&stream, &ended), "\"id\":2,\"error\""));
    assert_true(ended);
    leave(&waiting);
    leave(&stream);
}

static void more_sessions_than_links(void **state)
{
    char ids[7][SESSION_ID_LENGTH + 1];
    struct client client, waiting[4];
    (void)state;
    for (int i = 0; i < 7; i++)
        open_session(ids[i]);
    assert_int_equal(open_links(), 4);
    assert_int_equal(statistics().sessions_parked, 3);
    for (int i = 0; i < 4; i++) { /* the four that are at work keep theirs */
        now++;
        post(&waiting[i], ids[i], REQUEST("1", "a"));
        server_answers(newest_link(), "0", "{}");
        assert_int_equal(status_of(&waiting[i]), 0);
        assert_int_equal(open_links(), 4);
    }
    post(&client, ids[6], REQUEST("1", "a"));
    assert_int_equal(status_of(&client), 503);
    leave(&client);
    for (int i = 0; i < 4; i++)
        leave(&waiting[i]);
}

static void a_full_table(void **state)
{
    char ids[8][SESSION_ID_LENGTH + 1];
    struct client client;
    (void)state;
    for (int i = 0; i < 8; i++)
        open_session(ids[i]);
    post(&client, NULL, INITIALIZE);
    assert_int_equal(status_of(&client), 503); /* all were used a moment ago */
    leave(&client);
    now += 60000;
    open_session(ids[1]);
    assert_int_equal(statistics().sessions, 8);
    post(&client, ids[0], REQUEST("1", "a"));
    assert_int_equal(status_of(&client), 404); /* was idle for longest */
    leave(&client);
    tick_after(config.session_idle_ms);
    assert_int_equal(statistics().sessions, 0);
    assert_int_equal(statistics().sessions_expired, 9);
}

static void a_reader_keeps_its_session(void **state)
{
    char id[SESSION_ID_LENGTH + 1];
    struct client general;
    (void)state;
    open_session(id);
    get(&general, id, NULL);
    tick_after(config.session_idle_ms);
    assert_int_equal(statistics().sessions, 1);
    server_ends(newest_link()); /* and gets its notices of the next server */
    size_t before = link_count;
    tick_after(999);
    assert_int_equal(link_count, before);
    tick_after(1);
    assert_int_equal(link_count, before + 1);
    assert_string_equal(server_got(newest_link()), INITIALIZE);
    leave(&general);
}

/* ---- pressure ---- */

static void a_slow_reader_slows_the_server(void **state)
{
    static char large[60000];
    char id[SESSION_ID_LENGTH + 1];
    struct client client;
    (void)state;
    open_session(id);
    struct fake_link *link = newest_link();
    (void)snprintf(large, sizeof large,
                   "{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":{\"x\":\"%050000d\"}}", 0);
    post(&client, id, REQUEST("1", "a"));
    for (int i = 0; i < 4; i++)
        server_says(link, "1", large);
    assert_false(link->paused);
    for (int i = 0; i < 2; i++)
        server_says(link, "1", large);
    assert_true(link->paused);
    (void)read_all(&client, NULL);
    assert_false(link->paused);
    for (int i = 0; i < 6; i++)
        server_says(link, "1", large);
    assert_true(link->paused);
    leave(&client); /* away: the oldest are dropped, and the server goes on */
    assert_false(link->paused);
    server_says(link, "1", large);
    assert_true(statistics().buffered < 2 * sizeof large);
    server_answers(link, "1", "{}");
    get(&client, id, "2-1");
    assert_non_null(strstr(read_all(&client, NULL), "\"result\":{}")); /* the answer is never dropped */
    leave(&client);
}

static void a_server_that_takes_little(void **state)
{
    char id[SESSION_ID_LENGTH + 1];
    struct client client;
    (void)state;
    open_session(id);
    struct fake_link *link = newest_link();
    link->window = 10;
    post(&client, id, REQUEST("1", "a"));
    assert_null(server_got(link));
    assert_true(vm_link_has_output(link->link));
    link->window = SIZE_MAX;
    assert_true(vm_link_writable(link->link));
    assert_string_equal(server_got(link), REQUEST("1", "a"));
    leave(&client);
}

static void a_server_that_makes_no_sense(void **state)
{
    static const char *const nonsense[] = {"{", "7", "[]", "{\"jsonrpc\":\"2.0\"}",
                                           "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]"};
    char id[SESSION_ID_LENGTH + 1];
    struct client client;
    (void)state;
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        open_session(id);
        post(&client, id, REQUEST("1", "a"));
        size_t before = open_links();
        server_says(newest_link(), "1", nonsense[i]);
        assert_int_equal(open_links(), before - 1);
        assert_int_equal(status_of(&client), 502);
        leave(&client);
    }
    open_session(id); /* an answer to nobody knows what */
    post(&client, id, REQUEST("1", "a"));
    server_says(newest_link(), "",
                "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"full\"}}");
    assert_int_equal(status_of(&client), 502);
    leave(&client);
}

static void streams_can_be_polled(void **state)
{
    char id[SESSION_ID_LENGTH + 1];
    struct client client;
    bool ended;
    (void)state;
    gateway->config.stream_ms = 1000;
    open_session(id);
    post(&client, id, REQUEST("1", "a"));
    tick_after(500);
    (void)read_all(&client, &ended);
    assert_false(ended);
    tick_after(500);
    (void)read_all(&client, &ended);
    assert_true(ended);
    leave(&client);
    server_answers(newest_link(), "1", "{}");
    get(&client, id, "2-1");
    assert_non_null(strstr(read_all(&client, &ended), "\"result\":{}"));
    assert_true(ended);
    leave(&client);
}

static void a_planned_end(void **state)
{
    char id[SESSION_ID_LENGTH + 1];
    struct client waiting, general, client;
    static const char *const health[] = {"Path: /healthz", NULL};
    bool ended;
    (void)state;
    open_session(id);
    post(&waiting, id, REQUEST("1", "a"));
    get(&general, id, NULL);
    gateway_drain(gateway);
    (void)read_all(&general, &ended);
    assert_true(ended);
    leave(&general);
    post(&client, id, REQUEST("2", "a"));
    assert_int_equal(status_of(&client), 503);
    leave(&client);
    ask(&client, "GET", health, NULL);
    assert_int_equal(status_of(&client), 503);
    leave(&client);
    server_answers(newest_link(), "1", "{}");
    assert_int_equal(status_of(&waiting), 200);
    leave(&waiting);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refusals),
        TEST(without_the_token),
        TEST(bodies_are_bounded),
        TEST(answers_as_json),
        TEST(an_initialize_that_fails),
        TEST(a_stream_for_each_request),
        TEST(a_slow_answer_becomes_a_stream),
        TEST(coming_back),
        TEST(who_leaves_before_the_stream_begins),
        TEST(a_request_is_cancelled),
        TEST(an_id_that_is_in_use),
        TEST(so_many_requests_at_once),
        TEST(batches),
        TEST(the_end_of_a_session),
        TEST(a_link_is_replaced),
        TEST(another_server_refuses_the_handshake),
        TEST(what_is_under_way_is_answered_when_the_server_ends),
        TEST(more_sessions_than_links),
        TEST(a_full_table),
        TEST(a_reader_keeps_its_session),
        TEST(a_slow_reader_slows_the_server),
        TEST(a_server_that_takes_little),
        TEST(a_server_that_makes_no_sense),
        TEST(streams_can_be_polled),
        TEST(a_planned_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
