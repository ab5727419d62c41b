/* SPDX-License-Identifier: MIT
 *
 * Connections of the guest with itself, of which the device sees nothing.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_host.h"

static uint8_t bulk[1 << 20], copy[1 << 20];

/* Both ends of a new connection. */
static struct vsock_connection *connect_local(uint64_t cid, bool seqpacket, struct vsock_connection **server)
{
    struct vsock_connection *client = NULL;

    host_forget_events(); /* of a connection at the same address */
    assert_int_equal(seqpacket ? vsock_connect_seqpacket(host.vsock, cid, GUEST_PORT, &client)
                               : vsock_connect(host.vsock, cid, GUEST_PORT, &client),
                     0);
    assert_int_equal(host_pump(), 0);
    assert_int_equal(host_count(VSOCK_ACCEPTED, NULL), 1);
    assert_int_equal(host_count(VSOCK_CONNECTED, client), 1);
    *server = host.last;
    assert_int_equal(vsock_local_port(client), vsock_peer_port(*server));
    assert_int_equal(vsock_local_port(*server), vsock_peer_port(client));
    assert_true(vsock_peer_cid(client) == VSOCK_CID_LOCAL && vsock_peer_cid(*server) == VSOCK_CID_LOCAL);
    return client;
}

static void test_life(void **state)
{
    (void)state;
    host_start();
    static const uint64_t cids[] = {VSOCK_CID_LOCAL, GUEST_CID};
    struct vsock_connection *server = NULL;
    char bytes[16];

    for (size_t i = 0; i < 2; i++) {
        struct vsock_connection *client = connect_local(cids[i], false, &server);
        assert_int_equal(vsock_send(client, "question", 8), 8);
        assert_int_equal(host_pump(), 0);
        assert_int_equal(vsock_receive(server, bytes, sizeof(bytes)), 8);
        assert_memory_equal(bytes, "question", 8);
        assert_int_equal(vsock_send(server, "answer", 6), 6);
        vsock_close(server); /* what was sent comes first */
        assert_int_equal(host_pump(), 0);
        assert_int_equal(vsock_receive(client, bytes, sizeof(bytes)), 6);
        assert_int_equal(vsock_receive(client, bytes, sizeof(bytes)), 0);
        vsock_close(client);
        assert_int_equal(host_pump(), 0);
        assert_int_equal(host.vsock->connection_count, 0);
        host_forget_events();
    }
    host_expect_nothing();
    assert_int_equal(host.vsock->statistics.malformed, 0);
    host_stop();
}

static void test_nobody_listens(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *client = NULL;
    /* The second is its own local port. */
    uint32_t ports[] = {GUEST_PORT + 1, host.vsock->next_port + 1};

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(vsock_connect(host.vsock, VSOCK_CID_LOCAL, ports[i], &client), 0);
        assert_int_equal(host_pump(), 0);
        assert_int_equal(host_count(VSOCK_RESET, client), 1);
        vsock_close(client);
        host_forget_events();
    }
    assert_int_equal(host.vsock->connection_count, 0);
    host_expect_nothing();
    host_stop();
}

/* Far more than the credit and than the ring has room for, while the host takes nothing at all. */
static void test_bulk(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *server = NULL;
    struct vsock_connection *client = connect_local(VSOCK_CID_LOCAL, false, &server);
    size_t sent = 0;
    size_t received = 0;

    for (size_t i = 0; i < sizeof(bulk); i++)
        bulk[i] = (uint8_t)(i * 31 + (i >> 8));
    for (int rounds = 0; received < sizeof(bulk); rounds++) {
        assert_true(rounds < 1000);
        int64_t count = vsock_send(client, bulk + sent, sizeof(bulk) - sent);
        assert_true(count >= 0);
        sent += (size_t)count;
        assert_int_equal(host_pump(), 0);
        while ((count = vsock_receive(server, copy + received, sizeof(copy) - received)) > 0)
            received += (size_t)count;
        assert_int_equal(host_pump(), 0);
    }
    assert_memory_equal(bulk, copy, sizeof(bulk));
    host_expect_nothing();
    host_stop(); /* with both ends open */
}

static void test_messages(void **state)
{
    (void)state;
    host_prepare();
    host.function->offered &= ~(1ull << 1); /* no matter what the device has */
    assert_int_equal(host_create(64, 65536), 0);
    assert_int_equal(vsock_listen_seqpacket(host.vsock, GUEST_PORT), 0);
    struct vsock_connection *server = NULL;
    struct vsock_connection *client = connect_local(VSOCK_CID_LOCAL, true, &server);

    assert_int_equal(vsock_send(client, bulk, 20000), 20000);
    assert_int_equal(vsock_send(client, "two", 3), 3);
    assert_int_equal(host_pump(), 0);
    assert_int_equal(vsock_receive(server, copy, sizeof(copy)), 20000);
    assert_memory_equal(bulk, copy, 20000);
    assert_int_equal(vsock_receive(server, copy, sizeof(copy)), 3);
    host_stop();
}

/* The device must not speak in the guest's name, neither to a listener nor into a connection. */
static void test_device_is_not_us(void **state)
{
    (void)state;
    host_start();
    static const uint64_t cids[] = {VSOCK_CID_LOCAL, GUEST_CID};
    struct vsock_connection *server = NULL;
    struct vsock_connection *client = connect_local(VSOCK_CID_LOCAL, false, &server);

    for (size_t i = 0; i < 2; i++) {
        struct vsock_header header = host_header(VSOCK_OP_RW);
        header.source_cid = cids[i];
        header.source_port = vsock_local_port(client);
        header.length = 4;
        host_exchange(&header, "evil");
        header.destination_cid = VSOCK_CID_LOCAL;
        host_exchange(&header, "evil");
        header.operation = VSOCK_OP_REQUEST;
        header.length = 0;
        header.destination_cid = GUEST_CID;
        header.source_port = 1;
        host_exchange(&header, NULL);
    }
    uint8_t byte = 0;
    assert_int_equal(vsock_receive(server, &byte, 1), -EAGAIN);
    assert_int_equal(host.vsock->connection_count, 2);
    assert_int_equal(host.vsock->statistics.malformed, 6);
    host_expect_nothing();
    host_stop();
}

/* Without memory: the connection waits, or is reset; nothing is lost. */
static void test_no_memory(void **state)
{
    (void)state;
    for (long n = 1; n < 12; n++) {
        host_start();
        struct vsock_connection *server = NULL;
        struct vsock_connection *client = connect_local(VSOCK_CID_LOCAL, false, &server);
        fake_os.fail_at = n;
        int64_t sent = vsock_send(client, bulk, 60000);
        assert_int_equal(host_pump(), 0);
        fake_os.fail_at = 0;
        int64_t received = vsock_receive(server, copy, sizeof(copy));
        if (host_count(VSOCK_RESET, server) == 0)
            assert_int_equal(received, sent);
        vsock_abort(client);
        vsock_abort(server);
        assert_int_equal(host_pump(), 0);
        assert_int_equal(host.vsock->connection_count, 0);
        host_check_service(HOST_PORT);
        host_stop();
    }
}

/* A transport reset, and the end of the device, with packets on their way. */
static void test_ends(void **state)
{
    (void)state;
    host_start();
    struct vsock_connection *server = NULL;
    struct vsock_connection *client = connect_local(VSOCK_CID_LOCAL, false, &server);

    assert_int_equal(vsock_send(client, bulk, 30000), 30000);
    host_event(0);
    assert_int_equal(host_pump(), 0);
    assert_int_equal(host_count(VSOCK_RESET, client), 1);
    assert_int_equal(host_count(VSOCK_RESET, server), 1);
    vsock_close(client);
    vsock_close(server);
    client = connect_local(VSOCK_CID_LOCAL, false, &server);
    assert_int_equal(vsock_send(client, bulk, 30000), 30000);
    host_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_bulk),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_device_is_not_us),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
