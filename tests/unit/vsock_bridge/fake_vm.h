/* SPDX-License-Identifier: MIT
 *
 * What stands on the other side of a bridge under test: a vhost-user master and a guest's vsock driver, over
 * a bridge of its own in a temporary folder. One thread: the bridge runs when the test pumps it.
 */
#ifndef FAKE_VM_H
#define FAKE_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bridge.h"
#include "keeper.h"
#include "vhost_user_messages.h"

#define GUEST_CID 7

#define QUEUE_SIZE 64

/* Guest memory: two regions of 1 MiB that adjoin in guest physical addresses and nowhere else. */
#define GUEST_BASE  UINT64_C(0x100000)
#define REGION_SIZE UINT64_C(0x100000)
#define GUEST_END   (GUEST_BASE + 2 * REGION_SIZE)
#define USER_BASE   UINT64_C(0x500000000000)
#define USER_BASE_2 UINT64_C(0x600000000000)
#define RX_BUFFERS  (GUEST_BASE + 0x10000)
#define RX_SIZE     UINT64_C(0x1040)
#define TX_BUFFERS  (GUEST_BASE + 0x60000)
#define TX_SIZE     UINT64_C(0x2000)
#define FREE_MEMORY (GUEST_BASE + 0xe0000)

/* The payload of SET_MEM_TABLE. */
struct table {
    uint32_t count, padding;
    struct memory_region_description regions[MEMORY_REGIONS_MAX];
};

struct fake_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

struct fake_queue {
    struct fake_descriptor *descriptors;
    uint16_t *available; /* flags, index, entries, used_event */
    uint16_t *used;      /* flags, index, entries of 8 bytes, avail_event */
    uint16_t seen;       /* used entries that the driver has taken */
    int kick, call, error;
};

struct packet {
    struct vsock_header header;
    size_t size; /* of the payload */
    uint8_t payload[0x3000];
};

struct fake_vm {
    char folder[32], vhost_path[48], socket_path[48];
    struct bridge_options options;
    struct bridge bridge;

    int master; /* the control connection; -1: none */
    int memory[2];
    uint8_t *mapping[2];
    uint64_t features;
    uint16_t base;     /* where the rings begin */
    bool keep_buffers; /* received buffers are not given back to the device */
    struct fake_queue queues[3];
    unsigned packets_sent;
};

/* cmocka's set-up and tear-down: a bridge and a VM whose driver is ready; the same without event indices; a
 * bridge and no VM. */
int setup_ready(void **state);
int setup_ready_without_event_index(void **state);
int setup_bridge(void **state);
int teardown(void **state);

void pump(struct fake_vm *vm);

/* The master. */
void vm_connect(struct fake_vm *vm);
void vm_send(struct fake_vm *vm, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
             const int *descriptors, unsigned count);
/* Receives a reply; returns its payload's size, or -1 when the bridge has hung up. */
int vm_reply(struct fake_vm *vm, uint32_t request, void *payload, size_t capacity);
/* Sends a request that wants to be acknowledged. Returns the answer: 0 or an errno. */
uint64_t vm_acknowledged(struct fake_vm *vm, uint32_t request, const void *payload, uint32_t size,
                         const int *descriptors, unsigned count);
bool vm_hung_up(struct fake_vm *vm);
void vm_negotiate(struct fake_vm *vm);
void vm_set_memory(struct fake_vm *vm);
void vm_start_queues(struct fake_vm *vm);
void vm_resume_queues(struct fake_vm *vm, const uint32_t *bases);
uint32_t vm_stop_queue(struct fake_vm *vm, uint32_t queue);
void vm_disconnect(struct fake_vm *vm);

/* The driver. */
void *guest_pointer(struct fake_vm *vm, uint64_t address);
void guest_reset_rings(struct fake_vm *vm); /* as a driver does that starts, with all RX buffers posted */
void guest_post_rx(struct fake_vm *vm, uint16_t head);
void guest_offer(struct fake_vm *vm, unsigned queue, uint16_t head); /* makes a chain available and kicks */
void guest_send(struct fake_vm *vm, const struct vsock_header *header, const void *payload, size_t size);
bool guest_receive(struct fake_vm *vm, struct packet *packet);
/* Receives the next packet, which must be of this operation. */
void guest_expect(struct fake_vm *vm, enum vsock_operation operation, struct packet *packet);
void guest_expect_nothing(struct fake_vm *vm);
/* A packet from guest port `guest_port` to host port `host_port` with 64 KiB of credit. */
struct vsock_header guest_header(uint32_t guest_port, uint32_t host_port, enum vsock_operation operation);
void guest_send_operation(struct fake_vm *vm, uint32_t guest_port, uint32_t host_port,
                          enum vsock_operation operation);
void guest_send_data(struct fake_vm *vm, uint32_t guest_port, uint32_t host_port, const void *data,
                     size_t size);

/* Clients. */
int unix_client(const char *path); /* without pumping */
int client_connect(struct fake_vm *vm);
void client_write(int client, const void *data, size_t size);
/* Reads exactly `size` bytes, which must be there. */
void client_expect(int client, const void *data, size_t size);
bool client_at_end(int client);
bool client_quiet(int client); /* open, and nothing to read */
/* A connection to guest port 5000 that the guest has accepted; returns the client and the host's port. */
int client_open(struct fake_vm *vm, uint32_t *host_port);

/* --- what several tests need (scenes.c) --- */

/* Sends `size` patterned bytes to the guest through `client`, with the guest giving credit, and checks
 * them. */
void stream_to_guest(struct fake_vm *vm, int client, uint32_t host_port, size_t size);
/* Leaves the device without receive buffers: `port` is of an open connection. */
void use_up_receive_buffers(struct fake_vm *vm, uint32_t port);
/* Fills the client's socket and some of the backlog; returns how much was sent. */
size_t fill_backlog(struct fake_vm *vm, uint32_t host_port);
void expect_all(struct fake_vm *vm, int client, size_t size);
int serve_port(struct fake_vm *vm, unsigned port, char *path, size_t capacity);
void reset_device(struct fake_vm *vm);
void expect_echo(struct fake_vm *vm);
unsigned open_descriptors(void);
/* A keeper that is the test itself: the bridge keeps what it knows of its VM there. The channel holds the
 * orders of some 50 messages; then they have to be taken. */
struct test_keeper {
    struct keeper keeper; /* its end of the channel, and the slots */
    /* The test cannot answer while the bridge waits: it connects for the guest by itself. */
    struct keeper_link direct;
    uint64_t ports[CONNECTIONS_MAX];
};
void keeper_begin(struct fake_vm *vm, struct test_keeper *keeper);
void keeper_take_orders(struct test_keeper *keeper);
/* The bridge ends without a word to anybody, as a process that is killed, and another takes over. */
void replace_bridge(struct fake_vm *vm, struct test_keeper *keeper);
void keeper_end(struct fake_vm *vm, struct test_keeper *keeper);
/* A request that ends the connection; another master may come afterwards. */
void expect_hang_up(struct fake_vm *vm);
int setup_negotiated(void **state);

#endif
