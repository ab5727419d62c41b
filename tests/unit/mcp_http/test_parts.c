/* SPDX-License-Identifier: MIT
 *
 * The parts that know neither sessions nor sockets: heads, mirrors, messages, events, annotations of tools.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <events.h>
#include <tool_headers.h>

static struct http_head head_of(const char *name, const char *value)
{
    static struct http_header header;
    header = (struct http_header){name, value};
    return (struct http_head){"POST", "/mcp", &header, 1};
}

static void hosts_and_origins(void **state)
{
    static const char *const hosts[] = {"mcp.example", NULL}, *const origins[] = {"https://app.example",
                                                                                  NULL};
    const struct head_rules rules = {hosts, origins, NULL},
                            any = {(const char *const[]){"*", NULL}, NULL, NULL};
    static const struct {
        const char *value;
        bool host, origin;
    } cases[] = {{"localhost", true, false},
                 {"LOCALHOST:1", true, false},
                 {"127.0.0.1:65535", true, false},
                 {"[::1]:80", true, false},
                 {"[::1]", true, false},
                 {"[::1", false, false},
                 {"::1", false, false},
                 {"localhost:", true, false},
                 {"localhost:80x", false, false},
                 {"localhost:123456", false, false},
                 {"localhost.evil.example", false, false},
                 {"localhost:80@evil.example", false, false},
                 {"mcp.example:443", true, false},
                 {"xmcp.example", false, false},
                 {"", false, false},
                 {"http://localhost:3000", false, true},
                 {"https://[::1]:1", false, true},
                 {"http://localhost.evil.example", false, false},
                 {"http://evil.example", false, false},
                 {"https://app.example", false, true},
                 {"https://app.example:444", false, false},
                 {"file://localhost", false, false},
                 {"null", false, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_head head = head_of("Host", cases[i].value);
        assert_int_equal(head_host_is_allowed(&head, &rules), cases[i].host);
        head = head_of("origin", cases[i].value);
        assert_int_equal(head_origin_is_allowed(&head, &rules), cases[i].origin);
    }
    struct http_head none = {"GET", "/", NULL, 0}, other = head_of("Host", "any.example");
    assert_false(head_host_is_allowed(&none, &rules));
    assert_true(head_origin_is_allowed(&none, &rules));
    assert_true(head_host_is_allowed(&other, &any));
}

static void tokens(void **state)
{
    const struct head_rules rules = {NULL, NULL, "secret-secret-secret"}, none = {NULL, NULL, NULL};
    static const struct {
        const char *value;
        bool right;
    } cases[] = {{"Bearer secret-secret-secret", true},
                 {"bearer  secret-secret-secret", true},
                 {"Bearer secret-secret-secreT", false},
                 {"Bearer secret-secret-secret ", false},
                 {"Bearer secret-secret-secre", false},
                 {"Bearer", false},
                 {"Basic secret-secret-secret", false},
                 {"Bearer secret-secret-secret2", false},
                 {"", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_head head = head_of("Authorization", cases[i].value);
        assert_int_equal(head_token_is_right(&head, &rules), cases[i].right);
        assert_true(head_token_is_right(&head, &none));
    }
    struct http_head missing = head_of("X", "");
    assert_false(head_token_is_right(&missing, &rules));
}

static void accepted_types(void **state)
{
    static const struct {
        const char *value;
        bool json, stream;
    } cases[] = {{"application/json, text/event-stream", true, true},
                 {"text/event-stream;q=0.5 , application/json;q=1", true, true},
                 {"*/*", true, true},
                 {"text/*, application/*;charset=utf-8", true, true},
                 {"application/json", true, false},
                 {"application/jsonx, text/event-streams", false, false},
                 {"application/json;q=0, text/event-stream; q=0.00", false, false},
                 {"application/json;q=0.001", true, false},
                 {"APPLICATION/JSON", true, false},
                 {",,,text/html,", false, false},
                 {"", false, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_head head = head_of("Accept", cases[i].value);
        assert_int_equal(head_accepts(&head, "application/json"), cases[i].json);
        assert_int_equal(head_accepts(&head, "text/event-stream"), cases[i].stream);
    }
    struct http_head none = head_of("X", "");
    assert_true(head_accepts(&none, "application/json"));
    assert_false(head_is_json(&none));
    struct http_head json = head_of("content-type", "application/JSON ; charset=utf-8");
    assert_true(head_is_json(&json));
    json = head_of("Content-Type", "application/jsonl");
    assert_false(head_is_json(&json));
}

static void headers_that_are_there_twice(void **state)
{
    const struct http_header twice[] = {{"Host", "a"}, {"X", "1"}, {"x", "2"}, {"hOST", "b"}};
    (void)state;
    struct http_head head = {"GET", "/", twice, 3};
    assert_false(head_is_ambiguous(&head));
    head.header_count = 4;
    assert_true(head_is_ambiguous(&head));
}

static void encoded_values(void **state)
{
    static const struct {
        const char *value, *text; /* NULL: refused */
    } cases[] = {{"plain", "plain"},
                 {"", ""},
                 {"=?base64?SGVsbG8=?=", "Hello"},
                 {"=?base64?SGk=?=", "Hi"},
                 {"=?base64?SGVs?=", "Hel"},
                 {"=?base64?"
                  "?=",
                  ""},
                 {"=?base64?SGVsbG8?=", NULL},
                 {"=?base64?SGVs!!!bG8=?=", NULL},
                 {"=?base64?====?=", NULL},
                 {"=?base64?SG=s?=", NULL},
                 {"SGVsbG8=", "SGVsbG8="},
                 {"=?base64?SGVsbG8=", "=?base64?SGVsbG8="},
                 {"=?base64?=", "=?base64?="},
                 {"caf\xc3\xa9", NULL},
                 {"a\tb", "a\tb"},
                 {"a\x7f", NULL},
                 {"a\x01", NULL}};
    char text[20];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        long length = head_decode(cases[i].value, text, sizeof text);
        if (cases[i].text == NULL) {
            assert_int_equal(length, -EINVAL);
            continue;
        }
        assert_int_equal(length, strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
    assert_int_equal(head_decode("12345678901234567890", text, sizeof text), -EINVAL);
    assert_int_equal(head_decode("=?base64?MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=?=", text, sizeof text), -EINVAL);
}

/* ---- messages ---- */

static int first_message(const char *text, struct messages *messages, struct message *message)
{
    int result = messages_open(messages, text, strlen(text));
    return result == 0 ? messages_next(messages, message) : result;
}

static void kinds_of_messages(void **state)
{
    static const struct {
        const char *text;
        int result;
        enum message_kind kind;
        const char *id;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\": 1.0 ,\"method\":\"a\"}", 1, MESSAGE_REQUEST, "1.0"},
        {"{\"id\":\"\\u0061\",\"jsonrpc\":\"2.0\",\"method\":\"a\"}", 1, MESSAGE_REQUEST, "\"\\u0061\""},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"a\"}", 1, MESSAGE_NOTIFICATION, NULL},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", 1, MESSAGE_RESPONSE, "1"},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32601}}", 1, MESSAGE_RESPONSE, "null"},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"a\"}", -EBADMSG, 0, NULL},
        {"{\"jsonrpc\":\"2.0\",\"id\":[],\"method\":\"a\"}", -EBADMSG, 0, NULL},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":2}", -EBADMSG, 0, NULL},
        {"{\"jsonrpc\":\"2.0\",\"id\":1}", -EBADMSG, 0, NULL},
        {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"a\"}", -EBADMSG, 0, NULL},
        {"7", -EBADMSG, 0, NULL},
        {"[]", -EBADMSG, 0, NULL},
        {"[7]", -EBADMSG, 0, NULL},
        {"{", -EINVAL, 0, NULL},
        {"", -EINVAL, 0, NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct messages messages = {0};
        struct message message = {0};
        assert_int_equal(first_message(cases[i].text, &messages, &message), cases[i].result);
        if (cases[i].result == 1) {
            assert_int_equal(message.kind, cases[i].kind);
            assert_int_equal(message.id.length, cases[i].id != NULL ? strlen(cases[i].id) : 0);
            if (cases[i].id != NULL)
                assert_memory_equal(message.id.text, cases[i].id, message.id.length);
            assert_int_equal(messages_next(&messages, &message), 0);
        } else {
            assert_non_null(messages.problem);
        }
        messages_release(&messages);
    }
}

static void a_long_id_and_a_long_method(void **state)
{
    static char text[3000];
    struct messages messages = {0};
    struct message message = {0};
    (void)state;
    (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":\"%01500d\",\"method\":\"a\"}", 0);
    assert_int_equal(first_message(text, &messages, &message), -EBADMSG);
    messages_release(&messages);
    (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%0500d\"}", 0);
    assert_int_equal(first_message(text, &messages, &message), 1);
    assert_string_equal(message.method, "");
    messages_release(&messages);
}

static void mirrors(void **state)
{
    static const char body[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{%s\"_meta\":{%s}}}";
    static const char meta[] = "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                               "\"io.modelcontextprotocol/clientCapabilities\":{}";
    static const struct {
        const char *method, *params, *meta, *version, *method_header, *name;
        int result;
    } cases[] = {
        {"a", "", meta, "2026-07-28", "a", NULL, 0},
        {"a", "", meta, NULL, "a", NULL, -EPROTO},
        {"a", "", meta, "2026-07-29", "a", NULL, -EPROTO},
        {"a", "", meta, "2026-07-28", NULL, NULL, -EPROTO},
        {"a", "", meta, "2026-07-28", "A", NULL, -EPROTO},
        {"a", "", "", "2026-07-28", "a", NULL, -EINVAL},
        {"a", "", "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"", "2026-07-28", "a", NULL,
         -EINVAL},
        {"tools/call", "\"name\":\"t\",", meta, "2026-07-28", "tools/call", "t", 0},
        {"tools/call", "\"name\":\"t\",", meta, "2026-07-28", "tools/call", "=?base64?dA==?=", 0},
        {"tools/call", "\"name\":\"t\",", meta, "2026-07-28", "tools/call", "u", -EPROTO},
        {"tools/call", "\"name\":\"t\",", meta, "2026-07-28", "tools/call", NULL, -EPROTO},
        {"tools/call", "\"name\":\"t\",", meta, "2026-07-28", "tools/call", "=?base64?d?=", -EPROTO},
        {"tools/call", "\"name\":5,", meta, "2026-07-28", "tools/call", NULL, 0},
        {"prompts/get", "\"name\":\"p\",", meta, "2026-07-28", "prompts/get", "q", -EPROTO},
        {"resources/read", "\"uri\":\"file:///\\u00e9\",", meta, "2026-07-28", "resources/read",
         "=?base64?ZmlsZTovLy/DqQ==?=", 0},
        {"tasks/get", "\"taskId\":\"1\",", meta, "2026-07-28", "tasks/get", NULL, 0},
        {"tasks/get", "\"taskId\":\"1\",", meta, "2026-07-28", "tasks/get", "2", -EPROTO},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1000], problem[200];
        struct http_header headers[3];
        struct http_head head = {"POST", "/mcp", headers, 0};
        struct messages messages = {0};
        struct message message = {0};
        (void)snprintf(text, sizeof text, body, cases[i].method, cases[i].params, cases[i].meta);
        if (cases[i].version != NULL)
            headers[head.header_count++] = (struct http_header){"mcp-protocol-version", cases[i].version};
        if (cases[i].method_header != NULL)
            headers[head.header_count++] = (struct http_header){"MCP-METHOD", cases[i].method_header};
        if (cases[i].name != NULL)
            headers[head.header_count++] = (struct http_header){"Mcp-Name", cases[i].name};
        assert_int_equal(first_message(text, &messages, &message), 1);
        assert_int_equal(head_check_mirrors(&head, &message, problem, sizeof problem), cases[i].result);
        messages_release(&messages);
    }
}

/* ---- annotations of tools ---- */

static const char tool_list[] =
    "{\"tools\":[{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},"
    "\"deep\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"x-mcp-header\":\"N\"}}},"
    "\"flag\":{\"type\":\"boolean\",\"x-mcp-header\":\"Flag\"},"
    "\"bad\":{\"type\":\"string\",\"x-mcp-header\":\"No Token\"},"
    "\"real\":{\"type\":\"number\",\"x-mcp-header\":\"Real\"},"
    "\"list\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"x-mcp-header\":\"Item\"}}}}},"
    "{\"name\":\"plain\",\"inputSchema\":{\"type\":\"object\"}},{\"name\":7}]}";

static void headers_of_arguments(void **state)
{
    static const struct {
        const char *tool, *arguments, *region, *n, *flag;
        int result;
    } cases[] = {
        {"t", "{}", NULL, NULL, NULL, 0},
        {"t", "{\"region\":\"eu\",\"deep\":{\"n\":42},\"flag\":true}", "eu", "42.0", "true", 0},
        {"t", "{\"region\":null}", NULL, NULL, NULL, 0},
        {"t", "{\"region\":null}", "eu", NULL, NULL, -EPROTO},
        {"t", "{\"region\":\"eu\"}", NULL, NULL, NULL, -EPROTO},
        {"t", "{\"region\":\"eu\"}", "us", NULL, NULL, -EPROTO},
        {"t", "{\"region\":\"Hello\"}", "=?base64?SGVsbG8=?=", NULL, NULL, 0},
        {"t", "{\"region\":\"Hello\"}", "=?base64?SGVsbG8?=", NULL, NULL, -EPROTO},
        {"t", "{\"region\":\"a\\u0000b\"}", "=?base64?YQBi?=", NULL, NULL, -EPROTO},
        {"t", "{\"deep\":{\"n\":42}}", NULL, "43", NULL, -EPROTO},
        {"t", "{\"deep\":{\"n\":42}}", NULL, "x", NULL, -EPROTO},
        {"t", "{\"flag\":false}", NULL, NULL, "False", -EPROTO},
        {"t", "{\"region\":{}}", "eu", NULL, NULL, 0},
        {"plain", "{\"region\":\"eu\"}", "us", NULL, NULL, 0},
    };
    struct messages messages = {0};
    struct message message = {0};
    struct mcp_json_document *list;
    struct mcp_json_error error;
    struct tool_headers headers = {0};
    (void)state;
    assert_int_equal(mcp_json_parse(&message_memory, tool_list, sizeof tool_list - 1, &list, &error), 0);
    assert_int_equal(tool_headers_add(&headers, mcp_json_root(list)), 0);
    mcp_json_free(list);
    assert_int_equal(headers.count, 3);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[500], problem[400];
        struct http_header given[3];
        struct http_head head = {"POST", "/mcp", given, 0};
        const char *const values[] = {cases[i].region, cases[i].n, cases[i].flag};
        const char *const names[] = {"mcp-param-region", "Mcp-Param-N", "Mcp-Param-Flag"};
        for (size_t j = 0; j < 3; j++)
            if (values[j] != NULL)
                given[head.header_count++] = (struct http_header){names[j], values[j]};
        (void)snprintf(text, sizeof text,
                       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/"
                       "call\",\"params\":{\"name\":\"%s\",\"arguments\":%s}}",
                       cases[i].tool, cases[i].arguments);
        assert_int_equal(first_message(text, &messages, &message), 1);
        assert_int_equal(tool_headers_check(&headers, &head, &message, problem, sizeof problem),
                         cases[i].result);
        messages_release(&messages);
    }
    tool_headers_release(&headers);
}

/* ---- events ---- */

static const char *read_events(struct event_stream *stream, size_t *total)
{
    static char text[100000];
    size_t length = event_stream_read(stream, text, sizeof text - 1, total);
    text[length] = '\0';
    return text;
}

static void events_as_text(void **state)
{
    size_t total = 0;
    struct event_stream *stream = event_stream_create(7, true, 1000);
    (void)state;
    assert_int_equal(event_stream_prime(stream, 1000, &total), 0);
    assert_int_equal(event_stream_add(stream, "{\"a\":\r\n1}", 9, &total), 0);
    assert_string_equal(read_events(stream, &total), "id: 7-1\nretry: 1000\ndata: \n\n"
                                                     "id: 7-2\ndata: {\"a\":\ndata: \ndata: 1}\n\n");
    assert_true(total > 0);
    event_stream_destroy(stream, &total);
    assert_int_equal(total, 0);
    stream = event_stream_create(0, false, SIZE_MAX);
    assert_int_equal(event_stream_add(stream, "{}", 2, &total), 0);
    assert_string_equal(read_events(stream, &total), "data: {}\n\n");
    assert_int_equal(total, 0); /* nobody comes back to it */
    event_stream_destroy(stream, &total);
    event_stream_destroy(NULL, &total);
}

static void ids_of_events(void **state)
{
    static const char *const wrong[] = {
        "", "1", "1-", "-1", "1-2-", "1-2 ", " 1-2", "4294967296-1", "1-99999999999", "a-1"};
    uint32_t stream, number;
    (void)state;
    assert_true(event_id_parse("4294967295-12", &stream, &number));
    assert_true(stream == 4294967295u && number == 12);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(event_id_parse(wrong[i], &stream, &number));
}

/* Whoever is away loses the oldest; whoever reads loses nothing. */
static void what_is_dropped(void **state)
{
    size_t total = 0;
    char text[60];
    struct event_stream *stream = event_stream_create(1, true, 500);
    (void)state;
    for (int i = 0; i < 100; i++) {
        (void)snprintf(text, sizeof text, "{\"n\":%d}", i);
        assert_int_equal(event_stream_add(stream, text, strlen(text), &total), 0);
        assert_true(stream->size <= 500 && total == stream->size);
    }
    assert_true(stream->dropped > 50);
    stream->read = true;
    size_t unread = stream->unread;
    assert_int_equal(event_stream_add(stream, "{\"n\":100}", 9, &total), 0);
    assert_true(stream->unread > unread && stream->size > 500 - 40);
    const char *read = read_events(stream, &total);
    assert_non_null(strstr(read, "{\"n\":100}"));
    assert_int_equal(stream->unread, 0);
    event_stream_rewind(stream, 100);
    assert_string_equal(read_events(stream, &total), "id: 1-101\ndata: {\"n\":100}\n\n");
    event_stream_rewind(stream, 0); /* from the oldest that there is */
    assert_non_null(strstr(read_events(stream, &total), "{\"n\":100}"));
    event_stream_destroy(stream, &total);
    assert_int_equal(total, 0);
}

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)random_state * limit) >> 32);
}

/* A reader whose connection is cut anywhere, and who says which event it has seen last, sees each exactly
 * once. */
static void cuts_at_random(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 300; round++) {
        random_state = round;
        size_t total = 0, added = 0, seen = 0;
        char partial[400];
        size_t partial_length = 0;
        struct event_stream *stream = event_stream_create(3, true, 100000);
        stream->read = true;
        while (seen < 50) {
            if (added < 50 && random_below(2) == 0) {
                char text[60];
                (void)snprintf(text, sizeof text, "%u", (unsigned)added++);
                assert_int_equal(event_stream_add(stream, text, strlen(text), &total), 0);
            }
            partial_length +=
                event_stream_read(stream, partial + partial_length, 1 + random_below(40), &total);
            assert_true(partial_length < sizeof partial);
            partial[partial_length] = '\0';
            for (char *end; (end = strstr(partial, "\n\n")) != NULL;) {
                char expected[60];
                *end = '\0';
                (void)snprintf(expected, sizeof expected, "id: 3-%u\ndata: %u", (unsigned)seen + 1,
                               (unsigned)seen);
                assert_string_equal(partial, expected);
                seen++;
                partial_length -= (size_t)(end + 2 - partial);
                memmove(partial, end + 2, partial_length + 1);
            }
            if (random_below(5) == 0) { /* cut */
                partial_length = 0;
                event_stream_restart(stream);
                event_stream_rewind(stream, (uint32_t)seen);
            }
        }
        event_stream_destroy(stream, &total);
        assert_int_equal(total, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_and_origins),
        cmocka_unit_test(tokens),
        cmocka_unit_test(accepted_types),
        cmocka_unit_test(headers_that_are_there_twice),
        cmocka_unit_test(encoded_values),
        cmocka_unit_test(kinds_of_messages),
        cmocka_unit_test(a_long_id_and_a_long_method),
        cmocka_unit_test(mirrors),
        cmocka_unit_test(headers_of_arguments),
        cmocka_unit_test(events_as_text),
        cmocka_unit_test(ids_of_events),
        cmocka_unit_test(what_is_dropped),
        cmocka_unit_test(cuts_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
