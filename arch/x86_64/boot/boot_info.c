/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <string.h>

#include <arch/boot_info.h>

/* Keeps ranges sorted. Loaders do not overlap usable ranges; one that does is cut, so that no byte is ever
 * listed twice. */
void boot_info_add_range(struct boot_info *info, uint64_t base, uint64_t size)
{
    if (size > UINT64_MAX - base) {
        info->dropped++;
        return;
    }
    size_t at = 0;
    while (at < info->range_count && info->ranges[at].base <= base)
        at++;
    uint64_t end = base + size;
    if (at > 0) {
        uint64_t before_end = info->ranges[at - 1].base + info->ranges[at - 1].size;
        if (base < before_end) {
            base = before_end;
            info->dropped++;
        }
    }
    if (at < info->range_count && end > info->ranges[at].base) {
        end = info->ranges[at].base;
        info->dropped++;
    }
    if (base >= end)
        return;
    if (info->range_count == BOOT_RANGES_MAX) {
        info->dropped++;
        return;
    }
    memmove(&info->ranges[at + 1], &info->ranges[at], (info->range_count - at) * sizeof info->ranges[0]);
    info->ranges[at] = (struct boot_range){base, end - base};
    info->range_count++;
}

/* A path is cut to its last part: "/boot/guide.kv" is called "guide.kv". Only the first word counts. */
void boot_info_add_module(struct boot_info *info, uint64_t base, uint64_t size, const char *name,
                          size_t name_length)
{
    if (size > UINT64_MAX - base || info->module_count == BOOT_MODULES_MAX) {
        info->dropped++;
        return;
    }
    struct boot_module *module = &info->modules[info->module_count];
    module->base = base;
    module->size = size;

    size_t start = 0, length = 0;
    while (length < name_length && name[length] != ' ' && name[length] != '\0') {
        if (name[length] == '/')
            start = length + 1;
        length++;
    }
    length -= start;
    if (length > BOOT_NAME_MAX) {
        length = BOOT_NAME_MAX;
        info->dropped++;
    }
    module->named = length > 0;
    if (module->named) {
        memcpy(module->name, name + start, length);
        module->name[length] = '\0';
    } else {
        memcpy(module->name, "module", 6);
        size_t number = info->module_count, at = 6;
        if (number >= 10)
            module->name[at++] = (char)('0' + number / 10);
        module->name[at++] = (char)('0' + number % 10);
        module->name[at] = '\0';
    }
    info->module_count++;
}

void boot_info_set_command_line(struct boot_info *info, const char *text, size_t length)
{
    if (length > BOOT_COMMAND_LINE_MAX) {
        length = BOOT_COMMAND_LINE_MAX;
        info->dropped++;
    }
    memcpy(info->command_line, text, length);
    info->command_line[length] = '\0';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next word behind *at: its length, 0 at the end. *at is then where it ends. */
static size_t next_word(const char **at, const char **word)
{
    while (is_space(**at))
        ++*at;
    *word = *at;
    while (**at != '\0' && !is_space(**at))
        ++*at;
    return (size_t)(*at - *word);
}

int boot_word(const struct boot_info *info, const char *name, const char **value, size_t *length)
{
    size_t name_length = strlen(name), word_length;
    int found = 0;
    const char *at = info->command_line, *word;
    while ((word_length = next_word(&at, &word)) > 0) {
        if (word_length > name_length && memcmp(word, name, name_length) == 0 && word[name_length] == '=') {
            *value = word + name_length + 1;
            *length = word_length - name_length - 1;
            found = 1;
        }
    }
    return found;
}

bool boot_flag(const struct boot_info *info, const char *name)
{
    size_t name_length = strlen(name), word_length;
    const char *at = info->command_line, *word;
    while ((word_length = next_word(&at, &word)) > 0)
        if (word_length == name_length && memcmp(word, name, name_length) == 0)
            return true;
    return false;
}
