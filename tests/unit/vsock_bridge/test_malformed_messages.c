/* SPDX-License-Identifier: MIT
 *
 * vhost-user messages that are malformed, and masters that send anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake_vm.h"

static void what_is_not_vhost_user_ends_the_connection(void **state)
{
    static const uint32_t headers[][3] = {
        {REQUEST_GET_FEATURES, 0, 0}, /* version 0 */
        {REQUEST_GET_FEATURES, 2, 0},          {REQUEST_GET_FEATURES, 1, VHOST_USER_PAYLOAD_MAX + 1},
        {REQUEST_GET_FEATURES, 1, UINT32_MAX}, {0x20544547, 0x48202f, 0x2e315054}, /* GET / HTTP/1. */
    };
    struct fake_vm *vm = *state;

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        assert_int_equal(send(vm->master, headers[i], sizeof headers[i], 0), sizeof headers[i]);
        pump(vm);
        expect_hang_up(vm);
    }
}

static void payloads_of_a_wrong_size_end_the_connection(void **state)
{
    static const uint8_t zeros[VHOST_USER_PAYLOAD_MAX];
    struct fake_vm *vm = *state;

    for (uint32_t request = 1; request <= REQUEST_RESET_DEVICE; request++) {
        bool known = (request >= 1 && request <= 5) || (request >= 8 && request <= 18) || request == 24 ||
                     request == 34;

        vm_send(vm, request, 0, zeros, 7, NULL, 0);
        if (known)
            expect_hang_up(vm);
        else
            assert_false(vm_hung_up(vm));
    }
}

static void unknown_requests_are_refused(void **state)
{
    static const uint32_t requests[] = {0, 6, 7, 19, 33, 35, 40, 1000, UINT32_MAX};
    static const uint8_t zeros[64];
    struct fake_vm *vm = *state;

    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        vm_send(vm, requests[i], 0, zeros, sizeof zeros, vm->memory, 2);
        assert_int_not_equal(vm_acknowledged(vm, requests[i], zeros, sizeof zeros, vm->memory, 2), 0);
    }
    vm_set_memory(vm);
}

/* The first byte of a message, and all of its descriptors. */
static void send_beginning(struct fake_vm *vm, const int *descriptors, unsigned count)
{
    union {
        char space[CMSG_SPACE(8 * sizeof(int))];
        struct cmsghdr alignment;
    } control;
    char byte = REQUEST_SET_MEM_TABLE;
    struct iovec piece = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};

    control.alignment = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(count * sizeof(int))};
    memcpy(CMSG_DATA(&control.alignment), descriptors, count * sizeof(int));
    assert_int_equal(sendmsg(vm->master, &message, 0), 1);
    pump(vm);
}

static void descriptors_that_do_not_belong_are_closed(void **state)
{
    struct fake_vm *vm = *state;
    unsigned before = open_descriptors();
    const uint64_t index = 0;
    int many[10];

    vm_send(vm, REQUEST_GET_FEATURES, 0, NULL, 0, vm->memory, 1);
    expect_hang_up(vm);
    vm_send(vm, REQUEST_SET_VRING_CALL, 0, &index, 8, vm->memory, 2);
    expect_hang_up(vm);
    vm_send(vm, REQUEST_SET_VRING_ERR, 0, &index, 8, NULL, 0);
    expect_hang_up(vm);
    for (int i = 0; i < 10; i++)
        many[i] = vm->memory[0];
    vm_send(vm, REQUEST_SET_MEM_TABLE, 0, &index, 8, many, 10);
    expect_hang_up(vm);
    vm_send(vm, 1000, 0, NULL, 0, many, 8);
    assert_int_equal(open_descriptors(), before);
    vm_send(vm, REQUEST_SET_MEM_TABLE, 0, NULL, 0, many, 3);
    expect_hang_up(vm);
    assert_int_equal(open_descriptors(), before);
    /* A message that is never completed. */
    send_beginning(vm, many, 3);
    assert_int_equal(open_descriptors(), before + 3);
    vm_disconnect(vm);
    assert_int_equal(open_descriptors(), before - 2);
}

static void memory_tables_are_checked(void **state)
{
    struct fake_vm *vm = *state;
    const struct memory_region_description bad[][2] = {
        {{0, 0, USER_BASE, 0}},                                         /* empty */
        {{0, REGION_SIZE + 1, USER_BASE, 0}},                           /* beyond the file */
        {{0, REGION_SIZE, USER_BASE, 4096}},                            /* beyond the file */
        {{0, 4096, USER_BASE, UINT64_MAX - 100}},                       /* overflows */
        {{UINT64_MAX - 100, 4096, USER_BASE, 0}},                       /* overflows */
        {{0, 4096, UINT64_MAX - 100, 0}},                               /* overflows */
        {{0, UINT64_MAX, 0, 0}},                                        /* overflows */
        {{0, 4096, USER_BASE, 0}, {4095, 4096, USER_BASE + 4096, 0}},   /* overlap */
        {{4096, 4096, USER_BASE, 0}, {0, REGION_SIZE, USER_BASE_2, 0}}, /* contain */
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct table table = {.count = bad[i][1].size > 0 ? 2 : 1, .regions = {bad[i][0], bad[i][1]}};

        assert_int_equal(
            vm_acknowledged(vm, REQUEST_SET_MEM_TABLE, &table, 8 + 32 * table.count, vm->memory, table.count),
            EINVAL);
        assert_int_equal(vm->bridge.vm.memory.count, 0);
    }
}

static void memory_tables_of_another_shape_end_the_connection(void **state)
{
    struct fake_vm *vm = *state;
    struct table table = {.count = 2};

    vm_send(vm, REQUEST_SET_MEM_TABLE, 0, &table, 8 + 64, vm->memory, 1);
    expect_hang_up(vm);
    vm_send(vm, REQUEST_SET_MEM_TABLE, 0, &table, 8 + 32, vm->memory, 2);
    expect_hang_up(vm);
    table.count = MEMORY_REGIONS_MAX + 1;
    vm_send(vm, REQUEST_SET_MEM_TABLE, 0, &table, sizeof table, vm->memory, 2);
    expect_hang_up(vm);
    table.count = UINT32_MAX;
    vm_send(vm, REQUEST_SET_MEM_TABLE, 0, &table, 8, NULL, 0);
    expect_hang_up(vm);
}

static void memory_without_a_file_that_can_be_mapped(void **state)
{
    struct fake_vm *vm = *state;
    struct table table = {.count = 1, .regions = {{0, 4096, USER_BASE, 0}}};
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_not_equal(vm_acknowledged(vm, REQUEST_SET_MEM_TABLE, &table, 8 + 32, ends, 1), 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void ring_parameters_are_checked(void **state)
{
    static const uint32_t bad_sizes[] = {0, 3, 63, 65, 2048, 65536, 0x80000000, UINT32_MAX};
    struct fake_vm *vm = *state;
    uint32_t fields[2] = {3, 64};
    uint64_t index = 3;

    /* There is no queue 3. */
    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_NUM, fields, 8, NULL, 0), EINVAL);
    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_BASE, fields, 8, NULL, 0), EINVAL);
    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_ENABLE, fields, 8, NULL, 0), EINVAL);
    assert_int_equal(vm_acknowledged(vm, REQUEST_GET_VRING_BASE, fields, 8, NULL, 0), EINVAL);
    vm_send(vm, REQUEST_SET_VRING_KICK, 0, &index, 8, vm->memory, 1);
    expect_hang_up(vm);
    for (size_t i = 0; i < sizeof bad_sizes / sizeof bad_sizes[0]; i++) {
        fields[0] = 0;
        fields[1] = bad_sizes[i];
        assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_NUM, fields, 8, NULL, 0), EINVAL);
    }
    fields[1] = 65536;
    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_BASE, fields, 8, NULL, 0), EINVAL);
    fields[1] = 2;
    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_ENABLE, fields, 8, NULL, 0), EINVAL);
    /* A queue that would be polled. */
    index = 0x100;
    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_KICK, &index, 8, NULL, 0), EOPNOTSUPP);
    /* A file that cannot be waited for. */
    index = 0;
    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_KICK, &index, 8, vm->memory, 1), EPERM);
}

static void running_rings_do_not_change(void **state)
{
    struct fake_vm *vm = *state;
    const uint32_t fields[2] = {0, 32};

    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_NUM, fields, 8, NULL, 0), EBUSY);
    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_BASE, fields, 8, NULL, 0), EBUSY);
    assert_true(vm->bridge.vm.running);
}

static void ring_addresses_are_checked(void **state)
{
    static const struct ring_addresses bad[] = {
        {.descriptors = USER_BASE + 8, .available = USER_BASE, .used = USER_BASE},
        {.descriptors = USER_BASE, .available = USER_BASE + 1, .used = USER_BASE},
        {.descriptors = USER_BASE, .available = USER_BASE, .used = USER_BASE + 2},
        {.descriptors = USER_BASE - 16, .available = USER_BASE, .used = USER_BASE},
        {.descriptors = USER_BASE + REGION_SIZE - 1008, .available = USER_BASE, .used = USER_BASE},
        {.descriptors = USER_BASE, .available = USER_BASE + REGION_SIZE - 6 - 126, .used = USER_BASE},
        {.descriptors = USER_BASE, .available = USER_BASE, .used = USER_BASE + REGION_SIZE - 512},
        {.descriptors = UINT64_MAX - 15, .available = USER_BASE, .used = USER_BASE},
        {.descriptors = 0, .available = 0, .used = 0},
        {.index = 3, .descriptors = USER_BASE, .available = USER_BASE, .used = USER_BASE},
    };
    struct fake_vm *vm = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(vm_acknowledged(vm, REQUEST_SET_VRING_ADDR, &bad[i], sizeof bad[i], NULL, 0),
                         EINVAL);
        assert_int_equal(vm->bridge.vm.running, bad[i].index == 3 && i == 0);
    }
    for (uint32_t queue = 0; queue < 3; queue++)
        (void)vm_stop_queue(vm, queue);
    vm_start_queues(vm);
    assert_true(vm->bridge.vm.running);
}

static void features_that_were_not_offered_are_refused(void **state)
{
    struct fake_vm *vm = *state;
    uint64_t features = vm->features | UINT64_C(1) << 34; /* packed rings */

    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_FEATURES, &features, 8, NULL, 0), EINVAL);
    features = UINT64_C(1) << 3 | UINT64_C(1) << 5;
    assert_int_equal(vm_acknowledged(vm, REQUEST_SET_PROTOCOL_FEATURES, &features, 8, NULL, 0), EINVAL);
}

/* Any sequence of requests with any payload. */
static void random_masters_do_no_harm(void **state)
{
    static const uint32_t values[] = {0, 1, 2, 3, 8, 64, 128, 0x100, 0x1000, 65535, 65536, UINT32_MAX};
    struct fake_vm *vm = *state;
    unsigned before;
    uint32_t random = 1;

    vm_disconnect(vm);
    before = open_descriptors();
    for (int round = 0; round < 300; round++) {
        vm_connect(vm);
        if (round % 2 == 0) {
            vm_negotiate(vm);
            vm_set_memory(vm);
            vm_start_queues(vm);
        }
        for (int i = 0; i < 20 && vm->bridge.vm.watch.fd >= 0; i++) {
            static const uint8_t sizes[] = {0, 8, 8, 8, 20, 40, 40, 72, 9};
            uint32_t payload[32];
            char drain[4096];
            int descriptors[2] = {vm->memory[0], vm->queues[0].kick};

            for (int j = 0; j < 32; j++) {
                random = random * 1664525 + 1013904223;
                payload[j] = values[(random >> 8) % (sizeof values / sizeof values[0])];
            }
            random = random * 1664525 + 1013904223;
            vm_send(vm, (random >> 8) % 36, (random >> 16) & MESSAGE_NEEDS_REPLY, payload,
                    sizes[(random >> 20) % sizeof sizes], descriptors, (random >> 24) % 3);
            (void)recv(vm->master, drain, sizeof drain, MSG_DONTWAIT);
        }
        vm_disconnect(vm);
        assert_int_equal(open_descriptors(), before);
    }
    vm_connect(vm);
    vm_negotiate(vm);
    vm_set_memory(vm);
    vm_start_queues(vm);
    assert_true(vm->bridge.vm.running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define READY(test)      cmocka_unit_test_setup_teardown(test, setup_ready, teardown)
#define NEGOTIATED(test) cmocka_unit_test_setup_teardown(test, setup_negotiated, teardown)
        NEGOTIATED(what_is_not_vhost_user_ends_the_connection),
        NEGOTIATED(payloads_of_a_wrong_size_end_the_connection),
        NEGOTIATED(unknown_requests_are_refused),
        NEGOTIATED(descriptors_that_do_not_belong_are_closed),
        NEGOTIATED(memory_tables_are_checked),
        NEGOTIATED(memory_tables_of_another_shape_end_the_connection),
        NEGOTIATED(memory_without_a_file_that_can_be_mapped),
        NEGOTIATED(ring_parameters_are_checked),
        READY(running_rings_do_not_change),
        READY(ring_addresses_are_checked),
        NEGOTIATED(features_that_were_not_offered_are_refused),
        READY(random_masters_do_no_harm),
    };

    return cmocka_run_group_tests_name("malformed messages", tests, NULL, NULL);
}
