/* SPDX-License-Identifier: MIT
 *
 * The virtio-fs driver and a server that keeps to the protocol.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_fuse.h"

static int stat_path(const char *path, struct virtio_fs_attributes *attributes)
{
    return virtio_fs_stat(fuse_server.fs, path, attributes);
}

static void test_create(void **state)
{
    (void)state;
    struct virtio_fs_statistics statistics;

    fuse_start();
    assert_string_equal(virtio_fs_tag(fuse_server.fs), "models");
    assert_false(virtio_fs_broken(fuse_server.fs));
    virtio_fs_get_statistics(fuse_server.fs, &statistics);
    assert_int_equal(statistics.requests, 1);
    assert_int_equal(statistics.in_flight, 0);
    fuse_stop();

    /* The tag may take all of its room, and is a host's word. */
    fuse_prepare();
    memset(fuse_server.function->device_config, 'x', FS_TAG_MAX);
    fuse_server.function->device_config[3] = '\n';
    assert_int_equal(fuse_create(), 0);
    assert_int_equal(strlen(virtio_fs_tag(fuse_server.fs)), FS_TAG_MAX);
    assert_int_equal(virtio_fs_tag(fuse_server.fs)[3], '?');
    fuse_stop();
}

static void test_refused_devices(void **state)
{
    (void)state;
    fuse_prepare();
    fuse_server.function->device_config[36] = 0; /* no request queue */
    assert_int_equal(fuse_create(), -EPROTO);
    fuse_stop_any();
    fuse_prepare();
    fuse_server.function->queues[1].size_max = fuse_server.function->queues[1].size = 2;
    assert_int_equal(fuse_create(), -EPROTO);
    fuse_stop_any();
    fuse_prepare();
    fuse_server.function->queue_count = 1;
    assert_int_equal(fuse_create(), -ENOENT);
    fuse_stop_any();
    fuse_prepare();
    fuse_server.function->refuses_features = true;
    assert_int_equal(fuse_create(), -EIO);
    fuse_stop_any();

    static const uint32_t versions[][2] = {{6, 31}, {8, 0}, {7, 30}, {0, 0}, {UINT32_MAX, UINT32_MAX}};
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        fuse_prepare();
        fuse_server.major = versions[i][0];
        fuse_server.minor = versions[i][1];
        assert_int_equal(fuse_create(), -EPROTO);
        fuse_stop_any();
    }
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int result;
        enum virtio_fs_type type;
        uint64_t size;
    } cases[] = {
        {"", 0, VIRTIO_FS_DIRECTORY, 0},
        {"/", 0, VIRTIO_FS_DIRECTORY, 0},
        {"empty", 0, VIRTIO_FS_FILE, 0},
        {"/small", 0, VIRTIO_FS_FILE, 100},
        {"fifo", 0, VIRTIO_FS_OTHER, 0},
        {"sub/", 0, VIRTIO_FS_DIRECTORY, 0},
        {"sub/deep/file", 0, VIRTIO_FS_FILE, 5000},
        {"missing", -ENOENT, 0, 0},
        {"sub/missing/file", -ENOENT, 0, 0},
        {"small/file", -ENOTDIR, 0, 0},
        {".", -EINVAL, 0, 0},
        {"..", -EINVAL, 0, 0},
        {"sub/../small", -EINVAL, 0, 0},
        {"missing/..", -EINVAL, 0, 0},
        {"sub/./deep", -EINVAL, 0, 0},
        {"sub//deep", -EINVAL, 0, 0},
        {"//small", -EINVAL, 0, 0},
        {"...", -ENOENT, 0, 0},
        {".hidden", -ENOENT, 0, 0},
        {"to-small", 0, VIRTIO_FS_FILE, 100},
        {"to-deep/file", 0, VIRTIO_FS_FILE, 5000},
        {"to-deep", 0, VIRTIO_FS_DIRECTORY, 0},
        {"sub/near", 0, VIRTIO_FS_FILE, 5000},
        {"chain2", 0, VIRTIO_FS_FILE, 100},
        {"chain1", -ELOOP, 0, 0},
        {"loop", -ELOOP, 0, 0},
        {"absolute", -EACCES, 0, 0},
        {"out", -EACCES, 0, 0},
        {"sub/up", -EACCES, 0, 0},
        {"dead", -ENOENT, 0, 0},
        {"blank", -EIO, 0, 0},
        {"to-small/x", -ENOTDIR, 0, 0},
        {"long-link", -ENAMETOOLONG, 0, 0},
        {"long-link/x", -ENAMETOOLONG, 0, 0},
    };

    fuse_start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct virtio_fs_attributes attributes = {VIRTIO_FS_LINK, UINT64_MAX};
        int result = stat_path(cases[i].path, &attributes);
        if (result != cases[i].result)
            fail_msg("'%s': %d", cases[i].path, result);
        if (result == 0) {
            assert_int_equal(attributes.type, cases[i].type);
            assert_int_equal(attributes.size, cases[i].size);
        }
        fuse_check_quiet();
    }
    fuse_stop();
}

/* What is refused by its form, the server does not hear of. */
static void test_long_paths(void **state)
{
    (void)state;
    static char path[VIRTIO_FS_PATH_MAX + 2];
    struct virtio_fs_attributes attributes;

    fuse_start();
    memset(path, 'x', VIRTIO_FS_NAME_MAX + 1);
    size_t requests = fuse_server.requests;
    assert_int_equal(stat_path(path, &attributes), -ENAMETOOLONG);
    for (size_t i = 0; i < VIRTIO_FS_PATH_MAX + 1; i++)
        path[i] = i % 2 == 0 ? 'x' : '/';
    assert_int_equal(stat_path(path, &attributes), -ENAMETOOLONG);
    assert_int_equal(fuse_server.requests, requests);
    path[VIRTIO_FS_PATH_MAX] = '\0';
    assert_int_equal(stat_path(path, &attributes), -ENOENT);
    path[VIRTIO_FS_NAME_MAX] = '\0';
    assert_int_equal(stat_path(path, &attributes), -ENOENT);
    fuse_stop();
}

static void test_open_refuses(void **state)
{
    (void)state;
    struct virtio_fs_file *file = NULL;

    fuse_start();
    assert_int_equal(virtio_fs_open(fuse_server.fs, "sub", &file), -EISDIR);
    assert_int_equal(virtio_fs_open(fuse_server.fs, "", &file), -EISDIR);
    assert_int_equal(virtio_fs_open(fuse_server.fs, "fifo", &file), -EINVAL);
    assert_int_equal(virtio_fs_open(fuse_server.fs, "missing", &file), -ENOENT);
    fuse_server.fail_opcode = FUSE_OP_OPEN;
    fuse_server.error = EACCES;
    assert_int_equal(virtio_fs_open(fuse_server.fs, "small", &file), -EACCES);
    assert_null(file);
    fuse_stop();
}

/* Reads [offset, offset + size) of a file and compares. */
static void check_read(const char *path, uint64_t node, uint64_t offset, size_t size)
{
    struct virtio_fs_file *file = NULL;
    uint8_t *memory = malloc(size + 1);

    assert_non_null(memory);
    memset(memory, 0xee, size + 1);
    fake_os.reachable = memory;
    fake_os.reachable_size = size;
    assert_int_equal(virtio_fs_open(fuse_server.fs, path, &file), 0);
    assert_int_equal(virtio_fs_file_size(file), fuse_server.nodes[node].size);
    assert_int_equal(virtio_fs_read(file, offset, memory, size), 0);
    virtio_fs_close(file);
    for (size_t i = 0; i < size; i++)
        if (memory[i] != fuse_byte(node, offset + i))
            fail_msg("%s: byte %zu", path, i);
    assert_int_equal(memory[size], 0xee);
    fake_os.reachable = NULL;
    free(memory);
}

static void test_read(void **state)
{
    (void)state;
    uint64_t large, small;

    fuse_start();
    large = fuse_find(FUSE_ROOT_ID, "large");
    small = fuse_find(FUSE_ROOT_ID, "small");
    check_read("empty", fuse_find(FUSE_ROOT_ID, "empty"), 0, 0);
    check_read("small", small, 0, 100);
    check_read("small", small, 99, 1);
    check_read("large", large, 12345, 4096);
    for (int i = 0; i < 4; i++) {
        fuse_server.held_peak = 0;
        fuse_server.last_first = (i & 1) != 0;
        fuse_server.answers_per_step = (i & 2) != 0 ? 1 : 0;
        check_read("large", large, 0, 10 * 1024 * 1024 + 1);
        assert_in_range(fuse_server.held_peak, FS_READ_WINDOW, FS_REQUESTS);
        fuse_check_quiet();
    }
    struct virtio_fs_statistics statistics;
    virtio_fs_get_statistics(fuse_server.fs, &statistics);
    assert_int_equal(statistics.bytes_read, 4 * (10 * 1024 * 1024 + 1) + 4096 + 101);
    assert_int_equal(statistics.in_flight_peak, FS_READ_WINDOW);
    fuse_stop();
}

/* Memory in pieces: a request asks for as much as a chain holds. Rings without indirect tables, too. */
static void test_read_scattered(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {128, 16, 4};

    for (size_t i = 0; i < 6; i++) {
        fuse_prepare();
        if (i % 2 == 1)
            fuse_server.function->offered &= ~(1ull << 28);
        fuse_server.function->queues[1].size_max = fuse_server.function->queues[1].size = sizes[i / 2];
        assert_int_equal(fuse_create(), 0);
        fake_os.piece_size = 4096;
        fuse_server.answers_per_step = 1;
        check_read("large", fuse_find(FUSE_ROOT_ID, "large"), 777, 700000);
        assert_in_range(fuse_server.opcodes[FUSE_OP_READ], 700000 / (16 * 4096), 700000 / (2 * 4096) + 2);
        fuse_stop();
    }
}

/* The server's largest WRITE bounds a READ. */
static void test_read_sizes(void **state)
{
    (void)state;
    static const struct {
        uint32_t max_write;
        size_t reads;
    } cases[] = {{0, 256}, {4096, 256}, {128 * 1024, 8}, {1 << 20, 1}, {UINT32_MAX, 1}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fuse_prepare();
        fuse_server.max_write = cases[i].max_write;
        assert_int_equal(fuse_create(), 0);
        check_read("large", fuse_find(FUSE_ROOT_ID, "large"), 0, 1 << 20);
        assert_int_equal(fuse_server.opcodes[FUSE_OP_READ], cases[i].reads);
        fuse_stop();
    }
}

static void test_read_refuses(void **state)
{
    (void)state;
    struct virtio_fs_file *file = NULL;
    static uint8_t memory[200];

    fuse_start();
    assert_int_equal(virtio_fs_open(fuse_server.fs, "small", &file), 0);
    assert_int_equal(virtio_fs_read(file, 0, memory, 100), -EFAULT); /* no device can reach it */
    fake_os.reachable = memory;
    fake_os.reachable_size = sizeof(memory);
    assert_int_equal(virtio_fs_read(file, 0, memory, 101), -ENODATA);
    assert_int_equal(virtio_fs_read(file, 1000, memory, 1), -ENODATA);
    assert_int_equal(virtio_fs_read(file, UINT64_MAX, memory, 1), -EINVAL);
    assert_int_equal(virtio_fs_read(file, INT64_MAX, memory, 1), -EINVAL);
    assert_int_equal(virtio_fs_read(file, 0, memory, SIZE_MAX), -EINVAL);
    fuse_server.nodes[fuse_find(FUSE_ROOT_ID, "small")].size = 50; /* it shrinks */
    assert_int_equal(virtio_fs_read(file, 0, memory, 100), -ENODATA);
    fuse_server.fail_opcode = FUSE_OP_READ;
    fuse_server.error = EIO;
    assert_int_equal(virtio_fs_read(file, 0, memory, 10), -EIO);
    assert_false(virtio_fs_broken(fuse_server.fs));
    virtio_fs_close(file);
    fuse_stop();
}

/* ---- listings ---- */

static struct {
    char names[FUSE_NODES][VIRTIO_FS_NAME_MAX + 1];
    struct virtio_fs_attributes attributes[FUSE_NODES];
    size_t count, stop_at;
} listed;

static int note_entry(void *context, const char *name, const struct virtio_fs_attributes *attributes)
{
    assert_ptr_equal(context, &listed);
    assert_true(listed.count < FUSE_NODES);
    memcpy(listed.names[listed.count], name, strlen(name) + 1);
    listed.attributes[listed.count] = *attributes;
    return ++listed.count == listed.stop_at ? -ECANCELED : 0;
}

static int list(const char *path)
{
    listed.count = 0;
    return virtio_fs_list(fuse_server.fs, path, note_entry, &listed);
}

static void test_list(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        fuse_prepare();
        if ((i & 1) != 0)
            fuse_server.flags &= ~FUSE_INIT_READDIRPLUS;
        assert_int_equal(fuse_create(), 0);
        fuse_server.listing_max = (i & 2) != 0 ? 3 : 0;
        listed.stop_at = 0;
        assert_int_equal(list("sub"), 0);
        assert_int_equal(listed.count, 3);
        assert_string_equal(listed.names[0], "deep");
        assert_int_equal(listed.attributes[0].type, VIRTIO_FS_DIRECTORY);
        assert_string_equal(listed.names[1], "near");
        assert_int_equal(listed.attributes[1].type, VIRTIO_FS_LINK);
        assert_int_equal(list("to-deep"), 0);
        assert_int_equal(listed.count, 1);
        assert_int_equal(listed.attributes[0].size, 5000);
        assert_int_equal(list("/"), 0);
        assert_int_equal(listed.count, 22);
        fuse_check_quiet();
        assert_true(fuse_server.opcodes[(i & 1) == 0 ? FUSE_OP_READDIRPLUS : FUSE_OP_READDIR] > 0);
        assert_int_equal(fuse_server.opcodes[(i & 1) != 0 ? FUSE_OP_READDIRPLUS : FUSE_OP_READDIR], 0);

        /* The caller ends it: what else the reply looked up is forgotten, too. */
        listed.stop_at = 2;
        assert_int_equal(list(""), -ECANCELED);
        fuse_check_quiet();
        assert_int_equal(list("small"), -ENOTDIR);
        assert_int_equal(list("missing"), -ENOENT);
        fuse_stop();
    }
}

static void test_list_fails(void **state)
{
    (void)state;
    listed.stop_at = 0;
    fuse_start();
    fuse_server.error = EPERM;
    fuse_server.fail_opcode = FUSE_OP_OPENDIR;
    assert_int_equal(list("sub"), -EPERM);
    fuse_server.fail_opcode = FUSE_OP_READDIRPLUS;
    assert_int_equal(list("sub"), -EPERM);
    fuse_server.fail_opcode = FUSE_OP_GETATTR;
    assert_int_equal(list("sub"), -EPERM);
    fuse_stop();

    /* A name that goes between its listing and its lookup is passed over; another error is not. */
    fuse_prepare();
    fuse_server.flags = 0;
    assert_int_equal(fuse_create(), 0);
    fuse_server.fail_opcode = FUSE_OP_LOOKUP;
    fuse_server.error = ENOENT;
    assert_int_equal(list(""), 0);
    assert_int_equal(listed.count, 0);
    fuse_server.error = EIO;
    assert_int_equal(list(""), -EIO);
    fuse_stop();
}

static void test_statfs(void **state)
{
    (void)state;
    struct virtio_fs_space space = {0};

    fuse_start();
    assert_int_equal(virtio_fs_statfs(fuse_server.fs, &space), 0);
    assert_int_equal(space.block_size, 4096);
    assert_int_equal(space.blocks, 1000);
    assert_int_equal(space.free_blocks, 10);
    fuse_server.fail_opcode = FUSE_OP_STATFS;
    fuse_server.error = ENOSYS;
    assert_int_equal(virtio_fs_statfs(fuse_server.fs, &space), -ENOSYS);
    fuse_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),         cmocka_unit_test(test_refused_devices),
        cmocka_unit_test(test_paths),          cmocka_unit_test(test_long_paths),
        cmocka_unit_test(test_open_refuses),   cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_scattered), cmocka_unit_test(test_read_sizes),
        cmocka_unit_test(test_read_refuses),   cmocka_unit_test(test_list),
        cmocka_unit_test(test_list_fails),     cmocka_unit_test(test_statfs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
