/* SPDX-License-Identifier: MIT
 *
 * A machine for tasks: a clock that stands still until somebody moves it or the CPU halts, an alarm, memory
 * for stacks. The switch from stack to stack is the kernel's own.
 */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine {
    uint64_t now_us;
    uint64_t alarm_us; /* UINT64_MAX: none */
    uint64_t
        alarm_step; /* not 0: a halt ends after this time at the latest, as on a machine with short alarms */
    unsigned halts;
    bool interrupts;
    void (*on_halt)(void);    /* NULL, or an interrupt that comes while the CPU is halted */
    void (*on_disable)(void); /* NULL, or one that comes just before interrupts go off */
    size_t frames, pages;     /* taken from the frame allocator; mapped */
    size_t fail_frame;        /* not 0: the n-th frame from here on is refused */
    size_t fail_map;
};
extern struct machine machine;

/* At the clock's zero, with nothing mapped. */
void machine_start(void);

#endif
