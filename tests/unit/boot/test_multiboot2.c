/* SPDX-License-Identifier: MIT
 *
 * Multiboot2 specification 2.0, section 3.6. Structures are written here byte by byte, not with the parser's
 * own types.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fake_loader.h"

#define AT 0x9000u

static uint8_t bytes[64 * 1024];
static size_t size;
static struct boot_info info;

static int start(void **state)
{
    (void)state;
    loader_start();
    memset(bytes, 0, sizeof bytes);
    size = 8;
    return 0;
}

static int end(void **state)
{
    (void)state;
    loader_end();
    return 0;
}

static void put32(size_t at, uint32_t value)
{
    memcpy(bytes + at, &value, sizeof value);
}

static void add32(uint32_t value)
{
    put32(size, value);
    size += 4;
}

static void add64(uint64_t value)
{
    add32((uint32_t)value);
    add32((uint32_t)(value >> 32));
}

/* Returns where the tag stands. */
static size_t tag_begin(uint32_t type)
{
    size = (size + 7) & ~(size_t)7;
    size_t at = size;
    add32(type);
    add32(0);
    return at;
}

static void tag_end(size_t at)
{
    put32(at + 4, (uint32_t)(size - at));
}

static size_t add_text_tag(uint32_t type, const char *text)
{
    size_t at = tag_begin(type);
    memcpy(bytes + size, text, strlen(text) + 1);
    size += strlen(text) + 1;
    tag_end(at);
    return at;
}

static size_t add_module(uint32_t first, uint32_t last, const char *name)
{
    size_t at = tag_begin(3);
    add32(first);
    add32(last);
    memcpy(bytes + size, name, strlen(name) + 1);
    size += strlen(name) + 1;
    tag_end(at);
    return at;
}

static size_t map_begin(uint32_t entry_size)
{
    size_t at = tag_begin(6);
    add32(entry_size);
    add32(0);
    return at;
}

static void add_entry(uint64_t base, uint64_t length, uint32_t type)
{
    add64(base);
    add64(length);
    add32(type);
    add32(0);
}

static void finish(void)
{
    tag_end(tag_begin(0));
    put32(0, (uint32_t)size);
}

static int parse(void)
{
    loader_end();
    loader_start();
    loader_put(AT, bytes, size);
    memset(&info, 0xee, sizeof info);
    int error = multiboot2_parse(AT, loader_read, &info);
    check_boot_info(&info);
    return error;
}

static size_t map_at, module_at, command_at;

/* As GRUB makes one, with tags that do not concern us between. */
static void build(void)
{
    size = 8;
    command_at = add_text_tag(1, "log=debug model=guide.kv");
    (void)add_text_tag(2, "GRUB 2.06");
    module_at = add_module(0x200000, 0x203456, "/boot/guide.kv");
    (void)add_module(0x300000, 0x300000, "");
    map_at = map_begin(24);
    add_entry(0, 0x9fc00, 1);
    add_entry(0x9fc00, 0x400, 2);
    add_entry(0x100000000, 0x40000000, 1);
    add_entry(0x100000, 0x7ee0000, 1);
    tag_end(map_at);
    size_t at = tag_begin(0x12345678);
    add64(0);
    tag_end(at);
    finish();
}

static void test_well_formed(void **state)
{
    (void)state;
    build();
    assert_int_equal(parse(), 0);
    assert_int_equal(info.protocol, BOOT_MULTIBOOT2);
    assert_string_equal(info.command_line, "log=debug model=guide.kv");
    assert_int_equal(info.module_count, 2);
    assert_int_equal(info.modules[0].base, 0x200000);
    assert_int_equal(info.modules[0].size, 0x3456);
    assert_string_equal(info.modules[0].name, "guide.kv");
    assert_int_equal(info.modules[1].size, 0);
    assert_string_equal(info.modules[1].name, "module1");
    assert_int_equal(info.range_count, 3);
    assert_int_equal(info.ranges[1].base, 0x100000);
    assert_int_equal(info.ranges[2].base, 0x100000000);
    assert_int_equal(info.ranges[2].size, 0x40000000);
    assert_int_equal(info.dropped, 0);
}

/* A shorter total size leaves out the end tag; shorter memory than the total size cannot be read. */
static void test_every_truncation(void **state)
{
    (void)state;
    build();
    size_t whole = size;
    for (size_t i = 0; i < whole; i++) {
        build();
        put32(0, (uint32_t)i);
        assert_int_equal(parse(), -EINVAL);
        build();
        size = i;
        assert_int_equal(parse(), -EINVAL);
    }
}

static void test_header(void **state)
{
    (void)state;
    build();
    loader_put(AT + 4, bytes, size);
    assert_int_equal(multiboot2_parse(AT + 4, loader_read, &info), -EINVAL);
    assert_int_equal(multiboot2_parse(UINT64_MAX - 7, loader_read, &info), -EINVAL);
    assert_int_equal(multiboot2_parse(0, loader_read, &info), -EINVAL);
    static const uint32_t sizes[] = {0, 7, 1024 * 1024 + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        put32(0, sizes[i]);
        assert_int_equal(parse(), -EINVAL);
    }
}

static void test_tag_sizes(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 7, UINT32_MAX, UINT32_MAX - 7, 0x80000000, 64 * 1024};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        build();
        put32(command_at + 4, sizes[i]);
        assert_int_equal(parse(), -EINVAL);
    }
    /* Padding that the information does not have: no end tag. */
    size = 8;
    size_t at = tag_begin(99);
    size += 1;
    tag_end(at);
    put32(0, (uint32_t)size);
    assert_int_equal(parse(), -EINVAL);
}

static void test_memory_map(void **state)
{
    (void)state;
    static const uint32_t wrong[] = {0, 1, 16, 23, 25, 28, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        build();
        put32(map_at + 8, wrong[i]);
        assert_int_equal(parse(), -EINVAL);
    }
    /* Larger entries, of a later version: what is behind the known part is passed over. */
    size = 8;
    size_t at = map_begin(32);
    add_entry(0x1000, 0x1000, 1);
    add64(0x1111111111111111);
    add_entry(0x4000, 0x1000, 1);
    add64(0x1111111111111111);
    tag_end(at);
    finish();
    assert_int_equal(parse(), 0);
    assert_int_equal(info.range_count, 2);
    assert_int_equal(info.ranges[1].base, 0x4000);
    /* Entries larger than the tag: none. */
    put32(at + 8, 0xfffffff8);
    assert_int_equal(parse(), 0);
    assert_int_equal(info.range_count, 0);
    /* Half an entry at the end is none. */
    size = 8;
    at = map_begin(24);
    add_entry(0x1000, 0x1000, 1);
    add_entry(0x4000, 0x1000, 1);
    size -= 1;
    tag_end(at);
    finish();
    assert_int_equal(parse(), 0);
    assert_int_equal(info.range_count, 1);
    /* Too small for its own header. */
    for (uint32_t small = 8; small < 16; small++) {
        put32(at + 4, small);
        assert_int_equal(parse(), -EINVAL);
    }
    /* None at all. */
    size = 8;
    (void)add_text_tag(1, "x");
    finish();
    assert_int_equal(parse(), -EINVAL);
}

static void test_ranges_of_any_kind(void **state)
{
    (void)state;
    size = 8;
    size_t at = map_begin(24);
    for (uint32_t i = 0; i < 100; i++)
        add_entry((200 - i) * 0x10000ull, 0x1000, 1);
    add_entry(UINT64_MAX - 10, 100, 1); /* wraps */
    add_entry(0x800, 0x1000, 1);
    add_entry(0, 0x1000, 1); /* overlaps */
    tag_end(at);
    at = map_begin(24); /* a second map adds to the first */
    add_entry(0x1000000000, 0, 1);
    add_entry(0x2000000000, 0x1000, 7);
    tag_end(at);
    finish();
    assert_int_equal(parse(), 0);
    assert_int_equal(info.range_count, BOOT_RANGES_MAX);
    assert_true(info.dropped >= 100 - BOOT_RANGES_MAX + 3);
}

static void test_modules(void **state)
{
    (void)state;
    build();
    put32(module_at + 12, 0x1fffff); /* ends before it starts */
    assert_int_equal(parse(), -EINVAL);
    for (uint32_t small = 8; small < 16; small++) {
        build();
        put32(module_at + 4, small);
        assert_int_equal(parse(), -EINVAL);
    }
    /* A name without its NUL ends with the tag. */
    build();
    put32(module_at + 4, 16 + 8);
    put32(module_at + 24, 99); /* in place of the rest: a tag that nobody knows */
    put32(module_at + 28, 8);
    assert_int_equal(parse(), 0);
    assert_string_equal(info.modules[0].name, "gu");
    /* No name field at all. */
    put32(module_at + 4, 16);
    memset(bytes + module_at + 16, 0, 16); /* what follows are empty tags of type 0, the end */
    put32(module_at + 16 + 4, 8);
    put32(0, (uint32_t)module_at + 24);
    assert_int_equal(parse(), -EINVAL); /* no memory map before the end */
    assert_string_equal(info.modules[0].name, "module0");
    /* The last byte of 32 bits, and too many. */
    size = 8;
    for (uint32_t i = 0; i < BOOT_MODULES_MAX + 3; i++)
        (void)add_module(0xfffffff0, 0xffffffff, "m");
    size_t at = map_begin(24);
    tag_end(at);
    finish();
    assert_int_equal(parse(), 0);
    assert_int_equal(info.module_count, BOOT_MODULES_MAX);
    assert_int_equal(info.modules[0].size, 15);
    assert_int_equal(info.dropped, 3);
}

static void test_command_lines(void **state)
{
    (void)state;
    static char text[3000];
    memset(text, 'c', sizeof text - 1);
    size = 8;
    (void)add_text_tag(1, text);
    tag_end(map_begin(24));
    finish();
    assert_int_equal(parse(), 0);
    assert_int_equal(strlen(info.command_line), BOOT_COMMAND_LINE_MAX);
    assert_int_equal(info.dropped, 1);

    /* Without the NUL, and an empty one. */
    build();
    put32(command_at + 4, 8 + 9);
    memset(bytes + command_at + 8 + 9, 0, 7);
    put32(command_at + 24, 99); /* what follows is a tag that nobody knows, up to the next one */
    put32(command_at + 28, 16);
    assert_int_equal(parse(), 0);
    assert_string_equal(info.command_line, "log=debug");
    put32(command_at + 4, 8);
    put32(command_at + 8, 99);
    put32(command_at + 12, 32);
    assert_int_equal(parse(), 0);
    assert_string_equal(info.command_line, "");
}

/* Some bytes changed in a good one: an error or a result that holds its promises, never a read outside. */
static void test_mutations(void **state)
{
    (void)state;
    unsigned good = 0, bad = 0;
    for (unsigned round = 0; round < 20000; round++) {
        build();
        for (uint64_t changes = 1 + random_below(4); changes > 0; changes--) {
            static const uint8_t favourites[] = {0, 1, 3, 6, 7, 8, 16, 24, 0x7f, 0x80, 0xff};
            uint64_t at = random_below(size);
            bytes[at] =
                random_below(2) ? favourites[random_below(sizeof favourites)] : (uint8_t)random_below(256);
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
        cmocka_unit_test_setup_teardown(test_every_truncation, start, end),
        cmocka_unit_test_setup_teardown(test_header, start, end),
        cmocka_unit_test_setup_teardown(test_tag_sizes, start, end),
        cmocka_unit_test_setup_teardown(test_memory_map, start, end),
        cmocka_unit_test_setup_teardown(test_ranges_of_any_kind, start, end),
        cmocka_unit_test_setup_teardown(test_modules, start, end),
        cmocka_unit_test_setup_teardown(test_command_lines, start, end),
        cmocka_unit_test_setup_teardown(test_mutations, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
