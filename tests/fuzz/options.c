/* SPDX-License-Identifier: MIT
 *
 * The kernel's command line: the input is the line, behind one byte that says how many modules lack a name.
 */
#include <options.h>

#include "fuzz.h"
#include "unit/boot/fake_loader.h"

static uint8_t ring[64 * 1024];

/* What the log says of a word is one line of valid text, whatever the word was. */
static void check_log(void)
{
    struct log_entry entry;
    uint64_t cursor = 0;

    while (log_read(&cursor, LOG_DEBUG, &entry, NULL) == 1) {
        assert_int_equal(entry.level, LOG_WARNING);
        assert_null(strchr(entry.text, '\n'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct log_config config = {.ring = ring, .ring_size = sizeof(ring), .level = LOG_DEBUG};
    struct boot_info info = {.protocol = BOOT_PVH};
    struct options options;
    struct input input = {data, size, 0};
    const char *value = NULL;
    size_t length = 0;

    assert_int_equal(log_initialise(&config), 0);
    for (size_t i = input_below(&input, 4); i > 0; i--)
        boot_info_add_module(&info, 0x100000 * i, 1, "", 0);
    boot_info_set_command_line(&info, (const char *)data + input.at, input_left(&input));
    assert_true(strlen(info.command_line) <= BOOT_COMMAND_LINE_MAX);
    memset(&options, 0xee, sizeof(options));
    options_parse(&info, &options);
    check_boot_info(&info);
    assert_true(options.panic == PANIC_EXIT || options.panic == PANIC_HALT || options.panic == PANIC_REBOOT);
    assert_true(options.log <= LOG_DEBUG);
    assert_true(strnlen(options.model, sizeof(options.model)) <= BOOT_NAME_MAX);
    assert_true(options.mmio_count <= OPTIONS_MMIO_MAX);
    for (size_t i = 0; i < options.mmio_count; i++)
        assert_true(options.mmio[i].size > 0 &&
                    options.mmio[i].size - 1 <= UINT64_MAX - options.mmio[i].base);
    if (boot_word(&info, "model", &value, &length) == 1)
        assert_true(value >= info.command_line &&
                    value + length <= info.command_line + strlen(info.command_line));
    check_log();
    return 0;
}
