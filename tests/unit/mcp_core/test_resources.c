/* SPDX-License-Identifier: MIT
 *
 * Resources and templates: declaring, listing, reading.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <uri_template.h>

static struct client client;
static struct mcp_call *waiting;
static size_t cancelled_count;

static void say_uri(struct mcp_call *call, void *context)
{
    (void)context;
    assert_true(mcp_json_type(mcp_call_arguments(call)) == MCP_JSON_NONE);
    mcp_call_text(call, mcp_call_uri(call), strlen(mcp_call_uri(call)));
    mcp_call_finish(call);
}

static void say_variables(struct mcp_call *call, void *context)
{
    size_t length;
    const char *text = mcp_json_raw(mcp_call_arguments(call), &length);

    (void)context;
    mcp_call_content(call,
                     &(struct mcp_content){
                         .type = MCP_CONTENT_RESOURCE_TEXT, .uri = "made:up", .data = text, .size = length});
    mcp_call_finish(call);
}

static void later(struct mcp_call *call, void *context)
{
    (void)context;
    waiting = call;
}

static void stop(struct mcp_call *call, void *context)
{
    (void)context;
    assert_ptr_equal(call, waiting);
    cancelled_count++;
}

static void wrong_content(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_content(call, &(struct mcp_content){
                               .type = MCP_CONTENT_IMAGE, .data = "x", .size = 1, .mime_type = "image/png"});
    mcp_call_finish(call);
}

static void structured(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_json_begin_object(mcp_call_result(call));
    mcp_call_finish(call);
}

static void refuse(struct mcp_call *call, void *context)
{
    (void)context;
    (void)mcp_call_reject(call, "x", "is not nice");
}

static const struct mcp_resource resources[] = {
    {.uri = "file:///a",
     .name = "a",
     .mime_type = "text/plain",
     .handler = say_uri,
     .ttl_ms = 9,
     .shared = true},
    {.uri = "later:", .name = "later", .handler = later, .cancelled = stop},
    {.uri = "wrong:", .name = "wrong", .handler = wrong_content},
    {.uri = "structured:", .name = "structured", .handler = structured},
    {.uri = "refuse:", .name = "refuse", .handler = refuse},
    {.uri = "db:{table}/{row}", .name = "row", .handler = say_variables},
    {.uri = "file:///{+path}", .name = "file", .handler = say_variables},
};

static void start(const char *version, const struct mcp_server_config *config)
{
    client = (struct client){0};
    cancelled_count = 0;
    client_start(&client, config);
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++)
        assert_int_equal(mcp_server_add_resource(client.server, &resources[i]), 0);
    if (version != NULL)
        client_initialise(&client, version);
}

static int set_up(void **state)
{
    (void)state;
    start("2025-11-25", NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_stop(&client);
    return 0;
}

#define READ(uri)                                                                                            \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/read\",\"params\":{\"uri\":\"" uri "\"}}"
#define CONTENTS(contents) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"contents\":[" contents "]}}"

static void reading(void **state)
{
    (void)state;
    client_expect(&client, READ("file:///\\u0061"),
                  CONTENTS("{\"uri\":\"file:///a\",\"mimeType\":\"text/plain\",\"text\":\"file:///a\"}"));
    client_expect(&client, READ("file:///b%20c/d"),
                  CONTENTS("{\"uri\":\"made:up\",\"text\":\"{\\\"path\\\":\\\"b c/d\\\"}\"}"));
    client_expect(
        &client, READ("db:users/7%2F8%zz%"),
        CONTENTS(
            "{\"uri\":\"made:up\",\"text\":\"{\\\"table\\\":\\\"users\\\",\\\"row\\\":\\\"7/8%zz%\\\"}\"}"));
    client_expect_error(&client, READ("wrong:"), "1", -32603, "not valid");
    client_expect_error(&client, READ("structured:"), "1", -32603, "not valid");
    client_expect_error(&client, READ("refuse:"), "1", -32602, "is not nice");
    client_expect(&client, READ("no\\u00e9"),
                  "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32002,\"message\":\"Resource not "
                  "found\",\"data\":{\"uri\":\"no\xc3\xa9\"}}}");
    client_expect_error(&client, READ("file:///a\\u0000"), "1", -32002, "not found");
    client_expect_error(&client, READ("db:a/b/c"), "1", -32002, "not found");
    client_expect(
        &client, stateless("1", "resources/read", ",\"uri\":\"file:///a\"", ""),
        STATELESS_RESULT("1") ",\"contents\":[{\"uri\":\"file:///a\",\"mimeType\":\"text/plain\","
                              "\"text\":\"file:///a\"}],\"ttlMs\":9,\"cacheScope\":\"public\"" STATELESS_END);
    client_expect_error(&client, stateless("1", "resources/read", ",\"uri\":\"none\"", ""), "1", -32602,
                        "\"data\":{\"uri\":\"none\"}");
}

/* The URI that is not found comes back whole, however long. */
static void a_long_uri(void **state)
{
    static char question[200000];

    (void)state;
    (void)snprintf(question, sizeof(question), READ("x%0100000d"), 0);
    client_tell(&client, question);
    assert_non_null(strstr(client.last, "-32002"));
    assert_true(client.last_length > 100000);
}

static void answered_later_and_cancelled(void **state)
{
    (void)state;
    client_expect_nothing(&client, READ("later:"));
    assert_string_equal(mcp_call_uri(waiting), "later:");
    assert_string_equal(mcp_call_version(waiting), "2025-11-25");
    client_expect_error(&client, READ("file:///a"), "1", -32600, "not answered yet");
    mcp_call_finish(waiting);
    assert_string_equal(client.last, CONTENTS(""));
    client_expect_nothing(&client, READ("later:"));
    client_expect_nothing(&client, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                                   "\"requestId\":1}}");
    assert_int_equal(cancelled_count, 1);
    mcp_call_not_found(waiting);
    assert_int_equal(client.received, 3); /* initialize, one error, one result */
}

static char reported[300];

static void note(void *context, const char *line)
{
    (void)context;
    (void)snprintf(reported, sizeof(reported), "%s", line);
}

static void declarations_that_are_refused(void **state)
{
    static const struct {
        struct mcp_resource resource;
        const char *words;
    } wrong[] = {
        {{.name = "n", .handler = later}, "without a name: it needs"},
        {{.uri = "", .name = "n", .handler = later}, "it needs"},
        {{.uri = "u:", .handler = later}, "u:: it needs"},
        {{.uri = "u:", .name = "", .handler = later}, "it needs"},
        {{.uri = "u:", .name = "n"}, "it needs"},
        {{.uri = "u:", .name = "n", .handler = later, .annotations = "[]"}, "annotations"},
        {{.uri = "u:", .name = "n", .handler = later, .icons = "{}"}, "icons"},
        {{.uri = "u:", .name = "n", .handler = later, .meta = "1"}, "_meta"},
        {{.uri = "u:{", .name = "n", .handler = later}, "template"},
        {{.uri = "u:}", .name = "n", .handler = later}, "template"},
        {{.uri = "u:{}", .name = "n", .handler = later}, "template"},
        {{.uri = "u:{a", .name = "n", .handler = later}, "template"},
        {{.uri = "u:{a b}", .name = "n", .handler = later}, "template"},
        {{.uri = "u:{?a}", .name = "n", .handler = later}, "template"},
        {{.uri = "u:{a}{b}", .name = "n", .handler = later}, "template"},
        {{.uri = "{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", .name = "n", .handler = later}, "template"},
        {{.uri = "{a23456789012345678901234567890123456789012345678901234567890abcd}",
          .name = "n",
          .handler = later},
         "template"},
    };
    struct mcp_server_config config = test_config;
    char long_text[2000];

    (void)state;
    client_stop(&client);
    config.report = note;
    config.message_max = 2000;
    start(NULL, &config);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(mcp_server_add_resource(client.server, &wrong[i].resource), -EINVAL);
        assert_non_null(strstr(reported, wrong[i].words));
    }
    assert_int_equal(mcp_server_add_resource(client.server, &resources[0]), -EEXIST);
    assert_int_equal(mcp_server_add_resource(client.server, &resources[6]), -EEXIST);
    assert_int_equal(mcp_server_remove_resource(client.server, "none"), -ENOENT);
    assert_int_equal(mcp_server_remove_resource(client.server, "{none}"), -ENOENT);
    memset(long_text, 'l', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    assert_int_equal(
        mcp_server_add_resource(client.server,
                                &(struct mcp_resource){.uri = "u:", .name = long_text, .handler = later}),
        -EINVAL);
    assert_non_null(strstr(reported, "too long"));
}

static void coming_and_going(void **state)
{
    (void)state;
    assert_int_equal(mcp_server_remove_resource(client.server, "file:///a"), 0);
    client_expect(&client, READ("file:///a"), /* a template has it, too */
                  CONTENTS("{\"uri\":\"made:up\",\"text\":\"{\\\"path\\\":\\\"a\\\"}\"}"));
    assert_int_equal(mcp_server_remove_resource(client.server, "file:///{+path}"), 0);
    client_expect_error(&client, READ("file:///a"), "1", -32002, "not found");
    client_expect_nothing(&client, READ("later:"));
    assert_int_equal(mcp_server_remove_resource(client.server, "later:"), 0);
    client_expect_nothing(&client, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                                   "\"requestId\":1}}");
    assert_int_equal(cancelled_count, 1); /* its hook is still known */
    mcp_call_finish(waiting);
    for (size_t i = 2; i < 6; i++)
        assert_int_equal(mcp_server_remove_resource(client.server, resources[i].uri), 0);
    client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/list\"}",
                  "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resources\":[]}}");
}

static void templates_match(void **state)
{
    static const struct {
        const char *text, *uri, *values[4];
    } cases[] = {
        {"a{x}b", "a1b", {"1"}},
        {"a{x}b", "abb", {"b"}},
        {"a{x}b", "ab", {NULL}},
        {"a{x}b", "a1c", {NULL}},
        {"a{x}b", "a1/b", {NULL}},
        {"a{+x}b", "a1/b", {"1/"}},
        {"{x}", "all", {"all"}},
        {"{x}", "", {NULL}},
        {"{+x}.{y}", "a.b.c", {"a", "b.c"}}, /* a variable ends where the text behind it first comes */
        {"{x}/{y}", "a/b", {"a", "b"}},
        {"{x}/{y}", "a/b/c", {NULL}},
        {"{x}-{y}-{z}", "1-2-3", {"1", "2", "3"}},
        {"{x}-{y}-{z}", "1-2", {NULL}},
        {"db:{x}", "dc:1", {NULL}},
        {"db:{x}", "d", {NULL}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct uri_variable variables[URI_TEMPLATE_VARIABLES];
        int wanted = 0;

        assert_true(uri_template_is_valid(cases[i].text));
        while (cases[i].values[wanted] != NULL)
            wanted++;
        assert_int_equal(uri_template_match(cases[i].text, cases[i].uri, variables),
                         wanted > 0 ? wanted : -1);
        for (int k = 0; k < wanted; k++) {
            assert_int_equal(variables[k].length, strlen(cases[i].values[k]));
            assert_memory_equal(variables[k].value, cases[i].values[k], variables[k].length);
        }
    }
}

/* A server that has none says so. */
static void servers_without(void **state)
{
    static const char *const methods[] = {"resources/list",      "resources/templates/list",
                                          "resources/read",      "resources/subscribe",
                                          "prompts/list",        "prompts/get",
                                          "completion/complete", "logging/setLevel"};

    (void)state;
    client_stop(&client);
    client = (struct client){0};
    client_start(&client, NULL);
    client_initialise(&client, "2025-11-25");
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        char question[200];

        (void)snprintf(question, sizeof(question), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\"}",
                       methods[i]);
        client_expect_error(&client, question, "1", -32601, methods[i]);
        client_expect_error(&client, stateless("1", methods[i], "", ""), "1", -32601, methods[i]);
    }
}

/* What does not fit into a message is too large, whatever memory there is. */
static void more_than_a_message_holds(void **state)
{
    struct mcp_server_config config = test_config;
    char params[2048], uri[1500];

    (void)state;
    client_stop(&client);
    client = (struct client){0};
    config.message_max = 1024;
    client_start(&client, &config);
    mcp_server_enable_changes(client.server, false, true);
    assert_int_equal(
        mcp_server_add_resource(client.server,
                                &(struct mcp_resource){.uri = "x:{+path}", .name = "x", .handler = say_uri}),
        0);
    memset(uri, 'u', sizeof(uri) - 1);
    uri[sizeof(uri) - 1] = '\0';
    (void)snprintf(params, sizeof(params), ",\"uri\":\"x:%s\"", uri);
    client_expect_error(&client, stateless("1", "resources/read", params, ""), "1", MCP_ERROR_INVALID_PARAMS,
                        "too long");
    (void)snprintf(params, sizeof(params), ",\"notifications\":{\"resourceSubscriptions\":[\"x:%s\"]}", uri);
    client_expect_error(&client, stateless("1", "subscriptions/listen", params, ""), "1", MCP_ERROR_TOO_LARGE,
                        "larger than a message");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reading),
        TEST(a_long_uri),
        TEST(answered_later_and_cancelled),
        TEST(declarations_that_are_refused),
        TEST(coming_and_going),
        TEST(templates_match),
        TEST(more_than_a_message_holds),
        TEST(servers_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
