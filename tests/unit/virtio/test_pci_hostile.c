/* SPDX-License-Identifier: MIT
 *
 * PCI configuration space as a broken or hostile host writes it.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_os.h"
#include "fake_pci.h"
#include "transport/transport.h"

static struct virtio_device *found;

static int on_found(void *context, struct virtio_device *device)
{
    (void)context;
    assert_null(found);
    found = device;
    return 0;
}

static struct fake_function *start(void)
{
    fake_pci_clear();
    fake_os_start();
    found = NULL;
    return fake_pci_add_virtio(3 << 3, VIRTIO_ID_VSOCK, 4);
}

static void stop(void)
{
    if (found != NULL)
        virtio_device_destroy(found);
    fake_os_stop();
    fake_pci_clear();
}

/* The device is passed over, with a line that says why. */
static void expect_refused(const char *why)
{
    assert_int_equal(virtio_pci_scan(&fake_os.hooks, on_found, NULL), 0);
    if (strstr(fake_os.last_log, why) == NULL)
        fail_msg("expected '%s' in '%s'", why, fake_os.last_log);
    assert_non_null(strstr(fake_os.last_log, "pci 00:03.0"));
    assert_int_equal(fake_os.blocks, 0);
    stop();
}

/* The device works in spite of it. */
static void expect_accepted(void)
{
    uint64_t accepted = 0;

    assert_int_equal(virtio_pci_scan(&fake_os.hooks, on_found, NULL), 1);
    assert_int_equal(virtio_device_negotiate(found, 0, &accepted), 0);
    assert_int_equal(virtio_device_start(found), 0);
    stop();
}

static void test_list(void **state)
{
    (void)state;
    struct fake_function *function = start();
    fake_pci_set(function, 0x06, 2, 0);
    expect_refused("no capabilities");

    function = start();
    fake_pci_set(function, 0x34, 1, 0);
    expect_refused("no usable common");

    /* Into the header. */
    for (unsigned pointer = 4; pointer < 0x40; pointer += 4) {
        function = start();
        fake_pci_set(function, 0x34, 1, pointer);
        expect_refused("loop or leads into the header");
    }

    /* Loops: to itself, to the first, between two. */
    static const uint8_t loops[][2] = {{FAKE_CAP_NOTIFY, FAKE_CAP_NOTIFY},
                                       {FAKE_CAP_NOTIFY, FAKE_CAP_MSIX},
                                       {FAKE_CAP_ISR, FAKE_CAP_COMMON}};
    for (size_t i = 0; i < 3; i++) {
        function = start();
        function->config[loops[i][0] + 1] = loops[i][1];
        expect_refused("loop");
        assert_true(fake_pci_config_reads < 1000);
    }

    /* The two lower bits are reserved. */
    function = start();
    fake_pci_set(function, 0x34, 1, FAKE_CAP_MSIX | 3);
    function->config[FAKE_CAP_COMMON + 1] |= 3;
    expect_accepted();

    /* The longest list that there can be. */
    function = start();
    function->config[FAKE_CAP_NOTIFY + 1] = 0xb0;
    for (unsigned at = 0xb0; at < 0xfc; at += 4)
        fake_pci_set(function, at, 2, 0x01 | (at + 4) << 8);
    fake_pci_set(function, 0xfc, 2, 0x01);
    expect_accepted();
}

/* Each field of each structure's capability wrong in turn: without the structure there is no device. */
static void test_structures(void **state)
{
    (void)state;
    static const struct {
        unsigned at, width;
        uint32_t value;
        const char *why;
    } cases[] = {
        {FAKE_CAP_COMMON + 2, 1, 15, "common"}, /* cap_len */
        {FAKE_CAP_COMMON + 2, 1, 0, "common"},
        {FAKE_CAP_COMMON + 3, 1, 0, "common"}, /* cfg_type */
        {FAKE_CAP_COMMON + 3, 1, 9, "common"},
        {FAKE_CAP_COMMON + 4, 1, 0, "common"}, /* BARs that are not there */
        {FAKE_CAP_COMMON + 4, 1, 5, "common"}, /* the upper half of one */
        {FAKE_CAP_COMMON + 4, 1, 6, "common"},
        {FAKE_CAP_COMMON + 4, 1, 255, "common"},
        {FAKE_CAP_COMMON + 8, 4, 2, "common"},      /* offset: alignment */
        {FAKE_CAP_COMMON + 8, 4, 0x3004, "common"}, /* beyond the BAR with its size */
        {FAKE_CAP_COMMON + 8, 4, 0x4000, "common"},
        {FAKE_CAP_COMMON + 8, 4, 0xfffffffc, "common"},
        {FAKE_CAP_COMMON + 12, 4, 0, "common"}, /* size */
        {FAKE_CAP_COMMON + 12, 4, 55, "common"},
        {FAKE_CAP_COMMON + 12, 4, 0x4001, "common"},
        {FAKE_CAP_COMMON + 12, 4, UINT32_MAX, "common"},
        {FAKE_CAP_NOTIFY + 2, 1, 16, "notification structure"},
        {FAKE_CAP_NOTIFY + 4, 1, 3, "notification structure"},
        {FAKE_CAP_NOTIFY + 8, 4, 0x3001, "notification structure"},
        {FAKE_CAP_NOTIFY + 8, 4, 0x3002, "notification structure"},
        {FAKE_CAP_NOTIFY + 12, 4, 1, "notification structure"},
        {FAKE_CAP_NOTIFY + 12, 4, 0xffffd001, "notification structure"},
        {FAKE_CAP_NOTIFY + 16, 4, 1, "multiplier is odd"},
        {FAKE_CAP_NOTIFY + 16, 4, UINT32_MAX, "multiplier is odd"},
        {FAKE_CAP_MSIX, 1, 0x05, "MSI-X"},
        {FAKE_CAP_MSIX + 4, 4, 6, "MSI-X"}, /* BAR */
        {FAKE_CAP_MSIX + 4, 4, 7, "MSI-X"},
        {FAKE_CAP_MSIX + 4, 4, 0, "MSI-X"},
        {FAKE_CAP_MSIX + 4, 4, 0x7fc8 | FAKE_BAR_MSIX, "MSI-X"},
        {FAKE_CAP_MSIX + 4, 4, 0xfffffff8 | FAKE_BAR_MSIX, "MSI-X"},
        {0x14, 4, 0, "MSI-X"}, /* BARs that nobody has given an address */
        {0x20, 4, 4, "common"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_function *function = start();
        if (cases[i].at == 0x20)
            fake_pci_set(function, 0x24, 4, 0);
        fake_pci_set(function, cases[i].at, cases[i].width, cases[i].value);
        expect_refused(cases[i].why);
    }
}

/* What a driver can do without, or has better: it goes on. */
static void test_harmless(void **state)
{
    (void)state;
    static const struct {
        unsigned at, width;
        uint32_t value;
    } cases[] = {
        {FAKE_CAP_ISR + 4, 1, 9},         {FAKE_CAP_ISR + 12, 4, UINT32_MAX},
        {FAKE_CAP_DEVICE + 8, 4, 0x2001}, {FAKE_CAP_DEVICE + 12, 4, UINT32_MAX},
        {FAKE_CAP_ACCESS + 2, 1, 0},      {FAKE_CAP_NOTIFY + 16, 4, 0},
        {FAKE_CAP_COMMON + 2, 1, 255},    {FAKE_CAP_COMMON + 12, 4, 56},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_function *function = start();
        fake_pci_set(function, cases[i].at, cases[i].width, cases[i].value);
        expect_accepted();
    }
}

/* Section 4.1.4: the first of several structures that is usable counts. */
static void test_several_structures(void **state)
{
    (void)state;
    struct fake_function *function = start();
    memcpy(function->config + 0xb0, function->config + FAKE_CAP_COMMON, 16);
    fake_pci_set(function, 0xb4, 1, 200); /* an unknown BAR, in the first one */
    function->config[0xb1] = function->config[0x34];
    fake_pci_set(function, 0x34, 1, 0xb0);
    expect_accepted();

    function = start();
    memcpy(function->config + 0xb0, function->config + FAKE_CAP_COMMON, 16);
    fake_pci_set(function, 0xb8, 4, 0x3000); /* another place, in the last one */
    function->config[0xb1] = 0;
    function->config[FAKE_CAP_NOTIFY + 1] = 0xb0;
    expect_accepted();
}

/* Capabilities that reach beyond configuration space. */
static void test_end_of_space(void **state)
{
    (void)state;
    static const struct {
        uint8_t at, type;
    } cases[] = {{0xf4, 1}, {0xfc, 1}, {0xf0, 2}};

    for (size_t i = 0; i < 3; i++) {
        struct fake_function *function = start();
        uint8_t length = cases[i].type == 2 ? 20 : 16;
        const uint8_t head[] = {9, 0, length, cases[i].type};
        function->config[(cases[i].type == 2 ? FAKE_CAP_NOTIFY : FAKE_CAP_COMMON) + 3] = 100;
        function->config[FAKE_CAP_NOTIFY + 1] = cases[i].at;
        memcpy(function->config + cases[i].at, head, sizeof(head));
        if (cases[i].at == 0xf0) {
            fake_pci_set(function, 0xf4, 1, FAKE_BAR_VIRTIO);
            fake_pci_set(function, 0xf8, 4, 0x3000);
            fake_pci_set(function, 0xfc, 4, 0x1000);
        }
        expect_refused(cases[i].type == 2 ? "notification structure" : "common");
    }

    struct fake_function *function = start();
    function->config[FAKE_CAP_MSIX] = 1;
    function->config[FAKE_CAP_NOTIFY + 1] = 0xf8;
    fake_pci_set(function, 0xf8, 1, 0x11);
    expect_refused("MSI-X");
}

/* A BAR that wraps around the end of the address space. */
static void test_bar_overflow(void **state)
{
    (void)state;
    struct fake_function *function = start();
    fake_pci_set(function, 0x20, 4, 0xffffc004);
    fake_pci_set(function, 0x24, 4, 0xffffffff);
    function->bars[FAKE_BAR_VIRTIO].size = 0x8000;
    expect_refused("common");
    /* A 64-bit BAR without its upper half. */
    function = start();
    fake_pci_set(function, 0x24, 4, 0xfe000004);
    fake_pci_set(function, FAKE_CAP_COMMON + 4, 1, 5);
    function->bars[FAKE_BAR_VIRTIO].wide = false;
    fake_pci_set(function, 0x20, 4, 0);
    expect_refused("common");
}

/* A doorbell beyond the notification structure, by offset and multiplier. */
static void test_doorbells(void **state)
{
    (void)state;
    static const struct {
        uint16_t offset;
        uint32_t multiplier;
        int result;
    } cases[] = {{0, 4, 0},     {1023, 4, 0},      {1024, 4, -EIO},           {65535, 4, -EIO},
                 {65535, 0, 0}, {1, 0x1000, -EIO}, {65535, 0xfffffffe, -EIO}, {1, 0xfffffffe, -EIO},
                 {1, 0xffe, 0}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_function *function = start();
        struct virtio_queue *queue = NULL;
        uint64_t accepted = 0;
        fake_pci_set(function, FAKE_CAP_NOTIFY + 16, 4, cases[i].multiplier);
        function->queues[0].notify_offset = cases[i].offset;
        assert_int_equal(virtio_pci_scan(&fake_os.hooks, on_found, NULL), 1);
        assert_int_equal(virtio_device_negotiate(found, 0, &accepted), 0);
        assert_int_equal(virtio_device_queue(found, 0, 8, NULL, NULL, &queue), cases[i].result);
        stop();
    }
}

/* Every byte of configuration space with some values: nothing is mapped or touched outside of the BARs (the
 * fakes check that), nothing leaks. */
static void test_every_byte(void **state)
{
    (void)state;
    static const uint8_t values[] = {0x00, 0x01, 0x09, 0x10, 0x40, 0x7f, 0x80, 0xff};
    unsigned accepted_count = 0;

    for (unsigned at = 4; at < 256; at++) {
        if (at >= 0x10 && at < 0x28)
            continue; /* the fake's BARs are where they are */
        for (size_t i = 0; i < sizeof(values); i++) {
            struct fake_function *function = start();
            uint64_t accepted = 0;
            function->plain_memory = true;
            function->config[at] = values[i];
            if (virtio_pci_scan(&fake_os.hooks, on_found, NULL) == 1 &&
                virtio_device_config(found, 0, &accepted, 8) == 0)
                accepted_count++;
            stop();
        }
    }
    assert_in_range(accepted_count, 500, 1800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),         cmocka_unit_test(test_structures),
        cmocka_unit_test(test_harmless),     cmocka_unit_test(test_several_structures),
        cmocka_unit_test(test_end_of_space), cmocka_unit_test(test_bar_overflow),
        cmocka_unit_test(test_doorbells),    cmocka_unit_test(test_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
