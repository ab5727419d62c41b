/* SPDX-License-Identifier: MIT
 *
 * Xen's x86/HVM direct boot ABI, as QEMU and Firecracker speak it
 * (xen/include/public/arch-x86/hvm/start_info.h).
 */
#include <errno.h>
#include <string.h>

#include <arch/boot_info.h>

#define START_INFO_MAGIC 0x336ec578u
#define MEMORY_RAM       1
#define MEMORY_MAP_MAX   4096
#define MODULE_COUNT_MAX 64

struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t module_list, command_line, rsdp;
    /* from version 1 on */
    uint64_t memory_map;
    uint32_t memory_map_count, reserved;
};
struct module_entry {
    uint64_t base, size, command_line, reserved;
};
struct memory_map_entry {
    uint64_t base, size;
    uint32_t type, reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "hvm_start_info");
_Static_assert(sizeof(struct module_entry) == 32, "hvm_modlist_entry");
_Static_assert(sizeof(struct memory_map_entry) == 24, "hvm_memmap_table_entry");

/* A NUL-terminated string of unknown length: read byte by byte, never beyond what can be read. Returns NULL
 * for none, and for one that runs into what cannot be read. */
static const char *read_string(uint64_t physical, boot_reader read, struct boot_info *info, size_t *length)
{
    if (physical == 0)
        return NULL;
    for (*length = 0; *length <= BOOT_COMMAND_LINE_MAX; ++*length) {
        const char *text = read(physical, *length + 1);
        if (text == NULL) {
            info->dropped++;
            return NULL;
        }
        if (text[*length] == '\0')
            return text;
    }
    return read(physical, *length);
}

int pvh_parse(uint64_t physical, boot_reader read, struct boot_info *info)
{
    memset(info, 0, sizeof *info);
    info->protocol = BOOT_PVH;

    const void *bytes = read(physical, sizeof(struct start_info));
    if (bytes == NULL)
        return -EINVAL;
    struct start_info start;
    memcpy(&start, bytes, sizeof start);
    if (start.magic != START_INFO_MAGIC || start.version < 1 || start.memory_map_count > MEMORY_MAP_MAX ||
        start.module_count > MODULE_COUNT_MAX)
        return -EINVAL;

    size_t length = 0;
    const char *text = read_string(start.command_line, read, info, &length);
    if (text != NULL)
        boot_info_set_command_line(info, text, length);

    for (uint32_t i = 0; i < start.memory_map_count; i++) {
        struct memory_map_entry entry;
        bytes = read(start.memory_map + i * sizeof entry, sizeof entry);
        if (bytes == NULL)
            return -EINVAL;
        memcpy(&entry, bytes, sizeof entry);
        if (entry.type == MEMORY_RAM)
            boot_info_add_range(info, entry.base, entry.size);
    }
    for (uint32_t i = 0; i < start.module_count; i++) {
        struct module_entry entry;
        bytes = read(start.module_list + i * sizeof entry, sizeof entry);
        if (bytes == NULL)
            return -EINVAL;
        memcpy(&entry, bytes, sizeof entry);
        text = read_string(entry.command_line, read, info, &length);
        boot_info_add_module(info, entry.base, entry.size, text, text != NULL ? length : 0);
    }
    return info->range_count > 0 ? 0 : -EINVAL;
}
