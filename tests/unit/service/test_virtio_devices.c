/* SPDX-License-Identifier: MIT
 *
 * The list of virtio devices, over buses that are played here. The list is made once per boot, so all tests
 * are about one machine and follow each other.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <hooks/virtio_devices.h>
#include <hooks/virtio_os.h>
#include <logging/log.h>

#define PCI_DEVICES 3
#define KEPT        32 /* what the list has room for */

struct virtio_device {
    enum virtio_id id;
    uint16_t address; /* on PCI */
    bool alive;
};

const struct virtio_os kernel_virtio_os;
static struct virtio_device pci[PCI_DEVICES] = {
    {VIRTIO_ID_VSOCK, 0x18, false}, {VIRTIO_ID_RNG, 0x20, false}, {VIRTIO_ID_CONSOLE, 0x28, false}};
static struct virtio_device mmio[OPTIONS_MMIO_MAX];
static bool pci_gone;
static unsigned scans, probes;
static uint8_t log_memory[8192];

/* ---- what the list calls ---- */

int virtio_pci_scan(const struct virtio_os *os, int (*found)(void *context, struct virtio_device *device),
                    void *context)
{
    int taken = 0;
    assert_ptr_equal(os, &kernel_virtio_os);
    scans++;
    for (size_t i = 0; i < PCI_DEVICES; i++) {
        pci[i].alive = true;
        if (found(context, &pci[i]) == 0)
            taken++;
    }
    return taken;
}

int virtio_pci_probe(const struct virtio_os *os, uint16_t address, struct virtio_device **device)
{
    assert_ptr_equal(os, &kernel_virtio_os);
    probes++;
    for (size_t i = 0; i < PCI_DEVICES; i++)
        if (pci[i].address == address && !pci_gone) {
            assert_false(pci[i].alive); /* nobody uses it */
            pci[i].alive = true;
            *device = &pci[i];
            return 0;
        }
    return -ENODEV;
}

uint16_t virtio_pci_address(const struct virtio_device *device)
{
    assert_true(device >= pci && device < pci + PCI_DEVICES);
    return device->address;
}

/* The command line names a place for each; the second one is empty. */
int virtio_mmio_probe(const struct virtio_os *os, uint64_t physical, uint64_t size, uint32_t line,
                      struct virtio_device **device)
{
    assert_ptr_equal(os, &kernel_virtio_os);
    assert_true(physical < OPTIONS_MMIO_MAX);
    assert_int_equal(size, 512);
    assert_int_equal(line, physical + 5);
    probes++;
    if (physical == 1)
        return -ENODEV;
    struct virtio_device *found = &mmio[physical];
    assert_false(found->alive);
    found->alive = true;
    *device = found;
    return 0;
}

enum virtio_id virtio_device_id(const struct virtio_device *device)
{
    return device->id;
}

const char *virtio_device_name(const struct virtio_device *device)
{
    return device >= mmio && device < mmio + OPTIONS_MMIO_MAX ? "mmio" : "pci";
}

void virtio_device_destroy(struct virtio_device *device)
{
    assert_true(device->alive);
    device->alive = false;
}

/* ---- drivers ---- */

static struct virtio_device *offered[64];
static size_t offered_count;
static int answer;

static int take(struct virtio_device *device)
{
    assert_true(device->alive);
    offered[offered_count++] = device;
    return answer;
}

static unsigned offer(unsigned id, int take_answer)
{
    offered_count = 0;
    answer = take_answer;
    return virtio_devices_offer(id, take);
}

static int prepare(void **state)
{
    static struct options options = {.mmio_count = OPTIONS_MMIO_MAX};
    const struct log_config config = {.ring = log_memory, .ring_size = sizeof log_memory, .level = LOG_DEBUG};
    (void)state;
    for (uint32_t i = 0; i < OPTIONS_MMIO_MAX; i++) {
        options.mmio[i] = (struct option_mmio){.base = i, .size = 512, .line = i + 5};
        mmio[i].id = i == 0 ? VIRTIO_ID_VSOCK : VIRTIO_ID_FS;
    }
    virtio_devices_initialise(&options);
    return log_initialise(&config);
}

/* All that fit are kept, whether somebody wants them or not; those that do not fit are given up. */
static void test_everything_is_offered_once_found(void **state)
{
    (void)state;
    assert_int_equal(offer(0, -ENODEV), 0);
    assert_int_equal(offered_count, KEPT);
    assert_ptr_equal(offered[0], &pci[0]);
    assert_ptr_equal(offered[PCI_DEVICES], &mmio[0]);
    assert_ptr_equal(offered[PCI_DEVICES + 1], &mmio[2]);
    assert_false(mmio[OPTIONS_MMIO_MAX - 1].alive);

    uint64_t cursor = 0;
    struct log_entry entry;
    assert_int_equal(log_read(&cursor, LOG_WARNING, &entry, NULL), 1);
    assert_string_equal(entry.text, "mmio passed over: more than 32 virtio devices");
}

static void test_the_search_is_made_once(void **state)
{
    (void)state;
    unsigned probes_before = probes;
    assert_int_equal(offer(0, -EBUSY), 0);
    assert_int_equal(offered_count, KEPT);
    assert_int_equal(scans, 1);
    assert_int_equal(probes, probes_before);
}

/* A device that is in use is not touched when others are offered. */
static void test_taken_devices_are_left_alone(void **state)
{
    (void)state;
    unsigned probes_before = probes;
    assert_int_equal(offer(VIRTIO_ID_RNG, 0), 1);
    assert_ptr_equal(offered[0], &pci[1]);
    assert_int_equal(offer(0, -EBUSY), 0);
    assert_int_equal(offered_count, KEPT - 1);
    assert_int_equal(offer(VIRTIO_ID_VSOCK, -EBUSY), 0);
    assert_int_equal(offered_count, 2);
    assert_int_equal(probes, probes_before);
}

/* Its driver has destroyed it: it is looked for again, at its place. */
static void test_destroyed_devices_come_back(void **state)
{
    (void)state;
    unsigned probes_before = probes;
    virtio_device_destroy(&pci[1]);
    assert_int_equal(offer(VIRTIO_ID_RNG, 0), 1);
    assert_ptr_equal(offered[0], &pci[1]);
    assert_int_equal(probes, probes_before + 1);

    assert_int_equal(offer(VIRTIO_ID_VSOCK, 0), 2);
    virtio_device_destroy(&pci[0]);
    virtio_device_destroy(&mmio[0]);
    assert_int_equal(offer(VIRTIO_ID_VSOCK, -EBUSY), 0);
    assert_int_equal(offered_count, 2); /* nobody took them: they wait */
    assert_int_equal(offer(0, -EBUSY), 0);
    assert_int_equal(offered_count, KEPT - 1);
}

static void test_devices_that_change(void **state)
{
    (void)state;
    assert_int_equal(offer(VIRTIO_ID_VSOCK, 0), 2);
    virtio_device_destroy(&pci[0]);
    virtio_device_destroy(&mmio[0]);
    pci_gone = true;
    mmio[0].id = VIRTIO_ID_CONSOLE; /* another kind at the same place is not what was asked for */
    assert_int_equal(offer(VIRTIO_ID_VSOCK, 0), 0);
    assert_int_equal(offered_count, 0);
    assert_false(mmio[0].alive);
    pci_gone = false;
    assert_int_equal(offer(VIRTIO_ID_VSOCK, 0), 1);
    assert_ptr_equal(offered[0], &pci[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_offered_once_found),
        cmocka_unit_test(test_the_search_is_made_once),
        cmocka_unit_test(test_taken_devices_are_left_alone),
        cmocka_unit_test(test_destroyed_devices_come_back),
        cmocka_unit_test(test_devices_that_change),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
