/* SPDX-License-Identifier: MIT
 *
 * Read-only files from the host over virtio-fs (virtio 1.2, section 5.11): a FUSE client (Linux's
 * include/uapi/linux/fuse.h, protocol 7.31 to 7.36).
 *
 * The calls block their task: while the host works, they call the `wait` hook, which lets other tasks run and
 * returns after `wake`, or earlier. Several tasks may be inside calls at once, as long as they switch in
 * `wait` only. `wait` may refuse to go on (a deadline, a cancellation): the call then fails with what it
 * returned, and the device is reset, so that it cannot write to the caller's memory later: it is broken for
 * the other callers, too.
 *
 * The host may lie in every field: replies are copied once, their sizes, ids, names and numbers checked. File
 * contents go straight into the caller's memory, where the host can write while a read is in flight: whoever
 * reads them checks them afterwards.
 */
#ifndef VIRTIO_FS_H
#define VIRTIO_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <virtio/device.h>

#define VIRTIO_FS_NAME_MAX 255
#define VIRTIO_FS_PATH_MAX 4095

struct virtio_fs;
struct virtio_fs_file;

struct virtio_fs_config {
    /* Returns when `wake` was called since the last wait began, or earlier; 0, or a negative errno to give
     * up. May be called when nothing is to be waited for. */
    int (*wait)(void *context);
    /* Ends the wait of all callers. Interrupt context (VIRTIO_INTERRUPT_CODE), or a caller that has taken
     * back what another one waits for. */
    void (*wake)(void *context);
    void *context;
};

/* Takes the device over (also on failure, when it is destroyed), and opens the FUSE session. Returns 0, or a
 * negative errno: -EPROTO for a server that speaks another major version, or a device without request queues
 * or with one too small; -EIO for nonsense; -ENOMEM; what `wait` returned. */
int virtio_fs_create(struct virtio_device *device, const struct virtio_fs_config *config,
                     struct virtio_fs **fs);

/* No call may be in progress, no file open. */
void virtio_fs_destroy(struct virtio_fs *fs);

/* Whether the device has failed, or a wait was given up: every call says -EIO, and the fs is to be destroyed.
 */
bool virtio_fs_broken(const struct virtio_fs *fs);

/* Tells the device once more of what it has been asked, as the `wait` hook may want when nothing comes for
 * long: virtiofsd of QEMU 7.2 may miss a notification, since it has no barrier between the event
 * index that it writes and the look whether more has come (section 2.7.13.4.1, from the other side). From the
 * task that waits; harmless at any time. */
void virtio_fs_remind(struct virtio_fs *fs);

/* The share's tag (section 5.11.4), checked to be printable. */
const char *virtio_fs_tag(const struct virtio_fs *fs);

enum virtio_fs_type { VIRTIO_FS_FILE, VIRTIO_FS_DIRECTORY, VIRTIO_FS_LINK, VIRTIO_FS_OTHER };

struct virtio_fs_attributes {
    enum virtio_fs_type type;
    uint64_t size;
};

/* A path is relative to the share: names separated by '/', a leading '/' ignored. "." and ".." and empty
 * names are refused (-EINVAL), names beyond VIRTIO_FS_NAME_MAX and paths beyond VIRTIO_FS_PATH_MAX bytes, too
 * (-ENAMETOOLONG). Symbolic links are followed inside the share, at most 8 (-ELOOP); an absolute one and one
 * with
 * ".." in it are refused (-EACCES), whether they lead out of the share or not. All calls: -EIO when the
 * device is broken or the host talks nonsense, -ENOMEM, and what the host says (-ENOENT, ...). */
int virtio_fs_stat(struct virtio_fs *fs, const char *path, struct virtio_fs_attributes *attributes);

/* Opens a regular file for reading (-EISDIR, -EINVAL for what is neither file nor directory). */
int virtio_fs_open(struct virtio_fs *fs, const char *path, struct virtio_fs_file **file);
/* Also when the device is broken. */
void virtio_fs_close(struct virtio_fs_file *file);

/* As it was when the file was opened. */
uint64_t virtio_fs_file_size(const struct virtio_fs_file *file);

/* Reads `size` bytes at `offset` into `memory`, which the os hook `translate` knows: several requests of up
 * to 1 MiB are in flight at once, and the host writes straight there. Returns 0; -ENODATA when the file ends
 * before (it shrank); or as above. */
int virtio_fs_read(struct virtio_fs_file *file, uint64_t offset, void *memory, size_t size);

/* Calls `entry` for each name in a directory, in the host's order, "." and ".." left out, until it returns
 * something else than 0, which is then returned; at most 100,000 (-EOVERFLOW). The name is NUL-terminated,
 * without '/' or control characters (entries with such names are left out), valid during the call. `entry`
 * may not call the library.
 */
int virtio_fs_list(struct virtio_fs *fs, const char *path,
                   int (*entry)(void *context, const char *name,
                                const struct virtio_fs_attributes *attributes),
                   void *context);

struct virtio_fs_space {
    uint64_t block_size, blocks, free_blocks;
};
int virtio_fs_statfs(struct virtio_fs *fs, struct virtio_fs_space *space);

struct virtio_fs_statistics {
    uint64_t requests, bytes_read;
    uint64_t in_flight, in_flight_peak;
    uint64_t malformed; /* replies that broke the protocol */
};
void virtio_fs_get_statistics(const struct virtio_fs *fs, struct virtio_fs_statistics *statistics);

#endif
