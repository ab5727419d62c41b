/* SPDX-License-Identifier: MIT
 *
 * What the faults share. Each announces what it is going to do and the address that the report must name;
 * when it is still there afterwards, it says what happened.
 */
#ifndef GUEST_FAULTS_H
#define GUEST_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include <logging/log.h>

#define RETURN_INSTRUCTION 0xc3
#define ANSWER             42

/* The compiler may not know what value comes out, so it can neither warn of the fault nor remove it. */
static inline uintptr_t opaque(uintptr_t value)
{
    __asm__ volatile("" : "+r"(value));
    return value;
}

static inline void announce(const char *access, uintptr_t address)
{
    log_write(LOG_INFO, "guest", "%s of %016llx", access, (unsigned long long)address);
}

/* The forbidden thing was done, and had its effect (or not). */
static inline void happened(bool effect, const char *what)
{
    log_write(LOG_INFO, "guest", "%s: %s", effect ? "it happened" : "without effect", what);
}

/* With `off` the protection that each is about is taken away first. */
void fault_stack_overflow(bool off);
void fault_boot_stack_overflow(bool off);
void fault_stack_clash(bool off);
void fault_interrupt_stack_overflow(bool off);
void fault_double_fault(bool off);
void fault_smash_canary(bool off);
void fault_double_free(bool off);
void fault_heap_overflow(bool off);

#endif
