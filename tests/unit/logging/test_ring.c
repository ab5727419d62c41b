/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "logging/log.h"

static uint64_t now_us;

static uint64_t test_clock(void)
{
    return now_us;
}

static void start(void *ring, size_t size, enum log_level level)
{
    const struct log_config config = {
        .ring = ring, .ring_size = size, .clock_us = test_clock, .level = level};

    assert_int_equal(log_initialise(&config), 0);
}

/* The line of a number: text of 0 to 255 bytes that the number determines. */
static size_t line_of(unsigned number, char *text)
{
    size_t length = number * 37 % (LOG_LINE_MAX + 1);

    for (size_t i = 0; i < length; i++)
        text[i] = (char)('a' + (number + i) % 26);
    text[length] = '\0';
    return length;
}

static void assert_line(const struct log_entry *entry, uint64_t number)
{
    char text[LOG_LINE_MAX + 1];
    char tag[24];
    size_t length = line_of((unsigned)number, text);

    snprintf(tag, sizeof(tag), "t%u", (unsigned)(number % 1000));
    assert_int_equal(entry->sequence, number);
    assert_int_equal(entry->time_us, number * 3);
    assert_int_equal(entry->level, number % 4);
    assert_string_equal(entry->subsystem, tag);
    assert_int_equal(entry->text_length, length);
    assert_string_equal(entry->text, text);
}

static void write_line(unsigned number)
{
    char text[LOG_LINE_MAX + 1];
    char tag[24];

    line_of(number, text);
    snprintf(tag, sizeof(tag), "t%u", number % 1000);
    now_us = UINT64_C(3) * number;
    log_write((enum log_level)(number % 4), tag, "%s", text);
}

/* Every size of ring from the smallest on moves where records wrap: each byte of a record is at the seam in
 * some of them. */
static void test_wrap_at_every_place(void **state)
{
    (void)state;
    for (size_t size = LOG_RING_MIN; size < LOG_RING_MIN + 320; size++) {
        unsigned char *ring = malloc(size); /* ASan watches its ends */
        struct log_entry entry;
        uint64_t cursor = 0;
        uint64_t lost = 0;
        struct log_statistics statistics;
        uint64_t expected;

        start(ring, size, LOG_DEBUG);
        for (unsigned i = 0; i < 60; i++)
            write_line(i);
        log_get_statistics(&statistics);
        assert_int_equal(statistics.written, 60);
        assert_int_equal(statistics.lost, statistics.oldest);
        assert_true(statistics.oldest > 40 && statistics.oldest < 60);
        expected = statistics.oldest;
        while (log_read(&cursor, LOG_DEBUG, &entry, &lost) == 1) {
            assert_int_equal(lost, expected == statistics.oldest ? expected : 0);
            assert_line(&entry, expected++);
            assert_int_equal(cursor, expected);
        }
        assert_int_equal(expected, 60);
        free(ring);
    }
}

/* Beyond what fits nothing is thrown away early: the oldest line goes only when its bytes are needed. */
static void test_keeps_as_much_as_fits(void **state)
{
    static unsigned char ring[LOG_RING_MIN];
    struct log_statistics statistics;
    unsigned written = 0;

    (void)state;
    start(ring, sizeof(ring), LOG_DEBUG);
    do {
        log_write(LOG_INFO, "12345678", "%s", "text of thirty-two bytes, all told");
        written++;
        log_get_statistics(&statistics);
    } while (statistics.lost == 0);
    /* 24 + 8 + 34 bytes each */
    assert_int_equal(written, LOG_RING_MIN / 66 + 1);
    assert_int_equal(statistics.lost, 1);
}

static void test_cursor_with_loss(void **state)
{
    static unsigned char ring[2048];
    struct log_entry entry;
    struct log_statistics statistics;
    uint64_t cursor = 0;
    uint64_t lost = 77;

    (void)state;
    start(ring, sizeof(ring), LOG_DEBUG);
    assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, &lost), 0);
    assert_int_equal(cursor, 0);
    assert_int_equal(lost, 0);
    for (unsigned i = 0; i < 5; i++)
        write_line(i);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, NULL), 1);
        assert_line(&entry, i);
    }
    for (unsigned i = 5; i < 100; i++)
        write_line(i);
    log_get_statistics(&statistics);
    assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, &lost), 1);
    assert_line(&entry, statistics.oldest);
    assert_int_equal(lost, statistics.oldest - 3);

    /* A cursor into the middle, twice, backwards too. */
    for (uint64_t wanted = 99; wanted >= statistics.oldest; wanted--) {
        cursor = wanted;
        assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, &lost), 1);
        assert_line(&entry, wanted);
        assert_int_equal(lost, 0);
    }
    cursor = 100;
    assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, &lost), 0);
    assert_int_equal(cursor, 100);
    /* From the future: back to the end. */
    cursor = UINT64_MAX;
    assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, &lost), 0);
    assert_int_equal(cursor, 100);
    write_line(100);
    assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, &lost), 1);
    assert_line(&entry, 100);
}

static void test_two_readers_and_a_filter(void **state)
{
    static unsigned char ring[8192];
    struct log_entry entry;
    uint64_t all = 0;
    uint64_t errors = 0;
    unsigned all_count = 0;
    unsigned error_count = 0;

    (void)state;
    start(ring, sizeof(ring), LOG_DEBUG);
    for (unsigned round = 0; round < 30; round++) {
        write_line(2 * round);
        write_line(2 * round + 1);
        while (log_read(&all, LOG_DEBUG, &entry, NULL) == 1)
            assert_line(&entry, all_count++);
        if (round % 5 == 4)
            while (log_read(&errors, LOG_ERROR, &entry, NULL) == 1)
                assert_line(&entry, UINT64_C(4) * error_count++);
    }
    assert_int_equal(all_count, 60);
    assert_int_equal(error_count, 15);
    assert_int_equal(errors, 60);
}

/* The hint must not lead astray when the ring has moved on below it. */
static void test_reader_overtaken(void **state)
{
    static unsigned char ring[LOG_RING_MIN];
    struct log_entry entry;
    uint64_t cursor = 0;
    uint64_t lost;
    uint64_t next = 0;

    (void)state;
    start(ring, sizeof(ring), LOG_DEBUG);
    for (unsigned i = 0; i < 3000; i++) {
        write_line(i);
        if (i * 2654435761u % 7 == 0) {
            assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, &lost), 1);
            assert_line(&entry, next + lost);
            next = entry.sequence + 1;
        }
    }
    assert_true(next > 2900);
}

static void test_levels(void **state)
{
    static unsigned char ring[4096];
    enum log_level level = LOG_ERROR;
    struct log_statistics statistics;

    (void)state;
    for (unsigned threshold = LOG_ERROR; threshold <= LOG_DEBUG; threshold++) {
        start(ring, sizeof(ring), (enum log_level)threshold);
        assert_int_equal(log_get_level(), threshold);
        for (unsigned i = LOG_ERROR; i <= LOG_DEBUG; i++)
            log_write((enum log_level)i, "x", "line");
        log_get_statistics(&statistics);
        assert_int_equal(statistics.written, threshold + 1);
        assert_int_equal(log_level_parse(log_level_name((enum log_level)threshold), &level), 0);
        assert_int_equal(level, threshold);
    }
    log_set_level((enum log_level)99);
    assert_int_equal(log_get_level(), LOG_DEBUG);
    log_set_level(LOG_WARNING);
    assert_int_equal(log_get_level(), LOG_WARNING);
    assert_string_equal(log_level_name((enum log_level)99), "unknown");
    assert_int_equal(log_level_parse("warn", &level), -EINVAL);
    assert_int_equal(log_level_parse("", &level), -EINVAL);
    assert_int_equal(log_level_parse("warnings", &level), -EINVAL);
    assert_int_equal(level, LOG_DEBUG);

    log_set_level(LOG_DEBUG);
    log_write((enum log_level)42, "x", "a level from nowhere");
    log_get_statistics(&statistics);
    assert_int_equal(statistics.written, 5);
}

struct heard {
    char text[4096];
    size_t length;
    unsigned calls;
    enum log_level level;
};

static void listen(void *context, enum log_level level, const char *line, size_t length)
{
    struct heard *heard = context;

    assert_int_equal(strlen(line), length);
    assert_true(heard->length + length < sizeof(heard->text));
    memcpy(heard->text + heard->length, line, length + 1);
    heard->length += length;
    heard->calls++;
    heard->level = level;
}

static void test_sinks(void **state)
{
    static unsigned char ring[4096];
    static struct heard heard[4];
    char long_text[400];

    (void)state;
    start(ring, sizeof(ring), LOG_INFO);
    memset(heard, 0, sizeof(heard));
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(log_add_sink(listen, &heard[i]), 0);
    assert_int_equal(log_add_sink(listen, NULL), -ENOSPC);
    now_us = 1234;
    log_write(LOG_INFO, "vsock", "text %d", 5);
    now_us = 98765432101234;
    log_write(LOG_WARNING, "fs", "slow");
    log_write(LOG_DEBUG, "fs", "not heard");
    log_write(LOG_ERROR, "a tag that is too long", "bad");
    log_set_level(LOG_DEBUG);
    log_write(LOG_DEBUG, NULL, "no tag");
    assert_string_equal(heard[0].text, "[    0.001234] INFO  vsock: text 5\n"
                                       "[98765432.101234] WARN  fs: slow\n"
                                       "[98765432.101234] ERROR a tag that is t: bad\n"
                                       "[98765432.101234] DEBUG : no tag\n");
    assert_int_equal(heard[0].calls, 4);
    assert_int_equal(heard[0].level, LOG_DEBUG);
    for (unsigned i = 1; i < 4; i++)
        assert_string_equal(heard[i].text, heard[0].text);

    /* The same lines from the ring. */
    struct log_entry entry;
    uint64_t cursor = 0;
    size_t at = 0;
    char line[LOG_FORMATTED_MAX + 1];
    while (log_read(&cursor, LOG_DEBUG, &entry, NULL) == 1) {
        size_t length = log_line_format(&entry, line, sizeof(line));
        assert_int_equal(length, strlen(line));
        assert_memory_equal(heard[0].text + at, line, length);
        at += length;
    }
    assert_int_equal(at, heard[0].length);

    /* The longest line of all. */
    start(ring, sizeof(ring), LOG_DEBUG);
    memset(heard, 0, sizeof(heard));
    assert_int_equal(log_add_sink(listen, &heard[0]), 0);
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    now_us = UINT64_MAX;
    log_write(LOG_DEBUG, "123456789012345", "%s", long_text);
    assert_int_equal(heard[0].length, strlen("[18446744073709.551615] DEBUG 123456789012345: \n") + 255);
    assert_string_equal(heard[0].text + heard[0].length - 5, "x...\n");
}

static void test_without_clock_and_before_the_start(void **state)
{
    static unsigned char ring[LOG_RING_MIN];
    struct log_config config = {.ring = NULL, .ring_size = sizeof(ring), .level = LOG_INFO};
    struct log_entry entry;
    struct log_statistics statistics;
    uint64_t cursor = 0;

    (void)state;
    /* Runs first: nothing was initialised. */
    log_write(LOG_ERROR, "x", "dropped");
    log_get_statistics(&statistics);
    assert_int_equal(statistics.written, 0);
    assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, NULL), 0);

    assert_int_equal(log_initialise(&config), -EINVAL);
    config.ring = ring;
    config.ring_size = LOG_RING_MIN - 1;
    assert_int_equal(log_initialise(&config), -EINVAL);
    config.ring_size = LOG_RING_MIN;
    assert_int_equal(log_initialise(&config), 0);
    log_write(LOG_INFO, "x", "kept");
    assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, NULL), 1);
    assert_int_equal(entry.time_us, 0);
    assert_string_equal(entry.text, "kept");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_clock_and_before_the_start),
        cmocka_unit_test(test_wrap_at_every_place),
        cmocka_unit_test(test_keeps_as_much_as_fits),
        cmocka_unit_test(test_cursor_with_loss),
        cmocka_unit_test(test_two_readers_and_a_filter),
        cmocka_unit_test(test_reader_overtaken),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_sinks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
