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

static bool set_log(struct options *options, const char *value, size_t length)
{
    char name[16];
    if (length >= sizeof name)
        return false;
    memcpy(name, value, length);
    name[length] = '\0';
    return log_level_parse(name, &options->log) == 0;
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
        else if (word_is(at, name_length, "module"))
            good = name_module(info, value, value_length);
        else
            known = false;
        if (!known || !good)
            log_write(LOG_WARNING, "kernel", "command line: %s '%.*s'", known ? "cannot use" : "unknown word",
                      (int)length, at);
        at += length;
    }
}
