/* SPDX-License-Identifier: MIT
 *
 * What -fstack-protector-strong -mstack-protector-guard=global needs: the canary, and where a function goes
 * that finds its own copy changed.
 */
#include "kernel.h"

uintptr_t __stack_chk_guard;
_Noreturn void __stack_chk_fail(void);

/* No function that checks the canary may be on the stack while it changes; so boot.S calls this one, and this
 * one does not check. A kernel for more than an example takes RDRAND where the CPU has it. */
__attribute__((no_stack_protector)) void stack_protector_initialise(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    /* Spread over all bits, with a zero byte that no copy of a string writes. */
    __stack_chk_guard = ((uint64_t)high << 32 | low) * 0x9e3779b97f4a7c15u & ~(uintptr_t)0xff;
}

void __stack_chk_fail(void)
{
    static const char text[] = "stack smashed\n";
    serial_write(text, sizeof text - 1);
    for (;;)
        __asm__ volatile("cli; hlt");
}
