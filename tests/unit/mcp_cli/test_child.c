/* SPDX-License-Identifier: MIT
 *
 * Servers that are programs of mcp-cli's own, here of the shell: good ones and bad ones.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

/* Answers `initialize`, which is the first request, and reads `notifications/initialized`. */
#define HANDSHAKE                                                                                            \
    "read l\n"                                                                                               \
    "echo "                                                                                                  \
    "'{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},"     \
    "\"serverInfo\":{\"name\":\"sh\",\"version\":\"1\"}}}'\n"                                                \
    "read l\n"
#define ANSWER                                                                                               \
    "echo '{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"ok\"}]}}'\n"

/* Runs `call x` with a script as the server. */
static void run_script(const char *script)
{
    char path[100];
    char command[128];
    snprintf(path, sizeof path, "%s/server", harness.folder);
    snprintf(command, sizeof command, "sh %s", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(script, file);
    fclose(file);
    run_start(NULL, WORDS("--timeout", "5", "--command", command, "call", "x", "--args", "{}"));
}

static void a_good_one(void **state)
{
    (void)state;
    run_script("echo hello; echo 'to \033[2J you' >&2\n" HANDSHAKE "read l\n" ANSWER
               "cat >/dev/null; echo bye >&2\n");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "ok\n");
    assert_non_null(strstr(harness.err, "sh: hello\n"));
    assert_non_null(strstr(harness.err, "sh: to \033[2J you\n")); /* no terminal: as it is */
    assert_non_null(strstr(harness.err, "sh: bye\n"));            /* it was let to end by itself */
}

static void bad_ones(void **state)
{
    (void)state;
    static const struct {
        const char *script, *message;
    } cases[] = {
        {"exit 3\n", "sh: the server ended with exit status 3; what it wrote stands above"},
        {"read l; exit 0\n", "sh: the server ended with exit status 0"},
        {HANDSHAKE "read l; kill -9 $$\n", "sh: the server died of signal 9"},
        {HANDSHAKE "read l; echo '{\"jsonrpc\":'\n", "sh: the server's answer is not JSON"},
        {HANDSHAKE "read l; echo '{\"id\":2}'\n", "not JSON-RPC 2.0"},
        {HANDSHAKE "read l; echo '{\"jsonrpc\":\"2.0\",\"id\":2}'\n", "neither a result nor an error"},
        {HANDSHAKE "read l; head -c 70000000 /dev/zero | tr '\\0' '{'\n",
         "the server sends a line of more than"},
        {HANDSHAKE "exec <&-; exec >&-; sleep 9\n", "sh: the server closed its standard output"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_script(cases[i].script);
        assert_fails(3, cases[i].message);
    }
    run_start(NULL, WORDS("--command", "/nowhere/server", "ping"));
    assert_fails(3, "cannot run /nowhere/server: No such file or directory. Is it installed, and in PATH?");
    run_start(NULL, WORDS("--command", " ", "ping"));
    assert_fails(2, "--command needs a program");
    run_start(NULL, WORDS("--command", "x 'y", "ping"));
    assert_fails(2, "a quote is not closed");
}

/* One that does not know server/discover and ends is started again. */
static void one_that_ends_at_the_probe(void **state)
{
    (void)state;
    harness.era = "auto";
    run_script(
        "read l; case $l in *server/discover*) exit 1;; esac\n"
        "echo '{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"protocolVersion\":\"2025-11-25\"}}'; read l; read "
        "l\n"
        "echo "
        "'{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"ok\"}]}}'\n");
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "ok\n");
}

/* The pid that the script wrote. */
static pid_t read_pid(void)
{
    char path[100];
    char text[32] = "";
    snprintf(path, sizeof path, "%s/pid", harness.folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    return (pid_t)strtol(text, NULL, 10);
}

/* One that does not end when its input does is ended, with what it has started. */
static void one_that_stays(void **state)
{
    (void)state;
    char script[700];
    snprintf(script, sizeof script,
             "trap '' TERM\nsleep 300 & echo $! >%s/pid\n" HANDSHAKE "read l\n" ANSWER
             "while :; do sleep 1; done\n",
             harness.folder);
    run_script(script);
    assert_int_equal(run_finish(), 0);
    assert_string_equal(harness.out, "ok\n");
    pid_t left = read_pid();
    for (int waited = 0; kill(left, 0) == 0 && waited < 5000; waited += 10) {
        char path[64];
        char text[256] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", (int)left);
        FILE *file = fopen(path, "r"); /* nobody may wait for it here: a zombie has ended, too */
        if (!file || !fgets(text, sizeof text, file) || strstr(text, ") Z "))
            waited = 5000;
        if (file)
            fclose(file);
        usleep(10000);
        assert_true(waited < 4990 || waited >= 5000);
    }
}

static void environment_and_folder(void **state)
{
    (void)state;
    char path[100];
    char text[600];
    char expected[128];
    snprintf(path, sizeof path, "%s/servers.json", harness.folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    snprintf(text, sizeof text,
             "{\"mcpServers\":{\"it\":{\"command\":\"sh\",\"args\":[\"-c\",\"echo $A $B; pwd; exit "
             "1\"],\"env\":{\"A\":\"1\","
             "\"TERM\":\"own\"},\"cwd\":\"%s\"},\"wrong\":{\"command\":\"sh\",\"args\":[1]},\"env\":{"
             "\"command\":\"sh\","
             "\"env\":{\"A\":1}}}}",
             harness.folder);
    fputs(text, file);
    fclose(file);
    setenv("B", "2", 1);
    run_start(NULL, WORDS("--servers", path, "--server", "it", "ping"));
    assert_fails(3, "it: the server ended with exit status 1");
    assert_non_null(strstr(harness.err, "it: 1 2\n"));
    snprintf(expected, sizeof expected, "it: %s\n", harness.folder);
    assert_non_null(strstr(harness.err, expected));
    run_start(NULL, WORDS("--servers", path, "--server", "wrong", "ping"));
    assert_fails(2, "an entry has a command, args as a list of texts");
    run_start(NULL, WORDS("--servers", path, "--server", "env", "ping"));
    assert_fails(2, "an entry has a command, args as a list of texts");
    run_start(NULL, WORDS("--servers", path, "servers"));
    assert_int_equal(run_finish(), 0);
    assert_non_null(strstr(harness.out, "it     sh -c echo $A $B; pwd; exit 1  ("));
}

static void interrupted(void **state)
{
    (void)state;
    char script[500];
    snprintf(script, sizeof script, HANDSHAKE "read l; echo >%s/called; read l; echo \"$l\" >%s/last\n",
             harness.folder, harness.folder);
    run_script(script);
    char path[100];
    snprintf(path, sizeof path, "%s/called", harness.folder);
    for (int waited = 0; access(path, F_OK) != 0; waited++) {
        assert_true(waited < 3000);
        usleep(10000);
    }
    run_interrupt();
    assert_int_equal(run_finish(), 130);
    snprintf(path, sizeof path, "%s/last", harness.folder);
    char line[300] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_non_null(strstr(line, "notifications/cancelled"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(a_good_one),
                                       TEST(bad_ones),
                                       TEST(one_that_ends_at_the_probe),
                                       TEST(one_that_stays),
                                       TEST(environment_and_folder),
                                       TEST(interrupted)};
    return cmocka_run_group_tests_name("mcp-cli: child", tests, NULL, NULL);
}
