/* SPDX-License-Identifier: MIT
 *
 * Split virtqueues against a device of our own, which can lie.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_os.h"
#include "fake_ring.h"
#include "queue_private.h"

static unsigned kicks;

static void count_kick(void *context, uint16_t index)
{
    assert_ptr_equal(context, &kicks);
    assert_int_equal(index, 3);
    kicks++;
}

struct fixture {
    struct virtio_queue *queue;
    struct fake_ring ring;
    uint8_t *memory; /* the driver's buffers */
    uint64_t physical;
};

#define MEMORY_SIZE 65536

static struct fixture start(uint16_t size, bool indirect, bool event_index)
{
    struct fake_os *os = fake_os_start();
    struct fixture f = {0};
    struct virtio_queue_config config = {.index = 3,
                                         .size = size,
                                         .indirect = indirect,
                                         .event_index = event_index,
                                         .notify = count_kick,
                                         .notify_context = &kicks};

    kicks = 0;
    assert_int_equal(virtio_queue_create(&os->hooks, &config, &f.queue), 0);
    f.ring = (struct fake_ring){.size = size, .indirect = indirect, .event_index = event_index};
    virtio_queue_addresses(f.queue, &f.ring.descriptors, &f.ring.available, &f.ring.used);
    assert_int_equal(f.ring.descriptors % 16, 0);
    assert_int_equal(f.ring.available % 2, 0);
    assert_int_equal(f.ring.used % 4, 0);
    f.memory = os->hooks.alloc_aligned(os, MEMORY_SIZE, 16, &f.physical);
    assert_non_null(f.memory);
    return f;
}

static void stop(struct fixture *f)
{
    virtio_queue_destroy(f->queue);
    fake_os.hooks.free_aligned(&fake_os, f->memory, MEMORY_SIZE);
    fake_os_stop();
}

static void test_create_checks_size(void **state)
{
    (void)state;
    static const uint16_t bad[] = {0, 3, 100, 32769, 65535};
    struct fake_os *os = fake_os_start();
    struct virtio_queue_config config = {.notify = count_kick};
    struct virtio_queue *queue = NULL;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        config.size = bad[i];
        assert_int_equal(virtio_queue_create(&os->hooks, &config, &queue), -EINVAL);
    }
    config.size = 32768;
    assert_int_equal(virtio_queue_create(&os->hooks, &config, &queue), 0);
    assert_int_equal(virtio_queue_size(queue), 32768);
    virtio_queue_destroy(queue);

    for (long n = 1; n <= 2; n++) {
        os->fail_at = n;
        assert_int_equal(virtio_queue_create(&os->hooks, &config, &queue), -ENOMEM);
        assert_int_equal(os->blocks, 0);
    }
    fake_os_stop();
}

/* Each buffer keeps its place, size and direction, with and without an indirect table. */
static void chain_of(struct fixture *f, size_t readable, size_t writable)
{
    struct virtio_buffer buffers[FAKE_CHAIN_MAX] = {0};
    struct fake_chain chain;
    void *token = NULL;
    uint32_t written = 0;

    for (size_t i = 0; i < readable + writable; i++)
        buffers[i] = (struct virtio_buffer){.physical = f->physical + i * 64, .size = (uint32_t)(i % 60 + 1)};
    assert_int_equal(
        virtio_queue_add(f->queue, buffers, readable, buffers + readable, writable, &buffers[readable]), 0);
    assert_true(fake_ring_take(&f->ring, &chain));
    assert_int_equal(chain.readable_count, readable);
    assert_int_equal(chain.writable_count, writable);
    for (size_t i = 0; i < readable + writable; i++) {
        assert_int_equal(chain.buffers[i].physical, buffers[i].physical);
        assert_int_equal(chain.buffers[i].size, buffers[i].size);
    }
    assert_false(fake_ring_take(&f->ring, &chain));
    assert_int_equal(virtio_queue_take(f->queue, &token, &written), 0);
    fake_ring_use(&f->ring, chain.id, (uint32_t)chain.writable_size);
    assert_int_equal(virtio_queue_take(f->queue, &token, &written), 1);
    assert_ptr_equal(token, &buffers[readable]);
    assert_int_equal(written, chain.writable_size);
    assert_int_equal(virtio_queue_free_descriptors(f->queue), virtio_queue_size(f->queue));
    assert_int_equal(virtio_queue_chains_in_flight(f->queue), 0);
}

static void test_chains(void **state)
{
    (void)state;
    for (int features = 0; features < 4; features++) {
        struct fixture f = start(64, (features & 1) != 0, (features & 2) != 0);
        for (size_t count = 1; count <= 64; count++) {
            chain_of(&f, count, 0);
            chain_of(&f, 0, count);
            chain_of(&f, count / 2, count - count / 2);
        }
        stop(&f);
    }
}

static void test_add_checks_arguments(void **state)
{
    (void)state;
    struct fixture f = start(8, true, true);
    struct virtio_buffer buffers[9];
    uint16_t free_count = virtio_queue_free_descriptors(f.queue);

    for (size_t i = 0; i < 9; i++)
        buffers[i] = (struct virtio_buffer){.physical = f.physical, .size = 16};
    assert_int_equal(virtio_queue_add(f.queue, buffers, 0, buffers, 0, NULL), -EINVAL);
    assert_int_equal(virtio_queue_add(f.queue, buffers, 9, NULL, 0, NULL), -EINVAL);
    assert_int_equal(virtio_queue_add(f.queue, buffers, 4, buffers, 5, NULL), -EINVAL);
    assert_int_equal(virtio_queue_add(f.queue, buffers, SIZE_MAX, buffers, 2, NULL), -EINVAL);
    assert_int_equal(virtio_queue_add(f.queue, buffers, 2, buffers, SIZE_MAX, NULL), -EINVAL);
    buffers[1].size = 0;
    assert_int_equal(virtio_queue_add(f.queue, buffers, 2, NULL, 0, NULL), -EINVAL);
    assert_int_equal(virtio_queue_add(f.queue, NULL, 0, buffers, 2, NULL), -EINVAL);
    buffers[0].size = UINT32_MAX;
    buffers[1].size = 1;
    assert_int_equal(virtio_queue_add(f.queue, buffers, 2, NULL, 0, NULL), -EINVAL);
    assert_int_equal(virtio_queue_add(f.queue, buffers, 1, buffers + 1, 1, NULL), -EINVAL);
    assert_int_equal(virtio_queue_free_descriptors(f.queue), free_count);
    assert_int_equal(fake_ring_available(&f.ring), 0);
    stop(&f);
}

static void test_full_ring(void **state)
{
    (void)state;
    for (int indirect = 0; indirect < 2; indirect++) {
        struct fixture f = start(8, indirect != 0, true);
        struct virtio_buffer buffers[2] = {{f.physical, 8}, {f.physical + 8, 8}};
        int capacity = indirect != 0 ? 8 : 4;
        for (int i = 0; i < capacity; i++)
            assert_int_equal(virtio_queue_add(f.queue, buffers, 1, buffers + 1, 1, NULL), 0);
        assert_int_equal(virtio_queue_add(f.queue, buffers, 1, buffers + 1, 1, NULL), -ENOSPC);
        assert_int_equal(virtio_queue_free_descriptors(f.queue), 0);
        assert_int_equal(virtio_queue_chains_in_flight(f.queue), capacity);
        stop(&f);
    }
}

static void test_avoid_indirect(void **state)
{
    (void)state;
    struct fixture f = start(8, true, true);
    long requests = fake_os.requests;

    virtio_queue_avoid_indirect(f.queue);
    chain_of(&f, 1, 1);
    chain_of(&f, 4, 4);
    assert_int_equal(fake_os.requests, requests);
    stop(&f);
}

/* No memory for a table: the ring's own descriptors do. */
static void test_without_table_memory(void **state)
{
    (void)state;
    struct fixture f = start(8, true, true);
    struct virtio_buffer buffers[5];

    for (size_t i = 0; i < 5; i++)
        buffers[i] = (struct virtio_buffer){.physical = f.physical + 16 * i, .size = 16};
    fake_os.fail_all = true;
    chain_of(&f, 3, 5);
    assert_int_equal(virtio_queue_add(f.queue, buffers, 5, NULL, 0, NULL), 0);
    assert_int_equal(virtio_queue_free_descriptors(f.queue), 3);
    assert_int_equal(virtio_queue_add(f.queue, buffers, 5, NULL, 0, NULL), -ENOSPC);
    fake_os.fail_all = false;
    assert_int_equal(virtio_queue_add(f.queue, buffers, 5, NULL, 0, NULL), 0);
    assert_int_equal(virtio_queue_free_descriptors(f.queue), 2);
    stop(&f);
}

/* Tables are kept: a steady load allocates nothing. */
static void test_tables_are_kept(void **state)
{
    (void)state;
    struct fixture f = start(8, true, true);

    chain_of(&f, 4, 4);
    long requests = fake_os.requests;
    for (int i = 0; i < 100; i++)
        chain_of(&f, 4, 4);
    assert_int_equal(fake_os.requests, requests);
    stop(&f);
}

/* The indices wrap at 65536 and the device returns chains in any order; every token comes back exactly once.
 */
static void test_wraparound_out_of_order(void **state)
{
    (void)state;
    for (int features = 0; features < 4; features++) {
        struct fixture f = start(16, (features & 1) != 0, (features & 2) != 0);
        static uint8_t outstanding[70000];
        struct fake_chain held[16];
        size_t held_count = 0;
        size_t added = 0;
        size_t taken = 0;
        unsigned random = 1;

        memset(outstanding, 0, sizeof(outstanding));
        while (taken < sizeof(outstanding)) {
            random = random * 1103515245u + 12345u;
            size_t count = 1 + (random >> 16) % 3;
            struct virtio_buffer buffers[3] = {
                {f.physical, 16}, {f.physical + 16, 16}, {f.physical + 32, 16}};
            while (added < sizeof(outstanding) &&
                   virtio_queue_add(f.queue, buffers, count - 1, buffers + count - 1, 1,
                                    &outstanding[added]) == 0)
                outstanding[added++] = 1;
            while (fake_ring_take(&f.ring, &held[held_count]))
                held_count++;
            assert_true(held_count > 0);
            size_t uses = held_count > 0 ? 1 + (random >> 20) % held_count : 0;
            for (size_t i = 0; i < uses; i++) {
                random = random * 1103515245u + 12345u;
                size_t pick = (random >> 16) % held_count;
                fake_ring_use(&f.ring, held[pick].id, (random >> 16) % 17);
                held[pick] = held[--held_count];
            }
            void *token = NULL;
            uint32_t written = 0;
            while (virtio_queue_take(f.queue, &token, &written) == 1) {
                assert_true(written <= 16);
                assert_int_equal(*(uint8_t *)token, 1);
                *(uint8_t *)token = 0;
                taken++;
            }
        }
        assert_int_equal(virtio_queue_chains_in_flight(f.queue), 0);
        assert_int_equal(virtio_queue_free_descriptors(f.queue), 16);
        stop(&f);
    }
}

static struct fake_chain post_one(struct fixture *f, bool writable)
{
    struct virtio_buffer buffer = {f->physical, 64};
    struct fake_chain chain;

    assert_int_equal(writable ? virtio_queue_add(f->queue, NULL, 0, &buffer, 1, f)
                              : virtio_queue_add(f->queue, &buffer, 1, NULL, 0, f),
                     0);
    assert_true(fake_ring_take(&f->ring, &chain));
    return chain;
}

static void expect_broken(struct fixture *f)
{
    struct virtio_buffer buffer = {f->physical, 64};
    void *token = NULL;
    uint32_t written = 0;

    assert_int_equal(virtio_queue_take(f->queue, &token, &written), -EIO);
    assert_null(token);
    assert_true(virtio_queue_broken(f->queue));
    assert_int_equal(virtio_queue_take(f->queue, &token, &written), -EIO);
    assert_int_equal(virtio_queue_add(f->queue, &buffer, 1, NULL, 0, NULL), -EIO);
    virtio_queue_kick(f->queue);
    assert_int_equal(kicks, 0);
    stop(f);
}

/* A chain that the device has forgotten: its descriptors are used again; what it returns later is broken. */
static void test_dropped(void **state)
{
    (void)state;
    struct fixture f = start(4, false, false);
    struct virtio_buffer buffers[2] = {{.physical = f.physical, .size = 8},
                                       {.physical = f.physical, .size = 8}};
    int token = 0;

    assert_int_equal(virtio_queue_drop(f.queue, &token), -ENOENT);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(virtio_queue_add(f.queue, buffers, 2, NULL, 0, &token), 0);
        assert_int_equal(virtio_queue_chains_in_flight(f.queue), 1);
        assert_int_equal(virtio_queue_drop(f.queue, &token), 0);
        assert_int_equal(virtio_queue_drop(f.queue, &token), -ENOENT);
        assert_int_equal(virtio_queue_free_descriptors(f.queue), 4);
        assert_int_equal(virtio_queue_chains_in_flight(f.queue), 0);
    }
    fake_ring_use(&f.ring, 0, 0);
    expect_broken(&f);
}

static void test_lying_device(void **state)
{
    (void)state;
    struct fixture f;

    for (unsigned i = 0; i < 4; i++) {
        static const uint32_t beyond[] = {16, 65535, 65536, UINT32_MAX};
        f = start(16, false, i % 2 == 0);
        post_one(&f, true);
        fake_ring_use(&f.ring, beyond[i], 1);
        expect_broken(&f);
    }

    /* A descriptor that it does not hold. */
    f = start(16, false, true);
    fake_ring_use(&f.ring, (post_one(&f, true).id + 1u) % 16, 1);
    expect_broken(&f);

    /* One within a chain. */
    f = start(16, false, true);
    struct virtio_buffer buffers[3] = {{f.physical, 8}, {f.physical + 8, 8}, {f.physical + 16, 8}};
    assert_int_equal(virtio_queue_add(f.queue, buffers, 3, NULL, 0, NULL), 0);
    fake_ring_use(&f.ring, 1, 0);
    expect_broken(&f);

    /* The same one twice. */
    f = start(16, false, true);
    post_one(&f, true);
    uint16_t id = post_one(&f, true).id;
    void *token = NULL;
    uint32_t written = 0;
    fake_ring_use(&f.ring, id, 1);
    fake_ring_use(&f.ring, id, 1);
    assert_int_equal(virtio_queue_take(f.queue, &token, &written), 1);
    token = NULL;
    expect_broken(&f);

    /* More than it holds. */
    for (uint16_t extra = 1; extra != 0; extra = (uint16_t)(extra * 2)) {
        f = start(16, false, true);
        fake_ring_use(&f.ring, post_one(&f, true).id, 1);
        fake_ring_skip(&f.ring, extra);
        expect_broken(&f);
    }

    /* A used index that goes back. */
    f = start(16, false, true);
    post_one(&f, true);
    fake_ring_skip(&f.ring, 0xffff);
    expect_broken(&f);

    /* More bytes than there is room for. */
    f = start(16, false, true);
    fake_ring_use(&f.ring, post_one(&f, true).id, 65);
    expect_broken(&f);
}

/* vhost-vsock before Linux 5.16 gives a length for what it only reads. */
static void test_length_of_readable_chain_is_ignored(void **state)
{
    (void)state;
    struct fixture f = start(16, false, true);
    void *token = NULL;
    uint32_t written = 1;

    fake_ring_use(&f.ring, post_one(&f, false).id, 108);
    assert_int_equal(virtio_queue_take(f.queue, &token, &written), 1);
    assert_int_equal(written, 0);
    stop(&f);
}

static void test_kicks(void **state)
{
    (void)state;
    for (int event_index = 0; event_index < 2; event_index++) {
        struct fixture f = start(16, false, event_index != 0);
        /* Over the wrap of the indices. */
        for (int i = 0; i < 70000; i++) {
            fake_ring_want_kick(&f.ring, i % 2 == 0);
            kicks = 0;
            uint16_t id = post_one(&f, true).id;
            virtio_queue_kick(f.queue);
            assert_int_equal(kicks, i % 2 == 0);
            virtio_queue_kick(f.queue); /* nothing was added since */
            assert_int_equal(kicks, i % 2 == 0);
            void *token = NULL;
            uint32_t written = 0;
            fake_ring_use(&f.ring, id, 0);
            assert_int_equal(virtio_queue_take(f.queue, &token, &written), 1);
        }

        /* One for several. */
        fake_ring_want_kick(&f.ring, true);
        kicks = 0;
        for (int i = 0; i < 5; i++)
            post_one(&f, true);
        virtio_queue_kick(f.queue);
        assert_int_equal(kicks, 1);
        stop(&f);
    }
}

static void test_interrupts(void **state)
{
    (void)state;
    for (int event_index = 0; event_index < 2; event_index++) {
        struct fixture f = start(16, false, event_index != 0);
        void *token = NULL;
        uint32_t written = 0;

        /* A queue starts without. */
        fake_ring_use(&f.ring, post_one(&f, true).id, 0);
        assert_false(fake_ring_wants_interrupt(&f.ring));
        assert_int_equal(virtio_queue_take(f.queue, &token, &written), 1);

        for (int i = 0; i < 70000; i++) {
            assert_true(virtio_queue_enable_interrupt(f.queue, 1));
            fake_ring_use(&f.ring, post_one(&f, true).id, 0);
            assert_true(fake_ring_wants_interrupt(&f.ring));
            /* It is there: asking again says so instead of waiting for it. */
            assert_false(virtio_queue_enable_interrupt(f.queue, 1));
            assert_int_equal(virtio_queue_take(f.queue, &token, &written), 1);
            virtio_queue_disable_interrupt(f.queue);
            fake_ring_use(&f.ring, post_one(&f, true).id, 0);
            assert_false(fake_ring_wants_interrupt(&f.ring));
            assert_int_equal(virtio_queue_take(f.queue, &token, &written), 1);
        }

        /* After several. */
        uint16_t ids[4];
        for (int i = 0; i < 4; i++)
            ids[i] = post_one(&f, true).id;
        assert_true(virtio_queue_enable_interrupt(f.queue, 3));
        fake_ring_use(&f.ring, ids[0], 0);
        assert_int_equal(fake_ring_wants_interrupt(&f.ring), event_index == 0);
        assert_int_equal(virtio_queue_enable_interrupt(f.queue, 3), event_index != 0);
        fake_ring_use(&f.ring, ids[1], 0);
        assert_int_equal(fake_ring_wants_interrupt(&f.ring), event_index == 0);
        fake_ring_use(&f.ring, ids[2], 0);
        assert_true(fake_ring_wants_interrupt(&f.ring));
        assert_false(virtio_queue_enable_interrupt(f.queue, 3));
        stop(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_checks_size),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_add_checks_arguments),
        cmocka_unit_test(test_full_ring),
        cmocka_unit_test(test_avoid_indirect),
        cmocka_unit_test(test_without_table_memory),
        cmocka_unit_test(test_tables_are_kept),
        cmocka_unit_test(test_wraparound_out_of_order),
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_lying_device),
        cmocka_unit_test(test_length_of_readable_chain_is_ignored),
        cmocka_unit_test(test_kicks),
        cmocka_unit_test(test_interrupts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
