/* SPDX-License-Identifier: MIT
 *
 * What a Tab offers in a shell, from the files and from a server; words from files and standard input; the
 * names of the usual files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

/* Runs the hidden command for the words, the last of which is being typed. */
#define COMPLETE(...) run_start(NULL, WORDS("__complete", "--", __VA_ARGS__))
#define AT_SERVER     "--protocol-era", "initialize", "--socket", harness.socket_path

static void assert_offers(const char *expected)
{
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, expected);
    assert_string_equal(harness.err, "");
}

static void write_file(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", harness.folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Answers `initialize` with completions among the capabilities. */
static void handshake(void)
{
    server_accept();
    json_decref(server_read());
    server_send("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\","
                "\"capabilities\":{\"completions\":"
                "{}}}}");
    server_expect("notifications/initialized", NULL);
}

static void without_a_server(void **state)
{
    (void)state;
    char folder[128];
    COMPLETE("res");
    assert_offers("resources \n");
    COMPLETE("std");
    assert_offers("stdio \n");
    COMPLETE("--tok");
    assert_offers("--token-file \n");
    COMPLETE("--protocol-era", "s");
    assert_offers("stateless \n");
    COMPLETE("--json", "--framing", "");
    assert_offers("frames \nlines \n");
    COMPLETE("--socket", "");
    assert_offers("");
    COMPLETE("--colour=never", "pin");
    assert_offers("ping \n");
    COMPLETE("completion", "f");
    assert_offers("fish \n");
    COMPLETE("call", "--a");
    assert_offers("--args \n");
    COMPLETE("nope", "x");
    assert_offers("");
    COMPLETE("--nope", "x", "ping", "");
    assert_offers("");
    run_start(NULL, WORDS("__complete"));
    assert_fails(2, "is for the completion scripts");
    run_start(NULL, WORDS("completion", "csh"));
    assert_fails(2, "completion takes bash, zsh or fish");
    run_start(NULL, WORDS("completion", "bash"));
    assert_int_equal(run_finish(), 0);
    assert_non_null(strstr(harness.out, "complete -o default -F _mcp_cli mcp-cli\n"));

    snprintf(folder, sizeof folder, "%s/mcp-cli", harness.folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    write_file("mcp-cli/servers.json",
               "{\"mcpServers\":{\"one\":{\"command\":\"x\"},\"only\":{\"url\":\"http://h/\"}}}");
    COMPLETE("--server", "on");
    assert_offers("one \nonly \n");
    run_start(NULL, WORDS("servers", "--json"));
    assert_int_equal(run_finish(), 0);
    assert_non_null(strstr(harness.out, "\"name\": \"only\""));
    unsetenv("XDG_CONFIG_HOME");
    COMPLETE("--server", "on"); /* ~/.config is another place */
    assert_offers("");
}

#define TOOLS                                                                                                \
    "{\"tools\":[{\"name\":\"echo\",\"inputSchema\":{\"properties\":{\"mode\":{\"enum\":[\"fast\",\"full\"," \
    "\"slow\"]},\"loud\":"                                                                                   \
    "{\"type\":\"boolean\"},\"bad key\":{}}}},{\"name\":\"e$(x)\"}]}"

static void tools(void **state)
{
    (void)state;
    static const struct {
        const char *words[2], *offers;
    } cases[] = {{{"e", NULL}, "echo \n"},
                 {{"echo", ""}, "mode=\nloud=\n"},
                 {{"echo", "mode=f"}, "mode=fast \nmode=full \n"},
                 {{"echo", "loud="}, "loud=true \nloud=false \n"},
                 {{"nope", "x"}, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        COMPLETE(AT_SERVER, "call", cases[i].words[0], cases[i].words[1]);
        handshake();
        server_expect("tools/list", "{}");
        server_reply(TOOLS);
        assert_offers(cases[i].offers);
    }
}

static void prompts(void **state)
{
    (void)state;
    COMPLETE(AT_SERVER, "prompt", "a");
    handshake();
    server_expect("prompts/list", "{}");
    server_reply("{\"prompts\":[{\"name\":\"ask\"},{\"name\":\"x\"}]}");
    assert_offers("ask \n");
    COMPLETE(AT_SERVER, "prompt", "ask", "q");
    handshake();
    server_expect("prompts/list", "{}");
    server_reply(
        "{\"prompts\":[{\"name\":\"ask\",\"arguments\":[{\"name\":\"question\"},{\"name\":\"other\"}]}]}");
    assert_offers("question=\n");
    COMPLETE(AT_SERVER, "complete", "ask", "question=w");
    handshake();
    server_expect("prompts/list", "{}");
    server_reply("{\"prompts\":[]}");
    json_t *message = server_read();
    json_t *argument = json_object_get(json_object_get(message, "params"), "argument");
    assert_string_equal(json_string_value(json_object_get(argument, "value")), "w");
    json_decref(message);
    server_send("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"completion\":{\"values\":[\"why\",\"two "
                "words\",\"no\",1]}}}");
    assert_offers("question=why \n");
}

static void resources(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        COMPLETE(AT_SERVER, "read", i ? "models://gu" : "m");
        handshake();
        server_expect("resources/list", "{}");
        server_reply("{\"resources\":[{\"uri\":\"models://\"},{\"uri\":\"logs://\"}]}");
        server_expect("resources/templates/list", "{}");
        server_reply("{\"resourceTemplates\":[{\"uriTemplate\":\"models://{+path}\"},{\"uriTemplate\":\"m://"
                     "{a}/{b}\"},{}]}");
        if (i == 0) {
            assert_offers("models:// \nmodels://\nm://\n");
            continue;
        }
        json_t *message = server_read();
        json_t *argument = json_object_get(json_object_get(message, "params"), "argument");
        assert_string_equal(json_string_value(json_object_get(argument, "name")), "path");
        assert_string_equal(json_string_value(json_object_get(argument, "value")), "gu");
        json_decref(message);
        server_send(
            "{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"completion\":{\"values\":[\"guide.kv\",7]}}}");
        assert_offers("models://guide.kv \n");
    }
    COMPLETE(AT_SERVER, "subscribe", "a://b", "l");
    handshake();
    server_expect("resources/list", "{}");
    server_reply("{\"resources\":[{\"uri\":\"logs://kernel\"}]}");
    assert_offers("logs://kernel \n");
    COMPLETE("--socket", "/nowhere/x", "read", "a");
    assert_offers("");
}

static void words_from_files(void **state)
{
    (void)state;
    char text[160];
    char json[160];
    write_file("text", "of a file");
    write_file("json", "[1,2]");
    snprintf(text, sizeof text, "text=@%s/text", harness.folder);
    snprintf(json, sizeof json, "list:=@%s/json", harness.folder);
    RUN("call", "x", text, json, "at=@@name", "raw:={\"a\":1}", "n=5", "o=null");
    server_handshake();
    server_expect("tools/list", "{}");
    server_reply("{\"tools\":[{\"name\":\"x\",\"inputSchema\":{\"properties\":{\"n\":{\"anyOf\":[{\"type\":"
                 "\"integer\"},{\"type\":"
                 "\"null\"}]},\"o\":{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"null\"},{}]}}}}]}");
    server_expect_call(
        "x", "{\"text\":\"of a file\",\"list\":[1,2],\"at\":\"@name\",\"raw\":{\"a\":1},\"n\":5,\"o\":null}");
    server_reply("{\"content\":[]}");
    assert_int_equal(run_finish(), 0);

    run_start("{\"a\":1}", WORDS("--socket", harness.socket_path, "call", "x", "-"));
    server_handshake();
    server_expect_call("x", "{\"a\":1}");
    server_reply("{\"content\":[]}");
    assert_int_equal(run_finish(), 0);
    run_start("5", WORDS("--socket", harness.socket_path, "call", "x", "-"));
    assert_fails(2, "standard input takes a JSON object");

    static const char *const wrong[][2] = {{"a=@/nowhere/x", "cannot read /nowhere/x: No such file"},
                                           {"a:={", "a:= takes JSON: "},
                                           {"nam=x",
                                            "there is no argument 'nam' (nam:=... sends it as JSON); did you "
                                            "mean 'name'?"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        RUN("call", "x", wrong[i][0]);
        server_handshake();
        server_expect("tools/list", "{}");
        server_reply("{\"tools\":[{\"name\":\"x\",\"inputSchema\":{\"properties\":{\"name\":{}}}}]}");
        assert_fails(2, wrong[i][1]);
    }
}

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *where, *message;
        int status;
    } cases[] = {{"ftp://x", "--server knows http:// and https://, unix:, vsock: and tcp:, not 'ftp://x'", 2},
                 {"http://a b", "the URL has a character that must be escaped", 2},
                 {"unix:/nowhere/x", "cannot connect to /nowhere/x", 3},
                 {"/nowhere/x", "cannot connect to /nowhere/x", 3},
                 {"vsock:x", "--vsock takes CID", 2},
                 {"tcp:x", "--tcp takes HOST:PORT", 2},
                 {"nobody", "there is no server 'nobody'; mcp-cli servers lists those of the files", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_start(NULL, WORDS("--server", cases[i].where, "ping"));
        assert_fails(cases[i].status, cases[i].message);
    }
    run_start(NULL, WORDS("--server", "a", "--command", "b", "ping"));
    assert_fails(2, "exclude each other");
    run_start(NULL, WORDS("--protocol-era", "old", "ping"));
    assert_fails(2, "--protocol-era takes auto, initialize or stateless, not 'old'");
    run_start(NULL, WORDS("--root", "/nowhere", "ping"));
    assert_fails(2, "--root /nowhere: there is no such folder");
    run_start(NULL, WORDS("tool"));
    assert_fails(2, "there is no command 'tool'; did you mean 'tools'?");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(without_a_server), TEST(tools),    TEST(prompts), TEST(resources),
                                       TEST(words_from_files), TEST(addresses)};
    return cmocka_run_group_tests_name("mcp-cli: completion", tests, NULL, NULL);
}
