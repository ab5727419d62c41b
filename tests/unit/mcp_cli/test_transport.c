/* SPDX-License-Identifier: MIT
 *
 * The parts of the transports that can be called alone, with what servers may send them; names of servers.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base64.h"
#include "connection.h"
#include "expand.h"
#include "header_arguments.h"
#include "servers.h"
#include "suggest.h"
#include "transport/buffer.h"
#include "transport/sse.h"

/* ---- server-sent events ---- */

struct events {
    char text[512];
    int result; /* what the next event gives back */
};

static int on_event(void *context, const char *data, size_t length)
{
    struct events *events = context;
    assert_int_equal(strlen(data), length);
    size_t used = strlen(events->text);
    snprintf(events->text + used, sizeof events->text - used, "<%s>", data);
    return events->result;
}

/* Feeds the text in pieces of `size` bytes. */
static void feed(const char *text, size_t size, const char *expected, const char *id, int64_t retry_ms)
{
    struct events events = {.text = ""};
    struct sse sse = {.event = on_event, .context = &events};
    bool grew;
    for (size_t length = strlen(text); length > 0;) {
        size_t part = length < size ? length : size;
        assert_int_equal(sse_feed(&sse, text, part, &grew), 0);
        text += part;
        length -= part;
    }
    assert_string_equal(events.text, expected);
    assert_string_equal(sse.id, id);
    assert_int_equal(sse.retry_ms, retry_ms);
    sse_release(&sse);
}

static void events(void **state)
{
    (void)state;
    static const struct {
        const char *text, *events, *id;
        int64_t retry_ms;
    } cases[] = {
        {"data: a\n\n", "<a>", "", 0},
        {"\xEF\xBB\xBF"
         "data:a\r\rdata: b\r\n\r\n",
         "<a><b>", "", 0},
        {"data: a\ndata:  b\ndata\n\n", "<a\n b\n>", "", 0},
        {": comment\n\nevent: message\nid: 7\nretry: 250\ndata: x\n\n", "<x>", "7", 250},
        {"event: ping\ndata: x\n\ndata: y\n\n", "<y>", "", 0},
        {"id: 1\ndata:\n\n", "", "1", 0}, /* an event to resume from, without a message */
        {"id: 1\n\nid\n\n", "", "", 0},
        {"retry: 1x\nretry: 99999999999999999999\nunknown: 1\ndata: cut", "", "", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t size = 1; size < 12; size++)
            feed(cases[i].text, size, cases[i].events, cases[i].id, cases[i].retry_ms);
    }
    char id[SSE_ID_MAX + 10];
    snprintf(id, sizeof id, "id: %0*d\n\n", SSE_ID_MAX, 7);
    feed(id, sizeof id, "", "", 0);
}

static void an_event_that_is_refused(void **state)
{
    (void)state;
    struct events events = {.result = -EPROTO};
    struct sse sse = {.event = on_event, .context = &events};
    bool grew;
    assert_int_equal(sse_feed(&sse, ":\n", 2, &grew), 0);
    assert_false(grew);
    assert_int_equal(sse_feed(&sse, "data: x\n\ndata: y\n\n", 18, &grew), -EPROTO);
    assert_true(grew);
    assert_string_equal(events.text, "<x>");
    sse_release(&sse);
}

/* A line, or an event of many lines, that never ends. */
static void an_event_without_an_end(void **state)
{
    (void)state;
    static char part[1 << 20];
    for (int lines = 0; lines < 2; lines++) {
        struct events events = {.text = ""};
        struct sse sse = {.event = on_event, .context = &events};
        bool grew;
        int result = 0;
        memset(part, 'x', sizeof part);
        if (lines) {
            static const char field[] = {'d', 'a', 't', 'a', ':'};
            memcpy(part, field, sizeof field);
            part[sizeof part - 1] = '\n';
        }
        size_t fed = 0;
        while (result == 0 && fed <= BUFFER_MAX + sizeof part) {
            result = sse_feed(&sse, part, sizeof part, &grew);
            fed += sizeof part;
        }
        assert_int_equal(result, -EMSGSIZE);
        sse_release(&sse);
    }
}

/* ---- headers ---- */

static void header_values(void **state)
{
    (void)state;
    static const struct {
        const char *text, *value;
    } cases[] = {
        {"us-west1", "us-west1"},
        {"Hello, \xE4\xB8\x96\xE7\x95\x8C", "=?base64?SGVsbG8sIOS4lueVjA==?="},
        {" padded ", "=?base64?IHBhZGRlZCA=?="},
        {"line1\nline2", "=?base64?bGluZTEKbGluZTI=?="},
        {"=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="},
        {"=?base64?open", "=?base64?open"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *value = header_value(cases[i].text);
        assert_string_equal(json_string_value(value), cases[i].value);
        json_decref(value);
    }
}

static void marked_arguments(void **state)
{
    (void)state;
    static const struct {
        const char *properties, *arguments, *headers; /* NULL: refused */
    } cases[] = {
        {"{}", "{\"a\":1}", "{}"},
        {"{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"},\"b\":{\"type\":\"integer\",\"x-mcp-header\":"
         "\"B\"},"
         "\"c\":{\"type\":\"boolean\",\"x-mcp-header\":\"C\"}}",
         "{\"a\":\"x\",\"b\":-7,\"c\":false}",
         "{\"Mcp-Param-A\":\"x\",\"Mcp-Param-B\":\"-7\",\"Mcp-Param-C\":\"false\"}"},
        {"{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}", "{\"a\":null}", "{}"},
        {"{\"a\":{\"type\":\"integer\",\"x-mcp-header\":\"A\"}}", "{\"a\":9007199254740992}", "{}"},
        {"{\"o\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}}",
         "{\"o\":{\"a\":\"x\"}}", "{\"Mcp-Param-A\":\"x\"}"},
        {"{\"a\":{\"type\":\"number\",\"x-mcp-header\":\"A\"}}", "{}", NULL},
        {"{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"\"}}", "{}", NULL},
        {"{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A:\\r\\nX\"}}", "{}", NULL},
        {"{\"a\":{\"type\":\"string\",\"x-mcp-header\":7}}", "{}", NULL},
        {"{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"A\"},\"b\":{\"type\":\"string\",\"x-mcp-header\":"
         "\"a\"}}",
         "{}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *schema = json_pack("{s:o}", "properties", json_loads(cases[i].properties, 0, NULL));
        json_t *arguments = json_loads(cases[i].arguments, 0, NULL);
        json_t *headers = NULL;
        struct error error;
        enum status status = header_arguments(schema, arguments, &headers, &error);
        assert_int_equal(status, cases[i].headers ? STATUS_OK : STATUS_TOOL);
        json_t *expected = cases[i].headers ? json_loads(cases[i].headers, 0, NULL) : NULL;
        assert_true(!expected || json_equal(headers, expected));
        json_decref(expected);
        json_decref(headers);
        json_decref(arguments);
        json_decref(schema);
    }
}

static void base64(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"}}; /* RFC 4648, section 10 */
    unsigned char bytes[16];
    size_t count;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char text[16];
        base64_encode(vectors[i][0], strlen(vectors[i][0]), text);
        assert_string_equal(text, vectors[i][1]);
        assert_int_equal(base64_decode(text, strlen(text), bytes, &count), 0);
        assert_int_equal(count, strlen(vectors[i][0]));
        assert_memory_equal(bytes, vectors[i][0], count);
    }
    static const char *const wrong[] = {"Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9\n", "Z_9v"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(base64_decode(wrong[i], strlen(wrong[i]), bytes, &count), -EINVAL);
}

/* ---- names ---- */

static void assert_suggests(const char *word, const char *expected)
{
    static const char *const names[] = {"tools", "call", "resources", "max_tokens", "echo"};
    struct suggestion suggestion = {.word = word};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        suggest_offer(&suggestion, names[i]);
    suggest_offer(&suggestion, NULL);
    if (expected)
        assert_string_equal(suggestion.best, expected);
    else
        assert_null(suggestion.best);
}

static void suggestions(void **state)
{
    (void)state;
    char longer[100];
    memset(longer, 't', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_suggests("tool", "tools");
    assert_suggests("tolos", "tools");
    assert_suggests("clal", "call");
    assert_suggests("resorces", "resources");
    assert_suggests("maxtokens", "max_tokens");
    assert_suggests("ehco", "echo");
    assert_suggests("x", NULL);
    assert_suggests("", NULL);
    assert_suggests("dance", NULL);
    assert_suggests(longer, NULL);
}

static void expansion(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\"${MCP_TEST}\"", "\"value\""},
        {"[\"a${MCP_TEST}b\",{\"k\":\"${MCP_NONE:-x:y}\"},7,\"$X ${\"]", NULL},
        {"[\"a${MCP_TEST}b\",{\"k\":\"${MCP_NONE:-x:y}\"},7,\"$X {}\"]",
         "[\"avalueb\",{\"k\":\"x:y\"},7,\"$X {}\"]"},
        {"\"${MCP_NONE:-}\"", "\"\""},
        {"\"${MCP_NONE}\"", NULL},
        {"\"${}\"", NULL},
        {"\"${A:x}\"", NULL},
    };
    setenv("MCP_TEST", "value", 1);
    unsetenv("MCP_NONE");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *value = json_loads(cases[i][0], JSON_DECODE_ANY, NULL);
        json_t *expanded = NULL;
        struct error error;
        assert_non_null(value);
        assert_int_equal(expand_all(value, "entry", &expanded, &error),
                         cases[i][1] ? STATUS_OK : STATUS_USAGE);
        char *text = expanded ? json_dumps(expanded, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
        if (cases[i][1])
            assert_string_equal(text, cases[i][1]);
        free(text);
        json_decref(expanded);
        json_decref(value);
    }
}

/* Writes the text to a file and reads it as an mcpServers file. */
static enum status read_servers(const char *text, json_t **servers, struct error *error)
{
    char path[] = "/tmp/mcp-cli-test-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    enum status status = servers_read(path, servers, error);
    unlink(path);
    return status;
}

static void names_of_servers(void **state)
{
    (void)state;
    struct endpoint endpoint;
    struct error error;
    json_t *servers = NULL;
    static const char *const wrong[] = {"{", "[]", "{}", "{\"mcpServers\":{\"a\":1}}", "{\"mcpServers\":[]}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(read_servers(wrong[i], &servers, &error), STATUS_USAGE);
        assert_null(servers);
    }
    assert_int_equal(servers_read("/nowhere/file", &servers, &error), STATUS_USAGE);
    assert_int_equal(
        read_servers(
            "{\"mcpServers\":{\"one\":{\"command\":\"x\",\"args\":[\"${HOME}\"]},\"two\":{\"url\":"
            "\"http://h/mcp\"},\"old\":{\"type\":\"sse\",\"url\":\"http://h/\"},\"none\":{},\"both\":"
            "{\"url\":\"http://h/\",\"command\":\"x\"},\"ftp\":{\"url\":\"ftp://h\"}}}",
            &servers, &error),
        STATUS_OK);
    setenv("HOME", "/home/x", 1);
    assert_int_equal(servers_find(servers, "one", &endpoint, &error), STATUS_OK);
    assert_int_equal(endpoint.kind, ENDPOINT_COMMAND);
    assert_string_equal(json_string_value(json_array_get(json_object_get(endpoint.entry, "args"), 0)),
                        "/home/x");
    endpoint_release(&endpoint);
    assert_int_equal(servers_find(servers, "two", &endpoint, &error), STATUS_OK);
    assert_int_equal(endpoint.kind, ENDPOINT_HTTP);
    endpoint_release(&endpoint);
    static const char *const bad[] = {"old", "none", "both", "ftp", "three"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(servers_find(servers, bad[i], &endpoint, &error), STATUS_USAGE);
    assert_int_equal(servers_find(servers, "tow", &endpoint, &error), STATUS_USAGE);
    assert_string_equal(error.text, "there is no server 'tow'; did you mean 'two'?");
    json_decref(servers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events),
        cmocka_unit_test(an_event_that_is_refused),
        cmocka_unit_test(an_event_without_an_end),
        cmocka_unit_test(header_values),
        cmocka_unit_test(marked_arguments),
        cmocka_unit_test(base64),
        cmocka_unit_test(suggestions),
        cmocka_unit_test(expansion),
        cmocka_unit_test(names_of_servers),
    };
    return cmocka_run_group_tests_name("mcp-cli: transport", tests, NULL, NULL);
}
