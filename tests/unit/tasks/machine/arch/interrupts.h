/* SPDX-License-Identifier: MIT
 *
 * In place of arch/interrupts.h: what tasks need of it, without instructions that only a kernel may execute.
 */
#ifndef ARCH_INTERRUPTS_H
#define ARCH_INTERRUPTS_H

#define INTERRUPT_CODE

struct interrupt_frame;

void interrupts_enable(void);
void interrupts_disable(void);
void interrupts_wait(void);

#endif
