/* SPDX-License-Identifier: MIT
 *
 * From a path to a node, one LOOKUP per name. Links are followed here, by hand, so that none leads out of the
 * share whatever the host does with "..".
 */
#include <errno.h>
#include <string.h>

#include "fs/private.h"

#define LINKS_MAX 8

int fs_attributes_check(struct virtio_fs *fs, const struct fuse_attributes *wire,
                        struct virtio_fs_attributes *attributes)
{
    uint32_t type = wire->mode & FUSE_MODE_TYPE;

    if (wire->size > INT64_MAX)
        return fs_malformed(fs, "a file size beyond 8 EiB");
    attributes->size = wire->size;
    attributes->type = type == FUSE_MODE_FILE        ? VIRTIO_FS_FILE
                       : type == FUSE_MODE_DIRECTORY ? VIRTIO_FS_DIRECTORY
                       : type == FUSE_MODE_LINK      ? VIRTIO_FS_LINK
                                                     : VIRTIO_FS_OTHER;
    return 0;
}

int fs_lookup(struct virtio_fs *fs, uint64_t directory, const char *name, struct fs_node *node)
{
    struct fuse_entry entry;
    int error = fs_call(fs, FUSE_OP_LOOKUP, directory, NULL, 0, name, &entry, sizeof(entry));

    if (error != 0)
        return error;
    if (entry.node == 0)
        return -ENOENT; /* a server may say so with a node of 0 */
    if (entry.node == FUSE_ROOT_ID)
        return fs_malformed(fs, "the root as an entry of a directory");
    *node = (struct fs_node){entry.node, entry.attributes};
    return 0;
}

void fs_node_release(struct virtio_fs *fs, const struct fs_node *node)
{
    fs_forget(fs, node->id);
}

static int get_root(struct virtio_fs *fs, struct fs_node *node)
{
    const struct fuse_getattr_request body = {0};
    struct fuse_getattr_reply reply;
    int error = fs_call(fs, FUSE_OP_GETATTR, FUSE_ROOT_ID, &body, sizeof(body), NULL, &reply, sizeof(reply));

    if (error == 0)
        *node = (struct fs_node){FUSE_ROOT_ID, reply.attributes};
    return error;
}

/* Replaces what is left of the path by the link's target and what is left of the path. `rest` has room for
 * VIRTIO_FS_PATH_MAX bytes and a NUL. */
static int follow(struct virtio_fs *fs, const struct fs_node *link, char *rest)
{
    const struct virtio_os *os = fs->os;
    struct virtio_buffer data = {0, VIRTIO_FS_PATH_MAX + 1};
    struct fs_request *request;
    size_t left = strlen(rest);
    int error = 0;

    char *target = os->alloc_aligned(os->context, data.size, 1, &data.physical);
    if (target == NULL)
        return -ENOMEM;
    request = fs_request_take(fs, &error);
    if (request != NULL) {
        error = fs_request_send(fs, request, FUSE_OP_READLINK, link->id, NULL, 0, NULL, &data, 1, data.size);
        if (error == 0) {
            int64_t size = fs_request_wait(fs, request);
            size_t length = size > 0 ? (size_t)size : 0;
            if (size < 0)
                error = (int)size;
            else if (length == 0)
                error = fs_malformed(fs, "an empty link");
            else if (length + left > VIRTIO_FS_PATH_MAX)
                error = -ENAMETOOLONG;
            else {
                /* "rest" begins with '/' or is empty. The host may still write to `target`: what was copied
                 * is what is checked. */
                memmove(rest + length, rest, left + 1);
                memcpy(rest, target, length);
                if (memchr(rest, '\0', length) != NULL)
                    error = fs_malformed(fs, "a NUL in a link");
                else if (rest[0] == '/')
                    error = -EACCES;
            }
        }
        fs_request_release(fs, request);
    }
    os->free_aligned(os->context, target, data.size);
    return error;
}

/* Takes the next name off the front of `rest`, and leaves it with its '/' or empty. Returns its length, 0 at
 * the end, or a negative errno. */
static int next_name(char *rest, char name[VIRTIO_FS_NAME_MAX + 1])
{
    size_t start = strspn(rest, "/"); /* a link may have several */
    size_t length = 0;

    while (rest[start + length] != '\0' && rest[start + length] != '/')
        length++;
    if (length > VIRTIO_FS_NAME_MAX)
        return -ENAMETOOLONG;
    if (length == 0)
        return 0;
    memcpy(name, rest + start, length);
    name[length] = '\0';
    memmove(rest, rest + start + length, strlen(rest + start + length) + 1);
    return (int)length;
}

static int walk(struct virtio_fs *fs, char *rest, struct fs_node *node)
{
    char name[VIRTIO_FS_NAME_MAX + 1];
    unsigned links = 0;
    int error = get_root(fs, node);

    while (error == 0) {
        int length = next_name(rest, name);
        if (length == 0)
            return 0;
        struct fs_node found = {0};
        if (length < 0)
            error = length;
        else if (strcmp(name, ".") == 0)
            continue;
        else if (strcmp(name, "..") == 0)
            error = -EACCES; /* of a link: check_path has seen the caller's path */
        else if ((node->attributes.mode & FUSE_MODE_TYPE) != FUSE_MODE_DIRECTORY)
            error = -ENOTDIR;
        else
            error = fs_lookup(fs, node->id, name, &found);
        if (error == 0 && (found.attributes.mode & FUSE_MODE_TYPE) == FUSE_MODE_LINK) {
            error = ++links > LINKS_MAX ? -ELOOP : follow(fs, &found, rest);
            fs_node_release(fs, &found); /* the walk goes on where the link stands */
        } else if (error == 0) {
            fs_node_release(fs, node);
            *node = found;
        }
        if (error != 0)
            fs_node_release(fs, node);
    }
    return error;
}

/* What the caller asks for: checked before the server hears of it. */
static int check_path(const char *path, size_t length)
{
    if (length > VIRTIO_FS_PATH_MAX)
        return -ENAMETOOLONG;
    for (const char *name = path[0] == '/' ? path + 1 : path; *name != '\0';) {
        size_t size = 0;
        while (name[size] != '\0' && name[size] != '/')
            size++;
        if (size > VIRTIO_FS_NAME_MAX)
            return -ENAMETOOLONG;
        if (size == 0 || (size == 1 && name[0] == '.') || (size == 2 && name[0] == '.' && name[1] == '.'))
            return -EINVAL;
        name += size;
        if (*name == '/')
            name++;
    }
    return 0;
}

int fs_resolve(struct virtio_fs *fs, const char *path, struct fs_node *node)
{
    size_t length = strlen(path);
    int error = check_path(path, length);

    if (error != 0)
        return error;
    char *rest = fs->os->alloc(fs->os->context, VIRTIO_FS_PATH_MAX + 1);
    if (rest == NULL)
        return -ENOMEM;
    memcpy(rest, path, length + 1);
    error = walk(fs, rest, node);
    fs->os->free(fs->os->context, rest, VIRTIO_FS_PATH_MAX + 1);
    return error;
}

int virtio_fs_stat(struct virtio_fs *fs, const char *path, struct virtio_fs_attributes *attributes)
{
    struct fs_node node;
    int error = fs_resolve(fs, path, &node);

    if (error != 0)
        return error;
    error = fs_attributes_check(fs, &node.attributes, attributes);
    fs_node_release(fs, &node);
    return error;
}
