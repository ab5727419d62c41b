/* SPDX-License-Identifier: MIT
 *
 * The host's end of a virtio-console device with several ports, as QEMU's virtio-serial behaves, and an owner
 * for the guest's end that notes what it is told. What is sent to the guest can be any bytes at all.
 */
#ifndef FAKE_SERIAL_H
#define FAKE_SERIAL_H

#include <virtio/console.h>

#include "console/private.h"
#include "fake_mmio.h"
#include "fake_os.h"

#define SERIAL_PORT 1 /* the one that is ours */
#define SERIAL_NAME "mcp.0"

struct serial_noted {
    enum virtio_console_event event;
    struct virtio_console_connection *connection;
};

struct serial {
    struct virtio_console *console;
    unsigned wakes; /* since the last poll */
    struct serial_noted events[1024];
    size_t event_count;
    void (*on_event)(enum virtio_console_event event, struct virtio_console_connection *connection);
    struct virtio_console_connection *last; /* of the last OPENED */

    /* QEMU's side. */
    bool quiet;           /* it does not answer messages by itself */
    bool host_connected;  /* a client is there */
    bool guest_connected; /* the guest has said PORT_OPEN 1 */
    bool throttled;       /* the client does not read */
    bool holds;           /* a chain that it has begun to send, */
    struct fake_chain held;
    const char *name;     /* of port 1 */
    unsigned messages[8]; /* from the guest, by event */
    size_t dropped;       /* messages for which there was no buffer */
};
extern struct serial serial;

void serial_prepare(void);
int serial_create(void);
/* Both; the port is found. */
void serial_start(void);
/* Destroys the guest's end and checks that all memory came back. */
void serial_stop(void);

/* Interrupts where they are wanted, polls while woken, and answers the guest's messages. Returns the last
 * result of virtio_console_poll. */
int serial_pump(void);

/* Puts a message, or any bytes, into the guest's next control buffer; `used` is the length that the device
 * reports. Counted in `dropped` where there is no buffer. */
void serial_control(uint32_t port, uint16_t event, uint16_t value);
void serial_control_raw(const void *bytes, size_t size, uint32_t used);
void serial_port_name(uint32_t port, const char *name, size_t size);

/* What QEMU does when a client connects, or is gone. */
void serial_open(void);
void serial_close(void);
/* A client's bytes. Returns false when QEMU would not read them now. */
bool serial_write(const void *bytes, size_t size);
/* Sends on what the guest has written to its client. Returns how much; SIZE_MAX bytes at most. */
size_t serial_read(void *bytes, size_t size);
/* The client reads no more than `size` bytes of the next chain. */
void serial_throttle(void);

size_t serial_count(enum virtio_console_event event, const struct virtio_console_connection *connection);
/* What can be taken must be this, all of it. */
void serial_expect(struct virtio_console_connection *connection, const char *text);
void serial_expect_error(struct virtio_console_connection *connection, int error);
/* A new client is served, from beginning to end. */
void serial_check_service(void);

#endif
