/* SPDX-License-Identifier: MIT
 *
 * Stacks that run over, and one that is smashed.
 */
#include <arch/cpu.h>
#include <arch/interrupts.h>
#include <arch/mmu.h>
#include <arch/power.h>
#include <faults.h>
#include <guest.h>
#include <large_frame.h>
#include <panic.h>
#include <switch_off.h>
#include <tasks/task.h>

#define APIC_COMMAND      0x300 /* Intel SDM volume 3, 11.6.1 */
#define APIC_COMMAND_SELF (1u << 18)

enum { EXCEPTION_STACK = 4, INTERRUPT_STACK = 5 }; /* in cpu_stacks() */

/* Down to the middle of a guard page, in frames far smaller than a page, so that none steps over it. */
static unsigned recurse(uintptr_t guard) // NOLINT(misc-no-recursion): that is the point
{
    volatile uint8_t frame[200];
    frame[opaque(0)] = 1;
    if ((uintptr_t)frame < guard + MMU_PAGE_SIZE / 2)
        return 1;
    return recurse(guard) + frame[opaque(0)];
}

static void overrun(uintptr_t guard, bool off)
{
    if (off)
        (void)switch_off_hole(guard, MMU_WRITE);
    announce("write", guard);
    happened(recurse(guard) > 1, "a stack grew beyond its end");
}

void fault_boot_stack_overflow(bool off)
{
    overrun(cpu_stacks()[0].guard, off);
}

/* One frame that is larger than what is left, and the guard page with it. */
void fault_stack_clash(bool off)
{
    uintptr_t guard = cpu_stacks()[0].guard;
    announce("read", guard); /* gcc's probe is an `or`, which QEMU's TCG reads for before it writes */
    uintptr_t written = off ? large_frame_unprobed() : large_frame();
    happened(written < guard, "a frame stepped over the guard page");
}

static void overflow_task(void *argument)
{
    uintptr_t guard, bottom, top;
    if (task_stack(&guard, &bottom, &top))
        overrun(guard, argument != NULL);
}

void fault_stack_overflow(bool off)
{
    static uint8_t yes;
    if (task_create("deep", overflow_task, off ? &yes : NULL, (size_t)TASK_STACK_SIZE) == 0)
        task_yield();
}

static volatile unsigned interrupt_depth;

INTERRUPT_CODE static unsigned recurse_in_interrupt(uintptr_t guard) // NOLINT(misc-no-recursion)
{
    volatile uint8_t frame[200];
    frame[opaque(0)] = 1;
    if ((uintptr_t)frame < guard + MMU_PAGE_SIZE / 2)
        return 1;
    return recurse_in_interrupt(guard) + frame[opaque(0)];
}

INTERRUPT_CODE static void on_interrupt(void *argument)
{
    interrupt_depth = recurse_in_interrupt((uintptr_t)argument);
}

void fault_interrupt_stack_overflow(bool off)
{
    uintptr_t guard = cpu_stacks()[INTERRUPT_STACK].guard;
    uint64_t address;
    uint32_t vector;
    if (interrupt_allocate(on_interrupt, (void *)guard, &address, &vector) != 0)
        panic("no vector");
    if (off)
        (void)switch_off_hole(guard, MMU_WRITE);
    announce("write", guard);
    apic_write(APIC_COMMAND, APIC_COMMAND_SELF | vector);
    while (interrupt_depth == 0)
        __asm__ volatile("pause");
    happened(interrupt_depth > 1, "an interrupt's stack grew beyond its end");
}

/* An exception that cannot be delivered, for want of the stack that it is delivered on. */
void fault_double_fault(bool off)
{
    (void)off;
    const struct cpu_stack *stack = &cpu_stacks()[EXCEPTION_STACK];
    if (mmu_unmap(stack->bottom, stack->top - stack->bottom) != 0)
        panic("the stack stays");
    (void)*(const volatile uint8_t *)opaque(0);
}

/* Where a smashed return address leads: the stack pointer is not what the ABI promises at an entry. */
__attribute__((force_align_arg_pointer)) static void hijacked(void)
{
    happened(true, "a function returned to where it was not called from");
    power_exit(GUEST_CODE_SURVIVED);
}

/* Writes over everything from the buffer up to the caller's return address. */
static inline __attribute__((always_inline)) void smash(void)
{
    char buffer[16];
    uintptr_t end = (uintptr_t)__builtin_frame_address(0) + 2 * sizeof(uintptr_t);
    for (uintptr_t at = opaque((uintptr_t)buffer); at < end; at += sizeof(uintptr_t))
        *(volatile uintptr_t *)at = (uintptr_t)hijacked;
    __asm__ volatile("" : : "r"(buffer) : "memory");
}

__attribute__((noinline, no_stack_protector)) static void smash_without_canary(void)
{
    smash();
}

void fault_smash_canary(bool off)
{
    if (off)
        smash_without_canary();
    else
        smash();
}
