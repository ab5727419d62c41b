/* SPDX-License-Identifier: MIT
 *
 * Finding devices on PCI buses, and the life of one: negotiation, queues, interrupts, configuration.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_os.h"
#include "fake_pci.h"
#include "transport/transport.h"

static struct virtio_device *devices[FAKE_FUNCTIONS];
static size_t device_count;
static int answer; /* of the callback */

static int on_found(void *context, struct virtio_device *device)
{
    assert_ptr_equal(context, devices);
    if (answer == 0)
        devices[device_count++] = device;
    return answer;
}

static int scan(void)
{
    device_count = 0;
    return virtio_pci_scan(&fake_os.hooks, on_found, devices);
}

static void start(void)
{
    fake_pci_clear();
    fake_os_start();
    answer = 0;
}

static void stop(void)
{
    for (size_t i = 0; i < device_count; i++)
        virtio_device_destroy(devices[i]);
    device_count = 0;
    fake_os_stop();
    fake_pci_clear();
}

static void test_no_devices(void **state)
{
    (void)state;
    start();
    assert_int_equal(scan(), 0);
    fake_pci_add(0, 0x8086, 0x1237);
    fake_pci_add(2 << 3, 0x1234, 0x1111);
    fake_pci_add(3 << 3, 0x1af4, 0x1110); /* QEMU's ivshmem: the vendor, but no virtio device */
    fake_pci_add(4 << 3, 0x1af4, 0x0fff);
    fake_pci_add_bridge(5 << 3, 0xff); /* to a bus where nothing is */
    assert_int_equal(scan(), 0);
    assert_int_equal(fake_os.requests, 0);
    stop();
}

/* Functions that are there, where function 0 says that there are others; behind bridges, each bus once. */
static void test_topology(void **state)
{
    (void)state;
    start();
    struct fake_function *multi = fake_pci_add(0x1f << 3, 0x8086, 0x2918);
    fake_pci_set(multi, 0x0e, 1, 0x80);
    fake_pci_add_virtio(0x1f << 3 | 7, VIRTIO_ID_RNG, 2);
    fake_pci_add(0x02 << 3, 0x8086, 0x100e);
    fake_pci_add_virtio(0x02 << 3 | 1, VIRTIO_ID_RNG, 2); /* function 0 says that it is alone */
    fake_pci_add_bridge(0x03 << 3, 5);
    fake_pci_add_bridge(0x04 << 3, 5);
    fake_pci_add_bridge(5 << 8 | 0x00 << 3, 7);
    fake_pci_add_bridge(7 << 8 | 0x00 << 3, 0); /* back to the start */
    fake_pci_add_virtio(7 << 8 | 0x1f << 3, VIRTIO_ID_VSOCK, 4);
    fake_pci_add_virtio(9 << 8, VIRTIO_ID_VSOCK, 4); /* no bridge leads there */

    assert_int_equal(scan(), 2);
    assert_int_equal(virtio_device_id(devices[0]), VIRTIO_ID_RNG);
    assert_string_equal(virtio_device_name(devices[0]), "pci 00:1f.7");
    assert_int_equal(virtio_device_id(devices[1]), VIRTIO_ID_VSOCK);
    assert_string_equal(virtio_device_name(devices[1]), "pci 07:1f.0");
    assert_ptr_equal(virtio_device_os(devices[1]), &fake_os.hooks);
    stop();
}

/* A chain of bridges through all buses ends. */
static void test_every_bus(void **state)
{
    (void)state;
    start();
    fake_pci_add_bridge(0, 0x80);
    fake_pci_add_bridge(0x80 << 8, 0xff);
    fake_pci_add_bridge(0xff << 8, 0x80);
    fake_pci_add_virtio(0xff << 8 | 1 << 3, VIRTIO_ID_FS, 4);
    assert_int_equal(scan(), 1);
    assert_true(fake_pci_config_reads < 1000);
    stop();
}

static void test_transitional(void **state)
{
    (void)state;
    start();
    struct fake_function *function = fake_pci_add_virtio(1 << 3, 0, 2);
    fake_pci_set(function, 0x02, 2, 0x1005);
    fake_pci_set(function, 0x2e, 2, VIRTIO_ID_RNG);
    struct fake_function *legacy = fake_pci_add(2 << 3, 0x1af4, 0x1000); /* no capabilities */
    fake_pci_set(legacy, 0x2e, 2, 1);
    assert_int_equal(scan(), 1);
    assert_int_equal(virtio_device_id(devices[0]), VIRTIO_ID_RNG);
    assert_non_null(strstr(fake_os.last_log, "pci 00:02.0"));
    stop();
}

/* What a scan has found can be looked at again, alone, when it has been destroyed. */
static void test_probe(void **state)
{
    (void)state;
    start();
    fake_pci_add_virtio(7 << 8 | 3 << 3 | 1, VIRTIO_ID_RNG, 2); /* no bridge leads there */
    fake_pci_set(fake_pci_add_virtio(2 << 3, 0, 2), 0x02, 2, 0x1005);
    fake_pci_set(fake_pci_find(2 << 3), 0x2e, 2, VIRTIO_ID_VSOCK);
    fake_pci_add(4 << 3, 0x8086, 0x1041);
    fake_pci_add(5 << 3, 0x1af4, 0x1040); /* no capabilities */

    struct virtio_device *device = NULL;
    assert_int_equal(virtio_pci_probe(&fake_os.hooks, 7 << 8 | 3 << 3 | 1, &device), 0);
    assert_int_equal(virtio_device_id(device), VIRTIO_ID_RNG);
    assert_int_equal(virtio_pci_address(device), 7 << 8 | 3 << 3 | 1);
    virtio_device_destroy(device);
    assert_int_equal(virtio_pci_probe(&fake_os.hooks, 2 << 3, &device), 0);
    assert_int_equal(virtio_device_id(device), VIRTIO_ID_VSOCK);
    virtio_device_destroy(device);

    assert_int_equal(virtio_pci_probe(&fake_os.hooks, 3 << 3, &device), -ENODEV); /* nothing there */
    assert_int_equal(virtio_pci_probe(&fake_os.hooks, 4 << 3, &device), -ENODEV);
    assert_int_equal(virtio_pci_probe(&fake_os.hooks, 5 << 3, &device), -ENODEV);
    fake_os.fail_at = 1;
    assert_int_equal(virtio_pci_probe(&fake_os.hooks, 2 << 3, &device), -ENOMEM);
    assert_int_equal(scan(), 1);
    assert_int_equal(virtio_pci_address(devices[0]), 2 << 3);
    stop();
}

static void test_device_given_back(void **state)
{
    (void)state;
    start();
    fake_pci_add_virtio(1 << 3, VIRTIO_ID_RNG, 2);
    fake_pci_add_virtio(2 << 3, VIRTIO_ID_RNG, 2);
    answer = -ENODEV;
    assert_int_equal(scan(), 0);
    assert_int_equal(fake_os.blocks, 0);
    stop();
}

static void test_scan_without_memory(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        start();
        fake_pci_add_virtio(1 << 3, VIRTIO_ID_RNG, 2);
        fake_os.fail_at = n;
        int result = scan();
        long left = fake_os.fail_at;
        stop();
        if (left > 0) {
            assert_int_equal(result, 1);
            assert_int_equal(n, 6); /* the device, four mappings, and no more */
            break;
        }
        assert_int_equal(result, -ENOMEM);
    }

    /* What was taken before is the caller's. */
    start();
    fake_pci_add_virtio(1 << 3, VIRTIO_ID_RNG, 2);
    fake_pci_add_virtio(2 << 3, VIRTIO_ID_RNG, 2);
    fake_os.fail_at = 8;
    assert_int_equal(scan(), 1);
    stop();
}

/* BARs are as they were, and the function decodes them. */
static void test_bars_are_restored(void **state)
{
    (void)state;
    start();
    struct fake_function *function = fake_pci_add_virtio(3 << 3, VIRTIO_ID_VSOCK, 4);
    fake_pci_set(function, 0x10, 4, 0xc001); /* an I/O BAR */
    uint8_t before[24];
    memcpy(before, function->config + 0x10, sizeof(before));
    assert_int_equal(scan(), 1);
    assert_memory_equal(function->config + 0x10, before, sizeof(before));
    assert_int_equal(function->config[0x04] & 6, 2); /* memory; no bus master yet */
    assert_int_equal(function->config[0x05] & 4, 4); /* no INTx */
    assert_int_equal(function->config[FAKE_CAP_MSIX + 3] & 0xc0, 0x80);
    /* Nothing more is mapped than can be of use. */
    assert_true(fake_pci_mapped_bytes <= 56 + 0x1000 + FAKE_CONFIG_SIZE + 4 * 16);
    stop();
}

static unsigned fired[5];

static void count_interrupt(void *argument)
{
    (*(unsigned *)argument)++;
}

static struct virtio_device *start_device(uint16_t vectors)
{
    start();
    fake_pci_add_virtio(3 << 3, VIRTIO_ID_VSOCK, vectors);
    assert_int_equal(scan(), 1);
    memset(fired, 0, sizeof(fired));
    return devices[0];
}

static void test_negotiate(void **state)
{
    (void)state;
    struct virtio_device *device = start_device(4);
    struct fake_function *function = fake_pci_find(3 << 3);
    uint64_t accepted = 0;

    /* What is wanted and offered, and what the queues know; never what was not offered. */
    function->offered =
        VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_ACCESS_PLATFORM | VIRTIO_F_RING_RESET | 0x5;
    assert_int_equal(virtio_device_negotiate(device, 0x3, &accepted), 0);
    assert_true(accepted == (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_ACCESS_PLATFORM | 0x1));
    assert_true(function->accepted == accepted);
    assert_int_equal(function->status, 11);

    function->offered = 0x5;
    assert_int_equal(virtio_device_negotiate(device, 0x5, &accepted), -ENODEV);
    assert_int_equal(function->status, 128);
    function->offered = VIRTIO_F_VERSION_1;
    function->refuses_features = true;
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), -EIO);
    assert_int_equal(function->status, 128);
    function->refuses_features = false;
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);

    /* Waits for the reset, but not for ever. */
    function->stuck_in_reset = true;
    uint64_t before = fake_os.now;
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), -EIO);
    assert_in_range(fake_os.now - before, 1000000, 1100000);
    /* Whatever it does now, it cannot reach memory any more. */
    virtio_device_reset(device);
    assert_int_equal(function->config[0x04] & 4, 0);
    stop();
}

static void test_queues(void **state)
{
    (void)state;
    struct virtio_device *device = start_device(4);
    struct fake_function *function = fake_pci_find(3 << 3);
    struct virtio_queue *queue = NULL;
    struct virtio_queue *other = NULL;
    uint64_t accepted = 0;

    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
    assert_int_equal(virtio_device_queue(device, 0, 100, count_interrupt, fired, &queue), 0);
    assert_int_equal(virtio_queue_size(queue), 64); /* the power of two below */
    assert_int_equal(virtio_device_queue(device, 1, 1024, count_interrupt, fired, &other), 0);
    assert_int_equal(virtio_queue_size(other), 128); /* what the device allows */
    assert_int_equal(function->queues[0].enable, 1);
    assert_true(function->queues[0].ring.descriptors != function->queues[1].ring.descriptors);

    assert_int_equal(virtio_device_queue(device, 1, 8, count_interrupt, fired, &other), -ENOENT);
    assert_int_equal(virtio_device_queue(device, 4, 8, count_interrupt, fired, &other), -ENOENT);
    assert_int_equal(virtio_device_queue(device, VIRTIO_QUEUES_MAX, 8, count_interrupt, fired, &other),
                     -ENOENT);
    assert_int_equal(virtio_device_queue(device, 65535, 8, count_interrupt, fired, &other), -ENOENT);
    function->queues[2].size_max = 0;
    assert_int_equal(virtio_device_queue(device, 2, 8, count_interrupt, fired, &other), -ENOENT);
    function->queues[2].size_max = 7; /* the standard says: a power of two */
    assert_int_equal(virtio_device_queue(device, 2, 8, count_interrupt, fired, &other), 0);
    assert_int_equal(virtio_queue_size(other), 4);
    /* More queues than the library looks after. */
    function->queue_count = 65535;
    assert_int_equal(virtio_device_queue(device, 16, 8, count_interrupt, fired, &other), -ENOENT);

    assert_int_equal(virtio_device_start(device), 0);
    assert_false(virtio_device_broken(device));
    struct virtio_buffer buffer = {.physical = function->queues[0].ring.used, .size = 1};
    assert_int_equal(virtio_queue_add(queue, &buffer, 1, NULL, 0, NULL), 0);
    virtio_queue_kick(queue);
    assert_int_equal(function->queues[0].kicks, 1);
    assert_int_equal(function->queues[1].kicks, 0);

    /* Negotiating is starting over, too. */
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
    assert_int_equal(fake_os.vectors, 0);
    assert_int_equal(virtio_device_queue(device, 0, 8, count_interrupt, fired, &queue), 0);
    assert_int_equal(virtio_device_start(device), 0);

    /* All over again. */
    virtio_device_reset(device);
    assert_true(virtio_device_broken(device));
    assert_int_equal(fake_os.vectors, 0);
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
    assert_int_equal(virtio_device_queue(device, 0, 8, count_interrupt, fired, &queue), 0);
    assert_int_equal(virtio_device_start(device), 0);
    stop();
}

static void test_queue_without_memory(void **state)
{
    (void)state;
    struct virtio_device *device = start_device(4);
    struct virtio_queue *queue = NULL;
    uint64_t accepted = 0;

    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
    for (long n = 1; n <= 2; n++) {
        fake_os.fail_at = n;
        assert_int_equal(virtio_device_queue(device, 0, 8, count_interrupt, fired, &queue), -ENOMEM);
    }
    fake_os.vectors_max = 0;
    assert_int_equal(virtio_device_queue(device, 0, 8, count_interrupt, fired, &queue), -ENOSPC);
    stop();

    device = start_device(4);
    fake_pci_find(3 << 3)->refuses_vectors = true;
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
    assert_int_equal(virtio_device_queue(device, 0, 8, count_interrupt, fired, &queue), -EIO);
    assert_int_equal(virtio_device_on_config_change(device, count_interrupt, fired), -EIO);
    stop();
}

/* Tables of every size, and kernels with few vectors: each handler has its own or a shared vector, and hears
 * of its own interrupts. */
static void test_interrupts(void **state)
{
    (void)state;
    for (uint16_t vectors = 1; vectors <= 6; vectors++) {
        for (int kernel_vectors = 1; kernel_vectors <= 6; kernel_vectors++) {
            struct virtio_device *device = start_device(vectors);
            struct fake_function *function = fake_pci_find(3 << 3);
            struct virtio_queue *queue = NULL;
            uint64_t accepted = 0;

            fake_os.vectors_max = kernel_vectors;
            assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
            for (uint16_t i = 0; i < 4; i++)
                assert_int_equal(virtio_device_queue(device, i, 8, count_interrupt, &fired[i], &queue), 0);
            assert_int_equal(virtio_device_on_config_change(device, count_interrupt, &fired[4]), 0);
            assert_int_equal(virtio_device_start(device), 0);

            int expected = vectors < kernel_vectors ? vectors : kernel_vectors;
            assert_int_equal(fake_os.vectors, expected < 5 ? expected : 5);
            for (uint16_t i = 0; i < 5; i++) {
                unsigned before = fired[i];
                fake_pci_interrupt(function, i < 4 ? function->queues[i].vector : function->config_vector);
                assert_int_equal(fired[i], before + 1);
            }
            if (expected >= 5) {
                for (uint16_t i = 0; i < 5; i++)
                    assert_int_equal(fired[i], 1);
            }
            stop();
        }
    }
}

/* A table of 2048 entries: only what is used is mapped. */
static void test_large_table(void **state)
{
    (void)state;
    start_device(2048);
    assert_true(fake_pci_mapped_bytes < 8192);
    stop();
}

static void test_config(void **state)
{
    (void)state;
    struct virtio_device *device = start_device(4);
    struct fake_function *function = fake_pci_find(3 << 3);
    uint8_t bytes[FAKE_CONFIG_SIZE + 1];

    for (uint8_t i = 0; i < FAKE_CONFIG_SIZE; i++)
        function->device_config[i] = (uint8_t)(i + 1);
    for (size_t offset = 0; offset <= FAKE_CONFIG_SIZE; offset++) {
        for (size_t size = 0; size <= FAKE_CONFIG_SIZE + 1; size++) {
            int expected = offset + size <= FAKE_CONFIG_SIZE ? 0 : -EINVAL;
            assert_int_equal(virtio_device_config(device, offset, bytes, size), expected);
            if (expected == 0)
                assert_memory_equal(bytes, function->device_config + offset, size);
        }
    }
    assert_int_equal(virtio_device_config(device, SIZE_MAX, bytes, 1), -EINVAL);
    assert_int_equal(virtio_device_config(device, 1, bytes, SIZE_MAX), -EINVAL);
    function->generation_spins = true;
    assert_int_equal(virtio_device_config(device, 0, bytes, 8), -EAGAIN);
    stop();

    /* A device need not have any. */
    start();
    function = fake_pci_add_virtio(3 << 3, VIRTIO_ID_RNG, 4);
    function->config[FAKE_CAP_DEVICE] = 0x55; /* no longer a vendor's capability */
    assert_int_equal(scan(), 1);
    assert_int_equal(virtio_device_config(devices[0], 0, bytes, 0), 0);
    assert_int_equal(virtio_device_config(devices[0], 0, bytes, 1), -EINVAL);
    stop();
}

static void test_broken(void **state)
{
    (void)state;
    struct virtio_device *device = start_device(4);
    struct fake_function *function = fake_pci_find(3 << 3);
    uint64_t accepted = 0;

    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
    function->refuses_start = true;
    assert_int_equal(virtio_device_start(device), -EIO);
    function->refuses_start = false;
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
    assert_int_equal(virtio_device_start(device), 0);
    assert_false(virtio_device_broken(device));
    function->gone = true;
    assert_true(virtio_device_broken(device));
    function->gone = false;
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_devices),
        cmocka_unit_test(test_topology),
        cmocka_unit_test(test_every_bus),
        cmocka_unit_test(test_transitional),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_device_given_back),
        cmocka_unit_test(test_scan_without_memory),
        cmocka_unit_test(test_bars_are_restored),
        cmocka_unit_test(test_negotiate),
        cmocka_unit_test(test_queues),
        cmocka_unit_test(test_queue_without_memory),
        cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_large_table),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
