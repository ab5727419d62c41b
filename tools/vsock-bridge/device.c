/* SPDX-License-Identifier: MIT */
#include "device.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include "log.h"

/* Packets each way before other events get their chance. */
#define PACKETS_PER_RUN 256

void device_initialise(struct device *device, struct loop *loop, struct vhost_user *vm,
                       const struct keeper_link *keeper, uint32_t direct_port)
{
    *device = (struct device){
        .loop = loop,
        .vm = vm,
        .keeper = keeper,
        .direct_port = direct_port,
    };
    TAILQ_INIT(&device->turns);
}

void device_destroy(struct device *device)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        if (device->connections[i].state != CONNECTION_FREE)
            table_free(&device->connections[i]);
    }
}

bool device_ready(const struct device *device)
{
    return device->vm->running;
}

/* The driver has forgotten its connections. */
static void end_connections(struct device *device)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &device->connections[i];

        switch (connection->state) {
        case CONNECTION_FREE:
        case CONNECTION_GREETING:
        case CONNECTION_WAITING:
        case CONNECTION_DRAINING:
            break;
        default:
            connection_guest_gone(connection);
            break;
        }
    }
    device->reset_count = 0;
}

static void connect_waiting(struct device *device)
{
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        if (device->connections[i].state == CONNECTION_WAITING)
            connection_request(&device->connections[i]);
    }
}

void device_stopped(struct device *device, bool for_good)
{
    log_info(for_good ? "the VM's vsock has ended" : "the VM is paused or reset");
    if (for_good)
        end_connections(device);
}

/* The first packets of a new server: the guest drops the connections that nobody here knows. */
static void tell_of_lost_connections(struct device *device)
{
    unsigned lost = 0;

    device->takes_over = false;
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
        uint64_t ports = __atomic_exchange_n(&device->ports[i], 0, __ATOMIC_RELAXED);

        if (ports == 0)
            continue;
        device_reset_stray(device, (uint32_t)(ports >> 32), (uint32_t)ports, VSOCK_TYPE_STREAM);
        lost++;
    }
    if (lost > 0)
        log_warning("%u connections were lost", lost);
    /* The last packets of those may still come: not to the connections that follow. */
    if (getrandom(&device->last_host_port, sizeof device->last_host_port, 0) < 0)
        device->last_host_port = (uint32_t)getpid();
    device->last_admin_port = device->last_host_port % ADMIN_PORT_LAST;
    device->last_host_port = HOST_PORT_FIRST | (device->last_host_port & ~HOST_PORT_FIRST & HOST_PORT_LAST);
}

void device_started(struct device *device, bool resumed)
{
    log_info(resumed ? "the VM goes on" : "the VM's vsock driver is ready");
    if (!resumed)
        end_connections(device);
    if (device->takes_over)
        tell_of_lost_connections(device);
    connect_waiting(device);
}

void device_add_client(struct device *device, int socket, bool admin)
{
    struct connection *connection = table_allocate(device, admin);

    if (connection == NULL) {
        log_warning("a client is refused: there are %u connections already, which is the limit",
                    CONNECTIONS_MAX - (admin ? 0 : device->admin_reserve));
        (void)close(socket);
        return;
    }
    connection_start(connection, socket);
}

void device_schedule(struct device *device, struct connection *connection)
{
    if (connection->has_turn)
        return;
    connection->has_turn = true;
    TAILQ_INSERT_TAIL(&device->turns, connection, turns);
}

void device_reset_stray(struct device *device, uint32_t guest_port, uint32_t host_port, uint16_t type)
{
    unsigned slot = (device->reset_first + device->reset_count) % RESETS_MAX;

    if (device->reset_count == RESETS_MAX)
        return;
    device->resets[slot] =
        (struct stray_reset){.guest_port = guest_port, .host_port = host_port, .type = type};
    device->reset_count++;
}

/* --- from the guest --- */

/* The guest connects to a port of the host. */
static void guest_connects(struct device *device, const struct vsock_header *header)
{
    struct connection *connection;
    int socket = keeper_connect(device->keeper, header->destination_port);
    int result = socket;

    if (socket >= 0) {
        connection = table_allocate(device, false);
        if (connection == NULL) {
            log_warning(
                "the guest is refused a connection to host port %u: there are %d already, which is the "
                "limit",
                header->destination_port, CONNECTIONS_MAX);
            (void)close(socket);
            result = -ENOSPC;
        } else {
            result = connection_accept(connection, socket, header);
        }
    } else {
        log_warning("the guest connects to host port %u, but nobody serves %s_%u", header->destination_port,
                    device->keeper->socket_path, header->destination_port);
    }
    if (result < 0)
        device_reset_stray(device, header->source_port, header->destination_port, header->type);
}

static void take_packet(struct device *device, const struct vsock_header *header, struct segments *payload,
                        size_t size)
{
    struct connection *connection;

    /* Section 5.10.6.4: other addresses are not ours to answer. */
    if (header->source_cid != device->vm->guest_cid || header->destination_cid != CID_HOST) {
        log_warning("the guest sends from CID %llu to CID %llu; it is %llu, and only 2 is here",
                    (unsigned long long)header->source_cid, (unsigned long long)header->destination_cid,
                    (unsigned long long)device->vm->guest_cid);
        return;
    }
    connection = header->type == VSOCK_TYPE_STREAM
                     ? table_find(device, header->source_port, header->destination_port)
                     : NULL;
    if (connection != NULL) {
        connection_packet(connection, header, payload, size);
    } else if (header->operation == VSOCK_REQUEST && header->type == VSOCK_TYPE_STREAM) {
        guest_connects(device, header);
    } else if (header->operation != VSOCK_RESET) {
        /* Nobody answers RST with RST. */
        device_reset_stray(device, header->source_port, header->destination_port, header->type);
    }
}

/* Returns whether there is more to take now. */
static bool take_packets(struct device *device)
{
    struct vhost_user *vm = device->vm;
    struct ring *ring = &vm->queues[QUEUE_FROM_GUEST].ring;
    struct chain *chain = &device->chain;
    struct vsock_header header;
    int result = 1;

    ring_suppress_notification(ring);
    for (unsigned i = 0; i < PACKETS_PER_RUN; i++) {
        struct segments packet;

        /* Each packet may need a RST. */
        result =
            device->reset_count < RESETS_MAX ? ring_peek(ring, &vm->memory, CHAIN_FROM_DRIVER, chain) : 0;
        if (result <= 0)
            break;
        packet = (struct segments){.first = chain->segments, .count = chain->segment_count};
        if (chain->size >= sizeof header) {
            segments_copy_out(&packet, &header, sizeof header);
            take_packet(device, &header, &packet, chain->size - sizeof header);
        } else {
            log_warning("the guest sends a packet of %zu bytes, which is shorter than a header", chain->size);
        }
        ring_use(ring, chain, 0);
    }
    if (ring_publish(ring))
        vhost_user_interrupt(vm, QUEUE_FROM_GUEST);
    if (result < 0) {
        vhost_user_break(vm, QUEUE_FROM_GUEST);
        return false;
    }
    return result > 0 || (device->reset_count < RESETS_MAX && ring_want_notification(ring));
}

/* --- to the guest --- */

static void take_stray_reset(struct device *device, struct vsock_header *header)
{
    const struct stray_reset *reset = &device->resets[device->reset_first];

    *header = (struct vsock_header){
        .source_cid = CID_HOST,
        .destination_cid = device->vm->guest_cid,
        .source_port = reset->host_port,
        .destination_port = reset->guest_port,
        .type = reset->type,
        .operation = VSOCK_RESET,
    };
    device->reset_first = (device->reset_first + 1) % RESETS_MAX;
    device->reset_count--;
}

/* Writes one packet into the chain if anyone has one. */
static bool next_packet(struct device *device, struct vsock_header *header, struct segments *payload,
                        size_t size)
{
    struct connection *connection;

    if (device->reset_count > 0) {
        take_stray_reset(device, header);
        return true;
    }
    connection = TAILQ_FIRST(&device->turns);
    TAILQ_REMOVE(&device->turns, connection, turns);
    connection->has_turn = false;
    return connection_next_packet(connection, header, payload, size);
}

static bool has_packets(const struct device *device)
{
    return device->reset_count > 0 || !TAILQ_EMPTY(&device->turns);
}

/* Returns whether there is more to send now. */
static bool send_packets(struct device *device)
{
    struct vhost_user *vm = device->vm;
    struct ring *ring = &vm->queues[QUEUE_TO_GUEST].ring;
    struct chain *chain = &device->chain;
    struct vsock_header header;
    struct iovec header_pieces[sizeof header];
    int result = 1;

    ring_suppress_notification(ring);
    for (unsigned i = 0; i < PACKETS_PER_RUN && has_packets(device); i++) {
        struct segments payload;
        struct segments front;

        result = ring_peek(ring, &vm->memory, CHAIN_TO_DRIVER, chain);
        if (result <= 0)
            break;
        if (chain->size <= sizeof header) {
            ring->fault = "a receive buffer has no room for a header and data";
            result = -EPROTO;
            break;
        }
        payload = (struct segments){.first = chain->segments, .count = chain->segment_count};
        front = segments_split(&payload, sizeof header, header_pieces);
        if (next_packet(device, &header, &payload, chain->size - sizeof header)) {
            segments_copy_in(&front, &header, sizeof header);
            ring_use(ring, chain, (uint32_t)sizeof header + header.length);
        }
    }
    if (ring_publish(ring))
        vhost_user_interrupt(vm, QUEUE_TO_GUEST);
    if (result < 0) {
        vhost_user_break(vm, QUEUE_TO_GUEST);
        return false;
    }
    if (!has_packets(device))
        return false;
    return result > 0 || ring_want_notification(ring);
}

bool device_run(struct device *device)
{
    bool more;
    bool stalled;

    if (!device->vm->running)
        return false;
    more = take_packets(device);
    stalled = device->reset_count == RESETS_MAX;
    if (device->vm->running && send_packets(device))
        more = true;
    return device->vm->running && (more || (stalled && device->reset_count < RESETS_MAX));
}
