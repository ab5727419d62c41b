/* SPDX-License-Identifier: MIT
 *
 * Requests and replies: virtio 1.2, section 5.11.6. A chain is the request, then the reply's header, then its
 * contents.
 */
#include <errno.h>
#include <string.h>

#include "fs/private.h"
#include "log.h"

#define LINUX_ERRNO_MAX 4095

VIRTIO_INTERRUPT_CODE void fs_on_interrupt(void *argument)
{
    struct virtio_fs *fs = argument;

    fs->config.wake(fs->config.context);
}

int fs_malformed(struct virtio_fs *fs, const char *what)
{
    uint64_t count = ++fs->statistics.malformed;

    /* Not a line for each of a flood. */
    if ((count & (count - 1)) == 0)
        virtio_log(fs->os, VIRTIO_LOG_WARNING, "fs", "%s: %s (%llu malformed replies so far)", fs->tag, what,
                   (unsigned long long)count);
    return -EIO;
}

void fs_break(struct virtio_fs *fs, const char *why)
{
    if (fs->broken)
        return;
    virtio_log(fs->os, VIRTIO_LOG_ERROR, "fs", "%s: %s, the device is reset", fs->tag, why);
    fs->broken = true;
    virtio_device_reset(fs->device);
    fs->priority_queue = fs->request_queue = NULL;
    /* The device touches nothing any more, so all that it held is ours again. */
    for (size_t i = 0; i < FS_REQUESTS; i++) {
        struct fs_request *request = &fs->requests[i];
        request->in_flight = false;
        if (request->forgotten)
            fs_request_release(fs, request);
    }
    fs->statistics.in_flight = 0;
    fs->config.wake(fs->config.context);
}

/* Whoever takes back what others wait for must tell them: the interrupt that announced it may have been the
 * taker's. */
static void wake_others(struct virtio_fs *fs)
{
    if (fs->waiting > 0)
        fs->config.wake(fs->config.context);
}

static int take_used(struct virtio_fs *fs, struct virtio_queue *queue)
{
    void *token = NULL;
    uint32_t written = 0;
    bool took = false;
    int result;

    while ((result = virtio_queue_take(queue, &token, &written)) > 0) {
        struct fs_request *request = token;
        request->in_flight = false;
        request->written = written;
        fs->statistics.in_flight--;
        if (request->forgotten)
            fs_request_release(fs, request);
        took = true;
    }
    if (took)
        wake_others(fs);
    return result;
}

/* Takes back what the device has done. */
static void poll(struct virtio_fs *fs)
{
    if (fs->broken)
        return;
    if (take_used(fs, fs->request_queue) != 0 || take_used(fs, fs->priority_queue) != 0)
        fs_break(fs, "the rings are damaged");
    else if (virtio_device_broken(fs->device))
        fs_break(fs, "the device has failed");
}

/* One round of waiting: returns after something may have changed, or with the reason to give up. */
static int wait_once(struct virtio_fs *fs)
{
    bool armed = virtio_queue_enable_interrupt(fs->request_queue, 1);

    armed = virtio_queue_enable_interrupt(fs->priority_queue, 1) && armed;
    if (armed) {
        fs->waiting++;
        int error = fs->config.wait(fs->config.context);
        fs->waiting--;
        if (error != 0) {
            /* The device may still write to memory that the caller is about to give away. */
            fs_break(fs, "no answer");
            return error;
        }
    }
    poll(fs);
    return fs->broken ? -EIO : 0;
}

struct fs_request *fs_request_try(struct virtio_fs *fs, int *error)
{
    *error = 0;
    if (fs->broken) {
        *error = -EIO;
        return NULL;
    }
    bool others = false; /* somebody will give one back */
    for (size_t i = 0; i < FS_REQUESTS; i++) {
        struct fs_request *request = &fs->requests[i];
        if (request->busy) {
            others = true;
            continue;
        }
        if (request->memory == NULL)
            request->memory =
                fs->os->alloc_aligned(fs->os->context, FS_PAGE_SIZE, FS_PAGE_SIZE, &request->physical);
        if (request->memory == NULL) {
            *error = others ? 0 : -ENOMEM;
            return NULL;
        }
        request->busy = true;
        return request;
    }
    return NULL;
}

struct fs_request *fs_request_take(struct virtio_fs *fs, int *error)
{
    struct fs_request *request;

    while ((request = fs_request_try(fs, error)) == NULL && *error == 0) {
        *error = wait_once(fs);
        if (*error != 0)
            return NULL;
    }
    return request;
}

void fs_request_release(struct virtio_fs *fs, struct fs_request *request)
{
    request->busy = false;
    request->forgotten = false;
    wake_others(fs); /* one of them may wait for a request that is free */
}

/* Writes header, body and name into the page; returns their size, or 0 when they do not fit. */
static uint32_t compose(struct virtio_fs *fs, struct fs_request *request, enum fuse_opcode opcode,
                        uint64_t node, const void *body, size_t body_size, const char *name)
{
    size_t name_size = name != NULL ? strlen(name) + 1 : 0;
    struct fuse_request_header header = {.opcode = opcode, .node = node, .unique = fs->next_unique++};

    if (body_size > FS_BODY_MAX || name_size > FS_BODY_MAX - body_size)
        return 0;
    header.length = (uint32_t)(sizeof(header) + body_size + name_size);
    memcpy(request->memory, &header, sizeof(header));
    if (body_size > 0)
        memcpy(request->memory + sizeof(header), body, body_size);
    if (name_size > 0)
        memcpy(request->memory + sizeof(header) + body_size, name, name_size);
    request->unique = header.unique;
    return header.length;
}

int fs_request_send(struct virtio_fs *fs, struct fs_request *request, enum fuse_opcode opcode, uint64_t node,
                    const void *body, size_t body_size, const char *name, const struct virtio_buffer *data,
                    size_t data_count, uint32_t reply_size)
{
    struct virtio_buffer readable = {request->physical, 0};
    struct virtio_buffer writable[1 + FS_READ_BUFFERS];
    bool answered = opcode != FUSE_OP_FORGET;

    if (fs->broken)
        return -EIO;
    if (data_count > FS_READ_BUFFERS || (data_count == 0 && reply_size > FS_REPLY_MAX))
        return -EINVAL;
    readable.size = compose(fs, request, opcode, node, body, body_size, name);
    if (readable.size == 0)
        return -ENAMETOOLONG;
    writable[0] = (struct virtio_buffer){
        request->physical + FS_REPLY_OFFSET,
        (uint32_t)sizeof(struct fuse_reply_header) + (data_count == 0 ? reply_size : 0),
    };
    for (size_t i = 0; i < data_count; i++)
        writable[1 + i] = data[i];

    struct virtio_queue *queue = answered ? fs->request_queue : fs->priority_queue;
    int error;
    while ((error = virtio_queue_add(queue, &readable, 1, writable, answered ? 1 + data_count : 0,
                                     request)) == -ENOSPC) {
        error = wait_once(fs);
        if (error != 0)
            return error;
    }
    if (error != 0) {
        if (error == -EIO)
            fs_break(fs, "the rings are damaged");
        return error;
    }
    request->in_flight = true;
    request->reply_size = reply_size;
    fs->statistics.requests++;
    if (++fs->statistics.in_flight > fs->statistics.in_flight_peak)
        fs->statistics.in_flight_peak = fs->statistics.in_flight;
    virtio_queue_kick(queue);
    return 0;
}

int64_t fs_request_wait(struct virtio_fs *fs, struct fs_request *request)
{
    struct fuse_reply_header header;

    while (request->in_flight) {
        int error = wait_once(fs);
        if (error != 0)
            return error;
    }
    if (fs->broken)
        return -EIO;

    /* One copy of what the host wrote; its own count of bytes and the device's must agree. */
    if (request->written < sizeof(header))
        return fs_malformed(fs, "a reply shorter than its header");
    memcpy(&header, request->memory + FS_REPLY_OFFSET, sizeof(header));
    if (header.unique != request->unique)
        return fs_malformed(fs, "a reply to another request");
    if (header.length != request->written || header.length - sizeof(header) > request->reply_size)
        return fs_malformed(fs, "a reply of the wrong length");
    if (header.error > 0 || header.error < -LINUX_ERRNO_MAX)
        return fs_malformed(fs, "an error that is none");
    if (header.error != 0)
        return header.length == sizeof(header) ? header.error : fs_malformed(fs, "an error with contents");
    return (int64_t)(header.length - sizeof(header));
}

int fs_call(struct virtio_fs *fs, enum fuse_opcode opcode, uint64_t node, const void *body, size_t body_size,
            const char *name, void *reply, uint32_t reply_size)
{
    int error = 0;
    struct fs_request *request = fs_request_take(fs, &error);

    if (request == NULL)
        return error;
    error = fs_request_send(fs, request, opcode, node, body, body_size, name, NULL, 0, reply_size);
    if (error == 0) {
        int64_t size = fs_request_wait(fs, request);
        if (size < 0)
            error = (int)size;
        else if (size != reply_size)
            error = fs_malformed(fs, "a reply of the wrong size");
        else if (reply_size > 0)
            memcpy(reply, request->memory + FS_REPLY_OFFSET + sizeof(struct fuse_reply_header), reply_size);
    }
    fs_request_release(fs, request);
    return error;
}

void fs_forget(struct virtio_fs *fs, uint64_t node)
{
    const struct fuse_forget_request body = {.lookups = 1};
    int error = 0;

    if (node == FUSE_ROOT_ID || node == 0)
        return;
    struct fs_request *request = fs_request_take(fs, &error);
    if (request == NULL)
        return; /* the server keeps one inode too many: no harm but its memory */
    request->forgotten = true;
    if (fs_request_send(fs, request, FUSE_OP_FORGET, node, &body, sizeof(body), NULL, NULL, 0, 0) != 0)
        fs_request_release(fs, request);
}
