/* SPDX-License-Identifier: MIT
 *
 * The host's end of a vsock device, and an owner for the guest's end that notes what it is told. What is sent
 * to the guest can be any bytes at all.
 */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H

#include <virtio/vsock.h>

#include "fake_os.h"
#include "fake_pci.h"
#include "vsock/private.h"

#define GUEST_CID  5
#define GUEST_PORT 5000
#define HOST_PORT  1024
#define PEER_SIZE  65536 /* buf_alloc that the fake host tells by default */

struct packet {
    struct vsock_header header;
    uint8_t payload[TRANSMIT_SIZE];
};

struct noted {
    enum vsock_event event;
    struct vsock_connection *connection;
};

struct host {
    struct fake_function *function;
    struct vsock *vsock;
    unsigned wakes; /* since the last poll */
    unsigned polls;
    struct noted events[4096];
    size_t event_count;
    /* Called with each event, after it was noted. */
    void (*on_event)(enum vsock_event event, struct vsock_connection *connection);
    struct vsock_connection *last; /* of the last ACCEPTED */
    /* Of the guest's configuration, for host_create. */
    bool (*accept)(void *context, uint64_t cid, uint32_t peer_port, uint32_t local_port);
};
extern struct host host;

/* What a test starts from: a device at 00:03.0, not created yet. */
void host_prepare(void);
int host_create(size_t connections_max, size_t receive_buffer_size);
/* Both, with 64 connections of 64 KiB, listening on GUEST_PORT. */
void host_start(void);
/* Destroys the guest's end and checks that all memory came back. */
void host_stop(void);

/* Polls while the guest was woken. Returns the last result of vsock_poll. */
int host_pump(void);

/* A packet to the guest from HOST_PORT to GUEST_PORT. */
struct vsock_header host_header(uint16_t operation);
/* Puts a packet into the guest's next receive buffer; `used` is the length that the device reports. */
void host_send_raw(const void *bytes, size_t size, uint32_t used);
void host_send(const struct vsock_header *header, const void *payload);
/* Both, and polls. */
void host_exchange(const struct vsock_header *header, const void *payload);
void host_event(uint32_t id);

/* Takes the next packet that the guest sent. */
bool host_take(struct packet *packet);
/* Takes all, and returns how many. */
size_t host_drain(void);
/* Takes one that must be there, with this operation and from a host's port's point of view. */
struct packet host_expect(uint16_t operation, uint32_t host_port);
void host_expect_nothing(void);

/* A connection from `host_port`, accepted; the handshake is done. */
struct vsock_connection *host_connect(uint32_t host_port);
size_t host_count(enum vsock_event event, const struct vsock_connection *connection);
void host_forget_events(void);
/* CID, ports: a new connection works. */
void host_check_service(uint32_t host_port);

#endif
