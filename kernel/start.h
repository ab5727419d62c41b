/* SPDX-License-Identifier: MIT
 *
 * What every image of this kernel has in common, and what each supplies.
 */
#ifndef KERNEL_START_H
#define KERNEL_START_H

#include <arch/boot_info.h>
#include <options.h>

/* Called when memory, time, the log and tasks work: in the first task, interrupts on. Both arguments stay. */
_Noreturn void kernel_main(const struct boot_info *boot, const struct options *options);

#endif
