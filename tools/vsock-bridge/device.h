/* SPDX-License-Identifier: MIT
 *
 * The vsock device (virtio 1.2, section 5.10): packets between the two rings and the connections, and the
 * table of those.
 */
#ifndef VSOCK_BRIDGE_DEVICE_H
#define VSOCK_BRIDGE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "connection.h"
#include "keeper.h"
#include "loop.h"
#include "vhost_user.h"

#define CONNECTIONS_MAX 256
#define BUCKETS         256 /* a power of two */
#define RESETS_MAX      CONNECTIONS_MAX
#define ADMIN_RESERVE   16 /* connections that a flood of others does not take */

/* Host ports of connections that clients begin, as Firecracker chooses them: guests that know that one see
 * the same numbers. */
#define HOST_PORT_FIRST UINT32_C(0x40000000)
#define HOST_PORT_LAST  UINT32_C(0x7fffffff)

/* Of connections that administrators begin. With the vsock of Linux only the privileged have such ports, too:
 * a guest tells its clients apart by them. */
#define ADMIN_PORT_FIRST UINT32_C(1)
#define ADMIN_PORT_LAST  UINT32_C(1023)

TAILQ_HEAD(turns, connection);

/* RST for a packet that belongs to no connection. */
struct stray_reset {
    uint32_t guest_port, host_port;
    uint16_t type;
};

struct device {
    struct loop *loop;
    struct vhost_user *vm;
    const struct keeper_link *keeper; /* connects to Unix sockets for the guest */
    uint32_t direct_port;             /* of the guest, for clients without a handshake */

    struct connection connections[CONNECTIONS_MAX];
    unsigned admin_reserve; /* of them for administrators alone */
    /* For each the ports that the guest knows it by, the guest's in the upper half, or 0. Or NULL. Memory
     * that lives on when this process does not. */
    uint64_t *ports;
    /* The guest may have connections that nobody here knows: it is told when it runs (section 5.10.6.7). */
    bool takes_over;
    struct connection *buckets[BUCKETS];
    struct turns turns; /* connections that may have something for the guest, in the order of their turns */
    uint64_t next_ordinal;
    uint32_t last_host_port, last_admin_port; /* those given last */

    /* A bounded queue. While it is full, nothing is taken from the guest. */
    struct stray_reset resets[RESETS_MAX];
    unsigned reset_first, reset_count;

    struct chain chain; /* the one being worked on */
};

void device_initialise(struct device *device, struct loop *loop, struct vhost_user *vm,
                       const struct keeper_link *keeper, uint32_t direct_port);

/* Closes all connections at once. */
void device_destroy(struct device *device);

/* The hooks of vhost_user. */
void device_started(struct device *device, bool resumed);
void device_stopped(struct device *device, bool for_good);

/* A client has connected, as an administrator or not; takes its socket over. Closes it, with a log line, when
 * there are too many. */
void device_add_client(struct device *device, int socket, bool admin);

/* Moves packets both ways, a bounded number. Returns whether there is more to do at once. */
bool device_run(struct device *device);

/* --- for connections --- */

bool device_ready(const struct device *device);

/* Gives the connection a turn at the guest's receive buffers, after all others. */
void device_schedule(struct device *device, struct connection *connection);

/* --- the table (table.c) --- */

/* Returns a free connection or NULL. A connection whose client is gone already makes room. */
struct connection *table_allocate(struct device *device, bool admin);

/* Frees the connection and all that it holds, at once. */
void table_free(struct connection *connection);

struct connection *table_find(const struct device *device, uint32_t guest_port, uint32_t host_port);

/* Makes the connection known by its ports, or unknown. */
void table_insert(struct connection *connection);
void table_remove(struct connection *connection);

/* A host port that no connection to `guest_port` uses, for an administrator or for anybody else. */
uint32_t table_free_port(struct device *device, uint32_t guest_port, bool admin);

/* Queues RST. Does nothing when the queue is full. */
void device_reset_stray(struct device *device, uint32_t guest_port, uint32_t host_port, uint16_t type);

#endif
