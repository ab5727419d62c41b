/* SPDX-License-Identifier: MIT
 *
 * Multiboot2 specification 2.0, section 3.6: a total size, then tags, each 8-byte aligned.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <arch/boot_info.h>

enum { TAG_END = 0, TAG_COMMAND_LINE = 1, TAG_MODULE = 3, TAG_MEMORY_MAP = 6 };

#define MEMORY_AVAILABLE 1 /* section 3.6.8 */
#define INFORMATION_MAX  (1024u * 1024u)

struct information_header {
    uint32_t total_size, reserved;
};
struct tag {
    uint32_t type, size; /* the size counts these eight bytes, not the padding behind the tag */
};
struct module_tag {
    struct tag tag;
    uint32_t start, end; /* then a NUL-terminated string */
};
struct memory_map_tag {
    struct tag tag;
    uint32_t entry_size, entry_version; /* then entries */
};
struct memory_map_entry {
    uint64_t base, size;
    uint32_t type, reserved;
};
_Static_assert(sizeof(struct information_header) == 8, "3.6.1");
_Static_assert(sizeof(struct tag) == 8, "3.6.2");
_Static_assert(sizeof(struct module_tag) == 16, "3.6.6");
_Static_assert(sizeof(struct memory_map_tag) == 16, "3.6.8");
_Static_assert(sizeof(struct memory_map_entry) == 24, "3.6.8");

/* The string at the end of a tag, without the NUL; the tag's size bounds it, whether the NUL is there or not.
 */
static size_t string_length(const char *text, size_t limit)
{
    const char *end = memchr(text, '\0', limit);
    return end != NULL ? (size_t)(end - text) : limit;
}

static bool parse_memory_map(const uint8_t *bytes, uint32_t size, struct boot_info *info)
{
    struct memory_map_tag map;
    if (size < sizeof map)
        return false;
    memcpy(&map, bytes, sizeof map);
    if (map.entry_size < sizeof(struct memory_map_entry) || map.entry_size % 8 != 0)
        return false;
    for (uint32_t at = sizeof map; size - at >= map.entry_size; at += map.entry_size) {
        struct memory_map_entry entry;
        memcpy(&entry, bytes + at, sizeof entry);
        if (entry.type == MEMORY_AVAILABLE)
            boot_info_add_range(info, entry.base, entry.size);
    }
    return true;
}

static bool parse_module(const uint8_t *bytes, uint32_t size, struct boot_info *info)
{
    struct module_tag module;
    if (size < sizeof module)
        return false;
    memcpy(&module, bytes, sizeof module);
    if (module.end < module.start)
        return false;
    const char *name = (const char *)bytes + sizeof module;
    boot_info_add_module(info, module.start, module.end - module.start, name,
                         string_length(name, size - sizeof module));
    return true;
}

int multiboot2_parse(uint64_t physical, boot_reader read, struct boot_info *info)
{
    memset(info, 0, sizeof *info);
    info->protocol = BOOT_MULTIBOOT2;

    const void *start = read(physical, sizeof(struct information_header));
    struct information_header header;
    if (start == NULL || physical % 8 != 0)
        return -EINVAL;
    memcpy(&header, start, sizeof header);
    if (header.total_size < sizeof header || header.total_size > INFORMATION_MAX)
        return -EINVAL;
    const uint8_t *bytes = read(physical, header.total_size);
    if (bytes == NULL)
        return -EINVAL;

    bool memory_map_seen = false;
    for (uint32_t at = sizeof header;;) {
        struct tag tag;
        if (at > header.total_size || header.total_size - at < sizeof tag)
            return -EINVAL; /* no end tag */
        memcpy(&tag, bytes + at, sizeof tag);
        if (tag.size < sizeof tag || tag.size > header.total_size - at)
            return -EINVAL;
        if (tag.type == TAG_END)
            break;
        if (tag.type == TAG_COMMAND_LINE) {
            const char *text = (const char *)bytes + at + sizeof tag;
            boot_info_set_command_line(info, text, string_length(text, tag.size - sizeof tag));
        } else if (tag.type == TAG_MODULE) {
            if (!parse_module(bytes + at, tag.size, info))
                return -EINVAL;
        } else if (tag.type == TAG_MEMORY_MAP) {
            if (!parse_memory_map(bytes + at, tag.size, info))
                return -EINVAL;
            memory_map_seen = true;
        }
        at += (tag.size + 7) & ~7u;
    }
    return memory_map_seen ? 0 : -EINVAL;
}
