/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <service/model.h>
#include <service/model_list.h>

#define FILES_MAX 1000

struct listing {
    model_list_entry each;
    void *context;
    uint32_t count;
};

static int list_file(void *context, const char *name, const struct virtio_fs_attributes *attributes)
{
    struct listing *listing = context;
    if (attributes->type != VIRTIO_FS_FILE)
        return 0;
    if (listing->count++ == FILES_MAX)
        return -EOVERFLOW;
    return listing->each(listing->context, name, attributes->size, true);
}

int model_list(struct virtio_fs *share, model_list_entry each, void *context)
{
    struct listing listing = {each, context, 0};
    const struct boot_info *boot = model_modules();
    for (size_t i = 0; i < boot->module_count; i++) {
        int result = each(context, boot->modules[i].name, boot->modules[i].size, false);
        if (result != 0)
            return result;
    }
    return share != NULL ? virtio_fs_list(share, "", list_file, &listing) : 0;
}

static int write_entry(void *context, const char *path, uint64_t size, bool from_share)
{
    struct mcp_json_writer *writer = context;
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "path", path);
    mcp_json_member_uint(writer, "size", size);
    mcp_json_member_string(writer, "from", from_share ? "share" : "boot module");
    mcp_json_end_object(writer);
    return 0;
}

void model_list_write(struct mcp_json_writer *writer, struct virtio_fs *share)
{
    mcp_json_key_write(writer, "models");
    mcp_json_begin_array(writer);
    int error = model_list(share, write_entry, writer);
    mcp_json_end_array(writer);
    if (share != NULL)
        mcp_json_member_string(writer, "share",
                               error == 0            ? virtio_fs_tag(share)
                               : error == -EOVERFLOW ? "more files than can be listed here"
                                                     : "cannot be listed: the share has failed");
}
