/* SPDX-License-Identifier: MIT
 *
 * The HTTP gateway between clients and a server that both lie: heads, bodies and event ids on one side,
 * frames, tags and messages on the other, who leaves when, and time.
 */
#include "unit/mcp_http/support.h"

#include <stdio.h>

#include "fuzz.h"

#define CLIENTS  6
#define TEXT_MAX 300

static struct client clients[CLIENTS];
static char text[TEXT_MAX + 1], other[TEXT_MAX + 1];

/* Text of the input, without the zero bytes that no header and no string of ours has. */
static const char *some_text(struct input *script, char *to, size_t most)
{
    size_t length = input_8(script) % (most + 1);
    length = input_bytes(script, to, length);
    for (size_t i = 0; i < length; i++)
        if (to[i] == '\0')
            to[i] = ' ';
    to[length] = '\0';
    return to;
}

static const char *some_session(struct input *script)
{
    const struct session *session = gateway->oldest;
    for (uint8_t skip = input_8(script) % 4; session != NULL && skip > 0; skip--)
        session = session->newer;
    return session != NULL ? session->id : "none";
}

static struct fake_link *some_link(struct input *script)
{
    struct fake_link *link = link_count > 0 ? &links[input_8(script) % link_count] : NULL;
    return link != NULL && link->link != NULL ? link : NULL;
}

/* ---- what clients do ---- */

static const char *some_id(struct input *script)
{
    static const char *const ids[] = {"1", "2", "\"a\"", "0", "1.0", "\"\\u0061\""};
    return ids[input_8(script) % 6];
}

static const char *some_body(struct input *script)
{
    static char body[3 * TEXT_MAX];
    static const char *const methods[] = {
        "tools/call",       "ping",       "resources/subscribe",     "resources/unsubscribe",
        "logging/setLevel", "initialize", "notifications/cancelled", "a"};
    const char *method = methods[input_8(script) % 8], *id = some_id(script);
    switch (input_8(script) % 6) {
    case 0:
        return some_text(script, body, TEXT_MAX);
    case 1:
        (void)snprintf(body, sizeof body,
                       "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":{\"requestId\":%s}}", method, id);
        return body;
    case 2:
        (void)snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}", id);
        return body;
    case 3:
        (void)snprintf(body, sizeof body,
                       "[{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"%s\"},{\"jsonrpc\":\"2.0\",\"id\":%s,"
                       "\"method\":\"b\"},"
                       "{\"jsonrpc\":\"2.0\",\"method\":\"n\"}]",
                       id, method, some_id(script));
        return body;
    default:
        (void)snprintf(
            body, sizeof body,
            "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"%s\",\"params\":{\"uri\":\"a:%u\",\"name\":\"t\"}}",
            id, method, input_8(script) % 4u);
        return body;
    }
}

static void any_request(struct client *client, struct input *script)
{
    static const char *const methods[] = {"POST", "GET", "DELETE", "OPTIONS", "PUT", ""};
    static const char *const names[] = {
        "Mcp-Session-Id", "MCP-Protocol-Version", "Accept",     "Origin",   "Host",
        "Content-Type",   "Last-Event-ID",        "Mcp-Method", "Mcp-Name", "X"};
    static char headers[3][TEXT_MAX];
    const char *lines[4] = {NULL};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(headers[i], sizeof headers[i], "%s: %s", names[input_8(script) % 10],
                       some_text(script, text, 60));
        lines[i] = headers[i];
    }
    ask(client, methods[input_8(script) % 6], lines, some_body(script));
}

static void in_a_session(struct client *client, struct input *script)
{
    char header[100];
    const char *const headers[] = {header, NULL};
    const char *session = some_session(script);
    switch (input_8(script) % 5) {
    case 0:
        get(client, session, some_text(script, text, 12));
        break;
    case 1:
        (void)snprintf(text, sizeof text, "%u-%u", input_8(script) % 8u, (unsigned)input_8(script));
        get(client, session, text);
        break;
    case 2:
        get(client, session, NULL);
        break;
    case 3:
        (void)snprintf(header, sizeof header, "Mcp-Session-Id: %s", session);
        ask(client, "DELETE", headers, NULL);
        break;
    default:
        post(client, session, some_body(script));
        break;
    }
}

static void ask_something(struct client *client, struct input *script)
{
    leave(client);
    switch (input_8(script) % 5) {
    case 0:
        any_request(client, script);
        break;
    case 1:
        post(client, NULL, INITIALIZE);
        break;
    case 2:
        (void)snprintf(other, sizeof other, "\"name\":\"t\",\"arguments\":{\"r\":%u}", input_8(script) % 3u);
        call(client, "tools/call", "t", other);
        break;
    case 3:
        call(client, "subscriptions/listen", NULL, "");
        break;
    default:
        in_a_session(client, script);
        break;
    }
}

/* ---- what comes back ---- */

static void check_answer(const struct client *client)
{
    const struct answer *answer = exchange_answer(client->exchange);
    struct mcp_json_document *document;
    struct mcp_json_error error;
    assert_true(answer->status >= 200 && answer->status < 600);
    if (answer->type == NULL || strcmp(answer->type, "application/json") != 0)
        return;
    assert_int_equal(mcp_json_parse(&message_memory, answer->body, answer->length, &document, &error), 0);
    mcp_json_free(document);
}

static void read_some(struct client *client, size_t size)
{
    char bytes[256];
    if (client->exchange == NULL)
        return;
    if (exchange_state(client->exchange) == EXCHANGE_ANSWER)
        check_answer(client);
    if (exchange_state(client->exchange) != EXCHANGE_STREAM)
        return;
    int64_t result = exchange_read(client->exchange, bytes, size);
    assert_true(result >= -1 && result <= (int64_t)size);
}

/* ---- what the server does ---- */

static void say(struct fake_link *link, struct input *script)
{
    const char *id = some_id(script), *tag = input_8(script) % 4 == 0 ? some_text(script, text, 20) : id;
    static char message[3 * TEXT_MAX];
    switch (input_8(script) % 6) {
    case 0:
        (void)some_text(script, message, TEXT_MAX);
        break;
    case 1:
        (void)snprintf(message, sizeof message,
                       "{\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":{\"x\":\"%0*u\"}}", input_8(script),
                       0u);
        break;
    case 2:
        (void)snprintf(message, sizeof message,
                       "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32601,\"message\":\"\"}}", id);
        break;
    case 3:
        (void)snprintf(message, sizeof message,
                       "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"tools\":[{\"name\":\"t\","
                       "\"inputSchema\":{\"properties\":"
                       "{\"r\":{\"type\":\"integer\",\"x-mcp-header\":\"R\"}}}}],\"ttlMs\":%u%s}}",
                       id, input_8(script) * 100u, input_8(script) % 4 == 0 ? ",\"nextCursor\":\"x\"" : "");
        break;
    default:
        (void)snprintf(message, sizeof message,
                       "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"protocolVersion\":\"2025-%s\"}}", id,
                       input_8(script) % 2 == 0 ? "11-25" : "03-26");
        break;
    }
    server_says(link, tag, message);
}

static void say_bytes(struct fake_link *link, struct input *script)
{
    size_t size = input_8(script);
    struct vm_link *vm = link->link;
    size = input_bytes(script, text, size < TEXT_MAX ? size : TEXT_MAX);
    uint8_t *bytes = exact_copy(text, size);
    if (!vm_link_input(vm, bytes, size))
        gateway_link_lost(gateway, vm);
    free(bytes);
}

static void play_server(struct input *script)
{
    uint8_t what = input_8(script);
    struct fake_link *link = some_link(script);
    if (link == NULL)
        return;
    switch (what % 8) {
    case 0:
        say_bytes(link, script);
        break;
    case 1:
        server_ends(link);
        break;
    case 2:
        link->window = input_8(script);
        break;
    case 3:
        link->window = SIZE_MAX;
        (void)vm_link_writable(link->link);
        break;
    default:
        say(link, script);
        break;
    }
}

static void check_limits(void)
{
    struct gateway_statistics statistics;
    gateway_get_statistics(gateway, &statistics);
    assert_true(statistics.links <= config.links_max && statistics.sessions <= config.sessions_max);
    assert_true(statistics.links == open_links() && statistics.bodies <= config.bodies_max);
    assert_true(statistics.sessions_connected + statistics.links_idle <= statistics.links);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input script = {data, size, 0};
    if (start(NULL) != 0)
        return 0;
    gateway->config.stream_ms = input_8(&script) % 2 * 1000u;
    while (input_left(&script) > 0 && link_count < LINKS_MAX) {
        uint8_t operation = input_8(&script);
        struct client *client = &clients[operation / 8 % CLIENTS];
        switch (operation % 8) {
        case 0:
        case 1:
            ask_something(client, &script);
            break;
        case 2:
            read_some(client, 1 + input_8(&script));
            break;
        case 3:
            leave(client);
            break;
        case 4:
            now += (uint64_t)input_8(&script) * input_8(&script) * 10;
            gateway_tick(gateway);
            break;
        case 5:
            if (client->exchange != NULL)
                exchange_probe(client->exchange);
            unreachable = input_8(&script) % 8 == 0;
            break;
        default:
            play_server(&script);
            break;
        }
        check_limits();
    }
    for (size_t i = 0; i < CLIENTS; i++)
        leave(&clients[i]);
    (void)end(NULL);
    return 0;
}
