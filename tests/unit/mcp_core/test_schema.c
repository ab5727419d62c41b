/* SPDX-License-Identifier: MIT
 *
 * The answers have the structure that the published schema of each version demands. The schemas are looked
 * for in $MK_SHARED/mcp/<version>/schema.json (default: ../shared beside the repository).
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const versions[] = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"};

/* ---- as much of JSON Schema as these schemas use ---- */

static bool matches(const json_t *root, const json_t *schema, const json_t *value);

static bool type_is(const char *type, const json_t *value)
{
    if (strcmp(type, "object") == 0)
        return json_is_object(value);
    if (strcmp(type, "array") == 0)
        return json_is_array(value);
    if (strcmp(type, "string") == 0)
        return json_is_string(value);
    if (strcmp(type, "integer") == 0)
        return json_is_integer(value);
    if (strcmp(type, "number") == 0)
        return json_is_number(value);
    if (strcmp(type, "boolean") == 0)
        return json_is_boolean(value);
    return json_is_null(value);
}

static bool type_matches(const json_t *type, const json_t *value)
{
    if (json_is_string(type))
        return type_is(json_string_value(type), value);
    for (size_t i = 0; i < json_array_size(type); i++)
        if (type_is(json_string_value(json_array_get(type, i)), value))
            return true;
    return type == NULL;
}

static const json_t *resolve(const json_t *root, const char *reference)
{
    char copy[200];
    char *rest = copy;
    const json_t *schema = root;

    (void)snprintf(copy, sizeof(copy), "%s", reference);
    for (char *part = strsep(&rest, "/"); part != NULL; part = strsep(&rest, "/"))
        if (strcmp(part, "#") != 0)
            schema = json_object_get(schema, part);
    assert_non_null(schema);
    return schema;
}

static bool object_matches(const json_t *root, const json_t *schema, json_t *value)
{
    const json_t *required = json_object_get(schema, "required");
    json_t *properties = json_object_get(schema, "properties");
    const json_t *others = json_object_get(schema, "additionalProperties");
    const char *name;
    json_t *member;

    for (size_t i = 0; i < json_array_size(required); i++)
        if (json_object_get(value, json_string_value(json_array_get(required, i))) == NULL)
            return false;
    json_object_foreach(value, name, member)
    {
        const json_t *property = json_object_get(properties, name);

        if (property == NULL && json_is_false(others))
            return false;
        if (property == NULL)
            property = others;
        if (json_is_object(property) && !matches(root, property, member))
            return false;
    }
    return true;
}

static bool matches(const json_t *root, const json_t *schema, const json_t *value)
{
    const json_t *reference = json_object_get(schema, "$ref");
    const json_t *constant = json_object_get(schema, "const");
    const json_t *options = json_object_get(schema, "anyOf");
    const json_t *items = json_object_get(schema, "items");

    if (reference != NULL && !matches(root, resolve(root, json_string_value(reference)), value))
        return false;
    if (constant != NULL && !json_equal(constant, value))
        return false;
    if (!type_matches(json_object_get(schema, "type"), value))
        return false;
    if (options != NULL) {
        bool found = false;

        for (size_t i = 0; i < json_array_size(options); i++)
            found = found || matches(root, json_array_get(options, i), value);
        if (!found)
            return false;
    }
    for (size_t i = 0; items != NULL && i < json_array_size(value); i++)
        if (!matches(root, items, json_array_get(value, i)))
            return false;
    return !json_is_object(value) || object_matches(root, schema, (json_t *)value);
}

/* ---- */

static json_t *schema_of(const char *version)
{
    const char *shared = getenv("MK_SHARED");
    char path[1024];
    json_error_t error;
    json_t *schema;

    (void)snprintf(path, sizeof(path), "%s/mcp/%s/schema.json", shared != NULL ? shared : MK_SHARED_DEFAULT,
                   version);
    schema = json_load_file(path, 0, &error);
    if (schema == NULL)
        print_message("%s: %s\n", path, error.text);
    return schema;
}

static const json_t *definition(const json_t *schema, const char *name)
{
    const json_t *definitions = json_object_get(schema, "$defs");

    if (definitions == NULL)
        definitions = json_object_get(schema, "definitions");
    return json_object_get(definitions, name);
}

/* The names of the members must be ones that the version knows: schemas of MCP leave objects open, and would
 * not notice a field of a later version. */
static void assert_known_members(const json_t *schema, json_t *value)
{
    const json_t *properties = json_object_get(schema, "properties");
    const char *name;
    json_t *member;

    json_object_foreach(value, name, member) if (json_object_get(properties, name) == NULL)
        fail_msg("%s is not a field of this version", name);
}

static void check(const json_t *schema, struct client *client, const char *question, const char *name)
{
    const json_t *result_schema = definition(schema, name);
    const json_t *response_schema = definition(schema, "JSONRPCResponse");
    json_t *answer, *result, *tool;
    size_t index;

    client_tell(client, question);
    answer = test_load(client->last, client->last_length, NULL);
    result = json_object_get(answer, "result");
    assert_non_null(result_schema);
    assert_non_null(response_schema);
    if (!matches(schema, response_schema, answer) || !matches(schema, result_schema, result))
        fail_msg("not a %s: %s", name, client->last);
    assert_known_members(result_schema, result);
    json_array_foreach(json_object_get(result, "tools"), index, tool)
        assert_known_members(definition(schema, "Tool"), tool);
    if (json_object_get(result, "serverInfo") != NULL)
        assert_known_members(definition(schema, "Implementation"), json_object_get(result, "serverInfo"));
    json_decref(answer);
}

static void check_error(const json_t *schema, struct client *client, const char *question)
{
    const json_t *error_schema = definition(schema, "JSONRPCError");
    json_t *answer;

    if (error_schema == NULL)
        error_schema = definition(schema, "JSONRPCErrorResponse");
    assert_non_null(error_schema);
    client_tell(client, question);
    answer = test_load(client->last, client->last_length, NULL);
    if (!matches(schema, error_schema, answer))
        fail_msg("not an error: %s", client->last);
    json_decref(answer);
}

static void answer(struct mcp_call *call, void *context)
{
    bool well;

    (void)context;
    if (mcp_call_bool_or(call, "well", true, &well) != 0)
        return;
    if (!well) {
        mcp_call_fail(call, "not well");
        return;
    }
    mcp_json_begin_object(mcp_call_result(call));
    mcp_json_member_bool(mcp_call_result(call), "well", true);
    mcp_json_end_object(mcp_call_result(call));
    mcp_call_finish(call);
}

static const struct mcp_tool tool = {
    .name = "all.fields_of-1",
    .title = "Title",
    .description = "Description",
    .input_schema = "{\"type\":\"object\",\"properties\":{\"well\":{\"type\":\"boolean\"}}}",
    .output_schema =
        "{\"type\":\"object\",\"properties\":{\"well\":{\"type\":\"boolean\"}},\"required\":[\"well\"]}",
    .annotations = "{\"title\":\"T\",\"readOnlyHint\":true,\"openWorldHint\":false}",
    .handler = answer,
};

static void answers_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        json_t *schema = schema_of(versions[i]);
        struct client client = {0};
        char initialize[300];

        if (schema == NULL) {
            print_message("skipped: no schema of version %s; set MK_SHARED to the folder that holds mcp/\n",
                          versions[i]);
            skip();
        }
        client_start(&client, NULL);
        assert_int_equal(mcp_server_add_tool(client.server, &tool), 0);
        (void)snprintf(
            initialize, sizeof(initialize),
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"%s\","
            "\"capabilities\":{},\"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}",
            versions[i]);
        check(schema, &client, initialize, "InitializeResult");
        check(schema, &client, "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}", "Result");
        check(schema, &client, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}", "ListToolsResult");
        check(schema, &client,
              "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/"
              "call\",\"params\":{\"name\":\"all.fields_of-1\"}}",
              "CallToolResult");
        check(schema, &client,
              "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/"
              "call\",\"params\":{\"name\":\"all.fields_of-1\","
              "\"arguments\":{\"well\":false}}}",
              "CallToolResult");
        check_error(schema, &client, "{\"jsonrpc\":\"2.0\",\"id\":\"e\",\"method\":\"none\"}");
        check_error(schema, &client,
                    "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{}}");
        client_stop(&client);
        json_decref(schema);
    }
}

/* The validator itself says no. */
static void the_check_can_fail(void **state)
{
    json_t *schema =
        json_loads("{\"$defs\":{\"a\":{\"type\":\"object\",\"required\":[\"x\"],\"properties\":{\"x\":"
                   "{\"anyOf\":[{\"type\":\"string\"},{\"const\":1}]},\"y\":{\"type\":\"array\",\"items\":"
                   "{\"$ref\":\"#/$defs/a\"}},\"z\":{\"type\":[\"integer\",\"null\"]}},"
                   "\"additionalProperties\":false}}}",
                   0, NULL);
    static const char *const good[] = {"{\"x\":\"s\"}", "{\"x\":1,\"y\":[{\"x\":1}],\"z\":null}"};
    static const char *const bad[] = {"1",
                                      "{}",
                                      "{\"x\":2}",
                                      "{\"x\":1,\"y\":{}}",
                                      "{\"x\":1,\"y\":[{}]}",
                                      "{\"x\":1,\"z\":1.5}",
                                      "{\"x\":1,\"w\":1}"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        json_t *value = json_loads(good[i], JSON_DECODE_ANY, NULL);

        assert_true(matches(schema, definition(schema, "a"), value));
        json_decref(value);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *value = json_loads(bad[i], JSON_DECODE_ANY, NULL);

        assert_false(matches(schema, definition(schema, "a"), value));
        json_decref(value);
    }
    json_decref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_check_can_fail),
        cmocka_unit_test(answers_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
