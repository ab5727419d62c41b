/* SPDX-License-Identifier: MIT
 *
 * mcp-cli stdio as a program, with a server that a child plays; and --boot, with a script instead of
 * tools/run.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "stdio/boot.h"

/* ---- a VM of its own ---- */

static char folder[] = "/tmp/mk-XXXXXX";
static char runner[sizeof folder + 10], mark[sizeof folder + 10];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(runner, sizeof runner, "%s/run", folder);
    snprintf(mark, sizeof mark, "%s/mark", folder);
    return setenv("MK_RUN", runner, 1) | setenv("MARK", mark, 1);
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(runner);
    unlink(mark);
    return rmdir(folder);
}

static void write_runner(const char *script)
{
    unlink(runner);
    unlink(mark);
    int fd = open(runner, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, script, strlen(script)), strlen(script));
    close(fd);
}

static enum status start(struct boot *boot, char *words[], size_t count, char endpoint[64],
                         struct error *error)
{
    error->text[0] = '\0';
    return boot_start(boot, words, count, endpoint, 64, error);
}

static void test_boot(void **state)
{
    (void)state;
    struct boot boot;
    struct error error;
    char endpoint[64], memory[] = "--memory", number[] = "5";
    char *words[] = {memory, number};
    /* what it is told; its session; that it has ended */
    write_runner("#!/bin/sh\n"
                 "echo \"$*\" >\"$MARK\"\n"
                 "cut -d' ' -f6 /proc/$$/stat >>\"$MARK\"\n"
                 "echo $$ >>\"$MARK\"\n"
                 "echo unix:/x\n"
                 "cat >/dev/null\n"
                 "sleep 0.1\n"
                 "echo end >>\"$MARK\"\n");
    assert_int_equal(start(&boot, words, 2, endpoint, &error), STATUS_OK);
    assert_string_equal(endpoint, "unix:/x");
    boot_end(&boot);

    char lines[4][200];
    FILE *file = fopen(mark, "r");
    assert_non_null(file);
    for (size_t i = 0; i < 4; i++)
        assert_non_null(fgets(lines[i], sizeof lines[i], file));
    fclose(file);
    assert_string_equal(lines[0], "--no-build --hold --machine microvm --models none --memory 5\n");
    assert_string_equal(lines[1], lines[2]);
    assert_string_equal(lines[3], "end\n");
}

static void test_boot_fails(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        enum status status;
        const char *message;
    } cases[] = {
        {"#!/bin/sh\nexit 2\n", STATUS_USAGE, "did not start"},
        {"#!/bin/sh\nexit 4\n", STATUS_CONNECTION, "did not start"},
        {"#!/bin/sh\nprintf unix:/x\n", STATUS_CONNECTION, "did not start"},
        {"#!/bin/sh\nkill -9 $$\n", STATUS_CONNECTION, "did not start"},
        {"#!/bin/sh\nprintf '%0100d\\n' 0\n", STATUS_CONNECTION, "did not start"},
        {"#!/no/such/interpreter\n", STATUS_CONNECTION, "cannot run"},
    };
    struct boot boot;
    struct error error;
    char endpoint[64];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_runner(cases[i].script);
        assert_int_equal(start(&boot, NULL, 0, endpoint, &error), cases[i].status);
        assert_non_null(strstr(error.text, cases[i].message));
    }

    unlink(runner);
    assert_int_equal(start(&boot, NULL, 0, endpoint, &error), STATUS_CONNECTION);
    assert_non_null(strstr(error.text, "MK_RUN: cannot run"));

    char *words[100];
    write_runner("#!/bin/sh\n");
    for (size_t i = 0; i < 100; i++)
        words[i] = runner;
    assert_int_equal(start(&boot, words, 100, endpoint, &error), STATUS_USAGE);

    assert_int_equal(unsetenv("MK_RUN"), 0);
    assert_int_equal(start(&boot, NULL, 0, endpoint, &error), STATUS_CONNECTION);
    assert_non_null(strstr(error.text, "--boot needs tools/run"));
    assert_int_equal(setenv("MK_RUN", runner, 1), 0);
}

/* Each call that makes a descriptor fails once; none is left open. */
static void test_no_descriptors(void **state)
{
    (void)state;
    struct boot boot;
    struct error error;
    char endpoint[64];
    struct rlimit before, few;
    write_runner("#!/bin/sh\necho x\n");
    int free_one = dup(0);
    close(free_one);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    for (rlim_t more = 0; more < 4; more++) {
        few.rlim_cur = (rlim_t)free_one + more;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        enum status status = start(&boot, NULL, 0, endpoint, &error);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(status, STATUS_CONNECTION);
        int same = dup(0);
        assert_int_equal(same, free_one);
        close(same);
    }
}

/* ---- the program ---- */

/* All comes back. */
static void play_echo(int fd)
{
    static char bytes[10000];
    ssize_t count;
    while ((count = read(fd, bytes, sizeof bytes)) > 0)
        if (send(fd, bytes, (size_t)count, 0) != count)
            _exit(1);
}

/* Takes a little, speaks, and closes with the rest unread. */
static void play_refusal(int fd)
{
    char byte;
    if (read(fd, &byte, 1) == 1 && write(fd, "no\n", 3) != 3)
        _exit(1);
}

static char listening[sizeof folder + 10];

/* A server at a Unix socket that plays once for each of `count` clients. */
static pid_t listen_start(void (*play)(int fd), int count)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(listening, sizeof listening, "%s/socket", folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", listening);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        for (int i = 0; i < count; i++) {
            int client = accept(fd, NULL, NULL);
            play(client);
            close(client);
        }
        _exit(0);
    }
    close(fd);
    return pid;
}

static void listen_end(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    unlink(listening);
}

/* Runs a line of the shell in which $CLI is the program and $AT the socket; its status, and what it wrote. */
static int shell(const char *line, char *output, size_t size)
{
    assert_int_equal(setenv("AT", listening, 1) | setenv("CLI", MCP_CLI, 1), 0);
    FILE *stream = popen(line, "r"); // NOLINT(bugprone-command-processor)
    assert_non_null(stream);
    size_t length = fread(output, 1, size - 1, stream);
    output[length] = '\0';
    int status = pclose(stream);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_program(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "echo hello | $CLI --socket $AT stdio 2>&1",
        "echo hello | $CLI stdio --server $AT 2>&1",
        "echo hello | $CLI stdio --server unix:$AT 2>&1",
        "echo hello | $CLI stdio --server=unix:$AT 2>&-", /* the socket does not become standard error */
        "echo hello | $CLI stdio --boot 2>&1",
    };
    const int count = sizeof lines / sizeof lines[0];
    char output[2000];
    pid_t server = listen_start(play_echo, count);
    write_runner("#!/bin/sh\necho unix:$AT\ncat >/dev/null\n");
    for (int i = 0; i < count; i++) {
        assert_int_equal(shell(lines[i], output, sizeof output), 0);
        assert_string_equal(output, "hello\n");
    }
    listen_end(server);
}

static void test_program_fails(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int status;
        const char *message;
    } cases[] = {
        {"$CLI stdio --help", 0, "an MCP server on standard input and output"},
        {"$CLI stdio --nonsense 2>&1", 2, "unknown option"},
        {"$CLI stdio nonsense 2>&1", 2, "takes no 'nonsense'"},
        {"$CLI stdio --server nonsense 2>&1", 2, "--server takes"},
        {"$CLI stdio --server vsock:x 2>&1", 2, "CID"},
        {"$CLI stdio --server tcp:x 2>&1", 2, "HOST:PORT"},
        {"$CLI --server http://127.0.0.1:1/mcp stdio 2>&1", 2, "on a socket"},
        {"$CLI stdio --server /no/such/socket 2>&1", 3, "No such file"},
        {"$CLI stdio 2>&1 <&-", 2, "is closed"},
        {"$CLI stdio 2>&1 >&-", 2, ""},
        {"$CLI --socket $AT stdio --boot 2>&1", 2, "--server takes"}, /* what tools/run says is no address */
        {"echo hello | $CLI --socket $AT stdio 2>&1", 3, "tools/run --detach"},
        {"echo hello | $CLI stdio --server $AT 2>&1 >/dev/full", 3, "standard output: No space left"},
        {"$CLI stdio --server $AT 2>&1 </", 3, "standard input: Is a directory"},
    };
    char output[2000];
    pid_t server = listen_start(play_refusal, 3);
    write_runner("#!/bin/sh\necho nowhere\ncat >/dev/null\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = shell(cases[i].line, output, sizeof output);
        if (status != cases[i].status || strstr(output, cases[i].message) == NULL)
            fail_msg("%s: %d, %s", cases[i].line, status, output);
    }
    listen_end(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boot),           cmocka_unit_test(test_boot_fails),
        cmocka_unit_test(test_no_descriptors), cmocka_unit_test(test_program),
        cmocka_unit_test(test_program_fails),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
