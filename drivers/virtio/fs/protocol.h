/* SPDX-License-Identifier: MIT
 *
 * FUSE messages as they travel over virtio-fs: the layouts of Linux's include/uapi/linux/fuse.h,
 * protocol 7.31, little-endian like the machine (virtio 1.2, section 5.11.6.1: the driver's byte order).
 */
#ifndef VIRTIO_FS_PROTOCOL_H
#define VIRTIO_FS_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#define FUSE_MAJOR   7u
#define FUSE_MINOR   31u /* what we speak: the server may know more, and then limits itself */
#define FUSE_ROOT_ID 1u

enum fuse_opcode {
    FUSE_OP_LOOKUP = 1,
    FUSE_OP_FORGET = 2,
    FUSE_OP_GETATTR = 3,
    FUSE_OP_READLINK = 5,
    FUSE_OP_OPEN = 14,
    FUSE_OP_READ = 15,
    FUSE_OP_STATFS = 17,
    FUSE_OP_RELEASE = 18,
    FUSE_OP_INIT = 26,
    FUSE_OP_OPENDIR = 27,
    FUSE_OP_READDIR = 28,
    FUSE_OP_RELEASEDIR = 29,
    FUSE_OP_READDIRPLUS = 44
};

/* Flags of INIT. */
#define FUSE_INIT_ASYNC_READ      (1u << 0)
#define FUSE_INIT_READDIRPLUS     (1u << 13)
#define FUSE_INIT_PARALLEL_DIROPS (1u << 18)
#define FUSE_INIT_MAX_PAGES       (1u << 22)

/* Types in a mode, as POSIX has them. */
#define FUSE_MODE_TYPE      0170000u
#define FUSE_MODE_FILE      0100000u
#define FUSE_MODE_DIRECTORY 0040000u
#define FUSE_MODE_LINK      0120000u

struct fuse_request_header {
    uint32_t length, opcode;
    uint64_t unique, node;
    uint32_t user, group, process;
    uint16_t extension_length, padding;
};

struct fuse_reply_header {
    uint32_t length;
    int32_t error; /* 0 or a negative errno of Linux */
    uint64_t unique;
};

struct fuse_attributes {
    uint64_t inode, size, blocks, access_time, modify_time, change_time;
    uint32_t access_nanoseconds, modify_nanoseconds, change_nanoseconds;
    uint32_t mode, links, user, group, device, block_size, flags;
};

struct fuse_entry {
    uint64_t node, generation, entry_valid, attributes_valid;
    uint32_t entry_valid_nanoseconds, attributes_valid_nanoseconds;
    struct fuse_attributes attributes;
};

struct fuse_init_request {
    uint32_t major, minor, max_readahead, flags;
};
struct fuse_init_reply {
    uint32_t major, minor, max_readahead, flags;
    uint16_t max_background, congestion_threshold;
    uint32_t max_write, time_granularity;
    uint16_t max_pages, map_alignment;
    uint32_t flags_2, unused[7];
};

struct fuse_getattr_request {
    uint32_t flags, dummy;
    uint64_t handle;
};
struct fuse_getattr_reply {
    uint64_t valid;
    uint32_t valid_nanoseconds, dummy;
    struct fuse_attributes attributes;
};

struct fuse_open_request {
    uint32_t flags, open_flags;
};
struct fuse_open_reply {
    uint64_t handle;
    uint32_t open_flags, padding;
};

struct fuse_read_request { /* READ, READDIR and READDIRPLUS */
    uint64_t handle, offset;
    uint32_t size, read_flags;
    uint64_t lock_owner;
    uint32_t flags, padding;
};

struct fuse_release_request {
    uint64_t handle;
    uint32_t flags, release_flags;
    uint64_t lock_owner;
};

struct fuse_forget_request {
    uint64_t lookups;
};

struct fuse_statfs_reply {
    uint64_t blocks, free_blocks, available_blocks, files, free_files;
    uint32_t block_size, name_length, fragment_size, padding, spare[6];
};

/* One entry of READDIR; of READDIRPLUS, too, where a struct fuse_entry stands before it. The name follows,
 * without a NUL, padded to 8 bytes. */
struct fuse_directory_entry {
    uint64_t inode, offset;
    uint32_t name_length, type;
};

_Static_assert(sizeof(struct fuse_request_header) == 40, "fuse_in_header");
_Static_assert(sizeof(struct fuse_reply_header) == 16, "fuse_out_header");
_Static_assert(sizeof(struct fuse_attributes) == 88, "fuse_attr");
_Static_assert(offsetof(struct fuse_attributes, mode) == 60, "fuse_attr");
_Static_assert(sizeof(struct fuse_entry) == 128, "fuse_entry_out");
_Static_assert(sizeof(struct fuse_init_request) == 16, "fuse_init_in before 7.36");
_Static_assert(sizeof(struct fuse_init_reply) == 64, "fuse_init_out");
_Static_assert(offsetof(struct fuse_init_reply, max_write) == 20, "fuse_init_out");
_Static_assert(sizeof(struct fuse_getattr_request) == 16, "fuse_getattr_in");
_Static_assert(sizeof(struct fuse_getattr_reply) == 104, "fuse_attr_out");
_Static_assert(sizeof(struct fuse_open_request) == 8, "fuse_open_in");
_Static_assert(sizeof(struct fuse_open_reply) == 16, "fuse_open_out");
_Static_assert(sizeof(struct fuse_read_request) == 40, "fuse_read_in");
_Static_assert(sizeof(struct fuse_release_request) == 24, "fuse_release_in");
_Static_assert(sizeof(struct fuse_forget_request) == 8, "fuse_forget_in");
_Static_assert(sizeof(struct fuse_statfs_reply) == 80, "fuse_statfs_out");
_Static_assert(sizeof(struct fuse_directory_entry) == 24, "fuse_dirent");

#endif
