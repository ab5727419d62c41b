/* SPDX-License-Identifier: MIT
 *
 * A client's byte stream, whatever carries it. The calls do what those of <virtio/vsock.h> of the same name
 * do; `send` comes from any task, the others from the service's.
 */
#ifndef KERNEL_SERVICE_STREAM_H
#define KERNEL_SERVICE_STREAM_H

#include <stddef.h>
#include <stdint.h>

struct stream_operations {
    /* Sets *bytes to those that can be read, and returns their number; 0 at the end of the stream, -EAGAIN
     * when there are none yet, another negative errno when the stream is dead. */
    int64_t (*peek)(void *handle, const void **bytes);
    /* Takes `size` bytes, at most what peek returned, off the front. */
    void (*take)(void *handle, size_t size);
    /* Sends at most `length` bytes; returns how many, or a negative errno. After fewer than `length`,
     * connection_writable follows. */
    int64_t (*send)(void *handle, const void *bytes, size_t length);
    /* Both let go of the handle: what was sent is still delivered, or the stream ends at once. */
    void (*close)(void *handle);
    void (*abort)(void *handle);
};

struct stream {
    const struct stream_operations *operations;
    void *handle;
    /* Who it is, for the log and for the policy. */
    const char *kind; /* "vsock", "console" */
    uint64_t peer_cid;
    uint32_t peer_port; /* 0 where the kind has neither */
};

#endif
