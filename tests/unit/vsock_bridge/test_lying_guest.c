/* SPDX-License-Identifier: MIT
 *
 * A guest that lies in its packets, about its credit, or at random.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_vm.h"

static void wrong_addresses_are_dropped(void **state)
{
    struct fake_vm *vm = *state;
    struct vsock_header header;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    header = guest_header(5000, host_port, VSOCK_RESET);
    header.source_cid = GUEST_CID + 1;
    guest_send(vm, &header, NULL, 0);
    header = guest_header(5000, host_port, VSOCK_RESET);
    header.source_cid |= UINT64_C(1) << 32;
    guest_send(vm, &header, NULL, 0);
    header = guest_header(5000, host_port, VSOCK_RESET);
    header.destination_cid = 1;
    guest_send(vm, &header, NULL, 0);
    guest_expect_nothing(vm);
    assert_true(client_quiet(client));
    (void)close(client);
}

static void packets_of_no_connection_are_reset(void **state)
{
    struct fake_vm *vm = *state;
    struct vsock_header header;
    struct packet packet;

    for (unsigned operation = 0; operation < 12; operation++) {
        guest_send_operation(vm, 77, 88, (enum vsock_operation)operation);
        if (operation == VSOCK_RESET) {
            guest_expect_nothing(vm);
            continue;
        }
        guest_expect(vm, VSOCK_RESET, &packet);
        assert_int_equal(packet.header.source_port, 88);
        assert_int_equal(packet.header.destination_port, 77);
    }
    /* Section 5.10.6.4.1: an unknown type is answered with RST, of that type. */
    header = guest_header(77, 88, VSOCK_REQUEST);
    header.type = 2;
    guest_send(vm, &header, NULL, 0);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_int_equal(packet.header.type, 2);
}

static void short_packets_are_dropped(void **state)
{
    struct fake_vm *vm = *state;

    for (uint32_t size = 0; size < 44; size++) {
        vm->queues[1].descriptors[0] = (struct fake_descriptor){TX_BUFFERS, size, 0, 0};
        guest_offer(vm, 1, 0);
        pump(vm);
    }
    assert_int_equal(vm->queues[1].used[1], 44);
    guest_expect_nothing(vm);
    expect_echo(vm);
}

/* What resets the connection, after it was opened. */
static void violations_reset_the_connection(void **state)
{
    static const struct {
        unsigned operation;
        uint32_t length; /* as claimed; 100 bytes are there */
    } violations[] = {
        {VSOCK_REQUEST, 0}, {VSOCK_RESPONSE, 0},      {0, 0}, {8, 0}, {UINT16_MAX, 0},
        {VSOCK_DATA, 101},  {VSOCK_DATA, UINT32_MAX},
    };
    static const uint8_t bytes[100];
    struct fake_vm *vm = *state;

    for (size_t i = 0; i < sizeof violations / sizeof violations[0]; i++) {
        struct vsock_header header;
        struct packet packet;
        uint32_t host_port;
        int client = client_open(vm, &host_port);

        header = guest_header(5000, host_port, VSOCK_DATA);
        header.operation = (uint16_t)violations[i].operation;
        header.length = violations[i].length;
        guest_send(vm, &header, bytes, sizeof bytes);
        guest_expect(vm, VSOCK_RESET, &packet);
        guest_expect_nothing(vm);
        assert_true(client_at_end(client));
        (void)close(client);
        expect_echo(vm);
    }
}

static void data_before_the_response_resets(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    int client = client_connect(vm);

    client_write(client, "CONNECT 5000\n", 13);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    guest_send_data(vm, 5000, packet.header.source_port, "early", 5);
    guest_expect(vm, VSOCK_RESET, &packet);
    assert_true(client_at_end(client));
    (void)close(client);
}

static void data_after_shutdown_resets(void **state)
{
    struct fake_vm *vm = *state;
    struct vsock_header end;
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    end = guest_header(5000, host_port, VSOCK_SHUTDOWN);
    end.flags = VSOCK_NO_SEND | 0xfff0;
    guest_send(vm, &end, NULL, 0);
    guest_send_data(vm, 5000, host_port, "more", 4);
    guest_expect(vm, VSOCK_RESET, &packet);
    (void)close(client);
}

static void more_than_the_credit_resets(void **state)
{
    struct fake_vm *vm = *state;
    uint8_t bytes[4096] = {0};
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);
    bool reset = false;

    /* The client reads nothing; its socket and the backlog fill up. No credit is left then. */
    for (int i = 0; i < 1000 && !reset; i++) {
        guest_send_data(vm, 5000, host_port, bytes, sizeof bytes);
        while (guest_receive(vm, &packet))
            reset = packet.header.operation == VSOCK_RESET;
        assert_true(vm->bridge.device.connections[0].backlog.used <= BACKLOG_SIZE);
    }
    assert_true(reset);
    assert_null(vm->bridge.device.connections[0].backlog.bytes);
    (void)close(client);
    expect_echo(vm);
}

static void credit_for_bytes_never_sent_gives_nothing(void **state)
{
    struct fake_vm *vm = *state;
    struct vsock_header update;
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    update = guest_header(5000, host_port, VSOCK_CREDIT_UPDATE);
    update.forwarded = 1; /* of 0 */
    guest_send(vm, &update, NULL, 0);
    pump(vm);
    client_write(client, "x", 1);
    guest_expect(vm, VSOCK_CREDIT_REQUEST, &packet);
    guest_expect_nothing(vm);
    update.forwarded = 0;
    guest_send(vm, &update, NULL, 0);
    guest_expect(vm, VSOCK_DATA, &packet);
    (void)close(client);
}

/* A guest that floods without receiving: nothing grows, and it goes on when it receives. */
static void a_flood_of_strays_is_bounded(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    unsigned resets = 0;
    unsigned sent = 0;

    vm->keep_buffers = true;
    for (; sent < 1000; sent++) {
        /* The driver, too, may only offer as many as the ring has. */
        if ((uint16_t)(vm->queues[1].available[1] - vm->queues[1].used[1]) == QUEUE_SIZE)
            break;
        guest_send_operation(vm, sent, 1, VSOCK_DATA);
    }
    assert_int_equal(sent, QUEUE_SIZE + RESETS_MAX + QUEUE_SIZE);
    assert_int_equal(vm->bridge.device.reset_count, RESETS_MAX);
    /* It takes what there is, and then offers all buffers with one kick: that sets everything in motion. */
    for (; guest_receive(vm, &packet); resets++)
        assert_int_equal(packet.header.destination_port, resets);
    assert_int_equal(resets, QUEUE_SIZE);
    vm->queues[0].available[1] = (uint16_t)(vm->queues[0].available[1] + QUEUE_SIZE - 1);
    guest_offer(vm, 0, vm->queues[0].available[2 + QUEUE_SIZE - 1]);
    do
        assert_int_equal(bridge_step(&vm->bridge, 0), 0);
    while (vm->bridge.busy);
    assert_int_equal(vm->queues[1].used[1], vm->queues[1].available[1]);
    vm->keep_buffers = false;
    for (; guest_receive(vm, &packet); resets++) {
        assert_int_equal(packet.header.operation, VSOCK_RESET);
        assert_int_equal(packet.header.destination_port, resets);
    }
    assert_int_equal(resets, sent);
    expect_echo(vm);
}

static uint32_t random_state;

static uint32_t next_random(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return random_state >> 8;
}

/* Interesting values more often than a uniform choice would give them. */
static uint32_t odd_value(void)
{
    static const uint32_t values[] = {
        0,      1,      2,       43,       44,         45,         63,         64,   65,         127,
        0x8000, 0xffff, 0x10000, 0x1fffff, 0x7fffffff, 0xffffffff, 0xfffffff0, 5000, 0x40000000, 0x40000001};

    return next_random() % 2 == 0 ? values[next_random() % (sizeof values / sizeof values[0])]
                                  : next_random();
}

static void scribble(struct fake_vm *vm)
{
    struct fake_queue *queue = &vm->queues[next_random() % 2];
    struct fake_descriptor *descriptor = &queue->descriptors[next_random() % QUEUE_SIZE];
    uint32_t value = odd_value();

    switch (next_random() % 10) {
    case 0:
        descriptor->address = next_random() % 2 == 0 ? GUEST_BASE + value : value;
        break;
    case 1:
        descriptor->length = value;
        break;
    case 2:
        descriptor->flags = (uint16_t)(value & 7);
        break;
    case 3:
        descriptor->next = (uint16_t)value;
        break;
    case 4:
        queue->available[2 + next_random() % QUEUE_SIZE] = (uint16_t)value;
        break;
    case 5:
        queue->available[1] = (uint16_t)(queue->available[1] + next_random() % 4);
        break;
    case 6:
        queue->used[next_random() % 200] = (uint16_t)value;
        break;
    case 7:
        queue->available[0] = (uint16_t)value;
        queue->available[2 + QUEUE_SIZE] = (uint16_t)value;
        break;
    default:
        /* A field of a packet that is about to be sent. */
        memcpy(
            guest_pointer(vm, TX_BUFFERS + next_random() % 12 * TX_SIZE + next_random() % 12 * UINT64_C(4)),
            &value, sizeof value);
        break;
    }
}

static void random_guests_do_no_harm(void **state)
{
    struct fake_vm *vm = *state;

    for (uint32_t seed = 1; seed <= 1500; seed++) {
        uint32_t host_port;
        int client;

        random_state = seed;
        reset_device(vm);
        client = client_open(vm, &host_port);
        for (int round = 0; round < 12; round++) {
            struct vsock_header header =
                guest_header(5000, host_port, (enum vsock_operation)(1 + next_random() % 7));

            header.length = next_random() % 64;
            header.flags = next_random() % 4;
            guest_send(vm, &header, "payload of some bytes, more or less", 35);
            for (uint32_t i = next_random() % 3; i > 0; i--)
                scribble(vm);
            (void)send(client, "client", 6, MSG_NOSIGNAL | MSG_DONTWAIT);
            pump(vm);
        }
        (void)close(client);
    }
    reset_device(vm);
    expect_echo(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define READY(test) cmocka_unit_test_setup_teardown(test, setup_ready, teardown)
        READY(wrong_addresses_are_dropped),     READY(packets_of_no_connection_are_reset),
        READY(short_packets_are_dropped),       READY(violations_reset_the_connection),
        READY(data_before_the_response_resets), READY(data_after_shutdown_resets),
        READY(more_than_the_credit_resets),     READY(credit_for_bytes_never_sent_gives_nothing),
        READY(a_flood_of_strays_is_bounded),    READY(random_guests_do_no_harm),
    };

    return cmocka_run_group_tests_name("lying guest", tests, NULL, NULL);
}
