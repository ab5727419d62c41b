/* SPDX-License-Identifier: MIT
 *
 * How vsock data flows: credit both ways, and the memory of what was received.
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

/* The peer's credit is used to the last byte and not beyond, and what it returns is used again. */
static void test_send_credit(void **state)
{
    (void)state;
    host_start();
    fill_bulk();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct packet packet;
    size_t received = 0;

    assert_int_equal(vsock_send(connection, bulk, sizeof(bulk)), PEER_SIZE);
    while (host_take(&packet) && packet.header.operation == VSOCK_OP_RW) {
        assert_memory_equal(packet.payload, bulk + received, packet.header.length);
        received += packet.header.length;
    }
    assert_int_equal(received, PEER_SIZE);
    assert_int_equal(packet.header.operation, VSOCK_OP_CREDIT_REQUEST); /* once */
    host_expect_nothing();
    assert_int_equal(vsock_send(connection, bulk, 1), 0);
    host_expect_nothing();

    /* An answer without credit changes nothing. */
    struct vsock_header header = host_header(VSOCK_OP_CREDIT_UPDATE);
    host_exchange(&header, NULL);
    assert_int_equal(host_count(VSOCK_WRITABLE, connection), 0);
    host_expect_nothing();

    header.forward_count = 100;
    host_exchange(&header, NULL);
    assert_int_equal(host_count(VSOCK_WRITABLE, connection), 1);
    assert_int_equal(vsock_send(connection, bulk, sizeof(bulk)), 100);
    assert_int_equal(host_expect(VSOCK_OP_RW, HOST_PORT).header.length, 100);
    host_expect(VSOCK_OP_CREDIT_REQUEST, HOST_PORT); /* another stall */

    /* An older count after a newer one is passed over (Linux may do that). */
    header.forward_count = 50;
    host_exchange(&header, NULL);
    assert_int_equal(host.vsock->statistics.malformed, 0);
    assert_int_equal(vsock_send(connection, bulk, 1), 0);

    /* A buffer that shrinks below what is on its way gives no credit, and no wrap. */
    header.forward_count = 200;
    header.buffer_size = 10;
    host_exchange(&header, NULL);
    assert_int_equal(vsock_send(connection, bulk, 1), 0);
    assert_int_equal(host_count(VSOCK_WRITABLE, connection), 1);
    header.buffer_size = UINT32_MAX;
    host_exchange(&header, NULL);
    assert_int_equal(host_count(VSOCK_WRITABLE, connection), 2);
    assert_true(vsock_send(connection, bulk, 1) == 1);
    host_stop();
}

/* tx_cnt and fwd_cnt wrap at 2^32. */
static void test_send_wraparound(void **state)
{
    (void)state;
    host_start();
    fill_bulk();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_CREDIT_UPDATE);
    struct packet packet;
    uint32_t start = UINT32_MAX - 300000;
    uint32_t count = start;
    size_t received = 0;

    connection->sent = start;
    connection->peer_forwarded = start;
    while (received < sizeof(bulk)) {
        assert_true(vsock_send(connection, bulk + received, sizeof(bulk) - received) > 0);
        while (host_take(&packet)) {
            if (packet.header.operation != VSOCK_OP_RW)
                continue;
            assert_memory_equal(packet.payload, bulk + received, packet.header.length);
            received += packet.header.length;
            count += packet.header.length;
        }
        assert_true((uint32_t)(count - start) == received);
        header.forward_count = count;
        host_exchange(&header, NULL);
    }
    assert_true(count < start);
    assert_int_equal(host.vsock->statistics.malformed, 0);
    host_stop();
}

/* We tell about freed buffer space when half of it was freed, and our count wraps as well. */
static void test_receive_credit(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_RW);
    static uint8_t chunk[4000], out[65536];
    uint64_t sent = 0;
    uint64_t read = 0;
    uint32_t start = UINT32_MAX - 500000;
    uint32_t told = start;

    connection->forwarded = start;
    connection->forwarded_told = start;
    while (read < 2000000) {
        /* As much as the guest allows. */
        while (65536 - (uint32_t)(start + (uint32_t)sent - told) >= sizeof(chunk)) {
            for (size_t i = 0; i < sizeof(chunk); i++)
                chunk[i] = pattern(sent + i);
            header.length = sizeof(chunk);
            host_exchange(&header, chunk);
            sent += sizeof(chunk);
        }
        int64_t count = vsock_receive(connection, out, 1 + (read * 7 + 13) % 30000);
        assert_true(count > 0);
        for (int64_t i = 0; i < count; i++)
            assert_int_equal(out[i], pattern(read + (uint64_t)i));
        read += (uint64_t)count;
        struct packet packet;
        while (host_take(&packet)) {
            assert_int_equal(packet.header.operation, VSOCK_OP_CREDIT_UPDATE);
            assert_true((uint32_t)(packet.header.forward_count - told) >= 32768);
            told = packet.header.forward_count;
            assert_true(told == start + (uint32_t)read);
        }
    }
    assert_true(told < start);
    assert_int_equal(host.vsock->statistics.malformed, 0);
    host_stop();
}

/* What is looked at stays until it is taken, in parts if the owner likes, and only then is its credit the
 * peer's again. */
static void test_peek_and_take(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_RW);
    static uint8_t chunk[4000];
    const void *bytes = NULL;
    size_t read = 0;
    size_t before = fake_os.bytes;

    assert_int_equal(vsock_peek(connection, &bytes), -EAGAIN);
    vsock_take(connection, 1); /* nothing is there */
    header.length = sizeof(chunk);
    for (size_t i = 0; i < 16; i++) {
        for (size_t j = 0; j < sizeof(chunk); j++)
            chunk[j] = pattern(i * sizeof(chunk) + j);
        host_exchange(&header, chunk);
    }
    while (read < 16 * sizeof(chunk)) {
        int64_t count = vsock_peek(connection, &bytes);
        assert_true(count > 0);
        assert_int_equal(vsock_peek(connection, &bytes), count);
        size_t part = read % 3 == 0 && count > 1000 ? 1000 : (size_t)count;
        for (size_t i = 0; i < part; i++)
            assert_int_equal(((const uint8_t *)bytes)[i], pattern(read + i));
        if (read < 32768)
            host_expect_nothing();
        vsock_take(connection, part);
        read += part;
    }
    assert_true(host_expect(VSOCK_OP_CREDIT_UPDATE, HOST_PORT).header.forward_count >= 32768);
    assert_int_equal(vsock_peek(connection, &bytes), -EAGAIN);
    assert_int_equal(fake_os.bytes, before);

    header.length = 3;
    host_exchange(&header, "abc");
    header = host_header(VSOCK_OP_SHUTDOWN);
    header.flags = VSOCK_SHUTDOWN_SEND;
    host_exchange(&header, NULL);
    assert_int_equal(vsock_peek(connection, &bytes), 3);
    vsock_take(connection, 4); /* no more than there is */
    assert_int_equal(vsock_peek(connection, &bytes), 0);
    host_stop();
}

static void test_credit_request_is_answered(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_RW);
    uint8_t bytes[8];

    header.length = 3;
    host_exchange(&header, "abc");
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), 3);
    host_expect_nothing();
    header = host_header(VSOCK_OP_CREDIT_REQUEST);
    host_exchange(&header, NULL);
    struct packet packet = host_expect(VSOCK_OP_CREDIT_UPDATE, HOST_PORT);
    assert_int_equal(packet.header.forward_count, 3);
    assert_int_equal(packet.header.buffer_size, 65536);
    host_stop();
}

/* A peer that sends more than its credit is reset; what it sent within is still there. */
static void test_credit_is_enforced(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_RW);
    static uint8_t chunk[4000], out[65536];

    header.length = sizeof(chunk);
    for (int i = 0; i < 16; i++)
        host_exchange(&header, chunk);
    header.length = 65536 - 16 * 4000;
    host_exchange(&header, chunk);
    assert_int_equal(host_count(VSOCK_RESET, connection), 0);
    header.length = 1;
    host_exchange(&header, chunk);
    assert_int_equal(host_count(VSOCK_RESET, connection), 1);
    host_expect(VSOCK_OP_RST, HOST_PORT);
    assert_int_equal(host.vsock->statistics.malformed, 1);
    assert_int_equal(vsock_receive(connection, out, sizeof(out)), 65536);
    assert_int_equal(vsock_receive(connection, out, sizeof(out)), -ECONNRESET);
    host_expect_nothing();
    vsock_close(connection);
    host_stop();
}

/* Received bytes take memory of their own size, and give it back as they are read. */
static void test_receive_memory(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *connection = host_connect(HOST_PORT);
    struct vsock_header header = host_header(VSOCK_OP_RW);
    static uint8_t chunk[4000], out[65536];
    size_t before = fake_os.bytes;

    /* The worst: single bytes. */
    header.length = 1;
    for (int i = 0; i < 20000; i++)
        host_exchange(&header, "x");
    assert_true(fake_os.bytes - before < (size_t)2 * 20000);
    assert_int_equal(vsock_receive(connection, out, sizeof(out)), 20000);
    assert_int_equal(fake_os.bytes, before);
    host_drain();

    header.length = sizeof(chunk);
    for (int i = 0; i < 10; i++)
        host_exchange(&header, chunk);
    assert_true(fake_os.bytes - before < (size_t)10 * 4320);
    assert_int_equal(vsock_receive(connection, out, 20000), 20000);
    assert_true(fake_os.bytes - before <= (size_t)6 * 4096); /* the first one partly read */
    vsock_abort(connection);
    host_drain();
    assert_true(fake_os.bytes < before);
    host_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send_credit),
        cmocka_unit_test(test_send_wraparound),
        cmocka_unit_test(test_receive_credit),
        cmocka_unit_test(test_peek_and_take),
        cmocka_unit_test(test_credit_request_is_answered),
        cmocka_unit_test(test_credit_is_enforced),
        cmocka_unit_test(test_receive_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
