/* SPDX-License-Identifier: MIT
 *
 * The CPU itself: descriptor tables, features, protections, entropy, context switch.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What code here may use: of the vector extensions those whose registers are switched on, too. Nobody saves
 * these at a switch: tasks are cooperative, and interrupt handlers use general registers only. */
struct cpu_features {
    char vendor[13];
    char brand[49];
    bool nx, smep, smap, umip, rdrand, rdseed, sse42, avx, avx2, fma, f16c, avx512f, invariant_tsc,
        hypervisor;
};

/* Reads what the CPU can: first of all (boot/entry.S does it, through layout_choose). */
void cpu_identify(void);

/* Descriptor tables, stacks of the task state segment, control registers and every protection that the CPU
 * has (CR0.WP, EFER.NXE, SMEP, SMAP, UMIP), vector registers (XCR0), FS base for musl. Once, on the boot CPU,
 * interrupts off. */
void cpu_initialise(void);

const struct cpu_features *cpu_get_features(void);

/* Fills `out` from RDSEED or RDRAND (Intel SDM volume 1, 7.3.17). Returns 0, or -ENOSYS without them, -EIO
 * when they fail ten times in a row. */
int cpu_random(void *out, size_t size);

/* A word for the start, when nothing but the CPU is there to ask: from RDSEED or RDRAND, else of the time
 * stamp counter's making, which somebody who knows when the machine started can guess. The stack canary is
 * one, and the address space is laid out by others. */
uint64_t cpu_secret(void);

/* Whether one of them had to be of that kind. */
bool cpu_secrets_are_weak(void);

/* The time stamp counter; see timer.h for microseconds. */
static inline uint64_t cpu_timestamp(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* Saves the callee-saved state on the current stack, its pointer in *save, and goes on where `load` was
 * saved. System V ABI: RBX, RBP, R12 to R15, MXCSR and the x87 control word. */
void cpu_switch(void **save, void *load);

/* Prepares a new stack so that cpu_switch to the returned pointer calls entry(argument); entry must not
 * return. `top` is 16-byte aligned. */
void *cpu_prepare_stack(void *top, void (*entry)(void *argument), void *argument);

/* The stacks that exceptions and interrupts run on, each below a guard page: for mmu_guard_page and for the
 * panic's report. */
#define CPU_STACK_COUNT 6
struct cpu_stack {
    const char *name;
    uintptr_t guard; /* address of its guard page */
    uintptr_t bottom, top;
};
const struct cpu_stack *cpu_stacks(void); /* CPU_STACK_COUNT of them; the first is the boot stack */

#endif
