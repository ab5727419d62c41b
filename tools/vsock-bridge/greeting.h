/* SPDX-License-Identifier: MIT
 *
 * How a client says which port of the guest it wants: Firecracker's "CONNECT <port>\n", or nothing at all.
 * The first byte decides: 'C' begins the handshake, any other is data for the direct port already.
 */
#ifndef VSOCK_BRIDGE_GREETING_H
#define VSOCK_BRIDGE_GREETING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer handshakes are refused. "CONNECT 4294967295\n" has 19 bytes. */
#define GREETING_MAX 32

struct greeting {
    bool handshake;
    uint32_t port; /* set with `handshake` only */
    size_t length; /* bytes of the greeting, which are not data */
};

/* Judges the first `size` (at least 1) bytes of a client. Returns 0, -EAGAIN (the line is not complete) or
 * -EINVAL. */
int greeting_parse(const char *bytes, size_t size, struct greeting *greeting);

#endif
