/* SPDX-License-Identifier: MIT
 *
 * Each command: what it asks, what it prints, how it ends.
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

#define TOOLS                                                                                                \
    "[{\"name\":\"infer\",\"description\":\"Ask the "                                                        \
    "model\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"                                          \
    "\"prompt\":{\"type\":\"string\",\"description\":\"what to "                                             \
    "answer\"},\"max_tokens\":{\"type\":\"integer\"},"                                                       \
    "\"temperature\":{\"type\":\"number\"},\"echo\":{\"type\":\"boolean\"},\"stop\":{\"type\":\"array\"},"   \
    "\"bias\":{\"type\":\"object\"},\"seed\":{\"type\":[\"integer\",\"null\"]}},\"required\":[\"prompt\"]}}" \
    ","                                                                                                      \
    "{\"name\":\"health\",\"inputSchema\":{\"type\":\"object\"}}]"

static void infer_prints_the_text_alone(void **state)
{
    (void)state;
    RUN("infer", "What is it?");
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"What is it?\"}");
    server_reply_structured("{\"text\":\"A kernel.\\nSmall.\",\"tokens\":4,\"latency_ms\":1.5}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "A kernel.\nSmall.\n");
    assert_string_equal(harness.err, "");
}

static void infer_sends_its_options(void **state)
{
    (void)state;
    RUN("infer", "--max-tokens", "7", "two", "words", "--temperature=0.5", "--top-p", "1", "-s", "42", "--",
        "--x");
    server_handshake();
    server_expect_call("infer",
                       "{\"prompt\":\"two words --x\",\"max_tokens\":7,\"temperature\":0.5,\"top_p\":1.0,"
                       "\"seed\":42}");
    server_reply_structured("{\"text\":\"done\\n\"}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "done\n");
}

static void infer_as_json(void **state)
{
    (void)state;
    RUN("--json", "infer", "x");
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"x\"}");
    server_reply_structured("{\"text\":\"\\u001b[31m\\u009b\\u007f\\u00e9\",\"tokens\":4}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out,
                        "{\n  \"text\": \"\\u001B[31m\\u009B\\u007F\xC3\xA9\",\n  \"tokens\": 4\n}\n");
}

static void health_is_aligned(void **state)
{
    (void)state;
    RUN("health");
    server_handshake();
    server_expect_call("health", "{}");
    server_reply_structured(
        "{\"status\":\"ok\",\"uptime_ms\":12,\"memory\":{\"free\":1,\"total\":2.5},"
        "\"list\":[\"a\",\"b\"],\"none\":[],\"empty\":{},\"more\":[{\"x\":1,\"long\":\"p\\nq\"},"
        "[1,[2]],3],\"flag\":true,\"nothing\":null}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "status:    ok\n"
                                     "uptime_ms: 12\n"
                                     "memory:\n"
                                     "  free:  1\n"
                                     "  total: 2.5\n"
                                     "list:      a, b\n"
                                     "none:      none\n"
                                     "empty:     none\n"
                                     "more:\n"
                                     "  - x:    1\n"
                                     "    long: p\n"
                                     "          q\n"
                                     "  - \n"
                                     "    - 1\n"
                                     "    - 2\n"
                                     "  - 3\n"
                                     "flag:      true\n"
                                     "nothing:   null\n");
}

static void metadata_and_load_model(void **state)
{
    (void)state;
    RUN("metadata", "--json");
    server_handshake();
    server_expect_call("metadata", "{}");
    server_reply_structured("{\"model_name\":\"m\",\"x\":15474.942}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "{\n  \"model_name\": \"m\",\n  \"x\": 15474.942\n}\n");

    RUN("load-model", "guide.kv");
    server_handshake();
    server_expect_call("load_model", "{\"path\":\"guide.kv\"}");
    server_reply_structured("{\"status\":\"loaded\",\"path\":\"guide.kv\"}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "status: loaded\npath:   guide.kv\n");
}

static void tools_in_pages(void **state)
{
    (void)state;
    RUN("tools");
    server_handshake();
    server_expect("tools/list", "{}");
    server_reply("{\"tools\":" TOOLS ",\"nextCursor\":\"p2\"}");
    server_expect("tools/list", "{\"cursor\":\"p2\"}");
    server_reply("{\"tools\":[{\"name\":\"logs\",\"description\":\"The log\"},{\"broken\":1},3]}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "infer   Ask the model\n"
                                     "    prompt       string           required  what to answer\n"
                                     "    max_tokens   integer          optional\n"
                                     "    temperature  number           optional\n"
                                     "    echo         boolean          optional\n"
                                     "    stop         array            optional\n"
                                     "    bias         object           optional\n"
                                     "    seed         integer or null  optional\n"
                                     "health\n"
                                     "logs    The log\n");
}

static void tools_as_json(void **state)
{
    (void)state;
    RUN("tools", "--json");
    server_handshake();
    server_expect("tools/list", "{}");
    server_reply("{\"tools\":[{\"name\":\"a\"}]}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "[\n  {\n    \"name\": \"a\"\n  }\n]\n");
}

static void call_types_its_arguments(void **state)
{
    (void)state;
    RUN("call", "infer", "prompt=5", "max_tokens=5", "temperature=1", "echo=true", "stop=[\"a\"]",
        "bias={\"b\":1}", "seed=null", "unknown=5");
    server_handshake();
    server_expect("tools/list", "{}");
    server_reply("{\"tools\":" TOOLS "}");
    server_expect_call("infer",
                       "{\"prompt\":\"5\",\"max_tokens\":5,\"temperature\":1,\"echo\":true,\"stop\":[\"a\"],"
                       "\"bias\":{\"b\":1},\"seed\":null,\"unknown\":\"5\"}");
    server_reply_structured("{\"text\":\"t\",\"tokens\":1}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "text:   t\ntokens: 1\n");
}

static void call_refuses_a_wrong_type(void **state)
{
    (void)state;
    RUN("call", "infer", "max_tokens=many");
    server_handshake();
    server_expect("tools/list", "{}");
    server_reply("{\"tools\":" TOOLS "}");
    server_expect_end();
    assert_int_equal(run_finish(), 2);
    assert_non_null(strstr(harness.err, "max_tokens takes a value of type integer, not 'many'"));
}

static void call_with_json(void **state)
{
    (void)state;
    RUN("call", "any", "--args", "{\"a\":[1,2.5,null]}");
    server_handshake();
    server_expect_call("any", "{\"a\":[1,2.5,null]}");
    server_reply(
        "{\"content\":[{\"type\":\"text\",\"text\":\"plain\"},{\"type\":\"image\",\"mimeType\":\"image/png\","
        "\"data\":\"AA==\"},{\"type\":\"odd\"},{\"x\":1}]}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "plain\n"
                                     "[content that is no text: image/png; --json prints it]\n"
                                     "[content that is no text: odd; --json prints it]\n"
                                     "[content that is no text: of no type; --json prints it]\n");
}

static void without_structured_content(void **state)
{
    (void)state;
    RUN("infer", "x");
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"x\"}");
    server_reply("{\"content\":[{\"type\":\"text\",\"text\":\"only text\"}]}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "only text\n");

    RUN("--json", "health");
    server_handshake();
    server_expect_call("health", "{}");
    server_reply("{\"content\":[{\"type\":\"text\",\"text\":\"t\"}]}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "[\n  {\n    \"type\": \"text\",\n    \"text\": \"t\"\n  }\n]\n");
}

static void a_tool_that_fails(void **state)
{
    (void)state;
    RUN("infer", "x");
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"x\"}");
    server_reply("{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"no model is loaded\"}]}");
    assert_int_equal(run_finish(), 1);
    assert_string_equal(harness.out, "");
    assert_string_equal(harness.err, "mcp-cli: infer: no model is loaded\n");

    RUN("--json", "infer", "x");
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"x\"}");
    server_reply("{\"isError\":true,\"content\":[],\"structuredContent\":{\"why\":1}}");
    assert_int_equal(run_finish(), 1);
    assert_string_equal(harness.out, "{\n  \"why\": 1\n}\n");
    assert_string_equal(harness.err, "mcp-cli: infer: the tool failed and gives no reason\n");

    RUN("load-model", "x");
    server_handshake();
    server_expect_call("load_model", "{\"path\":\"x\"}");
    server_reply_error(-32602, "path: no such model");
    assert_int_equal(run_finish(), 1);
    assert_string_equal(harness.err, "mcp-cli: load_model: path: no such model (error -32602)\n");
}

static void a_tool_that_is_not_there(void **state)
{
    (void)state;
    RUN("call", "nope", "a=1");
    server_handshake();
    server_expect("tools/list", "{}");
    server_reply("{\"tools\":" TOOLS "}");
    assert_int_equal(run_finish(), 1);
    assert_string_equal(harness.err, "mcp-cli: there is no tool 'nope'. The server has: infer, health\n");
}

static void ping(void **state)
{
    (void)state;
    RUN("ping", "--json");
    server_handshake();
    server_expect("ping", NULL);
    server_reply("{}");
    assert_int_equal(run_finish(), 0);
    json_t *answer = json_loads(harness.out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(answer, "endpoint")), harness.socket_path);
    assert_true(json_real_value(json_object_get(answer, "milliseconds")) > 0);
    json_decref(answer);

    RUN("ping");
    server_handshake();
    server_expect("ping", NULL);
    server_reply("{}");
    assert_int_equal(run_finish(), 0);
    assert_non_null(strstr(harness.out, "answers after"));
}

#define LINE(n, level)                                                                                       \
    "{\"sequence\":" #n ",\"time_us\":1" #n "00000,\"level\":\"" level                                       \
    "\",\"subsystem\":\"vsock\",\"text\":\"line " #n "\"}"

static void logs_until_the_end(void **state)
{
    (void)state;
    RUN("logs", "--level", "info", "--cursor", "3");
    server_handshake();
    server_expect_call("logs", "{\"limit\":100,\"level\":\"info\",\"cursor\":3}");
    server_reply_structured(
        "{\"lines\":[" LINE(5, "info") "," LINE(6, "error") "," LINE(7, "debug") "],\"cursor\":8,"
                                                                                 "\"lost\":2}");
    server_expect_call("logs", "{\"limit\":100,\"level\":\"info\",\"cursor\":8}");
    server_reply_structured("{\"lines\":[" LINE(8, "warning") "],\"cursor\":9,\"lost\":0}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "[    1.500000] info    vsock: line 5\n"
                                     "[    1.600000] error   vsock: line 6\n"
                                     "[    1.700000] debug   vsock: line 7\n"
                                     "[    1.800000] warning vsock: line 8\n");
    assert_string_equal(harness.err, "(2 older lines were overwritten)\n");
}

static void logs_as_one_document(void **state)
{
    (void)state;
    RUN("logs", "--json");
    server_handshake();
    server_expect_call("logs", "{\"limit\":100}");
    server_reply_structured("{\"lines\":[1],\"cursor\":1,\"lost\":2}");
    server_expect_call("logs", "{\"limit\":100,\"cursor\":1}");
    server_reply_structured("{\"lines\":[2],\"cursor\":2,\"lost\":3}");
    server_expect_call("logs", "{\"limit\":100,\"cursor\":2}");
    server_reply_structured("{\"lines\":[],\"cursor\":2,\"lost\":0}");
    assert_int_equal(run_finish(), 0);
    json_t *document = json_loads(harness.out, 0, NULL);
    json_t *expected = json_loads("{\"lines\":[1,2],\"cursor\":2,\"lost\":5}", 0, NULL);
    assert_true(json_equal(document, expected));
    json_decref(document);
    json_decref(expected);
}

static void logs_followed(void **state)
{
    (void)state;
    RUN("--json", "logs", "-f");
    server_handshake();
    server_expect_call("logs", "{\"limit\":100}");
    server_reply_structured("{\"lines\":[{\"text\":\"a\"}],\"cursor\":1,\"lost\":0}");
    server_expect_call("logs", "{\"limit\":100,\"cursor\":1}");
    server_reply_structured("{\"lines\":[],\"cursor\":1,\"lost\":0}");
    /* the pause between two looks: the server's pings are answered in it */
    server_send("{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}");
    json_t *pong = server_read();
    assert_string_equal(json_string_value(json_object_get(pong, "id")), "p");
    json_decref(pong);
    server_expect_call("logs", "{\"limit\":100,\"cursor\":1}");
    server_reply_structured("{\"lines\":[{\"text\":\"b\"}],\"cursor\":2,\"lost\":0}");
    server_expect_call("logs", "{\"limit\":100,\"cursor\":2}");
    run_interrupt();
    server_expect("notifications/cancelled", "{\"requestId\":5,\"reason\":\"the user pressed Ctrl-C\"}");
    server_expect_end();
    assert_int_equal(run_finish(), 130);
    assert_string_equal(harness.out, "{\"text\":\"a\"}\n{\"text\":\"b\"}\n");
}

static void logs_without_an_end(void **state)
{
    (void)state;
    RUN("logs");
    server_handshake();
    server_expect_call("logs", "{\"limit\":100}");
    for (int i = 1; i <= 1000; i++) {
        char text[80];
        snprintf(text, sizeof text, "{\"lines\":[{}],\"cursor\":%d,\"lost\":0}", i);
        server_reply_structured(text);
        snprintf(text, sizeof text, "{\"limit\":100,\"cursor\":%d}", i);
        if (i < 1000)
            server_expect_call("logs", text);
    }
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.err, "(the log grows faster than it is read; -f follows it)\n");
}

static void logs_of_another_shape(void **state)
{
    (void)state;
    RUN("logs");
    server_handshake();
    server_expect_call("logs", "{\"limit\":100}");
    server_reply_structured("{\"lines\":[{},5,{\"text\":7,\"level\":1,\"time_us\":-1}]}");
    assert_int_equal(run_finish(), 0);

    RUN("logs");
    server_handshake();
    server_expect_call("logs", "{\"limit\":100}");
    server_reply("{\"content\":[]}");
    assert_int_equal(run_finish(), 1);
    assert_string_equal(harness.err, "mcp-cli: logs: the server's answer has no list of lines\n");
}

static void lines_from_a_pipe(void **state)
{
    (void)state;
    RUN_INPUT("# a comment\n\n  health --json\ninfer What's \"this\"?\nhealth\nhelp\nquit\nhealth\n");
    server_handshake();
    server_expect_call("health", "{}");
    server_reply_structured("{\"a\":1}");
    server_expect_call("infer", "{\"prompt\":\"What's \\\"this\\\"?\"}");
    server_reply_structured("{\"text\":\"It\"}");
    server_expect_call("health", "{}");
    server_reply_structured("{\"a\":1}"); /* not as JSON: the option was for one line */
    server_expect_end();
    assert_int_equal(run_finish(), 0);
    assert_non_null(strstr(harness.out, "{\n  \"a\": 1\n}\nIt\na: 1\n  infer "));
    assert_string_equal(harness.err, "");
}

static void a_failing_line_is_not_the_last(void **state)
{
    (void)state;
    RUN_INPUT("what is it\nhealth 'x\ninfer a\ncall infer max_tokens=x\nhealth");
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"a\"}");
    server_reply_error(-32000, "busy");
    server_expect("tools/list", "{}");
    server_reply("{\"tools\":" TOOLS "}");
    server_expect_call("health", "{}");
    server_reply_structured("{\"a\":1}");
    assert_int_equal(run_finish(), 2); /* of the first */
    assert_string_equal(harness.out, "a: 1\n");
    assert_non_null(
        strstr(harness.err, "there is no command 'what'. help lists them; infer asks the model: infer what"));
    assert_non_null(strstr(harness.err, "a quote is not closed"));
    assert_non_null(strstr(harness.err, "infer: busy (error -32000)"));
}

static void over_tcp(void **state)
{
    (void)state;
    harness_listen_tcp();
    run_start(NULL, WORDS("--tcp", harness.tcp, "health"));
    server_handshake();
    server_expect_call("health", "{}");
    server_reply_structured("{\"a\":1}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "a: 1\n");
}

static void in_lines(void **state)
{
    (void)state;
    harness.lines = true;
    RUN("--framing", "lines", "health");
    server_handshake();
    server_expect_call("health", "{}");
    server_reply_structured("{\"a\":1}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "a: 1\n");
}

static void socket_from_the_environment(void **state)
{
    (void)state;
    setenv("MCP_SOCKET", harness.socket_path, 1);
    run_start(NULL, WORDS("health"));
    server_handshake();
    server_expect_call("health", "{}");
    server_reply_structured("1");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "1\n");
}

static void help_and_version(void **state)
{
    (void)state;
    RUN("--version");
    assert_int_equal(run_finish(), 0);
    assert_int_equal(strncmp(harness.out, "mcp-cli ", 8), 0);
    RUN("-h");
    assert_int_equal(run_finish(), 0);
    assert_non_null(strstr(harness.out, "load-model PATH"));
    RUN("logs", "--help");
    assert_int_equal(run_finish(), 0);
    assert_non_null(strstr(harness.out, "logs"));
}

static void colours_on_request(void **state)
{
    (void)state;
    RUN("--colour", "always", "health");
    server_handshake();
    server_expect_call("health", "{}");
    server_reply_structured("{\"a\":1}");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "\033[1ma\033[0m: 1\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(infer_prints_the_text_alone),
                                       TEST(infer_sends_its_options),
                                       TEST(infer_as_json),
                                       TEST(health_is_aligned),
                                       TEST(metadata_and_load_model),
                                       TEST(tools_in_pages),
                                       TEST(tools_as_json),
                                       TEST(call_types_its_arguments),
                                       TEST(call_refuses_a_wrong_type),
                                       TEST(call_with_json),
                                       TEST(without_structured_content),
                                       TEST(a_tool_that_fails),
                                       TEST(a_tool_that_is_not_there),
                                       TEST(ping),
                                       TEST(logs_until_the_end),
                                       TEST(logs_as_one_document),
                                       TEST(logs_followed),
                                       TEST(logs_without_an_end),
                                       TEST(logs_of_another_shape),
                                       TEST(lines_from_a_pipe),
                                       TEST(a_failing_line_is_not_the_last),
                                       TEST(over_tcp),
                                       TEST(in_lines),
                                       TEST(socket_from_the_environment),
                                       TEST(help_and_version),
                                       TEST(colours_on_request)};
    return cmocka_run_group_tests_name("mcp-cli: commands", tests, NULL, NULL);
}
