/* SPDX-License-Identifier: MIT
 *
 * Messages of the control queues: virtio 1.2, section 5.3.6.2. The host may have written anything.
 */
#include <errno.h>
#include <string.h>

#include "console/private.h"
#include "log.h"

/* A flood of nonsense must not become a flood of log lines: the first, the second, the fourth... are logged.
 */
void console_malformed(struct virtio_console *console, const char *reason, uint32_t port, unsigned event,
                       unsigned value)
{
    uint64_t count = ++console->statistics.malformed;

    if ((count & (count - 1)) == 0)
        virtio_log(console->os, VIRTIO_LOG_WARNING, virtio_device_name(console->device),
                   "console: %s: port %u, event %u, value %u (%llu malformed messages so far)", reason, port,
                   event, value, (unsigned long long)count);
}

/* ---- to the device ---- */

/* Returns 1 when it is sent, 0 when there is no room, or -EIO. */
static int send_message(struct virtio_console *console, uint32_t port, uint16_t event)
{
    size_t slot = 0;

    while (slot < CONTROL_SLOTS && console->control_busy[slot])
        slot++;
    if (slot == CONTROL_SLOTS)
        return 0;
    struct console_control *message = &console->shared->control_out[slot];
    struct virtio_buffer buffer = {
        .physical =
            console->shared_physical + offsetof(struct console_shared, control_out) + slot * sizeof(*message),
        .size = sizeof(*message),
    };
    *message = (struct console_control){.port = port, .event = event, .value = 1};
    int error = virtio_queue_add(console->control_transmit, &buffer, 1, NULL, 0, message);
    if (error != 0)
        return error == -ENOSPC ? 0 : error;
    console->control_busy[slot] = true;
    return 1;
}

static int reclaim(struct virtio_console *console)
{
    void *token = NULL;
    uint32_t written = 0;
    int result = 0;

    while ((result = virtio_queue_take(console->control_transmit, &token, &written)) > 0)
        console->control_busy[(struct console_control *)token - console->shared->control_out] = false;
    return result;
}

bool console_control_waits(const struct virtio_console *console)
{
    return console->device_ready_due || console->ready_due != 0 || console->open_due;
}

int console_control_flush(struct virtio_console *console)
{
    int result = reclaim(console);

    if (result == 0 && console->device_ready_due) {
        result = send_message(console, 0, CONSOLE_DEVICE_READY);
        console->device_ready_due = result == 0;
    }
    for (uint32_t port = 0; result >= 0 && port < console->port_count; port++) {
        if ((console->ready_due & 1u << port) == 0)
            continue;
        result = send_message(console, port, CONSOLE_PORT_READY);
        if (result > 0)
            console->ready_due &= ~(1u << port);
    }
    if (result >= 0 && console->open_due) {
        result = send_message(console, console->port, CONSOLE_PORT_OPEN);
        console->open_due = result == 0;
    }
    return result < 0 ? result : 0;
}

/* ---- from the device ---- */

int console_control_post(struct virtio_console *console)
{
    int error = 0;

    for (size_t i = 0; error == 0 && i < CONTROL_BUFFERS; i++)
        error =
            console_offer(console, console->control_receive, console->shared->control_in[i], CONTROL_SIZE);
    console->control_buffers = virtio_queue_chains_in_flight(console->control_receive);
    /* Without indirect descriptors the ring has no room for all. */
    return error == -ENOSPC && console->control_buffers > 0 ? 0 : error;
}

/* Our port is found. Its number is another one only when it was plugged in anew: then the device still has
 * buffers in the queues of the old one. */
static int adopt(struct virtio_console *console, uint32_t port)
{
    if (console->port_before != CONSOLE_NO_PORT && console->port_before != port) {
        virtio_log(console->os, VIRTIO_LOG_ERROR, virtio_device_name(console->device),
                   "console: port '%s' has moved from %u to %u", console->config.port, console->port_before,
                   port);
        return -EIO;
    }
    if (console->port != port) {
        virtio_log(console->os, VIRTIO_LOG_INFO, virtio_device_name(console->device),
                   "console: port %u is '%s'", port, console->config.port);
        console->port = console->port_before = port;
        console->open_due = true;
    }
    console->asked = false;
    return 0;
}

static int handle_name(struct virtio_console *console, uint32_t port, const char *name, size_t size)
{
    /* QEMU ends it with a NUL, the standard does not. */
    if (size > 0 && name[size - 1] == '\0')
        size--;
    if (size == strlen(console->config.port) && memcmp(name, console->config.port, size) == 0 &&
        (console->port == CONSOLE_NO_PORT || console->port == port))
        return adopt(console, port);
    virtio_log(console->os, VIRTIO_LOG_DEBUG, virtio_device_name(console->device),
               "console: port %u is not '%s'", port, console->config.port);
    return 0;
}

static void remove_port(struct virtio_console *console, uint32_t port)
{
    console->added &= ~(1u << port);
    console->ready_due &= ~(1u << port);
    if (port != console->port)
        return;
    virtio_log(console->os, VIRTIO_LOG_WARNING, virtio_device_name(console->device),
               "console: port %u, '%s', was removed", port, console->config.port);
    console_connection_end(console);
    console->port = CONSOLE_NO_PORT;
    console->open_due = false;
    console->asked = true;
}

/* `bytes` are a private copy. */
static int handle(struct virtio_console *console, const uint8_t *bytes, size_t size)
{
    struct console_control message;

    if (size < sizeof(message)) {
        console->interfered = true;
        console_malformed(console, "a short message", 0, 0, (unsigned)size);
        return 0;
    }
    memcpy(&message, bytes, sizeof(message));
    /* Data before its beginning there is none. */
    if (message.port != console->port || message.event != CONSOLE_PORT_OPEN || message.value != 1)
        console->interfered = true;
    if (message.port >= console->port_count) {
        if (message.port >= console->port_max)
            console_malformed(console, "no such port", message.port, message.event, message.value);
        else if (message.event == CONSOLE_PORT_ADD && !console->told_of_others) {
            console->told_of_others = true;
            virtio_log(console->os, VIRTIO_LOG_INFO, virtio_device_name(console->device),
                       "console: ports from %u on are not looked at", console->port_count);
        }
        return 0;
    }

    uint32_t bit = 1u << message.port;
    bool added = (console->added & bit) != 0;
    if (added == (message.event == CONSOLE_PORT_ADD)) {
        console_malformed(console, added ? "a port added twice" : "a port that was not added", message.port,
                          message.event, message.value);
        return 0;
    }
    switch (message.event) {
    case CONSOLE_PORT_ADD:
        console->added |= bit;
        console->ready_due |= bit; /* asks for its name, and whether it is open */
        return 0;
    case CONSOLE_PORT_REMOVE:
        remove_port(console, message.port);
        return 0;
    case CONSOLE_PORT_NAME:
        return handle_name(console, message.port, (const char *)bytes + sizeof(message),
                           size - sizeof(message));
    case CONSOLE_PORT_OPEN:
        if (message.value > 1)
            console_malformed(console, "neither open nor closed", message.port, message.event, message.value);
        else if (message.port != console->port || console->asked)
            return 0;
        else if (message.value == 1)
            console_connection_begin(console);
        else
            console_connection_end(console);
        return 0;
    case CONSOLE_CONSOLE_PORT: /* for a console's driver */
    case CONSOLE_RESIZE:
        return 0;
    default:
        console_malformed(console, "no such event", message.port, message.event, message.value);
        return 0;
    }
}

int console_control_receive(struct virtio_console *console)
{
    uint8_t bytes[CONTROL_SIZE];
    void *token = NULL;
    uint32_t written = 0;
    int count = 0;
    int result = 0;

    while (count < CONTROL_BUFFERS &&
           (result = virtio_queue_take(console->control_receive, &token, &written)) > 0) {
        memcpy(bytes, token, written); /* the queue has checked the length */
        memset(bytes + CONSOLE_MARK_OFFSET, 0, CONSOLE_MARK_SIZE);
        result = console_offer(console, console->control_receive, token, CONTROL_SIZE);
        if (result == 0)
            result = handle(console, bytes, written);
        if (result != 0)
            return result;
        count++;
    }
    if (result < 0)
        return result;
    /* All buffers were used: QEMU drops messages for which there is none. Ask again. */
    if (count == console->control_buffers && console->port != CONSOLE_NO_PORT) {
        console->statistics.resyncs++;
        console_connection_end(console);
        console->asked = true;
        console->ready_due |= 1u << console->port;
    }
    return count;
}
