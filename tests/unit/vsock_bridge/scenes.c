/* SPDX-License-Identifier: MIT
 *
 * What several tests need, beyond the fake VM itself.
 */
#include "fake_vm.h"
#include "keeper_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void stream_to_guest(struct fake_vm *vm, int client, uint32_t host_port, size_t size)
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

void use_up_receive_buffers(struct fake_vm *vm, uint32_t port)
{
    struct packet packet;

    vm->keep_buffers = true;
    while (vm->queues[0].used[1] != vm->queues[0].available[1]) {
        guest_send_operation(vm, 5000, port, VSOCK_CREDIT_REQUEST);
        guest_expect(vm, VSOCK_CREDIT_UPDATE, &packet);
    }
}

size_t fill_backlog(struct fake_vm *vm, uint32_t host_port)
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

void expect_all(struct fake_vm *vm, int client, size_t size)
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

int serve_port(struct fake_vm *vm, unsigned port, char *path, size_t capacity)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)snprintf(path, capacity, "%s_%u", vm->socket_path, port);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    return listener;
}

void reset_device(struct fake_vm *vm)
{
    for (uint32_t i = 0; i < 3; i++)
        (void)vm_stop_queue(vm, i);
    vm_start_queues(vm);
}

void expect_echo(struct fake_vm *vm)
{
    struct packet packet;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    client_write(client, "ping", 4);
    guest_expect(vm, VSOCK_DATA, &packet);
    guest_send_data(vm, 5000, host_port, packet.payload, packet.size);
    client_expect(client, "ping", 4);
    (void)close(client);
    guest_expect(vm, VSOCK_SHUTDOWN, &packet);
    guest_send_operation(vm, 5000, host_port, VSOCK_RESET);
}

unsigned open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(folder);
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count;
}

void keeper_begin(struct fake_vm *vm, struct test_keeper *keeper)
{
    static const struct kept nothing[KEEPER_SLOTS];
    int ends[2];

    memset(keeper, 0, sizeof *keeper);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    keeper->keeper.channel = ends[0];
    keeper->direct = (struct keeper_link){.socket_path = vm->socket_path, .channel = -1};
    bridge_restore(&vm->bridge, ends[1], nothing, keeper->ports);
    vm->bridge.device.keeper = &keeper->direct;
}

void keeper_take_orders(struct test_keeper *keeper)
{
    bool ended;

    while (keeper_take_order(&keeper->keeper, &ended))
        ;
}

void replace_bridge(struct fake_vm *vm, struct test_keeper *keeper)
{
    static struct kept slots[KEEPER_SLOTS];
    int channel = vm->bridge.keeper.channel;

    keeper_take_orders(keeper);
    vm->bridge.vm.keeper = NULL;
    vm->bridge.device.ports = NULL;
    bridge_close(&vm->bridge);
    memset(&vm->bridge, 0xa5, sizeof vm->bridge);
    assert_int_equal(bridge_open(&vm->bridge, &vm->options), 0);
    /* Both have descriptors of their own, as two processes do. */
    memcpy(slots, keeper->keeper.slots, sizeof slots);
    for (unsigned i = 0; i < KEEPER_SLOTS; i++) {
        for (unsigned j = 0; j < slots[i].descriptor_count; j++)
            slots[i].descriptors[j] = fcntl(slots[i].descriptors[j], F_DUPFD_CLOEXEC, 0);
    }
    bridge_restore(&vm->bridge, channel, slots, keeper->ports);
    vm->bridge.device.keeper = &keeper->direct;
}

void keeper_end(struct fake_vm *vm, struct test_keeper *keeper)
{
    keeper_take_orders(keeper);
    vm->bridge.vm.keeper = NULL;
    vm->bridge.device.ports = NULL;
    for (unsigned i = 0; i < KEEPER_SLOTS; i++) {
        for (unsigned j = 0; j < keeper->keeper.slots[i].descriptor_count; j++)
            (void)close(keeper->keeper.slots[i].descriptors[j]);
    }
    (void)close(vm->bridge.keeper.channel);
    (void)close(keeper->keeper.channel);
}

void expect_hang_up(struct fake_vm *vm)
{
    assert_true(vm_hung_up(vm));
    assert_int_equal(vm->bridge.vm.watch.fd, -1);
    assert_int_equal(vm->bridge.vm.memory.count, 0);
    (void)close(vm->master);
    vm_connect(vm);
    vm_negotiate(vm);
}

int setup_negotiated(void **state)
{
    struct fake_vm *vm;

    setup_bridge(state);
    vm = *state;
    vm_connect(vm);
    vm_negotiate(vm);
    return 0;
}
