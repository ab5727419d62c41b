/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "fake_loader.h"

static struct boot_info info;

static int start(void **state)
{
    (void)state;
    memset(&info, 0, sizeof info);
    return 0;
}

static void expect_ranges(const struct boot_range *expected, size_t count)
{
    check_boot_info(&info);
    assert_int_equal(info.range_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(info.ranges[i].base, expected[i].base);
        assert_int_equal(info.ranges[i].size, expected[i].size);
    }
}

static void test_ranges_are_sorted(void **state)
{
    (void)state;
    boot_info_add_range(&info, 0x5000, 0x1000);
    boot_info_add_range(&info, 0, 0x1000);
    boot_info_add_range(&info, 0x9000, 0x10);
    boot_info_add_range(&info, 0x1000, 0x3000); /* touches the first, which is fine */
    const struct boot_range expected[] = {{0, 0x1000}, {0x1000, 0x3000}, {0x5000, 0x1000}, {0x9000, 0x10}};
    expect_ranges(expected, 4);
    assert_int_equal(info.dropped, 0);
}

static void test_overlapping_ranges_are_cut(void **state)
{
    (void)state;
    boot_info_add_range(&info, 0x1000, 0x1000);
    boot_info_add_range(&info, 0x4000, 0x1000);
    boot_info_add_range(&info, 0x1800, 0x1000); /* its start is there already */
    boot_info_add_range(&info, 0x3800, 0x1000); /* its end */
    boot_info_add_range(&info, 0x1100, 0x100);  /* all of it */
    boot_info_add_range(&info, 0x4000, 0x1000); /* again */
    boot_info_add_range(&info, 0x4800, 0x1000);
    boot_info_add_range(&info, 0x2700, 0x1200); /* both ends */
    const struct boot_range expected[] = {{0x1000, 0x1000}, {0x2000, 0x800},  {0x2800, 0x1000},
                                          {0x3800, 0x800},  {0x4000, 0x1000}, {0x5000, 0x800}};
    expect_ranges(expected, 6);
    assert_true(info.dropped >= 6);
}

static void test_empty_and_wrapping_ranges(void **state)
{
    (void)state;
    boot_info_add_range(&info, 0x1000, 0);
    boot_info_add_range(&info, 0, 0);
    assert_int_equal(info.dropped, 0);
    boot_info_add_range(&info, 1, UINT64_MAX);
    boot_info_add_range(&info, UINT64_MAX, UINT64_MAX);
    boot_info_add_range(&info, UINT64_MAX - 0xfff, 0x1001);
    assert_int_equal(info.dropped, 3);
    assert_int_equal(info.range_count, 0);
    boot_info_add_range(&info, UINT64_MAX - 0xfff, 0xfff);
    boot_info_add_range(&info, 0, UINT64_MAX);
    const struct boot_range expected[] = {{0, UINT64_MAX - 0xfff}, {UINT64_MAX - 0xfff, 0xfff}};
    expect_ranges(expected, 2);
}

static void test_too_many_ranges(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < BOOT_RANGES_MAX + 10; i++)
        boot_info_add_range(&info, (1000 - i) * 0x1000, 0x800);
    check_boot_info(&info);
    assert_int_equal(info.range_count, BOOT_RANGES_MAX);
    assert_int_equal(info.dropped, 10);
    assert_int_equal(info.ranges[BOOT_RANGES_MAX - 1].base, 1000 * 0x1000);
}

/* Against a map of 256 bytes: nothing is listed that no range had, and nothing is lost unsaid. */
static void test_random_ranges(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        bool given[256] = {false}, overlap = false;
        memset(&info, 0, sizeof info);
        uint64_t count = random_below(12);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t base = random_below(250), size = random_below(round % 2 == 0 ? 6 : 80);
            if (size > 256 - base)
                size = 256 - base;
            for (uint64_t at = base; at < base + size; at++) {
                overlap = overlap || given[at];
                given[at] = true;
            }
            boot_info_add_range(&info, base, size);
        }
        check_boot_info(&info);
        size_t listed = 0, all = 0;
        for (size_t i = 0; i < info.range_count; i++)
            for (uint64_t at = info.ranges[i].base; at < info.ranges[i].base + info.ranges[i].size; at++) {
                assert_true(given[at]);
                listed++;
            }
        for (size_t at = 0; at < 256; at++)
            all += given[at] ? 1 : 0;
        if (!overlap)
            assert_int_equal(listed, all);
        else if (listed < all)
            assert_true(info.dropped > 0);
    }
}

static void add_module(const char *name)
{
    boot_info_add_module(&info, 0x1000, 0x100, name, strlen(name));
}

static void test_module_names(void **state)
{
    (void)state;
    char long_name[BOOT_NAME_MAX + 2], longest[BOOT_NAME_MAX + 1];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    memcpy(longest, long_name, BOOT_NAME_MAX);
    longest[BOOT_NAME_MAX] = '\0';
    char path[200];
    memset(path, 'd', sizeof path);
    memcpy(path + 100, "/name", sizeof "/name");

    add_module("/boot/guide.kv");
    add_module("guide.kv with words /and/paths");
    add_module("");
    add_module("/boot/");
    add_module(" late");
    add_module(longest);
    assert_int_equal(info.dropped, 0);
    add_module(long_name);
    assert_int_equal(info.dropped, 1);
    add_module(path);
    boot_info_add_module(&info, 0, 0, "cut\0off", 7);
    boot_info_add_module(&info, 0, 0, NULL, 0);
    const char *const expected[] = {"guide.kv", "guide.kv", "module2", "module3", "module4",
                                    longest,    longest,    "name",    "cut",     "module9"};
    check_boot_info(&info);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_string_equal(info.modules[i].name, expected[i]);
    assert_int_equal(info.modules[0].base, 0x1000);
    assert_int_equal(info.modules[0].size, 0x100);
    assert_int_equal(info.dropped, 1);
}

static void test_too_many_modules(void **state)
{
    (void)state;
    boot_info_add_module(&info, UINT64_MAX, 1, "wraps", 5);
    assert_int_equal(info.dropped, 1);
    for (unsigned i = 0; i < BOOT_MODULES_MAX + 5; i++)
        add_module("");
    check_boot_info(&info);
    assert_int_equal(info.module_count, BOOT_MODULES_MAX);
    assert_int_equal(info.dropped, 6);
    assert_string_equal(info.modules[0].name, "module0");
    assert_string_equal(info.modules[9].name, "module9");
    assert_string_equal(info.modules[15].name, "module15");
}

static void test_command_line(void **state)
{
    (void)state;
    char text[BOOT_COMMAND_LINE_MAX + 5];
    memset(text, 'x', sizeof text);
    boot_info_set_command_line(&info, text, BOOT_COMMAND_LINE_MAX);
    assert_int_equal(strlen(info.command_line), BOOT_COMMAND_LINE_MAX);
    assert_int_equal(info.dropped, 0);
    boot_info_set_command_line(&info, text, sizeof text);
    assert_int_equal(strlen(info.command_line), BOOT_COMMAND_LINE_MAX);
    assert_int_equal(info.dropped, 1);
    boot_info_set_command_line(&info, "", 0);
    assert_string_equal(info.command_line, "");
}

static void expect_word(const char *line, const char *name, const char *expected)
{
    const char *value = "untouched";
    size_t length = 99;
    boot_info_set_command_line(&info, line, strlen(line));
    int found = boot_word(&info, name, &value, &length);
    if (expected == NULL) {
        assert_int_equal(found, 0);
        assert_string_equal(value, "untouched");
        assert_int_equal(length, 99);
        return;
    }
    assert_int_equal(found, 1);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(value, expected, length);
}

static void test_words(void **state)
{
    (void)state;
    expect_word("", "log", NULL);
    expect_word("  \t\r\n ", "log", NULL);
    expect_word("log=debug", "log", "debug");
    expect_word("a=1\tlog=debug\nb=2", "log", "debug");
    expect_word("log=", "log", "");
    expect_word("log= x", "log", "");
    expect_word("log", "log", NULL);
    expect_word("logs=x", "log", NULL);
    expect_word("xlog=x", "log", NULL);
    expect_word("lo=x", "log", NULL);
    expect_word("x=log=y", "log", NULL);
    expect_word("log=a=b", "log", "a=b");
    expect_word("log=1 log=2", "log", "2");
    expect_word("log=1 log=", "log", "");
    expect_word("=x", "log", NULL);
}

static bool has_flag(const char *line)
{
    boot_info_set_command_line(&info, line, strlen(line));
    return boot_flag(&info, "quiet");
}

static void test_flags(void **state)
{
    (void)state;
    assert_true(has_flag("quiet"));
    assert_true(has_flag("\tlog=debug  quiet x"));
    assert_false(has_flag(""));
    assert_false(has_flag("quiet=1 quiet="));
    assert_false(has_flag("quie quieter xquiet =quiet"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_ranges_are_sorted, start),
        cmocka_unit_test_setup(test_overlapping_ranges_are_cut, start),
        cmocka_unit_test_setup(test_empty_and_wrapping_ranges, start),
        cmocka_unit_test_setup(test_too_many_ranges, start),
        cmocka_unit_test_setup(test_random_ranges, start),
        cmocka_unit_test_setup(test_module_names, start),
        cmocka_unit_test_setup(test_too_many_modules, start),
        cmocka_unit_test_setup(test_command_line, start),
        cmocka_unit_test_setup(test_words, start),
        cmocka_unit_test_setup(test_flags, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
