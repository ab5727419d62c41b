/* SPDX-License-Identifier: MIT
 *
 * Without memory: each allocation of the gateway fails once. Whatever it was for, nothing crashes or leaks,
 * each client has an answer, and the gateway serves the next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <gateway.h>
#include <message.h>

/* ---- memory: the linker sends every call here (-Wl,--wrap) ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);

static size_t allocations, failing; /* which one fails, from 1; 0: none */

static bool fails(void)
{
    return failing != 0 && ++allocations == failing;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

/* ---- a server that answers each request at once, in the next turn ---- */

#define LINKS_MAX 8

static struct server_link {
    struct vm_link *link;
    uint8_t bytes[4096];
    size_t length;
} links[LINKS_MAX];
static struct gateway *gateway;
static uint64_t now;

static void *open_link(void *context, struct vm_link *link)
{
    (void)context;
    for (size_t i = 0; i < LINKS_MAX; i++) {
        if (links[i].link == NULL) {
            links[i].link = link;
            links[i].length = 0;
            return &links[i];
        }
    }
    return NULL;
}

static int64_t send_bytes(void *handle, const void *bytes, size_t length)
{
    struct server_link *link = handle;
    assert_true(length <= sizeof link->bytes - link->length);
    memcpy(link->bytes + link->length, bytes, length);
    link->length += length;
    return (int64_t)length;
}

static void pause_link(void *handle, bool paused)
{
    (void)handle;
    (void)paused;
}

static void close_link(void *handle)
{
    ((struct server_link *)handle)->link = NULL;
}

static void say(struct server_link *server, const char *tag, const char *text)
{
    uint8_t frame[2048];
    struct vm_link *link = server->link;
    size_t length = strlen(text), tag_length = strlen(tag);
    if (link == NULL)
        return;
    mcp_frame_encode_tagged(length, tag_length, frame);
    assert_true(MCP_FRAME_HEADER_SIZE + tag_length + length <= sizeof frame);
    for (size_t i = 0; i < tag_length; i++)
        frame[MCP_FRAME_HEADER_SIZE + i] = (uint8_t)tag[i];
    for (size_t i = 0; i < length; i++)
        frame[MCP_FRAME_HEADER_SIZE + tag_length + i] = (uint8_t)text[i];
    if (!vm_link_input(link, frame, MCP_FRAME_HEADER_SIZE + tag_length + length))
        gateway_link_lost(gateway, link);
}

/* Every id is one digit after the first "id": that is enough here. */
static void answer(struct server_link *server, const char *message)
{
    char text[1024], tag[2] = {0};
    const char *id = strstr(message, "\"id\":");
    if (id == NULL)
        return;
    tag[0] = id[5];
    (void)snprintf(
        text, sizeof text,
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"protocolVersion\":\"2025-11-25\",\"tools\":[{"
        "\"name\":\"t\",\"inputSchema\":{\"properties\":{\"r\":{\"type\":\"string\","
        "\"x-mcp-header\":\"R\"}}}}]}}",
        tag);
    say(server, tag, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}");
    say(server, tag, text);
}

static void serve(void)
{
    for (size_t i = 0; i < LINKS_MAX; i++) {
        struct server_link *link = &links[i];
        while (link->link != NULL && link->length >= MCP_FRAME_HEADER_SIZE) {
            char text[4096];
            size_t length = (size_t)link->bytes[2] << 8 | link->bytes[3];
            size_t whole = MCP_FRAME_HEADER_SIZE + length;
            assert_true(whole <= link->length);
            memcpy(text, link->bytes + MCP_FRAME_HEADER_SIZE, length);
            text[length] = '\0';
            link->length -= whole;
            memmove(link->bytes, link->bytes + whole, link->length);
            answer(link, text);
        }
    }
    (void)gateway_tick(gateway);
}

/* ---- clients ---- */

static uint64_t clock_ms(void *context)
{
    (void)context;
    return now;
}

static int draw(void *context, void *bytes, size_t size)
{
    static unsigned char state;
    (void)context;
    memset(bytes, ++state, size);
    return 0;
}

static void wake(void *context, struct exchange *exchange)
{
    (void)context;
    (void)exchange;
}

/* Returns the status; copies the session's id. */
static unsigned ask(const char *session, const char *method, const char *body, char id[SESSION_ID_LENGTH + 1])
{
    const struct http_header headers[] = {{"Host", "localhost"},
                                          {"Content-Type", "application/json"},
                                          {session != NULL ? "Mcp-Session-Id" : "MCP-Protocol-Version",
                                           session != NULL ? session : "2026-07-28"},
                                          {"Mcp-Method", method},
                                          {"Mcp-Name", "t"},
                                          {"Mcp-Param-R", "x"}};
    struct http_head head = {"POST", "/mcp", headers, 6};
    char bytes[256];
    unsigned status = 0;
    if (strcmp(method, "initialize") == 0)
        head.header_count = 2;
    struct exchange *exchange = exchange_create(gateway, &head, NULL);
    if (exchange == NULL)
        return 503; /* the daemon closes the connection */
    assert_int_equal(exchange_body(exchange, body, strlen(body)), 0);
    exchange_submit(exchange, &head);
    for (int turn = 0; turn < 4; turn++)
        serve();
    if (exchange_state(exchange) == EXCHANGE_WAITING) {
        now += 20000; /* the list of tools did not come */
        serve();
    }
    if (exchange_state(exchange) == EXCHANGE_STREAM) {
        int64_t length = 0;
        status = 200;
        for (int i = 0; i < 100 && (length = exchange_read(exchange, bytes, sizeof bytes)) > 0;)
            i++;
        assert_int_equal(length, -1); /* it has an end */
    } else {
        assert_int_equal(exchange_state(exchange), EXCHANGE_ANSWER);
        status = exchange_answer(exchange)->status;
        assert_in_range(status, 200, 599);
        memcpy(id, exchange_session(exchange), SESSION_ID_LENGTH + 1);
    }
    exchange_end(exchange);
    return status;
}

#define REQUEST(id, method, params)                                                                          \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":{" params "}}"
#define META                                                                                                 \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/"       \
    "clientCapabilities\":{}}"

/* Returns whether all went well. */
static bool use(void)
{
    char id[SESSION_ID_LENGTH + 1] = "", none[SESSION_ID_LENGTH + 1];
    unsigned worst =
        ask(NULL, "tools/call",
            REQUEST("1", "tools/call", "\"name\":\"t\",\"arguments\":{\"r\":\"x\"}," META), none);
    unsigned status = ask(NULL, "initialize", REQUEST("2", "initialize", ""), id);
    static const char *const bodies[] = {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
                                         REQUEST("3", "logging/setLevel", "\"level\":\"info\""),
                                         REQUEST("4", "resources/subscribe", "\"uri\":\"a:b\""),
                                         REQUEST("5", "ping", "")};
    worst = status > worst ? status : worst;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0] && id[0] != '\0'; i++) {
        status = ask(id, "m", bodies[i], none);
        worst = status > worst ? status : worst;
    }
    return worst < 300;
}

static void each_allocation_fails(void **state)
{
    const struct gateway_config config = {.links_max = 4,
                                          .sessions_max = 8,
                                          .requests_max = 4,
                                          .waiting_max = 4,
                                          .waiting_ms = 10000,
                                          .body_max = 4096,
                                          .bodies_max = 100000,
                                          .events_max = 4000,
                                          .buffer_max = 100000,
                                          .session_idle_ms = 1000000,
                                          .grace_ms = 50,
                                          .comment_ms = 15000,
                                          .retain_ms = 60000,
                                          .retry_ms = 1000};
    const struct gateway_hooks hooks = {
        .now_ms = clock_ms,
        .random = draw,
        .wake = wake,
        .stream = {.open = open_link, .send = send_bytes, .pause = pause_link, .close = close_link}};
    struct gateway_statistics statistics;
    (void)state;
    size_t n = 0;
    do {
        now = 1000000;
        allocations = 0;
        failing = ++n;
        gateway = gateway_create(&config, &hooks);
        bool good = gateway != NULL && use();
        bool reached = allocations >= failing;
        failing = 0;
        if (gateway != NULL && reached) {
            now += 2000;
            good = use(); /* with memory all is well again */
        }
        if (gateway != NULL && !good)
            fail_msg("allocation %zu has left its mark", n);
        if (gateway != NULL) {
            gateway_get_statistics(gateway, &statistics);
            assert_int_equal(statistics.exchanges, 0);
            assert_int_equal(statistics.bodies, 0);
            assert_int_equal(statistics.waiting, 0);
        }
        gateway_destroy(gateway);
        if (!reached)
            break;
    } while (n < 10000);
    assert_in_range(n, 50, 9999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_fails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
