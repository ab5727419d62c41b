/* SPDX-License-Identifier: MIT
 *
 * Which era a server speaks, what it asks in either, resources, prompts and subscriptions.
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

#define AUTO(...)                                                                                            \
    do {                                                                                                     \
        harness.era = "auto";                                                                                \
        RUN(__VA_ARGS__);                                                                                    \
    } while (0)

/* The older handshake, after the probe was answered. */
static void initialise(void)
{
    json_t *message = server_read();
    assert_string_equal(json_string_value(json_object_get(message, "method")), "initialize");
    char answer[300];
    snprintf(
        answer, sizeof answer,
        "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},"
        "\"serverInfo\":{\"name\":\"old\",\"version\":\"1\"}}}",
        (long long)json_integer_value(json_object_get(message, "id")));
    json_decref(message);
    server_send(answer);
    server_expect("notifications/initialized", NULL);
}

static void stateless(void **state)
{
    (void)state;
    AUTO("call", "echo", "--args", "{\"a\":1}");
    server_discovered();
    json_t *meta = server_expect_stateless("tools/call", "{\"name\":\"echo\",\"arguments\":{\"a\":1}}");
    assert_int_equal(json_integer_value(json_object_get(meta, "progressToken")), server_id());
    json_decref(meta);
    server_reply("{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\",\"text\":\"done\"}]}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "done\n");

    AUTO("info", "--json");
    server_discovered();
    assert_int_equal(run_finish(), 0);
    assert_non_null(strstr(harness.out, "\"protocolVersion\": \"2026-07-28\""));
    assert_non_null(strstr(harness.out, "\"name\": \"new\""));

    AUTO("ping");
    server_discovered();
    json_decref(server_expect_stateless("server/discover", "{}"));
    server_reply("{\"supportedVersions\":[\"2026-07-28\"]}");
    assert_int_equal(run_finish(), 0);
}

/* Any error that only servers of 2026-07-28 have not, and silence, mean the older era. */
static void older_servers(void **state)
{
    (void)state;
    static const int codes[] = {-32601, -32602, -32600, -32000, 0};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        AUTO("info");
        server_accept();
        json_decref(server_expect_stateless("server/discover", "{}"));
        server_reply_error(codes[i], "what?");
        initialise();
        assert_int_equal(run_finish(), 0);
        assert_non_null(strstr(harness.out, "2025-06-18"));
    }
    AUTO("--timeout", "0.4", "info");
    server_accept();
    json_decref(server_expect_stateless("server/discover", "{}"));
    initialise(); /* no word about the first */
    assert_int_equal(run_finish(), 0);

    AUTO("info"); /* one that says which it has, and ours is not among them */
    server_accept();
    json_decref(server_expect_stateless("server/discover", "{}"));
    server_send("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32022,\"message\":\"no\",\"data\":"
                "{\"supported\":[\"2025-11-25\"],\"requested\":\"2026-07-28\"}}}");
    initialise();
    assert_int_equal(run_finish(), 0);

    AUTO("info"); /* one that ends at what it does not know */
    server_accept();
    json_decref(server_expect_stateless("server/discover", "{}"));
    server_hang_up();
    server_accept();
    initialise();
    assert_int_equal(run_finish(), 0);
}

static void no_version_in_common(void **state)
{
    (void)state;
    AUTO("info");
    server_accept();
    json_decref(server_expect_stateless("server/discover", "{}"));
    server_send("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32022,\"message\":\"no\",\"data\":"
                "{\"supported\":[\"2031-01-01\"],\"requested\":\"2026-07-28\"}}}");
    assert_fails(3, "no version of MCP in common: mcp-cli knows 2024-11-05 to 2025-11-25 and 2026-07-28; the "
                    "server [\"2031-01-01\"]");
    AUTO("info");
    server_accept();
    json_decref(server_expect_stateless("server/discover", "{}"));
    server_reply("{\"supportedVersions\":[\"2031-01-01\"]}");
    assert_fails(3, "no version of MCP in common");
    AUTO("info");
    server_accept();
    json_decref(server_expect_stateless("server/discover", "{}"));
    server_reply_error(-32020, "headers");
    assert_fails(3, "headers (error -32020)");
    harness.era = "stateless";
    RUN("info");
    server_accept();
    json_decref(server_expect_stateless("server/discover", "{}"));
    server_reply_error(-32601, "what?");
    assert_fails(3, "the server does not speak 2026-07-28; --protocol-era initialize or auto is for it");
    harness.era = "stateless";
    RUN("--timeout", "0.1", "info");
    server_accept();
    json_decref(server_expect_stateless("server/discover", "{}"));
    assert_fails(3, "no answer to server/discover within 0.1 s");
}

static void input_is_required(void **state)
{
    (void)state;
    char folder[128];
    AUTO("--root", harness.folder, "call", "x", "--args", "{}");
    server_discovered();
    json_t *meta = server_expect_stateless("tools/call", "{\"name\":\"x\",\"arguments\":{}}");
    assert_non_null(
        json_object_get(json_object_get(meta, "io.modelcontextprotocol/clientCapabilities"), "roots"));
    json_decref(meta);
    server_reply(
        "{\"resultType\":\"input_required\",\"requestState\":\"s1\",\"inputRequests\":{\"r\":{\"method\":"
        "\"roots/list\"},\"e\":{\"method\":\"elicitation/create\",\"params\":{\"message\":\"?\"}}}}");
    snprintf(folder, sizeof folder, "file://%s", harness.folder);
    json_int_t first = server_id();
    json_t *message = server_read();
    json_t *params = json_object_get(message, "params");
    assert_true(json_integer_value(json_object_get(message, "id")) != first);
    assert_string_equal(json_string_value(json_object_get(params, "requestState")), "s1");
    json_t *responses = json_object_get(params, "inputResponses");
    json_t *root = json_array_get(json_object_get(json_object_get(responses, "r"), "roots"), 0);
    assert_string_equal(json_string_value(json_object_get(root, "uri")), folder);
    json_t *action = json_object_get(json_object_get(responses, "e"), "action");
    assert_string_equal(json_string_value(action), "decline"); /* there is no terminal */
    json_decref(message);
    /* another round, without a state and without a question */
    server_send("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"resultType\":\"input_required\"}}");
    json_decref(
        server_expect_stateless("tools/call", "{\"name\":\"x\",\"arguments\":{},\"inputResponses\":{}}"));
    server_reply("{\"content\":[{\"type\":\"text\",\"text\":\"ok\"}]}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "ok\n");

    AUTO("call", "x", "--args", "{}");
    server_discovered();
    json_decref(server_expect_stateless("tools/call", NULL));
    server_reply("{\"resultType\":\"input_required\",\"inputRequests\":{\"s\":{\"method\":"
                 "\"sampling/createMessage\"}}}");
    assert_fails(1, "the server asks for sampling/createMessage first, which mcp-cli does not answer");
}

static void input_without_an_end(void **state)
{
    (void)state;
    AUTO("call", "x", "--args", "{}");
    server_discovered();
    for (int i = 0; i <= 32; i++) {
        json_decref(server_expect_stateless("tools/call", NULL));
        server_reply("{\"resultType\":\"input_required\",\"requestState\":\"again\"}");
    }
    assert_fails(1, "the server wanted input 32 times");
}

static void requests_of_an_older_server(void **state)
{
    (void)state;
    RUN("--root", "/", "call", "x", "--args", "{}");
    server_accept();
    json_t *message = server_read();
    json_t *capabilities = json_object_get(json_object_get(message, "params"), "capabilities");
    assert_non_null(json_object_get(capabilities, "roots"));
    json_decref(message);
    server_send("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\"}}");
    server_expect("notifications/initialized", NULL);
    server_expect_call("x", "{}");
    json_int_t id = server_id();
    server_send("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"roots/list\"}");
    message = server_read();
    json_t *roots = json_object_get(json_object_get(message, "result"), "roots");
    assert_string_equal(json_string_value(json_object_get(json_array_get(roots, 0), "uri")), "file:///");
    json_decref(message);
    server_send("{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"elicitation/create\",\"params\":{}}");
    message = server_read();
    json_t *action = json_object_get(json_object_get(message, "result"), "action");
    assert_string_equal(json_string_value(action), "decline");
    json_decref(message);
    server_send("{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"sampling/createMessage\",\"params\":{}}");
    message = server_read();
    assert_int_equal(json_integer_value(json_object_get(json_object_get(message, "error"), "code")), -1);
    json_decref(message);
    char answer[100];
    snprintf(answer, sizeof answer, "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"content\":[]}}",
             (long long)id);
    server_send(answer);
    assert_int_equal(run_finish(), 0);
}

static void resources_and_prompts(void **state)
{
    (void)state;
    RUN("resources");
    server_handshake();
    server_expect("resources/list", "{}");
    server_reply("{\"resources\":[{\"uri\":\"a://b\",\"mimeType\":\"text/plain\",\"name\":\"n\"},{}]}");
    server_expect("resources/templates/list", "{}");
    server_reply_error(-32601, "none");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "a://b  text/plain  n\n");

    char path[128];
    snprintf(path, sizeof path, "%s/out", harness.folder);
    RUN("read", "a://b", "--output", path);
    server_handshake();
    json_t *message = server_read();
    assert_string_equal(json_string_value(json_object_get(json_object_get(message, "params"), "uri")),
                        "a://b");
    json_decref(message);
    server_send(
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"contents\":[{\"uri\":\"a://b\",\"blob\":\"AAEC\"},"
        "{\"uri\":\"a://b\",\"text\":\"t\"}]}}");
    assert_int_equal(run_finish(), 0);
    FILE *file = fopen(path, "rb");
    char bytes[8];
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), 4);
    assert_memory_equal(bytes, "\0\1\2t", 4);
    fclose(file);

    RUN("read", "a://b");
    server_handshake();
    json_decref(server_read());
    server_send(
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"contents\":[{\"blob\":\"A\",\"mimeType\":\"x/y\"}]}}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "[content that is no text: x/y; read --output FILE writes it]\n");
    RUN("read", "a://b", "-o", path);
    server_handshake();
    json_decref(server_read());
    server_send("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"contents\":[{\"blob\":\"A\"}]}}");
    assert_fails(1, "the server's blob is no Base64");

    RUN("prompt", "aks", "question=why");
    server_handshake();
    message = server_read();
    json_decref(message);
    server_send("{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32602,\"message\":\"no such prompt\"}}");
    server_expect("prompts/list", "{}");
    server_reply("{\"prompts\":[{\"name\":\"ask\",\"arguments\":[{\"name\":\"q\",\"required\":true}]}]}");
    assert_fails(1, "aks: no such prompt (error -32602); did you mean 'ask'?");

    RUN("prompt", "ask");
    server_handshake();
    json_decref(server_read());
    server_send(
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"messages\":[{\"role\":\"user\",\"content\":{\"type\":"
        "\"text\",\"text\":\"hello\"}},{\"role\":\"assistant\",\"content\":[{\"type\":\"resource\","
        "\"resource\":{\"uri\":\"a://b\",\"text\":\"t\"}},{\"type\":\"resource_link\",\"uri\":\"c://"
        "d\"}]}]}}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out,
                        "user: hello\nassistant: [a://b]\nt\n[resource c://d; read prints it]\n");

    RUN("complete", "a://{x}", "x=1", "y=2");
    server_handshake();
    message = server_read();
    json_t *params = json_object_get(message, "params");
    json_t *ref = json_object_get(params, "ref");
    assert_string_equal(json_string_value(json_object_get(ref, "type")), "ref/resource");
    json_t *context = json_object_get(json_object_get(params, "context"), "arguments");
    assert_string_equal(json_string_value(json_object_get(context, "y")), "2");
    json_decref(message);
    server_send("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"completion\":{\"values\":[\"10\",\"11\",3]}}}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "10\n11\n");
}

static void subscriptions(void **state)
{
    (void)state;
    RUN("subscribe", "a://b", "--count", "2");
    server_handshake();
    json_decref(server_read());
    server_send("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
    server_send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/"
                "updated\",\"params\":{\"uri\":\"a://b\"}}");
    server_send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
    json_t *message = server_read();
    assert_string_equal(json_string_value(json_object_get(message, "method")), "resources/unsubscribe");
    json_decref(message);
    server_send("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "resources/updated  a://b\ntools/list_changed\n");

    AUTO("--json", "subscribe", "a://b", "--count", "1");
    server_discovered();
    json_decref(server_expect_stateless("subscriptions/listen",
                                        "{\"notifications\":{\"resourceSubscriptions\":[\"a://b\"]}}"));
    server_send(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{}}");
    server_send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/"
                "updated\",\"params\":{\"uri\":\"a://b\"}}");
    server_expect("notifications/cancelled", "{\"requestId\":2,\"reason\":\"seen enough\"}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out,
                        "{\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"a://b\"}}\n");

    AUTO("subscribe");
    server_discovered();
    json_decref(server_expect_stateless(
        "subscriptions/listen", "{\"notifications\":{\"toolsListChanged\":true,\"promptsListChanged\":true,"
                                "\"resourcesListChanged\":true}}"));
    server_reply("{\"resultType\":\"complete\"}");
    assert_fails(1, "the server has ended the subscription");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(stateless),
                                       TEST(older_servers),
                                       TEST(no_version_in_common),
                                       TEST(input_is_required),
                                       TEST(input_without_an_end),
                                       TEST(requests_of_an_older_server),
                                       TEST(resources_and_prompts),
                                       TEST(subscriptions)};
    return cmocka_run_group_tests_name("mcp-cli: eras", tests, NULL, NULL);
}
