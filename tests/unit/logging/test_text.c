/* SPDX-License-Identifier: MIT
 *
 * What may stand in a line: no control characters, only UTF-8, and cuts that show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "logging/log.h"

static unsigned char ring[8192];
static struct log_entry entry;

static int setup(void **state)
{
    const struct log_config config = {.ring = ring, .ring_size = sizeof(ring), .level = LOG_DEBUG};

    (void)state;
    return log_initialise(&config);
}

static const char *logged(const char *text)
{
    struct log_statistics statistics;
    uint64_t cursor;

    log_write(LOG_INFO, "test", "%s", text);
    log_get_statistics(&statistics);
    cursor = statistics.written - 1;
    assert_int_equal(log_read(&cursor, LOG_DEBUG, &entry, NULL), 1);
    assert_int_equal(strlen(entry.text), entry.text_length);
    return entry.text;
}

static void test_control_characters(void **state)
{
    (void)state;
    assert_string_equal(logged("a\tb"), "a\tb");
    assert_string_equal(logged("one\n[ 0.0] ERROR forged: line"), "one?[ 0.0] ERROR forged: line");
    assert_string_equal(logged("\r\x1b[2J\x7f\x01"), "??[2J??");
    /* U+0080 to U+009F: CSI is U+009B */
    assert_string_equal(logged("\xc2\x80 \xc2\x9b"
                               "1m \xc2\x9f \xc2\xa0"),
                        "?? ??1m ?? \xc2\xa0");
    log_write(LOG_INFO, "a\nb\x9b", "%c", 0);
    entry.sequence = 0;
    for (uint64_t cursor = 0; log_read(&cursor, LOG_DEBUG, &entry, NULL) == 1;)
        ;
    assert_string_equal(entry.subsystem, "a?b?");
    assert_string_equal(entry.text, "?");
    assert_int_equal(entry.text_length, 1);
}

static void test_utf8(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf", NULL},
        {"\x80", "?"},
        {"\xc3", "?"},
        {"\xc3 ", "? "},
        {"\xc0\xaf", "??"}, /* overlong */
        {"\xc1\xbf", "??"},
        {"\xe0\x80\xaf", "???"},
        {"\xe0\x9f\xbf", "???"},
        {"\xe0\xa0\x80", NULL},
        {"\xf0\x8f\xbf\xbf", "????"},
        {"\xf0\x90\x80\x80", NULL},
        {"\xed\xa0\x80", "???"}, /* a surrogate */
        {"\xed\x9f\xbf", NULL},
        {"\xf4\x90\x80\x80", "????"}, /* beyond U+10FFFF */
        {"\xf5\x80\x80\x80", "????"},
        {"\xe2\x82", "??"},
        {"\xe2\x82z", "??z"},
        {"\xf0\x9f\x98", "???"},
        {"\xff\xfe", "??"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(logged(cases[i].in), cases[i].out != NULL ? cases[i].out : cases[i].in);
}

static void test_cuts_show(void **state)
{
    char text[400];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[LOG_LINE_MAX] = '\0';
    assert_string_equal(logged(text), text); /* just fits */
    text[LOG_LINE_MAX] = 'x';
    text[LOG_LINE_MAX + 1] = '\0';
    logged(text);
    assert_int_equal(entry.text_length, LOG_LINE_MAX);
    assert_string_equal(entry.text + LOG_LINE_MAX - 4, "x...");
    text[LOG_LINE_MAX + 1] = 'x';
    text[sizeof(text) - 1] = '\0';
    logged(text);
    assert_int_equal(entry.text_length, LOG_LINE_MAX);

    /* Never inside a character, wherever it falls. */
    for (size_t shift = 0; shift < 8; shift++) {
        static const char euro[] = "\xe2\x82\xac";
        static const char face[] = "\xf0\x9f\x98\x80";

        for (size_t i = 0; i < sizeof(text) - 1; i++)
            text[i] = i < shift ? 'x' : euro[(i - shift) % 3];
        text[sizeof(text) - 1] = '\0';
        logged(text);
        assert_null(strchr(entry.text, '?'));
        assert_string_equal(entry.text + entry.text_length - 3, "...");
        assert_true(entry.text_length > LOG_LINE_MAX - 3);

        for (size_t i = shift; i < sizeof(text) - 1; i++)
            text[i] = face[(i - shift) % 4];
        logged(text);
        assert_null(strchr(entry.text, '?'));
        assert_string_equal(entry.text + entry.text_length - 3, "...");
        assert_true(entry.text_length > LOG_LINE_MAX - 4);
    }
    /* Bytes that only look like the inside of one do not make it search far. */
    memset(text, 0x80, sizeof(text) - 1);
    logged(text);
    assert_true(entry.text_length >= LOG_LINE_MAX - 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_control_characters, setup),
        cmocka_unit_test_setup(test_utf8, setup),
        cmocka_unit_test_setup(test_cuts_show, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
