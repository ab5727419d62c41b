/* SPDX-License-Identifier: MIT
 *
 * Schemas of tools: which are refused when a tool is added, who is told, and results that are checked.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct client client;

static void nothing(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_finish(call);
}

static void empty(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_json_begin_object(mcp_call_result(call));
    mcp_json_end_object(mcp_call_result(call));
    mcp_call_finish(call);
}

static void give_up(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_fail(call, "no luck");
}

#define PLAIN "{\"type\":\"object\"}"
#define CALL(name)                                                                                           \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"" name "\"}}"

static void start(const struct mcp_server_config *config)
{
    client = (struct client){0};
    client_start(&client, config);
}

static char reported[300];

static void keep_report(void *context, const char *line)
{
    assert_ptr_equal(context, reported);
    (void)snprintf(reported, sizeof(reported), "%s", line);
}

static const struct {
    struct mcp_tool tool;
    const char *report;
} odd[] = {
    {{.name = NULL, .input_schema = PLAIN, .handler = nothing},
     "tool without a name: a name is 1 to 128 of A-Z a-z 0-9 _ - ."},
    {{.name = "a b", .input_schema = PLAIN, .handler = nothing},
     "tool a b: a name is 1 to 128 of A-Z a-z 0-9 _ - ."},
    {{.name = "x", .input_schema = PLAIN}, "tool x: it needs a handler and an input schema"},
    {{.name = "x", .handler = nothing}, "tool x: it needs a handler and an input schema"},
    {{.name = "x", .input_schema = PLAIN, .annotations = "[]", .handler = nothing},
     "tool x: annotations: must be a JSON object"},
    {{.name = "x", .input_schema = "{\"type\":\"object\"", .handler = nothing},
     "tool x: inputSchema: not valid JSON: a comma or } is expected at byte 16"},
    {{.name = "x", .input_schema = "{}", .handler = nothing},
     "tool x: inputSchema: its \"type\" must be \"object\""},
    {{.name = "x", .input_schema = "{\"type\":\"object\",\"required\":1}", .handler = nothing},
     "tool x: inputSchema/required: must be an array of strings"},
    {{.name = "x", .input_schema = "{\"type\":\"object\",\"required\":[1]}", .handler = nothing},
     "tool x: inputSchema/required: must be an array of strings"},
    {{.name = "x",
      .input_schema = "{\"type\":\"object\",\"properties\":{\"x\":{\"type\":[]}}}",
      .handler = nothing},
     "tool x: inputSchema/properties/x/type: must be the name of a type, or several in an array"},
    {{.name = "x",
      .input_schema = "{\"type\":\"object\",\"properties\":{\"x\":{\"pattern\":\"\"}}}",
      .handler = nothing},
     "tool x: inputSchema/properties/x/pattern: this keyword is not supported"},
    {{.name = "x", .input_schema = PLAIN, .output_schema = "{\"type\":\"objekt\"}", .handler = nothing},
     "tool x: outputSchema/type: must be the name of a type, or several in an array"},
    {{.name = "x", .input_schema = PLAIN, .output_schema = "true", .handler = nothing},
     "tool x: outputSchema: must be an object"},
};

/* A rule that the library does not understand is never passed over: the tool is refused, and it says why. */
static void odd_tools_are_reported(void **state)
{
    struct mcp_server_config config = test_config;

    (void)state;
    reported[0] = '\0';
    config.report = keep_report;
    config.report_context = reported;
    start(&config);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_int_equal(mcp_server_add_tool(client.server, &odd[i].tool), -EINVAL);
        assert_string_equal(reported, odd[i].report);
    }
    client_stop(&client);
}

static void a_tool_too_long_to_list_is_reported(void **state)
{
    struct mcp_server_config config = test_config;
    struct mcp_tool tool = {.name = "x", .input_schema = PLAIN, .handler = nothing};
    char description[600];

    (void)state;
    config.message_max = 1024;
    config.report = keep_report;
    config.report_context = reported;
    start(&config);
    memset(description, 'd', sizeof(description) - 1);
    description[sizeof(description) - 1] = '\0';
    tool.description = description;
    assert_int_equal(mcp_server_add_tool(client.server, &tool), -EINVAL);
    assert_string_equal(reported, "tool x: too long for a message");
    client_stop(&client);
}

/* Without the flag the tool's word is taken for it. */
static void results_are_checked_on_demand(void **state)
{
    static const struct mcp_tool promising = {
        .name = "promising",
        .input_schema = PLAIN,
        .output_schema = "{\"type\":\"object\",\"required\":[\"sum\"]}",
    };
    static const struct {
        mcp_tool_handler handler;
        const char *report;
    } cases[] = {
        {empty, "tool promising: the tool breaks its output schema: member \"sum\" is missing"},
        {nothing, "tool promising: the tool breaks its output schema: there is no structured content"},
        {give_up, ""},
    };

    (void)state;
    for (int check = 0; check < 2; check++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct mcp_server_config config = test_config;
            struct mcp_tool tool = promising;

            reported[0] = '\0';
            tool.handler = cases[i].handler;
            config.report = keep_report;
            config.report_context = reported;
            config.check_results = check == 1;
            start(&config);
            client_initialise(&client, "2025-11-25");
            assert_int_equal(mcp_server_add_tool(client.server, &tool), 0);
            if (check == 1 && cases[i].report[0] != '\0') {
                client_expect_error(&client, CALL("promising"), "1", -32603,
                                    "the tool breaks its output schema: ");
                assert_string_equal(reported, cases[i].report);
            } else {
                client_tell(&client, CALL("promising"));
                assert_non_null(strstr(client.last, "\"result\":"));
                assert_string_equal(reported, "");
            }
            client_stop(&client);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_tools_are_reported),
        cmocka_unit_test(a_tool_too_long_to_list_is_reported),
        cmocka_unit_test(results_are_checked_on_demand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
