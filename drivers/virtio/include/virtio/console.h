/* SPDX-License-Identifier: MIT
 *
 * A stream to the host over one port of a virtio-console device (virtio 1.2, section 5.3, with
 * VIRTIO_CONSOLE_F_MULTIPORT), which QEMU calls virtio-serial and joins to a TCP or Unix socket.
 *
 * One program of the host at a time: its connection lasts from the device's PORT_OPEN 1 to PORT_OPEN 0.
 * Nothing here blocks. The owner calls virtio_console_poll after the `wake` hook fired and receives events;
 * between polls it reads and writes. Single-threaded: one task owns a console, and none of these calls may be
 * made in interrupt context.
 *
 * Ownership: a connection exists from its OPENED until the owner calls virtio_console_close on it, whatever
 * the host does meanwhile. The host may lie in every field: messages that make no sense are counted, logged
 * and ignored.
 *
 * Whose the bytes are. The standard does not order a port's data with PORT_OPEN, and a program of the host
 * may be gone, and the next one have spoken, before the guest looks. Of an honest device, no byte that one
 * has sent reaches the next one's connection: the driver offers one buffer at a time, and sees whether its
 * data or a message was written last (console/private.h; it takes data to be text or frames: where bytes 1 to
 * 3 of a buffer are all zeros, or there are fewer than four, a reset connection's may be taken for its
 * successor's). What was sent right before a connection is reset (RST) may be lost, as in TCP; what was sent
 * before an orderly end is not. In the other direction, the guest looks right before it sends; the few
 * instructions until the device has it cannot be guarded.
 */
#ifndef VIRTIO_CONSOLE_H
#define VIRTIO_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

#include <virtio/device.h>

struct virtio_console;
struct virtio_console_connection;

enum virtio_console_event {
    VIRTIO_CONSOLE_OPENED,   /* a program of the host is there; virtio_console_set_context may be called */
    VIRTIO_CONSOLE_READABLE, /* bytes can be taken */
    VIRTIO_CONSOLE_WRITABLE, /* a send that returned less than asked may go on */
    VIRTIO_CONSOLE_CLOSED, /* it has gone: reads return what is left, then -ECONNRESET; writes fail. Close it.
                            */
};

struct virtio_console_config {
    const char *port; /* the name of the port, as QEMU's virtserialport,name= has it; it stays the caller's
                         and must remain */
    /* Called from virtio_console_poll. It may call anything here but virtio_console_poll and
     * virtio_console_destroy. */
    void (*event)(void *context, enum virtio_console_event event,
                  struct virtio_console_connection *connection);
    /* Call virtio_console_poll soon. In interrupt context (so it keeps to VIRTIO_INTERRUPT_CODE), and from
     * within calls here. */
    void (*wake)(void *context);
    void *context;
};

/* Takes the device over (also on failure, when it is destroyed). Allocates all that it will ever need, and
 * calls `wake`: the first poll begins the search for the port, which may also appear later. Returns 0;
 * -EINVAL for a device of another kind, or with rings of fewer than 4 entries; -ENODEV for one without
 * VIRTIO_CONSOLE_F_MULTIPORT (logged, with what QEMU lacks); -ENOENT, -EIO, -EAGAIN as <virtio/device.h> has
 * them; -ENOMEM. */
int virtio_console_create(struct virtio_device *device, const struct virtio_console_config *config,
                          struct virtio_console **console);
/* Resets the device and frees everything: handles of connections are invalid. */
void virtio_console_destroy(struct virtio_console *console);

/* Handles what the device has done and delivers events. Its work is bounded: under a flood it calls `wake`
 * and returns, so that other tasks run. Returns 0, or -EIO when the device is broken (then destroy it), as it
 * is for this driver when the named port has moved to another number. */
int virtio_console_poll(struct virtio_console *console);

/* Sets *bytes to what was received and not taken, and returns how many; -EAGAIN when there are none yet,
 * -ECONNRESET when there will be none. They stay where they are until virtio_console_take or _close. At
 * most 8 KiB wait here; the device sends no more until they are taken. */
int64_t virtio_console_peek(const struct virtio_console_connection *connection, const void **bytes);
/* Takes `size` bytes, at most what virtio_console_peek returned, off the front. */
void virtio_console_take(struct virtio_console_connection *connection, size_t size);

/* Queues at most `size` bytes, as far as there is room: 64 KiB for what the device has not taken yet. Returns
 * how many (0 to size), or -ECONNRESET. After fewer than `size`, WRITABLE follows. */
int64_t virtio_console_send(struct virtio_console_connection *connection, const void *buffer, size_t size);

/* Lets go of the connection: the handle is invalid at once. The guest has no means to end it for the host:
 * what the program still sends is discarded until it leaves. What was sent to it is still delivered if it
 * stays, and discarded by the device when it leaves. */
void virtio_console_close(struct virtio_console_connection *connection);

void virtio_console_set_context(struct virtio_console_connection *connection, void *context);
void *virtio_console_get_context(const struct virtio_console_connection *connection);

struct virtio_console_statistics {
    uint64_t opened; /* connections, ever */
    uint64_t bytes_received, bytes_sent;
    uint64_t bytes_discarded; /* received, and of nobody who could have been told */
    uint64_t malformed;       /* messages that broke the standard */
    uint64_t chains_lost;     /* that the device began to send and never gave back */
    uint64_t resyncs;         /* times that the device may have dropped messages, and was asked again */
};
void virtio_console_get_statistics(const struct virtio_console *console,
                                   struct virtio_console_statistics *statistics);

#endif
