/* SPDX-License-Identifier: MIT
 *
 * A server that is absent, silent, broken or hostile, and a user who types nonsense: the exit status, a
 * message that helps, no crash.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"

static void a_request_too_long(void **state)
{
    (void)state;
    /* 12 words of 100 kB: the system limits one word */
    static char word[100001];
    memset(word, 'x', sizeof word - 1);
    RUN("infer", word, word, word, word, word, word, word, word, word, word, word, word);
    server_handshake();
    server_expect_end();
    assert_fails(2, "a message holds 1048576");
}

/* 900 kB in words of 100 kB, which is more than a socket takes without a reader. */
static void run_large_request(const char *timeout)
{
    static char word[100001];
    memset(word, 'x', sizeof word - 1);
    RUN("--timeout", timeout, "infer", word, word, word, word, word, word, word, word, word);
    server_handshake();
}

static void a_server_that_takes_nothing(void **state)
{
    (void)state;
    run_large_request("0.2");
    assert_fails(3, "the server takes no more bytes. Is the VM busy or stopped? --timeout waits longer");
}

static void interrupted_in_a_long_request(void **state)
{
    (void)state;
    run_large_request("20");
    run_interrupt();
    assert_fails(130, "interrupted");
}

static void the_end_in_a_long_request(void **state)
{
    (void)state;
    run_large_request("20");
    server_hang_up();
    assert_fails(3, "the server closed the connection");
}

/* Connections that nobody accepts fill the listener's queue. */
static void no_room_in_the_queue(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", harness.socket_path);
    int waiting[64];
    size_t count = 0;
    for (; count < 64; count++) {
        waiting[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(waiting[count], (struct sockaddr *)&address, sizeof address) != 0)
            break;
    }
    assert_true(count < 64);
    RUN("--timeout", "0.2", "health");
    assert_fails(3, "Connection timed out. Start the VM with tools/run --detach");

    RUN("health"); /* waits until the queue has room again */
    for (size_t i = 0; i < count; i++)
        server_accept();
    server_handshake();
    server_expect_call("health", "{}");
    server_reply_structured("{}");
    assert_int_equal(run_finish(), 0);
    for (size_t i = 0; i <= count; i++)
        close(waiting[i]);
}

static void silent_at_initialize(void **state)
{
    (void)state;
    RUN("--timeout", "0.2", "health");
    server_accept();
    json_decref(server_read());
    server_expect_end(); /* initialize is never cancelled */
    assert_fails(3, ": no answer to initialize within 0.2 s. --timeout SECONDS waits longer\n");
}

static void silent_at_a_call(void **state)
{
    (void)state;
    RUN("--timeout", "0.2", "infer", "x");
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"x\"}");
    server_expect("ping", NULL); /* does it live? */
    server_expect("notifications/cancelled", "{\"requestId\":2,\"reason\":\"no answer in time\"}");
    server_expect_end();
    assert_fails(3, "no answer to tools/call within 0.2 s");
}

static void slow_but_alive(void **state)
{
    (void)state;
    RUN("--timeout", "0.5", "infer", "x");
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"x\"}");
    for (int i = 0; i < 4; i++) { /* together longer than the timeout */
        json_t *ping = server_read();
        assert_string_equal(json_string_value(json_object_get(ping, "method")), "ping");
        char pong[80];
        snprintf(pong, sizeof pong, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{}}",
                 (long long)json_integer_value(json_object_get(ping, "id")));
        server_send(pong);
        json_decref(ping);
    }
    server_send("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"structuredContent\":{\"text\":\"late\"}}}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "late\n");
}

static void what_else_a_server_sends(void **state)
{
    (void)state;
    RUN("infer", "x");
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"x\"}");
    json_int_t id = server_id();
    /* notifications, an unknown id, an id of another type, a request that no client has to know, a batch */
    server_send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"data\":1}}");
    server_send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":2,"
                "\"progress\":1,\"total\":2}}");
    server_send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":3}");
    server_send("{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{\"structuredContent\":{\"text\":\"wrong\"}}}");
    server_send("{\"jsonrpc\":\"2.0\",\"id\":\"2\",\"result\":{\"structuredContent\":{\"text\":\"wrong\"}}}");
    server_send("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"roots/list\"}");
    json_t *refusal = server_read();
    assert_int_equal(json_integer_value(json_object_get(refusal, "id")), 7);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(refusal, "error"), "code")), -32601);
    json_decref(refusal);
    char batch[300];
    snprintf(batch, sizeof batch,
             "[{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\"},"
             "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"structuredContent\":{\"text\":\"right\"}}},"
             "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"structuredContent\":{\"text\":\"twice\"}}}]",
             (long long)id, (long long)id);
    server_send(batch);
    json_decref(server_read());
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "right\n");
}

static void an_error_without_an_id(void **state)
{
    (void)state;
    RUN("infer", "x");
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"x\"}");
    server_send(
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32001,\"message\":\"too large\",\"data\":"
        "{\"limit\":9}}}");
    assert_fails(1, "mcp-cli: infer: too large (error -32001, {\"limit\":9})\n");
}

/* What a server may answer to initialize, and what becomes of it. */
static void answers_to_initialize(void **state)
{
    (void)state;
    static const struct {
        const char *answer; /* a whole message; the id is 1 */
        const char *message;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"1999-01-01\"}}",
         "speaks MCP version '1999-01-01'; mcp-cli knows 2024-11-05 to 2025-11-25"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", "speaks MCP version ''"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":5}}", "speaks MCP version ''"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}", "neither a result nor an error"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1}", "neither a result nor an error"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":\"go away\"}}",
         "the server refuses to initialise: go away (error -1)"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":7}", "the server gives no reason (error 0)"},
        {"{\"id\":1,\"result\":{}}", "not JSON-RPC 2.0"},
        {"{\"jsonrpc\":2,\"id\":1,\"result\":{}}", "not JSON-RPC 2.0"},
        {"17", "not JSON"},
        {"[5]", "not JSON-RPC 2.0"},
        {"", "not JSON"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}", "not JSON"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\xff\xfe\"}", "not JSON"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1e999,\"result\":{}}", "not JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RUN("health");
        server_accept();
        json_decref(server_read());
        server_send(cases[i].answer);
        assert_fails(3, cases[i].message);
    }
}

static void older_versions(void **state)
{
    (void)state;
    static const char *const versions[] = {"2024-11-05", "2025-03-26", "2025-06-18"};
    for (size_t i = 0; i < 3; i++) {
        RUN("health");
        server_accept();
        server_expect("initialize", "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":"
                                    "{\"name\":\"mcp-cli\",\"version\":\"" MK_VERSION "\"}}");
        char result[80];
        snprintf(result, sizeof result, "{\"protocolVersion\":\"%s\"}", versions[i]);
        server_reply(result);
        server_expect("notifications/initialized", NULL);
        server_expect_call("health", "{}");
        server_reply_structured("{}");
        assert_int_equal(run_finish(), 0);
    }
}

static void send_header(uint32_t length)
{
    uint32_t header = htonl(length);
    server_send_bytes(&header, sizeof header);
}

static void bytes_that_are_no_frames(void **state)
{
    (void)state;
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    RUN("health");
    server_accept();
    json_decref(server_read());
    server_send_bytes(http, sizeof http - 1);
    assert_fails(3, "does not speak MCP");

    static const uint32_t lengths[] = {(1u << 20) + 1, 0x00FFFFFF, 0x01000000, 0x7FFFFFFF, 0xFFFFFFFF};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        RUN("health");
        server_handshake(); /* that these are frames is settled */
        server_expect_call("health", "{}");
        send_header(lengths[i]);
        assert_fails(3, "more than 1048576 bytes");
    }
}

static void deep_json(void **state)
{
    (void)state;
    static char deep[100001];
    memset(deep, '[', sizeof deep - 1);
    RUN("health");
    server_accept();
    json_decref(server_read());
    server_send(deep);
    assert_fails(3, "maximum parsing depth reached");

    /* as deep as jansson reads */
    static char value[2 * 2000 + 64];
    memset(value, '[', 2000);
    memset(value + 2000, ']', 2000);
    RUN("health");
    server_handshake();
    server_expect_call("health", "{}");
    server_reply_structured(value);
    assert_int_equal(run_finish(), 0);
}

static void a_long_answer(void **state)
{
    (void)state;
    static char structured[1000100];
    size_t length = (size_t)snprintf(structured, sizeof structured, "{\"text\":\"");
    memset(structured + length, 'y', 1000000);
    snprintf(structured + length + 1000000, 64, "\"}");
    RUN("infer", "x");
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"x\"}");
    server_reply_structured(structured);
    assert_int_equal(run_finish(), 0);
    assert_int_equal(strlen(harness.out), 1000001);
}

static void the_end_at_each_step(void **state)
{
    (void)state;
    for (int step = 0; step < 4; step++) {
        RUN("health");
        if (step < 2) {
            server_accept();
            json_decref(server_read());
        } else {
            server_handshake();
            server_expect_call("health", "{}");
        }
        if (step == 1)
            server_send_bytes("\0\0", 2);
        if (step == 3) {
            send_header(50);
            server_send_bytes("{\"jsonrpc\"", 10);
        }
        server_hang_up();
        assert_fails(3, "the server closed the connection");
    }
}

static void the_last_line_without_its_end(void **state)
{
    (void)state;
    harness.lines = true;
    RUN("--framing", "lines", "health");
    server_handshake();
    server_expect_call("health", "{}");
    char answer[] = "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"structuredContent\":{\"a\":1}}}";
    server_send_bytes(answer, sizeof answer - 1);
    server_hang_up();
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "a: 1\n");
}

static void tools_without_an_end(void **state)
{
    (void)state;
    RUN("tools");
    server_handshake();
    server_expect("tools/list", "{}");
    for (int i = 0; i < 1001; i++) {
        server_reply("{\"tools\":[],\"nextCursor\":\"again\"}");
        if (i < 1000)
            server_expect("tools/list", "{\"cursor\":\"again\"}");
    }
    assert_fails(3, "the server's list of tools is endless");

    RUN("tools");
    server_handshake();
    server_expect("tools/list", "{}");
    server_reply("{\"tools\":{}}");
    assert_fails(3, "the server's list of tools is no list");

    RUN("tools");
    server_handshake();
    server_expect("tools/list", "{}");
    server_reply_error(-32601, "no tools");
    assert_fails(3, "the server does not list its tools: no tools");

    RUN("ping");
    server_handshake();
    server_expect("ping", NULL);
    server_reply_error(-32601, "no ping");
    assert_fails(3, "the server refuses a ping: no ping");
}

static void the_connection_fails_in_a_pipe(void **state)
{
    (void)state;
    RUN_INPUT("health\nhealth\n");
    server_handshake();
    server_expect_call("health", "{}");
    server_hang_up();
    assert_fails(3, "the server closed the connection"); /* the second line is not run */
}

static void interrupted_in_a_call(void **state)
{
    (void)state;
    RUN("infer", "x");
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"x\"}");
    run_interrupt();
    server_expect("notifications/cancelled", "{\"requestId\":2,\"reason\":\"the user pressed Ctrl-C\"}");
    server_expect_end();
    assert_fails(130, "mcp-cli: interrupted\n");
}

static void interrupted_in_a_flood(void **state)
{
    (void)state;
    RUN("infer", "x");
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"x\"}");
    for (int i = 0; i < 100; i++)
        server_send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}");
    run_interrupt();
    server_expect("notifications/cancelled", "{\"requestId\":2,\"reason\":\"the user pressed Ctrl-C\"}");
    assert_fails(130, "interrupted");
}

static void interrupted_in_initialize(void **state)
{
    (void)state;
    RUN("health");
    server_accept();
    json_decref(server_read());
    run_interrupt();
    server_expect_end();
    assert_fails(130, "interrupted");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(a_request_too_long),
                                       TEST(a_server_that_takes_nothing),
                                       TEST(interrupted_in_a_long_request),
                                       TEST(the_end_in_a_long_request),
                                       TEST(no_room_in_the_queue),
                                       TEST(silent_at_initialize),
                                       TEST(silent_at_a_call),
                                       TEST(slow_but_alive),
                                       TEST(what_else_a_server_sends),
                                       TEST(an_error_without_an_id),
                                       TEST(answers_to_initialize),
                                       TEST(older_versions),
                                       TEST(bytes_that_are_no_frames),
                                       TEST(deep_json),
                                       TEST(a_long_answer),
                                       TEST(the_end_at_each_step),
                                       TEST(the_last_line_without_its_end),
                                       TEST(tools_without_an_end),
                                       TEST(the_connection_fails_in_a_pipe),
                                       TEST(interrupted_in_a_call),
                                       TEST(interrupted_in_a_flood),
                                       TEST(interrupted_in_initialize)};
    return cmocka_run_group_tests_name("mcp-cli: failures", tests, NULL, NULL);
}
