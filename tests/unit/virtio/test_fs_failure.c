/* SPDX-License-Identifier: MIT
 *
 * The virtio-fs driver without memory, without answers, with a broken device, and with several callers at
 * once.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_fuse.h"

#define READ_SIZE      16384u /* of one request */
#define TASK_READ_SIZE (24 * READ_SIZE + 17)

static uint8_t *memory;

static int pass_entry(void *context, const char *name, const struct virtio_fs_attributes *attributes)
{
    (void)context;
    (void)attributes;
    return name[0] == '\0' ? -EBADMSG : 0;
}

/* Everything that a caller can do, until something fails. Returns the first error. */
static int use_all(void)
{
    struct virtio_fs *fs = fuse_server.fs;
    struct virtio_fs_attributes attributes;
    struct virtio_fs_space space;
    struct virtio_fs_file *file = NULL;
    int error = virtio_fs_stat(fs, "sub/near", &attributes);

    if (error == 0)
        error = virtio_fs_list(fs, "sub", pass_entry, NULL);
    if (error == 0)
        error = virtio_fs_statfs(fs, &space);
    if (error == 0)
        error = virtio_fs_open(fs, "large", &file);
    if (error == 0) {
        error = virtio_fs_read(file, 0, memory, TASK_READ_SIZE);
        virtio_fs_close(file);
    }
    return error;
}

static void reach_memory(size_t tasks)
{
    memory = malloc(tasks * TASK_READ_SIZE);
    assert_non_null(memory);
    fake_os.reachable = memory;
    fake_os.reachable_size = tasks * TASK_READ_SIZE;
    fuse_server.max_write = READ_SIZE;
}

/* Each allocation fails in turn: an error or none (the driver can do with fewer requests), nothing leaks on
 * either side, and the next call works. */
static void test_every_allocation_fails(void **state)
{
    (void)state;
    long n = 1;
    int failures = 0;

    for (long left = 0; left == 0; n++) {
        fuse_prepare();
        reach_memory(1);
        fake_os.fail_at = n;
        int error = fuse_create();
        if (error == 0)
            error = use_all();
        left = fake_os.fail_at;
        fake_os.fail_at = 0;
        if (error != 0) {
            assert_int_equal(error, -ENOMEM);
            failures++;
        }
        if (fuse_server.fs != NULL) {
            assert_false(virtio_fs_broken(fuse_server.fs));
            fuse_check_quiet();
            assert_int_equal(use_all(), 0);
            fuse_stop();
        } else {
            fuse_stop_any();
        }
        free(memory);
    }
    assert_in_range(n, 10, 200);
    assert_in_range(failures, 8, n);
}

/* With no memory at all after the first request, one page does for everything but what needs more. */
static void test_one_page(void **state)
{
    (void)state;
    struct virtio_fs_space space;

    fuse_prepare();
    reach_memory(1);
    assert_int_equal(fuse_create(), 0);
    fake_os.fail_all = true;
    assert_int_equal(virtio_fs_statfs(fuse_server.fs, &space), 0);
    assert_int_equal(use_all(), -ENOMEM);
    fake_os.fail_all = false;
    struct virtio_fs_file *file = NULL;
    assert_int_equal(virtio_fs_open(fuse_server.fs, "large", &file), 0);
    fake_os.fail_all = true;
    assert_int_equal(virtio_fs_read(file, 0, memory, TASK_READ_SIZE), 0);
    virtio_fs_close(file);
    fuse_stop();
    free(memory);
}

/* Each wait gives up in turn. The device is reset, so that it writes to nothing that the caller may now free;
 * every later call says so, and a driver of its own comes up again. */
static void test_every_wait_gives_up(void **state)
{
    (void)state;
    unsigned long n = 1;

    for (bool failed = true; failed; n++) {
        fuse_prepare();
        reach_memory(1);
        fuse_server.answers_per_step = 1;
        fuse_server.fail_wait_at = n;
        int error = fuse_create();
        if (error == 0)
            error = use_all();
        /* Nobody is told when a close fails: only the call after it. */
        failed = fuse_server.fs == NULL || virtio_fs_broken(fuse_server.fs);
        assert_true(failed ? error == -ETIMEDOUT || error == -EIO || fuse_server.opcodes[FUSE_OP_READ] > 0
                           : error == 0);
        if (fuse_server.fs != NULL) {
            struct virtio_fs_statistics statistics;
            virtio_fs_get_statistics(fuse_server.fs, &statistics);
            if (failed) {
                assert_true(virtio_fs_broken(fuse_server.fs));
                assert_int_equal(fuse_server.function->status, 0);
                assert_int_equal(statistics.in_flight, 0);
                assert_int_equal(use_all(), -EIO);
            }
            fake_os.reachable = NULL; /* whoever writes there now fails the test */
            for (size_t i = 0; i < FS_REQUESTS; i++)
                assert_true(!failed || !fuse_server.fs->requests[i].busy);
        }
        fuse_stop_any();
        fuse_start();
        fuse_stop();
        free(memory);
    }
    assert_in_range(n, 15, 200);
}

/* A close after the end of the device frees the file. */
static void test_close_when_broken(void **state)
{
    (void)state;
    struct virtio_fs_file *file = NULL;

    fuse_start();
    assert_int_equal(virtio_fs_open(fuse_server.fs, "small", &file), 0);
    fuse_server.fail_wait_at = fuse_server.waits + 1;
    struct virtio_fs_space space;
    assert_int_equal(virtio_fs_statfs(fuse_server.fs, &space), -ETIMEDOUT);
    virtio_fs_close(file);
    fuse_stop_any();
}

/* The device is told again though nothing has come since it was told last; a broken one is not. */
static void test_remind(void **state)
{
    (void)state;
    unsigned kicks[2];
    struct virtio_fs_space space;

    fuse_start();
    for (size_t i = 0; i < 2; i++)
        kicks[i] = fuse_server.function->queues[i].kicks;
    virtio_fs_remind(fuse_server.fs);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(fuse_server.function->queues[i].kicks, kicks[i] + 1);
    assert_int_equal(virtio_fs_statfs(fuse_server.fs, &space), 0);
    fuse_server.fail_wait_at = fuse_server.waits + 1;
    assert_int_equal(virtio_fs_statfs(fuse_server.fs, &space), -ETIMEDOUT);
    for (size_t i = 0; i < 2; i++)
        kicks[i] = fuse_server.function->queues[i].kicks;
    virtio_fs_remind(fuse_server.fs);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(fuse_server.function->queues[i].kicks, kicks[i]);
    fuse_stop_any();
}

static void test_device_fails(void **state)
{
    (void)state;
    struct virtio_fs_space space;

    fuse_start();
    fuse_server.function->status |= 64; /* DEVICE_NEEDS_RESET */
    assert_int_equal(virtio_fs_statfs(fuse_server.fs, &space), -EIO);
    assert_true(virtio_fs_broken(fuse_server.fs));
    fuse_stop_any();

    fuse_start();
    fake_ring_use(&fuse_server.function->queues[1].ring, 5000, 16);
    assert_int_equal(virtio_fs_statfs(fuse_server.fs, &space), -EIO);
    assert_true(virtio_fs_broken(fuse_server.fs));
    fuse_stop_any();

    fuse_start();
    fake_ring_skip(&fuse_server.function->queues[0].ring, 1);
    assert_int_equal(virtio_fs_statfs(fuse_server.fs, &space), -EIO);
    fuse_stop_any();
}

/* ---- several callers ---- */

static int results[FUSE_TASKS];

static void read_task(size_t number)
{
    uint64_t node = fuse_find(FUSE_ROOT_ID, "large");
    struct virtio_fs_file *file = NULL;
    uint8_t *mine = memory + number * TASK_READ_SIZE;
    int error = virtio_fs_open(fuse_server.fs, "large", &file);

    if (error == 0) {
        error = virtio_fs_read(file, number, mine, TASK_READ_SIZE);
        virtio_fs_close(file);
    }
    for (size_t i = 0; error == 0 && i < TASK_READ_SIZE; i += 97)
        if (mine[i] != fuse_byte(node, number + i))
            error = -EILSEQ;
    results[number] = error;
}

static void mixed_task(size_t number)
{
    struct virtio_fs_attributes attributes;
    int error = 0;

    for (size_t i = 0; error == 0 && i < 50; i++)
        error = i % 2 == number % 2 ? virtio_fs_stat(fuse_server.fs, "sub/near", &attributes)
                                    : virtio_fs_list(fuse_server.fs, "", pass_entry, NULL);
    results[number] = error;
}

/* Six reads want 24 requests of the 12 there are: none waits for another one for ever. */
static void test_many_callers(void **state)
{
    (void)state;
    static const size_t per_step[] = {0, 1, 3};

    for (size_t i = 0; i < 18; i++) {
        fuse_prepare();
        if (i % 2 == 1) { /* a ring that is full, too */
            fuse_server.function->offered &= ~(1ull << 28);
            fuse_server.function->queues[0].size_max = fuse_server.function->queues[0].size = 2;
            fuse_server.function->queues[1].size_max = fuse_server.function->queues[1].size = 16;
        }
        reach_memory(FUSE_TASKS);
        assert_int_equal(fuse_create(), 0);
        fake_os.piece_size = i % 2 == 1 ? 9000 : SIZE_MAX;
        fuse_server.answers_per_step = per_step[i / 2 % 3];
        fuse_server.last_first = i >= 9;
        for (size_t tasks = 2; tasks <= FUSE_TASKS; tasks++) {
            fuse_run_tasks(tasks, tasks % 2 == 0 ? read_task : mixed_task);
            for (size_t task = 0; task < tasks; task++)
                assert_int_equal(results[task], 0);
            fuse_check_quiet();
        }
        fuse_stop();
        free(memory);
    }
}

static void statfs_task(size_t number)
{
    struct virtio_fs_space space;

    results[number] = virtio_fs_statfs(fuse_server.fs, &space);
}

/* Callers that share one request: whoever is done with it wakes the next one. */
static void test_one_request_for_all(void **state)
{
    (void)state;
    fuse_start();
    fake_os.fail_all = true;
    for (size_t tasks = 2; tasks <= FUSE_TASKS; tasks++) {
        fuse_run_tasks(tasks, statfs_task);
        for (size_t task = 0; task < tasks; task++)
            assert_int_equal(results[task], 0);
    }
    fuse_stop();
}

/* One caller gives up while others are inside: they all get out. */
static void test_one_gives_up(void **state)
{
    (void)state;
    unsigned long n = 1;

    for (size_t failed = 1; failed > 0; n += 29) {
        fuse_prepare();
        reach_memory(FUSE_TASKS);
        assert_int_equal(fuse_create(), 0);
        fuse_server.answers_per_step = 1;
        fuse_server.fail_wait_at = fuse_server.waits + n;
        fuse_run_tasks(FUSE_TASKS, read_task);
        failed = 0;
        for (size_t task = 0; task < FUSE_TASKS; task++) {
            if (results[task] != 0)
                failed++;
            assert_true(results[task] == 0 || results[task] == -EIO || results[task] == -ETIMEDOUT);
        }
        assert_int_equal(virtio_fs_broken(fuse_server.fs), fuse_server.waits >= fuse_server.fail_wait_at);
        assert_false(fuse_server.deadlock);
        fuse_stop_any();
        free(memory);
    }
    assert_in_range(n, 200, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_fails),
        cmocka_unit_test(test_one_page),
        cmocka_unit_test(test_every_wait_gives_up),
        cmocka_unit_test(test_close_when_broken),
        cmocka_unit_test(test_remind),
        cmocka_unit_test(test_device_fails),
        cmocka_unit_test(test_many_callers),
        cmocka_unit_test(test_one_request_for_all),
        cmocka_unit_test(test_one_gives_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
