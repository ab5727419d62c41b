/* SPDX-License-Identifier: MIT
 *
 * vsock and its transmit ring: full, shared fairly, without memory, for longer than its indices count.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_host.h"

static uint8_t pattern(uint64_t position)
{
    return (uint8_t)(position * 31 + (position >> 8));
}

static uint8_t bulk[1 << 20];

static void fill_bulk(void)
{
    for (size_t i = 0; i < sizeof(bulk); i++)
        bulk[i] = pattern(i);
}

/* The host takes nothing: the ring fills, control packets wait in their connections, and none is lost. */
static void test_full_ring_loses_no_control(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connections[40];
    struct vsock_header header = host_header(VSOCK_OP_CREDIT_UPDATE);
    static const uint8_t small[100];

    for (uint32_t i = 0; i < 40; i++)
        connections[i] = host_connect(HOST_PORT + i);
    assert_int_equal(host_pump(), 0);
    while (vsock_send(connections[0], small, sizeof(small)) > 0)
        continue;
    assert_int_equal(virtio_queue_free_descriptors(host.vsock->transmit_queue), 0);

    /* Closes, aborts, requests for credit and new connections. */
    for (uint32_t i = 10; i < 20; i++)
        vsock_close(connections[i]);
    for (uint32_t i = 20; i < 30; i++)
        vsock_abort(connections[i]);
    for (uint32_t i = 30; i < 40; i++) {
        header = host_header(VSOCK_OP_CREDIT_REQUEST);
        header.source_port = HOST_PORT + i;
        for (int again = 0; again < 5; again++)
            host_exchange(&header, NULL);
    }
    header = host_header(VSOCK_OP_REQUEST);
    for (uint32_t i = 40; i < 50; i++) {
        header.source_port = HOST_PORT + i;
        host_exchange(&header, NULL);
    }
    /* Before the peer has heard of the connection, it must not see its data. */
    assert_int_equal(vsock_send(host.last, small, sizeof(small)), 0);
    assert_int_equal(host.vsock->connection_count, 50);

    /* Each once, in the order in which they became due. */
    size_t counts[8] = {0};
    struct packet packet;
    for (int round = 0; round < 10; round++) {
        while (host_take(&packet)) {
            assert_true(packet.header.operation < 8);
            counts[packet.header.operation]++;
        }
        assert_int_equal(host_pump(), 0);
    }
    assert_int_equal(counts[VSOCK_OP_SHUTDOWN], 10);
    assert_int_equal(counts[VSOCK_OP_RST], 10);
    assert_int_equal(counts[VSOCK_OP_CREDIT_UPDATE], 10);
    assert_int_equal(counts[VSOCK_OP_RESPONSE], 10);
    assert_int_equal(host.vsock->connection_count, 40); /* those that were aborted are gone */
    assert_int_equal(host_count(VSOCK_WRITABLE, connections[0]), 1);
    assert_int_equal(host_count(VSOCK_WRITABLE, host.last), 1);
    host_stop();
}

/* Packets for nobody are all answered, however many come while the host takes nothing. */
static void test_full_ring_loses_no_refusal(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_REQUEST);
    static const uint8_t small[100];
    struct packet packet;
    uint32_t sent = 0;
    uint32_t answered = 0;

    assert_int_equal(host_pump(), 0);
    while (vsock_send(connection, small, sizeof(small)) > 0)
        continue;
    header.destination_port = 1;
    for (; fake_ring_available(&host.function->queues[0].ring) > 0; sent++) {
        header.source_port = 70000 + sent;
        host_exchange(&header, NULL);
    }
    /* Those that the guest has noted, and those that it leaves in the ring until there is place for notes. */
    assert_int_equal(host.vsock->reset_count, VSOCK_RESETS_MAX);
    assert_int_equal(sent, VSOCK_RESETS_MAX + RECEIVE_BUFFERS);

    while (host_take(&packet) || answered < sent) {
        if (packet.header.operation == VSOCK_OP_RST) {
            assert_int_equal(packet.header.destination_port, 70000 + answered);
            assert_int_equal(packet.header.source_port, 1);
            answered++;
        }
        assert_int_equal(host_pump(), 0);
    }
    assert_int_equal(answered, sent);
    assert_int_equal(fake_ring_available(&host.function->queues[0].ring), RECEIVE_BUFFERS);
    host_stop();
}

/* Everyone sends as much as there is room for; nobody is left behind. */
static size_t delivered[8];

static void send_more(enum vsock_event event, struct vsock_connection *connection)
{
    if (event == VSOCK_WRITABLE)
        assert_true(vsock_send(connection, bulk, sizeof(bulk)) >= 0);
}

static void test_fair_sending(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connections[8];
    struct packet packet;

    memset(delivered, 0, sizeof(delivered));
    for (uint32_t i = 0; i < 8; i++)
        connections[i] = host_connect(HOST_PORT + i);
    assert_int_equal(host_pump(), 0);
    for (uint32_t i = 0; i < 8; i++)
        connections[i]->peer_buffer_size = UINT32_MAX;
    host.on_event = send_more;
    for (uint32_t i = 0; i < 8; i++)
        vsock_send(connections[i], bulk, sizeof(bulk));
    assert_true(fake_os.bytes_peak < 1u << 20);

    size_t total = 0;
    for (int round = 0; round < 2000; round++) {
        if (host_take(&packet)) {
            assert_int_equal(packet.header.operation, VSOCK_OP_RW);
            delivered[packet.header.destination_port - HOST_PORT] += packet.header.length;
            total += packet.header.length;
        }
        assert_int_equal(host_pump(), 0);
    }
    for (uint32_t i = 0; i < 8; i++)
        assert_true(delivered[i] > total / 16);
    host_stop();
}

/* The memory of what was sent comes back without anyone calling: a large backlog asks for an interrupt. */
static void test_transmit_memory_comes_back(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    size_t before = fake_os.bytes;

    assert_int_equal(vsock_send(connection, bulk, 60000), 60000);
    assert_true(fake_os.bytes - before > 50000);
    assert_true(host_drain() > 0);
    assert_int_equal(host_pump(), 0);
    assert_int_equal(fake_os.bytes, before);

    /* A short exchange allocates nothing at all. */
    long requests = fake_os.requests;
    for (int i = 0; i < 4; i++)
        assert_int_equal(vsock_send(connection, bulk, 1000), 1000);
    host_drain();
    assert_int_equal(fake_os.requests, requests);
    host_stop();
}

/* No memory: data still gets out, a little at a time. */
static void test_send_without_memory(void **state)
{
    (void)state;
    host_start();
    fill_bulk();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct packet packet;
    size_t received = 0;
    size_t sent = 0;

    fake_os.fail_all = true;
    while (received < 60000) {
        int64_t count = vsock_send(connection, bulk + sent, 60000 - sent);
        assert_true(count >= 0);
        sent += (size_t)count;
        host_forget_events();
        while (host_take(&packet)) {
            assert_memory_equal(packet.payload, bulk + received, packet.header.length);
            received += packet.header.length;
        }
        assert_int_equal(host_pump(), 0);
        assert_int_equal(host_count(VSOCK_WRITABLE, connection), sent < 60000);
    }
    assert_int_equal(sent, 60000);

    /* No memory for what comes in ends that connection, with a warning, and no other. */
    struct vsock_header header = host_header(VSOCK_OP_RW);
    header.length = 4;
    header.forward_count = 60000;
    host_exchange(&header, "lost");
    assert_int_equal(host_count(VSOCK_RESET, connection), 1);
    host_expect(VSOCK_OP_RST, HOST_PORT);
    assert_true(fake_os.log_lines[VIRTIO_LOG_WARNING] > 0);

    /* Nor a new one. */
    header = host_header(VSOCK_OP_REQUEST);
    header.source_port = HOST_PORT + 1;
    host_exchange(&header, NULL);
    host_expect(VSOCK_OP_RST, HOST_PORT + 1);
    struct vsock_connection *none = NULL;
    assert_int_equal(vsock_connect(host.vsock, VSOCK_CID_HOST, 1, &none), -ENOMEM);
    fake_os.fail_all = false;
    host_check_service(HOST_PORT + 2);
    host_stop();
}

/* More packets than the ring indices can count, both ways at once. */
static void test_100000_packets(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_RW);
    static struct packet packet;
    uint32_t received = 0;

    header.length = sizeof(uint32_t);
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t value = 0;
        header.forward_count = received;
        host_exchange(&header, &i);
        assert_int_equal(vsock_receive(connection, &value, sizeof(value)), sizeof(value));
        assert_int_equal(value, i);
        assert_int_equal(vsock_send(connection, &value, sizeof(value)), sizeof(value));
        while (host_take(&packet) && packet.header.operation != VSOCK_OP_RW)
            continue;
        assert_memory_equal(packet.payload, &i, sizeof(i));
        received += packet.header.length;
    }
    host_drain();
    assert_int_equal(host.vsock->statistics.packets_received, 100001);
    host_stop();
}

/* Without the optional ring features. */
static void test_without_ring_features(void **state)
{
    (void)state;
    host_prepare();
    host.function->offered = 1ull << 32;
    assert_int_equal(host_create(64, 65536), 0);
    assert_int_equal(vsock_listen(host.vsock, GUEST_PORT), 0);
    assert_int_equal(host_pump(), 0);
    for (uint32_t i = 0; i < 1000; i++)
        host_check_service(HOST_PORT + i);
    host_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_ring_loses_no_control),
        cmocka_unit_test(test_full_ring_loses_no_refusal),
        cmocka_unit_test(test_fair_sending),
        cmocka_unit_test(test_transmit_memory_comes_back),
        cmocka_unit_test(test_send_without_memory),
        cmocka_unit_test(test_100000_packets),
        cmocka_unit_test(test_without_ring_features),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
