/* SPDX-License-Identifier: MIT
 *
 * A vsock device that breaks, or floods its driver.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_host.h"

static void host_restart(void)
{
    host_stop();
    host_start();
}

/* The rings break: poll says so, and all comes back. */
static void test_broken_rings(void **state)
{
    (void)state;
    struct fake_chain chain;

    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    assert_true(fake_ring_take(&host.function->queues[0].ring, &chain));
    fake_ring_use(&host.function->queues[0].ring, chain.id, sizeof(struct vsock_header) + RECEIVE_SIZE + 1);
    assert_int_equal(host_pump(), -EIO);
    assert_int_equal(vsock_poll(host.vsock), -EIO);
    assert_int_equal(vsock_send(connection, "x", 1), -ECONNRESET);
    vsock_close(connection);

    host_restart();
    fake_ring_skip(&host.function->queues[1].ring, 1);
    assert_int_equal(vsock_poll(host.vsock), -EIO);
    host_restart();
    fake_ring_use(&host.function->queues[2].ring, 1000, 0);
    assert_int_equal(vsock_poll(host.vsock), -EIO);

    /* A send that finds a broken ring does not loop; the poll tells. */
    host_restart();
    connection = host_connect(HOST_PORT);
    fake_ring_use(&host.function->queues[1].ring, TRANSMIT_SLOTS, 0);
    static uint8_t bytes[65536];
    for (int i = 0; i < 100; i++)
        assert_true(vsock_send(connection, bytes, 1000) >= 0);
    assert_int_equal(vsock_poll(host.vsock), -EIO);
    host_stop();
}

static void test_device_wants_reset(void **state)
{
    (void)state;
    host_start();
    fake_pci_interrupt(host.function, host.function->config_vector);
    assert_int_equal(host_pump(), 0); /* nothing is wrong */
    host.function->status |= 64;
    fake_pci_interrupt(host.function, host.function->config_vector);
    assert_int_equal(host_pump(), -EIO);
    host_restart();
    host.function->gone = true;
    fake_pci_interrupt(host.function, host.function->config_vector);
    assert_int_equal(host_pump(), -EIO);
    host.function->gone = false;
    host_stop();
}

/* A flood does not hold the CPU: poll returns, and asks to be called again. */
static bool flood;

static void feed(enum vsock_event event, struct vsock_connection *connection)
{
    uint8_t byte = 0;
    struct vsock_header header = host_header(VSOCK_OP_RW);

    if (event != VSOCK_READABLE || !flood)
        return;
    while (vsock_receive(connection, &byte, 1) > 0)
        continue;
    header.length = 1;
    host_send(&header, "x"); /* the host always has one more */
}

static void test_flood(void **state)
{
    (void)state;
    host_start();
    struct vsock_header header = host_header(VSOCK_OP_RW);

    host_connect(HOST_PORT);
    host.on_event = feed;
    flood = true;
    header.length = 1;
    host_send(&header, "x");
    host.wakes = 0;
    assert_int_equal(vsock_poll(host.vsock), 0);
    assert_int_equal(host.wakes, 1);
    assert_in_range(host.event_count, 100, 300);
    flood = false;
    assert_int_equal(vsock_poll(host.vsock), 0);
    assert_int_equal(host.wakes, 1);
    host_stop();
}

/* A flood of bad packets is not a flood of log lines. */
static void test_log_is_not_flooded(void **state)
{
    (void)state;
    host_start();
    struct vsock_header header = host_header(VSOCK_OP_REQUEST);
    size_t lines = fake_os.log_lines[VIRTIO_LOG_WARNING];

    header.destination_cid = 999;
    for (int i = 0; i < 10000; i++)
        host_exchange(&header, NULL);
    assert_int_equal(host.vsock->statistics.malformed, 10000);
    assert_in_range(fake_os.log_lines[VIRTIO_LOG_WARNING] - lines, 1, 20);
    host_stop();
}

/* Each allocation of a connection's life fails in turn: the connection may end, the device serves on. */
static void test_every_allocation_fails(void **state)
{
    (void)state;
    static uint8_t bytes[40000];
    long n = 1;

    host_start();
    for (long left = 0; left == 0; n++) {
        struct vsock_header header = host_header(VSOCK_OP_REQUEST);
        header.source_port = HOST_PORT + (uint32_t)n;
        fake_os.fail_at = n;
        host_exchange(&header, NULL);
        header.operation = VSOCK_OP_RW;
        header.length = 3000;
        for (int i = 0; i < 3; i++)
            host_exchange(&header, bytes);
        if (host.vsock->connection_count > 0) {
            (void)vsock_receive(host.last, bytes, sizeof(bytes));
            (void)vsock_send(host.last, bytes, sizeof(bytes));
            vsock_abort(host.last);
        }
        left = fake_os.fail_at;
        fake_os.fail_at = 0;
        (void)host_drain();
        assert_int_equal(host_pump(), 0);
        assert_int_equal(host.vsock->connection_count, 0);
        host_check_service(HOST_PORT);
    }
    assert_in_range(n, 5, 20);
    host_stop();
}

/* A device that is told of packets and does not take them. */
static void test_stall(void **state)
{
    (void)state;
    struct packet packet;

    host_start();
    assert_true(vsock_stalled_since(host.vsock) == UINT64_MAX);
    struct vsock_connection *connection = host_connect(HOST_PORT);
    assert_int_equal(vsock_poll(host.vsock), 0);
    assert_true(vsock_stalled_since(host.vsock) == UINT64_MAX);

    uint64_t before = fake_os.now;
    assert_int_equal(vsock_send(connection, "a", 1), 1);
    uint64_t first = vsock_stalled_since(host.vsock);
    assert_in_range(first, before, fake_os.now);
    fake_os.now += 5000000;
    assert_int_equal(vsock_send(connection, "b", 1), 1); /* more of them: it is still the first one */
    assert_int_equal(vsock_poll(host.vsock), 0);
    assert_true(vsock_stalled_since(host.vsock) == first);

    /* It is told again, even where it does not want to be told. */
    fake_ring_want_kick(&host.function->queues[1].ring, false);
    unsigned kicks = host.function->queues[1].kicks;
    vsock_remind(host.vsock);
    assert_int_equal(host.function->queues[1].kicks, kicks + 1);

    /* One of two: that is progress. */
    assert_true(host_take(&packet));
    assert_int_equal(vsock_poll(host.vsock), 0);
    assert_true(vsock_stalled_since(host.vsock) > first + 4000000);
    assert_true(vsock_stalled_since(host.vsock) != UINT64_MAX);
    assert_true(host_take(&packet));
    assert_int_equal(vsock_poll(host.vsock), 0);
    assert_true(vsock_stalled_since(host.vsock) == UINT64_MAX);

    fake_ring_skip(&host.function->queues[1].ring, 1);
    assert_int_equal(vsock_poll(host.vsock), -EIO);
    kicks = host.function->queues[1].kicks;
    vsock_remind(host.vsock); /* of a broken queue: nothing */
    assert_int_equal(host.function->queues[1].kicks, kicks);
    host_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_fails), cmocka_unit_test(test_broken_rings),
        cmocka_unit_test(test_device_wants_reset),     cmocka_unit_test(test_flood),
        cmocka_unit_test(test_log_is_not_flooded),     cmocka_unit_test(test_stall),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
