/* SPDX-License-Identifier: MIT
 *
 * A port is found, clients come and go, bytes go both ways; whose they are when the guest looks late.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_serial.h"

static struct virtio_console_statistics statistics(void)
{
    struct virtio_console_statistics result;
    virtio_console_get_statistics(serial.console, &result);
    return result;
}

static void test_port(void **state)
{
    (void)state;
    serial_start();
    assert_int_equal(serial.messages[CONSOLE_DEVICE_READY], 1);
    assert_int_equal(serial.messages[CONSOLE_PORT_READY], 2);
    assert_int_equal(serial.messages[CONSOLE_PORT_OPEN], 1); /* to ours alone */
    assert_int_equal(serial.event_count, 0);
    size_t bytes = fake_os.bytes;
    assert_in_range(bytes, 64 * 1024, 105 * 1024); /* as the README says */
    for (int i = 0; i < 200; i++)
        serial_check_service();
    assert_int_equal(fake_os.bytes, bytes);
    struct virtio_console_statistics s = statistics();
    assert_int_equal(s.opened, 200);
    assert_int_equal(s.bytes_received, 800);
    assert_int_equal(s.bytes_sent, 800);
    assert_int_equal(s.bytes_discarded + s.malformed + s.chains_lost + s.resyncs, 0);
    assert_int_equal(serial.dropped, 0);
    serial_stop();
}

/* A client is there before the guest. */
static void test_open_from_the_start(void **state)
{
    (void)state;
    serial_prepare();
    assert_int_equal(serial_create(), 0);
    serial.host_connected = true;
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(serial.event_count, 1);
    assert_int_equal(serial.events[0].event, VIRTIO_CONSOLE_OPENED);
    assert_true(serial_write("hello", 5));
    assert_int_equal(serial_pump(), 0);
    serial_expect(serial.last, "hello");
    serial_stop();
}

/* A device without named ports is refused, and the log says what QEMU lacks. */
static void test_no_multiport(void **state)
{
    (void)state;
    serial_prepare();
    fake_mmio.offered &= ~(1ull << 1);
    assert_int_equal(serial_create(), -ENODEV);
    assert_non_null(strstr(fake_os.last_log, "virtserialport,name=mcp.0"));
    serial_stop();

    serial_prepare();
    fake_mmio.id = VIRTIO_ID_RNG;
    assert_int_equal(serial_create(), -EINVAL);
    serial_stop();
}

static void test_context(void **state)
{
    (void)state;
    int one = 1;
    serial_start();
    serial_open();
    assert_int_equal(serial_pump(), 0);
    assert_null(virtio_console_get_context(serial.last));
    virtio_console_set_context(serial.last, &one);
    assert_ptr_equal(virtio_console_get_context(serial.last), &one);
    serial_stop();
}

/* One buffer at a time: nothing more is read until all of it is taken. */
static void test_one_buffer(void **state)
{
    (void)state;
    serial_start();
    serial_open();
    assert_int_equal(serial_pump(), 0);
    assert_true(serial_write("abcdef", 6));
    assert_false(serial_write("g", 1));
    assert_int_equal(serial_pump(), 0);
    assert_true(serial_write("g", 1)); /* while the first is not read */
    assert_int_equal(serial_pump(), 0);
    assert_false(serial_write("h", 1));
    assert_int_equal(serial_count(VIRTIO_CONSOLE_READABLE, serial.last), 1);
    const void *bytes = NULL;
    assert_int_equal(virtio_console_peek(serial.last, &bytes), 6);
    virtio_console_take(serial.last, 4);
    assert_int_equal(serial_pump(), 0);
    assert_false(serial_write("h", 1));
    unsigned kicks = fake_mmio.queues[4].kicks;
    fake_ring_want_kick(&fake_mmio.queues[4].ring, true);
    serial_expect(serial.last, "ef");
    assert_int_equal(fake_mmio.queues[4].kicks, kicks + 1);
    serial_expect(serial.last, "g");
    assert_true(serial_write("h", 1));
    assert_int_equal(serial_pump(), 0);
    serial_expect(serial.last, "h");

    static uint8_t all[CONSOLE_RECEIVE_SIZE];
    memset(all, 'x', sizeof(all));
    assert_true(serial_write(all, sizeof(all)));
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(virtio_console_peek(serial.last, &bytes), sizeof(all));
    assert_memory_equal(bytes, all, sizeof(all));
    serial_stop();
}

/* The host cannot change what has been seen. */
static void test_copied(void **state)
{
    (void)state;
    serial_start();
    serial_open();
    assert_int_equal(serial_pump(), 0);
    assert_true(serial_write("good", 4));
    assert_int_equal(serial_pump(), 0);
    memset(serial.console->shared->received, 'X', 4);
    serial_expect(serial.last, "good");
    serial_stop();
}

/* ---- ends and beginnings ---- */

static void expect_events(const enum virtio_console_event *events, size_t count)
{
    assert_int_equal(serial.event_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(serial.events[i].event, events[i]);
    serial.event_count = 0;
}

/* What a client writes right before it leaves can be read after it has left. */
static void test_last_words(void **state)
{
    (void)state;
    static const enum virtio_console_event all[] = {VIRTIO_CONSOLE_OPENED, VIRTIO_CONSOLE_READABLE,
                                                    VIRTIO_CONSOLE_CLOSED};
    serial_start();
    serial_open();
    assert_true(serial_write("good", 4));
    assert_int_equal(serial_pump(), 0);
    assert_true(virtio_console_peek(serial.last, &(const void *){NULL}) == 4);
    serial_close();
    assert_int_equal(serial_pump(), 0);
    expect_events(all, 3);
    assert_int_equal(virtio_console_send(serial.last, "x", 1), -ECONNRESET);
    serial_expect(serial.last, "good");
    serial_expect_error(serial.last, -ECONNRESET);
    virtio_console_close(serial.last);

    /* A connection that is reset before the guest looks loses them, as TCP has it. */
    serial_open();
    assert_true(serial_write("farewell", 8));
    serial_close();
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(serial_count(VIRTIO_CONSOLE_READABLE, NULL), 0);
    serial_expect_error(serial.last, -ECONNRESET);
    virtio_console_close(serial.last);
    assert_int_equal(statistics().bytes_discarded, 8);
    serial_check_service();
    serial_stop();
}

/* A client that is reset, while the next one waits, before the guest looks: its last bytes are nobody's. */
static void test_reset_and_next_one_waits(void **state)
{
    (void)state;
    serial_start();
    serial_open();
    assert_int_equal(serial_pump(), 0);
    for (int i = 0; i < 100; i++) {
        struct virtio_console_connection *first = serial.last;
        assert_true(serial_write("leftover", 8));
        serial_close();
        serial_open();
        assert_false(serial_write("whole", 5));
        assert_int_equal(serial_pump(), 0);
        serial_expect_error(serial.last, -EAGAIN);
        serial_expect_error(first, -ECONNRESET);
        virtio_console_close(first);
        assert_true(serial_write("whole", 5));
        assert_int_equal(serial_pump(), 0);
        serial_expect(serial.last, "whole");
    }
    assert_int_equal(statistics().bytes_discarded, 800);
    serial_stop();
}

/* Another port's message damages what came right before it: the connection ends rather than go on with a
 * hole.
 */
static void test_other_port_interferes(void **state)
{
    (void)state;
    serial_start();
    serial_open();
    assert_int_equal(serial_pump(), 0);
    assert_true(serial_write("request", 7));
    serial_control(0, CONSOLE_PORT_OPEN, 1);
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(serial_count(VIRTIO_CONSOLE_CLOSED, serial.last), 1);
    serial_expect_error(serial.last, -ECONNRESET);
    assert_true(serial_write("more", 4));
    assert_int_equal(serial_pump(), 0);
    serial_expect_error(serial.last, -ECONNRESET);
    virtio_console_close(serial.last);
    serial_close();
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(statistics().bytes_discarded, 11);

    /* One that came before it does not. */
    serial_open();
    assert_int_equal(serial_pump(), 0);
    serial_control(0, CONSOLE_PORT_OPEN, 0);
    assert_true(serial_write("request", 7));
    assert_int_equal(serial_pump(), 0);
    serial_expect(serial.last, "request");
    serial_stop();
}

/* Bytes that arrive one by one, some of them zeros. */
static void test_few_bytes(void **state)
{
    (void)state;
    static const char frame[] = "\0\0\0\x02{}";
    const void *bytes = NULL;

    serial_start();
    serial_open();
    for (size_t size = 1; size <= 6; size++) {
        struct virtio_console_connection *first = serial.last;
        assert_true(serial_write(frame, size));
        assert_int_equal(serial_pump(), 0);
        assert_int_equal(virtio_console_peek(serial.last, &bytes), size);
        assert_memory_equal(bytes, frame, size);
        virtio_console_take(serial.last, size);
        if (first != NULL && first != serial.last)
            virtio_console_close(first);
        serial_close();
        serial_open();
    }
    serial_stop();
}

/* A half frame, then the next client, which waited: the guest sees the end, the beginning and its first bytes
 * at once. They are the second's. */
static void test_next_one_waits(void **state)
{
    (void)state;
    static const enum virtio_console_event all[] = {VIRTIO_CONSOLE_CLOSED, VIRTIO_CONSOLE_OPENED,
                                                    VIRTIO_CONSOLE_READABLE};
    serial_start();
    serial_open();
    assert_int_equal(serial_pump(), 0);
    struct virtio_console_connection *first = serial.last;
    for (int i = 0; i < 100; i++) {
        assert_true(serial_write("half", 4));
        assert_int_equal(serial_pump(), 0);
        serial_expect(first, "half");
        serial.event_count = 0;
        serial_close();
        serial_open();
        assert_true(serial_write("whole", 5));
        assert_int_equal(serial_pump(), 0);
        expect_events(all, 3);
        assert_ptr_not_equal(first, serial.last);
        serial_expect_error(first, -ECONNRESET);
        serial_expect(serial.last, "whole");
        virtio_console_close(first);
        first = serial.last;
    }
    assert_int_equal(statistics().bytes_discarded, 0);
    serial_stop();
}

/* The bytes of the first are not taken yet; more of them, neither: then the second waits. */
static void test_unread_when_the_next_one_comes(void **state)
{
    (void)state;
    serial_start();
    serial_open();
    assert_int_equal(serial_pump(), 0);
    struct virtio_console_connection *first = serial.last;
    assert_true(serial_write("unread", 6));
    assert_int_equal(serial_pump(), 0);
    serial_close(); /* reset */
    serial_open();
    assert_true(serial_write("second", 6));
    assert_int_equal(serial_pump(), 0);
    assert_ptr_not_equal(first, serial.last);
    assert_int_equal(serial_pump(), 0);
    serial_expect(serial.last, "second");
    serial_expect(first, "unread");
    serial_expect_error(first, -ECONNRESET);
    virtio_console_close(first);

    first = serial.last;
    assert_true(serial_write("unread", 6));
    assert_int_equal(serial_pump(), 0);
    assert_true(serial_write("and more", 8));
    assert_int_equal(serial_pump(), 0);
    serial_close();
    serial_open();
    assert_int_equal(serial_pump(), 0);
    assert_false(serial_write("third", 5));
    serial_expect(first, "unread");
    serial_expect(first, "and more");
    serial_expect_error(first, -ECONNRESET);
    assert_true(serial_write("third", 5));
    assert_int_equal(serial_pump(), 0);
    serial_expect(serial.last, "third");
    virtio_console_close(first);

    /* Nobody wants to know: the next one is heard. */
    first = serial.last;
    assert_true(serial_write("unread", 6));
    assert_int_equal(serial_pump(), 0);
    assert_true(serial_write("and more", 8));
    assert_int_equal(serial_pump(), 0);
    serial_close();
    serial_open();
    assert_int_equal(serial_pump(), 0);
    virtio_console_close(first);
    assert_int_equal(statistics().bytes_discarded, 8);
    assert_true(serial_write("fourth", 6));
    assert_int_equal(serial_pump(), 0);
    serial_expect(serial.last, "fourth");
    serial_stop();
}

/* Two ended connections are the owner's, and a third client is there: it waits for a place. Its bytes are
 * neither lost nor anyone else's. */
static void test_owner_is_slow(void **state)
{
    (void)state;
    struct virtio_console_connection *held[2];
    uint8_t bytes[8];

    serial_start();
    for (size_t i = 0; i < 2; i++) {
        serial_open();
        assert_int_equal(serial_pump(), 0);
        held[i] = serial.last;
        serial_close();
        assert_int_equal(serial_pump(), 0);
    }
    serial.event_count = 0;
    /* One comes and goes, and nobody was told of it. */
    serial_open();
    assert_true(serial_write("early", 5));
    assert_int_equal(serial_pump(), 0);
    serial_close();
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(statistics().bytes_discarded, 5);
    serial_open();
    assert_true(serial_write("third", 5));
    serial_close();
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(statistics().bytes_discarded, 10);
    /* One stays. */
    serial_open();
    assert_true(serial_write("fourth", 6));
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(serial.event_count, 0);
    serial_expect_error(held[0], -ECONNRESET);
    serial_expect_error(held[1], -ECONNRESET);
    assert_int_equal(virtio_console_send(held[1], "x", 1), -ECONNRESET);
    virtio_console_close(held[1]);
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(serial_count(VIRTIO_CONSOLE_OPENED, NULL), 1);
    serial_expect(serial.last, "fourth");
    assert_int_equal(virtio_console_send(serial.last, "yes", 3), 3);
    assert_int_equal(serial_read(bytes, sizeof(bytes)), 3);
    virtio_console_close(held[0]);
    serial_close();
    assert_int_equal(serial_pump(), 0);
    virtio_console_close(serial.last);
    serial_check_service();
    serial_stop();
}

/* The owner lets go first: what the client still sends is thrown away, so that its end is seen. */
static void test_close_first(void **state)
{
    (void)state;
    uint8_t bytes[8];

    serial_start();
    serial_open();
    assert_int_equal(serial_pump(), 0);
    assert_true(serial_write("nonsense", 8));
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(virtio_console_send(serial.last, "no", 2), 2);
    virtio_console_close(serial.last);
    assert_int_equal(serial_read(bytes, sizeof(bytes)), 2);
    serial.event_count = 0;
    for (int i = 0; i < 100; i++) {
        assert_true(serial_write("more", 4));
        assert_int_equal(serial_pump(), 0);
    }
    assert_int_equal(serial.event_count, 0);
    assert_int_equal(statistics().bytes_discarded, 400);
    serial_close();
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(serial.event_count, 0);
    serial_check_service();
    serial_stop();
}

/* What was sent to the first is not for the second, which came before the guest looked. */
static void test_answer_too_late(void **state)
{
    (void)state;
    uint8_t bytes[16];

    serial_start();
    serial_open();
    assert_int_equal(serial_pump(), 0);
    struct virtio_console_connection *first = serial.last;
    assert_int_equal(virtio_console_send(first, "one", 3), 3);
    serial_close(); /* discards it */
    serial_open();
    serial.wakes = 0;
    assert_int_equal(virtio_console_send(first, "two", 3), -ECONNRESET);
    assert_true(serial.wakes > 0);
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(serial_read(bytes, sizeof(bytes)), 0);
    assert_int_equal(virtio_console_send(serial.last, "three", 5), 5);
    assert_int_equal(serial_read(bytes, sizeof(bytes)), 5);
    assert_memory_equal(bytes, "three", 5);
    virtio_console_close(first);
    serial_stop();
}

/* More comings and goings than there are buffers for messages, while the guest looks away: the last client is
 * served. */
static void test_messages_lost(void **state)
{
    (void)state;
    serial_start();
    serial_open();
    assert_int_equal(serial_pump(), 0);
    for (int round = 0; round < 3; round++) {
        struct virtio_console_connection *before = serial.last;
        for (int i = 0; i < 40 + round; i++) {
            serial_close();
            serial_open();
        }
        assert_true(serial_write("hello", 5));
        serial.event_count = 0;
        assert_true(serial.dropped > 0);
        assert_int_equal(serial_pump(), 0);
        assert_int_equal(statistics().resyncs, round + 1);
        assert_int_equal(serial_count(VIRTIO_CONSOLE_CLOSED, before), 1);
        virtio_console_close(before);
        assert_int_equal(serial_pump(), 0);
        for (size_t i = 0; i < serial.event_count; i++) {
            if (serial.events[i].event == VIRTIO_CONSOLE_CLOSED && serial.events[i].connection != before)
                virtio_console_close(serial.events[i].connection);
        }
        assert_int_equal(serial_pump(), 0);
        serial_expect(serial.last, "hello");
        assert_int_equal(virtio_console_send(serial.last, "x", 1), 1);
    }
    /* And none is there at the end. */
    struct virtio_console_connection *before = serial.last;
    for (int i = 0; i < 40; i++) {
        serial_close();
        serial_open();
    }
    serial_close();
    serial.on_event = NULL;
    assert_int_equal(serial_pump(), 0);
    virtio_console_close(before);
    for (size_t i = 0; i < serial.event_count; i++) {
        if (serial.events[i].event == VIRTIO_CONSOLE_CLOSED && serial.events[i].connection != before)
            virtio_console_close(serial.events[i].connection);
    }
    assert_int_equal(serial_pump(), 0);
    serial_check_service();
    serial_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port),
        cmocka_unit_test(test_open_from_the_start),
        cmocka_unit_test(test_no_multiport),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_one_buffer),
        cmocka_unit_test(test_copied),
        cmocka_unit_test(test_last_words),
        cmocka_unit_test(test_reset_and_next_one_waits),
        cmocka_unit_test(test_other_port_interferes),
        cmocka_unit_test(test_few_bytes),
        cmocka_unit_test(test_next_one_waits),
        cmocka_unit_test(test_unread_when_the_next_one_comes),
        cmocka_unit_test(test_owner_is_slow),
        cmocka_unit_test(test_close_first),
        cmocka_unit_test(test_answer_too_late),
        cmocka_unit_test(test_messages_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
