/* SPDX-License-Identifier: MIT
 *
 * The example kernel's own parts, all that it has beside the libraries.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* What boot.S calls, in this order. */
void stack_protector_initialise(void);
_Noreturn void kernel_main(void);

/* COM1. Both wait, by polling. */
void serial_initialise(void);
uint8_t serial_read(void);
void serial_write(const void *bytes, size_t length);

/* Blocks of at most 2 MiB from a fixed heap, aligned to 64 bytes; NULL when it is exhausted. Every block is
 * given back with the size that it was asked for with. */
void *memory_allocate(size_t size);
void memory_release(void *memory, size_t size);

#endif
