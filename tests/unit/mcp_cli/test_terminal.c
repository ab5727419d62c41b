/* SPDX-License-Identifier: MIT
 *
 * mcp-cli on a terminal: the prompt, its history and completion, Ctrl-C, colours, and text that must not
 * reach the terminal as it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "harness.h"

#define PROMPT "mcp> "

static void begin(void)
{
    run_on_terminal(WORDS("--colour", "never"));
    server_handshake();
    terminal_wait_for("Connected to fake 9.8.7 at ");
    terminal_wait_for(PROMPT);
    terminal_forget();
}

static void end(void)
{
    terminal_type("\004"); /* Ctrl-D */
    assert_int_equal(run_finish(), 0);
}

static void a_session(void **state)
{
    (void)state;
    begin();
    terminal_type("infer What's this?\n");
    server_expect_call("infer", "{\"prompt\":\"What's this?\"}");
    server_reply_structured("{\"text\":\"A prompt.\"}");
    terminal_wait_for("A prompt.\r\n" PROMPT);
    terminal_forget();
    terminal_type("what\n");
    terminal_wait_for("there is no command 'what'");
    terminal_wait_for(PROMPT);
    terminal_type("quit\n");
    assert_int_equal(run_finish(), 0);
}

static void completes_and_remembers(void **state)
{
    (void)state;
    begin();
    terminal_type("met\t\n");
    server_expect_call("metadata", "{}");
    server_reply_structured("{\"a\":1}");
    terminal_wait_for("a: 1\r\n" PROMPT);
    terminal_forget();
    terminal_type("he\t"); /* health, help */
    terminal_wait_for("help");
    terminal_type("\025call l\t"); /* Ctrl-U empties the line */
    server_expect("tools/list", "{}");
    server_reply("{\"tools\":[{\"name\":\"load_model\",\"inputSchema\":{\"properties\":{\"path\":{\"type\":"
                 "\"string\"}}"
                 "}},{\"name\":\"\\u001b[2J\"}]}");
    terminal_wait_for("oad_model ");
    terminal_type("p\tx\n");
    server_expect_call("load_model", "{\"path\":\"x\"}");
    server_reply_structured("{\"b\":1}");
    terminal_wait_for("b: 1\r\n" PROMPT);
    terminal_type("\020\020\n"); /* Ctrl-P twice */
    server_expect_call("metadata", "{}");
    server_reply_structured("{\"c\":1}");
    terminal_wait_for("c: 1\r\n" PROMPT);
    end();
    char path[200];
    snprintf(path, sizeof path, "%s/mcp-cli/history", harness.folder);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);

    terminal_forget();
    begin(); /* another run knows the lines of the first */
    terminal_type("\020\020\n");
    server_expect("tools/list", "{}");
    server_reply("{\"tools\":[{\"name\":\"load_model\"}]}");
    server_expect_call("load_model", "{\"path\":\"x\"}");
    server_reply_structured("{\"d\":1}");
    terminal_wait_for("d: 1\r\n" PROMPT);
    end();
}

static void interrupts(void **state)
{
    (void)state;
    begin();
    terminal_type("half a li");
    terminal_wait_for("half a li");
    terminal_type("\003"); /* Ctrl-C */
    terminal_wait_for(PROMPT);
    terminal_forget();
    terminal_type("infer slow\n");
    server_expect_call("infer", "{\"prompt\":\"slow\"}");
    terminal_type("\003");
    server_expect("notifications/cancelled", "{\"requestId\":2,\"reason\":\"the user pressed Ctrl-C\"}");
    terminal_wait_for("mcp-cli: interrupted\r\n");
    terminal_wait_for(PROMPT);
    /* the answer that comes nevertheless is no answer to the next question */
    server_send("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"structuredContent\":{\"text\":\"late\"}}}");
    terminal_type("infer next\n");
    server_expect_call("infer", "{\"prompt\":\"next\"}");
    server_reply_structured("{\"text\":\"right\"}");
    terminal_wait_for("right\r\n" PROMPT);
    assert_null(strstr(harness.screen, "late"));
    end();
}

static void reconnects(void **state)
{
    (void)state;
    begin();
    terminal_type("health\n");
    server_expect_call("health", "{}");
    server_hang_up();
    terminal_wait_for("the server closed the connection");
    terminal_wait_for(PROMPT);
    terminal_type("health\n");
    server_handshake();
    server_expect_call("health", "{}");
    server_reply_structured("{\"a\":1}");
    terminal_wait_for("a: 1\r\n" PROMPT);
    end();
}

static void text_is_made_harmless(void **state)
{
    (void)state;
    run_on_terminal(WORDS("--colour", "never", "infer", "x"));
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"x\"}");
    server_reply_structured("{\"text\":\"\\u001b]0;title\\u0007\\u009b2J\\u0000\\tok\"}");
    terminal_wait_for("\\x1b]0;title\\x07\\u009b2J\\x00");
    assert_int_equal(run_finish(), 0);
    assert_null(strchr(harness.screen, '\033'));

    terminal_forget();
    run_on_terminal(WORDS("--colour", "never", "load-model", "x"));
    server_handshake();
    server_expect_call("load_model", "{\"path\":\"x\"}");
    server_reply_error(-1, "\\u001b[2J\\u009b");
    terminal_wait_for("\\x1b[2J\\u009b (error -1)");
    assert_int_equal(run_finish(), 1);
    assert_null(strchr(harness.screen, '\033'));

    terminal_forget();
    run_on_terminal(WORDS("--colour", "never", "--json", "health"));
    server_handshake();
    server_expect_call("health", "{}");
    server_reply_structured("{\"\\u001bkey\":\"\\u009b2J\"}");
    terminal_wait_for("\"\\u001Bkey\": \"\\u009B2J\"");
    assert_int_equal(run_finish(), 0);
    assert_null(strchr(harness.screen, '\033'));
    assert_null(strstr(harness.screen, "\xC2\x9B"));
}

static void colours(void **state)
{
    (void)state;
    run_on_terminal(WORDS("health"));
    server_handshake();
    server_expect_call("health", "{}");
    server_reply_structured("{\"a\":1}");
    terminal_wait_for("\033[1ma\033[0m: 1");
    assert_int_equal(run_finish(), 0);

    static const struct {
        const char *name, *value;
    } without[] = {{"NO_COLOR", "1"}, {"TERM", "dumb"}};
    for (size_t i = 0; i < 2; i++) {
        setenv(without[i].name, without[i].value, 1);
        terminal_forget();
        run_on_terminal(WORDS("health"));
        server_handshake();
        server_expect_call("health", "{}");
        server_reply_structured("{\"a\":1}");
        terminal_wait_for("a: 1");
        assert_int_equal(run_finish(), 0);
        assert_null(strchr(harness.screen, '\033'));
        unsetenv("NO_COLOR");
    }
}

static void a_long_wait_shows_its_seconds(void **state)
{
    (void)state;
    run_on_terminal(WORDS("infer", "x"));
    server_handshake();
    server_expect_call("infer", "{\"prompt\":\"x\"}");
    server_send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":2,"
                "\"progress\":1,\"total\":4}}");
    terminal_wait_for("25%, 1 of 4, 1 s (Ctrl-C cancels)");
    server_reply_structured("{\"text\":\"done\"}");
    terminal_wait_for("\r\033[Kdone\r\n");
    assert_int_equal(run_finish(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(a_session),
                                       TEST(completes_and_remembers),
                                       TEST(interrupts),
                                       TEST(reconnects),
                                       TEST(text_is_made_harmless),
                                       TEST(colours),
                                       TEST(a_long_wait_shows_its_seconds)};
    return cmocka_run_group_tests_name("mcp-cli: terminal", tests, NULL, NULL);
}
