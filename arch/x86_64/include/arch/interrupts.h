/* SPDX-License-Identifier: MIT
 *
 * Exceptions, device interrupts (MSI), and the local APIC that delivers them. One CPU.
 */
#ifndef ARCH_INTERRUPTS_H
#define ARCH_INTERRUPTS_H

#include <stdbool.h>
#include <stdint.h>

/* What the stubs push; the order is theirs. */
struct interrupt_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss; /* pushed by the CPU (Intel SDM volume 3, figure 6-9) */
};

/* Handlers run with interrupts off on a stack of their own, and no vector register is saved for them: compile
 * them, and all that they call, for general registers only. */
#define INTERRUPT_CODE __attribute__((target("general-regs-only")))

typedef void (*interrupt_handler)(void *argument);

/* Loads the IDT. Exceptions call `exception`, which must not return. Before it, an exception resets the
 * machine. */
void interrupts_initialise(void (*exception)(const struct interrupt_frame *frame));

/* Maps and enables the local APIC, and silences the legacy 8259s. Needs mmu_initialise. Returns 0 or -ENODEV,
 * -ENOMEM. */
int interrupts_enable_apic(void);

/* Takes a free vector; *address and *data are the MSI message that raises it (Intel SDM volume 3, 11.11).
 * Returns 0 or -ENOSPC. */
int interrupt_allocate(interrupt_handler handler, void *argument, uint64_t *address, uint32_t *data);
void interrupt_free(uint64_t address, uint32_t data);

/* Interrupts that nobody had asked for. */
uint64_t interrupts_spurious(void);

static inline void interrupts_enable(void)
{
    __asm__ volatile("sti" : : : "memory");
}
static inline void interrupts_disable(void)
{
    __asm__ volatile("cli" : : : "memory");
}
/* Call with interrupts off: enables them and sleeps until the next one, without a gap between the two.
 * Returns with interrupts on. */
static inline void interrupts_wait(void)
{
    __asm__ volatile("sti\n\thlt" : : : "memory");
}

/* Local APIC registers, for the timer. */
#define INTERRUPT_VECTOR_TIMER    0x20
#define INTERRUPT_VECTOR_SPURIOUS 0xff
void apic_write(uint32_t reg, uint32_t value);
uint32_t apic_read(uint32_t reg);

#endif
