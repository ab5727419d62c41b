/* SPDX-License-Identifier: MIT
 *
 * The virtio-fs driver and a server that lies, field by field and at random.
 */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_fuse.h"

#define MUTATIONS  20000
#define CALLS_SIZE 300000u

static uint8_t memory[CALLS_SIZE];
static size_t entries_seen;

static int check_entry(void *context, const char *name, const struct virtio_fs_attributes *attributes)
{
    (void)context;
    size_t length = strlen(name);
    assert_in_range(length, 1, VIRTIO_FS_NAME_MAX);
    for (size_t i = 0; i < length; i++)
        assert_true((unsigned char)name[i] >= 0x20 && name[i] != 0x7f && name[i] != '/');
    assert_true(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    assert_true(attributes->size <= INT64_MAX);
    entries_seen++;
    return 0;
}

static void start_liar(void (*lie)(struct fuse_answer *answer))
{
    fuse_prepare();
    fake_os.reachable = memory;
    fake_os.reachable_size = sizeof(memory);
    fuse_server.lies = true;
    assert_int_equal(fuse_create(), 0);
    fuse_server.lie = lie;
}

/* One lie: in answers to `opcode`, a value of `width` bytes at `offset` of the answer. */
static struct {
    enum fuse_opcode opcode;
    size_t offset, width;
    uint64_t value;
    size_t told;
} one_lie;

static void tell_one_lie(struct fuse_answer *answer)
{
    if (answer->opcode != one_lie.opcode || one_lie.offset + one_lie.width > answer->size)
        return;
    one_lie.told++;
    memcpy(answer->bytes + one_lie.offset, &one_lie.value, one_lie.width);
}

static int stat_small(void)
{
    struct virtio_fs_attributes attributes;
    return virtio_fs_stat(fuse_server.fs, "small", &attributes);
}

static int stat_link(void)
{
    struct virtio_fs_attributes attributes;
    return virtio_fs_stat(fuse_server.fs, "to-small", &attributes);
}

static int list_sub(void)
{
    return virtio_fs_list(fuse_server.fs, "sub", check_entry, NULL);
}

static int read_large(void)
{
    struct virtio_fs_file *file = NULL;
    int error = virtio_fs_open(fuse_server.fs, "large", &file);
    if (error == 0) {
        error = virtio_fs_read(file, 0, memory, sizeof(memory));
        virtio_fs_close(file);
    }
    return error;
}

static int statfs(void)
{
    struct virtio_fs_space space;
    return virtio_fs_statfs(fuse_server.fs, &space);
}

#define HEADER    sizeof(struct fuse_reply_header)
#define ENTRY(f)  (HEADER + offsetof(struct fuse_entry, f))
#define PLUS_SIZE (sizeof(struct fuse_entry) + sizeof(struct fuse_directory_entry))
#define DIRENT(f) (HEADER + sizeof(struct fuse_entry) + offsetof(struct fuse_directory_entry, f))
#define ATTR(f)   (ENTRY(attributes) + offsetof(struct fuse_attributes, f))
/* "." and ".." come first, with names that are padded to 8 bytes. */
#define THIRD(at) ((at) + 2 * (PLUS_SIZE + 8))

static void test_one_lie(void **state)
{
    (void)state;
    static const struct {
        int (*call)(void);
        enum fuse_opcode opcode;
        size_t offset, width;
        uint64_t value;
        int result;
        bool malformed;
    } cases[] = {
        /* The header. */
        {stat_small, FUSE_OP_LOOKUP, 0, 4, 0, -EIO, true},
        {stat_small, FUSE_OP_LOOKUP, 0, 4, 15, -EIO, true},
        {stat_small, FUSE_OP_LOOKUP, 0, 4, 143, -EIO, true},
        {stat_small, FUSE_OP_LOOKUP, 0, 4, 145, -EIO, true},
        {stat_small, FUSE_OP_LOOKUP, 0, 4, UINT32_MAX, -EIO, true},
        {stat_small, FUSE_OP_LOOKUP, 4, 4, 2, -EIO, true},
        {stat_small, FUSE_OP_LOOKUP, 4, 4, INT32_MAX, -EIO, true},
        {stat_small, FUSE_OP_LOOKUP, 4, 4, (uint32_t)-2, -EIO, true}, /* an error with contents */
        {stat_small, FUSE_OP_LOOKUP, 4, 4, (uint32_t)-4096, -EIO, true},
        {stat_small, FUSE_OP_LOOKUP, 4, 4, (uint32_t)INT32_MIN, -EIO, true},
        {stat_small, FUSE_OP_LOOKUP, 8, 8, 0, -EIO, true},
        {stat_small, FUSE_OP_LOOKUP, 8, 8, 1, -EIO, true},
        {stat_small, FUSE_OP_LOOKUP, 8, 8, UINT64_MAX, -EIO, true},
        {read_large, FUSE_OP_READ, 8, 8, 7, -EIO, true},
        {read_large, FUSE_OP_READ, 0, 4, 16, -EIO, true},
        {statfs, FUSE_OP_STATFS, 0, 4, 95, -EIO, true},
        /* Entries. */
        {stat_small, FUSE_OP_LOOKUP, ENTRY(node), 8, 0, -ENOENT, false},
        {stat_small, FUSE_OP_LOOKUP, ENTRY(node), 8, 1, -EIO, true},
        {stat_small, FUSE_OP_LOOKUP, ATTR(size), 8, 1ull << 63, -EIO, true},
        {read_large, FUSE_OP_LOOKUP, ATTR(size), 8, UINT64_MAX, -EIO, true},
        {read_large, FUSE_OP_LOOKUP, ATTR(mode), 4, 0, -EINVAL, false},
        {read_large, FUSE_OP_LOOKUP, ATTR(mode), 4, UINT32_MAX, -EINVAL, false},
        {read_large, FUSE_OP_LOOKUP, ATTR(mode), 4, FUSE_MODE_LINK, -EINVAL, false}, /* READLINK fails */
        {read_large, FUSE_OP_LOOKUP, ENTRY(node), 8, UINT64_MAX, -ESTALE, false},
        {list_sub, FUSE_OP_GETATTR, HEADER + 16 + 60, 4, FUSE_MODE_FILE, -ENOTDIR, false},
        /* Links. */
        {stat_link, FUSE_OP_READLINK, HEADER, 1, '/', -EACCES, false},
        {stat_link, FUSE_OP_READLINK, HEADER + 2, 1, 0, -EIO, true},
        {stat_link, FUSE_OP_READLINK, HEADER, 2, '.' | '.' << 8, -ENOENT, false},
        {stat_link, FUSE_OP_READLINK, HEADER, 3, '.' | '.' << 8 | '/' << 16, -EACCES, false},
        /* Listings. */
        {list_sub, FUSE_OP_READDIRPLUS, DIRENT(name_length), 4, 0, -EIO, true},
        {list_sub, FUSE_OP_READDIRPLUS, DIRENT(name_length), 4, 32769, -EIO, true},
        {list_sub, FUSE_OP_READDIRPLUS, DIRENT(name_length), 4, UINT32_MAX, -EIO, true},
        {list_sub, FUSE_OP_READDIRPLUS, DIRENT(name_length), 4, UINT32_MAX - 7, -EIO, true},
        {list_sub, FUSE_OP_READDIRPLUS, THIRD(ENTRY(node)), 8, 1, -EIO, true},
        {list_sub, FUSE_OP_READDIRPLUS, THIRD(ENTRY(node)), 8, 0, 0, false}, /* it is looked up */
        {list_sub, FUSE_OP_READDIRPLUS, THIRD(ATTR(size)), 8, UINT64_MAX, -EIO, true},
        {list_sub, FUSE_OP_READDIRPLUS, THIRD(HEADER + PLUS_SIZE), 1, 0, 0, false},
        {list_sub, FUSE_OP_READDIRPLUS, THIRD(HEADER + PLUS_SIZE), 1, '/', 0, false},
        {list_sub, FUSE_OP_READDIRPLUS, THIRD(HEADER + PLUS_SIZE), 1, '\n', 0, false},
        {list_sub, FUSE_OP_READDIRPLUS, THIRD(HEADER + PLUS_SIZE), 1, 0x7f, 0, false},
        {list_sub, FUSE_OP_READDIRPLUS, THIRD(DIRENT(name_length)), 4, 300, -EIO, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct virtio_fs_statistics statistics;
        start_liar(tell_one_lie);
        one_lie.opcode = cases[i].opcode;
        one_lie.offset = cases[i].offset;
        one_lie.width = cases[i].width;
        one_lie.value = cases[i].value;
        one_lie.told = 0;
        int result = cases[i].call();
        virtio_fs_get_statistics(fuse_server.fs, &statistics);
        if (one_lie.told == 0 || result != cases[i].result ||
            (statistics.malformed > 0) != cases[i].malformed)
            fail_msg("case %zu: %d, %u malformed", i, result, (unsigned)statistics.malformed);
        /* A lie breaks no device: the next call is served. */
        fuse_server.lie = NULL;
        assert_int_equal(statfs(), 0);
        assert_false(virtio_fs_broken(fuse_server.fs));
        fuse_stop_any();
    }
}

/* ---- sizes ---- */

static enum fuse_opcode resized;
static size_t new_size;
static bool told; /* the header and the device tell the new size */

static void resize(struct fuse_answer *answer)
{
    if (answer->opcode != resized)
        return;
    answer->size = new_size;
    answer->used = (uint32_t)new_size;
    if (told)
        memcpy(answer->bytes, &answer->used, sizeof(answer->used));
}

/* Answers that are cut or grown, whether the header agrees or not. */
static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        enum fuse_opcode opcode;
        int (*call)(void);
        size_t good;
    } calls[] = {
        {FUSE_OP_GETATTR, stat_small, 120}, {FUSE_OP_LOOKUP, stat_small, 144}, {FUSE_OP_OPEN, read_large, 32},
        {FUSE_OP_OPENDIR, list_sub, 32},    {FUSE_OP_STATFS, statfs, 96},
    };

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        start_liar(resize);
        resized = calls[i].opcode;
        for (new_size = 0; new_size < calls[i].good; new_size++) {
            for (int j = 0; j < 2; j++) {
                told = j == 1;
                assert_int_equal(calls[i].call(), -EIO);
            }
        }
        assert_false(virtio_fs_broken(fuse_server.fs));
        /* More than there is room for breaks the ring. */
        new_size = calls[i].good + 1;
        assert_int_equal(calls[i].call(), -EIO);
        assert_true(virtio_fs_broken(fuse_server.fs));
        fuse_stop_any();
    }
}

static void test_read_sizes(void **state)
{
    (void)state;
    start_liar(resize);
    resized = FUSE_OP_READ;
    told = true;
    for (new_size = HEADER; new_size < HEADER + sizeof(memory); new_size += 9973)
        assert_int_equal(read_large(), -ENODATA);
    new_size = HEADER + sizeof(memory);
    assert_int_equal(read_large(), 0);
    new_size++;
    assert_int_equal(read_large(), -EIO);
    assert_true(virtio_fs_broken(fuse_server.fs));
    fuse_stop_any();
}

/* Listings cut at every byte: entries before the cut are told, the cut one is an error unless it is padding.
 */
static void test_listing_cut(void **state)
{
    (void)state;
    size_t ends = 0;

    start_liar(resize);
    resized = FUSE_OP_READDIRPLUS;
    told = true;
    for (new_size = HEADER + 1; new_size < HEADER + 3 * (PLUS_SIZE + 8); new_size++) {
        fuse_server.requests = 0;
        int result = list_sub();
        assert_true(result == -EIO || result == -EOVERFLOW);
        if (result == -EOVERFLOW)
            ends++;
        if (fuse_server.requests > 10000)
            break; /* the same entries again for ever: shown once is enough */
    }
    assert_int_equal(ends, 1);
    fuse_stop_any();
}

/* A listing that never ends is ended. */
static void rewind_listing(struct fuse_answer *answer)
{
    if (answer->opcode != FUSE_OP_READDIR || answer->size == HEADER)
        return;
    uint64_t offset = 0;
    for (size_t at = HEADER; at < answer->size;) {
        struct fuse_directory_entry entry;
        memcpy(&entry, answer->bytes + at, sizeof(entry));
        memcpy(answer->bytes + at + offsetof(struct fuse_directory_entry, offset), &offset, sizeof(offset));
        at += (sizeof(entry) + entry.name_length + 7) & ~(size_t)7;
    }
}

static void test_endless_listing(void **state)
{
    (void)state;
    start_liar(rewind_listing);
    fuse_server.fs->has_readdirplus = false;
    entries_seen = 0;
    assert_int_equal(list_sub(), -EOVERFLOW);
    assert_in_range(entries_seen, 50000, 100000);
    fuse_stop_any();
}

/* ---- no answer, an answer twice ---- */

static void drop(struct fuse_answer *answer)
{
    answer->dropped = answer->opcode == one_lie.opcode;
}

static void test_no_answer(void **state)
{
    (void)state;
    static const enum fuse_opcode opcodes[] = {FUSE_OP_GETATTR, FUSE_OP_LOOKUP, FUSE_OP_OPEN, FUSE_OP_READ,
                                               FUSE_OP_RELEASE};

    for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
        start_liar(drop);
        one_lie.opcode = opcodes[i];
        /* The wait hook sees that nothing will come (a kernel: by its clock). Nobody is told of a failed
         * close. */
        assert_int_equal(read_large(), opcodes[i] == FUSE_OP_RELEASE ? 0 : -EDEADLK);
        assert_true(virtio_fs_broken(fuse_server.fs));
        fuse_stop_any();
    }
}

static void answer_twice(struct fuse_answer *answer)
{
    (void)answer;
    struct fake_ring *ring = &fuse_server.function->queues[1].ring;
    fake_ring_use(ring, 0, 16);
    fake_ring_use(ring, 0, 16);
}

static void test_answers_twice(void **state)
{
    (void)state;
    start_liar(answer_twice);
    assert_int_equal(stat_small(), -EIO);
    assert_true(virtio_fs_broken(fuse_server.fs));
    fuse_stop_any();
}

/* A flood of nonsense is not a flood of log lines. */
static void test_log_is_not_flooded(void **state)
{
    (void)state;
    start_liar(tell_one_lie);
    one_lie.opcode = FUSE_OP_STATFS;
    one_lie.offset = 8;
    one_lie.width = 8;
    one_lie.value = 0;
    for (int i = 0; i < 10000; i++)
        assert_int_equal(statfs(), -EIO);
    assert_in_range(fake_os.log_lines[VIRTIO_LOG_WARNING], 1, 20);
    fuse_stop_any();
}

/* ---- at random ---- */

static uint64_t seed;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % limit);
}

static void mutate(struct fuse_answer *answer)
{
    static const uint64_t values[] = {0,    1,         2,          15,        16,        255,
                                      4096, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};

    if (random_below(3) != 0)
        return;
    size_t within = answer->size < 1024 ? answer->size : 1024;
    for (uint32_t i = 0; i <= random_below(4); i++) {
        size_t at = random_below((uint32_t)within) & ~(size_t)3;
        uint64_t value = values[random_below(sizeof(values) / sizeof(values[0]))];
        memcpy(answer->bytes + at, &value, random_below(2) == 0 ? 4 : 1);
    }
    if (random_below(4) == 0) {
        answer->size = HEADER + random_below(400);
        answer->used = (uint32_t)answer->size;
        memcpy(answer->bytes, &answer->used, sizeof(answer->used));
    }
    if (random_below(50) == 0)
        answer->used = random_below(5000);
    answer->dropped = random_below(200) == 0;
}

static void test_mutations(void **state)
{
    (void)state;
    static int (*const calls[])(void) = {stat_small, stat_link, list_sub, read_large, statfs};
    size_t good = 0;
    size_t bad = 0;
    size_t restarts = 0;

    seed = 3;
    fuse_prepare();
    fuse_server.fs = NULL;
    for (int i = 0; i < MUTATIONS; i++) {
        if (fuse_server.fs == NULL || virtio_fs_broken(fuse_server.fs)) {
            fuse_stop_any();
            fuse_prepare();
            fake_os.reachable = memory;
            fake_os.reachable_size = sizeof(memory);
            fuse_server.lies = true;
            fuse_server.lie = mutate;
            restarts++;
            if (fuse_create() != 0)
                continue;
            fuse_server.fs->has_readdirplus = random_below(2) == 0;
        }
        fuse_server.deadlock = false;
        int result = calls[random_below(sizeof(calls) / sizeof(calls[0]))]();
        assert_true(result <= 0 && result >= -4095);
        if (result == 0)
            good++;
        else
            bad++;
    }
    assert_true(good > MUTATIONS / 20);
    assert_true(bad > MUTATIONS / 20);
    assert_true(restarts > MUTATIONS / 1000);
    fuse_stop_any();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_lie),         cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_read_sizes),      cmocka_unit_test(test_listing_cut),
        cmocka_unit_test(test_endless_listing), cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_answers_twice),   cmocka_unit_test(test_log_is_not_flooded),
        cmocka_unit_test(test_mutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
