/* SPDX-License-Identifier: MIT
 *
 * A guest that is told by its command line what to do: `fault=NAME` breaks one rule and must die of it, and
 * with `protection=off` takes away what it would die of before, and must survive; `check=NAME` tests a part
 * of arch/ or kernel/ that only a machine can.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>

/* Beside those of panic.h; guest.py knows them, too. */
enum guest_code {
    GUEST_CODE_PASSED = 0x10,
    GUEST_CODE_FAILED = 0x11,   /* a check said "not ok" */
    GUEST_CODE_SURVIVED = 0x12, /* a fault did not kill */
    GUEST_CODE_USAGE = 0x13     /* no such fault, no such check */
};

/* Does what must kill; with `off` it does not. Returns false for an unknown name, true when the guest is
 * still alive. */
bool guest_fault(const char *name, size_t length, bool off);

/* Runs the checks of one name, each of which prints one line "ok N - what" or "not ok N - what". Returns
 * false for an unknown name; *failures counts the second kind. */
bool guest_check(const char *name, size_t length, unsigned *failures);

/* Prints one such line, and returns `good`. */
bool check(bool good, const char *what);

/* What guest_check chooses from. */
void check_clock(void);
void check_tasks(void);
void check_mmu(void);
void check_interrupts(void);
void check_lines(void);
void check_libc(void);
void check_random(void);
void check_symbols(void);
void check_out_of_memory(void);
void check_stale_stack(void);
void check_messages(void); /* with vhost-vsock and a program of tests/nested on the host */
void check_layout(void);
void check_vectors(void);

#endif
