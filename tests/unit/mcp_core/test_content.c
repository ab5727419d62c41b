/* SPDX-License-Identifier: MIT
 *
 * Content blocks: what each looks like, what an older version gets in its place, and what is refused.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

static struct client client;
static const struct mcp_content *content;

static void show(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_content(call, content);
    mcp_call_finish(call);
}

static void say(struct mcp_call *call, void *context)
{
    (void)context;
    mcp_call_message(call, MCP_ROLE_USER, content);
    mcp_call_finish(call);
}

static const struct mcp_tool tools[] = {
    {.name = "show", .input_schema = "{\"type\":\"object\"}", .handler = show},
    {.name = "say", .input_schema = "{\"type\":\"object\"}", .handler = say},
};

static void start(const char *version)
{
    client = (struct client){0};
    client_start(&client, NULL);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(mcp_server_add_tool(client.server, &tools[i]), 0);
    client_initialise(&client, version);
}

static void expect_block(const struct mcp_content *block, const char *wanted)
{
    char answer[1000];

    content = block;
    (void)snprintf(answer, sizeof(answer), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[%s]}}",
                   wanted);
    client_expect(&client,
                  "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"show\"}}",
                  answer);
}

/* RFC 4648, section 10. */
static void base64(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {{"", ""},
                 {"f", "Zg=="},
                 {"fo", "Zm8="},
                 {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="},
                 {"fooba", "Zm9vYmE="},
                 {"foobar", "Zm9vYmFy"},
                 {"\xfb\xff\xbf", "+/+/"}};

    (void)state;
    start("2025-11-25");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char wanted[200];

        (void)snprintf(wanted, sizeof(wanted),
                       "{\"type\":\"image\",\"data\":\"%s\",\"mimeType\":\"image/x\"}", cases[i].text);
        expect_block(&(struct mcp_content){.type = MCP_CONTENT_IMAGE,
                                           .data = cases[i].bytes,
                                           .size = strlen(cases[i].bytes),
                                           .mime_type = "image/x"},
                     wanted);
    }
    client_stop(&client);
}

static const struct mcp_content sound = {
    .type = MCP_CONTENT_AUDIO, .data = "foo", .size = 3, .mime_type = "audio/wav", .meta = "{ \"a\" : 1 }"};
static const struct mcp_content link = {.type = MCP_CONTENT_RESOURCE_LINK,
                                        .uri = "u:",
                                        .title = "T",
                                        .icons = "[]",
                                        .annotations = "{\"priority\":1}"};
static const struct mcp_content embedded = {
    .type = MCP_CONTENT_RESOURCE_TEXT, .uri = "u:", .data = "\"x", .size = 2, .mime_type = "text/plain"};

static void each_version(void **state)
{
    (void)state;
    start("2024-11-05");
    expect_block(&sound, "{\"type\":\"text\",\"text\":\"3 bytes of audio/wav are left out: protocol version "
                         "2024-11-05 has no audio\"}");
    expect_block(&link, "{\"type\":\"text\",\"text\":\"u:\",\"annotations\":{\"priority\":1}}");
    expect_block(&embedded, "{\"type\":\"resource\",\"resource\":{\"uri\":\"u:\",\"mimeType\":\"text/plain\","
                            "\"text\":\"\\\"x\"}}");
    client_stop(&client);
    start("2025-03-26");
    expect_block(&sound, "{\"type\":\"audio\",\"data\":\"Zm9v\",\"mimeType\":\"audio/wav\"}");
    client_stop(&client);
    start("2025-06-18");
    expect_block(&sound,
                 "{\"type\":\"audio\",\"data\":\"Zm9v\",\"mimeType\":\"audio/wav\",\"_meta\":{\"a\":1}}");
    expect_block(&link, "{\"type\":\"resource_link\",\"uri\":\"u:\",\"name\":\"u:\",\"title\":\"T\","
                        "\"annotations\":{\"priority\":1}}");
    client_stop(&client);
    start("2025-11-25");
    expect_block(&link,
                 "{\"type\":\"resource_link\",\"uri\":\"u:\",\"name\":\"u:\",\"title\":\"T\",\"icons\":[],"
                 "\"annotations\":{\"priority\":1}}");
    client_stop(&client);
}

/* It cannot make what is not valid: the client gets an error. */
static void what_is_refused(void **state)
{
    static const struct mcp_content wrong[] = {
        {.type = MCP_CONTENT_TEXT, .size = 1},
        {.type = MCP_CONTENT_IMAGE, .data = "x", .size = 1},
        {.type = MCP_CONTENT_AUDIO},
        {.type = MCP_CONTENT_RESOURCE_TEXT, .data = "x", .size = 1},
        {.type = MCP_CONTENT_RESOURCE_BLOB},
        {.type = MCP_CONTENT_RESOURCE_LINK, .name = "n"},
        {.type = MCP_CONTENT_TEXT, .annotations = "[]"},
        {.type = MCP_CONTENT_TEXT, .annotations = "{"},
        {.type = MCP_CONTENT_TEXT, .meta = "1"},
        {.type = MCP_CONTENT_RESOURCE_LINK, .uri = "u:", .icons = "{}"},
    };

    (void)state;
    start("2025-11-25");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        content = &wrong[i];
        client_expect_error(
            &client,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"show\"}}", "1",
            -32603, "not valid");
    }
    content = &sound; /* messages are for prompts */
    client_expect_error(
        &client, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"say\"}}",
        "1", -32603, "not valid");
    client_stop(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64),
        cmocka_unit_test(each_version),
        cmocka_unit_test(what_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
