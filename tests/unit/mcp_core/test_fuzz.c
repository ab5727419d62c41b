/* SPDX-License-Identifier: MIT
 *
 * Hostile input, the same on every run: prefixes, mutations and random bytes. The client checks that every
 * message of the server is JSON for two parsers; here the reader's verdict is compared with jansson's too.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct client client;
static struct mcp_call *waiting[8];
static size_t waiting_count;

static void echo(struct mcp_call *call, void *context)
{
    struct mcp_json_writer *result = mcp_call_result(call);

    (void)context;
    mcp_json_begin_object(result);
    mcp_json_key_write(result, "arguments");
    mcp_json_value(result, mcp_call_arguments(call));
    mcp_json_end_object(result);
    mcp_call_finish(call);
}

static void later(struct mcp_call *call, void *context)
{
    (void)context;
    if (waiting_count == sizeof(waiting) / sizeof(waiting[0])) {
        for (size_t i = 0; i < waiting_count; i++)
            echo(waiting[i], NULL);
        waiting_count = 0;
    }
    waiting[waiting_count++] = call;
}

/* Asks once, then says what it got. */
static void ask(struct mcp_call *call, void *context)
{
    const void *state;
    size_t size;

    (void)context;
    if (mcp_call_state(call, &state, &size) != 0)
        return;
    if (state == NULL && mcp_call_ask(call, "r", MCP_ASK_ROOTS) == NULL)
        return;
    if (state == NULL) {
        mcp_call_wait(call, "state", 5);
    } else {
        mcp_json_value(mcp_call_result(call), mcp_call_input(call, "r"));
        mcp_call_finish(call);
    }
}

static void say(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_progress(call, 1, 2, "m");
    mcp_call_log(call, MCP_LOG_ERROR, "l", "m");
    mcp_server_resource_updated(client.server, "r:");
    mcp_call_text(call, "said", 4);
    mcp_call_finish(call);
}

static void complete(struct mcp_call *call, void *context)
{
    const char *name, *value;
    size_t length;

    (void)context;
    mcp_call_completing(call, &name, &value, &length);
    mcp_call_suggest(call, value);
    mcp_call_finish(call);
}

static int entropy(void *context, void *bytes, size_t size)
{
    (void)context;
    memset(bytes, 1, size);
    return 0;
}

static uint64_t clock_ms(void *context)
{
    (void)context;
    return 0;
}

static const struct mcp_prompt_argument argument = {.name = "a", .required = true};
static const struct mcp_prompt prompt = {
    .name = "p", .arguments = &argument, .argument_count = 1, .handler = say, .complete = complete};
static const struct mcp_resource resources[] = {
    {.uri = "r:", .name = "r", .handler = say},
    {.uri = "t:{x}/{+y}", .name = "t", .handler = later, .complete = complete},
};

static const struct mcp_tool tools[] = {
    {.name = "ask", .input_schema = "{\"type\":\"object\"}", .output_schema = "{}", .handler = ask},
    {.name = "echo",
     .input_schema =
         "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"string\"}}}",
     .handler = echo},
    {.name = "later", .input_schema = "{\"type\":\"object\"}", .handler = later},
};

static const char *const seeds[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":\"a\\u00e9\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
    "\"2025-03-26\","
    "\"capabilities\":{\"roots\":{\"listChanged\":true}},\"clientInfo\":{\"name\":\"n\",\"version\":\"1\"}}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\",\"params\":{\"cursor\":\"1\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":"
    "{\"a\":-1.50e+3,\"b\":\"\\ud83d\\ude00 \xf0\x9f\x98\x80\\n\",\"c\":[null,true,false,{}]}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/"
    "call\",\"params\":{\"name\":\"later\",\"arguments\":{}}}",
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
    "cancelled\",\"params\":{\"requestId\":4,\"reason\":\"x\"}}",
    "{\"id\":5,\"method\":\"echo\",\"params\":{\"b\":\"x\"}}",
    "[{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}]",
#define MODERN                                                                                               \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                                 \
    "\"io.modelcontextprotocol/clientCapabilities\":{\"roots\":{}},\"progressToken\":\"p\","                 \
    "\"io.modelcontextprotocol/logLevel\":\"info\",\"traceparent\":\"00-ab\"}"
    "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"server/discover\",\"params\":{" MODERN "}}",
    "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"subscriptions/listen\",\"params\":{" MODERN
    ",\"notifications\":{\"toolsListChanged\":true,\"resourceSubscriptions\":[\"r:\",\"t:1/2\"]}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":10,\"method\":\"resources/read\",\"params\":{\"uri\":\"r:\"," MODERN "}}",
    "{\"jsonrpc\":\"2.0\",\"id\":11,\"method\":\"resources/read\",\"params\":{\"uri\":\"t:a%2F/b/c\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":12,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"r:\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":13,\"method\":\"prompts/get\",\"params\":{\"name\":\"p\",\"arguments\":{"
    "\"a\":\"x\"}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":14,\"method\":\"completion/complete\",\"params\":{\"ref\":{\"type\":"
    "\"ref/resource\",\"uri\":\"t:{x}/{+y}\"},\"argument\":{\"name\":\"x\",\"value\":\"v\"},\"context\":{"
    "\"arguments\":{\"y\":\"z\"}}}}",
    "{\"jsonrpc\":\"2.0\",\"id\":15,\"method\":\"logging/setLevel\",\"params\":{\"level\":\"debug\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":16,\"method\":\"tools/call\",\"params\":{\"name\":\"ask\"}}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"roots\":[{\"uri\":\"file:///\"}]}}",
    "{\"jsonrpc\":\"2.0\",\"id\":17,\"method\":\"tools/call\",\"params\":{\"name\":\"ask\","
    "\"inputResponses\":{\"r\":{}},\"requestState\":\"AAAA\"," MODERN "}}",
};
#define SEED_COUNT (sizeof(seeds) / sizeof(seeds[0]))

static int set_up(void **state)
{
    struct mcp_server_config config = test_config;

    (void)state;
    config.methods_are_tools = true;
    config.logging = true;
    config.entropy = entropy;
    config.clock_ms = clock_ms;
    client = (struct client){0};
    waiting_count = 0;
    client_start(&client, &config);
    mcp_server_enable_changes(client.server, true, true);
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
        assert_int_equal(mcp_server_add_tool(client.server, &tools[i]), 0);
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++)
        assert_int_equal(mcp_server_add_resource(client.server, &resources[i]), 0);
    assert_int_equal(mcp_server_add_prompt(client.server, &prompt), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < waiting_count; i++)
        echo(waiting[i], NULL);
    client_stop(&client);
    return 0;
}

/* A copy of exactly the length; the reader's verdict is jansson's, and broken JSON gets one parse error. */
static void receive(const char *bytes, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);
    bool unsure;
    json_t *json = test_load(bytes, length, &unsure);
    struct mcp_memory hooks = test_memory_hooks(&client.memory);
    struct mcp_json_document *document;
    struct mcp_json_error error;
    size_t before = client.received;
    int result;

    memcpy(copy, bytes, length);
    result = mcp_json_parse(&hooks, copy, length, &document, &error);
    if (!unsure && (result == 0) != (json != NULL))
        fail_msg("%.*s: %d, but jansson says %d", (int)length, bytes, result, json != NULL);
    if (result == 0)
        mcp_json_free(document);
    mcp_session_receive(client.session, copy, length);
    if (result != 0) {
        assert_int_equal(client.received, before + 1);
        assert_non_null(strstr(client.last, "\"id\":null,\"error\":{\"code\":-32700"));
    }
    json_decref(json);
    free(copy);
}

static void short_messages(void **state)
{
    (void)state;
    receive("", 0);
    for (unsigned i = 0; i < 256; i++) {
        char byte = (char)i;

        receive(&byte, 1);
    }
    for (unsigned i = 0; i < 65536; i++) {
        char bytes[2] = {(char)(i & 255), (char)(i >> 8)};

        receive(bytes, 2);
    }
}

static void every_prefix(void **state)
{
    (void)state;
    for (size_t seed = 0; seed < SEED_COUNT; seed++)
        for (size_t length = 0; length <= strlen(seeds[seed]); length++)
            receive(seeds[seed], length);
}

static void mutated_messages(void **state)
{
    static const char *const pieces[] = {
        "\"",   "\\", "{",  "}",     "[",    "]",       ",",       ":",
        "0",    "-",  "e",  ".",     "null", "\\u0000", "\\ud800", "\xed\xa0\x80",
        "\xff", " ",  "\n", "1e999", "{}",   "\"id\":", "2.0",     "99999999999999999999"};
    uint32_t random = 5;

    (void)state;
    for (int round = 0; round < 30000; round++) {
        char bytes[16000];
        const char *seed = seeds[test_random(&random, SEED_COUNT)];
        size_t length = strlen(seed);
        uint32_t changes = 1 + test_random(&random, 3);

        /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the text has no end but its length */
        memcpy(bytes, seed, length);
        while (changes-- > 0 && length > 0) {
            size_t at = test_random(&random, (uint32_t)length);
            const char *piece = pieces[test_random(&random, sizeof(pieces) / sizeof(pieces[0]))];
            const char *other = seeds[test_random(&random, SEED_COUNT)];
            size_t part;

            switch (test_random(&random, 5)) {
            case 0:
                bytes[at] = (char)test_random(&random, 256);
                break;
            case 1:
                part = 1 + test_random(&random, 20);
                part = part < length - at ? part : length - at;
                memmove(bytes + at, bytes + at + part, length - at - part);
                length -= part;
                break;
            case 2:
                memmove(bytes + at + strlen(piece), bytes + at, length - at);
                /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the text has no end but its length */
                memcpy(bytes + at, piece, strlen(piece));
                length += strlen(piece);
                break;
            case 3: /* the end of another */
                part = test_random(&random, (uint32_t)strlen(other));
                length = at + strlen(other) - part;
                /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the text has no end but its length */
                memcpy(bytes + at, other + part, strlen(other) - part);
                break;
            default:
                bytes[at] = (char)(bytes[at] ^ 1 << test_random(&random, 8));
                break;
            }
            assert_true(length < sizeof(bytes) - 400);
        }
        receive(bytes, length);
        if (round % 100 == 99) {
            tear_down(state);
            set_up(state);
        }
    }
}

static void random_bytes(void **state)
{
    uint32_t random = 6;

    (void)state;
    for (int round = 0; round < 10000; round++) {
        char bytes[64];
        size_t length = test_random(&random, sizeof(bytes));

        for (size_t i = 0; i < length; i++)
            bytes[i] = round % 2 == 0 ? (char)test_random(&random, 256)
                                      : "{}[]\",:\\u0123 eE+-.ntrfals"[test_random(&random, 27)];
        receive(bytes, length);
    }
}

/* The same mutations where memory fails now and then. */
static void random_failures_of_memory(void **state)
{
    uint32_t random = 7;

    (void)state;
    for (int round = 0; round < 10000; round++) {
        const char *seed = seeds[test_random(&random, SEED_COUNT)];

        client.memory.allocations = 0;
        client.memory.fail_at = 1 + test_random(&random, 12);
        client.memory.fail_from = test_random(&random, 2) == 0;
        mcp_session_receive(client.session, seed, strlen(seed));
        client.memory.fail_at = 0;
        if (round % 50 == 49) {
            tear_down(state);
            set_up(state);
        }
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(short_messages),
        TEST(every_prefix),
        TEST(mutated_messages),
        TEST(random_bytes),
        TEST(random_failures_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
