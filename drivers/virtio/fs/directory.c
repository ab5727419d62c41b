/* SPDX-License-Identifier: MIT
 *
 * Listings: READDIRPLUS where the server has it, which brings the attributes along, else READDIR and a LOOKUP
 * for each name.
 */
#include <errno.h>
#include <string.h>

#include "fs/private.h"

#define LISTING_SIZE (32u * 1024)
#define ENTRIES_MAX  100000u /* a host that never ends its listing is cut off */

struct listing {
    struct virtio_fs *fs;
    uint64_t node, handle, offset;
    uint32_t entries;
    int (*entry)(void *context, const char *name, const struct virtio_fs_attributes *attributes);
    void *context;
};

static bool is_good_name(const char *name, size_t length)
{
    if (length == 0 || length > VIRTIO_FS_NAME_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == '/')
            return false;
    return true;
}

/* `known` is what READDIRPLUS says of the name; its node is 0 where nothing is known. */
static int visit(struct listing *listing, const struct fuse_entry *known,
                 const struct fuse_directory_entry *entry, const char *name)
{
    struct virtio_fs *fs = listing->fs;
    struct virtio_fs_attributes attributes;
    struct fs_node node = {known->node, known->attributes};
    char terminated[VIRTIO_FS_NAME_MAX + 1];

    /* The server counts no lookup for these two. */
    if ((entry->name_length == 1 && name[0] == '.') ||
        (entry->name_length == 2 && name[0] == '.' && name[1] == '.'))
        return 0;
    if (!is_good_name(name, entry->name_length)) {
        fs_forget(fs, node.id);
        return 0;
    }
    if (node.id == FUSE_ROOT_ID)
        return fs_malformed(fs, "the root as an entry of a directory");
    memcpy(terminated, name, entry->name_length);
    terminated[entry->name_length] = '\0';
    if (node.id == 0) {
        /* What has gone meanwhile is passed over. */
        int error = fs_lookup(fs, listing->node, terminated, &node);
        if (error != 0)
            return error == -ENOENT ? 0 : error;
    }
    int error = fs_attributes_check(fs, &node.attributes, &attributes);
    if (error == 0)
        error = listing->entry(listing->context, terminated, &attributes);
    fs_forget(fs, node.id);
    return error;
}

/* Walks one reply, a private copy of it. With READDIRPLUS each entry is a lookup: after an error the rest is
 * walked, too, to forget those. */
static int parse(struct listing *listing, const uint8_t *bytes, size_t size)
{
    bool plus = listing->fs->has_readdirplus;
    size_t fixed = (plus ? sizeof(struct fuse_entry) : 0) + sizeof(struct fuse_directory_entry);
    int error = 0;

    for (size_t at = 0; at < size;) {
        struct fuse_entry known = {0};
        struct fuse_directory_entry entry;
        if (size - at < fixed)
            return error != 0 ? error : fs_malformed(listing->fs, "a directory entry that is cut");
        if (plus)
            memcpy(&known, bytes + at, sizeof(known));
        memcpy(&entry, bytes + at + fixed - sizeof(entry), sizeof(entry));
        if (entry.name_length == 0 || entry.name_length > size - at - fixed) {
            fs_forget(listing->fs, known.node);
            return error != 0 ? error
                              : fs_malformed(listing->fs, "a directory entry with a wrong name length");
        }
        if (error == 0 && ++listing->entries > ENTRIES_MAX)
            error = -EOVERFLOW;
        listing->offset = entry.offset;
        if (error == 0)
            error = visit(listing, &known, &entry, (const char *)bytes + at + fixed);
        else
            fs_forget(listing->fs, known.node);
        size_t step = (fixed + entry.name_length + 7) & ~(size_t)7;
        at = step < size - at ? at + step : size;
    }
    return error;
}

/* One request. Returns the bytes it gave, copied to `copy`, 0 at the end, or a negative errno. */
static int64_t read_listing(struct listing *listing, const void *memory, const struct virtio_buffer *data,
                            void *copy)
{
    struct virtio_fs *fs = listing->fs;
    const struct fuse_read_request body = {
        .handle = listing->handle, .offset = listing->offset, .size = data->size};
    int error = 0;
    struct fs_request *request = fs_request_take(fs, &error);

    if (request == NULL)
        return error;
    enum fuse_opcode opcode = fs->has_readdirplus ? FUSE_OP_READDIRPLUS : FUSE_OP_READDIR;
    int64_t result =
        fs_request_send(fs, request, opcode, listing->node, &body, sizeof(body), NULL, data, 1, data->size);
    if (result == 0)
        result = fs_request_wait(fs, request);
    if (result > 0)
        memcpy(copy, memory, (size_t)result);
    fs_request_release(fs, request);
    return result;
}

static int read_all(struct listing *listing)
{
    const struct virtio_os *os = listing->fs->os;
    struct virtio_buffer data = {0, LISTING_SIZE};
    void *memory = os->alloc_aligned(os->context, LISTING_SIZE, 8, &data.physical);
    void *copy = os->alloc(os->context, LISTING_SIZE);
    int64_t result = memory != NULL && copy != NULL ? 1 : -ENOMEM;

    while (result > 0) {
        result = read_listing(listing, memory, &data, copy);
        if (result > 0) {
            int error = parse(listing, copy, (size_t)result);
            if (error != 0)
                result = error;
        }
    }
    if (copy != NULL)
        os->free(os->context, copy, LISTING_SIZE);
    if (memory != NULL)
        os->free_aligned(os->context, memory, LISTING_SIZE);
    return (int)result;
}

int virtio_fs_list(struct virtio_fs *fs, const char *path,
                   int (*entry)(void *context, const char *name,
                                const struct virtio_fs_attributes *attributes),
                   void *context)
{
    const struct fuse_open_request body = {.flags = 0};
    struct fuse_open_reply reply;
    struct fs_node node;
    int error = fs_resolve(fs, path, &node);

    if (error != 0)
        return error;
    if ((node.attributes.mode & FUSE_MODE_TYPE) != FUSE_MODE_DIRECTORY)
        error = -ENOTDIR;
    if (error == 0)
        error = fs_call(fs, FUSE_OP_OPENDIR, node.id, &body, sizeof(body), NULL, &reply, sizeof(reply));
    if (error == 0) {
        struct listing listing = {
            .fs = fs, .node = node.id, .handle = reply.handle, .entry = entry, .context = context};
        const struct fuse_release_request release = {.handle = reply.handle};
        error = read_all(&listing);
        (void)fs_call(fs, FUSE_OP_RELEASEDIR, node.id, &release, sizeof(release), NULL, NULL, 0);
    }
    fs_node_release(fs, &node);
    return error;
}

int virtio_fs_statfs(struct virtio_fs *fs, struct virtio_fs_space *space)
{
    struct fuse_statfs_reply reply;
    int error = fs_call(fs, FUSE_OP_STATFS, FUSE_ROOT_ID, NULL, 0, NULL, &reply, sizeof(reply));

    if (error != 0)
        return error;
    *space = (struct virtio_fs_space){reply.fragment_size, reply.blocks, reply.free_blocks};
    return 0;
}
