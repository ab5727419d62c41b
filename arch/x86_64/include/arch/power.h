/* SPDX-License-Identifier: MIT
 *
 * The end of the machine. Any context; none returns.
 */
#ifndef ARCH_POWER_H
#define ARCH_POWER_H

#include <stdint.h>

/* Ends QEMU with exit status (code << 1 | 1) through its isa-debug-exit device at port 0xf4; without that
 * device powers off. */
_Noreturn void power_exit(uint8_t code);
_Noreturn void power_off(void);
_Noreturn void power_reboot(void);
_Noreturn void power_halt(void);

#endif
