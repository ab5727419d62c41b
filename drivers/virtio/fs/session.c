/* SPDX-License-Identifier: MIT
 *
 * The device and the FUSE session: virtio 1.2, sections 5.11.2 to 5.11.5.
 */
#include <errno.h>
#include <string.h>

#include "fs/private.h"
#include "log.h"

/* Section 5.11.2; without the notification feature queue 1 is the first request queue. */
enum { QUEUE_PRIORITY = 0, QUEUE_REQUEST = 1 };

#define PRIORITY_SLOTS 16
#define REQUEST_SLOTS  128 /* descriptors, for hosts without INDIRECT_DESC; ours need one each */
#define READ_SIZE_MIN  4096u

/* Section 5.11.4: the tag is padded with NUL, and not terminated when it takes all 36 bytes. */
struct fs_config_space {
    uint8_t tag[FS_TAG_MAX];
    uint32_t request_queues;
};
_Static_assert(sizeof(struct fs_config_space) == 40, "5.11.4");

static int read_config(struct virtio_fs *fs)
{
    struct fs_config_space space;
    int error = virtio_device_config(fs->device, 0, &space, sizeof(space));

    if (error != 0)
        return error;
    size_t length = 0;
    for (; length < FS_TAG_MAX && space.tag[length] != '\0'; length++)
        fs->tag[length] =
            (char)(space.tag[length] >= 0x20 && space.tag[length] < 0x7f ? space.tag[length] : '?');
    fs->tag[length] = '\0';
    return space.request_queues > 0 ? 0 : -EPROTO;
}

static int set_up(struct virtio_fs *fs)
{
    uint64_t features = 0;
    int error = virtio_device_negotiate(fs->device, 0, &features);

    if (error == 0)
        error = read_config(fs);
    if (error == 0)
        error = virtio_device_queue(fs->device, QUEUE_PRIORITY, PRIORITY_SLOTS, fs_on_interrupt, fs,
                                    &fs->priority_queue);
    if (error == 0)
        error = virtio_device_queue(fs->device, QUEUE_REQUEST, REQUEST_SLOTS, fs_on_interrupt, fs,
                                    &fs->request_queue);
    if (error == 0 && virtio_queue_size(fs->request_queue) < FS_QUEUE_MIN)
        error = -EPROTO;
    if (error == 0)
        error = virtio_device_start(fs->device);
    return error;
}

static int open_session(struct virtio_fs *fs)
{
    const struct fuse_init_request body = {
        .major = FUSE_MAJOR,
        .minor = FUSE_MINOR,
        .max_readahead = FS_READ_SIZE,
        .flags =
            FUSE_INIT_ASYNC_READ | FUSE_INIT_READDIRPLUS | FUSE_INIT_PARALLEL_DIROPS | FUSE_INIT_MAX_PAGES,
    };
    struct fuse_init_reply reply;
    int error = fs_call(fs, FUSE_OP_INIT, 0, &body, sizeof(body), NULL, &reply, sizeof(reply));

    if (error != 0)
        return error;
    if (reply.major != FUSE_MAJOR || reply.minor < FUSE_MINOR) {
        virtio_log(fs->os, VIRTIO_LOG_ERROR, "fs",
                   "%s: the server speaks FUSE %u.%u; 7.%u or a later 7 is needed", fs->tag, reply.major,
                   reply.minor, FUSE_MINOR);
        return -EPROTO;
    }
    fs->has_readdirplus = (reply.flags & FUSE_INIT_READDIRPLUS) != 0;
    /* The server's limit for one WRITE bounds its buffers, so READs keep to it, too. */
    fs->read_size = reply.max_write < FS_READ_SIZE ? reply.max_write : FS_READ_SIZE;
    if (fs->read_size < READ_SIZE_MIN)
        fs->read_size = READ_SIZE_MIN;
    virtio_log(fs->os, VIRTIO_LOG_INFO, virtio_device_name(fs->device),
               "fs: share '%s', FUSE 7.%u, reads of %u KiB", fs->tag, reply.minor, fs->read_size / 1024);
    return 0;
}

int virtio_fs_create(struct virtio_device *device, const struct virtio_fs_config *config,
                     struct virtio_fs **fs)
{
    const struct virtio_os *os = virtio_device_os(device);
    struct virtio_fs *created = os->alloc(os->context, sizeof(*created));

    if (created == NULL) {
        virtio_device_destroy(device);
        return -ENOMEM;
    }
    memset(created, 0, sizeof(*created));
    created->os = os;
    created->device = device;
    created->config = *config;
    created->next_unique = 1;
    int error = set_up(created);
    if (error == 0)
        error = open_session(created);
    if (error != 0) {
        virtio_fs_destroy(created);
        return error;
    }
    *fs = created;
    return 0;
}

void virtio_fs_destroy(struct virtio_fs *fs)
{
    const struct virtio_os *os = fs->os;

    /* First the device, then the memory that it may have been writing to. */
    virtio_device_destroy(fs->device);
    for (size_t i = 0; i < FS_REQUESTS; i++)
        if (fs->requests[i].memory != NULL)
            os->free_aligned(os->context, fs->requests[i].memory, FS_PAGE_SIZE);
    os->free(os->context, fs, sizeof(*fs));
}

bool virtio_fs_broken(const struct virtio_fs *fs)
{
    return fs->broken;
}

void virtio_fs_remind(struct virtio_fs *fs)
{
    if (fs->broken)
        return;
    virtio_queue_kick_again(fs->priority_queue);
    virtio_queue_kick_again(fs->request_queue);
}

const char *virtio_fs_tag(const struct virtio_fs *fs)
{
    return fs->tag;
}

void virtio_fs_get_statistics(const struct virtio_fs *fs, struct virtio_fs_statistics *statistics)
{
    *statistics = fs->statistics;
}
