/* SPDX-License-Identifier: MIT
 *
 * Time: the time stamp counter as a clock, the local APIC's timer as an alarm.
 */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

#include <stdint.h>

/* Finds out how fast both run: from the hypervisor (CPUID leaf 0x40000010, KVM's clock) or the CPU (leaf
 * 0x15) where it says so, else measured against the 8254 (PIT) for a millisecond, or up to 16 on a busy
 * host. The alarm needs no rate where it can compare with the time stamp counter (TSC deadline mode), else a
 * millisecond's measurement. `entry_timestamp` is the time stamp counter at the kernel's first instruction,
 * the clock's zero. Needs interrupts_enable_apic. Returns 0 or -EIO when nothing gave a rate. */
int timer_initialise(uint64_t entry_timestamp);

/* Microseconds since the kernel's first instruction; never goes back. 0 before timer_initialise. Any context.
 */
uint64_t timer_now_us(void);

/* Raises a timer interrupt, which does nothing but end a wait, at `deadline_us` or a little later;
 * UINT64_MAX: never. Replaces the alarm before. */
void timer_set_alarm(uint64_t deadline_us);

/* Ticks per second of the time stamp counter, and where that is known from. */
uint64_t timer_frequency(void);
const char *timer_source(void);

#endif
