/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <options.h>

static struct boot_info info;
static struct options options;
static uint8_t ring[64 * 1024];
static uint64_t cursor;

static int start(void **state)
{
    (void)state;
    const struct log_config config = {.ring = ring, .ring_size = sizeof ring, .level = LOG_DEBUG};
    memset(&info, 0, sizeof info);
    info.protocol = BOOT_PVH;
    cursor = 0;
    return log_initialise(&config);
}

static void parse(const char *line)
{
    memset(&options, 0xee, sizeof options);
    boot_info_set_command_line(&info, line, strlen(line));
    options_parse(&info, &options);
}

/* The next line of the log is this warning. */
static void expect_warning(const char *text)
{
    struct log_entry entry;
    assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, NULL), 1);
    assert_int_equal(entry.level, LOG_WARNING);
    assert_string_equal(entry.subsystem, "kernel");
    assert_string_equal(entry.text, text);
}

static void expect_silence(void)
{
    struct log_entry entry;
    assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, NULL), 0);
}

static void test_defaults(void **state)
{
    (void)state;
    static const char *const lines[] = {"", " ", "\t\r\n  "};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        parse(lines[i]);
        assert_int_equal(options.panic, PANIC_EXIT);
        assert_int_equal(options.log, LOG_INFO);
        assert_string_equal(options.model, "");
    }
    expect_silence();
}

static void test_every_value(void **state)
{
    (void)state;
    parse("panic=halt log=error");
    assert_int_equal(options.panic, PANIC_HALT);
    assert_int_equal(options.log, LOG_ERROR);
    parse("\tpanic=reboot\nlog=warning ");
    assert_int_equal(options.panic, PANIC_REBOOT);
    assert_int_equal(options.log, LOG_WARNING);
    parse("panic=exit  log=info");
    assert_int_equal(options.panic, PANIC_EXIT);
    assert_int_equal(options.log, LOG_INFO);
    parse("log=debug model=guide.kv");
    assert_int_equal(options.log, LOG_DEBUG);
    assert_string_equal(options.model, "guide.kv");
    assert_int_equal(options.log_port, 0);
    assert_null(options.instructions);
    parse("instructions=avx2 instructions=sse2");
    assert_string_equal(options.instructions, "sse2");
    parse("log=vsock:6000 log=debug");
    assert_int_equal(options.log_port, 6000);
    assert_int_equal(options.log, LOG_DEBUG);
    parse("log=error log=vsock:1 log=vsock:0xfffffffe");
    assert_true(options.log_port == UINT32_MAX - 1);
    assert_int_equal(options.log, LOG_ERROR);
    expect_silence();
}

static void test_the_policy_is_kept_as_it_stands(void **state)
{
    (void)state;
    parse("log=info");
    assert_null(options.policy.text);
    parse("policy=vsock:2=all;any=none model=m");
    assert_int_equal(options.policy.length, strlen("vsock:2=all;any=none"));
    assert_memory_equal(options.policy.text, "vsock:2=all;any=none", options.policy.length);
    parse("policy=");
    assert_non_null(options.policy.text);
    assert_int_equal(options.policy.length, 0);
    expect_silence();
}

static void test_the_last_one_wins(void **state)
{
    (void)state;
    parse("log=debug log=error model=a model=b panic=halt panic=reboot");
    assert_int_equal(options.log, LOG_ERROR);
    assert_string_equal(options.model, "b");
    assert_int_equal(options.panic, PANIC_REBOOT);
    expect_silence();
}

static void test_ports_that_are_none(void **state)
{
    (void)state;
    static const char *const words[] = {"log=vsock:",  "log=vsock:0",  "log=vsock:0xffffffff",
                                        "log=vsock:x", "log=vsock:1,", "log=vsock:6000.",
                                        "log=vsock"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char warning[64];
        parse(words[i]);
        (void)log_format(warning, sizeof warning, "command line: cannot use '%s'", words[i]);
        assert_int_equal(options.log_port, 0);
        expect_warning(warning);
    }
}

static void test_an_instruction_set_that_is_none(void **state)
{
    (void)state;
    parse("instructions=avx3");
    assert_null(options.instructions);
    expect_warning("command line: cannot use 'instructions=avx3'");
}

static void test_what_makes_no_sense_is_logged_and_changes_nothing(void **state)
{
    (void)state;
    parse(
        "log=debug panic=halt model=m log=loud log= log panic=never panic= panic panicked=exit quiet model= "
        "log=warningwarningwarning log=debu = =x module=late");
    assert_int_equal(options.log, LOG_DEBUG);
    assert_int_equal(options.panic, PANIC_HALT);
    assert_string_equal(options.model, "m");
    expect_warning("command line: cannot use 'log=loud'");
    expect_warning("command line: cannot use 'log='");
    expect_warning("command line: cannot use 'log'");
    expect_warning("command line: cannot use 'panic=never'");
    expect_warning("command line: cannot use 'panic='");
    expect_warning("command line: cannot use 'panic'");
    expect_warning("command line: unknown word 'panicked=exit'");
    expect_warning("command line: unknown word 'quiet'");
    expect_warning("command line: cannot use 'model='");
    expect_warning("command line: cannot use 'log=warningwarningwarning'");
    expect_warning("command line: cannot use 'log=debu'");
    expect_warning("command line: unknown word '='");
    expect_warning("command line: unknown word '=x'");
    expect_warning("command line: cannot use 'module=late'");
    expect_silence();
}

/* The address space is laid out before options are read. */
static void test_words_that_others_heed(void **state)
{
    (void)state;
    parse("nokaslr log=debug");
    assert_int_equal(options.log, LOG_DEBUG);
    expect_silence();
    parse("nokaslr=1 nokasl");
    expect_warning("command line: unknown word 'nokaslr=1'");
    expect_warning("command line: unknown word 'nokasl'");
    expect_silence();
}

static void test_name_lengths(void **state)
{
    (void)state;
    char line[6 + BOOT_NAME_MAX + 2] = "model=";
    memset(line + 6, 'n', BOOT_NAME_MAX);
    parse(line);
    assert_string_equal(options.model, line + 6);
    expect_silence();
    line[6 + BOOT_NAME_MAX] = 'n';
    parse(line);
    assert_string_equal(options.model, "");
    struct log_entry entry;
    assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, NULL), 1);
}

/* A word as long as the command line: the log cuts it, the parser does not mind. */
static void test_the_longest_word(void **state)
{
    (void)state;
    char line[BOOT_COMMAND_LINE_MAX + 1];
    memset(line, 'w', BOOT_COMMAND_LINE_MAX);
    line[BOOT_COMMAND_LINE_MAX] = '\0';
    parse(line);
    struct log_entry entry;
    assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, NULL), 1);
    assert_int_equal(entry.level, LOG_WARNING);
}

/* module= names the modules that came without a name, in order; a name that was given is kept, whatever it
 * is. */
static void test_modules_are_named_in_order(void **state)
{
    (void)state;
    boot_info_add_module(&info, 0, 1, "", 0);
    boot_info_add_module(&info, 0, 1, "modules.kv", 10);
    boot_info_add_module(&info, 0, 1, NULL, 0);
    boot_info_add_module(&info, 0, 1, "", 0);
    parse("module=module-a.kv module=b.kv");
    assert_string_equal(info.modules[0].name, "module-a.kv");
    assert_string_equal(info.modules[1].name, "modules.kv");
    assert_string_equal(info.modules[2].name, "b.kv");
    assert_string_equal(info.modules[3].name, "module3");
    expect_silence();
    parse("module= module=c.kv module=d.kv");
    assert_string_equal(info.modules[3].name, "c.kv");
    expect_warning("command line: cannot use 'module='");
    expect_warning("command line: cannot use 'module=d.kv'");
}

static void expect_mmio(size_t index, uint64_t size, uint64_t base, uint32_t line)
{
    assert_true(index < options.mmio_count);
    assert_int_equal(options.mmio[index].size, size);
    assert_int_equal(options.mmio[index].base, base);
    assert_int_equal(options.mmio[index].line, line);
}

/* As QEMU's microvm and Firecracker write it, and what Linux accepts besides. */
static void test_mmio_devices(void **state)
{
    (void)state;
    parse("virtio_mmio.device=512@0xfeb00e00:12 virtio_mmio.device=4K@0xd0000000:5 log=debug "
          "virtio_mmio.device=0x200@4096:0 virtio_mmio.device=1M@0XABCDEF00:4294967295:7 "
          "virtio_mmio.device=2g@0xffffffffffffffff:1 virtio_mmio.device=17179869183G@0:1 "
          "virtio_mmio.device=1k@0xfeb00e00:12");
    expect_warning("command line: cannot use 'virtio_mmio.device=2g@0xffffffffffffffff:1'");
    assert_int_equal(options.mmio_count, 6);
    expect_mmio(0, 512, 0xfeb00e00, 12);
    expect_mmio(1, 4096, 0xd0000000, 5);
    expect_mmio(2, 512, 4096, 0);
    expect_mmio(3, 1 << 20, 0xabcdef00, UINT32_MAX);
    expect_mmio(4, 17179869183ull << 30, 0, 1);
    expect_mmio(5, 1024, 0xfeb00e00, 12);
    assert_int_equal(options.log, LOG_DEBUG);
    expect_silence();
}

static void test_mmio_devices_that_make_no_sense(void **state)
{
    (void)state;
    static const char *const values[] = {"",
                                         "@",
                                         "512",
                                         "512@",
                                         "512@0x1000",
                                         "512@0x1000:",
                                         "512@0x1000:x",
                                         "512@0x1000:5:",
                                         "512@0x1000:5:x",
                                         "512@0x1000:5:1:",
                                         "512@0x1000:5x",
                                         "512@0x:5",
                                         "512@0xg:5",
                                         "512@fe000000:5",
                                         "0x@0x1000:5",
                                         "K@0x1000:5",
                                         "512T@0x1000:5",
                                         "512KK@0x1000:5",
                                         "512@1K:5",
                                         "-512@0x1000:5",
                                         "512@-1:5",
                                         "512@0x1000:-5",
                                         "512@0x1000:+5",
                                         "0@0x1000:5",
                                         "512@0x1000:4294967296",
                                         "512@0x1000:0x1ffffffff",
                                         "18446744073709551616@0x1000:5",
                                         "17179869184G@0:5",
                                         "512@0x10000000000000000:5",
                                         "512@0xfffffffffffffe01:5",
                                         "512@99999999999999999999999999:5"};

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char line[128], warning[192];
        (void)snprintf(line, sizeof line, "virtio_mmio.device=%s", values[i]);
        (void)snprintf(warning, sizeof warning, "command line: cannot use '%s'", line);
        parse(line);
        assert_int_equal(options.mmio_count, 0);
        expect_warning(warning);
    }
    parse("virtio_mmio.device");
    expect_warning("command line: cannot use 'virtio_mmio.device'");
    parse("virtio_mmio.devices=512@0x1000:5");
    expect_warning("command line: unknown word 'virtio_mmio.devices=512@0x1000:5'");
    parse("virtio_mmio.device=512@0xfffffffffffffe00:5"); /* up to the last byte */
    assert_int_equal(options.mmio_count, 1);
    expect_silence();
}

static void test_more_mmio_devices_than_are_kept(void **state)
{
    (void)state;
    char line[BOOT_COMMAND_LINE_MAX + 1] = "";
    size_t length = 0;
    for (int i = 0; i <= OPTIONS_MMIO_MAX; i++)
        length += (size_t)snprintf(line + length, sizeof line - length, "virtio_mmio.device=512@%d:5 ", i);
    assert_true(length < sizeof line);
    parse(line);
    assert_int_equal(options.mmio_count, OPTIONS_MMIO_MAX);
    expect_mmio(OPTIONS_MMIO_MAX - 1, 512, OPTIONS_MMIO_MAX - 1, 5);
    expect_warning("command line: cannot use 'virtio_mmio.device=512@32:5'");
    expect_silence();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_defaults, start),
        cmocka_unit_test_setup(test_every_value, start),
        cmocka_unit_test_setup(test_the_policy_is_kept_as_it_stands, start),
        cmocka_unit_test_setup(test_the_last_one_wins, start),
        cmocka_unit_test_setup(test_ports_that_are_none, start),
        cmocka_unit_test_setup(test_an_instruction_set_that_is_none, start),
        cmocka_unit_test_setup(test_what_makes_no_sense_is_logged_and_changes_nothing, start),
        cmocka_unit_test_setup(test_words_that_others_heed, start),
        cmocka_unit_test_setup(test_name_lengths, start),
        cmocka_unit_test_setup(test_the_longest_word, start),
        cmocka_unit_test_setup(test_modules_are_named_in_order, start),
        cmocka_unit_test_setup(test_mmio_devices, start),
        cmocka_unit_test_setup(test_mmio_devices_that_make_no_sense, start),
        cmocka_unit_test_setup(test_more_mmio_devices_than_are_kept, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
