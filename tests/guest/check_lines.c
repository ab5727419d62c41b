/* SPDX-License-Identifier: MIT
 *
 * Interrupt lines, played on that of COM1: its transmitter raises it as soon as it may, and reading the
 * identification register lowers it again.
 */
#include <errno.h>

#include <arch/interrupts.h>
#include <arch/io.h>
#include <arch/ioapic.h>
#include <arch/timer.h>
#include <guest.h>
#include <tasks/task.h>

#define LINE             4
#define INTERRUPT_ENABLE 0x3f9
#define IDENTIFICATION   0x3fa
#define TRANSMITTER      0x02

static volatile unsigned calls, lower_at;

INTERRUPT_CODE static void on_interrupt(void *argument)
{
    (void)argument;
    if (++calls >= lower_at)
        (void)io_read8(IDENTIFICATION);
}

/* How often the handler is called for one rise, when its call number `at` lowers the line. */
static unsigned raise_and_lower_at(unsigned at)
{
    calls = 0;
    lower_at = at;
    io_write8(INTERRUPT_ENABLE, TRANSMITTER);
    task_sleep_until(timer_now_us() + 2000);
    io_write8(INTERRUPT_ENABLE, 0);
    (void)io_read8(IDENTIFICATION);
    return calls;
}

void check_lines(void)
{
    uint64_t spurious = interrupts_spurious();
    bool good = interrupt_line_allocate(LINE, INTERRUPT_EDGE, on_interrupt, NULL) == 0;
    check(good, "a line");
    good = interrupt_line_allocate(LINE, INTERRUPT_EDGE, on_interrupt, NULL) == -EBUSY;
    check(good, "nobody else gets it");
    unsigned count = raise_and_lower_at(1);
    check(count == 1, "an edge calls once");
    count = raise_and_lower_at(1);
    check(count == 1, "and the next one again");
    count = raise_and_lower_at(2);
    check(count == 1, "an edge calls once, though the line stays high");
    interrupt_line_free(LINE);
    count = raise_and_lower_at(1);
    check(count == 0, "a line that was freed calls nobody");

    good = interrupt_line_allocate(LINE, INTERRUPT_LEVEL_HIGH, on_interrupt, NULL) == 0;
    check(good, "the line again, as a level");
    count = raise_and_lower_at(1);
    check(count == 1, "a level calls once when the handler lowers it");
    count = raise_and_lower_at(3);
    check(count == 3, "it calls until it is lowered");
    interrupt_line_free(LINE);
    interrupt_line_free(LINE);
    count = raise_and_lower_at(1);
    check(count == 0, "and nobody after that");

    good = interrupt_line_allocate(24, INTERRUPT_EDGE, on_interrupt, NULL) == -ENODEV &&
           interrupt_line_allocate(UINT32_MAX, INTERRUPT_EDGE, on_interrupt, NULL) == -ENODEV;
    check(good, "q35 has 24 lines");
    interrupt_line_free(UINT32_MAX);
    bool all = true;
    for (uint32_t line = 0; line < 24; line++)
        all = all && interrupt_line_allocate(line, INTERRUPT_EDGE, on_interrupt, NULL) == 0 &&
              interrupt_line_allocate(line, INTERRUPT_EDGE, on_interrupt, NULL) == -EBUSY;
    check(all, "and all of them can be had");
    check(interrupts_spurious() == spurious, "no interrupt came that nobody had asked for");
}
