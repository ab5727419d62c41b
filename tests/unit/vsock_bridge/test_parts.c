/* SPDX-License-Identifier: MIT
 *
 * The parts that need no VM: greetings, scatter-gather lists, the backlog, guest memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backlog.h"
#include "greeting.h"
#include "log.h"
#include "loop.h"
#include "memory.h"
#include "segments.h"

static void greetings(void **state)
{
    static const struct {
        const char *text;
        int result;
        uint32_t port;
        size_t length;
    } cases[] = {
        {"{", 0, 0, 0},
        {"connect 5", 0, 0, 0}, /* not 'C' */
        {"C", -EAGAIN, 0, 0},
        {"CONNECT", -EAGAIN, 0, 0},
        {"CONNECT ", -EAGAIN, 0, 0},
        {"CONNECT 12", -EAGAIN, 0, 0},
        {"CONNECT 12\n", 0, 12, 11},
        {"CONNECT 12\nCONNECT 13\n", 0, 12, 11},
        {"CONNECT 0\n", 0, 0, 10},
        {"CONNECT 4294967294\n", 0, 4294967294U, 19},
        {"CONNECT 4294967295\n", -EINVAL, 0, 0},
        {"CONNECT 4294967296\n", -EINVAL, 0, 0},
        {"CONNECT 99999999999999999999\n", -EINVAL, 0, 0},
        {"CONNECT 0000000000000000000000012", -EINVAL, 0, 0}, /* too long */
        {"CONNECT  12\n", -EINVAL, 0, 0},
        {"CONNECT 12 \n", -EINVAL, 0, 0},
        {"CONNECT 12\r\n", -EINVAL, 0, 0},
        {"CONNECT +12\n", -EINVAL, 0, 0},
        {"CONNECT\n", -EINVAL, 0, 0},
        {"CONNECT \n", -EINVAL, 0, 0},
        {"CONNECT/", -EINVAL, 0, 0},
        {"Content-Length: 5", -EINVAL, 0, 0},
        {"CONNECT example.org:80 HTTP/1.1\r\n", -EINVAL, 0, 0},
    };
    struct greeting greeting;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = strlen(cases[i].text);

        assert_int_equal(greeting_parse(cases[i].text, size, &greeting), cases[i].result);
        if (cases[i].result != 0)
            continue;
        assert_int_equal(greeting.handshake, cases[i].length > 0);
        assert_int_equal(greeting.port, cases[i].port);
        assert_int_equal(greeting.length, cases[i].length);
    }
}

static void scatter_gather_lists(void **state)
{
    char bytes[] = "abcdefghij";
    char copy[11] = {0};
    struct iovec pieces[4] = {{bytes, 1}, {bytes + 1, 4}, {bytes + 5, 2}, {bytes + 7, 3}};
    struct iovec front_pieces[6];
    struct segments list = {pieces, 4};
    struct segments front;

    (void)state;
    front = segments_split(&list, 6, front_pieces);
    assert_int_equal(front.count, 3);
    assert_int_equal(list.count, 2);
    segments_copy_out(&list, copy, 1);
    assert_string_equal(copy, "g");
    segments_copy_in(&front, "ABCDEF", 6);
    assert_int_equal(front.count, 0);
    assert_string_equal(bytes, "ABCDEFghij");
    segments_limit(&list, 2);
    assert_int_equal(list.count, 1);
    segments_skip(&list, 1);
    segments_copy_out(&list, copy, 1);
    assert_string_equal(copy, "i");
    assert_int_equal(list.count, 0);
    segments_limit(&list, 0);
    segments_skip(&list, 0);
}

static void append(struct backlog *backlog, const void *bytes, size_t size)
{
    struct iovec piece = {(void *)(uintptr_t)bytes, size};
    struct segments list = {&piece, 1};

    assert_int_equal(backlog_append(backlog, &list, size), 0);
}

static void the_backlog_goes_round(void **state)
{
    static uint8_t bytes[BACKLOG_SIZE];
    static uint8_t received[BACKLOG_SIZE];
    struct backlog backlog = {0};
    size_t total = 0;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 13 >> 4);
    append(&backlog, bytes, 100000);
    while (total < 50000) { /* some, so that the rest does not begin at 0 */
        ssize_t result;

        assert_true(backlog_send(&backlog, ends[0]) > 0);
        result = recv(ends[1], received + total, sizeof received - total, MSG_DONTWAIT);
        assert_true(result > 0);
        total += (size_t)result;
    }
    append(&backlog, bytes + 100000, BACKLOG_SIZE - 100000);
    while (total < BACKLOG_SIZE) {
        ssize_t result;

        if (backlog.used > 0) {
            result = backlog_send(&backlog, ends[0]);
            assert_true(result > 0 || result == -EAGAIN);
        }
        result = recv(ends[1], received + total, sizeof received - total, MSG_DONTWAIT);
        assert_true(result > 0);
        total += (size_t)result;
    }
    assert_memory_equal(received, bytes, sizeof bytes);
    assert_null(backlog.bytes); /* an empty one holds no memory */
    (void)close(ends[1]);
    append(&backlog, bytes, 1);
    assert_int_equal(backlog_send(&backlog, ends[0]), -EPIPE);
    backlog_clear(&backlog);
    (void)close(ends[0]);
}

static void guest_addresses(void **state)
{
    int file = memfd_create("guest", MFD_CLOEXEC);
    const int files[3] = {file, file, file};
    const struct memory_region_description regions[3] = {
        {0x1000, 0x1000, 0x7000, 0},
        {0x2000, 0x1000, 0x9000, 0x2000}, /* adjoins the first one */
        {0x8000, 0x1000, 0xb000, 0x100},  /* from the middle of a page */
    };
    struct guest_memory memory = {0};
    struct iovec pieces[4];
    void *mapped[3];

    (void)state;
    assert_int_equal(ftruncate(file, 0x3000), 0);
    assert_int_equal(memory_map(&memory, regions, 3, files), 0);
    assert_int_equal(pwrite(file, "x", 1, 0x100), 1);
    assert_memory_equal(memory_at_user_address(&memory, 0x7100, 1), "x", 1);
    assert_memory_equal(memory_at_user_address(&memory, 0xb000, 1), "x", 1);
    assert_non_null(memory_at_user_address(&memory, 0x7000, 0x1000));
    assert_null(memory_at_user_address(&memory, 0x7000, 0x1001));
    assert_null(memory_at_user_address(&memory, 0x7001, 0x1000));
    assert_null(memory_at_user_address(&memory, 0x6fff, 1));
    assert_null(memory_at_user_address(&memory, UINT64_MAX, 1));

    assert_int_equal(memory_segments(&memory, 0x1000, 0x2000, pieces, 4), 2);
    assert_int_equal(pieces[0].iov_len, 0x1000);
    assert_int_equal(pieces[1].iov_len, 0x1000);
    assert_int_equal(memory_segments(&memory, 0x1000, 0x2000, pieces, 1), -E2BIG);
    assert_int_equal(memory_segments(&memory, 0x1000, 0x2001, pieces, 4), -EFAULT);
    assert_int_equal(memory_segments(&memory, 0xfff, 1, pieces, 4), -EFAULT);
    assert_int_equal(memory_segments(&memory, 0x8fff, 1, pieces, 4), 1);
    assert_int_equal(memory_segments(&memory, 0x9000, 1, pieces, 4), -EFAULT);
    assert_int_equal(memory_segments(&memory, UINT64_MAX, UINT64_MAX, pieces, 4), -EFAULT);
    assert_int_equal(memory_segments(&memory, 0, 0, pieces, 4), 0);
    for (int i = 0; i < 3; i++)
        mapped[i] = memory.regions[i].mapping;
    assert_int_equal(memory_map(&memory, regions, MEMORY_REGIONS_MAX + 1, files), -EINVAL);
    assert_int_equal(memory.count, 0);
    for (int i = 0; i < 3; i++) /* what is not mapped has no memory to write back */
        assert_int_equal(msync(mapped[i], 0x1000, MS_ASYNC) == 0 ? 0 : -errno, -ENOMEM);
    (void)close(file);
}

static struct watch pair[2];
static struct loop loop;
static int calls;

static void close_both(struct watch *watch, uint32_t events)
{
    (void)watch;
    (void)events;
    calls++;
    loop_close(&loop, &pair[0]);
    loop_close(&loop, &pair[1]);
}

/* The first handler closes the second watch, whose event waits in the same batch. */
static void a_closed_watch_is_not_called(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(loop_create(&loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(write(ends[0], "a", 1), 1);
    assert_int_equal(write(ends[1], "b", 1), 1);
    for (int i = 0; i < 2; i++) {
        pair[i] = (struct watch){.fd = ends[i], .ready = close_both};
        assert_int_equal(loop_add(&loop, &pair[i], EPOLLIN), 0);
    }
    assert_int_equal(loop_run_once(&loop, 0), 0);
    assert_int_equal(calls, 1);
    loop_close(&loop, &pair[0]); /* once more: nothing happens */
    assert_int_equal(loop_run_once(&loop, 0), 0);
    pair[0].fd = 1000;
    assert_int_equal(loop_add(&loop, &pair[0], EPOLLIN), -EBADF);
    loop_destroy(&loop);
    assert_int_equal(loop_run_once(&loop, 0), -EBADF);
}

static void log_levels(void **state)
{
    enum log_level level;

    (void)state;
    assert_int_equal(log_parse_level("debug", &level), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_parse_level("loud", &level), -EINVAL);
    log_set_level(LOG_LEVEL_WARNING);
    assert_true(log_shows(LOG_LEVEL_ERROR));
    assert_false(log_shows(LOG_LEVEL_INFO));
}

/* Counts the lines that a log of `count` lines writes. */
static unsigned lines_written(enum log_level level, unsigned count)
{
    char bytes[32768];
    unsigned lines = 0;
    int saved = dup(STDERR_FILENO);
    int file = memfd_create("log", MFD_CLOEXEC);
    ssize_t size;

    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    for (unsigned i = 0; i < count; i++)
        log_line(level, "line %u", i);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    (void)close(saved);
    (void)lseek(file, 0, SEEK_SET);
    while ((size = read(file, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < size; i++)
            lines += bytes[i] == '\n';
    }
    (void)close(file);
    return lines;
}

static void the_log_does_not_flood(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_DEBUG);
    assert_in_range(lines_written(LOG_LEVEL_WARNING, 20000), LOG_BURST / 2, 2 * LOG_BURST);
    assert_int_equal(lines_written(LOG_LEVEL_DEBUG, 1000), 1000);
    log_set_level(LOG_LEVEL_WARNING);
    assert_int_equal(lines_written(LOG_LEVEL_INFO, 1000), 0);
}

/* A pipe that nobody empties, and a full disk: the line is lost, and the program goes on. */
static void a_log_that_takes_nothing_stops_nobody(void **state)
{
    int saved = dup(STDERR_FILENO);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    char byte = 'x';
    char text[512];
    int ends[2];
    ssize_t size;

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(ends[1], &byte, 1) == 1)
        ;
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0); /* the next write would wait for ever */
    log_set_level(LOG_LEVEL_DEBUG);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    log_debug("lost");
    assert_int_equal(dup2(full, STDERR_FILENO), STDERR_FILENO);
    log_debug("lost");
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    while (read(ends[0], text, sizeof text) > 0)
        ;
    log_debug("seen");
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    size = read(ends[0], text, sizeof text - 1);
    assert_true(size > 0);
    text[size] = '\0';
    assert_string_equal(text, "vsock-bridge: debug: seen\n");
    log_set_level(LOG_LEVEL_WARNING);
    (void)close(saved);
    (void)close(full);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greetings),
        cmocka_unit_test(scatter_gather_lists),
        cmocka_unit_test(the_backlog_goes_round),
        cmocka_unit_test(guest_addresses),
        cmocka_unit_test(a_closed_watch_is_not_called),
        cmocka_unit_test(log_levels),
        cmocka_unit_test(the_log_does_not_flood),
        cmocka_unit_test(a_log_that_takes_nothing_stops_nobody),
    };

    return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
