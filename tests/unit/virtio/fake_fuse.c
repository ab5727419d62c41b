/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_fuse.h"

#define QUEUE_SIZE 128

struct fuse_server fuse_server;

static struct {
    struct fake_chain chain;
    bool priority;
} held[QUEUE_SIZE];
static size_t held_count;

static pthread_mutex_t running = PTHREAD_MUTEX_INITIALIZER; /* the task that runs holds it */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* ---- the tree ---- */

static void add(const char *path_parent, const char *name, uint32_t mode, uint64_t size, const char *target)
{
    uint64_t parent = path_parent == NULL ? FUSE_ROOT_ID : 0;

    for (size_t i = 2; parent == 0 && i < fuse_server.node_count; i++)
        if (strcmp(fuse_server.nodes[i].name, path_parent) == 0)
            parent = i;
    assert_true(parent != 0 && fuse_server.node_count < FUSE_NODES);
    fuse_server.nodes[fuse_server.node_count++] = (struct fuse_node){name, parent, mode, size, target, 0};
}

static void plant(void)
{
    static char long_target[VIRTIO_FS_PATH_MAX + 1];
    static const char *const chain[] = {"chain1", "chain2", "chain3", "chain4", "chain5",
                                        "chain6", "chain7", "chain8", "chain9", "small"};
    const uint32_t file = FUSE_MODE_FILE | 0644;
    const uint32_t directory = FUSE_MODE_DIRECTORY | 0755;
    const uint32_t link = FUSE_MODE_LINK | 0777;

    fuse_server.nodes[1] = (struct fuse_node){.name = "", .parent = 1, .mode = directory};
    fuse_server.node_count = 2;
    add(NULL, "empty", file, 0, NULL);
    add(NULL, "small", file, 100, NULL);
    add(NULL, "large", file, 10 * 1024 * 1024 + 1, NULL);
    add(NULL, "fifo", 0010644, 0, NULL);
    add(NULL, "sub", directory, 0, NULL);
    add("sub", "deep", directory, 0, NULL);
    add("deep", "file", file, 5000, NULL);
    add(NULL, "to-small", link, 0, "small");
    add(NULL, "to-deep", link, 0, "./sub//deep");
    add("sub", "near", link, 0, "deep/file");
    for (size_t i = 0; i < 9; i++)
        add(NULL, chain[i], link, 0, chain[i + 1]);
    add(NULL, "loop", link, 0, "loop");
    add(NULL, "absolute", link, 0, "/small");
    add(NULL, "out", link, 0, "../small");
    add("sub", "up", link, 0, "../small");
    memset(long_target, 'x', VIRTIO_FS_PATH_MAX);
    add(NULL, "long-link", link, 0, long_target);
    add(NULL, "dead", link, 0, "missing");
    add(NULL, "blank", link, 0, "");
}

uint64_t fuse_find(uint64_t parent, const char *name)
{
    for (size_t i = 2; i < fuse_server.node_count; i++)
        if (fuse_server.nodes[i].parent == parent && strcmp(fuse_server.nodes[i].name, name) == 0)
            return i;
    return 0;
}

uint8_t fuse_byte(uint64_t node, uint64_t offset)
{
    return (uint8_t)(offset * 31 + (offset >> 12) * 7 + node);
}

static struct fuse_attributes attributes_of(uint64_t node)
{
    const struct fuse_node *found = &fuse_server.nodes[node];

    return (struct fuse_attributes){
        .inode = node + 100, .size = found->size, .mode = found->mode, .links = 1};
}

/* ---- answers: each returns an errno, and appends its contents ---- */

static void append(struct fuse_answer *answer, const void *bytes, size_t size)
{
    assert_true(size <= sizeof(answer->bytes) - answer->size);
    if (size > 0)
        memcpy(answer->bytes + answer->size, bytes, size);
    answer->size += size;
}

static int answer_init(struct fuse_answer *answer, const struct fuse_init_request *request)
{
    assert_int_equal(request->major, FUSE_MAJOR);
    assert_int_equal(request->minor, FUSE_MINOR);
    const struct fuse_init_reply reply = {.major = fuse_server.major,
                                          .minor = fuse_server.minor,
                                          .flags = fuse_server.flags & request->flags,
                                          .max_write = fuse_server.max_write};
    append(answer, &reply, sizeof(reply));
    return 0;
}

static struct fuse_entry look_up(uint64_t node)
{
    fuse_server.nodes[node].lookups++;
    return (struct fuse_entry){.node = node, .attributes = attributes_of(node)};
}

static int answer_lookup(struct fuse_answer *answer, uint64_t parent, const char *name)
{
    /* Nothing that a server could take for a way out of the folder. */
    assert_in_range(strlen(name), 1, VIRTIO_FS_NAME_MAX);
    assert_null(strchr(name, '/'));
    assert_true(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    uint64_t node = fuse_find(parent, name);

    if (node == 0)
        return ENOENT;
    struct fuse_entry entry = look_up(node);
    append(answer, &entry, sizeof(entry));
    return 0;
}

/* "." and "..", then the nodes in their order; an entry's offset is that of the next. */
static int answer_listing(struct fuse_answer *answer, uint64_t directory,
                          const struct fuse_read_request *request, bool plus)
{
    size_t limit = fuse_server.listing_max;

    for (uint64_t i = request->offset; i < fuse_server.node_count; i++) {
        const char *name = i == 0 ? "." : i == 1 ? ".." : fuse_server.nodes[i].name;
        if (i > 1 && fuse_server.nodes[i].parent != directory)
            continue;
        size_t fixed = (plus ? sizeof(struct fuse_entry) : 0) + sizeof(struct fuse_directory_entry);
        size_t size = (fixed + strlen(name) + 7) & ~(size_t)7;
        if (answer->size - sizeof(struct fuse_reply_header) + size > request->size)
            break;
        if (plus) {
            struct fuse_entry entry = {0};
            if (i > 1)
                entry = look_up(i);
            append(answer, &entry, sizeof(entry));
        }
        const struct fuse_directory_entry entry = {i, i + 1, (uint32_t)strlen(name), 0};
        append(answer, &entry, sizeof(entry));
        append(answer, name, strlen(name));
        append(answer, "\0\0\0\0\0\0\0", size - fixed - strlen(name));
        if (--limit == 0)
            break;
    }
    return 0;
}

static int answer_read(struct fuse_answer *answer, uint64_t node, const struct fuse_read_request *request)
{
    uint64_t end = fuse_server.nodes[node].size;

    assert_true(request->size > 0 && request->size <= FS_READ_SIZE);
    if (end > request->offset + request->size)
        end = request->offset + request->size;
    for (uint64_t at = request->offset; at < end; at++)
        answer->bytes[answer->size++] = fuse_byte(node, at);
    return 0;
}

static int answer_request(struct fuse_answer *answer, const struct fuse_request_header *header,
                          const void *body)
{
    uint64_t node = header->node;

    if (node >= fuse_server.node_count) {
        assert_true(fuse_server.lies);
        return ESTALE;
    }
    if (node > 1 && !fuse_server.lies)
        assert_true(fuse_server.nodes[node].lookups > 0);
    switch (header->opcode) {
    case FUSE_OP_INIT:
        return answer_init(answer, body);
    case FUSE_OP_LOOKUP:
        return answer_lookup(answer, node, body);
    case FUSE_OP_GETATTR: {
        const struct fuse_getattr_reply reply = {.attributes = attributes_of(node)};
        append(answer, &reply, sizeof(reply));
        return 0;
    }
    case FUSE_OP_READLINK:
        if (fuse_server.nodes[node].target == NULL)
            return EINVAL;
        append(answer, fuse_server.nodes[node].target, strlen(fuse_server.nodes[node].target));
        return 0;
    case FUSE_OP_OPEN:
    case FUSE_OP_OPENDIR: {
        const struct fuse_open_reply reply = {.handle = node + 1000};
        fuse_server.open_files++;
        append(answer, &reply, sizeof(reply));
        return 0;
    }
    case FUSE_OP_RELEASE:
    case FUSE_OP_RELEASEDIR:
        fuse_server.open_files--;
        return 0;
    case FUSE_OP_READ:
        return answer_read(answer, node, body);
    case FUSE_OP_READDIR:
    case FUSE_OP_READDIRPLUS:
        return answer_listing(answer, node, body, header->opcode == FUSE_OP_READDIRPLUS);
    case FUSE_OP_STATFS: {
        const struct fuse_statfs_reply reply = {
            .blocks = 1000, .free_blocks = 10, .block_size = 512, .fragment_size = 4096};
        append(answer, &reply, sizeof(reply));
        return 0;
    }
    default:
        fail_msg("opcode %u", header->opcode);
        return ENOSYS;
    }
}

/* ---- the device ---- */

static void forget(const struct fuse_request_header *header, const uint8_t *body)
{
    uint64_t count;

    memcpy(&count, body, sizeof(count));
    if (fuse_server.lies)
        return;
    assert_in_range(header->node, 2, fuse_server.node_count - 1);
    fuse_server.nodes[header->node].lookups -= (long)count;
    assert_true(fuse_server.nodes[header->node].lookups >= 0);
}

static void serve(const struct fake_chain *chain, bool priority)
{
    static struct fuse_answer answer;
    struct fuse_request_header header;
    _Alignas(8) uint8_t request[FS_PAGE_SIZE];
    struct fake_ring *ring = &fuse_server.function->queues[priority ? 0 : 1].ring;

    assert_true(chain->readable_size <= sizeof(request));
    assert_int_equal(fake_chain_read(chain, request, sizeof(request)), chain->readable_size);
    memcpy(&header, request, sizeof(header));
    assert_int_equal(header.length, chain->readable_size);
    assert_true(header.unique > 0);
    assert_int_equal(header.opcode == FUSE_OP_FORGET, priority);
    fuse_server.requests++;
    fuse_server.opcodes[header.opcode % FUSE_OPCODE_MAX]++;
    if (priority) {
        assert_int_equal(chain->writable_size, 0);
        forget(&header, request + sizeof(header));
        fake_ring_use(ring, chain->id, 0);
        return;
    }
    answer.opcode = (enum fuse_opcode)header.opcode;
    answer.size = sizeof(struct fuse_reply_header);
    answer.dropped = false;
    int error = (int)header.opcode == fuse_server.fail_opcode
                    ? fuse_server.error
                    : answer_request(&answer, &header, request + sizeof(header));
    if (error != 0)
        answer.size = sizeof(struct fuse_reply_header);
    const struct fuse_reply_header reply = {(uint32_t)answer.size, -error, header.unique};
    memcpy(answer.bytes, &reply, sizeof(reply));
    answer.used = (uint32_t)answer.size;
    if (fuse_server.lie != NULL)
        fuse_server.lie(&answer);
    if (answer.dropped)
        return;
    if (answer.size > chain->writable_size) {
        assert_true(fuse_server.lies);
        answer.size = chain->writable_size;
    }
    assert_int_equal(fake_chain_write(chain, answer.bytes, answer.size), answer.size);
    fake_ring_use(ring, chain->id, answer.used);
}

static void collect(bool priority)
{
    struct fake_ring *ring = &fuse_server.function->queues[priority ? 0 : 1].ring;

    while (ring->size != 0 && held_count < QUEUE_SIZE && fake_ring_take(ring, &held[held_count].chain))
        held[held_count++].priority = priority;
}

/* Answers some requests. Returns whether there was any. */
static bool step(void)
{
    if ((fuse_server.function->status & 4) == 0)
        return false; /* reset: what it held is gone */
    collect(true);
    collect(false);
    if (held_count > fuse_server.held_peak)
        fuse_server.held_peak = held_count;
    size_t count = fuse_server.answers_per_step;
    if (count == 0 || count > held_count)
        count = held_count;
    for (size_t i = 0; i < count; i++) {
        size_t which = fuse_server.last_first ? held_count - 1 : 0;
        serve(&held[which].chain, held[which].priority);
        held_count--;
        memmove(&held[which], &held[which + 1], (held_count - which) * sizeof(held[0]));
    }
    for (unsigned i = 0; i < 2; i++)
        fake_pci_signal(fuse_server.function, i);
    return count > 0;
}

/* ---- waiting, as tasks of a kernel do ---- */

static void wake(void *context)
{
    assert_ptr_equal(context, &fuse_server);
    if (fuse_server.sleepers == 0) {
        fuse_server.raised = true;
        return;
    }
    fuse_server.sleepers = 0; /* all may run, and will */
    fuse_server.generation++;
    pthread_cond_broadcast(&changed);
}

static int wait(void *context)
{
    assert_ptr_equal(context, &fuse_server);
    if (++fuse_server.waits == fuse_server.fail_wait_at)
        return -ETIMEDOUT;
    if (fuse_server.raised) {
        fuse_server.raised = false;
        return 0;
    }
    unsigned long generation = fuse_server.generation;
    fuse_server.sleepers++;
    while (fuse_server.generation == generation && !fuse_server.deadlock) {
        if (fuse_server.sleepers < fuse_server.tasks) {
            pthread_cond_wait(&changed, &running);
        } else if (!step()) {
            fuse_server.deadlock = true;
            fuse_server.sleepers = 0;
            pthread_cond_broadcast(&changed);
        }
    }
    return fuse_server.deadlock ? -EDEADLK : 0;
}

struct task {
    pthread_t thread;
    void (*run)(size_t number);
    size_t number;
};

static void *task_main(void *argument)
{
    struct task *task = argument;

    pthread_mutex_lock(&running);
    task->run(task->number);
    fuse_server.tasks--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&running);
    return NULL;
}

void fuse_run_tasks(size_t count, void (*run)(size_t number))
{
    struct task tasks[FUSE_TASKS];

    assert_true(count <= FUSE_TASKS);
    pthread_mutex_lock(&running);
    fuse_server.tasks = count;
    for (size_t i = 0; i < count; i++) {
        tasks[i] = (struct task){.run = run, .number = i};
        assert_int_equal(pthread_create(&tasks[i].thread, NULL, task_main, &tasks[i]), 0);
    }
    pthread_mutex_unlock(&running);
    for (size_t i = 0; i < count; i++)
        pthread_join(tasks[i].thread, NULL);
    fuse_server.tasks = 1;
}

/* ---- start and end ---- */

void fuse_prepare(void)
{
    fake_pci_clear();
    fake_os_start();
    fake_os.piece_size = SIZE_MAX;
    held_count = 0;
    memset(&fuse_server, 0, sizeof(fuse_server));
    plant();
    fuse_server.major = FUSE_MAJOR;
    fuse_server.minor = 36;
    fuse_server.flags = UINT32_MAX;
    fuse_server.max_write = FS_READ_SIZE;
    fuse_server.tasks = 1;
    fuse_server.function = fake_pci_add_virtio(4 << 3, VIRTIO_ID_FS, 5);
    memcpy(fuse_server.function->device_config, "models", 6);
    fuse_server.function->device_config[36] = 1;
}

static int take_device(void *context, struct virtio_device *device)
{
    *(struct virtio_device **)context = device;
    return 0;
}

int fuse_create(void)
{
    const struct virtio_fs_config config = {.wait = wait, .wake = wake, .context = &fuse_server};
    struct virtio_device *device = NULL;
    int found = virtio_pci_scan(&fake_os.hooks, take_device, &device);

    if (found <= 0)
        return found < 0 ? found : -ENOMEM; /* a scan passes over what it has no memory for */
    int error = virtio_fs_create(device, &config, &fuse_server.fs);
    if (error != 0)
        fuse_server.fs = NULL;
    return error;
}

void fuse_start(void)
{
    fuse_prepare();
    assert_int_equal(fuse_create(), 0);
}

void fuse_check_quiet(void)
{
    struct virtio_fs_statistics statistics;

    /* FORGET has no answer to wait for: let the server see those on their way. */
    while (step())
        continue;
    for (size_t i = 2; i < fuse_server.node_count; i++)
        if (fuse_server.nodes[i].lookups != 0)
            fail_msg("'%s' is looked up %ld times", fuse_server.nodes[i].name, fuse_server.nodes[i].lookups);
    assert_int_equal(fuse_server.open_files, 0);
    assert_false(fuse_server.deadlock);
    virtio_fs_get_statistics(fuse_server.fs, &statistics);
    assert_true(statistics.in_flight <= FS_REQUESTS);
    for (size_t i = 0; i < FS_REQUESTS; i++)
        assert_true(!fuse_server.fs->requests[i].busy || fuse_server.fs->requests[i].forgotten);
}

void fuse_stop_any(void)
{
    if (fuse_server.fs != NULL)
        virtio_fs_destroy(fuse_server.fs);
    assert_int_equal(fuse_server.function->status, 0);
    fake_os_stop();
    fake_pci_clear();
}

void fuse_stop(void)
{
    fuse_check_quiet();
    fuse_stop_any();
}
