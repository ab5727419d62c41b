/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <string.h>

#include <options.h>

static bool word_is(const char *word, size_t length, const char *name)
{
    return strlen(name) == length && memcmp(word, name, length) == 0;
}

/* Copies a value; one that is empty or does not fit is refused. */
static bool copy_name(char out[BOOT_NAME_MAX + 1], const char *value, size_t length)
{
    if (length == 0 || length > BOOT_NAME_MAX)
        return false;
    memcpy(out, value, length);
    out[length] = '\0';
    return true;
}

static bool set_panic(struct options *options, const char *value, size_t length)
{
    if (word_is(value, length, "exit"))
        options->panic = PANIC_EXIT;
    else if (word_is(value, length, "halt"))
        options->panic = PANIC_HALT;
    else if (word_is(value, length, "reboot"))
        options->panic = PANIC_REBOOT;
    else
        return false;
    return true;
}

static bool set_instructions(struct options *options, const char *value, size_t length)
{
    static const char *const sets[] = {"sse2", "avx2"};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        if (word_is(value, length, sets[i])) {
            options->instructions = sets[i];
            return true;
        }
    }
    return false;
}

/* A PVH loader names no modules: the word gives the first nameless one its name. */
static bool name_module(struct boot_info *info, const char *value, size_t length)
{
    for (size_t i = 0; i < info->module_count; i++) {
        struct boot_module *module = &info->modules[i];
        if (!module->named) {
            module->named = copy_name(module->name, value, length);
            return module->named;
        }
    }
    return false;
}

/* Reads a number from [*at, end), decimal or with 0x hexadecimal, and moves *at behind it. */
static bool read_number(const char **at, const char *end, uint64_t *number)
{
    unsigned base = 10;
    const char *digit = *at;
    *number = 0;
    if (end - digit > 2 && digit[0] == '0' && (digit[1] == 'x' || digit[1] == 'X')) {
        base = 16;
        digit += 2;
    }
    const char *first = digit;
    for (; digit < end; digit++) {
        unsigned value = 16;
        if (*digit >= '0' && *digit <= '9')
            value = (unsigned)(*digit - '0');
        else if ((*digit | 0x20) >= 'a' && (*digit | 0x20) <= 'f')
            value = (unsigned)((*digit | 0x20) - 'a') + 10;
        if (value >= base)
            break;
        if (__builtin_mul_overflow(*number, (uint64_t)base, number) ||
            __builtin_add_overflow(*number, (uint64_t)value, number))
            return false;
    }
    *at = digit;
    return digit > first;
}

/* A number that K, M or G may follow. */
static bool read_size(const char **at, const char *end, uint64_t *size)
{
    static const char suffixes[] = "KMG";
    if (!read_number(at, end, size))
        return false;
    if (*at == end || **at == '\0')
        return true;
    const char *suffix = memchr(suffixes, **at & ~0x20, sizeof suffixes - 1);
    if (suffix == NULL)
        return true;
    unsigned shift = 10 * (unsigned)(suffix - suffixes + 1);
    ++*at;
    if (*size > UINT64_MAX >> shift)
        return false;
    *size <<= shift;
    return true;
}

static bool skip(const char **at, const char *end, char expected)
{
    if (*at == end || **at != expected)
        return false;
    ++*at;
    return true;
}

/* vsock:PORT */
static bool set_log_port(struct options *options, const char *at, const char *end)
{
    uint64_t port;
    if (!read_number(&at, end, &port) || at != end || port == 0 || port >= UINT32_MAX)
        return false;
    options->log_port = (uint32_t)port;
    return true;
}

static bool set_log(struct options *options, const char *value, size_t length)
{
    static const char vsock[] = "vsock:";
    size_t prefix = sizeof vsock - 1;
    if (length > prefix && memcmp(value, vsock, prefix) == 0)
        return set_log_port(options, value + prefix, value + length);
    char name[16];
    if (length >= sizeof name)
        return false;
    memcpy(name, value, length);
    name[length] = '\0';
    return log_level_parse(name, &options->log) == 0;
}

static bool add_mmio(struct options *options, const char *value, size_t length)
{
    const char *at = value, *end = value + length;
    struct option_mmio mmio;
    uint64_t line, id;
    if (!read_size(&at, end, &mmio.size) || !skip(&at, end, '@') || !read_number(&at, end, &mmio.base) ||
        !skip(&at, end, ':') || !read_number(&at, end, &line))
        return false;
    if (at < end && (!skip(&at, end, ':') || !read_number(&at, end, &id)))
        return false;
    if (at != end || mmio.size == 0 || mmio.size - 1 > UINT64_MAX - mmio.base || line > UINT32_MAX ||
        options->mmio_count == OPTIONS_MMIO_MAX)
        return false;
    mmio.line = (uint32_t)line;
    options->mmio[options->mmio_count++] = mmio;
    return true;
}

void options_parse(struct boot_info *info, struct options *options)
{
    *options = (struct options){.panic = PANIC_EXIT, .log = LOG_INFO};
    const char *at = info->command_line;
    while (*at != '\0') {
        at += strspn(at, " \t\r\n");
        size_t length = strcspn(at, " \t\r\n");
        if (length == 0)
            break;
        const char *equals = memchr(at, '=', length);
        size_t name_length = equals != NULL ? (size_t)(equals - at) : length;
        const char *value = equals != NULL ? equals + 1 : at + length;
        size_t value_length = length - (size_t)(value - at);
        bool known = true, good = true;
        if (word_is(at, name_length, "panic"))
            good = set_panic(options, value, value_length);
        else if (word_is(at, name_length, "log"))
            good = set_log(options, value, value_length);
        else if (word_is(at, name_length, "model"))
            good = copy_name(options->model, value, value_length);
        else if (word_is(at, name_length, "instructions"))
            good = set_instructions(options, value, value_length);
        else if (word_is(at, name_length, "module"))
            good = name_module(info, value, value_length);
        else if (word_is(at, name_length, "policy"))
            options->policy = (struct option_text){value, value_length};
        else if (word_is(at, name_length, "virtio_mmio.device"))
            good = add_mmio(options, value, value_length);
        else if (word_is(at, length, "nokaslr"))
            ; /* arch has heeded it (layout.c) */
        else
            known = false;
        if (!known || !good)
            log_write(LOG_WARNING, "kernel", "command line: %s '%.*s'", known ? "cannot use" : "unknown word",
                      (int)length, at);
        at += length;
    }
}
