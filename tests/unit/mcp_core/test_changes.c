/* SPDX-License-Identifier: MIT
 *
 * What clients are told when resources and lists change, in both eras; lists that change between two pages.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct client client;
static struct mcp_call *waiting;

static void later(struct mcp_call *call, void *context)
{
    (void)context;
    waiting = call;
}

#define PLAIN "{\"type\":\"object\"}"

static const struct mcp_tool tool = {.name = "t", .input_schema = PLAIN, .handler = later};
static const struct mcp_tool other = {
    .name = "o", .input_schema = PLAIN, .output_schema = PLAIN, .handler = later};
static const struct mcp_prompt prompt = {.name = "p", .handler = later};
static const struct mcp_resource resources[] = {
    {.uri = "a:", .name = "a", .handler = later},
    {.uri = "b:", .name = "b", .handler = later},
    {.uri = "c:{x}", .name = "c", .handler = later},
};

static void start(const struct mcp_server_config *changes)
{
    struct mcp_server_config config = changes != NULL ? *changes : test_config;
    client = (struct client){0};
    client_start(&client, &config);
    mcp_server_enable_changes(client.server, true, true);
    assert_int_equal(mcp_server_add_tool(client.server, &tool), 0);
    assert_int_equal(mcp_server_add_prompt(client.server, &prompt), 0);
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++)
        assert_int_equal(mcp_server_add_resource(client.server, &resources[i]), 0);
    assert_int_equal(client.received, 0); /* nobody is initialised, or listens */
}

static int set_up(void **state)
{
    (void)state;
    start(NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client.on_message = NULL;
    client_stop(&client);
    return 0;
}

#define SUBSCRIBE(what, uri)                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/" what "\",\"params\":{\"uri\":\"" uri "\"}}"
#define EMPTY "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"
#define NOTE(method, params)                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/" method "\",\"params\":{" params "}}"
#define TAG(id)    "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":" id "}"
#define CANCEL(id) NOTE("cancelled", "\"requestId\":" id)

static const char *listen_for(const char *id, const char *filter)
{
    static char params[600];

    (void)snprintf(params, sizeof(params), ",\"notifications\":{%s}", filter);
    return stateless(id, "subscriptions/listen", params, "");
}

static void expect_update(const char *uri, const char *note, size_t count)
{
    size_t before = client.received;

    mcp_server_resource_updated(client.server, uri);
    assert_int_equal(client.received, before + count);
    if (count > 0)
        assert_string_equal(client.last, note);
}

static void subscribing(void **state)
{
    (void)state;
    client_initialise(&client, "2025-11-25");
    assert_non_null(strstr(client.last, "\"resources\":{\"listChanged\":true,\"subscribe\":true}"));
    expect_update("a:", NULL, 0);
    client_expect(&client, SUBSCRIBE("subscribe", "a:"), EMPTY);
    client_expect(&client, SUBSCRIBE("subscribe", "\\u0061:"), EMPTY); /* once is enough */
    client_expect(&client, SUBSCRIBE("subscribe", "c:7"), EMPTY);
    client_expect_error(&client, SUBSCRIBE("subscribe", "d:"), "1", -32002, "\"uri\":\"d:\"");
    client_expect_error(&client, SUBSCRIBE("subscribe", "a:\\u0000"), "1", -32002, "not found");
    expect_update("a:", NOTE("resources/updated", "\"uri\":\"a:\""), 1);
    assert_string_equal(client.sent_for, "");
    expect_update("c:7", NOTE("resources/updated", "\"uri\":\"c:7\""), 1);
    expect_update("c:8", NULL, 0);
    client_expect(&client, SUBSCRIBE("unsubscribe", "a:"), EMPTY);
    client_expect(&client, SUBSCRIBE("unsubscribe", "a:"), EMPTY);
    expect_update("a:", NULL, 0);
}

static void listening(void **state)
{
    (void)state;
    client_expect(
        &client,
        listen_for("\"L\"", "\"toolsListChanged\":true,\"promptsListChanged\":false,"
                            "\"resourceSubscriptions\":[\"b:\",\"none:\",\"c:1\",\"\\u0000\"]"),
        NOTE("subscriptions/acknowledged",
             TAG("\"L\"") ",\"notifications\":{\"toolsListChanged\":true,\"resourceSubscriptions\":["
                          "\"b:\",\"c:1\"]}"));
    assert_string_equal(client.sent_for, "\"L\"");
    client_expect(
        &client, listen_for("2", "\"resourcesListChanged\":true,\"resourceSubscriptions\":[\"b:\"]"),
        NOTE("subscriptions/acknowledged",
             TAG("2") ",\"notifications\":{\"resourcesListChanged\":true,\"resourceSubscriptions\":["
                      "\"b:\"]}"));
    client_expect_error(&client, listen_for("\"\\u004c\"", ""), "\"\\u004c\"", -32600, "not answered yet");
    assert_int_equal(mcp_session_pending(client.session), 0);
    expect_update("a:", NULL, 0);
    expect_update("b:", NOTE("resources/updated", TAG("2") ",\"uri\":\"b:\""), 2);
    assert_string_equal(client.sent_for, "2");
    assert_int_equal(mcp_server_add_tool(client.server, &other), 0);
    assert_string_equal(client.last, NOTE("tools/list_changed", TAG("\"L\"")));
    assert_int_equal(mcp_server_remove_resource(client.server, "a:"), 0);
    assert_string_equal(client.last, NOTE("resources/list_changed", TAG("2")));
    client_expect_nothing(&client, CANCEL("2"));
    client_expect_nothing(&client, CANCEL("2"));
    expect_update("b:", NOTE("resources/updated", TAG("\"L\"") ",\"uri\":\"b:\""), 1);
    client_tell(&client, listen_for("2", "")); /* the id is free again */
    assert_string_equal(client.last, NOTE("subscriptions/acknowledged", TAG("2") ",\"notifications\":{}"));
    mcp_session_end_subscriptions(client.session);
    assert_string_equal(client.last,
                        STATELESS_RESULT("2") ",\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":2,"
                                              "\"io.modelcontextprotocol/serverInfo\":{\"name\":\"test\","
                                              "\"title\":\"A test\",\"version\":\"0.1\"}}}}");
    expect_update("b:", NULL, 0);
}

static void lists_of_the_older_era(void **state)
{
    (void)state;
    client_initialise(&client, "2024-11-05");
    assert_int_equal(mcp_server_add_tool(client.server, &other), 0);
    assert_string_equal(client.last, NOTE("tools/list_changed", ""));
    assert_int_equal(mcp_server_remove_prompt(client.server, "p"), 0);
    assert_string_equal(client.last, NOTE("prompts/list_changed", ""));
    assert_int_equal(client.received, 3);
}

/* Without the promise nothing is sent, and nothing can be asked for. */
static void a_server_that_does_not_change(void **state)
{
    (void)state;
    client_stop(&client);
    client = (struct client){0};
    client_start(&client, NULL);
    assert_int_equal(mcp_server_add_resource(client.server, &resources[0]), 0);
    client_initialise(&client, "2025-11-25");
    assert_non_null(strstr(client.last, "\"resources\":{}"));
    client_expect_error(&client, SUBSCRIBE("subscribe", "a:"), "1", -32601, "resources/subscribe");
    client_expect_error(&client, listen_for("1", "\"toolsListChanged\":true"), "1", -32601,
                        "subscriptions/listen");
    assert_int_equal(mcp_server_add_tool(client.server, &tool), 0);
    expect_update("a:", NULL, 0);
    assert_int_equal(client.received, 3);
}

static void too_many(void **state)
{
    struct mcp_server_config config = test_config;

    (void)state;
    client_stop(&client);
    config.subscriptions_per_session = 3;
    config.memory_per_session = 1000;
    start(&config);
    client_initialise(&client, "2025-11-25");
    client_expect(&client, SUBSCRIBE("subscribe", "a:"), EMPTY);
    client_expect_error(&client, listen_for("2", "\"resourceSubscriptions\":[\"a:\",\"b:\"]"), "2", -32000,
                        "too many subscriptions");
    client_tell(&client, listen_for("2", "\"resourceSubscriptions\":[\"b:\"]"));
    assert_non_null(strstr(client.last, "acknowledged"));
    client_expect_error(&client, SUBSCRIBE("subscribe", "b:"), "1", -32000, "too many subscriptions");
    client_expect_nothing(&client, CANCEL("2"));
    client_expect(&client, SUBSCRIBE("subscribe", "b:"), EMPTY);
    client_expect(&client, SUBSCRIBE("unsubscribe", "b:"), EMPTY);
    for (int i = 0; i < 10; i++) { /* a refused one leaves nothing behind */
        char question[1300];

        client_expect_error(&client, SUBSCRIBE("subscribe", "none:"), "1", -32002, "not found");
        (void)snprintf(question, sizeof(question), SUBSCRIBE("subscribe", "c:%01000d"), 0);
        client_expect_error(&client, question, "1", -32000, "too many subscriptions");
    }
    client_expect(&client, SUBSCRIBE("subscribe", "b:"), EMPTY);
}

/* ---- hooks that come back ---- */

static const char *from_the_hook[4];
static size_t hooked;

static void say_more(struct client *receiver)
{
    if (hooked < 4 && from_the_hook[hooked] != NULL)
        client_tell(receiver, from_the_hook[hooked++]);
}

static void the_hook_cancels(void **state)
{
    static char again[1000];

    (void)state;
    for (int i = 1; i <= 4; i++)
        client_tell(&client,
                    listen_for((char[]){(char)('0' + i), '\0'}, "\"resourceSubscriptions\":[\"a:\"]"));
    (void)snprintf(again, sizeof(again), "%s", listen_for("5", "\"resourceSubscriptions\":[\"a:\"]"));
    hooked = 0;
    from_the_hook[0] = CANCEL("1"); /* the one that is being told */
    from_the_hook[1] = CANCEL("3"); /* one to come */
    from_the_hook[2] = again;
    from_the_hook[3] = NULL;
    client.received = 0;
    client.on_message = say_more;
    mcp_server_resource_updated(client.server, "a:");
    client.on_message = NULL;
    /* 1, 2, 4, and 5, which was added meanwhile: its acknowledgement and its update. */
    assert_int_equal(client.received, 5);
    assert_string_equal(client.last, NOTE("resources/updated", TAG("5") ",\"uri\":\"a:\""));
    client.received = 0;
    mcp_server_resource_updated(client.server, "a:");
    assert_int_equal(client.received, 3);
}

static size_t close_at;

static void close_session(struct client *receiver)
{
    if (receiver->received == close_at)
        mcp_session_close(receiver->session);
}

static void the_hook_closes(void **state)
{
    (void)state;
    for (close_at = 1; close_at <= 4; close_at++) {
        struct mcp_session *second;
        struct mcp_server_statistics statistics;

        for (int i = 1; i <= 2; i++)
            client_tell(&client,
                        listen_for((char[]){(char)('0' + i), '\0'}, "\"resourceSubscriptions\":[\"a:\"]"));
        client.received = 0;
        client.on_message = close_session;
        mcp_server_resource_updated(client.server, "a:");
        if (close_at > 2)
            mcp_session_end_subscriptions(client.session);
        client.on_message = NULL;
        assert_int_equal(client.received, close_at);
        mcp_server_get_statistics(client.server, &statistics);
        assert_int_equal(statistics.sessions, 0);
        assert_int_equal(mcp_session_open(client.server, NULL, NULL, &second), 0);
        client.session = second;
        client_stop(&client);
        start(NULL);
    }
}

/* ---- several sessions ---- */

static size_t second_received;

static int receive_second(void *context, const char *message, size_t length)
{
    (void)message;
    (void)length;
    second_received++;
    if (context != NULL)
        mcp_session_close(*(struct mcp_session **)context); /* another session */
    return 0;
}

static void several_sessions(void **state)
{
    static const char listen[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscriptions/listen\",\"params\":{\"_meta\":{"
        "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
        "\"io.modelcontextprotocol/clientCapabilities\":{}},\"notifications\":{\"resourceSubscriptions\":["
        "\"a:\"]}}}";
    struct mcp_session *sessions[3];
    struct mcp_session *victim = NULL;

    (void)state;
    second_received = 0;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            mcp_session_open(client.server, receive_second, i == 2 ? (void *)&victim : NULL, &sessions[i]),
            0);
        mcp_session_receive(sessions[i], listen, strlen(listen));
    }
    assert_int_equal(second_received, 3);
    mcp_server_resource_updated(client.server, "a:");
    assert_int_equal(second_received, 6);
    victim = sessions[1]; /* closed by the hook of sessions[2], which is told before it */
    mcp_server_resource_updated(client.server, "a:");
    assert_int_equal(second_received, 8);
    victim = NULL;
    mcp_session_close(sessions[0]);
    mcp_session_close(sessions[2]);
}

/* ---- lists that change ---- */

static void cursors_stay_right(void **state)
{
    struct mcp_server_config config = test_config;
    struct mcp_tool added = {.input_schema = PLAIN, .handler = later};
    static char names[12][8], description[200];
    char cursor[64], question[300];
    json_t *answer;

    (void)state;
    client_stop(&client);
    config.message_max = 1024;
    client = (struct client){0};
    client_start(&client, &config);
    memset(description, 'd', sizeof(description) - 1);
    added.description = description;
    for (size_t i = 0; i < 12; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "tool%zu", i);
        added.name = names[i];
        assert_int_equal(mcp_server_add_tool(client.server, &added), 0);
    }
    assert_int_equal(mcp_server_add_prompt(client.server, &prompt), 0);
    client_initialise(&client, "2025-11-25");
    client_tell(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
    answer = test_load(client.last, client.last_length, NULL);
    (void)snprintf(cursor, sizeof(cursor), "%s",
                   json_string_value(json_object_get(json_object_get(answer, "result"), "nextCursor")));
    json_decref(answer);
    assert_null(strstr(client.last, "tool1\""));
    /* What the cursor names may go: what is behind it comes. */
    assert_int_equal(mcp_server_remove_tool(client.server, "tool0"), 0);
    assert_int_equal(mcp_server_remove_tool(client.server, "tool1"), 0);
    assert_int_equal(mcp_server_remove_tool(client.server, "tool1"), -ENOENT);
    (void)snprintf(question, sizeof(question),
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"cursor\":\"%s\"}}",
                   cursor);
    client_tell(&client, question);
    assert_non_null(strstr(client.last, "{\"tools\":[{\"name\":\"tool2\""));
    (void)snprintf(
        question, sizeof(question),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/list\",\"params\":{\"cursor\":\"%s\"}}", cursor);
    client_expect_error(&client, question, "1", -32602, "cursor"); /* of another list */
    for (size_t i = 0; i < strlen(cursor); i++) {
        char wrong[64];

        memcpy(wrong, cursor, sizeof(wrong));
        wrong[i] = wrong[i] == '0' ? '1' : '0';
        (void)snprintf(
            question, sizeof(question),
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"cursor\":\"%s\"}}", wrong);
        client_expect_error(&client, question, "1", -32602, "cursor");
    }
    for (size_t i = 2; i < 12; i++)
        assert_int_equal(mcp_server_remove_tool(client.server, names[i]), 0);
}

/* A tool that goes while a call of it runs is kept for the call's end. */
static void a_tool_goes_before_its_answer(void **state)
{
    struct mcp_server_config config = test_config;

    (void)state;
    client_stop(&client);
    config.check_results = true;
    start(&config);
    assert_int_equal(mcp_server_add_tool(client.server, &other), 0);
    client_initialise(&client, "2025-11-25");
    client_expect_nothing(
        &client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"o\"}}");
    assert_int_equal(mcp_server_remove_tool(client.server, "o"), 0);
    client_expect_error(
        &client, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"o\"}}", "2",
        -32602, "unknown tool");
    assert_int_equal(mcp_server_add_tool(client.server, &other), 0);
    mcp_call_text(waiting, "x", 1);
    mcp_call_finish(waiting);
    assert_non_null(strstr(client.last, "breaks its output schema"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(subscribing),
        TEST(listening),
        TEST(lists_of_the_older_era),
        TEST(a_server_that_does_not_change),
        TEST(too_many),
        TEST(the_hook_cancels),
        TEST(the_hook_closes),
        TEST(several_sessions),
        TEST(cursors_stay_right),
        TEST(a_tool_goes_before_its_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
