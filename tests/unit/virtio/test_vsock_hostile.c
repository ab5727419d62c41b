/* SPDX-License-Identifier: MIT
 *
 * vsock against a host that lies in everything it can write.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_host.h"

static void test_unknown_peers(void **state)
{
    (void)state;
    host_start();
    struct vsock_header header = host_header(VSOCK_OP_REQUEST);
    struct packet packet;

    /* Nobody listens. */
    header.destination_port = 4999;
    host_exchange(&header, NULL);
    packet = host_expect(VSOCK_OP_RST, HOST_PORT);
    assert_int_equal(packet.header.source_port, 4999);
    assert_int_equal(packet.header.type, VSOCK_TYPE_STREAM);

    /* No such connection; RST is not answered. */
    for (uint16_t operation = 0; operation < 10; operation++) {
        if (operation == VSOCK_OP_REQUEST)
            continue;
        header = host_header(operation);
        host_exchange(&header, NULL);
        if (operation != VSOCK_OP_RST)
            host_expect(VSOCK_OP_RST, HOST_PORT);
        host_expect_nothing();
    }

    /* A type that we do not know is answered in kind. */
    header = host_header(VSOCK_OP_REQUEST);
    header.type = 2;
    host_exchange(&header, NULL);
    packet = host_expect(VSOCK_OP_RST, HOST_PORT);
    assert_int_equal(packet.header.type, 2);
    header.operation = VSOCK_OP_RST;
    host_exchange(&header, NULL);
    host_expect_nothing();

    /* A packet for another CID. */
    header = host_header(VSOCK_OP_REQUEST);
    header.destination_cid = GUEST_CID + 1;
    host_exchange(&header, NULL);
    header.destination_cid = GUEST_CID | 1ull << 32;
    host_exchange(&header, NULL);
    host_expect_nothing();

    /* A sibling guest: refused, by its own address. */
    header = host_header(VSOCK_OP_REQUEST);
    header.source_cid = 77;
    host_exchange(&header, NULL);
    assert_true(host_take(&packet));
    assert_int_equal(packet.header.operation, VSOCK_OP_RST);
    assert_true(packet.header.destination_cid == 77);
    assert_int_equal(host.vsock->connection_count, 0);
    assert_int_equal(host.event_count, 0);
    host_stop();
}

/* A packet that has no place in the connection's state resets the connection, and no other. */
static void test_unexpected_operations(void **state)
{
    (void)state;
    static const uint16_t established[] = {0, VSOCK_OP_REQUEST, VSOCK_OP_RESPONSE, 8, 9, 255, 65535};
    static const uint16_t connecting[] = {0, 1, 4, 5, 6, 7, 8, 65535};

    host_start();
    struct vsock_connection *other = host_connect(HOST_PORT + 1);
    for (size_t i = 0; i < sizeof(established) / sizeof(established[0]); i++) {
        struct vsock_connection *connection = host_connect(HOST_PORT);
        struct vsock_header header = host_header(established[i]);
        host_exchange(&header, NULL);
        assert_int_equal(host_count(VSOCK_RESET, connection), 1);
        host_expect(VSOCK_OP_RST, HOST_PORT);
        vsock_close(connection);
        host_expect_nothing();
        host_forget_events();
    }
    for (size_t i = 0; i < sizeof(connecting) / sizeof(connecting[0]); i++) {
        struct vsock_connection *connection = NULL;
        assert_int_equal(vsock_connect(host.vsock, VSOCK_CID_HOST, 80, &connection), 0);
        host_expect(VSOCK_OP_REQUEST, 80);
        struct vsock_header header = host_header(connecting[i]);
        header.source_port = 80;
        header.destination_port = vsock_local_port(connection);
        host_exchange(&header, NULL);
        assert_int_equal(host_count(VSOCK_RESET, connection), 1);
        host_expect(VSOCK_OP_RST, 80);
        vsock_close(connection);
        host_expect_nothing();
        host_forget_events();
    }
    assert_int_equal(host_count(VSOCK_RESET, other), 0);
    assert_int_equal(host.vsock->connection_count, 1);
    assert_int_equal(host.vsock->statistics.malformed, 15);
    host_check_service(HOST_PORT + 2);
    host_stop();
}

static void test_data_after_shutdown(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_SHUTDOWN);

    header.flags = VSOCK_SHUTDOWN_SEND | 0xfffffff0u; /* bits that the standard does not know are nothing */
    host_exchange(&header, NULL);
    assert_int_equal(host_count(VSOCK_RESET, connection), 0);
    assert_int_equal(connection->peer_shutdown, VSOCK_SHUTDOWN_SEND);
    header = host_header(VSOCK_OP_RW);
    header.length = 1;
    host_exchange(&header, "x");
    assert_int_equal(host_count(VSOCK_RESET, connection), 1);
    host_expect(VSOCK_OP_RST, HOST_PORT);
    host_stop();
}

static void test_credit_that_was_never_used(void **state)
{
    (void)state;
    static const uint32_t counts[] = {4, 5, 1000, 0x7fffffff};

    host_start();
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct vsock_connection *connection = host_connect(HOST_PORT);
        assert_int_equal(vsock_send(connection, "abc", 3), 3);
        host_expect(VSOCK_OP_RW, HOST_PORT);
        struct vsock_header header = host_header(VSOCK_OP_CREDIT_UPDATE);
        header.forward_count = counts[i];
        host_exchange(&header, NULL);
        assert_int_equal(host_count(VSOCK_RESET, connection), 1);
        host_expect(VSOCK_OP_RST, HOST_PORT);
        vsock_close(connection);
        host_forget_events();
    }
    host_stop();
}

/* The payload is what the device says that it wrote, not what the header says. */
static void test_lengths(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {5,     6,          4052,       4053,       4096,
                                       65536, 0x7fffffff, 0xffffffd3, 0xfffffff0, UINT32_MAX};
    uint8_t bytes[RECEIVE_SIZE] = {0};

    host_start();
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct vsock_connection *connection = host_connect(HOST_PORT);
        struct vsock_header header = host_header(VSOCK_OP_RW);
        header.length = lengths[i];
        memcpy(bytes, &header, sizeof(header));
        host_send_raw(bytes, sizeof(header) + 4, sizeof(header) + 4);
        assert_int_equal(host_pump(), 0);
        assert_int_equal(host_count(VSOCK_RESET, connection), 1);
        assert_int_equal(vsock_receive(connection, bytes, 1), -ECONNRESET);
        host_expect(VSOCK_OP_RST, HOST_PORT);
        vsock_close(connection);
        /* Without a connection it is answered as well. */
        host_send_raw(&header, sizeof(header), sizeof(header));
        assert_int_equal(host_pump(), 0);
        host_expect(VSOCK_OP_RST, HOST_PORT);
        host_forget_events();
    }

    /* Shorter than a header: there is nobody to answer. */
    uint64_t malformed = host.vsock->statistics.malformed;
    for (uint32_t used = 0; used < sizeof(struct vsock_header); used++) {
        struct vsock_header header = host_header(VSOCK_OP_REQUEST);
        host_send_raw(&header, sizeof(header), used);
        assert_int_equal(host_pump(), 0);
    }
    host_expect_nothing();
    assert_int_equal(host.vsock->statistics.malformed - malformed, sizeof(struct vsock_header));

    /* A payload where there is none, on a connection and without. */
    for (uint16_t operation = 0; operation < 10; operation++) {
        if (operation == VSOCK_OP_RW || operation == VSOCK_OP_RST)
            continue;
        struct vsock_connection *connection = host_connect(HOST_PORT);
        struct vsock_header header = host_header(operation);
        header.length = 4;
        host_exchange(&header, "abcd");
        assert_int_equal(host_count(VSOCK_RESET, connection), 1);
        host_expect(VSOCK_OP_RST, HOST_PORT);
        vsock_close(connection);
        host_forget_events();
    }

    /* More than the header says is no harm: the rest is left alone. And no data is no event. */
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_RW);
    header.length = 2;
    memcpy(bytes, &header, sizeof(header));
    memset(bytes + sizeof(header), 1, 4);
    host_send_raw(bytes, sizeof(header) + 4, sizeof(header) + 4);
    assert_int_equal(host_pump(), 0);
    assert_int_equal(vsock_receive(connection, bytes, 8), 2);
    host_forget_events();
    header.length = 0;
    host_exchange(&header, NULL);
    assert_int_equal(host.event_count, 0);
    host_stop();
}

/* Every field of the header with every bad value, in every state of a connection: the guest survives, and
 * serves. */
static void test_every_field(void **state)
{
    (void)state;
    static const struct {
        size_t offset, size;
    } fields[] = {{0, 8}, {8, 8}, {16, 4}, {20, 4}, {24, 4}, {28, 2}, {30, 2}, {32, 4}, {36, 4}, {40, 4}};
    static const uint64_t values[] = {0,          1,          2,          3,          7,          0x7f,
                                      0x80,       0xff,       0x7fff,     0x8000,     0xffff,     0x7fffffff,
                                      0x80000000, 0xfffffffe, 0xffffffff, 1ull << 32, 1ull << 63, UINT64_MAX};
    static const uint16_t operations[] = {1, 2, 3, 4, 5, 6, 7};
    uint32_t port = 100000;
    size_t cases = 0;

    host_start();
    for (int life = 0; life < 4; life++) {
        for (size_t f = 0; f < sizeof(fields) / sizeof(fields[0]); f++) {
            for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
                for (size_t o = 0; o < sizeof(operations) / sizeof(operations[0]); o++) {
                    struct vsock_connection *connection = NULL;
                    uint8_t bytes[RECEIVE_SIZE] = {0};
                    struct vsock_header header = host_header(operations[o]);

                    port++;
                    if (life == 1 || life == 2)
                        connection = host_connect(port);
                    if (life == 2)
                        vsock_close(connection);
                    if (life == 3)
                        assert_int_equal(vsock_connect(host.vsock, VSOCK_CID_HOST, port, &connection), 0);
                    header.source_port = port;
                    header.length = operations[o] == VSOCK_OP_RW ? 10 : 0;
                    if (life == 3)
                        header.destination_port = vsock_local_port(connection);
                    memcpy(bytes, &header, sizeof(header));
                    memcpy(bytes + fields[f].offset, &values[v], fields[f].size);
                    host_drain();
                    host_send_raw(bytes, sizeof(header) + header.length,
                                  (uint32_t)sizeof(header) + header.length);
                    assert_int_equal(host_pump(), 0);
                    host_drain();
                    if (life == 1 || life == 3) {
                        (void)vsock_receive(connection, bytes, sizeof(bytes));
                        (void)vsock_send(connection, bytes, 10);
                        vsock_abort(connection);
                    }
                    /* What the host closed or opened by itself. */
                    if (host.last != NULL && life == 0 && host.vsock->connection_count > 0)
                        vsock_abort(host.last);
                    fake_os.now += 10000000;
                    assert_int_equal(vsock_poll(host.vsock), 0);
                    host_drain();
                    assert_int_equal(host_pump(), 0);
                    /* Life 1 may have been joined by another connection. */
                    if (host.vsock->connection_count > 0)
                        vsock_abort(host.last);
                    host_drain();
                    assert_int_equal(host_pump(), 0);
                    assert_int_equal(host.vsock->connection_count, 0);
                    cases++;
                }
            }
        }
    }
    assert_int_equal(cases, 4 * 10 * 18 * 7);
    host_check_service(HOST_PORT);
    host_stop();
}

/* Packets of any kind, in any order, to and from a handful of ports, over random actions of the owner. */
static struct vsock_connection *owned[64];
static size_t owned_count;

static void own(enum vsock_event event, struct vsock_connection *connection)
{
    if (event == VSOCK_ACCEPTED)
        owned[owned_count++] = connection;
}

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)random_state * bound >> 32);
}

static int connect_anywhere(struct vsock_connection **connection)
{
    uint64_t cid = random_below(2) == 0 ? VSOCK_CID_HOST : VSOCK_CID_LOCAL;
    uint32_t port = cid == VSOCK_CID_HOST ? random_below(4) : GUEST_PORT;

    return random_below(2) == 0 ? vsock_connect(host.vsock, cid, port, connection)
                                : vsock_connect_seqpacket(host.vsock, cid, port, connection);
}

static void act(size_t i)
{
    static uint8_t bytes[70000];
    struct vsock_connection *connection = owned[i];

    switch (random_below(6)) {
    case 0:
        (void)vsock_receive(connection, bytes, random_below(sizeof(bytes)));
        break;
    case 1:
        (void)vsock_send(connection, bytes, random_below(sizeof(bytes)));
        break;
    case 2:
        (void)vsock_shutdown_send(connection);
        break;
    case 3:
        if (owned_count < 64 && connect_anywhere(&connection) == 0)
            owned[owned_count++] = connection;
        break;
    default:
        owned[i] = owned[--owned_count];
        if (random_below(2) == 0)
            vsock_close(connection);
        else
            vsock_abort(connection);
        break;
    }
}

static void test_random(void **state)
{
    (void)state;
    static uint8_t bytes[RECEIVE_SIZE];

    host_start();
    assert_int_equal(vsock_listen_seqpacket(host.vsock, GUEST_PORT), 0);
    owned_count = 0;
    host.on_event = own;
    for (int i = 0; i < 60000; i++) {
        struct vsock_header header = host_header((uint16_t)(1 + random_below(7)));
        header.source_port = random_below(4);
        header.type = (uint16_t)(1 + random_below(2));
        header.length = header.operation == VSOCK_OP_RW ? random_below(RECEIVE_SIZE + 1) : 0;
        header.flags = random_below(4);
        if (random_below(4) == 0)
            header.destination_port = 49152 + random_below(8);
        if (random_below(20) == 0)
            ((uint8_t *)&header)[random_below(sizeof(header))] = (uint8_t)random_below(256);
        uint32_t size = random_below(50) == 0 ? random_below((uint32_t)sizeof(header) + RECEIVE_SIZE + 1)
                                              : (uint32_t)sizeof(header) + header.length % (RECEIVE_SIZE + 1);
        memcpy(bytes, &header, sizeof(header));
        if (fake_ring_available(&host.function->queues[0].ring) > 0)
            host_send_raw(bytes, sizeof(header), size);
        if (random_below(500) == 0 && fake_ring_available(&host.function->queues[2].ring) > 0)
            host_event(random_below(2));
        if (random_below(3) == 0)
            assert_int_equal(host_pump(), 0);
        if (owned_count > 0)
            act(random_below((uint32_t)owned_count));
        if (random_below(8) == 0)
            host_drain();
        fake_os.now += random_below(100000);
        fake_os.fail_at = (long)random_below(20);
    }
    fake_os.fail_at = 0;

    /* It still serves when all that is over. */
    for (int i = 0; i < 10; i++) {
        while (owned_count > 0)
            vsock_abort(owned[--owned_count]);
        fake_os.now += 10000000;
        assert_int_equal(vsock_poll(host.vsock), 0);
        host_drain();
        assert_int_equal(host_pump(), 0);
    }
    assert_int_equal(host.vsock->connection_count, 0);
    assert_true(host.vsock->statistics.malformed > 1000);
    assert_true(host.vsock->statistics.transport_resets > 10);
    host_check_service(HOST_PORT);
    host_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_peers),
        cmocka_unit_test(test_unexpected_operations),
        cmocka_unit_test(test_data_after_shutdown),
        cmocka_unit_test(test_credit_that_was_never_used),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_every_field),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
