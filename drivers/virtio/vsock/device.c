/* SPDX-License-Identifier: MIT
 *
 * The vsock device: queues, receive buffers, the poll loop. virtio 1.2, section 5.10.
 */
#include <errno.h>
#include <string.h>

#include "log.h"
#include "vsock/private.h"

enum { QUEUE_RECEIVE, QUEUE_TRANSMIT, QUEUE_EVENT }; /* section 5.10.2 */

/* Section 5.10.3 */
#define FEATURE_STREAM    (1ull << 0)
#define FEATURE_SEQPACKET (1ull << 1)

#define EVENT_TRANSPORT_RESET 0 /* section 5.10.6.7 */

/* Packets that one poll handles before it lets other tasks run: a flood must not hold the CPU. */
#define POLL_BUDGET 256

/* Interrupt context. */
VIRTIO_INTERRUPT_CODE static void on_queue(void *argument)
{
    struct vsock *vsock = argument;

    vsock->config.wake(vsock->config.context);
}

/* Interrupt context. */
VIRTIO_INTERRUPT_CODE static void on_config_change(void *argument)
{
    struct vsock *vsock = argument;

    __atomic_store_n(&vsock->config_changed, true, __ATOMIC_RELAXED);
    vsock->config.wake(vsock->config.context);
}

static int read_cid(struct vsock *vsock)
{
    uint64_t cid = 0; /* section 5.10.4: the only field */
    int error = virtio_device_config(vsock->device, 0, &cid, sizeof(cid));

    if (error != 0)
        return error;
    /* The upper half is reserved and 0; 0 to 2 and the last one are not for guests (section 5.10.4). */
    if (cid <= VSOCK_CID_HOST || cid >= UINT32_MAX) {
        virtio_log(vsock->os, VIRTIO_LOG_ERROR, virtio_device_name(vsock->device),
                   "%llu is no CID for a guest", (unsigned long long)cid);
        return -EIO;
    }
    vsock->guest_cid = cid;
    return 0;
}

/* Header and payload each have a descriptor, because Firecracker before 1.6 takes no other layout. */
static int post_receive(struct vsock *vsock, struct receive_buffer *buffer)
{
    const struct virtio_buffer descriptors[PACKET_DESCRIPTORS] = {
        {.physical = buffer->physical, .size = sizeof(struct vsock_header)},
        {.physical = buffer->physical + RECEIVE_OFFSET, .size = RECEIVE_SIZE},
    };

    return virtio_queue_add(vsock->receive_queue, NULL, 0, descriptors, PACKET_DESCRIPTORS, buffer);
}

static int post_event(struct vsock *vsock, uint32_t *event)
{
    struct virtio_buffer descriptor = {
        .physical = vsock->events_physical + (uint64_t)(event - vsock->events) * sizeof(*event),
        .size = sizeof(*event),
    };

    return virtio_queue_add(vsock->event_queue, NULL, 0, &descriptor, 1, event);
}

static size_t receive_buffer_count(const struct vsock *vsock)
{
    size_t room = virtio_queue_size(vsock->receive_queue) / PACKET_DESCRIPTORS;

    return room < RECEIVE_BUFFERS ? room : RECEIVE_BUFFERS;
}

static int post_buffers(struct vsock *vsock)
{
    const struct virtio_os *os = vsock->os;

    for (size_t i = 0; i < receive_buffer_count(vsock); i++) {
        struct receive_buffer *buffer = &vsock->receive_buffers[i];
        buffer->memory = os->alloc_aligned(os->context, RECEIVE_OFFSET + RECEIVE_SIZE, 64, &buffer->physical);
        if (buffer->memory == NULL)
            return -ENOMEM;
        int error = post_receive(vsock, buffer);
        if (error != 0)
            return error;
    }

    vsock->events =
        os->alloc_aligned(os->context, EVENT_BUFFERS * sizeof(uint32_t), 16, &vsock->events_physical);
    if (vsock->events == NULL)
        return -ENOMEM;
    for (uint16_t i = 0; i < EVENT_BUFFERS && i < virtio_queue_size(vsock->event_queue); i++) {
        int error = post_event(vsock, &vsock->events[i]);
        if (error != 0)
            return error;
    }
    return 0;
}

static int create_packet_queue(struct vsock *vsock, uint16_t index, uint16_t packets,
                               struct virtio_queue **queue)
{
    int error = virtio_device_queue(vsock->device, index, (uint16_t)(packets * PACKET_DESCRIPTORS), on_queue,
                                    vsock, queue);

    if (error != 0)
        return error;
    if (virtio_queue_size(*queue) < PACKET_DESCRIPTORS) {
        virtio_log(vsock->os, VIRTIO_LOG_ERROR, virtio_device_name(vsock->device),
                   "vsock: queue %u has no room for a packet", index);
        return -EIO;
    }
    virtio_queue_avoid_indirect(*queue);
    return 0;
}

static int set_up(struct vsock *vsock)
{
    struct virtio_device *device = vsock->device;
    uint64_t features = 0;

    int error = virtio_device_negotiate(device, FEATURE_STREAM | FEATURE_SEQPACKET, &features);
    vsock->seqpacket = (features & FEATURE_SEQPACKET) != 0;
    if (error == 0)
        error = create_packet_queue(vsock, QUEUE_RECEIVE, RECEIVE_BUFFERS, &vsock->receive_queue);
    if (error == 0)
        error = create_packet_queue(vsock, QUEUE_TRANSMIT, TRANSMIT_SLOTS, &vsock->transmit_queue);
    if (error == 0)
        error = virtio_device_queue(device, QUEUE_EVENT, EVENT_BUFFERS, on_queue, vsock, &vsock->event_queue);
    if (error == 0)
        error = virtio_device_on_config_change(device, on_config_change, vsock);
    if (error == 0)
        error = vsock_transmit_initialise(vsock);
    if (error == 0)
        error = post_buffers(vsock);
    if (error == 0)
        error = read_cid(vsock);
    if (error == 0)
        error = virtio_device_start(device);
    if (error != 0)
        return error;

    /* Section 3.1.1: no kick before DRIVER_OK. */
    virtio_queue_kick(vsock->receive_queue);
    virtio_queue_kick(vsock->event_queue);
    virtio_log(vsock->os, VIRTIO_LOG_INFO, virtio_device_name(device), "vsock: CID %llu",
               (unsigned long long)vsock->guest_cid);
    /* The first poll arms the interrupts. */
    vsock->config.wake(vsock->config.context);
    return 0;
}

int vsock_create(struct virtio_device *device, const struct vsock_config *config, struct vsock **vsock)
{
    const struct virtio_os *os = virtio_device_os(device);
    int error = -EINVAL;

    if (config->connections_max == 0 || config->receive_buffer_size == 0 ||
        config->receive_buffer_size > UINT32_MAX / 2 || virtio_device_id(device) != VIRTIO_ID_VSOCK)
        goto refuse;
    error = -ENOMEM;
    struct vsock *created = os->alloc(os->context, sizeof(*created));
    if (created == NULL)
        goto refuse;
    memset(created, 0, sizeof(*created));
    created->device = device;
    created->os = os;
    created->config = *config;
    created->next_deadline = UINT64_MAX;
    created->next_port = VSOCK_PORT_DYNAMIC;
    for (size_t i = 0; i < VSOCK_BUCKETS; i++)
        list_initialise(&created->buckets[i]);
    list_initialise(&created->ready);
    list_initialise(&created->waiting);
    list_initialise(&created->sending);

    error = set_up(created);
    if (error != 0) {
        vsock_destroy(created);
        return error;
    }
    *vsock = created;
    return 0;

refuse:
    virtio_device_destroy(device);
    return error;
}

void vsock_destroy(struct vsock *vsock)
{
    const struct virtio_os *os = vsock->os;

    /* First of all, so that the device lets go of the memory. */
    virtio_device_reset(vsock->device);
    vsock_connection_each(vsock, vsock_connection_free);
    vsock_transmit_release(vsock);
    for (size_t i = 0; i < RECEIVE_BUFFERS; i++) {
        if (vsock->receive_buffers[i].memory != NULL)
            os->free_aligned(os->context, vsock->receive_buffers[i].memory, RECEIVE_OFFSET + RECEIVE_SIZE);
    }
    if (vsock->events != NULL)
        os->free_aligned(os->context, vsock->events, EVENT_BUFFERS * sizeof(uint32_t));
    virtio_device_destroy(vsock->device);
    os->free(os->context, vsock, sizeof(*vsock));
}

static void die(struct vsock_connection *connection)
{
    vsock_connection_kill(connection, false);
}

/* Section 5.10.6.7: the guest has moved to another host, all connections are gone and the CID may be another.
 */
static int transport_reset(struct vsock *vsock)
{
    vsock->statistics.transport_resets++;
    vsock_connection_each(vsock, die);
    vsock->reset_count = 0;
    int error = read_cid(vsock);
    virtio_log(vsock->os, VIRTIO_LOG_INFO, "vsock", "transport reset, CID %llu",
               (unsigned long long)vsock->guest_cid);
    return error;
}

static int poll_events(struct vsock *vsock)
{
    void *token = NULL;
    uint32_t written = 0;
    int result = 0;

    for (unsigned i = 0; i < EVENT_BUFFERS; i++) {
        result = virtio_queue_take(vsock->event_queue, &token, &written);
        if (result <= 0)
            return result;
        uint32_t id = __atomic_load_n((uint32_t *)token, __ATOMIC_RELAXED);
        result = post_event(vsock, token);
        if (result == 0 && written >= sizeof(id) && id == EVENT_TRANSPORT_RESET)
            result = transport_reset(vsock);
        if (result != 0)
            return result;
    }
    return 0;
}

/* Handles at most *budget packets. Section 5.10.6.1: goes on while the transmit queue is full, and stops when
 * there is no place left to note an answer to an unknown peer. */
static int poll_receive(struct vsock *vsock, unsigned *budget)
{
    void *token = NULL;
    uint32_t written = 0;

    while (*budget > 0 && vsock->reset_count < VSOCK_RESETS_MAX) {
        int result = virtio_queue_take(vsock->receive_queue, &token, &written);
        if (result <= 0)
            return result;
        struct receive_buffer *buffer = token;
        (*budget)--;
        vsock->statistics.packets_received++;
        vsock_packet_handle(vsock, buffer->memory, buffer->memory + RECEIVE_OFFSET, written,
                            vsock->guest_cid);
        result = post_receive(vsock, buffer);
        if (result != 0)
            return result;
        vsock->returned++;
    }
    return 0;
}

/* Linux's vhost asks to be told of the next buffer whenever it has nothing to send, which would cost a VM
 * exit with each packet. A device that waits for buffers has used all that it was told of, so half of them
 * come back at least. */
static void kick_receive(struct vsock *vsock)
{
    if (vsock->returned < (receive_buffer_count(vsock) + 1) / 2)
        return;
    vsock->returned = 0;
    virtio_queue_kick(vsock->receive_queue);
}

/* Tells owners what happened: one event at a time, as the owner may do anything to any connection meanwhile.
 */
static void deliver(struct vsock *vsock)
{
    while (!list_empty(&vsock->ready)) {
        struct vsock_connection *connection = LIST_MEMBER(vsock->ready.next, struct vsock_connection, ready);
        enum vsock_event event = VSOCK_ACCEPTED;
        while ((connection->events & 1u << event) == 0)
            event++;
        connection->events &= ~(1u << event);
        if (connection->events == 0)
            list_remove(&connection->ready);
        vsock->config.event(vsock->config.context, event, connection);
    }
}

/* Lets connections that wait for room send, each in its turn. */
static void serve_waiting(struct vsock *vsock)
{
    while (!list_empty(&vsock->waiting) && vsock_transmit_has_room(vsock)) {
        struct vsock_connection *connection =
            LIST_MEMBER(vsock->waiting.next, struct vsock_connection, waiting);
        list_remove(&connection->waiting);
        connection->has_turn = true;
        vsock->config.event(vsock->config.context, VSOCK_WRITABLE, connection);
    }
}

/* One round. Returns 1 when there is more to do, 0, or a negative errno. */
static int poll_once(struct vsock *vsock, unsigned *budget)
{
    if (__atomic_exchange_n(&vsock->config_changed, false, __ATOMIC_RELAXED) &&
        virtio_device_broken(vsock->device))
        return -EIO;
    int error = vsock_transmit_reclaim(vsock);
    if (error >= 0)
        error = poll_events(vsock);
    if (error == 0)
        error = poll_receive(vsock, budget);
    if (error != 0)
        return error;
    vsock_transmit_deliver_local(vsock, budget);

    vsock_connection_expire(vsock);
    vsock_transmit_flush(vsock);
    deliver(vsock);
    serve_waiting(vsock);
    vsock_transmit_flush(vsock);

    kick_receive(vsock);
    virtio_queue_kick(vsock->event_queue);
    bool idle = vsock_transmit_finish(vsock);
    idle = virtio_queue_enable_interrupt(vsock->event_queue, 1) && idle;
    if (vsock->reset_count < VSOCK_RESETS_MAX)
        idle = virtio_queue_enable_interrupt(vsock->receive_queue, 1) && idle;
    return idle && list_empty(&vsock->ready) ? 0 : 1;
}

int vsock_poll(struct vsock *vsock)
{
    unsigned budget = POLL_BUDGET;
    int result = vsock->broken ? -EIO : 1;

    vsock->polling = true;
    virtio_queue_disable_interrupt(vsock->receive_queue);
    while (result > 0 && budget > 0) {
        budget--;
        result = poll_once(vsock, &budget);
    }
    vsock->polling = false;

    if (result < 0 && !vsock->broken) {
        virtio_log(vsock->os, VIRTIO_LOG_ERROR, virtio_device_name(vsock->device),
                   "vsock: the device is broken");
        vsock->broken = true;
    }
    if (result > 0)
        vsock->config.wake(vsock->config.context);
    return result < 0 ? -EIO : 0;
}

uint64_t vsock_stalled_since(const struct vsock *vsock)
{
    return virtio_queue_chains_in_flight(vsock->transmit_queue) > 0 ? vsock->moved_at : UINT64_MAX;
}

void vsock_remind(struct vsock *vsock)
{
    virtio_queue_kick_again(vsock->transmit_queue);
}

uint64_t vsock_deadline(const struct vsock *vsock)
{
    return vsock->next_deadline;
}

void vsock_finish_call(struct vsock *vsock)
{
    if (vsock->polling)
        return;
    vsock_transmit_flush(vsock);
    if (!vsock_transmit_finish(vsock) || !list_empty(&vsock->ready))
        vsock->config.wake(vsock->config.context);
}

uint64_t vsock_guest_cid(const struct vsock *vsock)
{
    return vsock->guest_cid;
}

void vsock_get_statistics(const struct vsock *vsock, struct vsock_statistics *statistics)
{
    *statistics = vsock->statistics;
    statistics->connections = vsock->connection_count;
}
