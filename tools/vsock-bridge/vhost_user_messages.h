/* SPDX-License-Identifier: MIT
 *
 * Numbers and structures of vhost-user, as its specification has them. All in the host's byte order.
 */
#ifndef VSOCK_BRIDGE_VHOST_USER_MESSAGES_H
#define VSOCK_BRIDGE_VHOST_USER_MESSAGES_H

#include <stdint.h>

enum vhost_user_request {
    REQUEST_GET_FEATURES = 1,
    REQUEST_SET_FEATURES = 2,
    REQUEST_SET_OWNER = 3,
    REQUEST_RESET_OWNER = 4,
    REQUEST_SET_MEM_TABLE = 5,
    REQUEST_SET_VRING_NUM = 8,
    REQUEST_SET_VRING_ADDR = 9,
    REQUEST_SET_VRING_BASE = 10,
    REQUEST_GET_VRING_BASE = 11,
    REQUEST_SET_VRING_KICK = 12,
    REQUEST_SET_VRING_CALL = 13,
    REQUEST_SET_VRING_ERR = 14,
    REQUEST_GET_PROTOCOL_FEATURES = 15,
    REQUEST_SET_PROTOCOL_FEATURES = 16,
    REQUEST_GET_QUEUE_NUM = 17,
    REQUEST_SET_VRING_ENABLE = 18,
    REQUEST_GET_CONFIG = 24,
    REQUEST_RESET_DEVICE = 34,
};

/* Header flags. */
#define MESSAGE_VERSION      1U
#define MESSAGE_VERSION_MASK 3U
#define MESSAGE_REPLY        4U
#define MESSAGE_NEEDS_REPLY  8U

/* Bits of GET_FEATURES: virtio 1.2, sections 5.10.3 and 6, and one of vhost-user's own. */
#define FEATURE_STREAM            (UINT64_C(1) << 0)
#define FEATURE_INDIRECT          (UINT64_C(1) << 28)
#define FEATURE_EVENT_INDEX       (UINT64_C(1) << 29)
#define FEATURE_PROTOCOL_FEATURES (UINT64_C(1) << 30)
#define FEATURE_VERSION_1         (UINT64_C(1) << 32)

/* Bits of GET_PROTOCOL_FEATURES. */
#define PROTOCOL_MULTIQUEUE   (UINT64_C(1) << 0)
#define PROTOCOL_REPLY_ACK    (UINT64_C(1) << 3)
#define PROTOCOL_CONFIG       (UINT64_C(1) << 9)
#define PROTOCOL_RESET_DEVICE (UINT64_C(1) << 13)

/* A handler's result: the answer is sent. */
#define MESSAGE_REPLIED 1

/* The u64 of SET_VRING_KICK, CALL and ERR. */
#define RING_INDEX_MASK         UINT64_C(0xff)
#define RING_WITHOUT_DESCRIPTOR UINT64_C(0x100)

struct ring_addresses {
    uint32_t index;
    uint32_t flags; /* bit 0: log writes for migration; not offered */
    uint64_t descriptors, used, available;
    uint64_t log;
};
_Static_assert(sizeof(struct ring_addresses) == 40, "vhost-user: vring address description");

#define CONFIG_SIZE_MAX 256

struct config_access {
    uint32_t offset;
    uint32_t size;
    uint32_t flags;
};
_Static_assert(sizeof(struct config_access) == 12, "vhost-user: device configuration space");

#endif
