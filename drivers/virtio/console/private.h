/* SPDX-License-Identifier: MIT
 *
 * What the files of the console driver share.
 *
 *   device.c      queues, memory, the poll loop
 *   control.c     messages of the control queues: which ports there are, who is connected
 *   connection.c  the connections' life, bytes in and out, the public calls
 */
#ifndef VIRTIO_CONSOLE_PRIVATE_H
#define VIRTIO_CONSOLE_PRIVATE_H

#include <stdbool.h>

#include <virtio/console.h>
#include <virtio/queue.h>

/* Section 5.3.6.2 */
struct console_control {
    uint32_t port;
    uint16_t event;
    uint16_t value;
};
_Static_assert(sizeof(struct console_control) == 8, "virtio 1.2, 5.3.6.2");
_Static_assert(offsetof(struct console_control, event) == 4, "virtio 1.2, 5.3.6.2");
_Static_assert(offsetof(struct console_control, value) == 6, "virtio 1.2, 5.3.6.2");

enum console_control_event {
    CONSOLE_DEVICE_READY = 0,
    CONSOLE_PORT_ADD = 1,
    CONSOLE_PORT_REMOVE = 2,
    CONSOLE_PORT_READY = 3,
    CONSOLE_CONSOLE_PORT = 4,
    CONSOLE_RESIZE = 5,
    CONSOLE_PORT_OPEN = 6,
    CONSOLE_PORT_NAME = 7,
};

#define CONSOLE_PORTS_MAX 7 /* looked at: with the control queues, what 16 queues have room for */
#define CONSOLE_NO_PORT   UINT32_MAX

#define CONTROL_BUFFERS      32  /* what QEMU's queue has entries: without a buffer it drops the message */
#define CONTROL_SIZE         128 /* a message, and a port's name of up to 119 bytes */
#define CONTROL_SLOTS        8
#define CONSOLE_RECEIVE_SIZE 4096 /* what QEMU reads from a socket at a time */
#define TRANSMIT_SLOTS       16
#define TRANSMIT_SIZE        4096

/* Shared with the device.
 *
 * The standard does not order a port's data with PORT_OPEN, but the order decides whose the data is. So bytes
 * 1 to 3 of every message and of received data lie in one place, the mark: what is there was written last. In
 * a message they are the upper part of a port's number, 0; in text and in frames they are not all 0. (A
 * device does not care how the bytes of a chain are arranged: section 2.7.4.)
 */
#define CONSOLE_MARK_OFFSET 1
#define CONSOLE_MARK_SIZE   3
#define CONSOLE_CHAIN_COUNT 3 /* buffers: before it, the mark, behind it */
struct console_shared {
    uint8_t mark[CONSOLE_MARK_SIZE];
    uint8_t control_in[CONTROL_BUFFERS][CONTROL_SIZE];
    uint8_t received[CONSOLE_RECEIVE_SIZE];
    struct console_control control_out[CONTROL_SLOTS];
};

enum connection_state {
    CONNECTION_FREE,
    CONNECTION_OPEN,
    CONNECTION_ENDED, /* kept for its owner */
};

struct virtio_console_connection {
    struct virtio_console *console;
    void *context;
    enum connection_state state;
    bool owned;        /* the owner has the handle, or will be told of it */
    bool waits;        /* a send stopped short */
    uint32_t events;   /* 1 << enum virtio_console_event: to be delivered */
    size_t begin, end; /* of the unread bytes */
    uint8_t bytes[CONSOLE_RECEIVE_SIZE];
};

struct virtio_console {
    struct virtio_device *device;
    const struct virtio_os *os;
    struct virtio_console_config config;
    bool polling; /* within virtio_console_poll: it kicks, arms and wakes at its end */
    bool broken;
    bool config_changed; /* set in interrupt context */

    struct virtio_queue *control_receive, *control_transmit;
    struct port_queues {
        struct virtio_queue *receive, *transmit;
    } ports[CONSOLE_PORTS_MAX];
    uint32_t port_count; /* that have queues here */
    uint32_t port_max;   /* max_nr_ports */
    struct console_shared *shared;
    uint64_t shared_physical;

    /* control.c */
    uint32_t added;      /* ports, as bits */
    bool told_of_others; /* the log was, that there are more ports than we look at */
    uint32_t ready_due;  /* PORT_READY is to be sent for these */
    bool device_ready_due, open_due;
    bool control_busy[CONTROL_SLOTS];
    int control_buffers;  /* that the device has when it has sent nothing */
    uint32_t port;        /* ours, or CONSOLE_NO_PORT */
    uint32_t port_before; /* the one that the buffers below are for, or CONSOLE_NO_PORT */
    bool asked;           /* PORT_OPEN means nothing until PORT_NAME has come */

    /* connection.c. A new connection may begin while the owner has not closed the one before. */
    struct virtio_console_connection connections[2];
    struct virtio_console_connection *current; /* the open one */
    struct virtio_console_connection *last;    /* the one that ended last, if its owner still has it */
    bool unserved;                             /* one is open for the host, and waits for a place here */
    uint8_t mark[CONSOLE_MARK_SIZE];           /* as it was when the buffer was taken */
    /* Messages since the receive buffer was last seen empty: an end, any but a beginning. */
    bool ended, interfered;
    bool posted;                                /* the device has the receive buffer */
    size_t received;                            /* bytes in it that are to be copied */
    bool received_early;                        /* they are of the next connection that opens */
    struct virtio_console_connection *receiver; /* whose they are, while there is no room for them */

    uint8_t *transmit; /* TRANSMIT_SLOTS of them, filled in turn */
    uint64_t transmit_physical;
    uint32_t transmit_first, transmit_count; /* that the device has */

    struct virtio_console_statistics statistics;
};

/* control.c */
/* Gives the device its buffers for messages. Returns 0 or a negative errno. */
int console_control_post(struct virtio_console *console);
/* Handles the messages that are there. Returns how many, or a negative errno. */
int console_control_receive(struct virtio_console *console);
/* Sends what is due, as far as there is room. Returns 0 or -EIO. */
int console_control_flush(struct virtio_console *console);
bool console_control_waits(const struct virtio_console *console);
/* Counts a message or a length that breaks the standard. */
void console_malformed(struct virtio_console *console, const char *reason, uint32_t port, unsigned event,
                       unsigned value);

/* connection.c */
void console_connection_begin(struct virtio_console *console);
void console_connection_end(struct virtio_console *console);
/* Sees what the device has done. Returns 0 or -EIO. */
int console_look(struct virtio_console *console);
/* Offers the receive buffer again, when what came in it has been read. Returns 0 or -EIO. */
int console_post_receive(struct virtio_console *console);
/* Tells the owner what has happened. */
void console_deliver(struct virtio_console *console);
bool console_has_events(const struct virtio_console *console);

/* device.c */
/* Offers `size` bytes of `memory` in the shared part, less those for which the mark stands. Returns what
 * virtio_queue_add does. */
int console_offer(struct virtio_console *console, struct virtio_queue *queue, uint8_t *memory, size_t size);
/* virtio_console_poll says -EIO from here on. */
void console_break(struct virtio_console *console);
/* At the end of a public call that may have changed something. */
void console_finish_call(struct virtio_console *console);

#endif
