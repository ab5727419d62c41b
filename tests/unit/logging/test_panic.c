/* SPDX-License-Identifier: MIT
 *
 * A panic logs while a line is being written, and never returns: log_write is abandoned at every instruction
 * in turn (the trap flag steps the processor, a signal handler jumps out), and what the ring holds after it
 * is read back. And sinks that log.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "logging/log.h"

#define TRAP_FLAG 0x100
#define LINES     12
#define PLACES    50 /* spread over the whole call */

static unsigned char ring[LOG_RING_MIN];
static sigjmp_buf panic_entry;
static volatile sig_atomic_t steps;
static volatile sig_atomic_t abandon_at;

static void on_trap(int number)
{
    (void)number;
    if (++steps == abandon_at)
        siglongjmp(panic_entry, 1);
}

static inline void set_trap_flag(bool on)
{
    /* The red zone may hold locals of the caller. */
    if (on)
        __asm__ volatile("sub $128, %%rsp; pushfq; orl %0, (%%rsp); popfq; add $128, %%rsp" ::"i"(TRAP_FLAG)
                         : "memory", "cc");
    else
        __asm__ volatile("sub $128, %%rsp; pushfq; andl %0, (%%rsp); popfq; add $128, %%rsp" ::"i"(~TRAP_FLAG)
                         : "memory", "cc");
}

static void write_numbered(unsigned number)
{
    log_write(LOG_INFO, "before", "line %u, which is long enough to make the ring overwrite old ones",
              number);
}

/* Returns whether the write was abandoned before its end. */
static bool abandoned_write(int at)
{
    steps = 0;
    abandon_at = at;
    if (sigsetjmp(panic_entry, 1) != 0)
        return true; /* the handler's mask and the flags are restored: the trap flag is off */
    set_trap_flag(true);
    log_write(LOG_INFO, "during", "%s %d", "abandoned", 1);
    set_trap_flag(false);
    return false;
}

/* Everything there is whole and in order; the last is the panic's. */
static void check_after(uint64_t first_written)
{
    struct log_entry entry;
    struct log_statistics statistics;
    uint64_t cursor = 0;
    uint64_t last = 0;
    unsigned count = 0;
    unsigned panics = 0;

    log_get_statistics(&statistics);
    while (log_read(&cursor, LOG_DEBUG, &entry, NULL) == 1) {
        char expected[100];

        assert_true(count == 0 || entry.sequence > last);
        last = entry.sequence;
        if (strcmp(entry.subsystem, "before") == 0) {
            snprintf(expected, sizeof(expected),
                     "line %u, which is long enough to make the ring overwrite old ones", (unsigned)last);
            assert_true(last < first_written);
        } else if (strcmp(entry.subsystem, "during") == 0) {
            snprintf(expected, sizeof(expected), "abandoned 1");
        } else {
            snprintf(expected, sizeof(expected), "panic line %u", panics++);
            assert_string_equal(entry.subsystem, "panic");
        }
        assert_string_equal(entry.text, expected);
        count++;
    }
    assert_int_equal(panics, 2);
    assert_true(count >= LINES - 3);
    assert_int_equal(cursor, statistics.written);
}

static void test_abandoned_anywhere(void **state)
{
    const struct log_config config = {.ring = ring, .ring_size = sizeof(ring), .level = LOG_DEBUG};
    struct sigaction action = {.sa_handler = on_trap};
    struct sigaction before;
    int total;
    int abandoned = 0;

    (void)state;
    sigaction(SIGTRAP, &action, &before);
    /* The second time, when the dynamic linker has nothing left to resolve. */
    assert_int_equal(log_initialise(&config), 0);
    for (unsigned i = 0; i < LINES; i++)
        write_numbered(i);
    assert_false(abandoned_write(-1));
    assert_false(abandoned_write(-1));
    total = steps;
    assert_true(total > PLACES);

    for (int round = 0; round < PLACES; round++) {
        unsigned lines = LINES + (unsigned)round % 3;

        assert_int_equal(log_initialise(&config), 0);
        for (unsigned i = 0; i < lines; i++)
            write_numbered(i);
        abandoned += abandoned_write(1 + (int)((long)total * round / PLACES)) ? 1 : 0;
        log_write(LOG_ERROR, "panic", "panic line %d", 0);
        log_write(LOG_ERROR, "panic", "panic line %d", 1);
        check_after(lines);
    }
    sigaction(SIGTRAP, &before, NULL);
    /* The last few may lie behind the end: the way through is not always equally long. */
    assert_true(abandoned > PLACES * 3 / 4);
}

static unsigned sink_calls;

static void logging_sink(void *context, enum log_level level, const char *line, size_t length)
{
    (void)context;
    (void)level;
    (void)line;
    (void)length;
    sink_calls++;
    log_write(LOG_ERROR, "sink", "one");
    log_write(LOG_ERROR, "sink", "two");
}

static void test_a_sink_that_logs_does_not_loop(void **state)
{
    const struct log_config config = {.ring = ring, .ring_size = sizeof(ring), .level = LOG_DEBUG};
    struct log_statistics statistics;

    (void)state;
    assert_int_equal(log_initialise(&config), 0);
    assert_int_equal(log_add_sink(logging_sink, NULL), 0);
    sink_calls = 0;
    log_write(LOG_ERROR, "x", "first");
    /* Three levels: 1 + 2 + 4. */
    assert_int_equal(sink_calls, 7);
    log_write(LOG_ERROR, "x", "second");
    assert_int_equal(sink_calls, 14);
    log_get_statistics(&statistics);
    assert_int_equal(statistics.written, 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_abandoned_anywhere),
        cmocka_unit_test(test_a_sink_that_logs_does_not_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
