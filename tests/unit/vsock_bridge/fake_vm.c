/* SPDX-License-Identifier: MIT */
#include "fake_vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

#define FEATURES_ALL UINT64_C(0x170000000) /* indirect, event index, protocol features, version 1 */
#define EVENT_INDEX  UINT64_C(0x020000000)

static const uint64_t queue_base[3] = {GUEST_BASE, GUEST_BASE + 0x3000, GUEST_BASE + 0x6000};

/* --- the whole --- */

int setup_bridge(void **state)
{
    struct fake_vm *vm = calloc(1, sizeof *vm);

    assert_non_null(vm);
    log_set_level(LOG_LEVEL_ERROR);
    (void)snprintf(vm->folder, sizeof vm->folder, "/tmp/test_bridge.XXXXXX");
    assert_non_null(mkdtemp(vm->folder));
    (void)snprintf(vm->vhost_path, sizeof vm->vhost_path, "%s/vhost", vm->folder);
    (void)snprintf(vm->socket_path, sizeof vm->socket_path, "%s/vm.sock", vm->folder);
    vm->options = (struct bridge_options){
        .vhost_path = vm->vhost_path,
        .socket_path = vm->socket_path,
        .guest_cid = GUEST_CID,
        .direct_port = 5000,
    };
    vm->master = -1;
    vm->features = FEATURES_ALL;
    for (int i = 0; i < 2; i++) {
        vm->memory[i] = memfd_create("guest", MFD_CLOEXEC);
        assert_int_equal(ftruncate(vm->memory[i], REGION_SIZE), 0);
        vm->mapping[i] = mmap(NULL, REGION_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, vm->memory[i], 0);
        assert_ptr_not_equal(vm->mapping[i], MAP_FAILED);
    }
    for (int i = 0; i < 3; i++) {
        struct fake_queue *queue = &vm->queues[i];

        queue->descriptors = guest_pointer(vm, queue_base[i]);
        queue->available = guest_pointer(vm, queue_base[i] + 0x1000);
        queue->used = guest_pointer(vm, queue_base[i] + 0x2000);
        queue->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        queue->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        queue->error = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    assert_int_equal(bridge_open(&vm->bridge, &vm->options), 0);
    *state = vm;
    return 0;
}

int setup_ready(void **state)
{
    struct fake_vm *vm;

    setup_bridge(state);
    vm = *state;
    vm_connect(vm);
    vm_negotiate(vm);
    vm_set_memory(vm);
    vm_start_queues(vm);
    assert_true(vm->bridge.vm.running);
    return 0;
}

int setup_ready_without_event_index(void **state)
{
    struct fake_vm *vm;

    setup_bridge(state);
    vm = *state;
    vm->features &= ~EVENT_INDEX;
    vm_connect(vm);
    vm_negotiate(vm);
    vm_set_memory(vm);
    vm_start_queues(vm);
    assert_true(vm->bridge.vm.running);
    return 0;
}

int teardown(void **state)
{
    struct fake_vm *vm = *state;

    bridge_close(&vm->bridge);
    if (vm->master >= 0)
        (void)close(vm->master);
    for (int i = 0; i < 2; i++) {
        (void)munmap(vm->mapping[i], REGION_SIZE);
        (void)close(vm->memory[i]);
    }
    for (int i = 0; i < 3; i++) {
        (void)close(vm->queues[i].kick);
        (void)close(vm->queues[i].call);
        (void)close(vm->queues[i].error);
    }
    /* Fails when the bridge has left a file behind. */
    assert_int_equal(rmdir(vm->folder), 0);
    free(vm);
    return 0;
}

void pump(struct fake_vm *vm)
{
    for (int i = 0; i < 12; i++)
        assert_int_equal(bridge_step(&vm->bridge, 0), 0);
}

/* --- the master --- */

int unix_client(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void vm_connect(struct fake_vm *vm)
{
    vm->master = unix_client(vm->vhost_path);
    pump(vm);
}

void vm_send(struct fake_vm *vm, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
             const int *descriptors, unsigned count)
{
    union {
        char space[CMSG_SPACE(64 * sizeof(int))];
        struct cmsghdr alignment;
    } control;
    const uint32_t fields[3] = {request, flags | MESSAGE_VERSION, size};
    uint8_t bytes[1024];
    struct iovec piece = {.iov_base = bytes, .iov_len = sizeof fields + size};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    memcpy(bytes, fields, sizeof fields);
    if (size > 0)
        memcpy(bytes + sizeof fields, payload, size);
    if (count > 0) {
        struct cmsghdr *part;

        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(part), descriptors, count * sizeof(int));
    }
    assert_int_equal(sendmsg(vm->master, &message, MSG_NOSIGNAL), piece.iov_len);
    pump(vm);
}

int vm_reply(struct fake_vm *vm, uint32_t request, void *payload, size_t capacity)
{
    uint32_t fields[3];
    ssize_t size = recv(vm->master, fields, sizeof fields, MSG_DONTWAIT);

    if (size == 0)
        return -1;
    assert_int_equal(size, sizeof fields);
    assert_int_equal(fields[0], request);
    assert_int_equal(fields[1], MESSAGE_VERSION | MESSAGE_REPLY);
    assert_true(fields[2] <= capacity);
    if (fields[2] > 0)
        assert_int_equal(recv(vm->master, payload, fields[2], MSG_DONTWAIT), fields[2]);
    return (int)fields[2];
}

uint64_t vm_acknowledged(struct fake_vm *vm, uint32_t request, const void *payload, uint32_t size,
                         const int *descriptors, unsigned count)
{
    uint64_t answer = 0;

    vm_send(vm, request, MESSAGE_NEEDS_REPLY, payload, size, descriptors, count);
    assert_int_equal(vm_reply(vm, request, &answer, sizeof answer), sizeof answer);
    return answer;
}

bool vm_hung_up(struct fake_vm *vm)
{
    char byte;
    ssize_t result = recv(vm->master, &byte, 1, MSG_DONTWAIT);

    return result == 0 || (result < 0 && errno != EAGAIN);
}

void vm_negotiate(struct fake_vm *vm)
{
    uint64_t offered = 0;

    vm_send(vm, REQUEST_GET_FEATURES, 0, NULL, 0, NULL, 0);
    assert_int_equal(vm_reply(vm, REQUEST_GET_FEATURES, &offered, sizeof offered), 8);
    assert_int_equal(offered & vm->features, vm->features);
    vm_send(vm, REQUEST_GET_PROTOCOL_FEATURES, 0, NULL, 0, NULL, 0);
    assert_int_equal(vm_reply(vm, REQUEST_GET_PROTOCOL_FEATURES, &offered, sizeof offered), 8);
    vm_send(vm, REQUEST_SET_PROTOCOL_FEATURES, 0, &offered, 8, NULL, 0);
    vm_send(vm, REQUEST_SET_OWNER, 0, NULL, 0, NULL, 0);
    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_FEATURES, &vm->features, 8, NULL, 0), 0);
}

void vm_set_memory(struct fake_vm *vm)
{
    struct {
        uint32_t count, padding;
        struct memory_region_description regions[2];
    } table = {
        .count = 2,
        .regions = {{GUEST_BASE, REGION_SIZE, USER_BASE, 0},
                    {GUEST_BASE + REGION_SIZE, REGION_SIZE, USER_BASE_2, 0}},
    };

    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_MEM_TABLE, &table, sizeof table, vm->memory, 2), 0);
}

void vm_start_queues(struct fake_vm *vm)
{
    const uint32_t bases[3] = {vm->base, vm->base, vm->base};

    guest_reset_rings(vm);
    vm_resume_queues(vm, bases);
}

void vm_resume_queues(struct fake_vm *vm, const uint32_t *bases)
{
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t size[2] = {i, QUEUE_SIZE};
        const uint32_t base[2] = {i, bases[i]};
        const uint32_t enable[2] = {i, 1};
        const uint64_t index = i;
        const uint64_t user = queue_base[i] - GUEST_BASE + USER_BASE;
        const struct ring_addresses addresses = {
            .index = i, .descriptors = user, .available = user + 0x1000, .used = user + 0x2000};

        assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_NUM, size, 8, NULL, 0), 0);
        assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_BASE, base, 8, NULL, 0), 0);
        assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_ADDR, &addresses, sizeof addresses, NULL, 0),
                         0);
        assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_ERR, &index, 8, &vm->queues[i].error, 1), 0);
        assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_CALL, &index, 8, &vm->queues[i].call, 1), 0);
        assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_KICK, &index, 8, &vm->queues[i].kick, 1), 0);
        assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_ENABLE, enable, 8, NULL, 0), 0);
    }
}

uint32_t vm_stop_queue(struct fake_vm *vm, uint32_t queue)
{
    uint32_t fields[2] = {queue, 0};

    vm_send(vm, REQUEST_GET_VRING_BASE, 0, fields, sizeof fields, NULL, 0);
    assert_int_equal(vm_reply(vm, REQUEST_GET_VRING_BASE, fields, sizeof fields), sizeof fields);
    assert_int_equal(fields[0], queue);
    return fields[1];
}

void vm_disconnect(struct fake_vm *vm)
{
    (void)close(vm->master);
    vm->master = -1;
    pump(vm);
}

/* --- the driver --- */

void *guest_pointer(struct fake_vm *vm, uint64_t address)
{
    uint64_t offset = address - GUEST_BASE;

    return vm->mapping[offset / REGION_SIZE] + offset % REGION_SIZE;
}

void guest_offer(struct fake_vm *vm, unsigned queue, uint16_t head)
{
    struct fake_queue *ring = &vm->queues[queue];
    const uint64_t one = 1;
    uint16_t index = ring->available[1];

    ring->available[2 + index % QUEUE_SIZE] = head;
    ring->available[1] = (uint16_t)(index + 1);
    assert_int_equal(write(ring->kick, &one, sizeof one), sizeof one);
}

void guest_post_rx(struct fake_vm *vm, uint16_t head)
{
    vm->queues[0].descriptors[head] =
        (struct fake_descriptor){RX_BUFFERS + head * RX_SIZE, (uint32_t)RX_SIZE, 2, 0};
    guest_offer(vm, 0, head);
}

void guest_reset_rings(struct fake_vm *vm)
{
    for (int i = 0; i < 3; i++) {
        memset(guest_pointer(vm, queue_base[i]), 0, 0x3000);
        vm->queues[i].available[1] = vm->base;
        vm->queues[i].used[1] = vm->base;
        vm->queues[i].seen = vm->base;
    }
    vm->packets_sent = 0;
    for (uint16_t head = 0; head < QUEUE_SIZE; head++)
        guest_post_rx(vm, head);
}

/* Does not pump: a test may offer several packets at once. */
void guest_send(struct fake_vm *vm, const struct vsock_header *header, const void *payload, size_t size)
{
    uint16_t head = (uint16_t)(vm->packets_sent++ % QUEUE_SIZE);
    uint8_t *buffer = guest_pointer(vm, TX_BUFFERS + head * TX_SIZE);

    assert_true(size + sizeof *header <= TX_SIZE);
    memcpy(buffer, header, sizeof *header);
    if (size > 0)
        memcpy(buffer + sizeof *header, payload, size);
    vm->queues[1].descriptors[head] =
        (struct fake_descriptor){TX_BUFFERS + head * TX_SIZE, (uint32_t)(sizeof *header + size), 0, 0};
    guest_offer(vm, 1, head);
}

bool guest_receive(struct fake_vm *vm, struct packet *packet)
{
    struct fake_queue *ring = &vm->queues[0];
    uint32_t entry[2];
    uint8_t *buffer;

    pump(vm);
    if (ring->used[1] == ring->seen)
        return false;
    memcpy(entry, (uint8_t *)ring->used + 4 + 8 * (size_t)(ring->seen % QUEUE_SIZE), sizeof entry);
    ring->seen++;
    assert_true(entry[0] < QUEUE_SIZE);
    assert_in_range(entry[1], sizeof packet->header, RX_SIZE);
    buffer = guest_pointer(vm, RX_BUFFERS + entry[0] * RX_SIZE);
    memcpy(&packet->header, buffer, sizeof packet->header);
    packet->size = entry[1] - sizeof packet->header;
    memcpy(packet->payload, buffer + sizeof packet->header, packet->size);
    assert_int_equal(packet->header.source_cid, 2);
    assert_int_equal(packet->header.destination_cid, GUEST_CID);
    assert_int_equal(packet->header.length, packet->size);
    if (!vm->keep_buffers)
        guest_post_rx(vm, (uint16_t)entry[0]);
    return true;
}

void guest_expect(struct fake_vm *vm, enum vsock_operation operation, struct packet *packet)
{
    *packet = (struct packet){0};
    assert_true(guest_receive(vm, packet));
    assert_int_equal(packet->header.operation, operation);
}

void guest_expect_nothing(struct fake_vm *vm)
{
    struct packet packet;

    assert_false(guest_receive(vm, &packet));
    /* And the bridge sleeps until something happens. */
    assert_false(vm->bridge.busy);
}

struct vsock_header guest_header(uint32_t guest_port, uint32_t host_port, enum vsock_operation operation)
{
    return (struct vsock_header){
        .source_cid = GUEST_CID,
        .destination_cid = 2,
        .source_port = guest_port,
        .destination_port = host_port,
        .type = VSOCK_TYPE_STREAM,
        .operation = (uint16_t)operation,
        .buffer_size = 65536,
    };
}

void guest_send_operation(struct fake_vm *vm, uint32_t guest_port, uint32_t host_port,
                          enum vsock_operation operation)
{
    struct vsock_header header = guest_header(guest_port, host_port, operation);

    guest_send(vm, &header, NULL, 0);
    pump(vm);
}

void guest_send_data(struct fake_vm *vm, uint32_t guest_port, uint32_t host_port, const void *data,
                     size_t size)
{
    struct vsock_header header = guest_header(guest_port, host_port, VSOCK_DATA);

    header.length = (uint32_t)size;
    guest_send(vm, &header, data, size);
    pump(vm);
}

/* --- clients --- */

int client_connect(struct fake_vm *vm)
{
    int client = unix_client(vm->socket_path);

    pump(vm);
    return client;
}

void client_write(int client, const void *data, size_t size)
{
    assert_int_equal(send(client, data, size, MSG_NOSIGNAL | MSG_DONTWAIT), size);
}

void client_expect(int client, const void *data, size_t size)
{
    uint8_t bytes[0x4000];

    assert_true(size <= sizeof bytes);
    assert_int_equal(recv(client, bytes, size, MSG_DONTWAIT), size);
    assert_memory_equal(bytes, data, size);
}

bool client_at_end(int client)
{
    char byte;

    return recv(client, &byte, 1, MSG_DONTWAIT) == 0;
}

bool client_quiet(int client)
{
    char byte;

    return recv(client, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

int client_open(struct fake_vm *vm, uint32_t *host_port)
{
    struct packet packet;
    char line[32];
    int client = client_connect(vm);
    int size;

    client_write(client, "CONNECT 5000\n", 13);
    guest_expect(vm, VSOCK_REQUEST, &packet);
    assert_int_equal(packet.header.destination_port, 5000);
    *host_port = packet.header.source_port;
    guest_send_operation(vm, 5000, *host_port, VSOCK_RESPONSE);
    size = snprintf(line, sizeof line, "OK %u\n", *host_port);
    client_expect(client, line, (size_t)size);
    return client;
}
