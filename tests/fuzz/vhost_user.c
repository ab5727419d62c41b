/* SPDX-License-Identifier: MIT
 *
 * vsock-bridge and a QEMU that lies, as after a guest has broken out into it: the input is what comes over
 * the control connection, in messages or as bare bytes, with descriptors of several kinds. Whatever that was,
 * the bridge serves the next VM and leaves no descriptor open.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "unit/vsock_bridge/fake_vm.h"

#define MESSAGES_MAX 100

/* What a master may pass. */
static int pick_descriptor(const struct fake_vm *vm, struct input *input, int other)
{
    unsigned queue = (unsigned)input_below(input, 3);

    switch (input_below(input, 6)) {
    case 0:
        return vm->queues[queue].kick;
    case 1:
        return vm->queues[queue].call;
    case 2:
        return vm->queues[queue].error;
    case 3:
        return other;
    default:
        return vm->memory[input_below(input, 2)];
    }
}

/* As the specification has it, but for the values. */
static uint32_t make_payload(struct input *input, uint32_t request, uint8_t *payload, size_t capacity)
{
    struct table table = {0};
    const uint32_t queue = input_below(input, 16) == 0 ? input_32(input) : input_8(input) % 3;
    struct ring_addresses addresses = {.index = queue};
    uint64_t base = USER_BASE + (input_16(input) & 0xfff0U);

    switch (request) {
    case REQUEST_SET_MEM_TABLE:
        table.count = (uint32_t)input_below(input, MEMORY_REGIONS_MAX + 1);
        for (uint32_t i = 0; i < table.count; i++)
            table.regions[i] = (struct memory_region_description){
                .guest_address = input_flag(input) ? GUEST_BASE + i * REGION_SIZE : input_64(input),
                .size = input_flag(input) ? REGION_SIZE : input_32(input),
                .user_address = input_flag(input) ? USER_BASE + i * REGION_SIZE : input_64(input),
                .mapping_offset = input_below(input, 4) == 0 ? input_64(input) : 0,
            };
        memcpy(payload, &table, sizeof table);
        return 8 + table.count * (uint32_t)sizeof table.regions[0];
    case REQUEST_SET_VRING_ADDR:
        addresses.descriptors = base;
        addresses.available = input_flag(input) ? base + 0x1000 : input_64(input);
        addresses.used = input_flag(input) ? base + 0x2000 : input_64(input);
        memcpy(payload, &addresses, sizeof addresses);
        return sizeof addresses;
    case REQUEST_SET_VRING_NUM:
    case REQUEST_SET_VRING_BASE:
    case REQUEST_GET_VRING_BASE:
    case REQUEST_SET_VRING_ENABLE:
        memcpy(payload, (uint32_t[]){queue, input_flag(input) ? input_8(input) : input_32(input)}, 8);
        return 8;
    case REQUEST_SET_VRING_KICK:
    case REQUEST_SET_VRING_CALL:
    case REQUEST_SET_VRING_ERR:
        memcpy(payload, (uint64_t[]){queue | (input_flag(input) ? 0x100 : 0)}, 8);
        return 8;
    case REQUEST_SET_FEATURES:
    case REQUEST_SET_PROTOCOL_FEATURES:
        (void)input_bytes(input, payload, 8);
        return 8;
    default:
        return (uint32_t)input_bytes(input, payload, input_below(input, capacity + 1));
    }
}

static void send_message(struct fake_vm *vm, struct input *input, int other)
{
    union {
        char space[CMSG_SPACE(16 * sizeof(int))];
        struct cmsghdr alignment;
    } control = {0};
    struct {
        uint32_t request, flags, size;
        uint8_t payload[VHOST_USER_PAYLOAD_MAX + 16];
    } message = {.request = input_8(input) % 36};
    struct iovec piece = {.iov_base = &message};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
    size_t count = input_below(input, 4) == 0 ? input_below(input, 11) : 0;

    message.flags = input_below(input, 16) == 0 ? input_32(input) : 1U | (input_8(input) & 8U);
    if (input_below(input, 8) == 0)
        message.size =
            (uint32_t)input_bytes(input, message.payload, input_below(input, sizeof message.payload));
    else
        message.size = make_payload(input, message.request, message.payload, sizeof message.payload);
    piece.iov_len = VHOST_USER_HEADER_SIZE + message.size;
    if (message.request == REQUEST_SET_MEM_TABLE && input_below(input, 8) != 0)
        memcpy(&count, message.payload, 4);
    else if (message.request >= REQUEST_SET_VRING_KICK && message.request <= REQUEST_SET_VRING_ERR &&
             input_below(input, 8) != 0)
        count = 1;
    if (input_below(input, 32) == 0)
        message.size = input_32(input);
    if (input_below(input, 32) == 0)
        piece.iov_len = input_below(input, piece.iov_len + 1);
    count = count > 16 ? 16 : count;
    if (count > 0 && piece.iov_len > 0) {
        struct cmsghdr *part;

        header.msg_control = control.space;
        header.msg_controllen = CMSG_SPACE(count * sizeof(int));
        part = CMSG_FIRSTHDR(&header);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(count * sizeof(int));
        for (size_t i = 0; i < count; i++) {
            int descriptor = pick_descriptor(vm, input, other);

            memcpy(CMSG_DATA(part) + i * sizeof descriptor, &descriptor, sizeof descriptor);
        }
    }
    (void)sendmsg(vm->master, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void step(struct fake_vm *vm, struct input *input, int other)
{
    uint8_t bytes[256];

    switch (input_below(input, 16)) {
    case 0:
        (void)recv(vm->master, bytes, sizeof bytes, MSG_DONTWAIT);
        break;
    case 1:
        (void)send(vm->master, bytes, input_bytes(input, bytes, input_8(input)), MSG_NOSIGNAL | MSG_DONTWAIT);
        break;
    case 2:
        guest_send_operation(vm, 5000, input_8(input), VSOCK_REQUEST);
        break;
    case 3: /* the file under the guest's memory: a write beyond its end would be a signal */
        (void)!pwrite(vm->memory[0], bytes, input_bytes(input, bytes, input_8(input)), input_16(input));
        break;
    default:
        send_message(vm, input, other);
        break;
    }
    if (input_flag(input))
        pump(vm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.data = data, .size = size};
    unsigned descriptors = open_descriptors();
    struct packet packet;
    struct fake_vm *vm;
    void *state;
    int client;
    int pair[2];

    (void)setup_bridge(&state);
    vm = state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    client = client_connect(vm);
    client_write(client, "x", 1);
    vm_connect(vm);
    if (input_flag(&input)) {
        vm_negotiate(vm);
        vm_set_memory(vm);
        vm_start_queues(vm);
    }
    for (unsigned i = 0; i < MESSAGES_MAX && input_left(&input) > 0; i++) {
        step(vm, &input, pair[0]);
        assert_true(vm->bridge.vm.memory.count <= MEMORY_REGIONS_MAX);
    }
    pump(vm);
    (void)close(client);
    (void)close(pair[0]);
    (void)close(pair[1]);
    vm_disconnect(vm);
    vm_connect(vm);
    vm_negotiate(vm);
    vm_set_memory(vm);
    vm_start_queues(vm);
    while (guest_receive(vm, &packet))
        ;
    expect_echo(vm);
    (void)teardown(&state);
    assert_int_equal(open_descriptors(), descriptors);
    return 0;
}
