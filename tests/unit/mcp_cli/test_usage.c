/* SPDX-License-Identifier: MIT
 *
 * A command line that is wrong, a server that is not there: the exit status and a message that helps.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

static void no_socket(void **state)
{
    (void)state;
    run_start(NULL, WORDS("--socket", "/nowhere/vm.sock", "health"));
    assert_fails(3,
                 "mcp-cli: cannot connect to /nowhere/vm.sock: No such file or directory. Start the VM with "
                 "tools/run --detach, or name its socket with --socket\n");
}

static void nobody_listens(void **state)
{
    (void)state;
    harness_listen_tcp();
    char address[32];
    snprintf(address, sizeof address, "%s", harness.tcp);
    harness_teardown(NULL); /* the port is free now, and the socket's path is gone */
    harness_setup(NULL);
    run_start(NULL, WORDS("--tcp", address, "health"));
    assert_fails(3, "Connection refused. Is vsock-bridge running with --tcp");
    char host[110];
    memset(host, 'h', sizeof host); /* no name has a part of more than 63: nobody is asked for it */
    memcpy(host + sizeof host - 3, ":1", 3);
    run_start(NULL, WORDS("--tcp", host, "health"));
    assert_fails(3, "cannot connect to tcp hhh");
    run_start(NULL, WORDS("--vsock", "4294967294:4294967295", "--timeout", "2", "health"));
    assert_fails(3, "cannot connect to vsock 4294967294:4294967295: ");
}

static void usage(void **state)
{
    (void)state;
    static const struct {
        const char *words[6];
        const char *message;
    } cases[] = {
        {{"--nope"}, "unknown option --nope here"},
        {{"-x"}, "unknown option -x here"},
        {{"nope"}, "there is no command 'nope'"},
        {{"--json=1", "health"}, "--json takes no value"},
        {{"--timeout"}, "--timeout needs a value"},
        {{"--timeout", "soon", "health"}, "--timeout takes a number, not 'soon'"},
        {{"--timeout", "0", "health"}, "--timeout takes 0.001 to 86400 seconds"},
        {{"--timeout", "nan", "health"}, "--timeout takes a number"},
        {{"--colour", "blue", "health"}, "--colour takes auto, always or never, not 'blue'"},
        {{"--framing", "http", "health"}, "--framing takes frames or lines, not 'http'"},
        {{"--socket", "a", "--tcp", "b:1", "health"}, "exclude each other"},
        {{"--socket", "", "health"}, "the path of the socket is empty"},
        {{"--vsock", "x", "health"}, "--vsock takes CID or CID:PORT"},
        {{"--vsock", "3:", "health"}, "--vsock takes CID or CID:PORT"},
        {{"--vsock", "99999999999", "health"}, "--vsock takes CID or CID:PORT"},
        {{"--tcp", "host", "health"}, "--tcp takes HOST:PORT"},
        {{"--tcp", "host:70000", "health"}, "--tcp takes HOST:PORT"},
        {{"--tcp", "::1:5000", "health"}, "--tcp takes HOST:PORT"},
        {{"infer"}, "infer needs a prompt"},
        {{"infer", "--seed", "1.5", "x"}, "--seed takes a whole number, not '1.5'"},
        {{"infer", "--temperature", "hot", "x"}, "--temperature takes a number, not 'hot'"},
        {{"infer", "\xff"}, "the prompt is not UTF-8"},
        {{"health", "now"}, "health takes no argument: now"},
        {{"tools", "now"}, "tools takes no argument: now"},
        {{"ping", "now"}, "ping takes no argument: now"},
        {{"logs", "now"}, "logs takes no argument: now"},
        {{"load-model"}, "load-model needs the path"},
        {{"load-model", "\xff"}, "the path is not UTF-8"},
        {{"call"}, "call needs the name of a tool"},
        {{"call", "x", "--args", "[1]"}, "--args takes a JSON object"},
        {{"call", "x", "--args", "{"}, "--args takes a JSON object"},
        {{"call", "x", "--args", "{\"a\":1,\"a\":2}"}, "duplicate object key"},
        {{"call", "x", "a=1", "--args", "{}"}, "key=value or --args, not both"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_start(NULL, cases[i].words);
        assert_fails(2, cases[i].message);
        assert_non_null(strstr(harness.err, "mcp-cli --help lists commands and options"));
    }
    char path[300];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    run_start(NULL, WORDS("--socket", path, "health"));
    assert_fails(2, "the path of the socket is 299 bytes long; the system takes 107");
}

static void words_that_are_no_text(void **state)
{
    (void)state;
    RUN("logs", "--level", "\xff");
    assert_fails(2, "the level is not UTF-8");
}

static void output_that_cannot_be_written(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    char command[300];
    snprintf(command, sizeof command, "%s --version >/dev/full 2>/dev/null", MCP_CLI);
    int status = system(command); // NOLINT(bugprone-command-processor)
    assert_int_equal(WEXITSTATUS(status), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(no_socket), TEST(nobody_listens), TEST(usage),
                                       TEST(words_that_are_no_text), TEST(output_that_cannot_be_written)};
    return cmocka_run_group_tests_name("mcp-cli: usage", tests, NULL, NULL);
}
