/* SPDX-License-Identifier: MIT
 *
 * From the boot loader's memory map to page tables, frames and heap.
 */
#ifndef KERNEL_MEMORY_MEMORY_H
#define KERNEL_MEMORY_MEMORY_H

#include <arch/boot_info.h>

/* Switches to the kernel's own page tables and hands all memory that nothing occupies to the frame allocator;
 * the boot modules stay where they are. Returns 0, -ENOMEM, or -EINVAL for a memory map that makes no sense.
 */
int memory_initialise(const struct boot_info *info);

#endif
