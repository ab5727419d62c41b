/* SPDX-License-Identifier: MIT
 *
 * Bytes both ways between a host program (two descriptors) and a server (a connected socket), as they are.
 *
 * Each direction has one buffer of PUMP_SIZE bytes and reads only while it is empty: a reader that stops,
 * stops its writer, and nothing piles up here. The descriptors of the host are shared with other programs, so
 * their flags are left alone; nothing is written but what fits.
 */
#ifndef MCP_CLI_PUMP_H
#define MCP_CLI_PUMP_H

#include <stdbool.h>

#define PUMP_SIZE (64 * 1024)

enum pump_end {
    PUMP_ANSWERED,     /* the input ended, the server took all of it, answered and closed the connection */
    PUMP_HOST_GONE,    /* the input ended, and nobody reads the output any more */
    PUMP_SERVER_ENDED, /* the server closed the connection before; what it sent is delivered */
    PUMP_INPUT,        /* the input cannot be read: *cause */
    PUMP_OUTPUT,       /* the output takes no more: *cause, EPIPE when its reader is gone */
    PUMP_SYSTEM        /* poll(2) fails: *cause */
};

/* Until one side ends; the end of the input is only half an end: the server is told by shutdown(2), and its
 * answers are awaited. Needs SIGPIPE ignored. Closes nothing. *cause is an errno, or 0. */
enum pump_end pump_run(int input, int output, int server, int *cause);

#endif
