/* SPDX-License-Identifier: MIT
 *
 * Takes one protection away, so that a guest that must die of it can be seen to survive. Nothing outside the
 * tests has code like this: the kernel itself can map no page that is writable and executable.
 */
#ifndef GUEST_SWITCH_OFF_H
#define GUEST_SWITCH_OFF_H

#include <stdint.h>

/* CR0.WP: the kernel may write to read-only pages. */
void switch_off_write_protection(void);

/* CR4.SMEP, CR4.SMAP: the kernel may execute, read and write pages for user mode. */
void switch_off_smep(void);
void switch_off_smap(void);

/* The no-execute bit of the page at `address`. */
void switch_off_no_execute(uintptr_t address);

/* Puts a frame where none is: page zero, or a guard page. Panics without one. Returns its alias in the direct
 * map. */
uint8_t *switch_off_hole(uintptr_t page, unsigned flags);

/* Marks the page at `address`, on every level, as one for user mode. */
void make_user_page(uintptr_t address);

#endif
