/* SPDX-License-Identifier: MIT
 *
 * Streamable HTTP: a test plays the server, one request after the other, well and badly.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "web.h"

/* As the older TypeScript SDK does: 400 for what is no `initialize`, then a session. */
static void older_handshake(void)
{
    expect("server/discover");
    assert_string_equal(header("MCP-Protocol-Version"), "2026-07-28");
    reply(400, "application/json", "",
          "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32000,\"message\":\"no session\"},\"id\":null}");
    expect("initialize");
    assert_string_equal(header("MCP-Protocol-Version"), "");
    assert_string_equal(header("Mcp-Method"), "");
    char *text = response("\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}");
    reply(200, "application/json; charset=utf-8", "Mcp-Session-Id: s-1\r\n", text);
    free(text);
    expect("notifications/initialized");
    assert_string_equal(header("Mcp-Session-Id"), "s-1");
    assert_string_equal(header("MCP-Protocol-Version"), "2025-11-25");
    reply(202, "text/plain", "", "");
}

static void stateless_handshake(void)
{
    expect("server/discover");
    assert_string_equal(header("Mcp-Method"), "server/discover");
    answer("\"result\":{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{}}");
}

/* The session's end: DELETE. */
static int finish_session(void)
{
    next_request("DELETE ");
    assert_string_equal(header("Mcp-Session-Id"), "s-1");
    reply(200, "text/plain", "", "");
    return run_finish();
}

#define CALL(...)  run_start(NULL, WORDS("--timeout", "5", "--server", web.url, __VA_ARGS__))
#define TEXT(text) "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"" text "\"}]}"

static void stateless(void **state)
{
    (void)state;
    CALL("call", "n\xC3\xA9", "--args", "{\"region\":\"eu\"}");
    stateless_handshake();
    expect("tools/list"); /* which arguments go into headers */
    answer("\"result\":{\"tools\":[{\"name\":\"n\xC3\xA9\",\"inputSchema\":{\"properties\":{\"region\":{"
           "\"type\":\"string\","
           "\"x-mcp-header\":\"Region\"}}}}]}");
    expect("tools/call");
    assert_string_equal(header("Mcp-Name"), "=?base64?bsOp?=");
    assert_string_equal(header("Mcp-Param-Region"), "eu");
    assert_string_equal(header("Mcp-Session-Id"), "");
    char *text = response(TEXT("ok"));
    char *events = NULL;
    assert_true(
        asprintf(&events,
                 ": hello\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":"
                 "{\"level\":\"info\",\"data\":\"log\"}}\n\ndata: %s\n\n",
                 text) > 0);
    reply(200, "text/event-stream", "", events);
    free(events);
    free(text);
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "ok\n");
    assert_string_equal(harness.err, "info: log\n");
}

static void a_session(void **state)
{
    (void)state;
    CALL("call", "x", "--args", "{}");
    older_handshake();
    expect("tools/call");
    assert_string_equal(header("Mcp-Session-Id"), "s-1");
    assert_string_equal(header("Mcp-Name"), "");
    answer(TEXT("ok"));
    assert_int_equal(finish_session(), 0);
    assert_string_equal(harness.out, "ok\n");
}

/* What the server asks comes by the stream of GET; the answer is a POST of its own. */
static void what_a_server_asks(void **state)
{
    (void)state;
    web.streams = true;
    CALL("call", "x", "--args", "{}");
    older_handshake();
    expect("tools/call");
    char *last = response(TEXT("ok"));
    int call = web.connection;
    web.connection = -1;
    say(call, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
              "data: {\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"ping\"}\n\n");
    next_request("POST ");
    assert_string_equal(json_string_value(json_object_get(web.body, "id")), "q");
    reply(202, "text/plain", "", "");
    assert_true(web.stream >= 0);
    say(web.stream, "data: {\"jsonrpc\":\"2.0\",\"id\":\"r\",\"method\":\"sampling/createMessage\"}\n\n");
    next_request("POST ");
    assert_string_equal(json_string_value(json_object_get(web.body, "id")), "r");
    reply(202, "text/plain", "", "");
    say(call, "data: ");
    say(call, last);
    say(call, "\n\n");
    free(last);
    close(call);
    assert_int_equal(finish_session(), 0);
    assert_string_equal(harness.out, "ok\n");
}

/* A stream that is cut is read on from its last event. */
static void a_cut_stream(void **state)
{
    (void)state;
    CALL("call", "x", "--args", "{}");
    older_handshake();
    expect("tools/call");
    char *last = response(TEXT("ok"));
    say(web.connection, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\n"
                        "id: e-7\nretry: 10\ndata: \n\ndata: {\"json");
    hang_up(&web.connection);
    do
        next_request("GET ");
    while (header("Last-Event-ID")[0] == '\0' &&
           (say(web.connection, "HTTP/1.1 405 X\r\nContent-Length: 0\r\n\r\n"), 1));
    assert_string_equal(header("Last-Event-ID"), "e-7");
    assert_string_equal(header("Accept"), "text/event-stream");
    char *events = NULL;
    assert_true(asprintf(&events, "data: %s\n\n", last) > 0);
    reply(200, "text/event-stream", "", events);
    free(events);
    free(last);
    assert_int_equal(finish_session(), 0);
    assert_string_equal(harness.out, "ok\n");
}

static void refused_calls(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body, *message;
        int status, exit_status;
    } cases[] = {
        {"application/json", "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32602,\"message\":\"bad\"}}",
         "bad (error -32602)", 400, 1},
        {"application/json", "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}", "another request than was asked",
         200, 3},
        {"text/html", "<html>", "(HTTP 401). --token-file FILE names a bearer token", 401, 3},
        {"text/html", "", "(HTTP 403)", 403, 3},
        {"text/html", "", "the server sends elsewhere (HTTP 307)", 307, 3},
        {"text/html", "\033[2J", "the server refuses (HTTP 500)", 500, 3},
        {"text/html", "", "Is this the URL of an MCP server?", 404, 3},
        {"text/html", "<html>", "something that is no JSON", 200, 3},
        {"application/json", "{\"jsonrpc\":", "the server's answer is not JSON", 200, 3},
        {"application/json", "", "the server's answer is not JSON", 200, 3},
        {"text/event-stream", "data: x\n\n", "the server's answer is not JSON", 200, 3},
        {"text/event-stream", "data: {\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}\n\n",
         "the server ended the stream before its answer", 200, 3},
        {"text/event-stream", "", "the server ended the stream before its answer", 200, 3},
        {"text/plain", "", "something that is no JSON", 202, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CALL("--protocol-era", "stateless", "read", "a://b");
        stateless_handshake();
        expect("resources/read");
        assert_string_equal(header("Mcp-Name"), "a://b");
        reply(cases[i].status, cases[i].type, "", cases[i].body);
        assert_fails(cases[i].exit_status, cases[i].message);
    }
}

/* Nothing of this may fall back to `initialize`. */
static void refused_probes(void **state)
{
    (void)state;
    CALL("ping");
    expect("server/discover");
    reply(401, "text/plain", "", "");
    assert_fails(3, "HTTP 401");
    CALL("ping");
    expect("server/discover");
    reply(400, "application/json", "",
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32020,\"message\":\"mismatch\"}}");
    assert_fails(3, "mismatch (error -32020)");
    hang_up(&web.listener);
    CALL("ping");
    assert_fails(3, "cannot connect: ");
}

static void an_older_server_without_words(void **state)
{
    (void)state;
    static const int statuses[] = {400, 404, 405, 406, 500};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        CALL("info");
        expect("server/discover");
        reply(statuses[i], "text/plain", "", "");
        expect("initialize");
        answer("\"result\":{\"protocolVersion\":\"2025-03-26\",\"capabilities\":{}}");
        expect("notifications/initialized");
        reply(202, "text/plain", "", "");
        assert_int_equal(run_finish(), 0);
    }
}

static void an_ended_session(void **state)
{
    (void)state;
    CALL("ping");
    older_handshake();
    expect("ping");
    reply(404, "application/json", "",
          "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32001,\"message\":\"gone\"}}");
    assert_int_equal(finish_session(), 3);
    assert_non_null(
        strstr(harness.err, "the server has ended the session (HTTP 404); the next command begins another"));
}

/* Changes come by the stream of GET; without one there is nothing to wait for. */
static void changes(void **state)
{
    (void)state;
    CALL("subscribe", "a://b");
    older_handshake();
    expect("resources/subscribe");
    answer("\"result\":{}");
    assert_int_equal(finish_session(), 1);
    assert_non_null(strstr(harness.err, "the server has no stream for changes"));

    web.streams = true;
    CALL("subscribe", "a://b", "--count", "1");
    older_handshake();
    expect("resources/subscribe");
    answer("\"result\":{}");
    next_request("GET "); /* either stream may come first */
    say(web.connection,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nretry: 1\n\n");
    next_request("GET "); /* that ended: again */
    say(web.connection,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {\"jsonrpc\":\"2.0\",\"method\":"
        "\"notifications/resources/updated\",\"params\":{\"uri\":\"a://b\"}}\n\n");
    int stream = web.connection;
    web.connection = -1;
    expect("resources/unsubscribe");
    answer("\"result\":{}");
    assert_int_equal(finish_session(), 0);
    assert_string_equal(harness.out, "resources/updated  a://b\n");
    close(stream);
}

/* Comments keep a stream open, but are no answer. */
static void a_stream_without_an_end(void **state)
{
    (void)state;
    run_start(NULL, WORDS("--timeout", "0.5", "--server", web.url, "ping"));
    stateless_handshake();
    expect("server/discover");
    say(web.connection, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    struct pollfd ended = {.fd = web.connection, .events = POLLRDHUP};
    for (int i = 0; poll(&ended, 1, 50) == 0; i++) {
        assert_true(i < 400);
        say(web.connection, ": still here\n\n");
    }
    assert_fails(3, "no answer to server/discover within 0.5 s");
}

static void an_answer_without_an_end(void **state)
{
    (void)state;
    static char part[1 << 20];
    memset(part, ' ', sizeof part - 1);
    CALL("ping");
    stateless_handshake();
    expect("server/discover");
    say(web.connection, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{");
    for (int i = 0; send(web.connection, part, sizeof part - 1, MSG_NOSIGNAL) > 0; i++)
        assert_true(i < 200);
    assert_fails(3, "the server's answer is too long");
}

/* Ctrl-C: in 2026-07-28 the end of the connection, before that a notification. */
static void interrupted(void **state)
{
    (void)state;
    CALL("call", "x", "--args", "{}");
    stateless_handshake();
    expect("tools/list");
    answer("\"result\":{\"tools\":[]}");
    expect("tools/call");
    run_interrupt();
    struct pollfd ended = {.fd = web.connection, .events = POLLRDHUP};
    assert_int_equal(poll(&ended, 1, PATIENCE_MS), 1);
    assert_int_equal(run_finish(), 130);

    CALL("call", "x", "--args", "{}");
    older_handshake();
    expect("tools/call");
    int call = web.connection;
    web.connection = -1;
    run_interrupt();
    expect("notifications/cancelled");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(web.body, "params"), "requestId")),
                     3);
    reply(202, "text/plain", "", "");
    assert_int_equal(finish_session(), 130);
    close(call);
}

static void tokens_and_headers(void **state)
{
    (void)state;
    char path[100];
    char text[400];
    snprintf(path, sizeof path, "%s/token", harness.folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("s3cret\n", file);
    fclose(file);
    CALL("--token-file", path, "info");
    expect("server/discover");
    assert_string_equal(header("Authorization"), "Bearer s3cret");
    answer("\"result\":{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{}}");
    assert_int_equal(run_finish(), 0);
    assert_null(strstr(harness.out, "s3cret"));

    run_start(NULL, WORDS("--server", "http://example.com/mcp", "--token-file", path, "info"));
    assert_fails(2, "the token would travel unencrypted");
    run_start(NULL, WORDS("--socket", harness.socket_path, "--token-file", path, "info"));
    assert_fails(2, "--token-file is for a server at a URL");
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("two words\n", file);
    fclose(file);
    CALL("--token-file", path, "info");
    assert_fails(2, "holds no token");

    snprintf(path, sizeof path, "%s/servers.json", harness.folder);
    file = fopen(path, "w");
    assert_non_null(file);
    snprintf(text, sizeof text,
             "{\"mcpServers\":{\"web\":{\"type\":\"http\",\"url\":\"%s\",\"headers\":{\"X-Key\":\"${MCP_KEY}"
             "\"}},\"bad\":{\"url\":\"%s\","
             "\"headers\":{\"X\":\"a\\r\\nY: b\"}}}}",
             web.url, web.url);
    fputs(text, file);
    fclose(file);
    setenv("MCP_KEY", "k-1", 1);
    run_start(NULL, WORDS("--servers", path, "--server", "web", "info"));
    expect("server/discover");
    assert_string_equal(header("X-Key"), "k-1");
    answer("\"result\":{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{}}");
    assert_int_equal(run_finish(), 0);
    run_start(NULL, WORDS("--servers", path, "--server", "bad", "info"));
    assert_fails(2, "the header X is no text of one line");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, web_setup, web_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(stateless),
                                       TEST(a_session),
                                       TEST(what_a_server_asks),
                                       TEST(a_cut_stream),
                                       TEST(refused_calls),
                                       TEST(refused_probes),
                                       TEST(an_older_server_without_words),
                                       TEST(an_ended_session),
                                       TEST(changes),
                                       TEST(a_stream_without_an_end),
                                       TEST(an_answer_without_an_end),
                                       TEST(interrupted),
                                       TEST(tokens_and_headers)};
    return cmocka_run_group_tests_name("mcp-cli: http", tests, NULL, NULL);
}
