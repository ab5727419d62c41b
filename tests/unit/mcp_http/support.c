/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_link links[LINKS_MAX];
size_t link_count;
bool unreachable;
uint64_t now;
struct gateway *gateway;

static const struct gateway_config usual = {.links_max = 4,
                                            .sessions_max = 8,
                                            .requests_max = 4,
                                            .body_max = 100000,
                                            .bodies_max = 1000000,
                                            .events_max = 4000,
                                            .buffer_max = 100000,
                                            .session_idle_ms = 1000000,
                                            .grace_ms = 50,
                                            .comment_ms = 15000,
                                            .retain_ms = 60000,
                                            .retry_ms = 1000};
struct gateway_config config;

static uint64_t clock_ms(void *context)
{
    (void)context;
    return now;
}

static int draw(void *context, void *bytes, size_t size)
{
    static uint32_t state = 1;
    unsigned char *at = bytes;
    (void)context;
    for (size_t i = 0; i < size; i++)
        at[i] = (unsigned char)((state = state * 1664525u + 1013904223u) >> 24);
    return 0;
}

static void wake(void *context, struct exchange *exchange)
{
    struct client *client = exchange_user(exchange);
    (void)context;
    client->wakes++;
}

/* ---- the server ---- */

static void *open_link(void *context, struct vm_link *link)
{
    (void)context;
    if (unreachable || link_count == LINKS_MAX)
        return NULL;
    links[link_count] = (struct fake_link){.link = link, .window = SIZE_MAX};
    return &links[link_count++];
}

static int64_t send_bytes(void *handle, const void *bytes, size_t length)
{
    struct fake_link *link = handle;
    if (length > link->window)
        length = link->window;
    link->window -= length;
    link->bytes = realloc(link->bytes, link->length + length + 1);
    assert_non_null(link->bytes);
    memcpy(link->bytes + link->length, bytes, length);
    link->length += length;
    return (int64_t)length;
}

static void pause_link(void *handle, bool paused)
{
    ((struct fake_link *)handle)->paused = paused;
}

static void close_link(void *handle)
{
    struct fake_link *link = handle;
    free(link->bytes);
    *link = (struct fake_link){0};
}

const char *server_got(struct fake_link *link)
{
    static char text[200000];
    if (link->length < 6)
        return NULL;
    size_t length = (size_t)link->bytes[1] << 16 | (size_t)link->bytes[2] << 8 | link->bytes[3];
    assert_int_equal(link->bytes[0], 1);
    assert_true(link->bytes[4] == 0 && link->bytes[5] == 0 && length < sizeof text);
    if (link->length < 6 + length)
        return NULL;
    memcpy(text, link->bytes + 6, length);
    text[length] = '\0';
    link->length -= 6 + length;
    memmove(link->bytes, link->bytes + 6 + length, link->length);
    return text;
}

void server_says(struct fake_link *link, const char *tag, const char *message)
{
    uint8_t header[MCP_FRAME_HEADER_SIZE];
    struct vm_link *vm = link->link;
    assert_non_null(vm);
    size_t tag_length = strlen(tag), length = strlen(message);
    uint8_t *frame = malloc(sizeof header + tag_length + length);
    assert_non_null(frame);
    mcp_frame_encode_tagged(length, tag_length, header);
    memcpy(frame, header, sizeof header);
    for (size_t i = 0; i < tag_length; i++)
        frame[sizeof header + i] = (uint8_t)tag[i];
    for (size_t i = 0; i < length; i++)
        frame[sizeof header + tag_length + i] = (uint8_t)message[i];
    if (!vm_link_input(vm, frame, sizeof header + tag_length + length))
        gateway_link_lost(gateway, vm);
    free(frame);
}

void server_answers(struct fake_link *link, const char *id, const char *result)
{
    char text[1000];
    (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}", id, result);
    server_says(link, id, text);
}

void server_ends(struct fake_link *link)
{
    gateway_link_lost(gateway, link->link);
}

size_t open_links(void)
{
    size_t count = 0;
    for (size_t i = 0; i < link_count; i++)
        count += links[i].link != NULL ? 1 : 0;
    return count;
}

struct fake_link *newest_link(void)
{
    for (size_t i = link_count; i > 0; i--)
        if (links[i - 1].link != NULL)
            return &links[i - 1];
    fail_msg("no connection to the server is open");
    return NULL;
}

/* ---- clients ---- */

static void add_header(struct client *client, const char *line)
{
    const char *colon = strchr(line, ':');
    assert_non_null(colon);
    char *name = strndup(line, (size_t)(colon - line)), *value = strdup(colon + 2);
    assert_true(name != NULL && value != NULL);
    client->headers[client->head.header_count++] = (struct http_header){name, value};
}

static void release_headers(struct client *client)
{
    for (size_t i = 0; i < client->head.header_count; i++) {
        free((char *)(uintptr_t)client->headers[i].name);
        free((char *)(uintptr_t)client->headers[i].value);
    }
    client->head.header_count = 0;
}

void ask(struct client *client, const char *method, const char *const *headers, const char *body)
{
    static const char *const always[] = {"Host: localhost:8080", "Content-Type: application/json",
                                         "Accept: application/json, text/event-stream"};
    *client = (struct client){.head = {.method = method, .path = "/mcp"}};
    client->head.headers = client->headers;
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        size_t name = strcspn(always[i], ":") + 1;
        bool replaced = false;
        for (const char *const *at = headers; at != NULL && *at != NULL; at++)
            replaced = replaced || strncmp(*at, always[i], name) == 0;
        if (!replaced)
            add_header(client, always[i]);
    }
    for (const char *const *at = headers; at != NULL && *at != NULL; at++) {
        if (strncmp(*at, "Path: ", 6) == 0)
            client->head.path = *at + 6;
        else if (strchr(*at, ':')[1] != '\0') /* "Name:" leaves one out */
            add_header(client, *at);
    }
    client->exchange = exchange_create(gateway, &client->head, client);
    assert_non_null(client->exchange);
    for (size_t left = body != NULL ? strlen(body) : 0; left > 0;) {
        size_t part = left < 1000 ? left : 1000;
        assert_int_equal(exchange_body(client->exchange, body, part), 0);
        body += part;
        left -= part;
    }
    exchange_submit(client->exchange, &client->head);
}

void post(struct client *client, const char *session, const char *body)
{
    char header[100];
    const char *const headers[] = {"MCP-Protocol-Version: 2025-11-25", header, NULL};
    (void)snprintf(header, sizeof header, "Mcp-Session-Id: %s", session != NULL ? session : "");
    if (session == NULL)
        header[15] = '\0';
    ask(client, "POST", headers, body);
}

void get(struct client *client, const char *session, const char *last_event)
{
    char header[100], last[100] = "Last-Event-ID:";
    const char *const headers[] = {header, last, NULL};
    (void)snprintf(header, sizeof header, "Mcp-Session-Id: %s", session);
    if (last_event != NULL)
        (void)snprintf(last, sizeof last, "Last-Event-ID: %s", last_event);
    ask(client, "GET", headers, NULL);
}

void call(struct client *client, const char *method, const char *name, const char *params)
{
    static char body[4000];
    char method_header[200], name_header[200] = "Mcp-Name:";
    const char *const headers[] = {"MCP-Protocol-Version: 2026-07-28", method_header, name_header, NULL};
    (void)snprintf(method_header, sizeof method_header, "Mcp-Method: %s", method);
    if (name != NULL)
        (void)snprintf(name_header, sizeof name_header, "Mcp-Name: %s", name);
    (void)snprintf(body, sizeof body,
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{%s%s\"_meta\":{"
                   "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                   "\"io.modelcontextprotocol/clientCapabilities\":{}}}}",
                   method, params, params[0] != '\0' ? "," : "");
    ask(client, "POST", headers, body);
}

void leave(struct client *client)
{
    if (client->exchange == NULL)
        return;
    exchange_end(client->exchange);
    release_headers(client);
    client->exchange = NULL;
}

unsigned status_of(const struct client *client)
{
    switch (exchange_state(client->exchange)) {
    case EXCHANGE_ANSWER:
        return exchange_answer(client->exchange)->status;
    case EXCHANGE_STREAM:
        return 200;
    default:
        return 0;
    }
}

const char *read_all(struct client *client, bool *ended)
{
    static char text[400000];
    size_t length = 0;
    int64_t result;
    assert_int_equal(exchange_state(client->exchange), EXCHANGE_STREAM);
    while ((result = exchange_read(client->exchange, text + length, 100)) > 0) {
        length += (size_t)result;
        assert_true(length < sizeof text - 100);
    }
    text[length] = '\0';
    if (ended != NULL)
        *ended = result < 0;
    return text;
}

const char *body_of(const struct client *client)
{
    static char text[100000];
    const struct answer *answer = exchange_answer(client->exchange);
    assert_int_equal(exchange_state(client->exchange), EXCHANGE_ANSWER);
    assert_true(answer->length < sizeof text);
    if (answer->length > 0)
        memcpy(text, answer->body, answer->length);
    text[answer->length] = '\0';
    return text;
}

const char *open_session(char id[SESSION_ID_LENGTH + 1])
{
    struct client client;
    post(&client, NULL, INITIALIZE);
    struct fake_link *link = newest_link();
    assert_string_equal(server_got(link), INITIALIZE);
    server_answers(link, "0", "{\"protocolVersion\":\"2025-11-25\"}");
    assert_int_equal(status_of(&client), 200);
    memcpy(id, exchange_session(client.exchange), SESSION_ID_LENGTH + 1);
    leave(&client);
    post(&client, id, INITIALIZED);
    assert_int_equal(status_of(&client), 202);
    assert_string_equal(server_got(link), INITIALIZED);
    leave(&client);
    return id;
}

/* ---- around a test ---- */

int start(void **state)
{
    const struct gateway_hooks hooks = {
        .now_ms = clock_ms,
        .random = draw,
        .wake = wake,
        .stream = {.open = open_link, .send = send_bytes, .pause = pause_link, .close = close_link}};
    (void)state;
    if (config.links_max == 0)
        config = usual;
    now = 1000000;
    unreachable = false;
    link_count = 0;
    gateway = gateway_create(&config, &hooks);
    return gateway != NULL ? 0 : -1;
}

int end(void **state)
{
    struct gateway_statistics statistics;
    (void)state;
    while (gateway->oldest != NULL)
        session_destroy(gateway->oldest);
    gateway_get_statistics(gateway, &statistics);
    assert_int_equal(statistics.exchanges, 0);
    assert_int_equal(statistics.buffered, 0);
    assert_int_equal(statistics.bodies, 0);
    assert_int_equal(statistics.sessions, 0);
    gateway_destroy(gateway);
    assert_int_equal(open_links(), 0);
    config = usual;
    return 0;
}
