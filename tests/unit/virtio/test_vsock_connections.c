/* SPDX-License-Identifier: MIT
 *
 * Connections from the guest, many connections at once, and what happens to all of them.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_host.h"

static void test_connect(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = NULL;

    assert_int_equal(vsock_connect(host.vsock, VSOCK_CID_HOST, 77, &connection), 0);
    struct packet request = host_expect(VSOCK_OP_REQUEST, 77);
    assert_int_equal(request.header.buffer_size, 65536);
    /* Nothing can be sent yet; when it can, the event says so. */
    assert_int_equal(vsock_send(connection, "early", 5), 0);
    assert_int_equal(vsock_shutdown_send(connection), -ENOTCONN);
    uint8_t bytes[8];
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), -EAGAIN);
    host_expect_nothing();

    struct vsock_header header = host_header(VSOCK_OP_RESPONSE);
    header.source_port = 77;
    header.destination_port = request.header.source_port;
    host_exchange(&header, NULL);
    assert_int_equal(host.event_count, 2);
    assert_int_equal(host.events[0].event, VSOCK_CONNECTED);
    assert_int_equal(host.events[1].event, VSOCK_WRITABLE);
    assert_int_equal(vsock_send(connection, "early", 5), 5);
    host_expect(VSOCK_OP_RW, 77);

    /* Another local port for each. */
    struct vsock_connection *second = NULL;
    assert_int_equal(vsock_connect(host.vsock, VSOCK_CID_HOST, 77, &second), 0);
    assert_int_not_equal(vsock_local_port(second), vsock_local_port(connection));
    host_expect(VSOCK_OP_REQUEST, 77);
    header.operation = VSOCK_OP_RST;
    header.destination_port = vsock_local_port(second);
    host_exchange(&header, NULL);
    assert_int_equal(host_count(VSOCK_RESET, second), 1);
    vsock_close(second);
    host_expect_nothing();

    /* Gives up by itself. */
    assert_int_equal(vsock_connect(host.vsock, VSOCK_CID_HOST, 78, &second), 0);
    host_expect(VSOCK_OP_REQUEST, 78);
    host_forget_events();
    fake_os.now += 2100000;
    assert_int_equal(vsock_poll(host.vsock), 0);
    assert_int_equal(host_count(VSOCK_RESET, second), 1);
    host_expect(VSOCK_OP_RST, 78);
    vsock_close(second);
    host_expect_nothing();

    /* The owner gives up. */
    assert_int_equal(vsock_connect(host.vsock, VSOCK_CID_HOST, 79, &second), 0);
    host_expect(VSOCK_OP_REQUEST, 79);
    vsock_close(second);
    host_expect(VSOCK_OP_RST, 79);
    assert_int_equal(host.vsock->connection_count, 1);
    host_stop();
}

/* An owner that sleeps until the deadline, or until it is woken, misses no time-out. */
static void test_deadline(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = NULL;

    assert_true(vsock_deadline(host.vsock) == UINT64_MAX);
    vsock_close(host_connect(HOST_PORT));
    assert_int_equal(host.wakes, 1);
    uint64_t close_at = vsock_deadline(host.vsock);
    assert_true(close_at > fake_os.now + 7900000 && close_at <= fake_os.now + 8000000);
    assert_int_equal(host_pump(), 0);
    host_expect(VSOCK_OP_SHUTDOWN, HOST_PORT);
    vsock_close(host_connect(HOST_PORT + 1)); /* later than the first: nobody needs to know */
    assert_int_equal(host.wakes, 0);
    assert_true(vsock_deadline(host.vsock) == close_at);

    assert_int_equal(vsock_connect(host.vsock, VSOCK_CID_HOST, 77, &connection), 0);
    assert_int_equal(host.wakes, 1);
    uint64_t connect_at = vsock_deadline(host.vsock);
    assert_true(connect_at > fake_os.now + 1900000 && connect_at <= fake_os.now + 2000000);
    fake_os.now = connect_at;
    assert_int_equal(host_pump(), 0);
    assert_int_equal(host_count(VSOCK_RESET, connection), 1);
    vsock_close(connection);
    assert_true(vsock_deadline(host.vsock) == close_at);
    for (int i = 0; i < 2; i++) {
        fake_os.now = vsock_deadline(host.vsock);
        assert_int_equal(vsock_poll(host.vsock), 0);
    }
    assert_true(vsock_deadline(host.vsock) == UINT64_MAX);
    assert_int_equal(host.vsock->connection_count, 0);
    host_drain();
    host_stop();
}

/* Ports that are listened on or in use are passed over, and the choice wraps. */
static void test_connect_ports(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = NULL;

    assert_int_equal(vsock_listen(host.vsock, 49153), 0);
    host.vsock->next_port = UINT32_MAX - 1;
    uint32_t expected[] = {UINT32_MAX - 1, 49152, 49154, 49155};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(vsock_connect(host.vsock, VSOCK_CID_HOST, 77, &connection), 0);
        assert_int_equal(vsock_local_port(connection), expected[i]);
    }
    host.vsock->next_port = 49152;
    assert_int_equal(vsock_connect(host.vsock, VSOCK_CID_HOST, 77, &connection), 0);
    assert_int_equal(vsock_local_port(connection), 49156);
    host_stop();
}

static void test_64_connections_and_one(void **state)
{
    (void)state;
    host_start();
    size_t before = fake_os.bytes;
    struct vsock_connection *connections[64];

    for (uint32_t i = 0; i < 64; i++)
        connections[i] = host_connect(HOST_PORT + i);
    assert_int_equal(host.vsock->connection_count, 64);
    /* What an idle connection costs. */
    assert_true(fake_os.bytes - before < 32768);

    struct vsock_header header = host_header(VSOCK_OP_REQUEST);
    header.source_port = HOST_PORT + 64;
    host_exchange(&header, NULL);
    host_expect(VSOCK_OP_RST, HOST_PORT + 64);
    assert_int_equal(host.vsock->statistics.refused, 1);
    struct vsock_connection *another = NULL;
    assert_int_equal(vsock_connect(host.vsock, VSOCK_CID_HOST, 1, &another), -ENOSPC);

    /* Each gets what is meant for it. */
    for (uint32_t i = 0; i < 64; i++) {
        header = host_header(VSOCK_OP_RW);
        header.source_port = HOST_PORT + i;
        header.length = sizeof(i);
        host_exchange(&header, &i);
    }
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t value = 0;
        assert_int_equal(vsock_receive(connections[i], &value, sizeof(value)), sizeof(value));
        assert_int_equal(value, i);
        assert_int_equal(vsock_send(connections[i], &value, sizeof(value)), sizeof(value));
        struct packet packet = host_expect(VSOCK_OP_RW, HOST_PORT + i);
        assert_memory_equal(packet.payload, &i, sizeof(i));
    }

    /* One leaves, one comes. */
    vsock_abort(connections[7]);
    host_expect(VSOCK_OP_RST, HOST_PORT + 7);
    connections[7] = host_connect(HOST_PORT + 64);
    for (uint32_t i = 0; i < 64; i++)
        vsock_abort(connections[i]);
    assert_int_equal(host_drain(), 64);
    assert_int_equal(host_pump(), 0);
    assert_int_equal(vsock_poll(host.vsock), 0);
    assert_int_equal(fake_os.bytes, before);
    host_stop();
}

static void test_transport_reset(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *first = host_connect(HOST_PORT);
    struct vsock_connection *second = host_connect(HOST_PORT + 1);
    vsock_close(host_connect(HOST_PORT + 2)); /* waits for RST, which will never come */
    host_expect(VSOCK_OP_SHUTDOWN, HOST_PORT + 2);

    host_forget_events();
    host.function->device_config[0] = 9;
    host_event(0);
    assert_int_equal(host_pump(), 0);
    assert_int_equal(host_count(VSOCK_RESET, first), 1);
    assert_int_equal(host_count(VSOCK_RESET, second), 1);
    assert_int_equal(host.event_count, 2);
    assert_true(vsock_guest_cid(host.vsock) == 9);
    assert_int_equal(host.vsock->connection_count, 2);
    assert_int_equal(host.vsock->statistics.transport_resets, 1);
    host_expect_nothing();
    vsock_close(first);
    vsock_abort(second);
    host_expect_nothing();
    assert_int_equal(host.vsock->connection_count, 0);

    struct vsock_header header = host_header(VSOCK_OP_REQUEST);
    header.destination_cid = 9;
    host_exchange(&header, NULL);
    assert_true(host_expect(VSOCK_OP_RESPONSE, HOST_PORT).header.source_cid == 9);

    /* Events that the standard does not know are nothing; more come than there are buffers. */
    for (int i = 0; i < 20; i++) {
        host_event(1);
        assert_int_equal(host_pump(), 0);
    }
    assert_int_equal(host.vsock->statistics.transport_resets, 1);

    /* A CID that is none. */
    host.function->device_config[0] = 2;
    host_event(0);
    assert_int_equal(host_pump(), -EIO);
    host_stop();
}

/* An owner that closes other connections in the middle of an event. */
static struct vsock_connection *victims[3];

static void close_all(enum vsock_event event, struct vsock_connection *connection)
{
    (void)connection;
    if (event != VSOCK_RESET && event != VSOCK_READABLE)
        return;
    for (size_t i = 0; i < 3; i++) {
        if (victims[i] != NULL)
            vsock_close(victims[i]);
        victims[i] = NULL;
    }
}

static void test_close_within_event(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        host_start();
        for (uint32_t i = 0; i < 3; i++)
            victims[i] = host_connect(HOST_PORT + i);
        host.on_event = close_all;
        if (round == 0) {
            host_event(0);
        } else {
            for (uint32_t i = 0; i < 3; i++) {
                struct vsock_header header = host_header(VSOCK_OP_RW);
                header.source_port = HOST_PORT + i;
                header.length = 1;
                host_send(&header, "x");
            }
        }
        host_forget_events();
        assert_int_equal(host_pump(), 0);
        assert_int_equal(host.event_count, 1);
        assert_int_equal(host.vsock->connection_count, round == 0 ? 0 : 3);
        host_stop();
    }
}

/* The owner lets a sibling in, and not everybody on the host. */
static unsigned asked;

static bool may_connect(void *context, uint64_t cid, uint32_t peer_port, uint32_t local_port)
{
    assert_ptr_equal(context, &host);
    assert_int_equal(local_port, GUEST_PORT);
    asked++;
    return cid == 77 || (cid == VSOCK_CID_HOST && peer_port < 1024);
}

static void test_owner_decides(void **state)
{
    (void)state;
    struct packet packet;

    host_prepare();
    host.accept = may_connect;
    assert_int_equal(host_create(64, 65536), 0);
    assert_int_equal(vsock_listen(host.vsock, GUEST_PORT), 0);
    asked = 0;

    (void)host_connect(1023);
    struct vsock_header header = host_header(VSOCK_OP_REQUEST);
    host_exchange(&header, NULL);
    host_expect(VSOCK_OP_RST, HOST_PORT); /* and nothing before it */
    host_expect_nothing();
    assert_int_equal(asked, 2);

    header.source_cid = 78;
    host_exchange(&header, NULL);
    assert_true(host_take(&packet));
    assert_int_equal(packet.header.operation, VSOCK_OP_RST);
    assert_true(packet.header.destination_cid == 78);
    header.source_cid = 77;
    host_exchange(&header, NULL);
    assert_true(host_take(&packet));
    assert_int_equal(packet.header.operation, VSOCK_OP_RESPONSE);
    assert_true(packet.header.destination_cid == 77);
    assert_true(vsock_peer_cid(host.last) == 77);
    struct vsock_statistics statistics;
    vsock_get_statistics(host.vsock, &statistics);
    assert_int_equal(statistics.accepted, 2);
    assert_int_equal(statistics.refused, 2);

    /* Nobody is asked about a port that nobody listens on. */
    header.destination_port = GUEST_PORT + 1;
    asked = 0;
    host_exchange(&header, NULL);
    assert_int_equal(host_drain(), 1);
    assert_int_equal(asked, 0);

    /* The guest itself is a peer like others. */
    struct vsock_connection *connection = NULL;
    assert_int_equal(vsock_connect(host.vsock, VSOCK_CID_LOCAL, GUEST_PORT, &connection), 0);
    assert_int_equal(host_pump(), 0);
    assert_int_equal(asked, 1);
    assert_int_equal(host_count(VSOCK_RESET, connection), 1);
    host_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect),         cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_connect_ports),   cmocka_unit_test(test_64_connections_and_one),
        cmocka_unit_test(test_transport_reset), cmocka_unit_test(test_close_within_event),
        cmocka_unit_test(test_owner_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
