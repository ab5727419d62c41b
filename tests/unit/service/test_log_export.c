/* SPDX-License-Identifier: MIT
 *
 * The log's way to the host, over a vsock that is played here. There is one export per boot, so the tests are
 * about one machine and follow each other.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <arch/timer.h>
#include <logging/log.h>
#include <service/connections.h>
#include <service/log_export.h>
#include <tasks/task.h>

#define PORT 6000
#define S    UINT64_C(1000000)

struct vsock {
    int attempts, error;
};
struct vsock_connection {
    bool open, gone;
    size_t room;   /* what it takes at present */
    size_t input;  /* bytes that the host has sent */
    size_t length; /* of what was sent, in: */
    char text[65536];
};

static struct vsock device;
static struct vsock_connection connections[2];
static size_t connection_count;
static uint64_t now;
static unsigned wakes;
static uint8_t ring[4096];

/* ---- what the export calls ---- */

uint64_t timer_now_us(void)
{
    return now;
}

void connections_wake(void *context)
{
    assert_null(context);
    wakes++;
}

int vsock_connect(struct vsock *vsock, uint64_t cid, uint32_t port, struct vsock_connection **connection)
{
    assert_ptr_equal(vsock, &device);
    assert_true(cid == VSOCK_CID_HOST);
    assert_int_equal(port, PORT);
    device.attempts++;
    if (device.error != 0)
        return device.error;
    *connection = &connections[connection_count++ % 2];
    assert_false((*connection)->open);
    memset(*connection, 0, sizeof **connection);
    (*connection)->open = true;
    (*connection)->room = SIZE_MAX;
    return 0;
}

int64_t vsock_send(struct vsock_connection *connection, const void *buffer, size_t size)
{
    assert_true(connection->open);
    if (connection->gone)
        return -EPIPE;
    if (size > connection->room)
        size = connection->room;
    assert_true(connection->length + size < sizeof connection->text);
    memcpy(connection->text + connection->length, buffer, size);
    connection->length += size;
    connection->room -= size;
    return (int64_t)size;
}

int64_t vsock_peek(const struct vsock_connection *connection, const void **bytes)
{
    assert_true(connection->open);
    *bytes = connection->text;
    return connection->input > 0 ? (int64_t)connection->input : -EAGAIN;
}

void vsock_take(struct vsock_connection *connection, size_t size)
{
    assert_true(connection->open);
    connection->input -= size;
}

void vsock_close(struct vsock_connection *connection)
{
    assert_true(connection->open);
    connection->open = false;
}

/* ---- what the tests do ---- */

static struct vsock_connection *current(void)
{
    return &connections[(connection_count - 1) % 2];
}

/* What the host has received since the last look. */
static void expect_text(const char *text)
{
    assert_int_equal(current()->length, strlen(text));
    assert_memory_equal(current()->text, text, strlen(text));
    current()->length = 0;
}

static struct vsock_connection *connect_now(void)
{
    (void)log_export_poll(&device);
    assert_true(current()->open);
    assert_true(log_export_event(current(), VSOCK_CONNECTED));
    assert_true(log_export_poll(&device) == TASK_FOREVER);
    return current();
}

/* ---- the tests ---- */

static uint64_t clock_us(void)
{
    return 1234567;
}

static int start(void **state)
{
    (void)state;
    const struct log_config config = {
        .ring = ring, .ring_size = sizeof ring, .clock_us = clock_us, .level = LOG_DEBUG};
    return log_initialise(&config);
}

static void test_no_port(void **state)
{
    (void)state;
    log_export_start(0);
    log_write(LOG_INFO, "test", "nobody wants this");
    assert_true(log_export_poll(&device) == TASK_FOREVER);
    assert_false(log_export_event(&connections[0], VSOCK_ACCEPTED));
    assert_int_equal(device.attempts + (int)wakes, 0);
}

static void test_from_the_start(void **state)
{
    (void)state;
    log_export_start(PORT);
    log_write(LOG_INFO, "test", "one");
    log_write(LOG_WARNING, "test", "two");
    (void)log_export_poll(&device);
    assert_int_equal(current()->length, 0); /* it is not connected yet */
    assert_false(log_export_event(&connections[1], VSOCK_READABLE));
    (void)connect_now();
    expect_text("--- microkernelia: log from line 0\n[    1.234567] INFO  test: nobody wants this\n"
                "[    1.234567] INFO  test: one\n[    1.234567] WARN  test: two\n");

    wakes = 0;
    log_write(LOG_ERROR, "test", "three");
    assert_int_equal(wakes, 1);
    assert_true(log_export_poll(&device) == TASK_FOREVER);
    expect_text("[    1.234567] ERROR test: three\n");
    assert_true(log_export_poll(&device) == TASK_FOREVER);
    expect_text("");

    current()->input = 100;
    assert_true(log_export_event(current(), VSOCK_READABLE));
    assert_int_equal(current()->input, 0);
}

/* The host takes a few bytes, then none for long: what the ring loses meanwhile is counted. */
static void test_slow_reader(void **state)
{
    (void)state;
    struct vsock_connection *connection = current();
    connection->room = 10;
    log_write(LOG_DEBUG, "test", "four");
    (void)log_export_poll(&device);
    expect_text("[    1.234");
    assert_int_equal(connection->room, 0);
    for (int i = 0; i < 200; i++)
        log_write(LOG_DEBUG, "test", "line %d", i);
    (void)log_export_poll(&device);
    expect_text("");

    connection->room = SIZE_MAX;
    assert_true(log_export_event(connection, VSOCK_WRITABLE));
    (void)log_export_poll(&device);
    struct log_statistics log;
    log_get_statistics(&log);
    char expected[128];
    /* Lines 0 to 4 were sent, the fifth in part and then wholly. */
    log_format(expected, sizeof expected, "567] DEBUG test: four\n--- %llu lines lost\n[",
               (unsigned long long)(log.oldest - 5));
    assert_true(log.oldest > 5);
    assert_memory_equal(connection->text, expected, strlen(expected));
    connection->text[connection->length] = '\0';
    assert_non_null(strstr(connection->text, "DEBUG test: line 199\n"));
    connection->length = 0;
}

/* The reader dies in the middle of a line: the next one gets the line whole. */
static void test_reader_goes_and_comes(void **state)
{
    (void)state;
    struct vsock_connection *connection = current();
    struct log_statistics log;
    log_get_statistics(&log);
    connection->room = 20;
    log_write(LOG_INFO, "test", "half of this");
    (void)log_export_poll(&device);
    expect_text("[    1.234567] INFO ");
    connection->gone = true;
    int attempts = device.attempts;
    assert_true(log_export_event(connection, VSOCK_WRITABLE));
    assert_false(connection->open);
    assert_true(log_export_poll(&device) == now + S);
    assert_int_equal(device.attempts, attempts);

    wakes = 0;
    log_write(LOG_INFO, "test", "meanwhile");
    assert_int_equal(wakes, 0); /* nobody reads */
    now += S;
    (void)connect_now();
    char expected[256];
    log_format(expected, sizeof expected,
               "--- microkernelia: log from line %llu\n[    1.234567] INFO  test: half of this\n"
               "[    1.234567] INFO  test: meanwhile\n",
               (unsigned long long)log.written);
    expect_text(expected);

    /* Noticed by a line, too. */
    current()->gone = true;
    log_write(LOG_INFO, "test", "noticed");
    assert_true(log_export_poll(&device) == now + S);
    assert_false(current()->open);
}

/* Nobody listens: fewer and fewer attempts, and one line about it. */
static void test_back_off(void **state)
{
    (void)state;
    struct log_statistics before, after;
    log_get_statistics(&before);
    int attempts = device.attempts;
    uint64_t begin = now, next = log_export_poll(&device);
    while (now - begin < 1000 * S) {
        assert_true(next > now);
        assert_true(next - now <= 16 * S);
        now = next;
        (void)log_export_poll(&device);
        if (current()->open)
            assert_true(log_export_event(current(), VSOCK_RESET));
        next = log_export_poll(&device);
    }
    assert_in_range(device.attempts - attempts, 1000 / 16, 1000 / 16 + 6);
    log_get_statistics(&after);
    assert_int_equal(after.written - before.written, 1);

    /* No place for one more connection is no other case. */
    device.error = -ENOSPC;
    now = next;
    next = log_export_poll(&device);
    assert_true(next == now + 16 * S);
    device.error = 0;

    /* What came meanwhile is still there. */
    now = next;
    (void)connect_now();
    current()->text[current()->length] = '\0';
    assert_non_null(strstr(current()->text, "test: noticed\n"));
    assert_non_null(strstr(current()->text, "log: nobody listens on port 6000 of the host: trying again\n"));
    current()->length = 0;
}

/* A device that starts again: the handle is gone with it, and must not be touched. */
static void test_device_goes(void **state)
{
    (void)state;
    current()->open = false;
    log_export_drop();
    assert_false(log_export_event(current(), VSOCK_RESET));
    log_write(LOG_INFO, "test", "last");
    (void)connect_now();
    current()->text[current()->length] = '\0';
    assert_non_null(strstr(current()->text, "\n[    1.234567] INFO  test: last\n"));
}

static void test_no_device(void **state)
{
    (void)state;
    struct log_statistics before, after;
    log_get_statistics(&before);
    log_export_no_device();
    log_export_no_device();
    log_get_statistics(&after);
    assert_int_equal(after.written - before.written, 1);
}

/* The longest line, behind a note, fits. */
static void test_long_lines(void **state)
{
    (void)state;
    char text[LOG_LINE_MAX + 1];
    memset(text, 'x', LOG_LINE_MAX);
    text[LOG_LINE_MAX] = '\0';
    current()->room = 0;
    current()->length = 0;
    for (int i = 0; i < 50; i++)
        log_write(LOG_INFO, "subsystem.subsystem", "%s", text);
    current()->room = SIZE_MAX;
    (void)log_export_poll(&device);
    assert_memory_equal(current()->text, "--- ", 4);
    assert_memory_equal(current()->text + current()->length - 3, "xx\n", 3);
    const char *line = strchr(current()->text, '[');
    assert_int_equal((size_t)(strchr(line, '\n') - line),
                     strlen("[    1.234567] INFO  : ") + 15 + LOG_LINE_MAX);
}

static void test_no_place_for_a_sink(void **state)
{
    (void)state;
    struct log_statistics before, after;
    log_get_statistics(&before);
    for (int i = 0; i < 4; i++)
        log_export_start(PORT);
    log_get_statistics(&after);
    assert_int_equal(after.written - before.written, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_port),
        cmocka_unit_test(test_from_the_start),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_reader_goes_and_comes),
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_device_goes),
        cmocka_unit_test(test_no_device),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_no_place_for_a_sink),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
