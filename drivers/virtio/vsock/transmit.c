/* SPDX-License-Identifier: MIT
 *
 * Packets on their way out.
 *
 * A packet without payload (control) is never lost and never allocated: it is a bit in its connection until
 * there is a free slot, and each slot has memory for one. A packet with payload is sent at once or not at
 * all: a small one from the reserve, so that a short exchange allocates nothing; a large one, and any when
 * the reserve is used up, from memory that is freed when the device has taken it. The reserve also keeps data
 * moving, if slowly, when there is no other memory. Where there is no room, connections wait in line:
 * vsock->waiting.
 */
#include <errno.h>
#include <string.h>

#include "vsock/private.h"

/* Bytes of payload packets in flight, for all connections: two round trips of a fast host. */
#define MEMORY_MAX ((size_t)256 * 1024)
/* More than this is worth an interrupt, so that it is freed when the device has taken it. */
#define MEMORY_IDLE ((size_t)32 * 1024)

int vsock_transmit_initialise(struct vsock *vsock)
{
    const struct virtio_os *os = vsock->os;
    uint16_t packets = virtio_queue_size(vsock->transmit_queue) / PACKET_DESCRIPTORS;

    vsock->inline_memory =
        os->alloc_aligned(os->context, TRANSMIT_SLOTS * TRANSMIT_INLINE, 64, &vsock->inline_physical);
    vsock->reserve = os->alloc_aligned(os->context, (size_t)RESERVE_COUNT * TRANSMIT_RESERVE, 64,
                                       &vsock->reserve_physical);
    vsock->reserve_free = (1u << RESERVE_COUNT) - 1;
    if (vsock->inline_memory == NULL || vsock->reserve == NULL)
        return -ENOMEM;
    for (uint16_t i = 0; i < packets && i < TRANSMIT_SLOTS; i++) {
        vsock->slots[i].next = vsock->free_slot;
        vsock->free_slot = &vsock->slots[i];
    }
    return 0;
}

static uint8_t *inline_memory(const struct vsock *vsock, const struct transmit_slot *slot)
{
    return vsock->inline_memory + (size_t)(slot - vsock->slots) * TRANSMIT_INLINE;
}

static void free_packet(struct vsock *vsock, struct transmit_slot *slot)
{
    const struct virtio_os *os = vsock->os;

    if (slot->memory == NULL)
        return;
    if (slot->reserve != 0) {
        vsock->reserve_free |= slot->reserve;
    } else {
        os->free_aligned(os->context, slot->memory, slot->size);
        vsock->transmit_memory -= slot->size;
    }
    slot->memory = NULL;
}

void vsock_transmit_release(struct vsock *vsock)
{
    const struct virtio_os *os = vsock->os;

    for (size_t i = 0; i < TRANSMIT_SLOTS; i++)
        free_packet(vsock, &vsock->slots[i]);
    if (vsock->inline_memory != NULL)
        os->free_aligned(os->context, vsock->inline_memory, TRANSMIT_SLOTS * TRANSMIT_INLINE);
    if (vsock->reserve != NULL)
        os->free_aligned(os->context, vsock->reserve, (size_t)RESERVE_COUNT * TRANSMIT_RESERVE);
}

static void free_slot(struct vsock *vsock, struct transmit_slot *slot)
{
    free_packet(vsock, slot);
    slot->next = vsock->free_slot;
    vsock->free_slot = slot;
    vsock->starved = false;
}

int vsock_transmit_reclaim(struct vsock *vsock)
{
    void *token = NULL;
    uint32_t written = 0;
    int count = 0;
    int result = 0;

    while ((result = virtio_queue_take(vsock->transmit_queue, &token, &written)) > 0) {
        free_slot(vsock, token);
        count++;
    }
    if (count > 0)
        vsock->moved_at = vsock->os->now_us(vsock->os->context);
    return result < 0 ? result : count;
}

static void append_local(struct vsock *vsock, struct transmit_slot *slot)
{
    slot->next = NULL;
    if (vsock->local_first == NULL)
        vsock->local_first = slot;
    else
        vsock->local_last->next = slot;
    vsock->local_last = slot;
}

void vsock_transmit_deliver_local(struct vsock *vsock, unsigned *budget)
{
    while (*budget > 0 && vsock->local_first != NULL && vsock->reset_count < VSOCK_RESETS_MAX) {
        struct transmit_slot *slot = vsock->local_first;
        const uint8_t *memory = slot->memory != NULL ? slot->memory : inline_memory(vsock, slot);
        size_t size = slot->memory != NULL ? slot->size : sizeof(struct vsock_header);

        vsock->local_first = slot->next;
        (*budget)--;
        vsock_packet_handle(vsock, memory, memory + sizeof(struct vsock_header), size, VSOCK_CID_LOCAL);
        free_slot(vsock, slot);
    }
}

/* Sends a header, and its payload, which lies behind it, in a descriptor of its own: Firecracker before 1.6
 * wants it there. */
static bool post(struct vsock *vsock, struct transmit_slot *slot, uint64_t physical, void *memory,
                 const struct vsock_header *header)
{
    const struct virtio_buffer descriptors[PACKET_DESCRIPTORS] = {
        {.physical = physical, .size = sizeof(*header)},
        {.physical = physical + sizeof(*header), .size = header->length},
    };
    size_t count = header->length > 0 ? 2 : 1;
    bool local = header->destination_cid == VSOCK_CID_LOCAL;

    memcpy(memory, header, sizeof(*header));
    if (virtio_queue_chains_in_flight(vsock->transmit_queue) == 0)
        vsock->moved_at = vsock->os->now_us(vsock->os->context);
    if (!local && virtio_queue_add(vsock->transmit_queue, descriptors, count, NULL, 0, slot) != 0)
        return false;
    vsock->free_slot = slot->next;
    if (local)
        append_local(vsock, slot);
    else
        vsock->statistics.packets_sent++;
    vsock->statistics.bytes_sent += header->length;
    return true;
}

static bool post_control(struct vsock *vsock, const struct vsock_header *header)
{
    struct transmit_slot *slot = vsock->free_slot;

    if (slot == NULL)
        return false;
    uint8_t *memory = inline_memory(vsock, slot);
    return post(vsock, slot, vsock->inline_physical + (uint64_t)(memory - vsock->inline_memory), memory,
                header);
}

/* Ourselves, as the peer knows us. */
static uint64_t own_cid(const struct vsock *vsock, uint64_t peer_cid)
{
    return peer_cid == VSOCK_CID_LOCAL ? VSOCK_CID_LOCAL : vsock->guest_cid;
}

/* Section 5.10.6.3: every packet of a connection tells the state of our buffer. */
static struct vsock_header make_header(const struct vsock_connection *connection,
                                       enum vsock_operation operation)
{
    return (struct vsock_header){
        .source_cid = own_cid(connection->vsock, connection->peer_cid),
        .destination_cid = connection->peer_cid,
        .source_port = connection->local_port,
        .destination_port = connection->peer_port,
        .type = connection->type,
        .operation = (uint16_t)operation,
        .flags = operation == VSOCK_OP_SHUTDOWN ? connection->local_shutdown : 0,
        .buffer_size = (uint32_t)connection->vsock->config.receive_buffer_size,
        .forward_count = connection->forwarded,
    };
}

void vsock_transmit_control(struct vsock_connection *connection, enum vsock_operation operation)
{
    connection->control |= 1u << operation;
    if (list_empty(&connection->sending))
        list_append(&connection->vsock->sending, &connection->sending);
}

void vsock_transmit_reset(struct vsock *vsock, const struct vsock_reset *reset)
{
    size_t last = (vsock->reset_first + vsock->reset_count) % VSOCK_RESETS_MAX;

    vsock->resets[last] = *reset; /* the receiving side stops before this overflows */
    vsock->reset_count++;
}

static bool flush_resets(struct vsock *vsock)
{
    while (vsock->reset_count > 0) {
        const struct vsock_reset *reset = &vsock->resets[vsock->reset_first];
        struct vsock_header header = {
            .source_cid = own_cid(vsock, reset->peer_cid),
            .destination_cid = reset->peer_cid,
            .source_port = reset->local_port,
            .destination_port = reset->peer_port,
            .type = reset->type,
            .operation = VSOCK_OP_RST,
        };
        if (!post_control(vsock, &header))
            return false;
        vsock->reset_first = (vsock->reset_first + 1) % VSOCK_RESETS_MAX;
        vsock->reset_count--;
    }
    return true;
}

/* One connection's packets, in an order that makes sense to the peer. */
static bool flush_connection(struct vsock_connection *connection)
{
    static const enum vsock_operation order[] = {
        VSOCK_OP_RST,           VSOCK_OP_REQUEST,        VSOCK_OP_RESPONSE,
        VSOCK_OP_CREDIT_UPDATE, VSOCK_OP_CREDIT_REQUEST, VSOCK_OP_SHUTDOWN,
    };

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if ((connection->control & 1u << order[i]) == 0)
            continue;
        struct vsock_header header = make_header(connection, order[i]);
        if (!post_control(connection->vsock, &header))
            return false;
        connection->forwarded_told = connection->forwarded;
        connection->control &= ~(1u << order[i]);
    }
    return true;
}

void vsock_transmit_flush(struct vsock *vsock)
{
    if (!vsock_transmit_has_room(vsock))
        (void)vsock_transmit_reclaim(vsock); /* vsock_poll reports a broken queue */
    if (!flush_resets(vsock))
        return;
    while (!list_empty(&vsock->sending)) {
        struct vsock_connection *connection =
            LIST_MEMBER(vsock->sending.next, struct vsock_connection, sending);
        if (!flush_connection(connection))
            return;
        list_remove(&connection->sending);
        vsock_connection_settle(connection);
    }
}

bool vsock_transmit_has_room(const struct vsock *vsock)
{
    return vsock->free_slot != NULL && vsock->transmit_memory < MEMORY_MAX && !vsock->starved &&
           !virtio_queue_broken(vsock->transmit_queue);
}

/* Finds memory for a packet of `size` bytes, or of fewer if there is not so much. Returns 0 when there is
 * none. */
static size_t allocate_packet(struct vsock *vsock, struct transmit_slot *slot, size_t size,
                              uint64_t *physical)
{
    const struct virtio_os *os = vsock->os;

    slot->memory = NULL;
    if (size > TRANSMIT_RESERVE || vsock->reserve_free == 0) {
        slot->memory = os->alloc_aligned(os->context, size, 64, physical);
        slot->reserve = 0;
    }
    if (slot->memory != NULL) {
        vsock->transmit_memory += size;
    } else if (vsock->reserve_free != 0) {
        unsigned index = (unsigned)__builtin_ctz(vsock->reserve_free);
        slot->memory = vsock->reserve + (size_t)index * TRANSMIT_RESERVE;
        *physical = vsock->reserve_physical + (uint64_t)index * TRANSMIT_RESERVE;
        slot->reserve = (uint8_t)(1u << index);
        vsock->reserve_free &= (uint8_t)~slot->reserve;
        size = size < TRANSMIT_RESERVE ? size : TRANSMIT_RESERVE;
    } else {
        vsock->starved = true; /* until the device returns what it has */
        return 0;
    }
    slot->size = size;
    return size;
}

size_t vsock_transmit_data(struct vsock_connection *connection, const uint8_t *data, size_t size, bool ends)
{
    struct vsock *vsock = connection->vsock;
    struct transmit_slot *slot = vsock->free_slot;
    struct vsock_header header = make_header(connection, VSOCK_OP_RW);
    uint64_t physical = 0;

    if (!vsock_transmit_has_room(vsock))
        return 0;
    size_t packet_size = sizeof(header) + size;
    packet_size =
        allocate_packet(vsock, slot, packet_size < TRANSMIT_SIZE ? packet_size : TRANSMIT_SIZE, &physical);
    if (packet_size == 0)
        return 0;

    header.length = (uint32_t)(packet_size - sizeof(header));
    if (ends && header.length == size)
        header.flags = VSOCK_SEQ_EOM;
    memcpy((uint8_t *)slot->memory + sizeof(header), data, header.length);
    if (!post(vsock, slot, physical, slot->memory, &header)) {
        free_packet(vsock, slot);
        return 0;
    }
    connection->forwarded_told = connection->forwarded;
    connection->sent += header.length;
    return header.length;
}

bool vsock_transmit_finish(struct vsock *vsock)
{
    struct virtio_queue *queue = vsock->transmit_queue;
    bool waits = !list_empty(&vsock->waiting) || !list_empty(&vsock->sending) || vsock->reset_count > 0;
    uint16_t in_flight = virtio_queue_chains_in_flight(queue);

    virtio_queue_kick(queue);
    if ((vsock->local_first != NULL && vsock->reset_count < VSOCK_RESETS_MAX) ||
        (!list_empty(&vsock->waiting) && vsock_transmit_has_room(vsock)))
        return false;
    if (in_flight == 0 || (!waits && vsock->transmit_memory <= MEMORY_IDLE)) {
        virtio_queue_disable_interrupt(queue);
        return true;
    }
    /* One interrupt for half of what is on its way, not one for each packet. */
    return virtio_queue_enable_interrupt(queue, (uint16_t)((in_flight + 1) / 2));
}
