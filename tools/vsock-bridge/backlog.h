/* SPDX-License-Identifier: MIT
 *
 * Bytes from the guest that a client has not taken yet: a bounded ring buffer, which takes memory only while
 * it holds something.
 */
#ifndef VSOCK_BRIDGE_BACKLOG_H
#define VSOCK_BRIDGE_BACKLOG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "segments.h"

/* Also the receive buffer that each connection advertises to the guest. */
#define BACKLOG_SIZE 262144U

struct backlog {
    uint8_t *bytes; /* NULL while empty */
    size_t start, used;
};

/* Appends all of `segments`, `size` bytes, which must fit. Returns 0 or -ENOMEM. */
int backlog_append(struct backlog *backlog, struct segments *segments, size_t size);

/* Sends what the socket takes. Returns bytes sent, or a negative errno. */
ssize_t backlog_send(struct backlog *backlog, int socket);

void backlog_clear(struct backlog *backlog);

#endif
