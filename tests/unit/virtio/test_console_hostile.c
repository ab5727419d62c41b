/* SPDX-License-Identifier: MIT
 *
 * Output that nobody takes; hosts that lie in every field, flood, or break; memory that is not there.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_serial.h"

static uint8_t bytes[TRANSMIT_SLOTS * TRANSMIT_SIZE + 100], got[sizeof(bytes)];

static struct virtio_console_statistics statistics(void)
{
    struct virtio_console_statistics result;
    virtio_console_get_statistics(serial.console, &result);
    return result;
}

static void start_connected(void)
{
    serial_start();
    serial_open();
    assert_int_equal(serial_pump(), 0);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
}

/* ---- output ---- */

/* More than fits: the rest is taken when there is room, and nothing changes on the way. */
static void test_writable(void **state)
{
    (void)state;
    const size_t room = (size_t)TRANSMIT_SLOTS * TRANSMIT_SIZE;

    start_connected();
    for (int round = 0; round < 20; round++) {
        assert_int_equal(virtio_console_send(serial.last, bytes, sizeof(bytes)), room);
        assert_int_equal(virtio_console_send(serial.last, bytes + room, 100), 0);
        assert_int_equal(serial_pump(), 0);
        assert_int_equal(serial_count(VIRTIO_CONSOLE_WRITABLE, NULL), 0);
        assert_int_equal(serial_read(got, sizeof(got)), room);
        assert_memory_equal(got, bytes, room);
        assert_int_equal(serial_pump(), 0);
        assert_int_equal(serial_count(VIRTIO_CONSOLE_WRITABLE, serial.last), 1);
        serial.event_count = 0;
        assert_int_equal(virtio_console_send(serial.last, bytes + room, 100), 100);
        assert_int_equal(serial_read(got, sizeof(got)), 100);
        assert_memory_equal(got, bytes + room, 100);
    }
    assert_int_equal(virtio_console_send(serial.last, bytes, 0), 0);
    serial_stop();
}

/* The device's ring is smaller than ours would be. */
static void test_small_ring(void **state)
{
    (void)state;
    serial_prepare();
    fake_mmio.queues[5].size_max = 2;
    assert_int_equal(serial_create(), 0);
    serial.host_connected = true;
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(virtio_console_send(serial.last, bytes, sizeof(bytes)), 2 * TRANSMIT_SIZE);
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(serial_count(VIRTIO_CONSOLE_WRITABLE, NULL), 0);
    assert_int_equal(serial_read(got, sizeof(got)), 2 * TRANSMIT_SIZE);
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(serial_count(VIRTIO_CONSOLE_WRITABLE, NULL), 1);
    serial_stop();
}

/* Clients that do not read and leave: QEMU forgets the chain that it had begun, more often than there are. */
static void test_forgotten_chains(void **state)
{
    (void)state;
    start_connected();
    for (int i = 0; i < 5 * TRANSMIT_SLOTS; i++) {
        struct virtio_console_connection *connection = serial.last;
        assert_int_equal(virtio_console_send(connection, bytes, 3 * TRANSMIT_SIZE), 3 * TRANSMIT_SIZE);
        serial_throttle();
        serial_close();
        serial_open();
        assert_int_equal(serial_pump(), 0);
        virtio_console_close(connection);
    }
    assert_int_equal(statistics().chains_lost, 5 * TRANSMIT_SLOTS);
    assert_int_equal(virtio_console_send(serial.last, "here", 4), 4);
    assert_int_equal(serial_read(got, sizeof(got)), 4);
    assert_memory_equal(got, "here", 4);
    serial_stop();
}

/* ---- lies ---- */

/* Messages that make no sense are counted, logged a few times, and change nothing. */
static void test_messages(void **state)
{
    (void)state;
    static const struct console_control messages[] = {
        {SERIAL_PORT, CONSOLE_PORT_ADD, 1}, {SERIAL_PORT, CONSOLE_PORT_OPEN, 2},  {SERIAL_PORT, 8, 1},
        {SERIAL_PORT, UINT16_MAX, 1},       {SERIAL_PORT, CONSOLE_PORT_READY, 1}, {SERIAL_PORT, 0, 0},
        {3, CONSOLE_PORT_OPEN, 1},          {3, CONSOLE_PORT_REMOVE, 1},          {3, CONSOLE_PORT_NAME, 1},
        {31, CONSOLE_PORT_ADD, 1},          {255, CONSOLE_PORT_OPEN, 0},
    };
    const size_t count = sizeof(messages) / sizeof(messages[0]);

    start_connected();
    for (size_t i = 0; i < count; i++) {
        serial_control(messages[i].port, messages[i].event, messages[i].value);
        assert_int_equal(serial_pump(), 0);
        assert_int_equal(statistics().malformed, i + 1);
    }
    for (uint32_t size = 0; size < 8; size++) {
        serial_control_raw(&messages[0], size, size);
        assert_int_equal(serial_pump(), 0);
    }
    assert_int_equal(statistics().malformed, count + 8);
    /* Legal, and not for us. */
    serial_control(9, CONSOLE_PORT_ADD, 1);
    serial_control(9, CONSOLE_PORT_OPEN, 1);
    serial_control(SERIAL_PORT, CONSOLE_RESIZE, 1);
    serial_control(SERIAL_PORT, CONSOLE_PORT_OPEN, 1); /* it is open */
    serial_control(0, CONSOLE_PORT_OPEN, 1);
    serial_port_name(0, SERIAL_NAME, 5); /* the name is taken */
    serial_port_name(0, SERIAL_NAME "x", 6);
    serial_port_name(0, "", 0);
    serial_port_name(0, "\0\0", 2);
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(statistics().malformed, count + 8);
    size_t lines = fake_os.log_lines[VIRTIO_LOG_WARNING], infos = fake_os.log_lines[VIRTIO_LOG_INFO];
    for (int i = 0; i < 10000; i++) {
        serial_control(SERIAL_PORT, 99, 1);
        serial_control(9, CONSOLE_PORT_ADD, 1);
        assert_int_equal(serial_pump(), 0);
    }
    assert_int_equal(fake_os.log_lines[VIRTIO_LOG_INFO] - infos, 0);
    assert_in_range(fake_os.log_lines[VIRTIO_LOG_WARNING] - lines, 1, 20);
    assert_int_equal(serial_count(VIRTIO_CONSOLE_CLOSED, NULL), 0);
    serial_close();
    assert_int_equal(serial_pump(), 0);
    virtio_console_close(serial.last);
    serial_check_service();
    serial_stop();
}

static void test_empty_buffer(void **state)
{
    (void)state;
    start_connected();
    assert_true(serial_write("", 0));
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(statistics().malformed, 1);
    serial_expect_error(serial.last, -EAGAIN);
    assert_true(serial_write("x", 1));
    assert_int_equal(serial_pump(), 0);
    serial_expect(serial.last, "x");
    serial_stop();
}

/* Other names, longer and shorter ones, never the right one. */
static void test_no_such_name(void **state)
{
    (void)state;
    static const char *const names[] = {"", "mcp", "mcp.00", "org.qemu.guest_agent.0"};

    for (size_t i = 0; i < 4; i++) {
        serial_prepare();
        serial.name = names[i];
        assert_int_equal(serial_create(), 0);
        assert_int_equal(serial_pump(), 0);
        serial_control(SERIAL_PORT, CONSOLE_PORT_OPEN, 1);
        assert_int_equal(serial_pump(), 0);
        assert_false(serial.guest_connected);
        assert_int_equal(serial.event_count, 0);
        serial_stop();
    }
}

/* The port is unplugged, and plugged in again; or plugged in elsewhere. */
static void test_unplugged(void **state)
{
    (void)state;
    start_connected();
    struct virtio_console_connection *connection = serial.last;
    serial.host_connected = false;
    serial_control(SERIAL_PORT, CONSOLE_PORT_REMOVE, 1);
    assert_int_equal(serial_pump(), 0);
    assert_int_equal(serial_count(VIRTIO_CONSOLE_CLOSED, connection), 1);
    assert_int_equal(virtio_console_send(connection, "x", 1), -ECONNRESET);
    virtio_console_close(connection);
    serial_control(SERIAL_PORT, CONSOLE_PORT_ADD, 1);
    assert_int_equal(serial_pump(), 0);
    serial_check_service();

    serial_control(SERIAL_PORT, CONSOLE_PORT_REMOVE, 1);
    serial_control(0, CONSOLE_PORT_REMOVE, 1);
    serial_control(4, CONSOLE_PORT_ADD, 1);
    serial.quiet = true;
    assert_int_equal(serial_pump(), 0);
    serial_port_name(4, SERIAL_NAME, 5);
    assert_int_equal(serial_pump(), -EIO);
    assert_int_equal(virtio_console_poll(serial.console), -EIO);
    serial_stop();
}

static void test_broken_rings(void **state)
{
    (void)state;
    static const struct {
        unsigned queue;
        uint32_t id, length;
    } lies[] = {{2, 40, 8}, {2, 0, CONTROL_SIZE + 1}, {3, 0, 0}, {4, 3, 1}, {5, 0, 0}, {5, 16, 0}};

    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        start_connected();
        fake_ring_use(&fake_mmio.queues[lies[i].queue].ring, lies[i].id, lies[i].length);
        assert_int_equal(virtio_console_poll(serial.console), -EIO);
        assert_int_equal(virtio_console_poll(serial.console), -EIO);
        assert_int_equal(virtio_console_send(serial.last, "x", 1), -ECONNRESET);
        serial_expect_error(serial.last, -ECONNRESET);
        virtio_console_close(serial.last);
        serial_stop();
    }
    /* Found by a send: the owner is woken, and told by the poll. */
    start_connected();
    fake_ring_use(&fake_mmio.queues[5].ring, 7, 0);
    serial.wakes = 0;
    assert_int_equal(virtio_console_send(serial.last, "x", 1), -ECONNRESET);
    assert_true(serial.wakes > 0);
    assert_int_equal(serial_pump(), -EIO);
    serial_stop();
}

static void test_device_wants_reset(void **state)
{
    (void)state;
    start_connected();
    fake_mmio_raise(2);
    assert_int_equal(serial_pump(), 0); /* nothing is wrong */
    fake_mmio.status |= 64;
    fake_mmio_raise(2);
    assert_int_equal(serial_pump(), -EIO);
    serial_stop();
}

/* Whenever it is told of one, the host sends another: poll returns, and asks to be called again. */
static void feed(enum virtio_console_event event, struct virtio_console_connection *connection)
{
    if (event == VIRTIO_CONSOLE_OPENED && fake_ring_available(&fake_mmio.queues[2].ring) >= 2) {
        virtio_console_close(connection);
        serial_control(SERIAL_PORT, CONSOLE_PORT_OPEN, 0);
        serial_control(SERIAL_PORT, CONSOLE_PORT_OPEN, 1);
    }
}

static void test_flood(void **state)
{
    (void)state;
    serial_start();
    serial.on_event = feed;
    serial_open();
    serial.wakes = 0;
    assert_int_equal(virtio_console_poll(serial.console), 0);
    assert_int_equal(serial.wakes, 1);
    assert_in_range(serial.event_count, 10, 200);
    serial.on_event = NULL;
    assert_int_equal(serial_pump(), 0);
    serial_stop();
}

/* ---- memory, and devices that lack something ---- */

static void test_every_allocation_fails(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        serial_prepare();
        fake_os.fail_at = n;
        int result = serial_create();
        long left = fake_os.fail_at;
        fake_os.fail_at = 0;
        if (result == 0) {
            /* None is asked for later; without memory for a table, a chain takes more of the ring. */
            fake_os.fail_all = true;
            assert_int_equal(serial_pump(), 0);
            serial_check_service();
        } else {
            assert_true(result == -ENOMEM || result == -ENODEV); /* the latter: no registers */
            assert_null(serial.console);
        }
        fake_os.fail_all = false;
        serial_stop();
        if (left > 0) {
            assert_int_equal(result, 0);
            assert_true(n > 20);
            break;
        }
    }
}

/* No indirect descriptors, no EVENT_IDX. */
static void test_plain_ring(void **state)
{
    (void)state;
    serial_prepare();
    fake_mmio.offered &= ~(VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX);
    assert_int_equal(serial_create(), 0);
    assert_int_equal(serial_pump(), 0);
    for (int i = 0; i < 50; i++)
        serial_check_service();
    serial_stop();
}

static void test_create_failures(void **state)
{
    (void)state;
    static const unsigned queues[] = {0, 1, 2, 3, 4, 5};

    for (size_t i = 0; i < 6; i++) {
        serial_prepare();
        fake_mmio.queues[queues[i]].size_max = 0;
        assert_int_equal(serial_create(), -ENOENT);
        serial_stop();
    }
    serial_prepare();
    fake_mmio.queues[2].size_max = 2; /* no room for one message */
    fake_mmio.offered &= ~VIRTIO_F_INDIRECT_DESC;
    assert_int_equal(serial_create(), -EINVAL);
    serial_stop();
    serial_prepare();
    fake_mmio.queues[4].size_max = 2; /* nor for data */
    assert_int_equal(serial_create(), -EINVAL);
    serial_stop();
    serial_prepare();
    fake_mmio.generation_spins = true;
    assert_int_equal(serial_create(), -EAGAIN);
    serial_stop();
    serial_prepare();
    fake_mmio.refuses_start = true;
    assert_int_equal(serial_create(), -EIO);
    serial_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writable),
        cmocka_unit_test(test_small_ring),
        cmocka_unit_test(test_forgotten_chains),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_empty_buffer),
        cmocka_unit_test(test_no_such_name),
        cmocka_unit_test(test_unplugged),
        cmocka_unit_test(test_broken_rings),
        cmocka_unit_test(test_device_wants_reset),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_every_allocation_fails),
        cmocka_unit_test(test_plain_ring),
        cmocka_unit_test(test_create_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
