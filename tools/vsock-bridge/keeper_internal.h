/* SPDX-License-Identifier: MIT
 *
 * What the server and the keeper say to each other, over a socket that keeps messages apart.
 */
#ifndef VSOCK_BRIDGE_KEEPER_INTERNAL_H
#define VSOCK_BRIDGE_KEEPER_INTERNAL_H

#include <sys/socket.h>

#include "keeper.h"

enum keeper_order_kind {
    KEEPER_CONNECT, /* answered by 0 (int32_t) and a socket, or by a negative errno */
    KEEPER_KEEP,    /* not answered */
};

struct keeper_order {
    uint32_t kind;
    uint32_t argument; /* the port; the slot */
    uint32_t size;     /* of the bytes to keep */
    uint8_t bytes[KEEPER_BYTES_MAX];
};

union keeper_descriptors {
    char space[CMSG_SPACE(KEEPER_DESCRIPTORS_MAX * sizeof(int))];
    struct cmsghdr alignment;
};

/* Takes one order and does it. Returns whether there was one; after the end of the channel, no more come. */
bool keeper_take_order(struct keeper *keeper, bool *ended);

#endif
