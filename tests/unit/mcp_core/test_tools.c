/* SPDX-License-Identifier: MIT
 *
 * tools/list and tools/call, version by version; arguments and what is wrong with them.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct client client;

static const char greet_schema[] = "{ \"type\": \"object\",\n"
                                   "  \"properties\": {\"name\": {\"type\": \"string\"},\n"
                                   "                   \"times\": {\"type\": \"integer\"},\n"
                                   "                   \"loud\": {\"type\": [\"boolean\", \"null\"]},\n"
                                   "                   \"weight\": {\"type\": \"number\"},\n"
                                   "                   \"tags\": {\"type\": \"array\"},\n"
                                   "                   \"more\": {\"type\": \"object\"},\n"
                                   "                   \"any\": {}},\n"
                                   "  \"required\": [\"name\"], \"additionalProperties\": false }";

static void greet(struct mcp_call *call, void *context)
{
    struct mcp_json_writer *result;
    const char *name, *title;
    size_t length, title_length;
    int64_t times;
    double weight;
    bool loud;

    assert_string_equal(context, "the context");
    if (mcp_call_string(call, "name", &name, &length) != 0 ||
        mcp_call_string_or(call, "title", "Dr", &title, &title_length) != 0 ||
        mcp_call_int_or(call, "times", 1, 1, 10, &times) != 0 ||
        mcp_call_double_or(call, "weight", 0.5, 0, 2, &weight) != 0 ||
        mcp_call_bool_or(call, "loud", false, &loud) != 0)
        return;
    if (strcmp(name, "nobody") == 0) {
        assert_int_equal(mcp_call_reject(call, "name", "must be somebody"), -EINVAL);
        return;
    }
    result = mcp_call_result(call);
    mcp_json_begin_object(result);
    mcp_json_key_write(result, "name");
    mcp_json_string_n(result, name, length);
    mcp_json_member_string(result, "title", title);
    mcp_json_member_int(result, "times", times);
    mcp_json_member_double(result, "weight", weight);
    mcp_json_member_bool(result, "loud", loud);
    mcp_json_end_object(result);
    assert_ptr_equal(mcp_call_result(call), result);
    mcp_call_finish(call);
}

static void say(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_text(call, "one\n", 4);
    mcp_call_text(call, "two", 3);
    mcp_call_finish(call);
}

static void both(struct mcp_call *call, void *context)
{
    mcp_json_begin_object(mcp_call_result(call));
    mcp_json_end_object(mcp_call_result(call));
    say(call, context);
}

static void give_up(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_text(call, "lost", 4);
    mcp_call_fail(call, "no \"luck\"");
}

static void refuse(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_error(call, MCP_ERROR_INTERNAL, "broken");
}

static void busy(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_error(call, MCP_ERROR_OVERLOADED, "busy");
}

static void nothing(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_finish(call);
}

static void not_an_object(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_json_int(mcp_call_result(call), 1);
    mcp_call_finish(call);
}

static void unfinished(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_json_begin_object(mcp_call_result(call));
    mcp_call_finish(call);
}

/* "size" bytes of result */
static void large(struct mcp_call *call, void *context)
{
    int64_t size;
    char *text;

    (void)context;
    if (mcp_call_int_or(call, "size", 0, 0, 1 << 24, &size) != 0)
        return;
    text = malloc((size_t)size + 1);
    memset(text, 'l', (size_t)size);
    mcp_call_text(call, text, (size_t)size);
    free(text);
    mcp_call_finish(call);
}

#define PLAIN "{\"type\":\"object\"}"

static const struct mcp_tool tools[] = {
    {.name = "greet",
     .title = "Greeter",
     .description = "Greets \"someone\".",
     .input_schema = greet_schema,
     .output_schema = "{\"type\": \"object\"}",
     .annotations = "{\"readOnlyHint\": true}",
     .handler = greet,
     .context = (char[]){"the context"}},
    {.name = "say", .input_schema = PLAIN, .handler = say},
    {.name = "both", .input_schema = PLAIN, .handler = both},
    {.name = "fail", .input_schema = PLAIN, .handler = give_up},
    {.name = "refuse", .input_schema = PLAIN, .handler = refuse},
    {.name = "busy", .input_schema = PLAIN, .handler = busy},
    {.name = "nothing", .input_schema = PLAIN, .handler = nothing},
    {.name = "not_an_object", .input_schema = PLAIN, .handler = not_an_object},
    {.name = "unfinished", .input_schema = PLAIN, .handler = unfinished},
    {.name = "large", .input_schema = PLAIN, .handler = large},
};

static void start(const struct mcp_server_config *config, size_t tool_count, const char *version)
{
    client = (struct client){0};
    client_start(&client, config);
    for (size_t i = 0; i < tool_count; i++)
        assert_int_equal(mcp_server_add_tool(client.server, &tools[i]), 0);
    if (version != NULL)
        client_initialise(&client, version);
}

static int set_up(void **state)
{
    (void)state;
    start(NULL, sizeof(tools) / sizeof(tools[0]), "2025-11-25");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_stop(&client);
    return 0;
}

#define CALL(name, arguments)                                                                                \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"" name "\"" arguments "}}"
#define RESULT(result) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}"
#define TEXT(text)     "{\"type\":\"text\",\"text\":\"" text "\"}"

static void wrong_tools_are_not_taken(void **state)
{
    static const char long_name[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const struct mcp_tool wrong[] = {
        {.name = NULL, .input_schema = PLAIN, .handler = say},
        {.name = "", .input_schema = PLAIN, .handler = say},
        {.name = "a b", .input_schema = PLAIN, .handler = say},
        {.name = "a/b", .input_schema = PLAIN, .handler = say},
        {.name = long_name, .input_schema = PLAIN, .handler = say},
        {.name = "x", .input_schema = NULL, .handler = say},
        {.name = "x", .input_schema = "{", .handler = say},
        {.name = "x", .input_schema = "[]", .handler = say},
        {.name = "x", .input_schema = "{\"type\":\"string\"}", .handler = say},
        {.name = "x", .input_schema = "{}", .handler = say},
        {.name = "x", .input_schema = PLAIN, .output_schema = "[]", .handler = say},
        {.name = "x", .input_schema = PLAIN, .output_schema = "{", .handler = say},
        {.name = "x", .input_schema = PLAIN, .annotations = "1", .handler = say},
        {.name = "x", .input_schema = PLAIN, .handler = NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(mcp_server_add_tool(client.server, &wrong[i]), -EINVAL);
    assert_int_equal(mcp_server_add_tool(client.server, &tools[1]), -EEXIST);
}

static void the_list_by_version(void **state)
{
    static const struct {
        const char *version, *title, *end;
    } cases[] = {
        {"2024-11-05", "", ""},
        {"2025-03-26", "", ",\"annotations\":{\"readOnlyHint\":true}"},
        {"2025-06-18", "\"title\":\"Greeter\",",
         ",\"outputSchema\":{\"type\":\"object\"},\"annotations\":{\"readOnlyHint\":true}"},
        {"2025-11-25", "\"title\":\"Greeter\",",
         ",\"outputSchema\":{\"type\":\"object\"},\"annotations\":{\"readOnlyHint\":true}"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char answer[1000];

        tear_down(state);
        start(NULL, 2, cases[i].version);
        assert_non_null(strstr(client.last, "\"capabilities\":{\"tools\":{}}"));
        (void)snprintf(
            answer, sizeof(answer),
            RESULT("{\"tools\":[{\"name\":\"greet\",%s\"description\":\"Greets \\\"someone\\\".\","
                   "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},"
                   "\"times\":{\"type\":\"integer\"},\"loud\":{\"type\":[\"boolean\",\"null\"]},"
                   "\"weight\":{\"type\":\"number\"},\"tags\":{\"type\":\"array\"},"
                   "\"more\":{\"type\":\"object\"},\"any\":{}},"
                   "\"required\":[\"name\"],\"additionalProperties\":false}%s},"
                   "{\"name\":\"say\",\"inputSchema\":{\"type\":\"object\"}}]}"),
            cases[i].title, cases[i].end);
        client_expect(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}", answer);
    }
}

static void cursors(void **state)
{
    static const char *const wrong[] = {
        "\"\"", "\"0\"", "\"10\"", "\"-1\"", "\"01\"", "\"x\"", "1", "null", "\"99999999999999999999999\""};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char question[200];

        (void)snprintf(question, sizeof(question),
                       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"cursor\":%s}}",
                       wrong[i]);
        client_expect_error(&client, question, "1", -32602, "cursor");
    }
}

/* What can be added can be listed: a page without an item would come again for ever. */
static void the_longest_is_listed(void **state)
{
    struct mcp_server_config config = test_config;
    char description[2000];
    struct mcp_tool tool = {
        .name = "longest", .input_schema = PLAIN, .handler = say, .description = description};
    size_t length = sizeof(description) - 1;

    tear_down(state);
    config.message_max = 2000;
    start(&config, 0, "2025-11-25");
    memset(description, 'd', sizeof(description));
    do
        description[length] = '\0';
    while (mcp_server_add_tool(client.server, &tool) != 0 && --length > 0);
    assert_in_range(length, 1000, 1990);
    client_tell(&client, stateless("1", "tools/list", "", ""));
    assert_non_null(strstr(client.last, "\"longest\""));
    assert_null(strstr(client.last, "nextCursor"));
}

/* Tools that do not fit in one message come in several pages: each once, in order. */
static void pages(void **state)
{
    struct mcp_server_config config = test_config;
    struct mcp_tool tool = {.input_schema = PLAIN, .handler = say};
    char names[30][16], description[400], too_long[2000], cursor[100] = "";
    size_t found = 0, page_count = 0;

    tear_down(state);
    config.message_max = 2000;
    start(&config, 0, "2025-11-25");
    memset(too_long, 'd', sizeof(too_long) - 1);
    too_long[sizeof(too_long) - 1] = '\0';
    tool.name = "too_long";
    tool.description = too_long;
    assert_int_equal(mcp_server_add_tool(client.server, &tool), -EINVAL);
    memset(description, 'd', sizeof(description) - 1);
    description[sizeof(description) - 1] = '\0';
    tool.description = description;
    for (size_t i = 0; i < 30; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "tool%zu", i);
        tool.name = names[i];
        assert_int_equal(mcp_server_add_tool(client.server, &tool), 0);
    }
    for (;;) {
        char question[300];
        json_t *answer, *entry, *list;
        size_t index;

        (void)snprintf(question, sizeof(question),
                       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{%s}}", cursor);
        client_tell(&client, question);
        assert_true(client.last_length <= 2000);
        answer = test_load(client.last, client.last_length, NULL);
        list = json_object_get(json_object_get(answer, "result"), "tools");
        json_array_foreach(list, index, entry)
        {
            assert_true(found < 30);
            assert_string_equal(json_string_value(json_object_get(entry, "name")), names[found]);
            found++;
        }
        page_count++;
        entry = json_object_get(json_object_get(answer, "result"), "nextCursor");
        if (entry != NULL)
            (void)snprintf(cursor, sizeof(cursor), "\"cursor\":\"%s\"", json_string_value(entry));
        json_decref(answer);
        if (entry == NULL)
            break;
    }
    assert_int_equal(found, 30);
    assert_int_equal(page_count, 10);
}

static void results(void **state)
{
    (void)state;
    client_expect(
        &client, CALL("greet", ",\"arguments\":{\"name\":\"A\\u0000\\u00e9\",\"times\":2e0}"),
        RESULT("{\"content\":[" TEXT(
            "{\\\"name\\\":\\\"A\\\\u0000\xc3\xa9\\\",\\\"title\\\":\\\"Dr\\\","
            "\\\"times\\\":2,\\\"weight\\\":0.5,\\\"loud\\\":false}") "],"
                                                                      "\"structuredContent\":{\"name\":"
                                                                      "\"A\\u0000\xc3\xa9\",\"title\":\"Dr\","
                                                                      "\"times\":2,"
                                                                      "\"weight\":0.5,\"loud\":false}}"));
    client_expect(&client, CALL("say", ",\"arguments\":{}"),
                  RESULT("{\"content\":[" TEXT("one\\n") "," TEXT("two") "]}"));
    client_expect(&client, CALL("both", ""),
                  RESULT("{\"content\":[" TEXT("one\\n") "," TEXT("two") "],\"structuredContent\":{}}"));
    client_expect(&client, CALL("nothing", ""), RESULT("{\"content\":[]}"));
    client_expect(&client, CALL("fail", ""),
                  RESULT("{\"content\":[" TEXT("no \\\"luck\\\"") "],\"isError\":true}"));
    client_expect_error(&client, CALL("refuse", ""), "1", -32603, "broken");
    client_expect_error(&client, CALL("busy", ""), "1", MCP_ERROR_OVERLOADED,
                        "\"busy\",\"data\":{\"retryAfterMs\":1000}");
    client_expect_error(&client, CALL("not_an_object", ""), "1", -32603, "not valid");
    client_expect_error(&client, CALL("unfinished", ""), "1", -32603, "not valid");
    tear_down(state);
    start(NULL, 3, "2025-03-26"); /* structuredContent is younger */
    client_expect(&client, CALL("both", ""), RESULT("{\"content\":[" TEXT("one\\n") "," TEXT("two") "]}"));
}

static void results_beyond_the_limit(void **state)
{
    (void)state;
    client_expect_error(&client, CALL("large", ",\"arguments\":{\"size\":1048576}"), "1", MCP_ERROR_TOO_LARGE,
                        "\"data\":{\"limit\":1048576}");
    client_expect_error(&client, CALL("large", ",\"arguments\":{\"size\":1048550}"), "1", MCP_ERROR_TOO_LARGE,
                        "");
    client_tell(&client, CALL("large", ",\"arguments\":{\"size\":1048000}"));
    assert_true(client.last_length > 1048000);
}

static void wrong_calls(void **state)
{
    (void)state;
    client_expect_error(&client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}", "1", -32602,
                        "name must");
    client_expect_error(&client, CALL("gree", ""), "1", -32602, "unknown tool \\\"gree\\\"");
    client_expect_error(&client, CALL("greet\\u0000", ""), "1", -32602, "unknown tool \\\"greet?\\\"");
    client_expect_error(&client, CALL("greet", ",\"arguments\":[]"), "1", -32602,
                        "arguments must be an object");
    client_expect_error(&client, CALL("greet", ",\"arguments\":null"), "1", -32602,
                        "arguments must be an object");
}

static const struct {
    const char *arguments, *words;
} wrong_arguments[] = {
    {"{}", "argument \\\"name\\\" is missing"},
    {"{\"name\":1}", "argument \\\"name\\\" must be of type string"},
    {"{\"name\":null}", "argument \\\"name\\\" must be of type string"},
    {"{\"name\":\"x\",\"tim\\u0065s\":\"2\"}", "argument \\\"times\\\" must be of type integer"},
    {"{\"name\":\"x\",\"times\":1.5}", "argument \\\"times\\\" must be of type integer"},
    {"{\"name\":\"x\",\"times\":0}", "argument \\\"times\\\" must be an integer from 1 to 10"},
    {"{\"name\":\"x\",\"times\":11}", "argument \\\"times\\\" must be an integer from 1 to 10"},
    {"{\"name\":\"x\",\"times\":1e300}", "argument \\\"times\\\" must be an integer from 1 to 10"},
    {"{\"name\":\"x\",\"loud\":1}", "argument \\\"loud\\\" must be of type boolean or null"},
    {"{\"name\":\"x\",\"loud\":null}", "argument \\\"loud\\\" must be true or false"},
    {"{\"name\":\"x\",\"weight\":true}", "argument \\\"weight\\\" must be of type number"},
    {"{\"name\":\"x\",\"weight\":2.5}", "argument \\\"weight\\\" must be a number from 0 to 2"},
    {"{\"name\":\"x\",\"weight\":1e999}", "argument \\\"weight\\\" must be a number from 0 to 2"},
    {"{\"name\":\"x\",\"tags\":{}}", "argument \\\"tags\\\" must be of type array"},
    {"{\"name\":\"x\",\"more\":[]}", "argument \\\"more\\\" must be of type object"},
    {"{\"name\":\"x\",\"Name\":1}", "argument \\\"Name\\\" is unknown"},
    {"{\"name\":\"x\",\"\":1}", "argument \\\"\\\" is unknown"},
    {"{\"name\":\"x\",\"title\":\"Mr\"}", "argument \\\"title\\\" is unknown"},
    {"{\"name\":\"nobody\"}", "argument \\\"name\\\" must be somebody"},
    {"{\"name\":\"x\",\"times\\u0000\":1}", "argument \\\"times?\\\" is unknown"},
};

/* SEP-1303: since 2025-11-25 the model sees what is wrong; before, the client does. */
static void wrong_arguments_by_version(void **state)
{
    static const char *const versions[] = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"};

    for (size_t v = 0; v < 4; v++) {
        tear_down(state);
        start(NULL, 1, versions[v]);
        for (size_t i = 0; i < sizeof(wrong_arguments) / sizeof(wrong_arguments[0]); i++) {
            char question[400], answer[400];

            (void)snprintf(question, sizeof(question), CALL("greet", ",\"arguments\":%s"),
                           wrong_arguments[i].arguments);
            if (v < 3) {
                (void)snprintf(answer, sizeof(answer), "Invalid params: %s", wrong_arguments[i].words);
                client_expect_error(&client, question, "1", -32602, answer);
            } else {
                (void)snprintf(answer, sizeof(answer),
                               RESULT("{\"content\":[" TEXT("%s") "],\"isError\":true}"),
                               wrong_arguments[i].words);
                client_expect(&client, question, answer);
            }
        }
    }
}

static void other_types_pass(void **state)
{
    (void)state;
    client_tell(&client,
                CALL("greet", ",\"arguments\":{\"name\":\"x\",\"times\":3.0,\"loud\":true,\"weight\":2,"
                              "\"tags\":[],\"more\":{},\"any\":null}"));
    assert_non_null(strstr(client.last, "\"structuredContent\":{\"name\":\"x\",\"title\":\"Dr\",\"times\":3,"
                                        "\"weight\":2,\"loud\":true}"));
}

/* An error's text has an end, and stays JSON where it is cut. */
static void a_message_too_long_is_cut(void **state)
{
    static const struct mcp_tool many = {
        .name = "many",
        .input_schema =
            "{\"type\":\"object\",\"properties\":{\"x\":{\"enum\":[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
            "\"bbbbbbbbbbbbbbb\",\"ccccccccccccccc\",\"ddddddddddddddd\",\"eeeeeeeeeeeeeee\","
            "\"fffffffffffffff\",\"ggggggggggggggg\",\"hhhhhhhhhhhhhhh\",\"kkkkkkkkkkkkkkk\"]}}}",
        .handler = nothing};

    (void)state;
    assert_int_equal(mcp_server_add_tool(client.server, &many), 0);
    client_tell(&client, CALL("many", ",\"arguments\":{\"x\":1}"));
    assert_non_null(strstr(client.last, "must be \\\"aaaaaaaaaaaaaaaaaaaaa"));
    assert_non_null(strstr(client.last, "aaa...\\\", \\\"bbbbbbbbbbbbbbb\\\", "));
    assert_non_null(strstr(client.last, ", ...\"}]"));
    assert_null(strstr(client.last, "kkk"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wrong_tools_are_not_taken),
        TEST(the_list_by_version),
        TEST(cursors),
        TEST(pages),
        TEST(the_longest_is_listed),
        TEST(results),
        TEST(results_beyond_the_limit),
        TEST(wrong_calls),
        TEST(wrong_arguments_by_version),
        TEST(other_types_pass),
        TEST(a_message_too_long_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
