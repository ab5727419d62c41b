/* SPDX-License-Identifier: MIT
 *
 * Random bytes from the host, and from one that lies: too many, none, never.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include <virtio/rng.h>

#include "fake_mmio.h"
#include "fake_os.h"

static struct virtio_rng *rng;
static unsigned wakes;

static void wake(void *context)
{
    assert_ptr_equal(context, &wakes);
    wakes++;
}

static int create(void)
{
    static const struct virtio_rng_config config = {.wake = wake, .context = &wakes};
    struct virtio_device *device = NULL;

    rng = NULL;
    wakes = 0;
    fake_os_start();
    fake_mmio_start(VIRTIO_ID_RNG);
    assert_int_equal(
        virtio_mmio_probe(&fake_os.hooks, FAKE_MMIO_PHYSICAL, FAKE_MMIO_SIZE, FAKE_MMIO_LINE, &device), 0);
    fake_os.requests = 0;
    return virtio_rng_create(device, &config, &rng);
}

static void start(void)
{
    assert_int_equal(create(), 0);
}

static void stop(void)
{
    if (rng != NULL)
        virtio_rng_destroy(rng);
    fake_os_stop();
    fake_mmio_stop();
}

static struct fake_ring *ring(void)
{
    return &fake_mmio.queues[0].ring;
}

static struct fake_chain chain;

/* The device takes the request and answers with `size` bytes that count up from `first`; it says `claimed`.
 */
static void answer(uint8_t first, size_t size, uint32_t claimed)
{
    uint8_t bytes[VIRTIO_RNG_REQUEST_MAX];

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(first + i);
    assert_true(fake_ring_take(ring(), &chain));
    assert_int_equal(chain.readable_count, 0); /* section 5.4.6.1 */
    assert_int_equal(fake_chain_write(&chain, bytes, size), size);
    fake_ring_use(ring(), chain.id, claimed);
    (void)fake_mmio_signal(0);
}

static void test_bytes(void **state)
{
    (void)state;
    uint8_t out[64];
    start();
    assert_int_equal(virtio_rng_take(rng, out, sizeof(out)), 0); /* nobody has asked */
    assert_int_equal(virtio_rng_request(rng, 64), 0);
    assert_int_equal(fake_mmio.queues[0].kicks, 1);
    assert_true(virtio_rng_pending(rng));
    assert_int_equal(virtio_rng_request(rng, 64), -EBUSY);
    assert_int_equal(virtio_rng_take(rng, out, sizeof(out)), 0);
    assert_int_equal(wakes, 0);

    answer(1, 64, 64);
    assert_int_equal(wakes, 1);
    assert_int_equal(virtio_rng_take(rng, out, sizeof(out)), 64);
    for (uint8_t i = 0; i < 64; i++)
        assert_int_equal(out[i], 1 + i);
    assert_false(virtio_rng_pending(rng));
    assert_int_equal(virtio_rng_take(rng, out, sizeof(out)), 0);

    /* Nothing is left where the host reads, or where the next request could find it. */
    const uint8_t *shared = fake_dma(chain.buffers[0].physical, 64);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(shared[i], 0);
    stop();
}

/* In pieces; the host cannot change what has been looked at, and cannot be asked before all is taken. */
static void test_pieces(void **state)
{
    (void)state;
    uint8_t out[8];
    start();
    assert_int_equal(virtio_rng_request(rng, 20), 0);
    answer(1, 20, 20);
    assert_int_equal(virtio_rng_take(rng, out, 0), 0);
    assert_false(virtio_rng_pending(rng));
    memset(fake_dma(chain.buffers[0].physical, 20), 0xff, 20);
    uint8_t expected = 1;
    static const int64_t counts[] = {8, 8, 4, 0};
    for (size_t i = 0; i < 4; i++) {
        if (counts[i] > 0)
            assert_int_equal(virtio_rng_request(rng, 1), -EBUSY);
        assert_int_equal(virtio_rng_take(rng, out, sizeof(out)), counts[i]);
        for (int64_t k = 0; k < counts[i]; k++)
            assert_int_equal(out[k], expected++);
    }
    assert_int_equal(virtio_rng_request(rng, 1), 0);
    stop();
}

/* A host may send fewer bytes than asked for (section 5.4.6.2). */
static void test_fewer(void **state)
{
    (void)state;
    uint8_t out[VIRTIO_RNG_REQUEST_MAX];
    start();
    for (uint8_t round = 0; round < 200; round++) {
        assert_int_equal(virtio_rng_request(rng, VIRTIO_RNG_REQUEST_MAX), 0);
        answer(round, 3, 3);
        assert_int_equal(wakes, round + 1);
        assert_int_equal(virtio_rng_take(rng, out, sizeof(out)), 3);
        assert_int_equal(out[0], round);
    }
    stop();
}

static void test_sizes(void **state)
{
    (void)state;
    start();
    assert_int_equal(virtio_rng_request(rng, 0), -EINVAL);
    assert_int_equal(virtio_rng_request(rng, VIRTIO_RNG_REQUEST_MAX + 1), -EINVAL);
    assert_int_equal(virtio_rng_request(rng, SIZE_MAX), -EINVAL);
    assert_int_equal(fake_mmio.queues[0].kicks, 0);
    stop();
}

/* Answers that no honest host gives: it is broken from then on. */
static void test_lies(void **state)
{
    (void)state;
    static const uint32_t claims[] = {0, 17, 4096, UINT32_MAX};
    uint8_t out[64];

    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        start();
        assert_int_equal(virtio_rng_request(rng, 16), 0);
        answer(1, 16, claims[i]);
        assert_int_equal(virtio_rng_take(rng, out, sizeof(out)), -EIO);
        assert_true(fake_os.log_lines[VIRTIO_LOG_ERROR] > 0);
        assert_int_equal(virtio_rng_take(rng, out, sizeof(out)), -EIO);
        assert_int_equal(virtio_rng_request(rng, 16), -EIO);
        stop();
    }

    /* An answer to a request that was never made, and two to one. */
    start();
    fake_ring_use(ring(), 0, 16);
    assert_int_equal(virtio_rng_take(rng, out, sizeof(out)), -EIO);
    stop();
    start();
    assert_int_equal(virtio_rng_request(rng, 16), 0);
    answer(1, 16, 16);
    fake_ring_use(ring(), chain.id, 16);
    assert_int_equal(virtio_rng_take(rng, out, sizeof(out)), -EIO);
    stop();
}

/* It never answers: nothing waits, and the memory comes back. */
static void test_silence(void **state)
{
    (void)state;
    uint8_t out[8];
    start();
    assert_int_equal(virtio_rng_request(rng, 8), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(virtio_rng_take(rng, out, sizeof(out)), 0);
    assert_true(virtio_rng_pending(rng));
    stop();
}

/* The device is destroyed when it cannot be used, whatever fails. */
static void test_create_failures(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        static const struct virtio_rng_config config = {.wake = wake, .context = &wakes};
        struct virtio_device *device = NULL;
        rng = NULL;
        fake_os_start();
        fake_mmio_start(VIRTIO_ID_RNG);
        assert_int_equal(
            virtio_mmio_probe(&fake_os.hooks, FAKE_MMIO_PHYSICAL, FAKE_MMIO_SIZE, FAKE_MMIO_LINE, &device),
            0);
        fake_os.fail_at = n;
        int result = virtio_rng_create(device, &config, &rng);
        long left = fake_os.fail_at;
        fake_os.fail_at = 0;
        stop();
        if (left > 0) {
            assert_int_equal(result, 0);
            assert_true(n > 3);
            break;
        }
        assert_int_equal(result, -ENOMEM);
    }

    struct virtio_device *device = NULL;
    fake_os_start();
    fake_mmio_start(VIRTIO_ID_RNG);
    fake_mmio.queues[0].size_max = 0; /* no queue */
    assert_int_equal(
        virtio_mmio_probe(&fake_os.hooks, FAKE_MMIO_PHYSICAL, FAKE_MMIO_SIZE, FAKE_MMIO_LINE, &device), 0);
    static const struct virtio_rng_config config = {.wake = wake, .context = &wakes};
    rng = NULL;
    assert_int_equal(virtio_rng_create(device, &config, &rng), -ENOENT);
    assert_null(rng);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),           cmocka_unit_test(test_pieces), cmocka_unit_test(test_fewer),
        cmocka_unit_test(test_sizes),           cmocka_unit_test(test_lies),   cmocka_unit_test(test_silence),
        cmocka_unit_test(test_create_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
