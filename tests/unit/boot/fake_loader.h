/* SPDX-License-Identifier: MIT
 *
 * A boot loader's memory: some blocks at physical addresses, nothing between them. Every read gets a copy of
 * exactly the size that was asked for, so that AddressSanitizer sees a parser that looks one byte further.
 */
#ifndef FAKE_LOADER_H
#define FAKE_LOADER_H

#include <stdint.h>

#include <arch/boot_info.h>

/* Starts with no memory. */
void loader_start(void);

/* Puts bytes at a physical address; blocks must not overlap. */
void loader_put(uint64_t physical, const void *bytes, size_t size);

/* The boot_reader. */
const void *loader_read(uint64_t physical, uint64_t size);

/* Frees everything, also what loader_read returned. */
void loader_end(void);

/* Checks what boot_info.h promises about any result. */
void check_boot_info(const struct boot_info *info);

/* xorshift64: the same numbers in every run. */
uint64_t random_below(uint64_t bound);

#endif
