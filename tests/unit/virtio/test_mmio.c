/* SPDX-License-Identifier: MIT
 *
 * Devices over MMIO: what is one, its life, its interrupt line; and registers that lie.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fake_mmio.h"
#include "fake_os.h"
#include "transport/transport.h"

static struct virtio_device *device;

static int probe_at(uint64_t physical, uint64_t size)
{
    device = NULL;
    return virtio_mmio_probe(&fake_os.hooks, physical, size, FAKE_MMIO_LINE, &device);
}

static int probe(void)
{
    return probe_at(FAKE_MMIO_PHYSICAL, FAKE_MMIO_SIZE);
}

static void start(void)
{
    fake_os_start();
    fake_mmio_start(VIRTIO_ID_VSOCK);
}

static void stop(void)
{
    if (device != NULL)
        virtio_device_destroy(device);
    device = NULL;
    fake_os_stop();
    fake_mmio_stop();
}

static void start_device(void)
{
    start();
    assert_int_equal(probe(), 0);
}

static void expect_log(const char *text)
{
    if (strstr(fake_os.last_log, text) == NULL)
        fail_msg("expected '%s' in '%s'", text, fake_os.last_log);
}

static void test_probe(void **state)
{
    (void)state;
    start_device();
    assert_int_equal(virtio_device_id(device), VIRTIO_ID_VSOCK);
    assert_string_equal(virtio_device_name(device), "mmio feb00e00");
    assert_ptr_equal(virtio_device_os(device), &fake_os.hooks);
    assert_int_equal(fake_os.log_lines[VIRTIO_LOG_ERROR], 0);
    stop();
}

static void test_what_is_no_device(void **state)
{
    (void)state;
    static const struct {
        uint32_t magic, version, id;
        const char *why; /* NULL: nobody needs to know */
    } cases[] = {
        {0, 2, 19, "magic number 0"},
        {0x76697274, 2, 19, "magic number 0x76697274"}, /* the wrong way round */
        {UINT32_MAX, UINT32_MAX, UINT32_MAX, "magic number 0xffffffff"},
        {0x74726976, 1, 19, "-global virtio-mmio.force-legacy=false"},
        {0x74726976, 0, 19, "unknown version 0"},
        {0x74726976, 3, 19, "unknown version 3"},
        {0x74726976, 2, 0, NULL}, /* a placeholder, section 4.2.3.1.1 */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start();
        fake_mmio.magic = cases[i].magic;
        fake_mmio.version = cases[i].version;
        fake_mmio.id = cases[i].id;
        assert_int_equal(probe(), -ENODEV);
        assert_int_equal(fake_os.blocks, 0);
        if (cases[i].why != NULL)
            expect_log(cases[i].why);
        else
            assert_int_equal(fake_os.log_lines[VIRTIO_LOG_ERROR], 0);
        stop();
    }
}

static void test_where_no_device_can_be(void **state)
{
    (void)state;
    static const struct {
        uint64_t physical, size;
        const char *name;
    } cases[] = {
        {FAKE_MMIO_PHYSICAL, 0, "mmio feb00e00"},
        {FAKE_MMIO_PHYSICAL, 0xff, "mmio feb00e00"},
        {FAKE_MMIO_PHYSICAL + 2, FAKE_MMIO_SIZE, "mmio feb00e02"},
        {0, 1, "mmio 00000000"},
        {0xfffffffffffff000, 0x2000, "mmio fffffffffffff000"},
        {0x123456789a0, UINT64_MAX, "mmio 123456789a0"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start();
        assert_int_equal(probe_at(cases[i].physical, cases[i].size), -EINVAL);
        expect_log(cases[i].name);
        assert_int_equal(fake_os.requests, 0);
        stop();
    }

    /* The line of a kernel without lines would never be heard. */
    start();
    fake_os.hooks.interrupt_line_allocate = NULL;
    assert_int_equal(probe(), -ENOSYS);
    stop();
}

/* Of a window of any size, no more is mapped than can be of use. */
static void test_large_window(void **state)
{
    (void)state;
    start();
    assert_int_equal(probe_at(FAKE_MMIO_PHYSICAL, 1ull << 40), 0);
    assert_int_equal(fake_mmio.mapped_size, 0x1100);
    stop();
    start();
    assert_int_equal(probe_at(FAKE_MMIO_PHYSICAL, 0x100), 0); /* no configuration at all */
    uint8_t byte;
    assert_int_equal(virtio_device_config(device, 0, &byte, 0), 0);
    assert_int_equal(virtio_device_config(device, 0, &byte, 1), -EINVAL);
    stop();
}

static void test_probe_without_memory(void **state)
{
    (void)state;
    for (long n = 1; n <= 2; n++) {
        start();
        fake_os.fail_at = n;
        assert_int_equal(probe(), -ENOMEM);
        stop();
    }
}

static unsigned fired[5];

static void count_interrupt(void *argument)
{
    (*(unsigned *)argument)++;
}

static void test_negotiate(void **state)
{
    (void)state;
    uint64_t accepted = 0;
    start_device();

    fake_mmio.offered =
        VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_ACCESS_PLATFORM | VIRTIO_F_RING_RESET | 0x5;
    assert_int_equal(virtio_device_negotiate(device, 0x3, &accepted), 0);
    assert_true(accepted == (VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | VIRTIO_F_ACCESS_PLATFORM | 0x1));
    assert_true(fake_mmio.accepted == accepted);
    assert_int_equal(fake_mmio.status, 11);

    fake_mmio.offered = 0x5;
    assert_int_equal(virtio_device_negotiate(device, 0x5, &accepted), -ENODEV);
    assert_int_equal(fake_mmio.status, 128);
    fake_mmio.offered = VIRTIO_F_VERSION_1;
    fake_mmio.refuses_features = true;
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), -EIO);
    fake_mmio.refuses_features = false;
    fake_mmio.refuses_start = true;
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
    assert_int_equal(virtio_device_start(device), -EIO);
    stop();
}

static void test_queues(void **state)
{
    (void)state;
    struct virtio_queue *queue = NULL;
    struct virtio_queue *other = NULL;
    uint64_t accepted = 0;
    start_device();

    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
    assert_int_equal(virtio_device_queue(device, 0, 100, count_interrupt, fired, &queue), 0);
    assert_int_equal(virtio_queue_size(queue), 64); /* the power of two below */
    assert_int_equal(virtio_device_queue(device, 1, 1024, count_interrupt, fired, &other), 0);
    assert_int_equal(virtio_queue_size(other), 128); /* what the device allows */
    assert_true(fake_mmio.queues[0].ring.descriptors != fake_mmio.queues[1].ring.descriptors);
    assert_int_equal(fake_os.lines, 1);

    assert_int_equal(virtio_device_queue(device, 1, 8, count_interrupt, fired, &other), -ENOENT);
    assert_int_equal(virtio_device_queue(device, VIRTIO_QUEUES_MAX, 8, count_interrupt, fired, &other),
                     -ENOENT);
    fake_mmio.queues[2].size_max = 0;
    assert_int_equal(virtio_device_queue(device, 2, 8, count_interrupt, fired, &other), -ENOENT);
    fake_mmio.queues[2].size_max = UINT32_MAX; /* more than a queue can have */
    assert_int_equal(virtio_device_queue(device, 2, 65535, count_interrupt, fired, &other), 0);
    assert_int_equal(virtio_queue_size(other), 32768);
    fake_mmio.queues[3].size_max = 0x10008; /* of a number that is too large, no part counts */
    assert_int_equal(virtio_device_queue(device, 3, 16, count_interrupt, fired, &other), 0);
    assert_int_equal(virtio_queue_size(other), 16);

    assert_int_equal(virtio_device_start(device), 0);
    assert_false(virtio_device_broken(device));
    struct virtio_buffer buffer = {.physical = fake_mmio.queues[0].ring.used, .size = 1};
    assert_int_equal(virtio_queue_add(queue, &buffer, 1, NULL, 0, NULL), 0);
    virtio_queue_kick(queue);
    assert_int_equal(fake_mmio.queues[0].kicks, 1);
    assert_int_equal(fake_mmio.queues[1].kicks, 0);

    /* All over again. */
    virtio_device_reset(device);
    assert_true(virtio_device_broken(device));
    assert_int_equal(fake_os.lines, 0);
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
    assert_int_equal(virtio_device_queue(device, 0, 8, count_interrupt, fired, &queue), 0);
    assert_int_equal(virtio_device_start(device), 0);
    stop();
}

/* As many queues as the library looks after, and the configuration, on one line. */
static void test_every_queue(void **state)
{
    (void)state;
    struct virtio_queue *queue = NULL;
    uint64_t accepted = 0;
    start_device();
    memset(fired, 0, sizeof(fired));
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
    for (uint16_t i = 0; i < VIRTIO_QUEUES_MAX; i++)
        assert_int_equal(virtio_device_queue(device, i, 8, count_interrupt, &fired[i % 4], &queue), 0);
    assert_int_equal(virtio_device_on_config_change(device, count_interrupt, &fired[4]), 0);
    assert_int_equal(virtio_device_on_config_change(device, count_interrupt, &fired[4]), -ENOSPC);
    assert_int_equal(virtio_device_start(device), 0);
    fake_mmio_raise(1);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(fired[i], VIRTIO_QUEUES_MAX / 4);
    assert_int_equal(fired[4], 0);
    stop();
}

static void test_queue_failures(void **state)
{
    (void)state;
    struct virtio_queue *queue = NULL;
    uint64_t accepted = 0;
    start_device();
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
    for (long n = 1; n <= 2; n++) {
        fake_os.fail_at = n;
        assert_int_equal(virtio_device_queue(device, 0, 8, count_interrupt, fired, &queue), -ENOMEM);
    }
    fake_os.line_error = -EBUSY;
    assert_int_equal(virtio_device_queue(device, 0, 8, count_interrupt, fired, &queue), -EBUSY);
    expect_log("interrupt line 12 cannot be used");
    assert_int_equal(virtio_device_on_config_change(device, count_interrupt, fired), -EBUSY);
    fake_os.line_error = 0;

    /* One that is in use already would go on with somebody else's rings. */
    fake_mmio.queues[0].ready = 1;
    assert_int_equal(virtio_device_queue(device, 0, 8, count_interrupt, fired, &queue), -EIO);
    expect_log("queue 0 is in use after a reset");
    assert_int_equal(fake_os.lines, 0);
    stop();
}

/* Opens queue 0 and the configuration's interrupt. */
static struct virtio_queue *start_interrupts(void)
{
    struct virtio_queue *queue = NULL;
    uint64_t accepted = 0;

    start_device();
    memset(fired, 0, sizeof(fired));
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
    assert_int_equal(virtio_device_queue(device, 0, 8, count_interrupt, &fired[0], &queue), 0);
    assert_int_equal(virtio_device_on_config_change(device, count_interrupt, &fired[1]), 0);
    assert_int_equal(virtio_device_start(device), 0);
    return queue;
}

static void expect_fired(unsigned queue, unsigned config)
{
    assert_int_equal(fired[0], queue);
    assert_int_equal(fired[1], config);
    assert_int_equal(fake_mmio.interrupt_status, 0);
}

static void test_interrupts(void **state)
{
    (void)state;
    start_interrupts();
    fake_mmio_raise(1);
    expect_fired(1, 0);
    fake_mmio_raise(2);
    expect_fired(1, 1);
    fake_mmio_raise(3);
    expect_fired(2, 2);

    /* A line that rises for nothing, as it may when another device shares it. */
    fake_line_edge(FAKE_MMIO_LINE);
    expect_fired(2, 2);
    stop();
}

/* The line does not fall when a cause appears while another one is acknowledged, so there is no second edge.
 */
static void test_no_cause_is_lost(void **state)
{
    (void)state;
    start_interrupts();
    fake_mmio.late_cause = 2;
    fake_mmio_raise(1);
    expect_fired(1, 1);
    fake_mmio.late_cause = 1;
    fake_mmio_raise(2);
    expect_fired(2, 2);
    /* Nor is one that appears in the handler. */
    fake_mmio_raise(1);
    expect_fired(3, 2);
    stop();
}

/* Nothing that a device says keeps the handler going. */
static void test_interrupts_that_lie(void **state)
{
    (void)state;
    start_interrupts();
    fake_mmio.never_acknowledged = true;
    fake_mmio_raise(1);
    assert_in_range(fake_mmio.status_reads, 2, 1024);
    assert_int_equal(fired[0], fake_mmio.status_reads);
    fake_mmio.interrupt_status = 0;
    fake_mmio.never_acknowledged = false;

    /* Causes that the standard does not know are none. */
    memset(fired, 0, sizeof(fired));
    fake_mmio.interrupt_status = 0xfffffffc;
    fake_line_edge(FAKE_MMIO_LINE);
    assert_int_equal(fired[0] + fired[1], 0);
    fake_mmio.interrupt_status = 0;

    /* A device that is gone answers all ones; each driver hears of it once. */
    fake_mmio.gone = true;
    fake_line_edge(FAKE_MMIO_LINE);
    fake_mmio.gone = false;
    expect_fired(1, 1);
    stop();
}

static void test_broken(void **state)
{
    (void)state;
    start_interrupts();
    assert_false(virtio_device_broken(device));
    fake_mmio.status |= 64;
    assert_true(virtio_device_broken(device));
    fake_mmio.status = 15;
    assert_false(virtio_device_broken(device));
    fake_mmio.status = 0x10f; /* a status is one byte */
    assert_true(virtio_device_broken(device));
    fake_mmio.status = 15;
    fake_mmio.gone = true;
    assert_true(virtio_device_broken(device));
    fake_mmio.gone = false;
    stop();
}

/* It is told to let go of the rings, in so far as it listens. */
static void test_stuck_in_reset(void **state)
{
    (void)state;
    uint64_t accepted = 0;
    start_interrupts();
    fake_mmio.stuck_in_reset = true;
    uint64_t before = fake_os.now;
    virtio_device_reset(device);
    assert_in_range(fake_os.now - before, 1000000, 1100000);
    assert_int_equal(fake_mmio.queues[0].ready, 0);
    assert_int_equal(fake_os.lines, 0);
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), -EIO);
    fake_mmio.stuck_in_reset = false;
    stop();

    /* One whose queues outlive its reset is not started again. */
    start_interrupts();
    struct virtio_queue *queue = NULL;
    fake_mmio.keeps_queues = true;
    assert_int_equal(virtio_device_negotiate(device, 0, &accepted), 0);
    assert_int_equal(virtio_device_queue(device, 0, 8, count_interrupt, fired, &queue), -EIO);
    stop();
}

static void test_config(void **state)
{
    (void)state;
    uint8_t bytes[16];
    start_device();
    for (size_t i = 0; i < FAKE_MMIO_CONFIG; i++)
        fake_mmio.config[i] = (uint8_t)(i + 1);
    for (size_t offset = 0; offset < 16; offset++) {
        for (size_t size = 0; size <= 16; size++) {
            assert_int_equal(virtio_device_config(device, offset, bytes, size), 0);
            assert_memory_equal(bytes, fake_mmio.config + offset, size);
        }
    }
    assert_int_equal(virtio_device_config(device, FAKE_MMIO_CONFIG - 1, bytes, 1), 0);
    assert_int_equal(virtio_device_config(device, FAKE_MMIO_CONFIG - 1, bytes, 2), -EINVAL);
    assert_int_equal(virtio_device_config(device, SIZE_MAX, bytes, 1), -EINVAL);
    fake_mmio.generation_spins = true;
    assert_int_equal(virtio_device_config(device, 0, bytes, 8), -EAGAIN);
    stop();
}

/* Every register says something else each time: nothing crashes, hangs, leaks, or goes outside of the window.
 */
static void test_noise(void **state)
{
    (void)state;
    unsigned started = 0;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        struct virtio_queue *queue = NULL;
        uint64_t accepted = 0;
        uint8_t bytes[FAKE_MMIO_CONFIG];
        void *token = NULL;
        uint32_t written = 0;

        start_device();
        memset(fired, 0, sizeof(fired));
        fake_mmio.noise = seed * 0x9e3779b97f4a7c15ull;
        if (virtio_device_negotiate(device, UINT64_MAX, &accepted) == 0 &&
            virtio_device_queue(device, (uint16_t)(seed % VIRTIO_QUEUES_MAX), 256, count_interrupt, &fired[0],
                                &queue) == 0 &&
            virtio_device_on_config_change(device, count_interrupt, &fired[1]) == 0 &&
            virtio_device_start(device) == 0) {
            started++;
            fake_line_edge(FAKE_MMIO_LINE);
            assert_true(virtio_queue_size(queue) <= 256);
            virtio_queue_kick(queue);
            assert_int_equal(virtio_queue_take(queue, &token, &written), 0);
        }
        (void)virtio_device_config(device, 0, bytes, sizeof(bytes));
        (void)virtio_device_broken(device);
        stop();
    }
    assert_in_range(started, 20, 1980);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_what_is_no_device),
        cmocka_unit_test(test_where_no_device_can_be),
        cmocka_unit_test(test_large_window),
        cmocka_unit_test(test_probe_without_memory),
        cmocka_unit_test(test_negotiate),
        cmocka_unit_test(test_queues),
        cmocka_unit_test(test_every_queue),
        cmocka_unit_test(test_queue_failures),
        cmocka_unit_test(test_interrupts),
        cmocka_unit_test(test_no_cause_is_lost),
        cmocka_unit_test(test_interrupts_that_lie),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_stuck_in_reset),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
