/* SPDX-License-Identifier: MIT
 *
 * Messages: vsock connections of the type SEQPACKET.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_host.h"

static uint8_t bulk[1 << 17];

static void start(void)
{
    for (size_t i = 0; i < sizeof(bulk); i++)
        bulk[i] = (uint8_t)(i * 31 + (i >> 8));
    host_start();
    assert_int_equal(vsock_listen_seqpacket(host.vsock, GUEST_PORT), 0);
}

static struct vsock_header seqpacket(uint16_t operation)
{
    struct vsock_header header = host_header(operation);

    header.type = VSOCK_TYPE_SEQPACKET;
    return header;
}

static struct vsock_connection *connect_seqpacket(void)
{
    struct vsock_header header = seqpacket(VSOCK_OP_REQUEST);

    host_exchange(&header, NULL);
    struct packet response = host_expect(VSOCK_OP_RESPONSE, HOST_PORT);
    assert_int_equal(response.header.type, VSOCK_TYPE_SEQPACKET);
    assert_true(vsock_is_seqpacket(host.last));
    host_forget_events();
    return host.last;
}

/* One packet of a message. */
static void deliver(const void *bytes, size_t size, uint32_t flags)
{
    struct vsock_header header = seqpacket(VSOCK_OP_RW);

    header.length = (uint32_t)size;
    header.flags = flags;
    host_exchange(&header, bytes);
}

static void test_messages_are_read_whole(void **state)
{
    (void)state;
    start();
    struct vsock_connection *connection = connect_seqpacket();
    uint8_t bytes[64];
    const void *front = NULL;

    deliver("hel", 3, 0);
    assert_int_equal(host.event_count, 0);
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), -EAGAIN);
    assert_int_equal(vsock_message_left(connection), 0);
    deliver("lo", 2, VSOCK_SEQ_EOM);
    assert_int_equal(host_count(VSOCK_READABLE, connection), 1);
    deliver("again", 5, VSOCK_SEQ_EOM | 2u); /* a record ends, too */
    deliver("wait", 4, 0);

    assert_int_equal(vsock_message_left(connection), 5);
    assert_int_equal(vsock_peek(connection, &front), 5); /* one piece of memory holds all */
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), 5);
    assert_memory_equal(bytes, "hello", 5);
    /* In parts. */
    assert_int_equal(vsock_receive(connection, bytes, 2), 2);
    assert_int_equal(vsock_message_left(connection), 3);
    vsock_take(connection, 1);
    assert_int_equal(vsock_peek(connection, &front), 2);
    vsock_take(connection, 100); /* at most the rest of the message */
    assert_int_equal(vsock_message_left(connection), 0);
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), -EAGAIN);
    vsock_take(connection, 1);

    deliver(NULL, 0, VSOCK_SEQ_EOM); /* an end without bytes */
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), 4);
    assert_memory_equal(bytes, "wait", 4);
    deliver(NULL, 0, VSOCK_SEQ_EOM); /* a message without bytes is none */
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), -EAGAIN);
    assert_int_equal(host.vsock->statistics.malformed, 0);
    host_stop();
}

/* After the end of the stream, whole messages can be read, and no part of one. */
static void test_end(void **state)
{
    (void)state;
    start();
    struct vsock_connection *connection = connect_seqpacket();
    struct vsock_header header = seqpacket(VSOCK_OP_SHUTDOWN);
    uint8_t bytes[64];

    deliver("whole", 5, VSOCK_SEQ_EOM);
    deliver("par", 3, 0);
    header.flags = VSOCK_SHUTDOWN_BOTH;
    host_exchange(&header, NULL);
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), 5);
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), 0);
    vsock_close(connection);
    host_drain();
    host_stop();
}

/* Small messages by the thousand: each keeps its size, and they cost little beyond their bytes. */
static void test_many_messages(void **state)
{
    (void)state;
    start();
    struct vsock_connection *connection = connect_seqpacket();
    size_t before = fake_os.bytes;
    uint8_t bytes[64];

    for (size_t i = 0; i < 5000; i++)
        deliver(bulk + i, 1 + i % 9, VSOCK_SEQ_EOM);
    assert_true(fake_os.bytes - before < 5000u * (5 + 4) * 2);
    for (size_t i = 0; i < 5000; i++) {
        assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), 1 + i % 9);
        assert_memory_equal(bytes, bulk + i, 1 + i % 9);
    }
    assert_int_equal(fake_os.bytes, before);
    for (int i = 0; i < 100; i++) /* what is not read goes with the connection */
        deliver("x", 1, VSOCK_SEQ_EOM);
    vsock_abort(connection);
    host_drain();
    host_stop();
}

/* The host may send a message as large as the buffer, however much of the buffer was used before. */
static void test_large_messages(void **state)
{
    (void)state;
    static uint8_t bytes[65536];
    start();
    struct vsock_connection *connection = connect_seqpacket();

    deliver(bulk, 1000, VSOCK_SEQ_EOM);
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), 1000);
    assert_int_equal(host_expect(VSOCK_OP_CREDIT_UPDATE, HOST_PORT).header.forward_count, 1000);
    for (size_t sent = 0; sent < 65536; sent += 4000) {
        size_t part = 65536 - sent < 4000 ? 65536 - sent : 4000;
        deliver(bulk + sent, part, sent + part == 65536 ? VSOCK_SEQ_EOM : 0);
    }
    assert_int_equal(vsock_message_left(connection), 65536);
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), 65536);
    assert_memory_equal(bytes, bulk, 65536);
    assert_int_equal(host_expect(VSOCK_OP_CREDIT_UPDATE, HOST_PORT).header.forward_count, 66536);

    /* A larger one would wait for its own end for ever. */
    for (size_t sent = 0; sent < 65536; sent += 4096)
        for (size_t half = 0; half < 4096; half += 2048)
            deliver(bulk + sent + half, 2048, 0);
    assert_int_equal(host_count(VSOCK_RESET, connection), 1);
    host_expect(VSOCK_OP_RST, HOST_PORT);
    assert_int_equal(host.vsock->statistics.malformed, 1);
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), -ECONNRESET);
    vsock_close(connection);
    host_stop();
}

static void test_send(void **state)
{
    (void)state;
    start();
    struct vsock_connection *connection = connect_seqpacket();

    assert_int_equal(vsock_send(connection, "hello", 5), 5);
    struct packet packet = host_expect(VSOCK_OP_RW, HOST_PORT);
    assert_int_equal(packet.header.type, VSOCK_TYPE_SEQPACKET);
    assert_int_equal(packet.header.flags, VSOCK_SEQ_EOM);
    assert_int_equal(vsock_send(connection, "", 0), 0);
    host_expect_nothing();

    /* More than a packet, and more than the credit at present: one end, in the last packet. */
    assert_int_equal(vsock_send(connection, bulk, PEER_SIZE + 1), -EMSGSIZE);
    size_t sent = (size_t)vsock_send(connection, bulk, PEER_SIZE);
    assert_int_equal(sent, PEER_SIZE - 5);
    size_t received = 0;
    while (received < sent) {
        packet = host_expect(VSOCK_OP_RW, HOST_PORT);
        assert_int_equal(packet.header.flags, 0);
        assert_memory_equal(packet.payload, bulk + received, packet.header.length);
        received += packet.header.length;
    }
    host_expect(VSOCK_OP_CREDIT_REQUEST, HOST_PORT);
    struct vsock_header header = seqpacket(VSOCK_OP_CREDIT_UPDATE);
    header.forward_count = 5 + (uint32_t)sent;
    host_exchange(&header, NULL);
    assert_int_equal(host_count(VSOCK_WRITABLE, connection), 1);
    assert_int_equal(vsock_send(connection, bulk + sent, 5), 5);
    packet = host_expect(VSOCK_OP_RW, HOST_PORT);
    assert_int_equal(packet.header.flags, VSOCK_SEQ_EOM);
    assert_memory_equal(packet.payload, bulk + sent, 5);
    vsock_close(connection);
    header = seqpacket(VSOCK_OP_RST);
    host_expect(VSOCK_OP_SHUTDOWN, HOST_PORT);
    host_exchange(&header, NULL);
    host_stop();
}

/* Without memory a packet is smaller than it was meant to be; the message ends in the last one all the same.
 */
static void test_send_without_memory(void **state)
{
    (void)state;
    start();
    struct vsock_connection *connection = connect_seqpacket();
    size_t received = 0;
    size_t sent = 0;

    fake_os.fail_all = true;
    while (received < 30000) {
        if (sent < 30000)
            sent += (size_t)vsock_send(connection, bulk + sent, 30000 - sent);
        static struct packet packet;
        assert_true(host_take(&packet));
        assert_int_equal(packet.header.operation, VSOCK_OP_RW);
        assert_memory_equal(packet.payload, bulk + received, packet.header.length);
        received += packet.header.length;
        assert_int_equal(packet.header.flags, received == 30000 ? VSOCK_SEQ_EOM : 0);
        assert_int_equal(host_pump(), 0);
    }
    fake_os.fail_all = false;
    vsock_abort(connection);
    host_drain();
    host_stop();
}

static void test_connect(void **state)
{
    (void)state;
    start();
    struct vsock_connection *connection = NULL;

    assert_int_equal(vsock_connect_seqpacket(host.vsock, VSOCK_CID_HOST, 77, &connection), 0);
    struct packet request = host_expect(VSOCK_OP_REQUEST, 77);
    assert_int_equal(request.header.type, VSOCK_TYPE_SEQPACKET);
    assert_int_equal(vsock_send(connection, "early", 5), 0);
    struct vsock_header header = seqpacket(VSOCK_OP_RESPONSE);
    header.source_port = 77;
    header.destination_port = request.header.source_port;
    host_exchange(&header, NULL);
    assert_int_equal(host_count(VSOCK_CONNECTED, connection), 1);
    assert_int_equal(vsock_send(connection, "early", 5), 5);
    assert_int_equal(host_expect(VSOCK_OP_RW, 77).header.flags, VSOCK_SEQ_EOM);
    host_stop();

    /* A device without the feature. */
    host_prepare();
    host.function->offered &= ~(1ull << 1);
    assert_int_equal(host_create(64, 65536), 0);
    assert_int_equal(host_pump(), 0);
    assert_int_equal(vsock_connect_seqpacket(host.vsock, VSOCK_CID_HOST, 77, &connection), -EPROTONOSUPPORT);
    assert_int_equal(vsock_listen_seqpacket(host.vsock, GUEST_PORT), 0); /* for ourselves */
    header = seqpacket(VSOCK_OP_REQUEST);
    host_exchange(&header, NULL);
    struct packet reset = host_expect(VSOCK_OP_RST, HOST_PORT);
    assert_int_equal(reset.header.type, VSOCK_TYPE_SEQPACKET);
    assert_int_equal(host.vsock->statistics.malformed, 1);
    host_stop();
}

/* Streams and messages have ports, and packets, of their own. */
static void test_types_are_apart(void **state)
{
    (void)state;
    start();
    struct vsock_connection *messages = connect_seqpacket();
    struct vsock_connection *stream = host_connect(HOST_PORT);
    uint8_t bytes[8];

    assert_false(vsock_is_seqpacket(stream));
    assert_int_equal(vsock_listen_seqpacket(host.vsock, GUEST_PORT), -EADDRINUSE);
    deliver("msg", 3, VSOCK_SEQ_EOM);
    struct vsock_header header = host_header(VSOCK_OP_RW);
    header.length = 2;
    header.flags = VSOCK_SEQ_EOM; /* means nothing there */
    host_exchange(&header, "st");
    assert_int_equal(vsock_message_left(stream), 0);
    assert_int_equal(vsock_receive(stream, bytes, sizeof(bytes)), 2);
    assert_int_equal(vsock_receive(messages, bytes, sizeof(bytes)), 3);
    vsock_abort(stream);
    assert_int_equal(host_drain(), 2); /* the credit of the message, and RST */

    /* To a port that has only the other type. */
    assert_int_equal(vsock_listen(host.vsock, 1), 0);
    header = seqpacket(VSOCK_OP_REQUEST);
    header.destination_port = 1;
    host_exchange(&header, NULL);
    assert_int_equal(host_expect(VSOCK_OP_RST, HOST_PORT).header.type, VSOCK_TYPE_SEQPACKET);
    host_stop();
}

/* Each allocation in turn fails, also that for the size of a message: the connection is reset, and no other.
 */
static void test_no_memory(void **state)
{
    (void)state;
    size_t resets = 0;

    for (long n = 1; n < 200; n++) {
        start();
        struct vsock_connection *connection = connect_seqpacket();
        long allocated = fake_os.requests;
        fake_os.fail_at = n;
        for (size_t i = 0; i < 500 && host_count(VSOCK_RESET, connection) == 0; i++)
            deliver(bulk, 1 + i % 100, VSOCK_SEQ_EOM);
        bool failed = fake_os.fail_at == 0;
        fake_os.fail_at = 0;
        assert_int_equal(host_count(VSOCK_RESET, connection), failed ? 1 : 0);
        resets += failed;
        allocated = fake_os.requests - allocated;
        vsock_abort(connection);
        host_drain();
        host_check_service(HOST_PORT + 1);
        host_stop();
        if (!failed) {
            assert_true(allocated < n);
            break;
        }
    }
    assert_true(resets > 100); /* pieces of bytes, and of sizes */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_are_read_whole),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_many_messages),
        cmocka_unit_test(test_large_messages),
        cmocka_unit_test(test_send),
        cmocka_unit_test(test_send_without_memory),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_types_are_apart),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
