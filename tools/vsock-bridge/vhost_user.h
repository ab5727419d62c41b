/* SPDX-License-Identifier: MIT
 *
 * The vhost-user protocol's back end (docs/interop/vhost-user of QEMU): one VM's control connection, its
 * memory table and its rings. It knows no vsock but the configuration space (virtio 1.2, section 5.10.4).
 */
#ifndef VSOCK_BRIDGE_VHOST_USER_H
#define VSOCK_BRIDGE_VHOST_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "keeper.h"
#include "loop.h"
#include "memory.h"
#include "ring.h"

/* The queues of section 5.10.2. The event queue may be set up, and stays unused: QEMU keeps it for itself. */
enum vhost_queue { QUEUE_TO_GUEST, QUEUE_FROM_GUEST, QUEUE_EVENT, QUEUE_COUNT };

#define VHOST_USER_PAYLOAD_MAX 512

/* A header and its payload, as they stand on the wire. */
struct vhost_user_message {
    uint32_t request;
    uint32_t flags;
    uint32_t size; /* of the payload */
    uint8_t payload[VHOST_USER_PAYLOAD_MAX];
};
#define VHOST_USER_HEADER_SIZE 12

struct vhost_queue_state {
    struct ring ring;
    struct watch kick; /* the driver's notifications */
    int call;          /* interrupts; -1: the driver polls */
    int error;
    bool enabled;
    bool broken; /* until the queue is stopped */
};

/* What the vsock device behind the protocol is told. */
struct vhost_user_hooks {
    /* Both data queues are ready. `resumed`: they go on exactly where they stopped, as after a pause of the
     * VM, and the driver has its connections still. */
    void (*started)(void *context, bool resumed);
    /* They are not any more. `for_good`: they will not resume: a ring is broken, the device was reset by
     * name, or the VM is gone. Otherwise the VM was paused or its driver was reset, which look the same. */
    void (*stopped)(void *context, bool for_good);
    void (*gone)(void *context); /* the control connection is closed, after `stopped` */
};

struct vhost_user {
    struct watch watch; /* fd -1: no VM is connected */
    struct loop *loop;
    struct vhost_user_hooks hooks;
    void *context;
    uint64_t guest_cid;
    const struct keeper_link *keeper; /* or NULL */

    struct vhost_user_message message; /* being received */
    uint32_t received;                 /* bytes of it */
    int descriptors[MEMORY_REGIONS_MAX];
    unsigned descriptor_count;

    uint64_t features, protocol_features;
    struct guest_memory memory;
    struct vhost_queue_state queues[QUEUE_COUNT];
    bool running;
    bool resumable;         /* since they stopped, no queue was broken or reset */
    uint16_t stopped_at[2]; /* where the data queues stood then */
    bool spoke;             /* at least one whole message came: a VM, no mere probe of the socket */
};

void vhost_user_initialise(struct vhost_user *vm, struct loop *loop, uint64_t guest_cid,
                           const struct vhost_user_hooks *hooks, void *context);

/* A VM has connected; takes the socket over, also on failure. Returns 0 or a negative errno. */
int vhost_user_attach(struct vhost_user *vm, int socket);

/* Takes over the VM of a server that has ended, from what it kept; all descriptors in the KEEPER_SLOTS
 * `slots` are taken, too. The rings go on behind the last entry that was used. Returns whether the VM's
 * driver is ready, after `started` (not resumed) was called. */
bool vhost_user_restore(struct vhost_user *vm, const struct kept *slots);

/* Ends the control connection, if any, and frees all that came with it. The hooks `stopped` (if running) and
 * `gone` are called. */
void vhost_user_detach(struct vhost_user *vm);

/* Has the other side hung up, even if the loop has not come to it yet? */
bool vhost_user_hung_up(const struct vhost_user *vm);

/* Interrupts the guest, if it wants to be. */
void vhost_user_interrupt(struct vhost_user *vm, enum vhost_queue queue);

/* The guest has broken the rules of a ring (its `fault` says how): no queue is touched until the driver
 * resets the device. */
void vhost_user_break(struct vhost_user *vm, enum vhost_queue queue);
bool vhost_user_broken(const struct vhost_user *vm);

#endif
