/* SPDX-License-Identifier: MIT
 *
 * virtio-fs. A FUSE server with a small tree answers, and the input changes its answers: headers, lengths,
 * ids, attributes, names, offsets, contents, the used ring. While it has not lied, what is read is what is
 * there; whatever it says, no name leads out of a folder and nothing is left behind.
 */
#include <errno.h>

#include "fuzz.h"
#include "unit/virtio/fake_fuse.h"

#define FILES     4
#define STEPS_MAX 200
#define READ_MAX  20000
/* A listing that the host makes endless is cut off at 100,000 names, each looked up and forgotten. */
#define REQUESTS_MAX 400000u
/* Rings, twelve pages and a table each; a listing, a path and a link; open files. */
#define MEMORY_MAX ((12 + 16 + 16 + 8) * 4096u + 65536u)

static struct input *script;
static uint8_t honest_answers; /* until the next lie */
static bool has_lied, has_failed;
static uint64_t nonsense; /* replies that no client may take for an answer */
static struct virtio_fs_file *files[FILES];
static uint64_t nodes[FILES]; /* what the files are */

static const char *const paths[] = {"small",    "large",     "sub/deep/file", "to-deep/file", "chain1",
                                    "sub",      "",          "/small",        "sub/near",     "sub/up",
                                    "absolute", "out",       "loop",          "fifo",         "empty",
                                    "dead",     "long-link", "chain2",        "a//b",         "../small",
                                    ".",        "sub/",      "to-small",      "sub/deep",     "sub/deep/"};
#define PATHS (sizeof(paths) / sizeof(paths[0]))

/* ---- the host ---- */

static uint64_t some_number(uint64_t value)
{
    static const uint64_t numbers[] = {0, 1, UINT32_MAX, UINT64_MAX, INT64_MAX, INT64_MAX + 1ull, 4096, 255};
    uint8_t kind = input_8(script);

    switch (kind % 4) {
    case 0:
        return numbers[kind / 4 % 8];
    case 1:
        return value + 1;
    case 2:
        return value ^ 1ull << kind / 4;
    default:
        return input_64(script);
    }
}

/* Another size, which header and device agree on. */
static void resize(struct fuse_answer *answer, size_t size)
{
    if (size > 70000)
        size = 70000;
    if (size > answer->size)
        memset(answer->bytes + answer->size, 'x', size - answer->size);
    answer->size = size;
    answer->used = (uint32_t)size;
    if (size >= sizeof(uint32_t))
        memcpy(answer->bytes, &answer->used, sizeof(answer->used));
}

static void change_contents(struct fuse_answer *answer, uint8_t kind)
{
    size_t header = sizeof(struct fuse_reply_header), size = answer->size - header;
    size_t width = (size_t)1 << kind / 16 % 4;
    uint64_t value = 0;

    if (size < width)
        return;
    size_t at = header + input_below(script, size < 256 ? size : 65535) % (size - width + 1);
    if (kind & 0x80)
        at &= ~(size_t)7; /* where fields are */
    if (at < header)
        at = header;
    memcpy(&value, answer->bytes + at, width);
    value = some_number(value);
    memcpy(answer->bytes + at, &value, at + width <= answer->size ? width : 1);
}

static void lie(struct fuse_answer *answer)
{
    struct fuse_reply_header header;

    if (honest_answers > 0 || input_left(script) == 0) {
        honest_answers = (uint8_t)(honest_answers - (honest_answers > 0));
        return;
    }
    honest_answers = input_8(script) % 16;
    uint8_t kind = input_8(script);
    struct fake_ring *ring = &fuse_server.function->queues[1].ring;
    memcpy(&header, answer->bytes, sizeof(header));
    const uint64_t unique = header.unique;
    has_lied = fuse_server.lies = true;
    switch (kind % 16) {
    case 0:
        header.length = (uint32_t)some_number(header.length);
        break;
    case 1:
        header.error = (int32_t)some_number((uint64_t)-1);
        break;
    case 2:
        header.error = -(int32_t)input_8(script);
        break;
    case 3:
        header.unique = some_number(header.unique);
        break;
    case 4:
        answer->used = (uint32_t)some_number(answer->used);
        break;
    case 5:
        answer->dropped = kind >= 0xc0;
        break;
    case 6:
        resize(answer, input_16(script));
        return;
    case 7: { /* the contents are the input's */
        uint8_t bytes[255];
        size_t size = input_bytes(script, bytes, kind / 16 * 16u);
        resize(answer, sizeof(header) + size);
        memcpy(answer->bytes + sizeof(header), bytes, size);
        return;
    }
    case 8: /* no chain that it holds: that one would be written to after it is gone */
        if (kind >= 0x80)
            fake_ring_use(ring, input_32(script) | FAKE_CHAIN_MAX, input_32(script));
        else
            fake_ring_skip(ring, (uint16_t)(FAKE_CHAIN_MAX + input_16(script) % 60000));
        return;
    case 9:
        if (kind >= 0xc0)
            fuse_server.function->status |= 64;
        return;
    default:
        change_contents(answer, kind);
        return;
    }
    if (!answer->dropped && (header.unique != unique || header.length != answer->used || header.error > 0 ||
                             header.error < -4095 || (header.error != 0 && header.length != sizeof(header))))
        nonsense++;
    memcpy(answer->bytes, &header, sizeof(header));
}

/* ---- the callers ---- */

static void check_error(int error)
{
    /* Its own, and what a server may say. */
    assert_true(error <= 0 && error >= -4095);
    /* What only memory or waiting can be the cause of. */
    if (!has_lied && !has_failed)
        assert_true(error != -EIO && error != -ENOMEM && error != -EDEADLK);
}

static const char *some_path(void)
{
    return paths[input_8(script) % PATHS];
}

static void stat_path(const char *path)
{
    struct virtio_fs_attributes attributes = {.size = UINT64_MAX};
    int error = virtio_fs_stat(fuse_server.fs, path, &attributes);

    check_error(error);
    if (error == 0)
        assert_true(attributes.size <= INT64_MAX && attributes.type <= VIRTIO_FS_OTHER);
}

static void open_path(const char *path)
{
    for (size_t i = 0; i < FILES; i++) {
        if (files[i] != NULL)
            continue;
        int error = virtio_fs_open(fuse_server.fs, path, &files[i]);
        check_error(error);
        if (error != 0) {
            files[i] = NULL;
            return;
        }
        assert_true(virtio_fs_file_size(files[i]) <= INT64_MAX);
        nodes[i] = has_lied ? 0 : files[i]->node;
        return;
    }
}

static void close_file(size_t i)
{
    if (files[i] != NULL)
        virtio_fs_close(files[i]);
    files[i] = NULL;
}

static void read_file(size_t i)
{
    static const size_t pieces[] = {SIZE_MAX, 4096, 1000, 64};
    uint64_t offset = input_16(script);
    size_t size = input_16(script) % READ_MAX;
    uint8_t flags = input_8(script);

    if (files[i] == NULL)
        return;
    if (flags & 4)
        offset = input_64(script);
    fake_os.piece_size = pieces[flags & 3];
    fake_os.reachable = malloc(size);
    /* The rest is memory that no device reaches. */
    fake_os.reachable_size = flags & 8 ? size / 2 / fake_os.piece_size * fake_os.piece_size : size;
    if (size > 0)
        memset(fake_os.reachable, 0x5a, size);
    bool honest = !has_lied;
    int error = virtio_fs_read(files[i], offset, fake_os.reachable, size);
    if (error != -EFAULT)
        check_error(error);
    if (error == 0 && honest && !has_lied && nodes[i] != 0) {
        assert_true(offset + size <= virtio_fs_file_size(files[i]) || size == 0);
        for (size_t at = 0; at < size; at++)
            assert_int_equal(fake_os.reachable[at], fuse_byte(nodes[i], offset + at));
    }
    free(fake_os.reachable);
    fake_os.reachable = NULL;
}

struct listing {
    size_t count, stop_at;
};

static int on_entry(void *context, const char *name, const struct virtio_fs_attributes *attributes)
{
    struct listing *listing = context;
    size_t length = strnlen(name, VIRTIO_FS_NAME_MAX + 1);

    assert_true(length > 0 && length <= VIRTIO_FS_NAME_MAX);
    for (size_t i = 0; i < length; i++)
        assert_true((unsigned char)name[i] >= 0x20 && name[i] != 0x7f && name[i] != '/');
    assert_true(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    assert_true(attributes->size <= INT64_MAX && attributes->type <= VIRTIO_FS_OTHER);
    return ++listing->count == listing->stop_at ? 77 : 0;
}

static void list(const char *path, size_t stop_at)
{
    struct listing listing = {0, stop_at};
    int error = virtio_fs_list(fuse_server.fs, path, on_entry, &listing);

    if (error == 77)
        assert_int_equal(listing.count, stop_at);
    else
        check_error(error);
    assert_true(listing.count <= 100000);
}

static void one_step(void)
{
    struct virtio_fs_space space;
    uint8_t operation = input_8(script);

    switch (operation % 8) {
    case 0:
        stat_path(some_path());
        break;
    case 1:
        open_path(some_path());
        break;
    case 2:
    case 3:
        read_file(operation / 8 % FILES);
        break;
    case 4:
        list(some_path(), operation / 8);
        break;
    case 5:
        close_file(operation / 8 % FILES);
        break;
    case 6:
        check_error(virtio_fs_statfs(fuse_server.fs, &space));
        break;
    default: /* things go wrong on our side */
        has_failed = true;
        fake_os.fail_at = operation & 8 ? 1 + operation / 32 : 0;
        fuse_server.fail_wait_at = operation & 16 ? fuse_server.waits + 1 + operation / 32 : 0;
        break;
    }
}

static void prepare(void)
{
    uint8_t start = input_8(script);

    fuse_prepare();
    fuse_server.lie = lie;
    fuse_server.max_write = 4096; /* small reads: more of them in one */
    fuse_server.last_first = (start & 1) != 0;
    fuse_server.listing_max = start & 2 ? 3 : 0;
    fuse_server.answers_per_step = start & 4 ? 1 : 0;
    if (start & 8)
        fuse_server.flags = 0; /* no READDIRPLUS */
    if (start & 16)
        fuse_server.function->offered &= ~(1ull << 28); /* no indirect descriptors */
    if (start & 32) {
        has_lied = fuse_server.lies = true;
        fuse_server.major = input_8(script) % 9;
        fuse_server.minor = input_8(script);
        fuse_server.max_write = (uint32_t)some_number(4096);
        for (size_t i = 0; i < 2; i++)
            fuse_server.function->queues[i].size_max = input_8(script);
        uint8_t at = input_8(script) % FAKE_CONFIG_SIZE;
        fuse_server.function->device_config[at] = input_8(script);
    }
    honest_answers = start & 64 ? input_8(script) : 255;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size, 0};

    script = &input;
    has_lied = has_failed = false;
    nonsense = 0;
    memset(files, 0, sizeof(files));
    prepare();
    int error = fuse_create();
    check_error(error);
    if (error == 0) {
        for (const char *at = virtio_fs_tag(fuse_server.fs); *at != '\0'; at++)
            assert_true(*at >= 0x20 && *at < 0x7f);
        honest_answers =
            honest_answers == 255 || fuse_server.requests == 0 ? input_8(script) % 16 : honest_answers;
        for (size_t steps = 0; input_left(script) > 0 && steps < STEPS_MAX; steps++) {
            one_step();
            assert_true(fake_os.bytes_peak <= MEMORY_MAX);
            assert_true(fuse_server.requests <= REQUESTS_MAX);
            struct virtio_fs_statistics statistics;
            virtio_fs_get_statistics(fuse_server.fs, &statistics);
            if (!virtio_fs_broken(fuse_server.fs))
                assert_true(statistics.malformed >= nonsense);
            else {
                struct virtio_fs_space space;
                assert_true(has_lied || has_failed);
                assert_int_equal(virtio_fs_statfs(fuse_server.fs, &space), -EIO);
            }
        }
        fake_os.fail_at = 0;
        for (size_t i = 0; i < FILES; i++)
            close_file(i);
        if (!has_lied && !has_failed)
            fuse_check_quiet();
    }
    fuse_stop_any();
    return 0;
}
