/* SPDX-License-Identifier: MIT
 *
 * Between the files of the virtio-fs driver only.
 */
#ifndef VIRTIO_FS_PRIVATE_H
#define VIRTIO_FS_PRIVATE_H

#include <virtio/fs.h>
#include <virtio/queue.h>

#include "fs/protocol.h"

#define FS_TAG_MAX      36 /* section 5.11.4 */
#define FS_REQUESTS     12 /* in flight at once, of all callers */
#define FS_READ_WINDOW  8  /* of one read */
#define FS_READ_SIZE    (1024u * 1024)
#define FS_READ_BUFFERS 16 /* pieces of the caller's memory in one read */
#define FS_QUEUE_MIN    4  /* a chain of request, reply's header and contents, in a power of two */

/* A request and its reply share a page; what is larger (file contents, listings, link targets) goes
 * elsewhere. */
#define FS_PAGE_SIZE    4096u
#define FS_REPLY_OFFSET 2048u
#define FS_BODY_MAX     (FS_REPLY_OFFSET - sizeof(struct fuse_request_header))
#define FS_REPLY_MAX    (FS_PAGE_SIZE - FS_REPLY_OFFSET - sizeof(struct fuse_reply_header))

struct fs_request {
    uint8_t *memory; /* a page for the device; NULL until the request is first used */
    uint64_t physical;
    uint64_t unique;
    bool busy;      /* somebody waits for it, or the device holds it */
    bool in_flight; /* the device holds it */
    bool forgotten; /* nobody waits: free it when the device gives it back */
    uint32_t written;
    uint32_t reply_size; /* room for the reply, headers not counted */
};

struct virtio_fs {
    const struct virtio_os *os;
    struct virtio_device *device;
    struct virtio_queue *priority_queue, *request_queue;
    struct virtio_fs_config config;
    struct fs_request requests[FS_REQUESTS];
    uint64_t next_unique;
    uint32_t read_size; /* the most that one READ asks for */
    size_t waiting;     /* callers in the `wait` hook */
    bool has_readdirplus;
    bool broken;
    char tag[FS_TAG_MAX + 1];
    struct virtio_fs_statistics statistics;
};

struct virtio_fs_file {
    struct virtio_fs *fs;
    uint64_t node, handle, size;
};

/* What the server knows a name as. FORGET it with fs_forget. */
struct fs_node {
    uint64_t id;
    struct fuse_attributes attributes;
};

/* ---- request.c ---- */

/* Takes a request that is free, waiting for one if need be. Returns NULL and sets *error when waiting fails.
 * Not for a caller that holds requests: others like it may wait for those. */
struct fs_request *fs_request_take(struct virtio_fs *fs, int *error);
/* Does not wait: returns NULL and sets *error to 0 when none is free at present. */
struct fs_request *fs_request_try(struct virtio_fs *fs, int *error);
void fs_request_release(struct virtio_fs *fs, struct fs_request *request);

/* Sends it: `body` (fixed part) and `name` (NUL included; may be NULL) after the header; the reply goes into
 * the request's page, or, with data_count > 0, its contents into `data`. reply_size is the room for what
 * follows the reply's header. Returns 0 or a negative errno. */
int fs_request_send(struct virtio_fs *fs, struct fs_request *request, enum fuse_opcode opcode, uint64_t node,
                    const void *body, size_t body_size, const char *name, const struct virtio_buffer *data,
                    size_t data_count, uint32_t reply_size);

/* Waits for the reply and checks its header. Returns the size of what follows it (0 to reply_size) or a
 * negative errno: the server's, or ours. */
int64_t fs_request_wait(struct virtio_fs *fs, struct fs_request *request);

/* Take, send, wait and release in one, for replies of exactly `reply_size` bytes, copied to `reply`. */
int fs_call(struct virtio_fs *fs, enum fuse_opcode opcode, uint64_t node, const void *body, size_t body_size,
            const char *name, void *reply, uint32_t reply_size);

/* Tells the server that one lookup of a node is over. Never waits for an answer, since there is none. */
void fs_forget(struct virtio_fs *fs, uint64_t node);

/* Counts nonsense and returns -EIO. */
int fs_malformed(struct virtio_fs *fs, const char *what);

/* Resets the device: whoever waits gets -EIO. */
void fs_break(struct virtio_fs *fs, const char *why);

/* Interrupt context. */
void fs_on_interrupt(void *argument);

/* ---- path.c ---- */

/* Finds what a path names. The node must be forgotten with fs_node_release. */
int fs_resolve(struct virtio_fs *fs, const char *path, struct fs_node *node);
void fs_node_release(struct virtio_fs *fs, const struct fs_node *node);
int fs_lookup(struct virtio_fs *fs, uint64_t directory, const char *name, struct fs_node *node);
int fs_attributes_check(struct virtio_fs *fs, const struct fuse_attributes *wire,
                        struct virtio_fs_attributes *attributes);

#endif
