/* SPDX-License-Identifier: MIT
 *
 * vsock-bridge and a guest that lies: the input is a script of what the guest does to its rings, its packets
 * and its memory, of what clients do meanwhile, and of servers that end. Whatever that was, the bridge comes
 * to rest, holds no more memory than its limits say, serves the guest's next driver, and leaves no descriptor
 * open.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "unit/vsock_bridge/fake_vm.h"

#define STEPS_MAX   200
#define CLIENTS_MAX 4

static int clients[CLIENTS_MAX];
static struct test_keeper keeper;

static void check_connections(const struct fake_vm *vm)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        const struct connection *connection = &vm->bridge.device.connections[i];

        if (connection->state == CONNECTION_FREE) {
            assert_null(connection->backlog.bytes);
            continue;
        }
        assert_true(connection->state <= CONNECTION_DRAINING);
        assert_true(connection->backlog.used <= BACKLOG_SIZE);
        assert_true(connection->received - connection->forwarded <= BACKLOG_SIZE);
        assert_int_equal(connection->backlog.used > 0, connection->backlog.bytes != NULL);
    }
    assert_true(vm->bridge.device.reset_count <= RESETS_MAX);
}

/* Until nothing is left to do, which comes soon: a guest that does nothing keeps nobody busy. */
static void settle(struct fake_vm *vm)
{
    for (int i = 0; i < 100; i++) {
        pump(vm);
        if (!vm->bridge.busy)
            return;
    }
    fail_msg("the bridge does not come to rest");
}

/* Any address, mostly near the guest's memory and its structures. */
static uint64_t pick_address(struct input *input)
{
    switch (input_below(input, 4)) {
    case 0:
        return input_64(input);
    case 1:
        return GUEST_END - input_8(input);
    default:
        return GUEST_BASE + input_32(input) % (2 * REGION_SIZE);
    }
}

static uint32_t pick_port(const struct fake_vm *vm, struct input *input)
{
    switch (input_below(input, 4)) {
    case 0:
        return input_32(input);
    case 1:
        return 5000;
    default: /* one that the bridge has given */
        return vm->bridge.device.last_host_port - input_8(input) % CLIENTS_MAX;
    }
}

static void write_memory(struct fake_vm *vm, struct input *input)
{
    uint8_t bytes[64];
    size_t size = input_below(input, sizeof bytes + 1);
    uint64_t offset = input_flag(input) ? input_16(input) : input_32(input); /* the queues lie in front */

    offset %= 2 * REGION_SIZE - sizeof bytes;
    if (offset < REGION_SIZE && offset + size > REGION_SIZE)
        offset = REGION_SIZE;
    (void)input_bytes(input, bytes, size);
    memcpy(guest_pointer(vm, GUEST_BASE + offset), bytes, size);
}

static void send_packet(struct fake_vm *vm, struct input *input)
{
    static uint8_t payload[4096];
    struct vsock_header header = guest_header(pick_port(vm, input), pick_port(vm, input), VSOCK_DATA);
    size_t size = input_below(input, sizeof payload + 1);

    header.operation = input_below(input, 9) < 8 ? input_8(input) % 8 : input_16(input);
    header.length = input_flag(input) ? (uint32_t)size : input_32(input);
    header.flags = input_8(input);
    if (input_flag(input))
        header.buffer_size = input_32(input);
    if (input_flag(input))
        header.forwarded = input_32(input);
    if (input_below(input, 16) == 1)
        header.type = input_16(input);
    if (input_below(input, 16) == 1)
        header.source_cid = input_64(input);
    guest_send(vm, &header, payload, size);
}

static void write_descriptor(struct fake_vm *vm, struct input *input)
{
    unsigned queue = (unsigned)input_below(input, 3);
    uint16_t head = (uint16_t)input_below(input, QUEUE_SIZE);

    vm->queues[queue].descriptors[head] = (struct fake_descriptor){
        .address = pick_address(input),
        .length = input_flag(input) ? input_8(input) * 16U : input_32(input),
        .flags = input_8(input),
        .next = input_below(input, 8) == 0 ? input_16(input) : input_8(input) % QUEUE_SIZE,
    };
    guest_offer(vm, queue, input_flag(input) ? head : input_16(input));
}

static void use_client(struct fake_vm *vm, struct input *input)
{
    int *client = &clients[input_below(input, CLIENTS_MAX)];
    uint8_t bytes[8192] = {0};

    if (*client < 0) {
        *client = client_connect(vm);
        if (input_flag(input))
            (void)send(*client, "CONNECT 5000\n", 13, MSG_DONTWAIT | MSG_NOSIGNAL);
        return;
    }
    switch (input_below(input, 5)) {
    case 0:
        (void)close(*client);
        *client = -1;
        break;
    case 1:
        (void)shutdown(*client, input_flag(input) ? SHUT_WR : SHUT_RD);
        break;
    case 2:
        (void)!recv(*client, bytes, sizeof bytes, MSG_DONTWAIT);
        break;
    default:
        bytes[0] = input_8(input);
        (void)send(*client, bytes, input_below(input, sizeof bytes + 1), MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    }
}

static void step(struct fake_vm *vm, struct input *input)
{
    switch (input_below(input, 13)) {
    case 0:
        write_memory(vm, input);
        break;
    case 1:
    case 2:
        write_descriptor(vm, input);
        break;
    case 3:
    case 4:
        send_packet(vm, input);
        break;
    case 5:
    case 6:
        use_client(vm, input);
        break;
    case 7:
        vm->queues[input_below(input, 3)].available[1] = input_16(input);
        break;
    case 8:
        guest_post_rx(vm, (uint16_t)input_below(input, QUEUE_SIZE));
        break;
    case 9:
        reset_device(vm);
        break;
    case 10:
        if (input_flag(input)) { /* as a VM that was paused does */
            uint32_t bases[3];

            for (uint32_t i = 0; i < 3; i++)
                bases[i] = vm_stop_queue(vm, i);
            vm_resume_queues(vm, bases);
        }
        break;
    case 11:
        if (input_below(input, 4) == 0)
            replace_bridge(vm, &keeper);
        break;
    default:
        pump(vm);
        break;
    }
    keeper_take_orders(&keeper);
}

/* A VM whose driver is ready. */
static struct fake_vm *start(bool event_index)
{
    struct fake_vm *vm;
    void *state;

    (void)setup_bridge(&state);
    vm = state;
    keeper_begin(vm, &keeper);
    if (!event_index)
        vm->features &= ~FEATURE_EVENT_INDEX;
    vm_connect(vm);
    vm_negotiate(vm);
    vm_set_memory(vm);
    vm_start_queues(vm);
    return vm;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.data = data, .size = size};
    unsigned descriptors = open_descriptors();
    struct packet packet;
    struct fake_vm *vm;
    void *state;

    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        clients[i] = -1;
    vm = start(input_flag(&input));
    for (unsigned i = 0; i < STEPS_MAX && input_left(&input) > 0; i++) {
        step(vm, &input);
        check_connections(vm);
    }
    settle(vm);
    check_connections(vm);
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i] >= 0)
            (void)close(clients[i]);
    }
    reset_device(vm);
    vm->keep_buffers = false;
    while (guest_receive(vm, &packet))
        ;
    expect_echo(vm);
    keeper_end(vm, &keeper);
    state = vm;
    (void)teardown(&state);
    assert_int_equal(open_descriptors(), descriptors);
    return 0;
}
