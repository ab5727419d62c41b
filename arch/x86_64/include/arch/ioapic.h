/* SPDX-License-Identifier: MIT
 *
 * I/O APICs (Intel 82093AA): interrupt lines, for devices that send no messages. The first one is at
 * 0xfec00000 and has the global system interrupts from 0 on; a second one, at 0xfec10000 (QEMU's microvm with
 * ioapic2=on), has those that follow.
 */
#ifndef ARCH_IOAPIC_H
#define ARCH_IOAPIC_H

#include <stdint.h>

#include <arch/interrupts.h>

enum interrupt_trigger {
    INTERRUPT_EDGE,       /* at each rising edge */
    INTERRUPT_LEVEL_HIGH, /* as long as it is high: the handler makes the device lower it */
    INTERRUPT_LEVEL_LOW   /* the same for a line that is active when low, as PCI's are */
};

/* Has handler(argument) called for the global system interrupt `line`. Needs interrupts_enable_apic. Returns
 * 0; -ENODEV when no I/O APIC has that line, -EBUSY when somebody has it already, -ENOSPC without a free
 * vector, -ENOMEM. */
int interrupt_line_allocate(uint32_t line, enum interrupt_trigger trigger, interrupt_handler handler,
                            void *argument);

/* Masks the line; its handler is not called any more. */
void interrupt_line_free(uint32_t line);

#endif
