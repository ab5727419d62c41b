/* SPDX-License-Identifier: MIT
 *
 * Who is let in, whose turn it is, who makes room.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <hooks/library_memory.h>
#include <logging/log.h>
#include <memory/heap.h>
#include <service/connection.h>

#include "fake_clients.h"

/* ---- tests ---- */

static void a_flood_does_not_hold_up_a_ping(void **state)
{
    (void)state;
    struct client *flood = come(0, PING, UINT64_MAX);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(connections_poll(), 0);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t before = flood->answers;
        struct client *other = come(1 + i, PING, 1);
        (void)connections_poll();
        assert_int_equal(other->answers, 1);
        assert_in_range(flood->answers - before, 1, 16);
    }
}

static void floods_share(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        (void)come(i, PING, UINT64_MAX);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(connections_poll(), 0);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(clients[i].answers, 50 * 16);
}

static const char initialise[] =
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-03-26\","
    "\"capabilities\":{},\"clientInfo\":{\"name\":\"x\",\"version\":\"1\"}}}\n";

static void a_batch_counts_as_what_it_holds(void **state)
{
    (void)state;
    static char batch[20 * sizeof PING];
    size_t length = 0;
    for (unsigned i = 0; i < 15; i++)
        length += log_format(batch + length, sizeof batch - length,
                             "%s{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"ping\"}", i > 0 ? "," : "[", i);
    (void)log_format(batch + length, sizeof batch - length, "]\n");
    struct client *client = come(0, initialise, 1);
    (void)connections_poll();
    client->request = batch;
    client->requests_left = 100;
    connection_readable(client->connection);
    uint64_t before = client->answers;
    (void)connections_poll();
    assert_int_equal(client->answers - before, 2); /* 15 are fewer than 16, 30 are not */
}

static void send_tagged(struct client *client, const char *tag, const char *message)
{
    static char frame[400];
    uint8_t header[MCP_FRAME_HEADER_SIZE];
    mcp_frame_encode_tagged(strlen(message), strlen(tag), header);
    memcpy(frame, header, sizeof header);
    (void)snprintf(frame + sizeof header, sizeof frame - sizeof header, "%s%s", tag, message);
    client->request = frame;
    client->length = sizeof header + strlen(tag) + strlen(message);
    client->requests_left = 1;
    connection_readable(client->connection);
    (void)connections_poll();
}

/* The answer, small or large, names its request before it says anything. */
static void a_tag_says_whose_an_answer_is(void **state)
{
    (void)state;
    struct client *client = come(0, "", 0);
    send_tagged(client, "", "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\"}");
    assert_memory_equal(client->last, "\1\0\0\x26\0\3\"a\"{\"jsonrpc\"", 19);
    send_tagged(client, "", initialise);
    client->window = MCP_FRAME_HEADER_SIZE + 2;
    send_tagged(client, "",
                "{\"jsonrpc\":\"2.0\",\"id\":17,\"method\":\"tools/call\",\"params\":{\"name\":\"health\"}}");
    assert_string_equal(client->last, "17");
    client = come(1, "", 0);
    send_tagged(client, "x", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
    assert_non_null(strstr(client->last + MCP_FRAME_HEADER_SIZE, "must be empty"));
    assert_true(client->closed);
}

static void a_rate_lets_a_second_through_and_then_its_share(void **state)
{
    (void)state;
    set_policy("vsock:2:0=all,rate=10;any=all");
    struct client *slow = come(0, PING, UINT64_MAX), *fast = come(1, PING, 100);
    uint64_t due = 0;
    while ((due = connections_poll()) == 0)
        ;
    assert_int_equal(fast->answers, 100);
    assert_in_range(slow->answers, 10, 11);
    assert_in_range(due - now, 1, 100000);
    uint64_t start = slow->answers;
    for (unsigned i = 0; i < 100; i++) {
        now = due;
        while ((due = connections_poll()) == 0)
            ;
        assert_true(due > now && due != TASK_FOREVER);
    }
    assert_int_equal(slow->answers - start, 100);
    now += 100 * UINT64_C(1000000); /* silence is worth a second at most */
    start = slow->answers;
    while (connections_poll() == 0)
        ;
    assert_in_range(slow->answers - start, 10, 11);
}

static void the_next_round_is_due_when_the_listener_says(void **state)
{
    (void)state;
    (void)come(0, PING, 1);
    (void)connections_poll();
    assert_true(connections_poll() == TASK_FOREVER);
    listener_due = now + 77;
    assert_true(connections_poll() == now + 77);
    listener_due = TASK_FOREVER;
}

static uint64_t refusals(void)
{
    return get_statistics().refused;
}

static uint64_t evictions(void)
{
    return get_statistics().evicted;
}

static void who_is_not_in_the_policy_is_refused(void **state)
{
    (void)state;
    uint64_t before = refusals();
    set_policy("vsock:2:7=all,connections=1;vsock:2:8=none");
    assert_false(connection_is_welcome("vsock", 2, 6)); /* before the client is answered, where one can ask */
    assert_true(connection_is_welcome("vsock", 2, 7));
    assert_null(come(6, PING, 1)->connection);
    assert_null(come(8, PING, 1)->connection);
    assert_true(clients[6].aborted && clients[8].aborted);
    assert_non_null(come(7, PING, 1)->connection);
    struct client again = clients[7];
    const struct stream stream = {
        .operations = &client_operations, .handle = &again, .kind = "vsock", .peer_cid = 2, .peer_port = 7};
    assert_false(connection_is_welcome("vsock", 2, 7));
    assert_null(connection_open(&stream));
    assert_true(again.aborted);
    connection_reset(clients[7].connection);
    assert_non_null(connection_open(&stream)); /* its place is free as soon as the other is dead */
    assert_int_equal(refusals() - before, 5);
    (void)connections_poll();
    assert_true(clients[7].aborted);
}

static void refusals_do_not_drown_the_log(void **state)
{
    (void)state;
    struct log_statistics before, after;
    set_policy("console=all");
    now += 10000000;
    log_get_statistics(&before);
    for (unsigned i = 0; i < 100; i++) {
        assert_null(come(1, PING, 1)->connection);
        now += 100000;
    }
    log_get_statistics(&after);
    assert_in_range(after.written - before.written, 9, 11);
}

static void fill(unsigned from)
{
    for (unsigned i = from; i < CONNECTIONS_MAX; i++)
        assert_non_null(come(i, PING, 1)->connection);
    while (connections_poll() == 0)
        ;
}

static void who_is_silent_makes_room(void **state)
{
    (void)state;
    uint64_t before = evictions();
    fill(0);
    assert_null(come(70, PING, 1)->connection); /* nobody has been silent long enough */
    now += UINT64_C(59000000);
    assert_null(come(70, PING, 1)->connection);
    clients[5].requests_left = 1;
    connection_readable(clients[5].connection);
    (void)connections_poll();
    now += UINT64_C(2000000);
    for (unsigned i = 0; i < 6; i++)
        assert_non_null(come(70 + i, PING, 1)->connection);
    (void)connections_poll();
    assert_int_equal(evictions() - before, 6);
    unsigned aborted = 0;
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        aborted += clients[i].aborted ? 1 : 0;
    assert_int_equal(aborted, 6);
    assert_false(clients[5].aborted);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(clients[70 + i].answers, 1);
}

static void who_stops_in_the_middle_makes_room_first(void **state)
{
    (void)state;
    static const char half[] = "{\"jsonrpc\":";
    struct client *stopped = come(0, half, 1), *deaf = come(1, PING, 1);
    deaf->window = 10;
    fill(2);
    now += UINT64_C(31000000);
    struct client *surplus = come(70, PING, 1);
    assert_non_null(surplus->connection);
    assert_non_null(come(71, PING, 1)->connection);
    assert_null(come(72, PING, 1)->connection); /* the others are not silent for long enough */
    (void)connections_poll();
    assert_true(stopped->aborted && deaf->aborted);
    assert_int_equal(surplus->answers, 1);
}

static void who_does_not_read_is_not_read(void **state)
{
    (void)state;
    struct client *deaf = come(0, PING, UINT64_MAX);
    deaf->window = 100;
    uint64_t rounds = 0;
    while (connections_poll() == 0)
        rounds++;
    assert_true(deaf->answers < 10);
    uint64_t left = deaf->requests_left;
    assert_true(connections_poll() == TASK_FOREVER);
    assert_int_equal(deaf->requests_left, left);
    deaf->window = SIZE_MAX; /* it reads: all that it asked is answered */
    deaf->request = "\n";
    connection_writable(deaf->connection);
    (void)connections_poll();
    assert_in_range(UINT64_MAX - left, deaf->answers - 1, deaf->answers + 1);
}

static void what_is_asked_before_the_end_is_answered(void **state)
{
    (void)state;
    struct client *client = come(0, PING, 40);
    client->ended = true;
    while (connections_poll() == 0)
        ;
    assert_int_equal(client->answers, 40);
    assert_true(client->closed);
    assert_false(client->aborted);
}

static void memory_for_connections_runs_out(void **state)
{
    (void)state;
    size_t limit = client_pool.limit;
    uint64_t before = refusals();
    (void)come(0, PING, 1);
    client_pool.limit = client_pool.used;
    assert_null(come(1, PING, 1)->connection);
    client_pool.limit = client_pool.used + heap_cost(sizeof(struct connection)); /* none for its session */
    assert_null(come(2, PING, 1)->connection);
    assert_true(clients[1].aborted && clients[2].aborted);
    client_pool.limit = limit;
    assert_int_equal(refusals() - before, 2);
    assert_non_null(come(3, PING, 1)->connection);
    (void)connections_poll();
    assert_int_equal(clients[0].answers + clients[3].answers, 2);
}

static void a_long_message_is_refused_by_the_rule(void **state)
{
    (void)state;
    set_policy("any=all,message=1K");
    static char request[2000];
    (void)snprintf(request, sizeof request,
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{\"x\":\"%01000d\"}}\n", 0);
    struct client *client = come(0, request, 1);
    (void)connections_poll();
    assert_non_null(strstr(client->last, "message longer than 1024 bytes"));
    client->request = PING;
    client->requests_left = 1;
    connection_readable(client->connection);
    (void)connections_poll();
    assert_non_null(strstr(client->last, "\"result\":{}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_flood_does_not_hold_up_a_ping, start, end),
        cmocka_unit_test_setup_teardown(floods_share, start, end),
        cmocka_unit_test_setup_teardown(a_batch_counts_as_what_it_holds, start, end),
        cmocka_unit_test_setup_teardown(a_tag_says_whose_an_answer_is, start, end),
        cmocka_unit_test_setup_teardown(a_rate_lets_a_second_through_and_then_its_share, start, end),
        cmocka_unit_test_setup_teardown(the_next_round_is_due_when_the_listener_says, start, end),
        cmocka_unit_test_setup_teardown(who_is_not_in_the_policy_is_refused, start, end),
        cmocka_unit_test_setup_teardown(refusals_do_not_drown_the_log, start, end),
        cmocka_unit_test_setup_teardown(who_is_silent_makes_room, start, end),
        cmocka_unit_test_setup_teardown(who_stops_in_the_middle_makes_room_first, start, end),
        cmocka_unit_test_setup_teardown(who_does_not_read_is_not_read, start, end),
        cmocka_unit_test_setup_teardown(what_is_asked_before_the_end_is_answered, start, end),
        cmocka_unit_test_setup_teardown(memory_for_connections_runs_out, start, end),
        cmocka_unit_test_setup_teardown(a_long_message_is_refused_by_the_rule, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
