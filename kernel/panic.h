/* SPDX-License-Identifier: MIT
 *
 * The end of a kernel whose invariants are broken: cause, registers, a backtrace with names, and a distinct
 * exit code.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/interrupts.h>

/* What power_exit is given; QEMU's exit status is code << 1 | 1. */
enum panic_code {
    PANIC_CODE_BROKEN = 0x20,
    PANIC_CODE_EXCEPTION = 0x21,
    PANIC_CODE_STACK_SMASHED = 0x22,
    PANIC_CODE_BOOT = 0x23
};

/* What happens after the report (boot word panic=). */
enum panic_action { PANIC_EXIT, PANIC_HALT, PANIC_REBOOT };
void panic_set_action(enum panic_action chosen);

/* Any context. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void panic_with(enum panic_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
_Noreturn void panic_exception(const struct interrupt_frame *frame);

/* The function that an address lies in, and how far behind its start; NULL for none. */
const char *symbol_find(uintptr_t address, uint64_t *offset);

#endif
