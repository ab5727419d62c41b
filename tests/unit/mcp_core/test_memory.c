/* SPDX-License-Identifier: MIT
 *
 * Memory that runs out, at every single allocation: each request is still answered, with its id, and nothing
 * leaks.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct client client;

static void echo(struct mcp_call *call, void *context)
{
    struct mcp_json_writer *result;
    const char *text;
    size_t length;

    (void)context;
    if (mcp_call_string(call, "text", &text, &length) != 0)
        return;
    mcp_call_text(call, text, length);
    result = mcp_call_result(call);
    mcp_json_begin_object(result);
    mcp_json_key_write(result, "text");
    mcp_json_string_n(result, text, length);
    mcp_json_end_object(result);
    mcp_call_finish(call);
}

static const struct mcp_tool tool = {
    .name = "echo", .input_schema = "{\"type\":\"object\"}", .handler = echo};

static void read_it(struct mcp_call *call, void *context)
{
    static const struct mcp_content blob = {
        .type = MCP_CONTENT_RESOURCE_BLOB, .data = "blob", .size = 4, .meta = "{\"a\":1}"};

    (void)context;
    mcp_call_content(call, &blob);
    mcp_call_text(call, mcp_call_uri(call), strlen(mcp_call_uri(call)));
    mcp_call_finish(call);
}

static void not_there(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_not_found(call);
}

/* Tells what there is to tell: more than fits on the stack, so that it takes memory. */
static void tell(struct mcp_call *call, void *context)
{
    char text[600];

    (void)context;
    memset(text, 't', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    mcp_call_progress(call, 1, 2, text);
    mcp_call_log(call, MCP_LOG_ALERT, "memory", text);
    mcp_json_member_string(mcp_call_result_meta(call), "x", text);
    mcp_server_resource_updated(client.server, "file:///a");
    mcp_server_log(client.server, MCP_LOG_ALERT, NULL, text);
    mcp_call_text(call, text, sizeof(text) - 1);
    mcp_call_finish(call);
}

static void complete(struct mcp_call *call, void *context)
{
    const char *name, *value;
    size_t length;

    (void)context;
    mcp_call_completing(call, &name, &value, &length);
    mcp_call_suggest(call, name);
    mcp_call_suggest(call, value);
    mcp_call_finish(call);
}

static const struct mcp_tool teller = {
    .name = "tell", .input_schema = "{\"type\":\"object\"}", .handler = tell};

static const struct mcp_resource resources[] = {
    {.uri = "file:///a", .name = "a", .handler = read_it},
    {.uri = "file:///lost", .name = "l", .handler = not_there},
    {.uri = "note:{x}/{+y}", .name = "n", .handler = read_it, .complete = complete},
};

static const struct mcp_prompt_argument argument = {.name = "text", .required = true};

static const struct mcp_prompt prompt = {
    .name = "echo", .arguments = &argument, .argument_count = 1, .handler = tell, .complete = complete};

static int declare(struct mcp_server *server)
{
    int result = mcp_server_add_tool(server, &tool);

    if (result == 0)
        result = mcp_server_add_tool(server, &teller);
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]) && result == 0; i++)
        result = mcp_server_add_resource(server, &resources[i]);
    return result == 0 ? mcp_server_add_prompt(server, &prompt) : result;
}

static void start(const char *version)
{
    struct mcp_server_config config = test_config;

    config.methods_are_tools = true;
    config.logging = true;
    client = (struct client){0};
    client_start(&client, &config);
    mcp_server_enable_changes(client.server, true, true);
    assert_int_equal(declare(client.server), 0);
    if (version != NULL)
        client_initialise(&client, version);
}

/* How many answers with this id (as jansson prints it) the last messages hold. */
static size_t with_id, without_id;
static const char *wanted_id;

static void count_ids(struct client *receiver)
{
    json_t *json = test_load(receiver->last, receiver->last_length, NULL);
    size_t count = json_is_array(json) ? json_array_size(json) : 1;

    if (json_object_get(json, "method") != NULL) { /* a notification */
        if (strstr(receiver->last, "acknowledged") != NULL)
            with_id++;
        json_decref(json);
        return;
    }

    for (size_t i = 0; i < count; i++) {
        json_t *answer = json_is_array(json) ? json_array_get(json, i) : json;
        char *id = json_dumps(json_object_get(answer, "id"), JSON_ENCODE_ANY);

        if (wanted_id == NULL || strcmp(id, wanted_id) == 0)
            with_id++;
        else
            without_id++;
        free(id);
    }
    json_decref(json);
}

static const struct {
    const char *version, *message, *id;
} requests[] = {
    {NULL, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}", "7"},
    {NULL,
     "{ \"params\":{\"id\":1,\"x\":[{\"id\":2}]}, \"method\" : \"p\\\"i,ng\" , \"id\" : \"a\\\"b\",\"id\":3}",
     "\"a\\\"b\""},
    {NULL, "{\"x\":\"id\",\"method\":\"ping\",\"jsonrpc\":\"2.0\",\"id\":-12}", "-12"},
    {NULL,
     "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\"}"
     "}",
     "7"},
    {NULL, "{\"id\":1,\"method\":\"echo\",\"params\":{\"text\":\"x\"}}", "1"},
    {"2025-11-25", "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/list\"}", "7"},
    {"2025-11-25",
     "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"tools/call\",\"params\":{\"name\":\"echo\","
     "\"arguments\":{\"text\":\"some text, and more\"}}}",
     "\"c\""},
    {"2024-11-05",
     "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\","
     "\"arguments\":{\"text\":1}}}",
     "7"},
#define REQUEST(method, params)                                                                              \
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"" method "\",\"params\":{" params "}}", "7"
#define MODERN                                                                                               \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                                 \
    "\"io.modelcontextprotocol/clientCapabilities\":{},\"io.modelcontextprotocol/logLevel\":\"debug\","      \
    "\"progressToken\":\"p\",\"traceparent\":\"t\"}"
#define BOTH_ERAS(method, params)                                                                            \
    {"2025-11-25", REQUEST(method, params "\"_meta\":{\"progressToken\":1}")},                               \
    {                                                                                                        \
        NULL, REQUEST(method, params MODERN)                                                                 \
    }
    BOTH_ERAS("resources/list", ""),
    BOTH_ERAS("resources/templates/list", ""),
    BOTH_ERAS("prompts/list", ""),
    BOTH_ERAS("tools/list", ""),
    BOTH_ERAS("resources/read", "\"uri\":\"file:///a\","),
    BOTH_ERAS("resources/read", "\"uri\":\"file:///lost\","),
    BOTH_ERAS("resources/read", "\"uri\":\"file:///none\","),
    BOTH_ERAS("resources/read", "\"uri\":\"note:a%20b/c/d\","),
    BOTH_ERAS("prompts/get", "\"name\":\"echo\",\"arguments\":{\"text\":\"x\"},"),
    BOTH_ERAS("tools/call", "\"name\":\"tell\","),
    BOTH_ERAS("completion/complete", "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"echo\"},\"argument\":{"
                                     "\"name\":\"text\",\"value\":\"v\"},\"context\":{\"arguments\":{}},"),
    {NULL, REQUEST("server/discover", MODERN)},
    {NULL, REQUEST("subscriptions/listen", "\"notifications\":{\"toolsListChanged\":true,"
                                           "\"resourceSubscriptions\":[\"file:///a\"]}," MODERN)},
    {"2025-11-25", REQUEST("resources/subscribe", "\"uri\":\"file:///a\"")},
    {"2025-11-25", REQUEST("resources/subscribe", "\"uri\":\"file:///none\"")},
    {"2025-11-25", REQUEST("logging/setLevel", "\"level\":\"info\"")},
};

static void every_allocation_fails_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        for (int from = 0; from < 2; from++) {
            size_t fail_at = 0;
            bool failed;

            do {
                fail_at++;
                start(requests[i].version);
                with_id = without_id = 0;
                wanted_id = requests[i].id;
                client.on_message = count_ids;
                client.memory.allocations = 0;
                client.memory.fail_at = fail_at;
                client.memory.fail_from = from == 1;
                client_tell(&client, requests[i].message);
                failed = client.memory.allocations >= fail_at;
                client.memory.fail_at = 0;
                assert_int_equal(with_id, 1);
                assert_int_equal(without_id, 0);
                if (failed && strstr(client.last, "error") != NULL && fail_at == 1)
                    assert_non_null(strstr(client.last, "retryAfterMs"));
                client.on_message = NULL;
                client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":\"after\",\"method\":\"ping\"}",
                              "{\"jsonrpc\":\"2.0\",\"id\":\"after\",\"result\":{}}");
                client_stop(&client);
            } while (failed);
            assert_true(fail_at > 1);
        }
    }
}

static void a_failed_initialize_may_be_tried_again(void **state)
{
    (void)state;
    for (size_t fail_at = 1; fail_at <= 3; fail_at++) {
        start(NULL);
        client.memory.allocations = 0;
        client.memory.fail_at = fail_at;
        client.memory.fail_from = true;
        client_tell(&client, requests[3].message);
        if (client.memory.allocations >= fail_at)
            assert_non_null(strstr(client.last, "-32000"));
        client.memory.fail_at = 0;
        if (client.memory.allocations >= fail_at)
            client_initialise(&client, "2025-06-18");
        client_stop(&client);
    }
}

static void notifications_and_responses_stay_unanswered(void **state)
{
    static const char *const messages[] = {
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"method\":\"x\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}",
    };

    (void)state;
    start(NULL);
    client.memory.fail_at = 1;
    client.memory.fail_from = true;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        client_expect_nothing(&client, messages[i]);
    client_expect_error(&client, "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", "null", -32000,
                        "out of memory");
    client_expect_error(&client, " [{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", "null", -32000,
                        "out of memory");
    client_expect_error(&client, "{\"id\":1,}", "null", -32700, "byte 8"); /* needs none */
    client_stop(&client);
}

static void an_id_too_long_for_the_stack(void **state)
{
    char message[2000];

    (void)state;
    start(NULL);
    client.memory.fail_at = 1;
    client.memory.fail_from = true;
    (void)snprintf(message, sizeof(message), "{\"jsonrpc\":\"2.0\",\"id\":\"%0200d\",\"method\":\"ping\"}",
                   0);
    client_tell(&client, message);
    assert_non_null(strstr(client.last, "\"id\":\"000"));
    (void)snprintf(message, sizeof(message), "{\"jsonrpc\":\"2.0\",\"id\":\"%01000d\",\"method\":\"ping\"}",
                   0);
    client_expect_error(&client, message, "null", -32000, "no memory");
    client_stop(&client);
}

static void batches(void **state)
{
    static const char batch[] = "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\","
                                "\"id\":1,\"method\":\"tools/call\","
                                "\"params\":{\"name\":\"echo\",\"arguments\":{\"text\":\"x\"}}},{\"jsonrpc\":"
                                "\"2.0\",\"id\":1,\"method\":\"none\"},"
                                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}]";

    (void)state;
    for (int from = 0; from < 2; from++) {
        size_t fail_at = 1; /* the document itself: the whole batch gets one error */
        bool failed;

        do {
            fail_at++;
            start("2025-03-26");
            with_id = without_id = 0;
            wanted_id = "1";
            client.on_message = count_ids;
            client.memory.allocations = 0;
            client.memory.fail_at = fail_at;
            client.memory.fail_from = from == 1;
            client_tell(&client, batch);
            failed = client.memory.allocations >= fail_at;
            client.memory.fail_at = 0;
            assert_int_equal(with_id, 4);
            assert_int_equal(without_id, 0);
            client_stop(&client);
        } while (failed);
        assert_true(fail_at > 8);
    }
}

static void servers_and_tools(void **state)
{
    size_t fail_at = 0;
    int result;

    (void)state;
    do {
        struct test_memory memory = {.fail_at = ++fail_at, .fail_from = true};
        struct mcp_server_config config = test_config;
        struct mcp_server *server = NULL;
        struct mcp_session *session = NULL;

        config.memory = test_memory_hooks(&memory);
        result = mcp_server_create(&config, &server);
        if (result == 0)
            result = declare(server);
        if (result == 0)
            result = mcp_session_open(server, NULL, NULL, &session);
        assert_true(result == 0 || result == -ENOMEM);
        mcp_session_close(session);
        mcp_server_destroy(server);
        assert_int_equal(memory.held, 0);
    } while (result != 0);
    assert_true(fail_at > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(a_failed_initialize_may_be_tried_again),
        cmocka_unit_test(notifications_and_responses_stay_unanswered),
        cmocka_unit_test(an_id_too_long_for_the_stack),
        cmocka_unit_test(batches),
        cmocka_unit_test(servers_and_tools),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
