/* SPDX-License-Identifier: MIT
 *
 * Xen's x86/HVM direct boot ABI, written here byte by byte, not with the parser's own types.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake_loader.h"

#define MAGIC     0x336ec578u
#define INFO      0x1000u /* not aligned on purpose: the ABI promises nothing */
#define MAP       0x2003u
#define MODULES   0x10005u
#define TEXT      0x20000u
#define NAMES     0x30000u
#define NAME_SIZE 0x100u

/* The fields of hvm_start_info, which build() writes down. */
static struct {
    uint32_t magic, version, flags, module_count;
    uint64_t module_list, command_line, rsdp, memory_map;
    uint32_t memory_map_count, reserved;
} fields;

static uint8_t map[5000 * 24], modules[70 * 32];
static size_t map_count, module_count;
static const char *text;
static size_t text_size; /* what can be read of it, the NUL with it */
static struct boot_info info;

static void store(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static void add_entry(uint64_t base, uint64_t size, uint32_t type)
{
    uint8_t *at = map + 24 * map_count++;
    store(at, base, 8);
    store(at + 8, size, 8);
    store(at + 16, type, 4);
    store(at + 20, 0, 4);
}

static void add_module(uint64_t base, uint64_t size, uint64_t name)
{
    uint8_t *at = modules + 32 * module_count++;
    store(at, base, 8);
    store(at + 8, size, 8);
    store(at + 16, name, 8);
    store(at + 24, 0, 8);
}

static void set_text(const char *chosen)
{
    text = chosen;
    text_size = strlen(chosen) + 1;
}

/* As QEMU makes one. */
static void build(void)
{
    map_count = module_count = 0;
    add_entry(0, 0x9fc00, 1);
    add_entry(0x9fc00, 0x400, 2);
    add_entry(0x100000, 0x3ee0000, 1);
    add_entry(0x100000000, 0x1000, 1);
    add_module(0x3f00000, 0x1234, 0);
    add_module(0x3f80000, 0x10, NAMES);
    set_text("log=debug");
    memset(&fields, 0, sizeof fields);
    fields.magic = MAGIC;
    fields.version = 1;
    fields.module_list = MODULES;
    fields.memory_map = MAP;
    fields.command_line = TEXT;
}

/* Writes everything to the loader's memory; the counts are those of the tables where they are 0. */
static void place(size_t info_size)
{
    uint8_t bytes[56];
    loader_end();
    loader_start();
    store(bytes, fields.magic, 4);
    store(bytes + 4, fields.version, 4);
    store(bytes + 8, fields.flags, 4);
    store(bytes + 12, fields.module_count != 0 ? fields.module_count : module_count, 4);
    store(bytes + 16, fields.module_list, 8);
    store(bytes + 24, fields.command_line, 8);
    store(bytes + 32, fields.rsdp, 8);
    store(bytes + 40, fields.memory_map, 8);
    store(bytes + 48, fields.memory_map_count != 0 ? fields.memory_map_count : map_count, 4);
    store(bytes + 52, fields.reserved, 4);
    loader_put(INFO, bytes, info_size);
    loader_put(MAP, map, 24 * map_count);
    loader_put(MODULES, modules, 32 * module_count);
    loader_put(TEXT, text, text_size);
    loader_put(NAMES, "/models/tiny.kv option", sizeof "/models/tiny.kv option");
}

static int parse_placed(void)
{
    memset(&info, 0xee, sizeof info);
    int error = pvh_parse(INFO, loader_read, &info);
    check_boot_info(&info);
    return error;
}

static int parse(void)
{
    place(56);
    return parse_placed();
}

static int start(void **state)
{
    (void)state;
    loader_start();
    build();
    return 0;
}

static int end(void **state)
{
    (void)state;
    loader_end();
    return 0;
}

static void test_well_formed(void **state)
{
    (void)state;
    assert_int_equal(parse(), 0);
    assert_int_equal(info.protocol, BOOT_PVH);
    assert_string_equal(info.command_line, "log=debug");
    assert_int_equal(info.range_count, 3);
    assert_int_equal(info.ranges[1].base, 0x100000);
    assert_int_equal(info.ranges[1].size, 0x3ee0000);
    assert_int_equal(info.module_count, 2);
    assert_int_equal(info.modules[0].base, 0x3f00000);
    assert_int_equal(info.modules[0].size, 0x1234);
    assert_string_equal(info.modules[0].name, "module0");
    assert_string_equal(info.modules[1].name, "tiny.kv");
    assert_int_equal(info.dropped, 0);

    fields.command_line = 0;
    module_count = 0;
    fields.module_list = 0;
    assert_int_equal(parse(), 0);
    assert_string_equal(info.command_line, "");
    assert_int_equal(info.module_count, 0);
    assert_int_equal(info.dropped, 0);
}

static void test_header(void **state)
{
    (void)state;
    for (size_t size = 0; size < 56; size++) {
        place(size);
        assert_int_equal(parse_placed(), -EINVAL);
    }
    fields.magic++;
    assert_int_equal(parse(), -EINVAL);
    build();
    fields.version = 0; /* has no memory map */
    assert_int_equal(parse(), -EINVAL);
    build();
    fields.version = 2; /* only adds */
    assert_int_equal(parse(), 0);
    assert_int_equal(pvh_parse(UINT64_MAX, loader_read, &info), -EINVAL);
    assert_int_equal(pvh_parse(0, loader_read, &info), -EINVAL);
}

static void test_tables_that_cannot_be_read(void **state)
{
    (void)state;
    static const uint64_t nowhere[] = {0,           8,           MAP - 1,         MAP + 40,
                                       MODULES - 1, MODULES + 1, UINT64_MAX - 23, UINT64_MAX};
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        build();
        fields.memory_map = nowhere[i];
        assert_int_equal(parse(), -EINVAL);
        build();
        fields.module_list = nowhere[i];
        assert_int_equal(parse(), -EINVAL);
    }
    build();
    fields.memory_map_count = (uint32_t)map_count + 1;
    assert_int_equal(parse(), -EINVAL);
    build();
    fields.module_count = (uint32_t)module_count + 1;
    assert_int_equal(parse(), -EINVAL);
    static const uint32_t counts[] = {4097, 0x80000000, UINT32_MAX, UINT32_MAX / 24 + 1};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        build();
        fields.memory_map_count = counts[i];
        assert_int_equal(parse(), -EINVAL);
        build();
        fields.module_count = counts[i];
        assert_int_equal(parse(), -EINVAL);
    }
}

static void test_ranges_of_any_kind(void **state)
{
    (void)state;
    map_count = 0;
    for (uint32_t i = 0; i < 4096 - 3; i++)
        add_entry((5000 - i) * 0x10000ull, 0x1000, i < BOOT_RANGES_MAX + 1 ? 1 : 2 + i % 7);
    add_entry(UINT64_MAX - 10, 100, 1); /* wraps */
    add_entry(5000 * 0x10000ull + 0x800, 0x1000, 1);
    add_entry(0, 0, 1);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.range_count, BOOT_RANGES_MAX);
    assert_true(info.dropped >= 3);
    add_entry(0, 0x1000, 1); /* one more than anybody has */
    assert_int_equal(parse(), -EINVAL);

    map_count = 0; /* no usable memory */
    add_entry(0, 0x1000, 2);
    assert_int_equal(parse(), -EINVAL);
}

static void test_modules(void **state)
{
    (void)state;
    module_count = 0;
    for (unsigned i = 0; i < 64; i++)
        add_module((uint64_t)i * 0x1000, 0x1000, i % 2 == 0 ? 0 : NAMES);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.module_count, BOOT_MODULES_MAX);
    assert_int_equal(info.dropped, 64 - BOOT_MODULES_MAX);
    assert_string_equal(info.modules[14].name, "module14");
    assert_string_equal(info.modules[15].name, "tiny.kv");
    add_module(0, 0, 0);
    assert_int_equal(parse(), -EINVAL);

    module_count = 0;
    add_module(UINT64_MAX, 2, 0); /* wraps */
    add_module(0x1000, 0, NAMES);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.module_count, 1);
    assert_int_equal(info.dropped, 1);
}

static void test_command_line_lengths(void **state)
{
    (void)state;
    static char letters[2000];
    static const size_t lengths[] = {0, 1, BOOT_COMMAND_LINE_MAX, BOOT_COMMAND_LINE_MAX + 1, 1500};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        memset(letters, 'l', lengths[i]);
        letters[lengths[i]] = '\0';
        set_text(letters);
        bool fits = lengths[i] <= BOOT_COMMAND_LINE_MAX;
        assert_int_equal(parse(), 0);
        assert_int_equal(strlen(info.command_line), fits ? lengths[i] : BOOT_COMMAND_LINE_MAX);
        assert_int_equal(info.dropped, fits ? 0 : 1);
    }
}

/* Text that runs into memory which cannot be read is no text; it does not get lost silently. */
static void test_text_that_cannot_be_read(void **state)
{
    (void)state;
    text_size = 3; /* "log", then nothing */
    assert_int_equal(parse(), 0);
    assert_string_equal(info.command_line, "");
    assert_int_equal(info.dropped, 1);

    build();
    fields.command_line = UINT64_MAX;
    assert_int_equal(parse(), 0);
    assert_int_equal(info.dropped, 1);

    build();
    module_count = 0;
    add_module(0x1000, 0x1000, 0x5555555);
    assert_int_equal(parse(), 0);
    assert_string_equal(info.modules[0].name, "module0");
    assert_int_equal(info.dropped, 1);
}

/* Some bits changed in a good one: an error or a result that holds its promises, never a read outside. */
static void test_mutations(void **state)
{
    (void)state;
    unsigned good = 0, bad = 0;
    for (unsigned round = 0; round < 10000; round++) {
        build();
        for (uint64_t changes = 1 + random_below(3); changes > 0; changes--) {
            uint8_t *places[] = {(uint8_t *)&fields, map, modules};
            const size_t sizes[] = {sizeof fields, 24 * map_count, 32 * module_count};
            uint64_t which = random_below(3);
            places[which][random_below(sizes[which])] ^= (uint8_t)(1u << random_below(8));
        }
        if (parse() == 0)
            good++;
        else
            bad++;
    }
    assert_true(good > 1000 && bad > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_well_formed, start, end),
        cmocka_unit_test_setup_teardown(test_header, start, end),
        cmocka_unit_test_setup_teardown(test_tables_that_cannot_be_read, start, end),
        cmocka_unit_test_setup_teardown(test_ranges_of_any_kind, start, end),
        cmocka_unit_test_setup_teardown(test_modules, start, end),
        cmocka_unit_test_setup_teardown(test_command_line_lengths, start, end),
        cmocka_unit_test_setup_teardown(test_text_that_cannot_be_read, start, end),
        cmocka_unit_test_setup_teardown(test_mutations, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
