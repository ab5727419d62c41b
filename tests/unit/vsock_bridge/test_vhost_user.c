/* SPDX-License-Identifier: MIT
 *
 * The vhost-user protocol: what a master gets answered, and when queues run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_vm.h"

static void the_configuration_space_holds_the_cid(void **state)
{
    struct fake_vm *vm = *state;
    struct {
        struct config_access access;
        uint8_t bytes[256];
    } message = {.access = {.offset = 0, .size = 8}};

    vm_send(vm, REQUEST_GET_CONFIG, 0, &message, 12 + 8, NULL, 0);
    assert_int_equal(vm_reply(vm, REQUEST_GET_CONFIG, &message, sizeof message), 12 + 8);
    assert_int_equal(message.access.size, 8);
    assert_int_equal(message.bytes[0], GUEST_CID);
    for (int i = 1; i < 8; i++)
        assert_int_equal(message.bytes[i], 0);
    /* Any part of it; beyond it are zeros. */
    message.access = (struct config_access){.offset = 0, .size = 256};
    vm_send(vm, REQUEST_GET_CONFIG, 0, &message, 12 + 256, NULL, 0);
    assert_int_equal(vm_reply(vm, REQUEST_GET_CONFIG, &message, sizeof message), 12 + 256);
    assert_int_equal(message.bytes[0], GUEST_CID);
    assert_int_equal(message.bytes[255], 0);
    message.access = (struct config_access){.offset = 1, .size = 1};
    vm_send(vm, REQUEST_GET_CONFIG, 0, &message, 12 + 1, NULL, 0);
    assert_int_equal(vm_reply(vm, REQUEST_GET_CONFIG, &message, sizeof message), 12 + 1);
    assert_int_equal(message.bytes[0], 0);
    /* What does not fit is answered with an empty payload. */
    message.access = (struct config_access){.offset = 256, .size = 1};
    vm_send(vm, REQUEST_GET_CONFIG, 0, &message, 12 + 1, NULL, 0);
    assert_int_equal(vm_reply(vm, REQUEST_GET_CONFIG, &message, sizeof message), 0);
    message.access = (struct config_access){.offset = 0, .size = UINT32_MAX};
    vm_send(vm, REQUEST_GET_CONFIG, 0, &message, 12 + 1, NULL, 0);
    assert_int_equal(vm_reply(vm, REQUEST_GET_CONFIG, &message, sizeof message), 0);
}

static void there_are_three_queues(void **state)
{
    struct fake_vm *vm = *state;
    uint64_t count = 0;

    vm_send(vm, REQUEST_GET_QUEUE_NUM, 0, NULL, 0, NULL, 0);
    assert_int_equal(vm_reply(vm, REQUEST_GET_QUEUE_NUM, &count, sizeof count), 8);
    assert_int_equal(count, 3);
}

static void a_kick_before_the_queue_is_enabled_is_not_lost(void **state)
{
    struct fake_vm *vm = *state;
    struct packet packet;
    uint32_t enable[2] = {1, 0};

    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_ENABLE, enable, 8, NULL, 0), 0);
    assert_false(vm->bridge.vm.running);
    guest_send_operation(vm, 77, 88, VSOCK_CREDIT_REQUEST);
    guest_expect_nothing(vm);
    enable[1] = 1;
    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_ENABLE, enable, 8, NULL, 0), 0);
    guest_expect(vm, VSOCK_RESET, &packet);
}

static void without_protocol_features_queues_start_enabled(void **state)
{
    struct fake_vm *vm = *state;
    const uint64_t features = UINT64_C(1) << 32;
    struct packet packet;

    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_FEATURES, &features, 8, NULL, 0), 0);
    vm_set_memory(vm);
    vm_start_queues(vm);
    for (unsigned i = 0; i < QUEUE_COUNT; i++)
        vm->bridge.vm.queues[i].enabled = false;
    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_FEATURES, &features, 8, NULL, 0), 0);
    assert_true(vm->bridge.vm.running);
    guest_send_operation(vm, 77, 88, VSOCK_DATA);
    guest_expect(vm, VSOCK_RESET, &packet);
}

static void a_reset_stops_the_queues(void **state)
{
    static const uint32_t requests[] = {REQUEST_RESET_DEVICE, REQUEST_RESET_OWNER};
    struct fake_vm *vm = *state;

    for (int i = 0; i < 2; i++) {
        uint32_t host_port;
        int client = client_open(vm, &host_port);

        assert_int_equal(vm_acknowledged(vm, requests[i], NULL, 0, NULL, 0), 0);
        assert_false(vm->bridge.vm.running);
        assert_true(client_at_end(client));
        (void)close(client);
        vm_start_queues(vm);
        assert_true(vm->bridge.vm.running);
    }
}

/* QEMU sends the table again when memory is plugged; the rings move with it, connections stay. */
static void memory_may_change_while_the_queues_run(void **state)
{
    struct fake_vm *vm = *state;
    uint32_t host_port;
    int client = client_open(vm, &host_port);

    for (int i = 0; i < 20; i++)
        vm_set_memory(vm);
    assert_int_equal(vm->bridge.vm.memory.count, 2);
    guest_send_data(vm, 5000, host_port, "same", 4);
    client_expect(client, "same", 4);
    (void)close(client);
}

static void memory_that_loses_the_rings_stops_the_device(void **state)
{
    struct fake_vm *vm = *state;
    struct table table = {.count = 1, .regions = {{GUEST_END, REGION_SIZE, USER_BASE_2, 0}}};

    assert_int_not_equal(vm_acknowledged(vm, REQUEST_SET_MEM_TABLE, &table, 8 + 32, vm->memory, 1), 0);
    assert_false(vm->bridge.vm.running);
    vm_set_memory(vm);
    assert_true(vm->bridge.vm.running);
}

static void an_interrupt_comes_for_what_was_used(void **state)
{
    struct fake_vm *vm = *state;
    uint64_t count;

    while (read(vm->queues[1].call, &count, sizeof count) > 0)
        ;
    guest_send_operation(vm, 1, 2, VSOCK_RESET);
    assert_int_equal(read(vm->queues[1].call, &count, sizeof count), sizeof count);
    /* The driver does not want one before index 10 is used (event index), or at all (flag). */
    vm->queues[1].available[2 + QUEUE_SIZE] = 10;
    vm->queues[1].available[0] = 1;
    guest_send_operation(vm, 1, 2, VSOCK_RESET);
    assert_int_equal(read(vm->queues[1].call, &count, sizeof count), -1);
    if ((vm->features & UINT64_C(0x20000000)) == 0)
        return;
    for (int i = 0; i < 9; i++) {
        assert_int_equal(read(vm->queues[1].call, &count, sizeof count), -1);
        guest_send_operation(vm, 1, 2, VSOCK_RESET);
    }
    assert_int_equal(read(vm->queues[1].call, &count, sizeof count), sizeof count);
}

/* An interrupt may have gone to the descriptor that is replaced. */
static void a_new_call_descriptor_is_signalled(void **state)
{
    struct fake_vm *vm = *state;
    const uint64_t index = 0;
    uint64_t count;

    while (read(vm->queues[0].call, &count, sizeof count) > 0)
        ;
    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_CALL, &index, 8, &vm->queues[0].call, 1), 0);
    assert_int_equal(read(vm->queues[0].call, &count, sizeof count), sizeof count);
}

/* The driver may offer more between the device's last look and its wish to be notified. */
static void what_is_offered_meanwhile_is_noticed(void **state)
{
    struct fake_vm *vm = *state;
    struct ring *ring = &vm->bridge.vm.queues[1].ring;

    assert_false(ring_want_notification(ring));
    vm->queues[1].available[1]++;
    assert_true(ring_want_notification(ring));
    vm->queues[1].available[1]--;
}

static void kicks_are_asked_for_only_when_needed(void **state)
{
    struct fake_vm *vm = *state;
    bool event_index = (vm->features & UINT64_C(0x20000000)) != 0;
    const uint16_t *rx_event = &vm->queues[0].used[2 + 4 * QUEUE_SIZE];
    const uint16_t *tx_event = &vm->queues[1].used[2 + 4 * QUEUE_SIZE];

    vm->keep_buffers = true;
    for (uint16_t i = 1; i <= QUEUE_SIZE; i++) {
        guest_send_operation(vm, 1, 2, VSOCK_DATA);
        if (event_index) {
            assert_int_equal(*tx_event, i);
            assert_int_equal(*rx_event, 0);
        } else {
            assert_int_equal(vm->queues[0].used[0], 1);
            assert_int_equal(vm->queues[1].used[0], 0);
        }
    }
    /* The device is short of receive buffers. */
    guest_send_operation(vm, 1, 2, VSOCK_DATA);
    if (event_index)
        assert_int_equal(*rx_event, QUEUE_SIZE);
    else
        assert_int_equal(vm->queues[0].used[0], 0);
}

static void a_second_vm_is_refused(void **state)
{
    struct fake_vm *vm = *state;
    int first = vm->master;

    vm_connect(vm);
    assert_true(vm_hung_up(vm));
    (void)close(vm->master);
    vm->master = first;
    vm_set_memory(vm);
}

static void once_means_a_vm_and_no_probe(void **state)
{
    struct fake_vm *vm = *state;

    vm->options.once = true;
    vm_connect(vm);
    vm_disconnect(vm);
    assert_false(vm->bridge.ended);
    vm_connect(vm);
    vm_negotiate(vm);
    vm_disconnect(vm);
    assert_true(vm->bridge.ended);
}

static void a_message_may_come_in_pieces(void **state)
{
    struct fake_vm *vm = *state;
    const uint32_t message[5] = {REQUEST_SET_VRING_NUM, MESSAGE_VERSION | MESSAGE_NEEDS_REPLY, 8, 0, 64};
    uint64_t answer = 1;

    for (size_t i = 0; i < sizeof message; i++) {
        assert_int_equal(send(vm->master, (const uint8_t *)message + i, 1, 0), 1);
        pump(vm);
    }
    assert_int_equal(vm_reply(vm, REQUEST_SET_VRING_NUM, &answer, sizeof answer), 8);
    assert_int_equal(answer, 0);
    assert_int_equal(vm->bridge.vm.queues[0].ring.size, 64);
    /* Several at once; one that is never completed. */
    for (int i = 0; i < 3; i++)
        assert_int_equal(send(vm->master, message, sizeof message, 0), sizeof message);
    assert_int_equal(send(vm->master, message, 15, 0), 15);
    pump(vm);
    for (int i = 0; i < 3; i++)
        assert_int_equal(vm_reply(vm, REQUEST_SET_VRING_NUM, &answer, sizeof answer), 8);
    vm_disconnect(vm);
}

static void nothing_leaks_over_many_vms(void **state)
{
    struct fake_vm *vm = *state;
    unsigned before;

    vm_disconnect(vm);
    before = open_descriptors();
    for (int i = 0; i < 10; i++) {
        uint32_t host_port;
        int client;

        vm_connect(vm);
        vm_negotiate(vm);
        vm_set_memory(vm);
        vm_start_queues(vm);
        for (uint64_t queue = 0; queue < 3; queue++) {
            /* Descriptors replace those that came before. */
            vm_send(vm, REQUEST_SET_VRING_ERR, 0, &queue, 8, &vm->queues[queue].error, 1);
            vm_send(vm, REQUEST_SET_VRING_CALL, 0, &queue, 8, &vm->queues[queue].call, 1);
            vm_send(vm, REQUEST_SET_VRING_KICK, 0, &queue, 8, &vm->queues[queue].kick, 1);
        }
        client = client_open(vm, &host_port);
        if (i % 2 == 0) {
            for (uint32_t queue = 0; queue < 3; queue++)
                (void)vm_stop_queue(vm, queue);
        }
        vm_disconnect(vm);
        (void)close(client);
        assert_int_equal(open_descriptors(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define READY(test)      cmocka_unit_test_setup_teardown(test, setup_ready, teardown)
#define BASIC(test)      cmocka_unit_test_setup_teardown(test, setup_ready_without_event_index, teardown)
#define NO_VM(test)      cmocka_unit_test_setup_teardown(test, setup_bridge, teardown)
#define NEGOTIATED(test) cmocka_unit_test_setup_teardown(test, setup_negotiated, teardown)
        NEGOTIATED(the_configuration_space_holds_the_cid),
        NEGOTIATED(there_are_three_queues),
        READY(a_kick_before_the_queue_is_enabled_is_not_lost),
        NEGOTIATED(without_protocol_features_queues_start_enabled),
        READY(a_reset_stops_the_queues),
        READY(memory_may_change_while_the_queues_run),
        READY(memory_that_loses_the_rings_stops_the_device),
        READY(an_interrupt_comes_for_what_was_used),
        BASIC(an_interrupt_comes_for_what_was_used),
        READY(a_new_call_descriptor_is_signalled),
        READY(what_is_offered_meanwhile_is_noticed),
        BASIC(what_is_offered_meanwhile_is_noticed),
        READY(kicks_are_asked_for_only_when_needed),
        BASIC(kicks_are_asked_for_only_when_needed),
        NEGOTIATED(a_second_vm_is_refused),
        NO_VM(once_means_a_vm_and_no_probe),
        NEGOTIATED(a_message_may_come_in_pieces),
        READY(nothing_leaks_over_many_vms),
    };

    return cmocka_run_group_tests_name("vhost-user", tests, NULL, NULL);
}
