/* SPDX-License-Identifier: MIT
 *
 * log_format against the C library's vsnprintf, wherever both define the same.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "logging/log.h"

static unsigned compared;

/* For every size of buffer around the text's length. */
static void same(const char *format, ...)
{
    char expected[512];
    char actual[512];
    va_list arguments;
    size_t whole;

    va_start(arguments, format);
    whole = (size_t)vsnprintf(expected, sizeof(expected), format, arguments);
    va_end(arguments);
    assert_true(whole < sizeof(expected));
    for (size_t size = 1; size <= whole + 2; size++) {
        size_t length;

        memset(actual, '~', sizeof(actual));
        va_start(arguments, format);
        length = log_format_v(actual, size, format, arguments);
        va_end(arguments);
        if (length != whole || strncmp(actual, expected, size - 1) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", format, actual, expected);
        assert_int_equal(actual[size - 1 < whole ? size - 1 : whole], '\0');
        assert_int_equal(actual[size], '~');
        compared++;
    }
}

static void test_numbers_like_libc(void **state)
{
    static const char *const flags[] = {"", "-", "0", "-0", "0-", "#", "#0", "-#"};
    static const char *const widths[] = {"", "1", "2", "5", "12", "40"};
    static const char *const precisions[] = {"", ".", ".0", ".1", ".3", ".12", ".30"};
    static const struct {
        const char *length;
        unsigned bits;
    } lengths[] = {{"", 32}, {"hh", 32}, {"h", 32}, {"l", 64}, {"ll", 64}, {"z", 64}};
    static const long long values[] = {0,        1,         -1,        9,        -10,
                                       127,      128,       -129,      255,      256,
                                       32767,    -32768,    65536,     INT_MAX,  INT_MIN,
                                       UINT_MAX, LLONG_MAX, LLONG_MIN, 0xabcdef, 1234567890123456789};

    (void)state;
    for (size_t f = 0; f < sizeof(flags) / sizeof(flags[0]); f++)
        for (size_t w = 0; w < sizeof(widths) / sizeof(widths[0]); w++)
            for (size_t p = 0; p < sizeof(precisions) / sizeof(precisions[0]); p++)
                for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++)
                    for (const char *type = strchr(flags[f], '#') == NULL ? "diuxX" : "xX"; *type != '\0';
                         type++) {
                        char format[40];
                        size_t v = (f + w * 3 + p * 5 + l * 7 + (size_t)*type) % 20;

                        snprintf(format, sizeof(format), "<%%%s%s%s%s%c>", flags[f], widths[w], precisions[p],
                                 lengths[l].length, *type);
                        if (lengths[l].bits == 64)
                            same(format, values[v]);
                        else
                            same(format, (int)values[v]);
                    }
    /* Each value at least once in each type. */
    for (size_t v = 0; v < 20; v++) {
        same("%d %i %u %x %X", (int)values[v], (int)values[v], (int)values[v], (int)values[v],
             (int)values[v]);
        same("%lld %llu %llx %zd %zu", values[v], values[v], values[v], values[v], values[v]);
        same("%hhd %hhu %hd %hu %hhx", (int)values[v], (int)values[v], (int)values[v], (int)values[v],
             (int)values[v]);
    }
    assert_true(compared > 20000);
}

static void test_strings_like_libc(void **state)
{
    const char unterminated[3] = {'a', 'b', 'c'};

    (void)state;
    same("");
    same("plain");
    same("%s", "text");
    same("%s", "");
    same("%10s|%-10s|%3s", "text", "text", "text");
    same("%.2s|%.0s|%.s|%.9s|%6.2s|%-6.2s|", "text", "text", "text", "text", "text", "text");
    same("%.3s", unterminated);
    same("%c%c%3c%-3c|", 'a', '\xe9', 'b', 'c');
    same("%%|%d%%|%%s", 5);
    same("%*d|%-*d|%*d", 6, 42, 6, 42, -6, 42);
    same("%.*d|%.*d|%*.*s", 4, 42, -4, 42, 8, 2, "text");
    same("%0*d", 6, -42);
    same("%p", (void *)0x1234abcd);
    same("%20p|%-20p|", (void *)(uintptr_t)UINT64_MAX, (void *)1);
    same("%s and %s", (char *)NULL, "more");
    same("%d %s %x %c %lu", -1, "mixed", 255u, 'z', 1ul << 40);
}

/* Where the C library's behaviour is its own affair. */
static void test_what_is_ours(void **state)
{
    char text[64];

    (void)state;
    assert_int_equal(log_format(text, sizeof(text), "%p", NULL), 3);
    assert_string_equal(text, "0x0");
    assert_int_equal(log_format(text, sizeof(text), "%d %q %d %s", 7, 8, "x"), 10);
    assert_string_equal(text, "7 %q %d %s");
    log_format(text, sizeof(text), "a%5.1f|%d", 1.0, 2);
    assert_string_equal(text, "a%5.1f|%d");
    log_format(text, sizeof(text), "end %");
    assert_string_equal(text, "end %");
    log_format(text, sizeof(text), "end %-08.3l");
    assert_string_equal(text, "end %-08.3l");
}

static void test_giant_widths_cost_nothing(void **state)
{
    char text[8];

    (void)state;
    assert_int_equal(log_format(text, sizeof(text), "%*d", INT_MAX, 1), INT_MAX);
    assert_string_equal(text, "       ");
    assert_int_equal(log_format(text, sizeof(text), "%-*d|", INT_MIN, 1), (size_t)INT_MAX + 2);
    assert_string_equal(text, "1      ");
    assert_int_equal(log_format(text, sizeof(text), "%.*d", INT_MAX, 1), INT_MAX);
    assert_string_equal(text, "0000000");
    assert_true(log_format(text, sizeof(text), "%99999999999999999999d", 1) >= 100000000);
    assert_string_equal(text, "       ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_like_libc),
        cmocka_unit_test(test_strings_like_libc),
        cmocka_unit_test(test_what_is_ours),
        cmocka_unit_test(test_giant_widths_cost_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
