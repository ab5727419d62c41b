/* SPDX-License-Identifier: MIT
 *
 * Streams that clients begin: greetings, bytes in both directions, credit.
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

static bool malloc_fails;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
    return malloc_fails ? NULL : __real_malloc(size);
}

static void a_direct_client_reaches_the_direct_port(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    uint32_t host_port;
    int client = client_connect(vm);

    guest_expect_nothing(vm); /* the first byte decides */
    client_write(client, "{hello", 6);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    assert_int_equal(packet.header.destination_port, 5000);
    assert_int_equal(packet.header.type, VSOCK_TYPE_STREAM);
    assert_int_equal(packet.header.buffer_size, BACKLOG_SIZE);
    host_port = packet.header.source_port;
    guest_expect_nothing(vm);
    guest_send_operation(vm, 5000, host_port, VSOCK_RESPONSE);
    guest_expect(vm, VSOCK_DATA, &packet);
    assert_int_equal(packet.size, 6);
    assert_memory_equal(packet.payload, "{hello", 6);
    guest_send_data(vm, 5000, host_port, "answer", 6);
    client_expect(client, "answer", 6);
    assert_true(client_quiet(client));
    (void)close(client);
}

static void connect_names_the_port(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    char line[32];
    int client = client_connect(vm);
    int size;

    /* In two pieces, and with data behind it. */
    client_write(client, "CONN", 4);
    guest_expect_nothing(vm);
    client_write(client, "ECT 1234\nearly", 14);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    assert_int_equal(packet.header.destination_port, 1234);
    assert_true(client_quiet(client));
    guest_send_operation(vm, 1234, packet.header.source_port, VSOCK_RESPONSE);
    size = snprintf(line, sizeof line, "OK %u\n", packet.header.source_port);
    client_expect(client, line, (size_t)size);
    guest_expect(vm, VSOCK_DATA, &packet);
    assert_int_equal(packet.size, 5);
    assert_memory_equal(packet.payload, "early", 5);
    (void)close(client);
}

static void a_bad_handshake_ends_the_connection(void **state)
{
    static const char *const lines[] = {
        "CONNECT\n", "CONNECT \n",           "CONNECT 12x\n",     "CONNECT -1\n",
        "CLOSE 5\n", "CONNECT 4294967295\n", "CONNECT 5000 6000", "CONNECT 50000000000000000000000000000\n"};
    struct fake_vm *vm = *state;

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        int client = client_connect(vm);

        client_write(client, lines[i], strlen(lines[i]));
        if (strchr(lines[i], '\n') == NULL)
            (void)shutdown(client, SHUT_WR); /* the line will never be complete */
        pump(vm);
        assert_false(client_quiet(client));
        (void)close(client);
    }
    guest_expect_nothing(vm);
}

static void a_refused_port_closes_the_client(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    int client = client_connect(vm);

    client_write(client, "CONNECT 1\n", 10);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    guest_send_operation(vm, 1, packet.header.source_port, VSOCK_RESET);
    assert_true(client_at_end(client));
    guest_expect_nothing(vm);
    (void)close(client);
}

static void a_client_that_says_nothing_and_leaves_is_forgotten(void **state)
{
    struct fake_vm *vm = *state;

    for (int i = 0; i < CONNECTIONS_MAX + 10; i++)
        (void)close(client_connect(vm));
    guest_expect_nothing(vm);
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        assert_int_equal(vm->bridge.device.connections[i].state, CONNECTION_FREE);
}

static void much_data_reaches_the_guest_in_order(void **state)
{
    struct fake_vm *vm = *state;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    stream_to_guest(vm, client, host_port, 2000000);
    (void)close(client);
}

/* Sends patterned bytes to the client from the guest as credit allows, and reads them there. */
static void much_data_reaches_the_client_in_order(void **state)
{
    struct fake_vm *vm = *state;
    const int small = 4096;
    uint8_t bytes[8000];
    struct packet packet;
    uint32_t host_port;
    uint32_t forwarded = 0;
    unsigned updates = 0;
    size_t sent = 0;
    size_t received = 0;
    int client = client_open(vm, &host_port);

    /* So that the socket takes parts of a packet. */
    assert_int_equal(
        setsockopt(vm->bridge.device.connections[0].watch.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small),
        0);
    while (received < 2000000) {
        ssize_t result;

        while (sent + sizeof bytes - forwarded <= BACKLOG_SIZE && sent < 2000000) {
            size_t size = vm->packets_sent % 3 == 1 ? 3000 : sizeof bytes;

            for (size_t i = 0; i < size; i++)
                bytes[i] = (uint8_t)((sent + i) * 7 >> 2);
            guest_send_data(vm, 5000, host_port, bytes, size);
            sent += size;
            while (guest_receive(vm, &packet)) {
                assert_int_equal(packet.header.operation, VSOCK_CREDIT_UPDATE);
                forwarded = packet.header.forwarded;
                updates++;
            }
        }
        while ((result = recv(client, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
            for (ssize_t i = 0; i < result; i++)
                assert_int_equal(bytes[i], (uint8_t)((received + (size_t)i) * 7 >> 2));
            received += (size_t)result;
        }
        while (guest_receive(vm, &packet)) {
            forwarded = packet.header.forwarded;
            updates++;
        }
    }
    assert_int_equal(received, sent);
    assert_in_range(updates, 1, sent / (BACKLOG_SIZE / 4)); /* no more packets than it takes */
    assert_true(sent - forwarded < BACKLOG_SIZE / 4);
    (void)close(client);
}

static void a_guest_without_room_is_asked_once_and_stalls_only_its_client(void **state)
{
    struct fake_vm *vm = *state;
    struct vsock_header update;
    struct packet packet;
    uint8_t bytes[8192] = {1, 2, 3};
    uint32_t stalled_port;
    uint32_t other_port;
    size_t received = 0;
    int stalled = client_open(vm, &stalled_port);
    int other;

    /* The guest has room for 65536 bytes in all. */
    for (int i = 0; i < 10; i++) {
        client_write(stalled, bytes, sizeof bytes);
        while (guest_receive(vm, &packet)) {
            if (packet.header.operation == VSOCK_CREDIT_REQUEST) {
                assert_int_equal(received, 65536);
                continue;
            }
            received += packet.size;
        }
    }
    assert_int_equal(received, 65536);
    assert_true(vm->bridge.device.connections[0].credit_requested);
    guest_expect_nothing(vm);
    other = client_open(vm, &other_port);
    client_write(other, "flows", 5);
    guest_expect(vm, VSOCK_DATA, &packet);
    assert_int_equal(packet.header.source_port, other_port);
    assert_memory_equal(packet.payload, "flows", 5);
    /* Room again: the rest follows, no byte twice. */
    update = guest_header(5000, stalled_port, VSOCK_CREDIT_UPDATE);
    update.forwarded = 65536;
    guest_send(vm, &update, NULL, 0);
    while (guest_receive(vm, &packet)) {
        assert_int_equal(packet.header.source_port, stalled_port);
        received += packet.size;
    }
    assert_int_equal(received, 10 * sizeof bytes);
    (void)close(stalled);
    (void)close(other);
}

static void a_client_that_does_not_read_stalls_nobody_else(void **state)
{
    struct fake_vm *vm = *state;
    uint8_t bytes[4096];
    struct packet packet;
    uint32_t stalled_port;
    uint32_t other_port;
    uint32_t forwarded = 0;
    size_t sent = 0;
    size_t received = 0;
    ssize_t result;
    int stalled = client_open(vm, &stalled_port);
    int other = client_open(vm, &other_port);

    memset(bytes, 'x', sizeof bytes);
    while (sent + sizeof bytes - forwarded <= BACKLOG_SIZE) {
        guest_send_data(vm, 5000, stalled_port, bytes, sizeof bytes);
        sent += sizeof bytes;
        while (guest_receive(vm, &packet))
            forwarded = packet.header.forwarded;
    }
    /* All that the guest was allowed to send is held, and no credit comes any more. */
    assert_true(sent > BACKLOG_SIZE);
    guest_expect_nothing(vm);
    guest_send_data(vm, 5000, other_port, "flows", 5);
    client_expect(other, "flows", 5);
    client_write(other, "back", 4);
    guest_expect(vm, VSOCK_DATA, &packet);
    assert_int_equal(packet.size, 4);
    /* The client reads at last: all of it is there, and credit for it. */
    while (received < sent) {
        pump(vm);
        while ((result = recv(stalled, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
            received += (size_t)result;
    }
    while (guest_receive(vm, &packet))
        forwarded = packet.header.forwarded;
    assert_true(sent - forwarded < BACKLOG_SIZE / 4);
    assert_null(vm->bridge.device.connections[0].backlog.bytes);
    (void)close(stalled);
    (void)close(other);
}

static void a_question_for_credit_is_answered(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    guest_send_data(vm, 5000, host_port, "12345", 5);
    guest_expect_nothing(vm);
    guest_send_operation(vm, 5000, host_port, VSOCK_CREDIT_REQUEST);
    guest_expect(vm, VSOCK_CREDIT_UPDATE, &packet);
    assert_int_equal(packet.header.buffer_size, BACKLOG_SIZE);
    assert_int_equal(packet.header.forwarded, 5);
    (void)close(client);
}

static void data_brings_the_credit_with_it(void **state)
{
    struct fake_vm *vm = *state;
    uint8_t bytes[8000] = {0};
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    use_up_receive_buffers(vm, host_port);
    for (int i = 0; i < 10; i++) {
        guest_send_data(vm, 5000, host_port, bytes, sizeof bytes);
        client_expect(client, bytes, sizeof bytes);
    }
    client_write(client, "data", 4);
    guest_post_rx(vm, 0);
    guest_post_rx(vm, 1);
    guest_expect(vm, VSOCK_DATA, &packet);
    assert_int_equal(packet.header.forwarded, 10 * sizeof bytes);
    guest_expect_nothing(vm);
    (void)close(client);
}

static void a_connection_without_memory_is_reset(void **state)
{
    struct fake_vm *vm = *state;
    uint8_t bytes[4096] = {0};
    struct packet packet = {0};
    uint32_t stalled_port;
    uint32_t other_port;
    int stalled = client_open(vm, &stalled_port);
    int other = client_open(vm, &other_port);

    malloc_fails = true;
    for (int i = 0; i < 1000 && packet.header.operation != VSOCK_RESET; i++) {
        guest_send_data(vm, 5000, stalled_port, bytes, sizeof bytes);
        while (guest_receive(vm, &packet))
            ;
    }
    malloc_fails = false;
    assert_int_equal(packet.header.operation, VSOCK_RESET);
    guest_send_data(vm, 5000, other_port, "flows", 5);
    client_expect(other, "flows", 5);
    (void)close(stalled);
    (void)close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define READY(test) cmocka_unit_test_setup_teardown(test, setup_ready, teardown)
#define BASIC(test) cmocka_unit_test_setup_teardown(test, setup_ready_without_event_index, teardown)
        READY(a_direct_client_reaches_the_direct_port),
        BASIC(a_direct_client_reaches_the_direct_port),
        READY(connect_names_the_port),
        READY(a_bad_handshake_ends_the_connection),
        READY(a_refused_port_closes_the_client),
        READY(a_client_that_says_nothing_and_leaves_is_forgotten),
        READY(much_data_reaches_the_guest_in_order),
        BASIC(much_data_reaches_the_guest_in_order),
        READY(much_data_reaches_the_client_in_order),
        BASIC(much_data_reaches_the_client_in_order),
        READY(a_guest_without_room_is_asked_once_and_stalls_only_its_client),
        READY(a_client_that_does_not_read_stalls_nobody_else),
        READY(a_question_for_credit_is_answered),
        READY(a_connection_without_memory_is_reset),
        READY(data_brings_the_credit_with_it),
    };

    return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
