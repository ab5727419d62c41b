/* SPDX-License-Identifier: MIT
 *
 * A guest that breaks the rules of its rings: the device stops, the bridge stays whole, and all works again
 * after the driver has reset the device.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "fake_vm.h"

#define NEXT     1
#define WRITE    2
#define INDIRECT 4

static bool error_signalled(struct fake_vm *vm, int queue)
{
    uint64_t count;

    return read(vm->queues[queue].error, &count, sizeof count) == (ssize_t)sizeof count;
}

/* The device must stop now, tell the VMM and close its clients, and work after a reset. */
static void expect_broken(struct fake_vm *vm, int queue, int client)
{
    int late;

    pump(vm);
    assert_false(vm->bridge.vm.running);
    assert_true(vhost_user_broken(&vm->bridge.vm));
    assert_true(error_signalled(vm, queue));
    assert_true(client_at_end(client));
    (void)close(client);
    late = client_connect(vm);
    client_write(late, "{", 1);
    pump(vm);
    assert_false(client_quiet(late));
    (void)close(late);
    reset_device(vm);
    assert_true(vm->bridge.vm.running);
    expect_echo(vm);
}

/* Chains that the transmit queue must refuse. Descriptor 0 is the head. */
static const struct {
    const char *name;
    struct fake_descriptor descriptors[3];
} bad_chains[] = {
    {"below the memory", {{GUEST_BASE - 1, 44, 0, 0}}},
    {"above the memory", {{GUEST_END, 44, 0, 0}}},
    {"across the end", {{GUEST_END - 43, 44, 0, 0}}},
    {"address overflows", {{UINT64_MAX - 10, 44, 0, 0}}},
    {"huge length", {{TX_BUFFERS, UINT32_MAX, 0, 0}}},
    {"wrong direction", {{TX_BUFFERS, 44, WRITE, 0}}},
    {"direction changes", {{TX_BUFFERS, 44, NEXT, 1}, {TX_BUFFERS, 44, WRITE, 0}}},
    {"loop of one", {{TX_BUFFERS, 44, NEXT, 0}}},
    {"loop of two", {{TX_BUFFERS, 44, NEXT, 1}, {TX_BUFFERS, 44, NEXT, 0}}},
    {"loop of empty ones", {{TX_BUFFERS, 0, NEXT, 1}, {TX_BUFFERS, 0, NEXT, 0}}},
    {"next outside", {{TX_BUFFERS, 44, NEXT, QUEUE_SIZE}}},
    {"indirect outside", {{GUEST_END, 16, INDIRECT, 0}}},
    {"indirect across the end", {{GUEST_END - 8, 16, INDIRECT, 0}}},
    {"indirect across regions", {{GUEST_BASE + REGION_SIZE - 8, 16, INDIRECT, 0}}},
    {"indirect empty", {{FREE_MEMORY, 0, INDIRECT, 0}}},
    {"indirect uneven", {{FREE_MEMORY, 17, INDIRECT, 0}}},
    {"indirect too long", {{FREE_MEMORY, (RING_SIZE_MAX + 1) * 16, INDIRECT, 0}}},
    {"indirect with next", {{FREE_MEMORY, 16, INDIRECT | NEXT, 1}, {TX_BUFFERS, 44, 0, 0}}},
    {"indirect in a chain", {{TX_BUFFERS, 44, NEXT, 1}, {FREE_MEMORY, 16, INDIRECT, 0}}},
};

static void bad_chains_stop_the_device(void **state)
{
    struct fake_vm *vm = *state;

    for (size_t i = 0; i < sizeof bad_chains / sizeof bad_chains[0]; i++) {
        uint32_t host_port;
        int client = client_open(vm, &host_port);

        print_message("  %s\n", bad_chains[i].name);
        memcpy(vm->queues[1].descriptors, bad_chains[i].descriptors, sizeof bad_chains[i].descriptors);
        guest_offer(vm, 1, 0);
        expect_broken(vm, 1, client);
    }
}

static void bad_indirect_tables_stop_the_device(void **state)
{
    static const struct fake_descriptor tables[][2] = {
        {{TX_BUFFERS, 44, NEXT, 1}, {TX_BUFFERS, 44, NEXT, 0}},   /* loops */
        {{TX_BUFFERS, 44, NEXT, 2}, {TX_BUFFERS, 44, 0, 0}},      /* next outside */
        {{FREE_MEMORY, 32, INDIRECT, 0}, {TX_BUFFERS, 44, 0, 0}}, /* a table in a table */
        {{GUEST_END, 44, 0, 0}, {TX_BUFFERS, 44, 0, 0}},
    };
    struct fake_vm *vm = *state;

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        uint32_t host_port;
        int client = client_open(vm, &host_port);

        memcpy(guest_pointer(vm, FREE_MEMORY), tables[i], sizeof tables[i]);
        vm->queues[1].descriptors[0] = (struct fake_descriptor){FREE_MEMORY, 32, INDIRECT, 0};
        guest_offer(vm, 1, 0);
        expect_broken(vm, 1, client);
    }
}

static void bad_indices_stop_the_device(void **state)
{
    struct fake_vm *vm = *state;
    const uint64_t one = 1;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    /* A head outside the descriptor table. */
    guest_offer(vm, 1, QUEUE_SIZE);
    expect_broken(vm, 1, client);
    client = client_open(vm, &host_port);
    guest_offer(vm, 1, UINT16_MAX);
    expect_broken(vm, 1, client);
    /* More entries than the ring has; an index that goes backwards. */
    client = client_open(vm, &host_port);
    vm->queues[1].available[1] = (uint16_t)(vm->queues[1].available[1] + QUEUE_SIZE + 1);
    assert_int_equal(write(vm->queues[1].kick, &one, 8), 8);
    expect_broken(vm, 1, client);
    client = client_open(vm, &host_port);
    vm->queues[1].available[1] = (uint16_t)(vm->queues[1].available[1] - 1);
    assert_int_equal(write(vm->queues[1].kick, &one, 8), 8);
    expect_broken(vm, 1, client);
}

/* Receive buffers that the device must not write to. */
static void bad_receive_buffers_stop_the_device(void **state)
{
    static const struct fake_descriptor buffers[] = {
        {RX_BUFFERS, 4096, 0, 0},           /* not writable */
        {RX_BUFFERS, 44, WRITE, 0},         /* no room for data */
        {RX_BUFFERS, 0, WRITE, 0},          /* no room at all */
        {GUEST_END - 100, 4096, WRITE, 0},  /* across the end */
        {GUEST_BASE - 100, 4096, WRITE, 0}, /* across the beginning */
    };
    struct fake_vm *vm = *state;
    static uint8_t before[REGION_SIZE];

    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        struct packet packet;
        uint32_t host_port;
        int client = client_open(vm, &host_port);

        for (int j = 0; j < QUEUE_SIZE; j++)
            vm->queues[0].descriptors[j] = buffers[i];
        memcpy(before, vm->mapping[0], REGION_SIZE);
        guest_send_operation(vm, 5000, host_port, VSOCK_CREDIT_REQUEST);
        /* Nothing was written but the guest's own packet, ring entries and indices. */
        assert_memory_equal(before + 0x10000, vm->mapping[0] + 0x10000, 0x50000);
        assert_memory_equal(before + 0xe0000, vm->mapping[0] + 0xe0000, 0x20000);
        assert_false(guest_receive(vm, &packet));
        expect_broken(vm, 0, client);
    }
}

static void odd_but_allowed_chains_work(void **state)
{
    struct fake_vm *vm = *state;
    struct vsock_header header;
    static const uint8_t text[6] = {'p', 'i', 'e', 'c', 'e', 's'};
    struct fake_descriptor table[44 + 2];
    uint8_t *bytes = guest_pointer(vm, FREE_MEMORY + 0x1000);
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    header = guest_header(5000, host_port, VSOCK_DATA);
    header.length = 6;
    memcpy(bytes, &header, sizeof header);
    memcpy(bytes + sizeof header, text, sizeof text);
    /* A header in pieces of one byte, an empty descriptor, and an unaligned indirect table. */
    for (uint16_t i = 0; i < 44; i++)
        table[i] = (struct fake_descriptor){FREE_MEMORY + 0x1000 + i, 1, NEXT, (uint16_t)(i + 1)};
    table[44] = (struct fake_descriptor){0, 0, NEXT, 45};
    table[45] = (struct fake_descriptor){FREE_MEMORY + 0x1000 + 44, 6, 0, 0};
    memcpy((uint8_t *)guest_pointer(vm, FREE_MEMORY) + 1, table, sizeof table);
    vm->queues[1].descriptors[0] = (struct fake_descriptor){FREE_MEMORY + 1, sizeof table, INDIRECT, 0};
    guest_offer(vm, 1, 0);
    pump(vm);
    client_expect(client, "pieces", 6);
    /* A buffer that crosses from one memory region into the next. */
    memcpy(guest_pointer(vm, GUEST_BASE + REGION_SIZE - 47), &header, sizeof header);
    memcpy(guest_pointer(vm, GUEST_BASE + REGION_SIZE - 3), "pie", 3);
    memcpy(guest_pointer(vm, GUEST_BASE + REGION_SIZE), "ces", 3);
    vm->queues[1].descriptors[1] = (struct fake_descriptor){GUEST_BASE + REGION_SIZE - 47, 50, 0, 0};
    guest_offer(vm, 1, 1);
    pump(vm);
    client_expect(client, "pieces", 6);
    (void)close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define READY(test) cmocka_unit_test_setup_teardown(test, setup_ready, teardown)
        READY(bad_chains_stop_the_device),  READY(bad_indirect_tables_stop_the_device),
        READY(bad_indices_stop_the_device), READY(bad_receive_buffers_stop_the_device),
        READY(odd_but_allowed_chains_work),
    };

    return cmocka_run_group_tests_name("broken rings", tests, NULL, NULL);
}
