/* SPDX-License-Identifier: MIT
 *
 * Connections: whose the received bytes are, and bytes on their way out.
 */
#include <errno.h>
#include <string.h>

#include "console/private.h"
#include "log.h"
#include "queue_private.h"

/* Rounds of one look: the host must not hold the CPU. */
#define LOOK_BUDGET 4

/* ---- life ---- */

static void notify(struct virtio_console_connection *connection, enum virtio_console_event event)
{
    if (connection->owned)
        connection->events |= 1u << event;
}

/* Section 5.3.6.2: PORT_OPEN 1. */
void console_connection_begin(struct virtio_console *console)
{
    struct virtio_console_connection *connection = NULL;

    if (console->current != NULL || console->unserved)
        return; /* the answer to PORT_READY repeats it */
    for (size_t i = 0; i < 2; i++) {
        if (console->connections[i].state == CONNECTION_FREE)
            connection = &console->connections[i];
    }
    console->unserved = connection == NULL; /* until the owner closes one that has ended */
    if (connection == NULL)
        return;
    connection->console = console;
    connection->context = NULL;
    connection->state = CONNECTION_OPEN;
    connection->owned = true;
    connection->waits = false;
    connection->events = 0;
    connection->begin = connection->end = 0;
    console->current = connection;
    console->statistics.opened++;
    notify(connection, VIRTIO_CONSOLE_OPENED);
}

static void discard_received(struct virtio_console *console)
{
    console->statistics.bytes_discarded += console->received;
    console->received = 0;
    console->received_early = false;
    console->receiver = NULL;
}

/* PORT_OPEN 0. */
void console_connection_end(struct virtio_console *console)
{
    struct virtio_console_connection *connection = console->current;

    if (connection != NULL || console->unserved)
        console->ended = true;
    if (console->unserved) {
        console->unserved = false;
        console->last = NULL; /* that was an earlier one */
        if (console->received_early)
            discard_received(console);
    }
    if (connection == NULL)
        return;
    console->current = NULL;
    connection->state = connection->owned ? CONNECTION_ENDED : CONNECTION_FREE;
    connection->waits = false;
    console->last = connection->owned ? connection : NULL;
    notify(connection, VIRTIO_CONSOLE_CLOSED);
}

void virtio_console_close(struct virtio_console_connection *connection)
{
    struct virtio_console *console = connection->console;

    connection->owned = false;
    connection->waits = false;
    connection->events = 0;
    connection->begin = connection->end = 0; /* what comes is discarded */
    if (console->receiver == connection)
        discard_received(console);
    if (connection->state == CONNECTION_ENDED) {
        connection->state = CONNECTION_FREE;
        if (console->last == connection)
            console->last = NULL;
        if (console->unserved) {
            console->unserved = false;
            console_connection_begin(console);
        }
    }
    console_finish_call(console);
}

/* ---- bytes in ---- */

/* Also while its reader is behind: QEMU 7.2, writing to a client that is gone, leaves the port shut for the
 * next one when it has no buffer to read with. */
int console_post_receive(struct virtio_console *console)
{
    if (console->port == CONSOLE_NO_PORT || console->posted || console->received > 0)
        return 0;
    memset(console->shared->mark, 0, CONSOLE_MARK_SIZE);
    int error = console_offer(console, console->ports[console->port].receive, console->shared->received,
                              CONSOLE_RECEIVE_SIZE);
    console->posted = error == 0;
    return error;
}

/* Takes the buffer back, if the device has filled it. Returns 1 if so, 0, or -EIO. */
static int take_received(struct virtio_console *console)
{
    void *token = NULL;
    uint32_t written = 0;

    if (!console->posted)
        return 0;
    int result = virtio_queue_take(console->ports[console->port_before].receive, &token, &written);
    if (result < 0)
        return result;
    if (result == 0) { /* what comes will be later than all messages that we have seen */
        console->ended = console->interfered = false;
        return 0;
    }
    memcpy(console->mark, console->shared->mark, CONSOLE_MARK_SIZE);
    console->posted = false;
    console->received = written; /* checked by the queue against the buffer's size */
    if (written == 0)
        console_malformed(console, "a buffer without a byte", console->port_before, 0, 0);
    return 1;
}

/* Whether a message was written after the data, over the mark: then the data is damaged, and of one who had
 * been reset before we looked. */
static bool is_overwritten(const struct virtio_console *console)
{
    static const uint8_t zeros[CONSOLE_MARK_SIZE];
    const size_t whole = CONSOLE_MARK_OFFSET + CONSOLE_MARK_SIZE;

    if (!console->interfered || console->received <= CONSOLE_MARK_OFFSET)
        return false;
    /* Of a frame's header, so few bytes can be zeros themselves: then they are the next one's. */
    if (console->received < whole && console->current != NULL)
        return false;
    size_t size = (console->received < whole ? console->received : whole) - CONSOLE_MARK_OFFSET;
    return memcmp(console->mark, zeros, size) == 0;
}

/* Gives its receiver what was received, when he has read what came before. */
static void hand_over(struct virtio_console *console)
{
    struct virtio_console_connection *receiver = console->receiver;

    if (receiver == NULL || receiver->begin < receiver->end)
        return;
    receiver->begin = 0;
    receiver->end = console->received;
    memcpy(receiver->bytes, console->shared->received, console->received);
    memcpy(receiver->bytes + CONSOLE_MARK_OFFSET, console->mark, CONSOLE_MARK_SIZE);
    console->statistics.bytes_received += console->received;
    console->received = 0;
    console->receiver = NULL;
    notify(receiver, VIRTIO_CONSOLE_READABLE);
}

/* Finds out whom what was received is from. */
static void place_received(struct virtio_console *console)
{
    struct virtio_console_connection *owner = console->current;

    if (console->received == 0 || console->receiver != NULL)
        return;
    if (!console->received_early && is_overwritten(console)) {
        discard_received(console);
        /* Another port's message may have done it to one who is still there: no reader gets less than all. */
        if (!console->ended) {
            console_connection_end(console);
            console->last = NULL;
        }
        return;
    }
    if (owner == NULL && (console->unserved || console->asked || console->received_early)) {
        console->received_early = true; /* it is of the one whose OPENED is still to come */
        return;
    }
    if (owner == NULL)
        owner = console->last; /* the end was seen after its last bytes came */
    if (owner == NULL || !owner->owned) {
        discard_received(console);
        return;
    }
    console->received_early = false;
    console->receiver = owner;
    hand_over(console);
}

int64_t virtio_console_peek(const struct virtio_console_connection *connection, const void **bytes)
{
    if (connection->begin == connection->end)
        return connection->state == CONNECTION_OPEN && !connection->console->broken ? -EAGAIN : -ECONNRESET;
    *bytes = connection->bytes + connection->begin;
    return (int64_t)(connection->end - connection->begin);
}

void virtio_console_take(struct virtio_console_connection *connection, size_t size)
{
    connection->begin += size;
    if (connection->begin < connection->end)
        return;
    if (connection->console->receiver == connection)
        hand_over(connection->console);
    console_finish_call(connection->console);
}

/* ---- bytes out ---- */

/* Takes back what the device has sent. Returns 0 or -EIO. */
static int reclaim(struct virtio_console *console)
{
    void *token = NULL;
    uint32_t written = 0;
    int result = 0;

    if (console->port_before == CONSOLE_NO_PORT)
        return 0;
    struct virtio_queue *queue = console->ports[console->port_before].transmit;
    while ((result = virtio_queue_take(queue, &token, &written)) > 0) {
        uint32_t slot = (uint32_t)((uint8_t *)token - console->transmit) / TRANSMIT_SIZE;
        /* A device sends a stream in order. QEMU never gives back the one that it had begun to send when its
         * reader left, so those before this one are lost. */
        while (console->transmit_first != slot) {
            (void)virtio_queue_drop(queue,
                                    console->transmit + (size_t)console->transmit_first * TRANSMIT_SIZE);
            console->statistics.chains_lost++;
            console->transmit_first = (console->transmit_first + 1) % TRANSMIT_SLOTS;
            console->transmit_count--;
        }
        console->transmit_first = (slot + 1) % TRANSMIT_SLOTS;
        console->transmit_count--;
    }
    if (console->transmit_count < TRANSMIT_SLOTS && virtio_queue_free_descriptors(queue) > 0 &&
        console->current != NULL && console->current->waits) {
        console->current->waits = false;
        notify(console->current, VIRTIO_CONSOLE_WRITABLE);
    }
    return result;
}

static size_t send_slot(struct virtio_console *console, const uint8_t *bytes, size_t size)
{
    if (console->transmit_count == TRANSMIT_SLOTS)
        return 0;
    uint32_t slot = (console->transmit_first + console->transmit_count) % TRANSMIT_SLOTS;
    uint8_t *memory = console->transmit + (size_t)slot * TRANSMIT_SIZE;
    struct virtio_buffer buffer = {
        .physical = console->transmit_physical + (uint64_t)slot * TRANSMIT_SIZE,
        .size = (uint32_t)(size < TRANSMIT_SIZE ? size : TRANSMIT_SIZE),
    };

    memcpy(memory, bytes, buffer.size);
    if (virtio_queue_add(console->ports[console->port].transmit, &buffer, 1, NULL, 0, memory) != 0)
        return 0; /* virtio_console_poll reports a broken queue */
    console->transmit_count++;
    console->statistics.bytes_sent += buffer.size;
    return buffer.size;
}

int64_t virtio_console_send(struct virtio_console_connection *connection, const void *buffer, size_t size)
{
    struct virtio_console *console = connection->console;
    size_t sent = 0;
    size_t part = 0;

    /* Not to the next one: whether it has left is looked at right before. */
    if (connection->state == CONNECTION_OPEN && !console->broken && console_look(console) != 0)
        console_break(console);
    if (connection->state == CONNECTION_OPEN && !console->broken) {
        while (sent < size && (part = send_slot(console, (const uint8_t *)buffer + sent, size - sent)) > 0)
            sent += part;
        connection->waits = sent < size;
    }
    bool gone = connection->state != CONNECTION_OPEN || console->broken;
    console_finish_call(console);
    return gone ? -ECONNRESET : (int64_t)sent;
}

/* ---- both ---- */

/* Data before messages, until there are none: what lies here when no end and no beginning has
 * been announced is of the connection that we know. */
int console_look(struct virtio_console *console)
{
    int messages = 1;

    for (unsigned round = 0; round < LOOK_BUDGET && messages > 0; round++) {
        int data = take_received(console);
        messages = data < 0 ? data : console_control_receive(console);
        if (messages < 0)
            return messages;
        place_received(console);
    }
    return reclaim(console);
}

bool console_has_events(const struct virtio_console *console)
{
    return (console->connections[0].events | console->connections[1].events) != 0;
}

/* The connection whose events come first: the older one. */
static struct virtio_console_connection *eventful(struct virtio_console *console)
{
    struct virtio_console_connection *newer = console->current != NULL ? console->current : console->last;
    struct virtio_console_connection *found = NULL;

    for (size_t i = 0; i < 2; i++) {
        struct virtio_console_connection *connection = &console->connections[i];
        if (connection->events != 0 && (found == NULL || found == newer))
            found = connection;
    }
    return found;
}

void console_deliver(struct virtio_console *console)
{
    struct virtio_console_connection *connection = NULL;

    /* One at a time, as the owner may do anything meanwhile. */
    while ((connection = eventful(console)) != NULL) {
        enum virtio_console_event event = VIRTIO_CONSOLE_OPENED;
        while ((connection->events & 1u << event) == 0)
            event++;
        connection->events &= ~(1u << event);
        console->config.event(console->config.context, event, connection);
    }
}

void virtio_console_set_context(struct virtio_console_connection *connection, void *context)
{
    connection->context = context;
}

void *virtio_console_get_context(const struct virtio_console_connection *connection)
{
    return connection->context;
}
