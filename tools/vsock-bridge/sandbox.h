/* SPDX-License-Identifier: MIT
 *
 * What a process gives up before it reads the first byte of a guest, of QEMU or of a client: seccomp(2)
 * leaves the system calls that its part needs and ends it by SIGSYS at any other, landlock(7) takes the file
 * system away. Both hold until the process ends, and for its children.
 */
#ifndef VSOCK_BRIDGE_SANDBOX_H
#define VSOCK_BRIDGE_SANDBOX_H

#include <stdbool.h>

enum sandbox_part {
    SANDBOX_SERVER, /* moves bytes: no new socket, no file by name, no process, no code */
    SANDBOX_KEEPER, /* all that, since the server inherits it, and: Unix sockets, removing files, processes */
};

/* Closes every descriptor from 3 on, which nobody meant for this program, and puts /dev/null in place of the
 * standard input and output, which it does not use, and of standard error where there is none. Returns 0 or a
 * negative errno. */
int sandbox_close_inherited(void);

/* Enters all of it: no core dumps, no privileges by execve(2), no files, few calls. Returns 0 or a negative
 * errno, after a log line. `paths` are the files (up to NULL) whose folders files may be removed from. */
int sandbox_enter(enum sandbox_part part, const char *const *paths);

/* Its two halves, for tests. Without privileges both need PR_SET_NO_NEW_PRIVS before. */

/* Returns 0, -ENOSYS or -EOPNOTSUPP where the kernel has no Landlock, or another negative errno. */
int sandbox_hide_files(const char *const *paths);

/* Returns 0 or a negative errno. */
int sandbox_limit_calls(enum sandbox_part part);

#endif
