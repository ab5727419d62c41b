/* SPDX-License-Identifier: MIT
 *
 * A vsock packet's header (virtio 1.2, section 5.10.6), little-endian.
 */
#ifndef VSOCK_BRIDGE_WIRE_H
#define VSOCK_BRIDGE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define CID_HOST UINT64_C(2)

enum vsock_operation {
    VSOCK_REQUEST = 1,
    VSOCK_RESPONSE = 2,
    VSOCK_RESET = 3,
    VSOCK_SHUTDOWN = 4,
    VSOCK_DATA = 5,
    VSOCK_CREDIT_UPDATE = 6,
    VSOCK_CREDIT_REQUEST = 7,
};

#define VSOCK_TYPE_STREAM 1

/* Flags of SHUTDOWN: what the sender of the packet will not do any more. */
#define VSOCK_NO_RECEIVE 1U
#define VSOCK_NO_SEND    2U
#define VSOCK_NEITHER    (VSOCK_NO_RECEIVE | VSOCK_NO_SEND)

struct vsock_header {
    uint64_t source_cid;
    uint64_t destination_cid;
    uint32_t source_port;
    uint32_t destination_port;
    uint32_t length;
    uint16_t type;
    uint16_t operation;
    uint32_t flags;
    uint32_t buffer_size; /* buf_alloc */
    uint32_t forwarded;   /* fwd_cnt */
} __attribute__((packed));
_Static_assert(sizeof(struct vsock_header) == 44, "virtio 1.2, section 5.10.6");
_Static_assert(offsetof(struct vsock_header, length) == 24, "virtio 1.2, section 5.10.6");
_Static_assert(offsetof(struct vsock_header, forwarded) == 40, "virtio 1.2, section 5.10.6");

#endif
