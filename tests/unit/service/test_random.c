/* SPDX-License-Identifier: MIT
 *
 * What becomes of the CPU's and the host's random bytes, each of which may be missing, silent or bad. Both
 * sources are played here: the CPU's bytes are all 0xc0, the host's count up from 1.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <arch/cpu.h>
#include <arch/timer.h>
#include <hooks/random.h>
#include <logging/log.h>
#include <tasks/task.h>
#include <virtio/rng.h>

static struct cpu_features features;
static struct {
    int create_error;
    bool open, pending, broken, silent;
    size_t answer_size; /* of one answer; it comes at once */
    size_t ready;
    uint8_t next;
    unsigned requests;
} host;
static uint64_t now;
static bool cpu_fails;
static uint8_t log_memory[8192];

/* ---- what random.c calls ---- */

const struct cpu_features *cpu_get_features(void)
{
    return &features;
}

int cpu_random(void *out, size_t size)
{
    if (!features.rdrand && !features.rdseed)
        return -ENOSYS;
    memset(out, 0xc0, cpu_fails ? size / 2 : size); /* some may be written when it fails */
    return cpu_fails ? -EIO : 0;
}

uint64_t timer_now_us(void)
{
    return now;
}

int virtio_rng_create(struct virtio_device *device, const struct virtio_rng_config *config,
                      struct virtio_rng **rng)
{
    assert_null(device);
    assert_false(host.open);
    if (host.create_error != 0)
        return host.create_error;
    host.open = true;
    *rng = (struct virtio_rng *)(void *)&host;
    config->wake(config->context);
    return 0;
}

void virtio_rng_destroy(struct virtio_rng *rng)
{
    assert_ptr_equal(rng, &host);
    assert_true(host.open);
    host.open = false;
}

int virtio_rng_request(struct virtio_rng *rng, size_t size)
{
    assert_ptr_equal(rng, &host);
    assert_true(host.open && size <= VIRTIO_RNG_REQUEST_MAX);
    if (host.broken)
        return -EIO;
    if (host.pending || host.ready > 0)
        return -EBUSY;
    host.pending = true;
    host.requests++;
    return 0;
}

int64_t virtio_rng_take(struct virtio_rng *rng, void *out, size_t size)
{
    assert_ptr_equal(rng, &host);
    assert_true(host.open);
    if (host.broken)
        return -EIO;
    if (host.pending && !host.silent) {
        host.pending = false;
        host.ready = host.answer_size;
    }
    size_t count = size < host.ready ? size : host.ready;
    for (size_t i = 0; i < count; i++)
        ((uint8_t *)out)[i] = host.next++;
    host.ready -= count;
    return (int64_t)count;
}

bool virtio_rng_pending(const struct virtio_rng *rng)
{
    assert_ptr_equal(rng, &host);
    return host.pending;
}

void interrupt_event_raise(struct interrupt_event *event)
{
    event->raised = true;
}

int interrupt_event_wait(struct interrupt_event *event, uint64_t deadline_us)
{
    if (event->raised) {
        event->raised = false;
        return 0;
    }
    assert_true(deadline_us != TASK_FOREVER);
    now = deadline_us;
    return -ETIMEDOUT;
}

/* ---- */

static void start(bool cpu, bool virtio)
{
    const struct log_config config = {.ring = log_memory, .ring_size = sizeof log_memory, .level = LOG_DEBUG};
    assert_int_equal(log_initialise(&config), 0);
    memset(&features, 0, sizeof features);
    features.rdrand = cpu;
    cpu_fails = false;
    memset(&host, 0, sizeof host);
    host.answer_size = 64;
    host.next = 1;
    if (virtio)
        assert_int_equal(kernel_random_start_device(NULL), 0);
}

/* random.c keeps its device: break it, so that the next test starts without one. */
static void stop(void)
{
    uint8_t byte;
    if (host.open) {
        host.broken = true;
        host.ready = 0;
        (void)kernel_random(&byte, 1);
    }
    assert_false(host.open);
}

static void expect(const uint8_t *bytes, size_t size, uint8_t mask, uint8_t first)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(bytes[i], (uint8_t)(first + i) ^ mask);
}

static void test_both_sources_are_mixed(void **state)
{
    (void)state;
    uint8_t out[48];
    start(true, true);
    assert_int_equal(kernel_random(out, sizeof out), 0);
    expect(out, sizeof out, 0xc0, 1);
    assert_int_equal(kernel_random_sources(), RANDOM_RDRAND | RANDOM_VIRTIO);
    /* More than one answer of the host, and more than one piece. */
    uint8_t large[200];
    assert_int_equal(kernel_random(large, sizeof large), 0);
    expect(large, sizeof large, 0xc0, 49);
    assert_true(host.requests > 3);
    stop();
}

static void test_cpu_alone(void **state)
{
    (void)state;
    uint8_t out[20];
    start(true, false);
    assert_int_equal(kernel_random(out, sizeof out), 0);
    for (size_t i = 0; i < sizeof out; i++)
        assert_int_equal(out[i], 0xc0);
    assert_int_equal(kernel_random_sources(), RANDOM_RDRAND);
    stop();
}

/* What a silent host has not sent is the CPU's alone, without a wait. */
static void test_host_that_falls_silent(void **state)
{
    (void)state;
    uint8_t out[80];
    start(true, true);
    host.answer_size = 16;
    assert_int_equal(kernel_random(out, 10), 0);
    host.silent = true;
    uint64_t before = now;
    assert_int_equal(kernel_random(out, sizeof out), 0);
    expect(out, 6, 0xc0, 11);
    for (size_t i = 6; i < sizeof out; i++)
        assert_int_equal(out[i], 0xc0);
    assert_true(now == before);
    stop();
}

static void test_host_alone(void **state)
{
    (void)state;
    uint8_t out[150];
    start(false, true);
    assert_int_equal(kernel_random(out, sizeof out), 0);
    expect(out, sizeof out, 0, 1);
    assert_int_equal(kernel_random_sources(), RANDOM_VIRTIO);
    stop();

    /* The CPU's generator may fail for good. */
    start(true, true);
    cpu_fails = true;
    assert_int_equal(kernel_random(out, sizeof out), 0);
    expect(out, sizeof out, 0, 1);
    stop();
}

static void expect_zeros(const uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        assert_int_equal(out[i], 0);
}

static void test_no_source(void **state)
{
    (void)state;
    uint8_t out[16];
    start(false, false);
    memset(out, 0xee, sizeof out);
    assert_int_equal(kernel_random(out, sizeof out), -ENOSYS);
    expect_zeros(out, sizeof out);
    assert_int_equal(kernel_random_sources(), 0);

    start(true, false);
    cpu_fails = true;
    memset(out, 0xee, sizeof out);
    assert_int_equal(kernel_random(out, sizeof out), -ENOSYS);
    expect_zeros(out, sizeof out);
}

/* Waits for a second; what came in part is not given out. */
static void test_host_that_does_not_answer(void **state)
{
    (void)state;
    uint8_t out[16];
    start(false, true);
    host.silent = true;
    host.ready = 5;
    uint64_t before = now;
    memset(out, 0xee, sizeof out);
    assert_int_equal(kernel_random(out, sizeof out), -ENODATA);
    expect_zeros(out, sizeof out);
    assert_int_equal(now - before, 1000000);
    stop();
}

static void test_sources_count_when_they_have_spoken(void **state)
{
    (void)state;
    start(true, false);
    features.rdseed = true;
    assert_int_equal(kernel_random_sources(), RANDOM_RDSEED | RANDOM_RDRAND);
    assert_int_equal(kernel_random_start_device(NULL), 0);
    assert_int_equal(kernel_random_start_device(NULL), -EBUSY);
    host.silent = true;
    assert_int_equal(kernel_random_sources(), RANDOM_RDSEED | RANDOM_RDRAND);
    host.silent = false;
    assert_int_equal(kernel_random_sources(), RANDOM_RDSEED | RANDOM_RDRAND | RANDOM_VIRTIO);
    stop();

    start(false, true);
    host.broken = true;
    assert_int_equal(kernel_random_sources(), 0);
    assert_false(host.open);
}

static void test_devices_that_do_not_start(void **state)
{
    (void)state;
    uint8_t out[4];
    start(false, false);
    host.create_error = -EIO;
    assert_int_equal(kernel_random_start_device(NULL), 0); /* taken all the same */
    assert_int_equal(kernel_random(out, sizeof out), -ENOSYS);
    host.create_error = 0;
    host.broken = true; /* refuses the first request */
    assert_int_equal(kernel_random_start_device(NULL), 0);
    assert_false(host.open);
    assert_int_equal(kernel_random(out, sizeof out), -ENOSYS);
}

static void test_nothing_asked(void **state)
{
    (void)state;
    start(true, true);
    uint8_t byte = 0xee;
    assert_int_equal(kernel_random(&byte, 0), 0);
    assert_int_equal(byte, 0xee);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources_count_when_they_have_spoken),
        cmocka_unit_test(test_both_sources_are_mixed),
        cmocka_unit_test(test_cpu_alone),
        cmocka_unit_test(test_host_that_falls_silent),
        cmocka_unit_test(test_host_alone),
        cmocka_unit_test(test_no_source),
        cmocka_unit_test(test_host_that_does_not_answer),
        cmocka_unit_test(test_devices_that_do_not_start),
        cmocka_unit_test(test_nothing_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
