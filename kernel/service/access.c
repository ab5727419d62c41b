/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <memory/heap.h>
#include <logging/log.h>
#include <service/access.h>
#include <service/share.h>

#define SHARE_PREFIX "share:"

static struct policy policy; /* at first without a rule: nobody is let in */

static int parse(const char *text, size_t length)
{
    char error[160];
    int result = policy_parse(&policy, text, length, error, sizeof error);
    if (result != 0)
        log_write(LOG_ERROR, "service", "%s", error);
    return result;
}

static int read_open_file(struct virtio_fs_file *file)
{
    uint64_t size = virtio_fs_file_size(file);
    if (size > POLICY_TEXT_MAX)
        return -EFBIG;
    char *text = heap_alloc((size_t)size + 1);
    if (text == NULL)
        return -ENOMEM;
    int error = virtio_fs_read(file, 0, text, (size_t)size);
    if (error == 0)
        error = parse(text, (size_t)size);
    heap_free(text);
    return error;
}

static int read_file(const char *name, size_t length)
{
    char path[BOOT_COMMAND_LINE_MAX + 1];
    memcpy(path, name, length);
    path[length] = '\0';
    struct virtio_fs *share = share_get();
    struct virtio_fs_file *file;
    int error = share != NULL ? virtio_fs_open(share, path, &file) : -ENODEV;
    if (error == 0) {
        error = read_open_file(file);
        virtio_fs_close(file);
    }
    if (error != 0)
        log_write(LOG_ERROR, "service", "the policy '%s' of the share cannot be used: %s", path,
                  error == -ENODEV   ? "there is no share"
                  : error == -ENOENT ? "no such file"
                  : error == -EFBIG  ? "it is longer than 8192 bytes"
                  : error == -EINVAL ? "it is no file with rules"
                                     : "the share has failed");
    return error;
}

int access_start(const struct option_text *option)
{
    static const size_t prefix = sizeof SHARE_PREFIX - 1;
    if (option->text == NULL)
        return parse(POLICY_DEFAULT, sizeof POLICY_DEFAULT - 1);
    int error;
    if (option->length > prefix && memcmp(option->text, SHARE_PREFIX, prefix) == 0)
        error = read_file(option->text + prefix, option->length - prefix);
    else
        error = parse(option->text, option->length);
    if (error == 0)
        log_write(LOG_INFO, "service", "policy: %zu rules", policy.count);
    return error;
}

const struct policy *access_policy(void)
{
    return &policy;
}
