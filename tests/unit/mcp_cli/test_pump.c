/* SPDX-License-Identifier: MIT
 *
 * mcp-cli stdio: bytes between a host and a server, which a child plays.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "stdio/pump.h"

#define MIB ((size_t)1 << 20)

/* ---- the pump ---- */

/* A file without a name. */
static int scratch(const void *bytes, size_t size)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    int fd = dup(fileno(file));
    fclose(file);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void close_pair(const int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

/* Runs `play` on the other end of a socket, as a child; the socket is ours, and not blocking. */
static int server_start(void (*play)(int fd), pid_t *pid)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    *pid = fork();
    assert_true(*pid >= 0);
    if (*pid == 0) {
        close(pair[0]);
        play(pair[1]);
        _exit(0);
    }
    close(pair[1]);
    assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    return pair[0];
}

static enum pump_end pump(int input, int output, void (*play)(int fd), int *cause)
{
    pid_t pid;
    int status;
    int server = server_start(play, &pid);
    enum pump_end end = pump_run(input, output, server, cause);
    close(server);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return end;
}

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

/* Will not hear the rest, but has something to say later. */
static void play_deaf(int fd)
{
    char byte;
    if (read(fd, &byte, 1) != 1 || shutdown(fd, SHUT_RD) != 0)
        _exit(1);
    usleep(100000);
    if (write(fd, "why\n", 4) != 4)
        _exit(1);
}

static void play_nothing(int fd)
{
    char byte;
    (void)!read(fd, &byte, 1);
}

static void play_talker(int fd)
{
    char bytes[1000] = {0};
    while (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
        continue;
}

static char *many_bytes(void)
{
    char *bytes = malloc(MIB);
    assert_non_null(bytes);
    for (size_t i = 0; i < MIB; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    return bytes;
}

static void check_content(int fd, const char *expected, size_t size)
{
    char *content = malloc(size + 1);
    assert_non_null(content);
    assert_int_equal(pread(fd, content, size + 1, 0), size);
    assert_memory_equal(content, expected, size);
    free(content);
}

static void test_files(void **state)
{
    (void)state;
    char *bytes = many_bytes();
    int cause = -1;
    int input = scratch(bytes, MIB);
    int output = scratch("", 0);
    assert_int_equal(pump(input, output, play_echo, &cause), PUMP_ANSWERED);
    assert_int_equal(cause, 0);
    check_content(output, bytes, MIB);
    close(input);
    close(output);
    free(bytes);
}

/* The host's end of its pipe or socket: reads slowly, into a file. */
static pid_t slow_reader(int from, int other, int file)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid != 0)
        return pid;
    char bytes[3000];
    ssize_t count;
    close(other);
    usleep(50000);
    while ((count = read(from, bytes, sizeof bytes)) > 0)
        if (write(file, bytes, (size_t)count) != count)
            _exit(1);
    _exit(0);
}

static void test_slow_reader(void **state)
{
    (void)state;
    char *bytes = many_bytes();
    for (int sockets = 0; sockets < 2; sockets++) {
        int pair[2], cause, status;
        assert_int_equal(sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, pair) : pipe(pair), 0);
        int input = scratch(bytes, MIB);
        int file = scratch("", 0);
        pid_t reader = slow_reader(pair[0], pair[1], file);
        close(pair[0]);
        assert_int_equal(pump(input, pair[1], play_echo, &cause), PUMP_ANSWERED);
        close(pair[1]);
        assert_int_equal(waitpid(reader, &status, 0), reader);
        assert_int_equal(status, 0);
        check_content(file, bytes, MIB);
        close(file);
        close(input);
    }
    free(bytes);
}

/* What it said is delivered, although the host sends on. */
static void test_server_ends(void **state)
{
    (void)state;
    char *bytes = many_bytes();
    void (*const plays[])(int) = {play_refusal, play_deaf};
    const char *const said[] = {"no\n", "why\n"};
    for (size_t i = 0; i < 2; i++) {
        int cause;
        int input = scratch(bytes, MIB);
        int output = scratch("", 0);
        assert_int_equal(pump(input, output, plays[i], &cause), PUMP_SERVER_ENDED);
        check_content(output, said[i], strlen(said[i]));
        close(input);
        close(output);
    }
    free(bytes);
}

/* With nothing to say: the end of the reader is noticed. With something: the write fails. */
static void test_reader_is_gone(void **state)
{
    (void)state;
    void (*const plays[])(int) = {play_nothing, play_talker};
    for (size_t i = 0; i < 2; i++) {
        for (int sockets = 0; sockets < 2; sockets++) {
            int pair[2], idle[2], cause;
            assert_int_equal(pipe(idle), 0);
            assert_int_equal(sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, pair) : pipe(pair), 0);
            close(pair[0]);
            assert_int_equal(pump(idle[0], pair[1], plays[i], &cause), PUMP_OUTPUT);
            assert_int_equal(cause, EPIPE);
            close(pair[1]);
            close_pair(idle);
        }
    }
}

/* It has closed both ends: nobody is there to be told of an error. */
static void test_host_is_gone(void **state)
{
    (void)state;
    void (*const plays[])(int) = {play_nothing, play_talker};
    for (size_t i = 0; i < 2; i++) {
        int input[2], output[2], cause;
        assert_int_equal(pipe(input) | pipe(output), 0);
        close(input[1]);
        close(output[0]);
        assert_int_equal(pump(input[0], output[1], plays[i], &cause), PUMP_HOST_GONE);
        close(input[0]);
        close(output[1]);
    }
}

static void test_full_disk(void **state)
{
    (void)state;
    int idle[2], cause;
    int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0);
    assert_int_equal(pipe(idle), 0);
    assert_int_equal(pump(idle[0], full, play_talker, &cause), PUMP_OUTPUT);
    assert_int_equal(cause, ENOSPC);
    close(full);
    close_pair(idle);
}

static void test_unreadable_input(void **state)
{
    (void)state;
    int cause;
    int folder = open("/", O_RDONLY | O_DIRECTORY);
    int output = scratch("", 0);
    assert_int_equal(pump(folder, output, play_nothing, &cause), PUMP_INPUT);
    assert_int_equal(cause, EISDIR);
    close(folder);
    close(output);
}

static void test_no_poll(void **state)
{
    (void)state;
    int cause;
    struct rlimit before, none;
    int output = scratch("", 0);
    pid_t pid;
    int server = server_start(play_nothing, &pid);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 2; /* poll(2): EINVAL for more descriptors than that */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum pump_end end = pump_run(output, output, server, &cause);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(end, PUMP_SYSTEM);
    assert_int_equal(cause, EINVAL);
    close(server);
    waitpid(pid, NULL, 0);
    close(output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_server_ends),
        cmocka_unit_test(test_reader_is_gone),
        cmocka_unit_test(test_host_is_gone),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_unreadable_input),
        cmocka_unit_test(test_no_poll),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
