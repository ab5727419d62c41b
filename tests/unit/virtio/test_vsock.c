/* SPDX-License-Identifier: MIT
 *
 * The life of vsock connections, with a host that keeps to the standard.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_host.h"

static void test_create(void **state)
{
    (void)state;
    host_start();
    assert_true(vsock_guest_cid(host.vsock) == GUEST_CID);
    assert_int_equal(host.function->status, 15);
    assert_int_equal(host.function->queues[0].kicks, 1);
    assert_int_equal(fake_ring_available(&host.function->queues[0].ring), RECEIVE_BUFFERS);
    assert_int_equal(fake_ring_available(&host.function->queues[2].ring), EVENT_BUFFERS);
    host_expect_nothing();
    host_stop();
}

/* Each allocation and mapping in turn fails; nothing stays behind. */
static void test_create_without_memory(void **state)
{
    (void)state;
    long failures = 0;

    for (long n = 1;; n++) {
        host_prepare();
        fake_os.fail_at = n;
        int result = host_create(64, 65536);
        if (result == 0) {
            assert_true(fake_os.fail_at > 0); /* it never came that far */
            host_stop();
            break;
        }
        failures++;
        assert_int_equal(result, -ENOMEM);
        assert_int_equal(host.function->status, 0);
        fake_os_stop();
    }
    assert_true(failures > RECEIVE_BUFFERS + 10);
}

static void test_create_refuses(void **state)
{
    (void)state;
    static const uint64_t bad_cids[] = {0, 1, 2, UINT32_MAX, 1ull << 32, UINT64_MAX};

    for (size_t i = 0; i < sizeof(bad_cids) / sizeof(bad_cids[0]); i++) {
        host_prepare();
        memcpy(host.function->device_config, &bad_cids[i], 8);
        assert_int_equal(host_create(64, 65536), -EIO);
        fake_os_stop();
    }
    for (unsigned queue = 0; queue < 3; queue++) {
        host_prepare();
        host.function->queues[queue].size_max = 0;
        assert_int_equal(host_create(64, 65536), -ENOENT);
        fake_os_stop();
    }
    for (unsigned queue = 0; queue < 2; queue++) { /* header and payload need a descriptor each */
        host_prepare();
        host.function->queues[queue].size_max = 1;
        assert_int_equal(host_create(64, 65536), -EIO);
        fake_os_stop();
    }
    host_prepare();
    assert_int_equal(host_create(0, 65536), -EINVAL);
    fake_os_stop();
    host_prepare();
    assert_int_equal(host_create(64, 0), -EINVAL);
    fake_os_stop();
    host_prepare();
    assert_int_equal(host_create(64, 1ull << 32), -EINVAL);
    fake_os_stop();
    host_prepare();
    host.function->config[2] = 0x40 + VIRTIO_ID_FS;
    assert_int_equal(host_create(64, 65536), -EINVAL);
    fake_os_stop();
    host_prepare();
    fake_os.vectors_max = 0;
    assert_int_equal(host_create(64, 65536), -ENOSPC);
    fake_os_stop();
    host_prepare();
    host.function->generation_spins = true;
    assert_int_equal(host_create(64, 65536), -EAGAIN);
    fake_os_stop();
    host_prepare();
    host.function->refuses_start = true;
    assert_int_equal(host_create(64, 65536), -EIO);
    fake_os_stop();
}

static void test_small_queues(void **state)
{
    (void)state;
    host_prepare();
    for (unsigned queue = 0; queue < 3; queue++)
        host.function->queues[queue].size_max = 2;
    assert_int_equal(host_create(64, 65536), 0);
    assert_int_equal(vsock_listen(host.vsock, GUEST_PORT), 0);
    assert_int_equal(host_pump(), 0);
    for (uint32_t i = 0; i < 100; i++)
        host_check_service(HOST_PORT + i);
    host_stop();
}

static void test_listen(void **state)
{
    (void)state;
    host_start();
    assert_int_equal(vsock_listen(host.vsock, GUEST_PORT), -EADDRINUSE);
    assert_int_equal(vsock_listen(host.vsock, UINT32_MAX), -EINVAL);
    for (uint32_t port = 1; port < VSOCK_PORTS_MAX; port++)
        assert_int_equal(vsock_listen(host.vsock, port), 0);
    assert_int_equal(vsock_listen(host.vsock, 99), -ENOSPC);
    host_stop();
}

static void test_accept_and_talk(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    assert_true(vsock_peer_cid(connection) == VSOCK_CID_HOST);
    assert_int_equal(vsock_peer_port(connection), HOST_PORT);
    assert_int_equal(vsock_local_port(connection), GUEST_PORT);
    vsock_set_context(connection, &host);
    assert_ptr_equal(vsock_get_context(connection), &host);

    uint8_t bytes[16];
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), -EAGAIN);
    struct vsock_header header = host_header(VSOCK_OP_RW);
    header.length = 5;
    host_exchange(&header, "hello");
    assert_int_equal(host_count(VSOCK_READABLE, connection), 1);
    assert_int_equal(vsock_receive(connection, bytes, 0), 0);
    assert_int_equal(vsock_receive(connection, bytes, 2), 2);
    assert_int_equal(vsock_receive(connection, bytes + 2, 14), 3);
    assert_memory_equal(bytes, "hello", 5);
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), -EAGAIN);
    host_expect_nothing();

    assert_int_equal(vsock_send(connection, "welcome", 7), 7);
    assert_int_equal(host.function->queues[1].kicks, 2); /* RESPONSE and this */
    struct packet packet = host_expect(VSOCK_OP_RW, HOST_PORT);
    assert_int_equal(packet.header.length, 7);
    assert_int_equal(packet.header.forward_count, 5);
    assert_int_equal(packet.header.buffer_size, 65536);
    assert_memory_equal(packet.payload, "welcome", 7);

    struct vsock_statistics statistics;
    vsock_get_statistics(host.vsock, &statistics);
    assert_int_equal(statistics.connections, 1);
    assert_int_equal(statistics.accepted, 1);
    assert_int_equal(statistics.refused, 0);
    assert_int_equal(statistics.packets_received, 2);
    assert_int_equal(statistics.packets_sent, 2);
    assert_int_equal(statistics.bytes_received, 5);
    assert_int_equal(statistics.bytes_sent, 7);
    assert_int_equal(statistics.malformed, 0);
    host_stop();
}

/* Buffers go back at once, but the device hears of them only when half of them have. */
static void test_few_kicks(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct fake_queue *queue = &host.function->queues[0];
    struct vsock_header header = host_header(VSOCK_OP_RW);
    header.length = 1;

    unsigned before = queue->kicks;
    for (unsigned i = 0; i < 4 * RECEIVE_BUFFERS; i++) {
        fake_ring_want_next(&queue->ring);
        host_exchange(&header, "x");
        assert_int_equal(fake_ring_available(&queue->ring), RECEIVE_BUFFERS);
    }
    assert_int_equal(queue->kicks - before, 8);
    assert_int_equal(host_count(VSOCK_READABLE, connection), 4 * RECEIVE_BUFFERS);

    /* One that has used them all, and waits, is told at once. */
    before = queue->kicks;
    for (unsigned i = 0; i < RECEIVE_BUFFERS; i++)
        host_send(&header, "x");
    fake_ring_want_kick(&queue->ring, true);
    assert_int_equal(fake_ring_available(&queue->ring), 0);
    assert_int_equal(host_pump(), 0);
    assert_int_equal(queue->kicks - before, 1);
    assert_int_equal(fake_ring_available(&queue->ring), RECEIVE_BUFFERS);
    host_stop();
}

static void test_guest_closes(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    assert_int_equal(vsock_send(connection, "bye", 3), 3);
    host_forget_events();
    vsock_close(connection);
    host_expect(VSOCK_OP_RW, HOST_PORT); /* what was sent comes first */
    assert_int_equal(host_expect(VSOCK_OP_SHUTDOWN, HOST_PORT).header.flags, VSOCK_SHUTDOWN_BOTH);

    /* Data on its way, and its credit, are of no interest any more. */
    struct vsock_header header = host_header(VSOCK_OP_RW);
    header.length = 5;
    header.forward_count = 3;
    host_exchange(&header, "hello");
    host_expect_nothing();
    header = host_header(VSOCK_OP_RST);
    host_exchange(&header, NULL);
    host_expect_nothing();
    assert_int_equal(host.vsock->connection_count, 0);
    assert_int_equal(host.event_count, 0);
    assert_int_equal(host.vsock->statistics.malformed, 0);
    host_stop();
}

static void test_both_close(void **state)
{
    (void)state;
    host_start();
    vsock_close(host_connect(HOST_PORT));
    host_expect(VSOCK_OP_SHUTDOWN, HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_SHUTDOWN);
    header.flags = VSOCK_SHUTDOWN_BOTH;
    host_exchange(&header, NULL);
    host_expect(VSOCK_OP_RST, HOST_PORT);
    assert_int_equal(host.vsock->connection_count, 0);
    host_stop();
}

static void test_host_closes(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_RW);
    uint8_t bytes[8];

    header.length = 4;
    host_exchange(&header, "last");
    header = host_header(VSOCK_OP_SHUTDOWN);
    header.flags = VSOCK_SHUTDOWN_BOTH;
    host_exchange(&header, NULL);
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), 4);
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), 0);
    assert_int_equal(vsock_send(connection, "x", 1), -EPIPE);
    host_expect_nothing();
    vsock_close(connection);
    host_expect(VSOCK_OP_RST, HOST_PORT);
    assert_int_equal(host.vsock->connection_count, 0);
    host_stop();
}

/* The host ends its half; the answer still reaches it. */
static void test_half_close(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_SHUTDOWN);
    uint8_t bytes[8];

    header.flags = VSOCK_SHUTDOWN_SEND;
    host_exchange(&header, NULL);
    assert_int_equal(host_count(VSOCK_READABLE, connection), 1);
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), 0);
    assert_int_equal(vsock_send(connection, "answer", 6), 6);
    host_expect(VSOCK_OP_RW, HOST_PORT);

    assert_int_equal(vsock_shutdown_send(connection), 0);
    assert_int_equal(vsock_shutdown_send(connection), 0);
    assert_int_equal(host_expect(VSOCK_OP_SHUTDOWN, HOST_PORT).header.flags, VSOCK_SHUTDOWN_SEND);
    host_expect_nothing();
    assert_int_equal(vsock_send(connection, "x", 1), -EPIPE);

    /* Both halves have ended, but neither side said that it does not receive: the close goes on with
     * SHUTDOWN. */
    vsock_close(connection);
    assert_int_equal(host_expect(VSOCK_OP_SHUTDOWN, HOST_PORT).header.flags, VSOCK_SHUTDOWN_BOTH);
    header = host_header(VSOCK_OP_RST);
    host_exchange(&header, NULL);
    assert_int_equal(host.vsock->connection_count, 0);
    host_stop();
}

/* RST after the end of the stream takes nothing away from a reader. */
static void test_reset_after_end(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_SHUTDOWN);
    uint8_t byte = 0;

    header.flags = VSOCK_SHUTDOWN_SEND;
    host_exchange(&header, NULL);
    header = host_header(VSOCK_OP_RST);
    host_exchange(&header, NULL);
    assert_int_equal(host_count(VSOCK_RESET, connection), 1);
    assert_int_equal(vsock_receive(connection, &byte, 1), 0);
    assert_int_equal(vsock_send(connection, &byte, 1), -ECONNRESET);
    vsock_abort(connection);
    host_expect_nothing();
    host_stop();
}

/* A writer that waits learns that nobody will read. */
static void test_peer_stops_receiving(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_SHUTDOWN);

    header.flags = VSOCK_SHUTDOWN_RECEIVE;
    host_exchange(&header, NULL);
    assert_int_equal(host_count(VSOCK_WRITABLE, connection), 1);
    assert_int_equal(vsock_send(connection, "x", 1), -EPIPE);
    header.flags = 0; /* does not take it back */
    host_exchange(&header, NULL);
    assert_int_equal(vsock_send(connection, "x", 1), -EPIPE);
    assert_int_equal(host_count(VSOCK_WRITABLE, connection), 1);
    header = host_header(VSOCK_OP_RW);
    header.length = 1;
    host_exchange(&header, "y");
    uint8_t byte = 0;
    assert_int_equal(vsock_receive(connection, &byte, 1), 1);
    host_stop();
}

static void test_peer_resets(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_RW);
    uint8_t bytes[8];

    header.length = 4;
    host_exchange(&header, "last");
    header = host_header(VSOCK_OP_RST);
    host_exchange(&header, NULL);
    assert_int_equal(host_count(VSOCK_RESET, connection), 1);
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), 4);
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), -ECONNRESET);
    assert_int_equal(vsock_send(connection, "x", 1), -ECONNRESET);
    assert_int_equal(vsock_shutdown_send(connection), -ECONNRESET);

    /* The same peer may come back while the dead one is still held. */
    struct vsock_connection *again = host_connect(HOST_PORT);
    assert_ptr_not_equal(again, connection);
    vsock_close(connection);
    host_expect_nothing();
    assert_int_equal(host.vsock->connection_count, 1);
    vsock_abort(again);
    host_expect(VSOCK_OP_RST, HOST_PORT);
    assert_int_equal(host.vsock->connection_count, 0);
    host_stop();
}

static void test_close_times_out(void **state)
{
    (void)state;
    host_start();
    vsock_close(host_connect(HOST_PORT));
    host_expect(VSOCK_OP_SHUTDOWN, HOST_PORT);
    vsock_close(host_connect(HOST_PORT + 1));
    host_expect(VSOCK_OP_SHUTDOWN, HOST_PORT + 1);
    host_expect_nothing();
    fake_os.now += 7900000;
    assert_int_equal(vsock_poll(host.vsock), 0);
    host_expect_nothing();
    assert_int_equal(host.vsock->connection_count, 2);
    fake_os.now += 200000;
    assert_int_equal(vsock_poll(host.vsock), 0);
    host_expect(VSOCK_OP_RST, HOST_PORT);
    host_expect(VSOCK_OP_RST, HOST_PORT + 1);
    assert_int_equal(host.vsock->connection_count, 0);
    assert_true(host.vsock->next_deadline == UINT64_MAX || vsock_poll(host.vsock) == 0);
    host_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_create_without_memory),
        cmocka_unit_test(test_create_refuses),
        cmocka_unit_test(test_small_queues),
        cmocka_unit_test(test_listen),
        cmocka_unit_test(test_accept_and_talk),
        cmocka_unit_test(test_few_kicks),
        cmocka_unit_test(test_guest_closes),
        cmocka_unit_test(test_both_close),
        cmocka_unit_test(test_host_closes),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_reset_after_end),
        cmocka_unit_test(test_peer_stops_receiving),
        cmocka_unit_test(test_peer_resets),
        cmocka_unit_test(test_close_times_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
