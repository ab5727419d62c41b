/* SPDX-License-Identifier: MIT
 *
 * The table of connections: a fixed number of slots, found by the ports of both sides.
 */
#include "device.h"

#include <unistd.h>

#include "log.h"

static unsigned bucket_of(uint32_t guest_port, uint32_t host_port)
{
    return (guest_port ^ host_port) & (BUCKETS - 1U);
}

/* Nobody but the guest would notice if this connection went; or its client has not said a word, and many of
 * that kind shall not keep those out who do. */
static bool expendable(const struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_GREETING:
    case CONNECTION_LINGERING:
        return true;
    case CONNECTION_REQUESTED:
        return connection->client_gone;
    case CONNECTION_WAITING:
        return connection->client_ended;
    default:
        return false;
    }
}

struct connection *table_allocate(struct device *device, bool admin)
{
    struct connection *slot = NULL;
    struct connection *oldest = NULL; /* of those that are expendable */
    unsigned others = 0;              /* connections that are no administrator's */

    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *candidate = &device->connections[i];

        if (candidate->state == CONNECTION_FREE) {
            if (slot == NULL)
                slot = candidate;
            continue;
        }
        others += !candidate->admin;
        /* Others do not make room for themselves at an administrator's cost. */
        if (expendable(candidate) && (admin || !candidate->admin) &&
            (oldest == NULL || candidate->ordinal < oldest->ordinal))
            oldest = candidate;
    }
    if (slot == NULL || (!admin && others >= CONNECTIONS_MAX - device->admin_reserve))
        slot = oldest;
    if (slot == NULL)
        return NULL;
    if (slot->state != CONNECTION_FREE) {
        log_info("port %u: makes room for another connection", slot->guest_port);
        if (slot->state != CONNECTION_WAITING && slot->state != CONNECTION_GREETING)
            device_reset_stray(device, slot->guest_port, slot->host_port, VSOCK_TYPE_STREAM);
        table_free(slot);
    }
    *slot = (struct connection){
        .watch = {.fd = -1}, .device = device, .admin = admin, .ordinal = device->next_ordinal++};
    return slot;
}

void table_free(struct connection *connection)
{
    struct device *device = connection->device;

    table_remove(connection);
    if (connection->has_turn)
        TAILQ_REMOVE(&device->turns, connection, turns);
    connection->has_turn = false;
    backlog_clear(&connection->backlog);
    loop_close(device->loop, &connection->watch);
    connection->owed = 0;
    connection->state = CONNECTION_FREE;
}

struct connection *table_find(const struct device *device, uint32_t guest_port, uint32_t host_port)
{
    struct connection *connection = device->buckets[bucket_of(guest_port, host_port)];

    while (connection != NULL && (connection->guest_port != guest_port || connection->host_port != host_port))
        connection = connection->next_in_bucket;
    return connection;
}

/* In one store: this process may end at any instruction. */
static void note_ports(const struct connection *connection, uint64_t ports)
{
    struct device *device = connection->device;

    if (device->ports != NULL)
        __atomic_store_n(&device->ports[connection - device->connections], ports, __ATOMIC_RELAXED);
}

void table_insert(struct connection *connection)
{
    struct connection **bucket =
        &connection->device->buckets[bucket_of(connection->guest_port, connection->host_port)];

    connection->next_in_bucket = *bucket;
    *bucket = connection;
    note_ports(connection, (uint64_t)connection->guest_port << 32 | connection->host_port);
}

void table_remove(struct connection *connection)
{
    struct connection **link =
        &connection->device->buckets[bucket_of(connection->guest_port, connection->host_port)];

    while (*link != NULL && *link != connection)
        link = &(*link)->next_in_bucket;
    if (*link != NULL)
        *link = connection->next_in_bucket;
    note_ports(connection, 0);
}

uint32_t table_free_port(struct device *device, uint32_t guest_port, bool admin)
{
    const uint32_t first = admin ? ADMIN_PORT_FIRST : HOST_PORT_FIRST;
    const uint32_t last = admin ? ADMIN_PORT_LAST : HOST_PORT_LAST;
    uint32_t *port = admin ? &device->last_admin_port : &device->last_host_port;

    _Static_assert(ADMIN_PORT_LAST - ADMIN_PORT_FIRST >= CONNECTIONS_MAX, "one is always free: this ends");
    do {
        *port = *port < first || *port >= last ? first : *port + 1;
    } while (table_find(device, guest_port, *port) != NULL);
    return *port;
}
