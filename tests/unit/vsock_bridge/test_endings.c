/* SPDX-License-Identifier: MIT
 *
 * How connections end: half closes, clients and guests that leave, and that nothing is lost on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_vm.h"

static void the_client_ends_its_half_first(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    client_write(client, "question", 8);
    (void)shutdown(client, SHUT_WR);
    guest_expect(vm, VSOCK_DATA, &packet);
    guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    assert_int_equal(packet.header.flags, VSOCK_NO_SEND);
    guest_expect_nothing(vm);
    guest_send_data(vm, 5000, host_port, "answer", 6);
    client_expect(client, "answer", 6);
    assert_true(client_quiet(client));
    /* The guest ends the other half: the bridge ends the connection. */
    struct vsock_header end = guest_header(5000, host_port, VSOCK_SHUTDOWN);
    end.flags = VSOCK_NO_SEND;
    guest_send(vm, &end, NULL, 0);
    guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    assert_int_equal(packet.header.flags, VSOCK_NEITHER);
    assert_true(client_at_end(client));
    guest_send_operation(vm, 5000, host_port, VSOCK_RESET);
    guest_expect_nothing(vm);
    assert_int_equal(vm->bridge.device.connections[0].state, CONNECTION_FREE);
    (void)close(client);
}

static void the_guest_ends_its_half_first(void **state)
{
    struct fake_vm *vm = *state;
    struct vsock_header end;
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    guest_send_data(vm, 5000, host_port, "all of it", 9);
    end = guest_header(5000, host_port, VSOCK_SHUTDOWN);
    end.flags = VSOCK_NO_SEND;
    guest_send(vm, &end, NULL, 0);
    pump(vm);
    client_expect(client, "all of it", 9);
    assert_true(client_at_end(client));
    client_write(client, "goes on", 7);
    guest_expect(vm, VSOCK_DATA, &packet);
    assert_memory_equal(packet.payload, "goes on", 7);
    /* It will not receive either: the client's writes fail, and RST ends it. */
    end.flags = VSOCK_NO_RECEIVE;
    guest_send(vm, &end, NULL, 0);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_int_equal(send(client, "x", 1, MSG_NOSIGNAL), -1);
    assert_int_equal(errno, EPIPE);
    (void)close(client);
}

static void a_guest_that_does_not_receive_gets_no_data(void **state)
{
    struct fake_vm *vm = *state;
    struct vsock_header end;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    end = guest_header(5000, host_port, VSOCK_SHUTDOWN);
    end.flags = VSOCK_NO_RECEIVE;
    guest_send(vm, &end, NULL, 0);
    pump(vm);
    assert_int_equal(send(client, "x", 1, MSG_NOSIGNAL), -1);
    guest_expect_nothing(vm);
    guest_send_data(vm, 5000, host_port, "still", 5);
    client_expect(client, "still", 5);
    (void)close(client);
}

static void a_guest_that_closes_gives_the_client_an_end_and_no_reset(void **state)
{
    struct fake_vm *vm = *state;
    struct vsock_header end;
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    end = guest_header(5000, host_port, VSOCK_SHUTDOWN);
    end.flags = VSOCK_NEITHER;
    client_write(client, "crosses the end", 15);
    guest_send(vm, &end, NULL, 0);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_true(client_at_end(client));
    (void)close(client);
}

static void a_client_that_leaves_is_announced_after_its_data(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    client_write(client, "last words", 10);
    (void)close(client);
    guest_expect(vm, VSOCK_DATA, &packet);
    assert_memory_equal(packet.payload, "last words", 10);
    guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    assert_int_equal(packet.header.flags, VSOCK_NEITHER);
    /* What the guest sends before it knows is dropped. Then both may close at the same time. */
    guest_send_data(vm, 5000, host_port, "too late", 8);
    guest_expect_nothing(vm);
    struct vsock_header end = guest_header(5000, host_port, VSOCK_SHUTDOWN);
    end.flags = VSOCK_NEITHER;
    guest_send(vm, &end, NULL, 0);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_int_equal(vm->bridge.device.connections[0].state, CONNECTION_FREE);
}

static void a_client_that_dies_with_bytes_unread(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    guest_send_data(vm, 5000, host_port, "never read", 10);
    (void)close(client);
    guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    assert_int_equal(packet.header.flags, VSOCK_NEITHER);
    guest_send_operation(vm, 5000, host_port, VSOCK_RESET);
    assert_int_equal(vm->bridge.device.connections[0].state, CONNECTION_FREE);
}

/* The client closes while data for it is still held: the guest's write fails, the rest is dropped. */
static void a_client_that_leaves_in_the_middle_of_data(void **state)
{
    struct fake_vm *vm = *state;
    uint8_t bytes[4096] = {0};
    struct packet packet;
    uint32_t host_port;
    uint32_t forwarded = 0;
    size_t sent = 0;
    int client = client_open(vm, &host_port);

    while (sent + sizeof bytes - forwarded <= BACKLOG_SIZE) {
        guest_send_data(vm, 5000, host_port, bytes, sizeof bytes);
        sent += sizeof bytes;
        while (guest_receive(vm, &packet))
            forwarded = packet.header.forwarded;
    }
    (void)close(client);
    guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    assert_int_equal(packet.header.forwarded, sent);
    assert_null(vm->bridge.device.connections[0].backlog.bytes);
    while (guest_receive(vm, &packet))
        assert_int_equal(packet.header.operation, VSOCK_SHUTDOWN);
    assert_int_equal(packet.header.flags, VSOCK_NEITHER);
}

static void a_guest_that_closes_has_everything_delivered(void **state)
{
    struct fake_vm *vm = *state;
    struct vsock_header end;
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);
    size_t sent = fill_backlog(vm, host_port);

    end = guest_header(5000, host_port, VSOCK_SHUTDOWN);
    end.flags = VSOCK_NEITHER;
    guest_send(vm, &end, NULL, 0);
    guest_expect_nothing(vm); /* RST comes when all is delivered */
    expect_all(vm, client, sent);
    while (guest_receive(vm, &packet) && packet.header.operation != VSOCK_RESET)
        assert_int_equal(packet.header.operation, VSOCK_CREDIT_UPDATE);
    assert_int_equal(packet.header.operation, VSOCK_RESET);
    (void)close(client);
}

static void a_guest_that_resets_has_everything_delivered(void **state)
{
    struct fake_vm *vm = *state;
    uint32_t host_port;
    int client = client_open(vm, &host_port);
    size_t sent = fill_backlog(vm, host_port);

    guest_send_operation(vm, 5000, host_port, VSOCK_RESET);
    assert_int_equal(send(client, "x", 1, MSG_NOSIGNAL), -1);
    /* The ports are free for another connection at once; packets for them do not belong to this one. */
    assert_null(table_find(&vm->bridge.device, 5000, host_port));
    expect_all(vm, client, sent);
    guest_expect_nothing(vm);
    (void)close(client);
}

/* shutdown(SHUT_RD): the guest is told, what it still sends is dropped, and the client goes on sending. */
static void a_client_that_only_sends(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    (void)shutdown(client, SHUT_RD);
    guest_send_data(vm, 5000, host_port, "nobody reads this", 17);
    guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    assert_int_equal(packet.header.flags, VSOCK_NO_RECEIVE);
    guest_send_data(vm, 5000, host_port, "nor this", 8);
    client_write(client, "still sending", 13);
    guest_expect(vm, VSOCK_DATA, &packet);
    assert_memory_equal(packet.payload, "still sending", 13);
    assert_int_equal(packet.header.forwarded, 17 + 8);
    (void)close(client);
    guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    assert_int_equal(packet.header.flags, VSOCK_NEITHER);
}

/* It asked and left: the guest's answer opens a connection that only ends. */
static void a_client_that_leaves_before_the_answer(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    int client = client_connect(vm);

    client_write(client, "CONNECT 5000\n", 13);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    (void)close(client);
    pump(vm);
    guest_send_operation(vm, 5000, packet.header.source_port, VSOCK_RESPONSE);
    guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    while (packet.header.flags != VSOCK_NEITHER)
        guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    guest_send_operation(vm, 5000, packet.header.source_port, VSOCK_RESET);
    assert_int_equal(vm->bridge.device.connections[0].state, CONNECTION_FREE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define READY(test) cmocka_unit_test_setup_teardown(test, setup_ready, teardown)
        READY(the_client_ends_its_half_first),
        READY(the_guest_ends_its_half_first),
        READY(a_guest_that_does_not_receive_gets_no_data),
        READY(a_client_that_leaves_is_announced_after_its_data),
        READY(a_client_that_dies_with_bytes_unread),
        READY(a_client_that_leaves_in_the_middle_of_data),
        READY(a_guest_that_closes_has_everything_delivered),
        READY(a_guest_that_closes_gives_the_client_an_end_and_no_reset),
        READY(a_guest_that_resets_has_everything_delivered),
        READY(a_client_that_only_sends),
        READY(a_client_that_leaves_before_the_answer),
    };

    return cmocka_run_group_tests_name("endings", tests, NULL, NULL);
}
