/* SPDX-License-Identifier: MIT
 *
 * Open files, and reads with several requests in flight.
 */
#include <errno.h>
#include <string.h>

#include "fs/private.h"

int virtio_fs_open(struct virtio_fs *fs, const char *path, struct virtio_fs_file **file)
{
    const struct fuse_open_request body = {.flags = 0}; /* O_RDONLY */
    struct virtio_fs_attributes attributes;
    struct fuse_open_reply reply;
    struct fs_node node;
    int error = fs_resolve(fs, path, &node);

    if (error != 0)
        return error;
    struct virtio_fs_file *opened = NULL;
    error = fs_attributes_check(fs, &node.attributes, &attributes);
    if (error == 0 && attributes.type != VIRTIO_FS_FILE)
        error = attributes.type == VIRTIO_FS_DIRECTORY ? -EISDIR : -EINVAL;
    if (error == 0) {
        opened = fs->os->alloc(fs->os->context, sizeof(*opened));
        error = opened == NULL
                    ? -ENOMEM
                    : fs_call(fs, FUSE_OP_OPEN, node.id, &body, sizeof(body), NULL, &reply, sizeof(reply));
    }
    if (error != 0) {
        if (opened != NULL)
            fs->os->free(fs->os->context, opened, sizeof(*opened));
        fs_node_release(fs, &node);
        return error;
    }
    *opened =
        (struct virtio_fs_file){.fs = fs, .node = node.id, .handle = reply.handle, .size = attributes.size};
    *file = opened;
    return 0;
}

void virtio_fs_close(struct virtio_fs_file *file)
{
    struct virtio_fs *fs = file->fs;
    const struct fuse_release_request body = {.handle = file->handle};

    (void)fs_call(fs, FUSE_OP_RELEASE, file->node, &body, sizeof(body), NULL, NULL, 0);
    fs_forget(fs, file->node);
    fs->os->free(fs->os->context, file, sizeof(*file));
}

uint64_t virtio_fs_file_size(const struct virtio_fs_file *file)
{
    return file->size;
}

/* Describes up to fs->read_size bytes of the caller's memory. Returns how many, 0 where the device cannot
 * reach them. */
static uint32_t gather(const struct virtio_fs *fs, uint8_t *memory, size_t size,
                       struct virtio_buffer *buffers, size_t *count)
{
    uint32_t gathered = 0;

    if (size > fs->read_size)
        size = fs->read_size;
    /* Section 2.7.5.3.1: a chain is no longer than its queue. */
    size_t most = virtio_queue_size(fs->request_queue) - 2u;
    for (*count = 0; *count < most && *count < FS_READ_BUFFERS && gathered < size; ++*count) {
        uint64_t physical = 0;
        size_t contiguous = fs->os->translate(fs->os->context, memory + gathered, size - gathered, &physical);
        if (contiguous == 0)
            break;
        if (contiguous > size - gathered)
            contiguous = size - gathered;
        buffers[*count] = (struct virtio_buffer){physical, (uint32_t)contiguous};
        gathered += (uint32_t)contiguous;
    }
    return gathered;
}

static int send_read(struct virtio_fs_file *file, struct fs_request *request, uint64_t offset,
                     uint8_t *memory, size_t size, uint32_t *asked)
{
    struct virtio_fs *fs = file->fs;
    struct virtio_buffer buffers[FS_READ_BUFFERS];
    size_t count = 0;

    *asked = gather(fs, memory, size, buffers, &count);
    if (*asked == 0)
        return -EFAULT;
    const struct fuse_read_request body = {.handle = file->handle, .offset = offset, .size = *asked};
    return fs_request_send(fs, request, FUSE_OP_READ, file->node, &body, sizeof(body), NULL, buffers, count,
                           *asked);
}

int virtio_fs_read(struct virtio_fs_file *file, uint64_t offset, void *memory, size_t size)
{
    struct virtio_fs *fs = file->fs;
    struct fs_request *window[FS_READ_WINDOW];
    size_t first = 0, in_window = 0, sent = 0;
    int error = 0;

    if (size > INT64_MAX || offset > INT64_MAX - (uint64_t)size)
        return -EINVAL;
    while (in_window > 0 || (sent < size && error == 0)) {
        /* Fill the window, but wait for a free request only when there is no answer of our own to wait for:
         * several reads that hold some and wait for more would wait for each other. */
        while (error == 0 && sent < size && in_window < FS_READ_WINDOW) {
            uint32_t asked = 0;
            struct fs_request *request =
                in_window == 0 ? fs_request_take(fs, &error) : fs_request_try(fs, &error);
            if (request == NULL)
                break;
            error = send_read(file, request, offset + sent, (uint8_t *)memory + sent, size - sent, &asked);
            if (error != 0) {
                fs_request_release(fs, request);
                break;
            }
            window[(first + in_window++) % FS_READ_WINDOW] = request;
            sent += asked;
        }
        if (in_window == 0)
            break;
        /* Every answer is waited for, also after an error: until then the device may write to the caller's
         * memory. */
        struct fs_request *request = window[first];
        int64_t got = fs_request_wait(fs, request);
        if (error == 0 && got < 0)
            error = (int)got;
        else if (error == 0 && (uint32_t)got < request->reply_size)
            error = -ENODATA;
        if (got > 0)
            fs->statistics.bytes_read += (uint64_t)got;
        fs_request_release(fs, request);
        first = (first + 1) % FS_READ_WINDOW;
        in_window--;
    }
    return error;
}
