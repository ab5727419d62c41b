/* SPDX-License-Identifier: MIT
 *
 * Connections in both directions: bytes, credit, half close, the end, many at once, restarts of the VM.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Sends `size` patterned bytes to the guest through `client`, with the guest giving credit, and checks them.
 */
static void stream_to_guest(struct fake_vm *vm, int client, uint32_t host_port, size_t size)
{
    static uint8_t chunk[32768];
    struct packet packet;
    size_t written = 0;
    size_t received = 0;

    while (received < size) {
        struct vsock_header update = guest_header(5000, host_port, VSOCK_CREDIT_UPDATE);
        ssize_t result;

        for (size_t i = 0; i < sizeof chunk; i++)
            chunk[i] = (uint8_t)((written + i) * 31 >> 3);
        result = send(client, chunk, sizeof chunk < size - written ? sizeof chunk : size - written,
                      MSG_DONTWAIT | MSG_NOSIGNAL);
        if (result > 0)
            written += (size_t)result;
        while (guest_receive(vm, &packet)) {
            if (packet.header.operation == VSOCK_CREDIT_REQUEST)
                continue;
            assert_int_equal(packet.header.operation, VSOCK_DATA);
            for (size_t i = 0; i < packet.size; i++)
                assert_int_equal(packet.payload[i], (uint8_t)((received + i) * 31 >> 3));
            received += packet.size;
        }
        update.forwarded = (uint32_t)received;
        guest_send(vm, &update, NULL, 0);
    }
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

/* Leaves the device without receive buffers: `port` is of an open connection. */
static void use_up_receive_buffers(struct fake_vm *vm, uint32_t port)
{
    struct packet packet;

    vm->keep_buffers = true;
    while (vm->queues[0].used[1] != vm->queues[0].available[1]) {
        guest_send_operation(vm, 5000, port, VSOCK_CREDIT_REQUEST);
        guest_expect(vm, VSOCK_CREDIT_UPDATE, &packet);
    }
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

/* Fills the client's socket and some of the backlog; returns how much was sent. */
static size_t fill_backlog(struct fake_vm *vm, uint32_t host_port)
{
    uint8_t bytes[4096];
    struct packet packet;
    uint32_t forwarded = 0;
    size_t sent = 0;

    memset(bytes, 'y', sizeof bytes);
    while (sent + sizeof bytes - forwarded <= BACKLOG_SIZE) {
        guest_send_data(vm, 5000, host_port, bytes, sizeof bytes);
        sent += sizeof bytes;
        while (guest_receive(vm, &packet))
            forwarded = packet.header.forwarded;
    }
    return sent;
}

static void expect_all(struct fake_vm *vm, int client, size_t size)
{
    uint8_t bytes[4096];
    size_t received = 0;
    ssize_t result;

    do {
        pump(vm);
        result = recv(client, bytes, sizeof bytes, MSG_DONTWAIT);
        if (result > 0)
            received += (size_t)result;
    } while (result > 0 || (result < 0 && errno == EAGAIN));
    assert_int_equal(result, 0);
    assert_int_equal(received, size);
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

static void the_vm_goes_in_the_middle_of_data(void **state)
{
    struct fake_vm *vm = *state;
    uint32_t host_port;
    uint32_t other_port;
    int client = client_open(vm, &host_port);
    int other = client_open(vm, &other_port);
    size_t sent = fill_backlog(vm, host_port);

    vm_disconnect(vm);
    assert_true(client_at_end(other));
    expect_all(vm, client, sent);
    (void)close(client);
    (void)close(other);
}

static void a_client_waits_for_the_vm(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    int client = client_connect(vm);
    int impatient = client_connect(vm);
    int hasty = client_connect(vm);

    client_write(client, "{early", 6);
    client_write(impatient, "{early", 6);
    pump(vm);
    assert_true(client_quiet(client));
    (void)close(impatient); /* before the VM is there */
    client_write(hasty, "{", 1);
    (void)close(hasty); /* at once */
    pump(vm);
    vm_connect(vm);
    vm_negotiate(vm);
    vm_set_memory(vm);
    vm_start_queues(vm);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    guest_send_operation(vm, 5000, packet.header.source_port, VSOCK_RESPONSE);
    guest_expect(vm, VSOCK_DATA, &packet);
    assert_memory_equal(packet.payload, "{early", 6);
    guest_expect_nothing(vm);
    (void)close(client);
}

static void a_paused_vm_keeps_its_connections(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    uint32_t bases[3];
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    for (int round = 0; round < 2; round++) {
        for (uint32_t queue = 0; queue < 3; queue++)
            bases[queue] = vm_stop_queue(vm, queue);
        client_write(client, "meanwhile", 9);
        pump(vm);
        assert_true(client_quiet(client));
        vm_resume_queues(vm, bases);
        guest_expect(vm, VSOCK_DATA, &packet);
        assert_memory_equal(packet.payload, "meanwhile", 9);
        guest_send_data(vm, 5000, host_port, "still here", 10);
        client_expect(client, "still here", 10);
    }
    /* Paused, and then the VM ends. */
    for (uint32_t queue = 0; queue < 3; queue++)
        (void)vm_stop_queue(vm, queue);
    vm_disconnect(vm);
    assert_true(client_at_end(client));
    (void)close(client);
}

/* The indices have come round to 0 just when the driver begins anew at 0: that is no resumption. */
static void a_vm_reset_at_index_0_is_a_reset(void **state)
{
    struct fake_vm *vm = *state;
    uint32_t host_port;
    int client;

    for (uint32_t queue = 0; queue < 3; queue++)
        (void)vm_stop_queue(vm, queue);
    vm->base = UINT16_MAX;
    vm_start_queues(vm);
    client = client_open(vm, &host_port); /* one packet each way */
    assert_int_equal(vm_stop_queue(vm, 0), 0);
    assert_int_equal(vm_stop_queue(vm, 1), 0);
    (void)vm_stop_queue(vm, 2);
    vm->base = 0;
    vm_start_queues(vm);
    assert_true(client_at_end(client));
    (void)close(client);
}

static void host_ports_are_not_used_twice(void **state)
{
    struct fake_vm *vm = *state;
    uint32_t ports[3];
    int clients[3];

    clients[0] = client_open(vm, &ports[0]);
    vm->bridge.device.last_host_port = ports[0] - 1;
    clients[1] = client_open(vm, &ports[1]);
    assert_int_equal(ports[1], ports[0] + 1);
    /* After the greatest one comes the least that is free. */
    vm->bridge.device.last_host_port = 0x7fffffff;
    clients[2] = client_open(vm, &ports[2]);
    assert_int_equal(ports[2], ports[0] + 2);
    for (int i = 0; i < 3; i++)
        (void)close(clients[i]);
}

static void a_vm_reset_closes_connections_and_the_next_driver_serves(void **state)
{
    struct fake_vm *vm = *state;
    int late;
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    /* A packet that the old driver had ready, but the device has not seen. */
    struct vsock_header stale = guest_header(5000, host_port, VSOCK_DATA);
    guest_send(vm, &stale, NULL, 0);
    assert_int_equal(vm_stop_queue(vm, 0), 1);
    (void)vm_stop_queue(vm, 1);
    (void)vm_stop_queue(vm, 2);
    late = client_connect(vm);
    client_write(late, "{", 1);
    vm_start_queues(vm);
    assert_true(client_at_end(client));
    (void)close(client);
    client = late;
    guest_expect(vm, VSOCK_REQUEST, &packet);
    guest_expect_nothing(vm);
    /* The old connection does not exist any more. */
    guest_send_data(vm, 5000, host_port, "old", 3);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_int_equal(packet.header.source_port, host_port);
    (void)close(client);
}

static void one_vm_after_the_other(void **state)
{
    struct fake_vm *vm = *state;
    uint32_t host_port;

    for (int i = 0; i < 5; i++) {
        int client = client_open(vm, &host_port);

        guest_send_data(vm, 5000, host_port, "hello", 5);
        client_expect(client, "hello", 5);
        if (i % 2 == 0) {
            vm_disconnect(vm);
        } else {
            /* The next VM comes before the loop has seen that the last one has gone. */
            (void)close(vm->master);
        }
        vm_connect(vm);
        assert_true(client_at_end(client));
        vm_negotiate(vm);
        vm_set_memory(vm);
        vm_start_queues(vm);
        (void)close(client);
    }
}

static void indices_wrap(void **state)
{
    struct fake_vm *vm = *state;
    uint32_t host_port;
    int client;

    (void)vm_stop_queue(vm, 0);
    (void)vm_stop_queue(vm, 1);
    (void)vm_stop_queue(vm, 2);
    vm->base = 65500;
    vm_start_queues(vm);
    client = client_open(vm, &host_port);
    stream_to_guest(vm, client, host_port, 1000000);
    for (int i = 0; i < 100; i++) {
        guest_send_data(vm, 5000, host_port, "wrap", 4);
        client_expect(client, "wrap", 4);
    }
    (void)close(client);
}

/* 128 connections, each with bytes both ways; then as many as there may be, and one more. */
static void many_connections(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    static int clients[CONNECTIONS_MAX + 1];
    static uint32_t ports[CONNECTIONS_MAX];
    char text[16];

    for (int i = 0; i < CONNECTIONS_MAX; i++)
        clients[i] = client_open(vm, &ports[i]);
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        int size = snprintf(text, sizeof text, "to %d", i);

        client_write(clients[i], text, (size_t)size);
    }
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        int size;

        guest_expect(vm, VSOCK_DATA, &packet);
        size = snprintf(text, sizeof text, "to %d", (int)(packet.header.source_port - ports[0]));
        assert_int_equal(packet.size, size);
        assert_memory_equal(packet.payload, text, (size_t)size);
        guest_send_data(vm, 5000, packet.header.source_port, text, (size_t)size);
    }
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        int size = snprintf(text, sizeof text, "to %d", i);

        client_expect(clients[i], text, (size_t)size);
    }
    clients[CONNECTIONS_MAX] = client_connect(vm);
    assert_true(client_at_end(clients[CONNECTIONS_MAX]));
    /* The guest's own connections count too. */
    guest_send_operation(vm, 900, 6000, VSOCK_REQUEST);
    guest_expect(vm, VSOCK_RESET, &packet);
    /* A client has left, though the guest has not said RST: there is room for another. */
    (void)close(clients[3]);
    guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    (void)close(clients[CONNECTIONS_MAX]);
    clients[3] = client_connect(vm);
    client_write(clients[3], "{", 1);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_int_equal(packet.header.source_port, ports[3]);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        (void)close(clients[i]);
}

/* With one receive buffer at a time, connections that all have data are served in turns. */
static void turns_are_fair(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    uint8_t bytes[16384] = {0};
    unsigned packets[4] = {0};
    uint32_t ports[4];
    int clients[4];

    for (int i = 0; i < 4; i++)
        clients[i] = client_open(vm, &ports[i]);
    use_up_receive_buffers(vm, ports[0]);
    for (int i = 0; i < 4; i++)
        client_write(clients[i], bytes, sizeof bytes);
    guest_expect_nothing(vm);
    for (uint16_t i = 0; i < 12; i++) {
        guest_post_rx(vm, i);
        guest_expect(vm, VSOCK_DATA, &packet);
        packets[packet.header.source_port - ports[0]]++;
        guest_expect_nothing(vm);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(packets[i], 3);
        (void)close(clients[i]);
    }
}

static int serve_port(struct fake_vm *vm, unsigned port, char *path, size_t capacity)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)snprintf(path, capacity, "%s_%u", vm->socket_path, port);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    return listener;
}

static void the_guest_connects_to_the_host(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    char path[64];
    int listener = serve_port(vm, 6000, path, sizeof path);
    int server;

    guest_send_operation(vm, 1500, 6000, VSOCK_REQUEST);
    guest_expect(vm, VSOCK_RESPONSE, &packet);
    assert_int_equal(packet.header.source_port, 6000);
    assert_int_equal(packet.header.destination_port, 1500);
    server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    client_write(server, "welcome", 7);
    guest_expect(vm, VSOCK_DATA, &packet);
    assert_memory_equal(packet.payload, "welcome", 7);
    guest_send_data(vm, 1500, 6000, "thanks", 6);
    client_expect(server, "thanks", 6);
    /* A second request with the same ports ends it. */
    guest_send_operation(vm, 1500, 6000, VSOCK_REQUEST);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_true(client_at_end(server));
    (void)close(server);
    /* Nobody serves this one. */
    guest_send_operation(vm, 1501, 6001, VSOCK_REQUEST);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_int_equal(packet.header.source_port, 6001);
    assert_int_equal(packet.header.destination_port, 1501);
    (void)close(listener);
    (void)unlink(path);
}

static void the_response_comes_before_the_servers_data(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    char path[64];
    uint32_t host_port;
    int listener = serve_port(vm, 6000, path, sizeof path);
    int client = client_open(vm, &host_port);
    int server;

    use_up_receive_buffers(vm, host_port);
    guest_send_operation(vm, 1500, 6000, VSOCK_REQUEST);
    server = accept(listener, NULL, NULL);
    client_write(server, "at once", 7);
    guest_expect_nothing(vm);
    guest_post_rx(vm, 0);
    guest_expect(vm, VSOCK_RESPONSE, &packet);
    guest_post_rx(vm, 1);
    guest_expect(vm, VSOCK_DATA, &packet);
    (void)close(client);
    (void)close(server);
    (void)close(listener);
    (void)unlink(path);
}

static void a_server_that_closes_at_once_is_opened_and_shut_down(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    char path[64];
    int listener = serve_port(vm, 6000, path, sizeof path);

    guest_send_operation(vm, 1500, 6000, VSOCK_REQUEST);
    (void)close(accept(listener, NULL, NULL));
    guest_expect(vm, VSOCK_RESPONSE, &packet);
    guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    assert_int_equal(packet.header.flags, VSOCK_NEITHER);
    (void)close(listener);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define READY(test) cmocka_unit_test_setup_teardown(test, setup_ready, teardown)
#define BASIC(test) cmocka_unit_test_setup_teardown(test, setup_ready_without_event_index, teardown)
#define NO_VM(test) cmocka_unit_test_setup_teardown(test, setup_bridge, teardown)
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
        READY(the_client_ends_its_half_first),
        READY(the_guest_ends_its_half_first),
        READY(a_guest_that_does_not_receive_gets_no_data),
        READY(a_client_that_leaves_is_announced_after_its_data),
        READY(a_client_that_dies_with_bytes_unread),
        READY(a_client_that_leaves_in_the_middle_of_data),
        READY(a_connection_without_memory_is_reset),
        READY(a_guest_that_closes_has_everything_delivered),
        READY(a_guest_that_closes_gives_the_client_an_end_and_no_reset),
        READY(data_brings_the_credit_with_it),
        READY(the_response_comes_before_the_servers_data),
        READY(a_guest_that_resets_has_everything_delivered),
        READY(the_vm_goes_in_the_middle_of_data),
        NO_VM(a_client_waits_for_the_vm),
        READY(a_vm_reset_at_index_0_is_a_reset),
        READY(host_ports_are_not_used_twice),
        READY(a_paused_vm_keeps_its_connections),
        READY(a_vm_reset_closes_connections_and_the_next_driver_serves),
        READY(one_vm_after_the_other),
        READY(indices_wrap),
        READY(many_connections),
        READY(turns_are_fair),
        BASIC(turns_are_fair),
        READY(the_guest_connects_to_the_host),
        READY(a_server_that_closes_at_once_is_opened_and_shut_down),
    };

    return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
