/* SPDX-License-Identifier: MIT
 *
 * What the boot loader told us, the same for every boot protocol. Everything is copied out of the loader's
 * memory, except the contents of the modules, so that memory is free afterwards.
 */
#ifndef ARCH_BOOT_INFO_H
#define ARCH_BOOT_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_RANGES_MAX       64
#define BOOT_MODULES_MAX      16
#define BOOT_NAME_MAX         63
#define BOOT_COMMAND_LINE_MAX 1023

enum boot_protocol { BOOT_MULTIBOOT2 = 1, BOOT_PVH = 2 };

/* Usable memory; everything that is not listed is firmware's, a device's, or nothing. */
struct boot_range {
    uint64_t base, size; /* bytes, as the loader gave them: any alignment */
};

struct boot_module {
    uint64_t base, size; /* physical, bytes */
    char name[BOOT_NAME_MAX + 1];
    bool named; /* by the loader or by somebody since; else the name is "module" and a number */
};

struct boot_info {
    enum boot_protocol protocol;
    char command_line[BOOT_COMMAND_LINE_MAX + 1];
    size_t range_count, module_count;
    struct boot_range ranges[BOOT_RANGES_MAX]; /* sorted by base, not overlapping */
    struct boot_module modules[BOOT_MODULES_MAX];
    uint32_t dropped; /* ranges, modules or bytes of text that did not fit or made no sense */
};

/* Where a loader's physical address can be read: NULL when [physical, physical + size) cannot. */
typedef const void *(*boot_reader)(uint64_t physical, uint64_t size);

/* Multiboot2 specification 2.0, section 3.6 "Boot information format". `physical` is what EBX held at entry.
 * Returns 0 or -EINVAL when the structure is malformed. */
int multiboot2_parse(uint64_t physical, boot_reader read, struct boot_info *info);

/* Xen's "x86/HVM direct boot ABI", struct hvm_start_info. Returns 0 or -EINVAL. Text that cannot be read
 * counts as dropped. */
int pvh_parse(uint64_t physical, boot_reader read, struct boot_info *info);

/* Shared by the parsers. A module without a name of its own is called "module0" and so on. */
void boot_info_add_range(struct boot_info *info, uint64_t base, uint64_t size);
void boot_info_add_module(struct boot_info *info, uint64_t base, uint64_t size, const char *name,
                          size_t name_length);
void boot_info_set_command_line(struct boot_info *info, const char *text, size_t length);

/* Finds the word `name=` in the command line; words are separated by white space. Sets *value and *length (0
 * for an empty one) and returns 1, or 0 when it is not there. The last one wins. */
int boot_word(const struct boot_info *info, const char *name, const char **value, size_t *length);

/* Whether the word `name`, without a value, is in the command line. */
bool boot_flag(const struct boot_info *info, const char *name);

#endif
