/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_host.h"

struct host host;

static void on_wake(void *context)
{
    assert_ptr_equal(context, &host);
    host.wakes++;
}

static void on_event(void *context, enum vsock_event event, struct vsock_connection *connection)
{
    assert_ptr_equal(context, &host);
    if (host.event_count == sizeof(host.events) / sizeof(host.events[0]))
        host.event_count = 0;
    host.events[host.event_count++] = (struct noted){.event = event, .connection = connection};
    if (event == VSOCK_ACCEPTED)
        host.last = connection;
    if (host.on_event != NULL)
        host.on_event(event, connection);
}

void host_prepare(void)
{
    fake_pci_clear();
    fake_os_start();
    memset(&host, 0, sizeof(host));
    host.function = fake_pci_add_virtio(3 << 3, VIRTIO_ID_VSOCK, 5);
    host.function->device_config[0] = GUEST_CID;
    host.function->offered |= 1ull << 1; /* SEQPACKET */
}

static int take_device(void *context, struct virtio_device *device)
{
    *(struct virtio_device **)context = device;
    return 0;
}

int host_create(size_t connections_max, size_t receive_buffer_size)
{
    struct vsock_config config = {.connections_max = connections_max,
                                  .receive_buffer_size = receive_buffer_size,
                                  .event = on_event,
                                  .accept = host.accept,
                                  .wake = on_wake,
                                  .context = &host};
    struct virtio_device *device = NULL;

    int found = virtio_pci_scan(&fake_os.hooks, take_device, &device);
    if (found < 0)
        return found;
    assert_int_equal(found, 1);
    return vsock_create(device, &config, &host.vsock);
}

void host_start(void)
{
    host_prepare();
    assert_int_equal(host_create(64, 65536), 0);
    assert_int_equal(vsock_listen(host.vsock, GUEST_PORT), 0);
    assert_int_equal(host_pump(), 0);
}

void host_stop(void)
{
    vsock_destroy(host.vsock);
    assert_int_equal(host.function->status, 0);
    fake_os_stop();
    fake_pci_clear();
}

int host_pump(void)
{
    int result = 0;

    /* The device interrupts when it has used something and the guest wants to know. */
    for (unsigned i = 0; i < 3; i++)
        fake_pci_signal(host.function, i);
    while (host.wakes > 0 && result == 0) {
        host.wakes = 0;
        host.polls++;
        result = vsock_poll(host.vsock);
    }
    return result;
}

struct vsock_header host_header(uint16_t operation)
{
    return (struct vsock_header){.source_cid = VSOCK_CID_HOST,
                                 .destination_cid = GUEST_CID,
                                 .source_port = HOST_PORT,
                                 .destination_port = GUEST_PORT,
                                 .type = VSOCK_TYPE_STREAM,
                                 .operation = operation,
                                 .buffer_size = PEER_SIZE};
}

void host_send_raw(const void *bytes, size_t size, uint32_t used)
{
    struct fake_ring *ring = &host.function->queues[0].ring;
    struct fake_chain chain;

    assert_true(fake_ring_take(ring, &chain));
    assert_int_equal(chain.readable_count, 0);
    assert_int_equal(chain.writable_count, 2); /* as Firecracker before 1.6 wants it */
    assert_true(chain.buffers[0].size == sizeof(struct vsock_header));
    assert_true(chain.buffers[1].size == RECEIVE_SIZE);
    assert_int_equal(fake_chain_write(&chain, bytes, size), size);
    fake_ring_use(ring, chain.id, used);
}

void host_send(const struct vsock_header *header, const void *payload)
{
    uint8_t bytes[sizeof(*header) + RECEIVE_SIZE];

    memcpy(bytes, header, sizeof(*header));
    if (payload != NULL)
        memcpy(bytes + sizeof(*header), payload, header->length);
    uint32_t size = (uint32_t)sizeof(*header) + (payload != NULL ? header->length : 0);
    host_send_raw(bytes, size, size);
}

void host_exchange(const struct vsock_header *header, const void *payload)
{
    host_send(header, payload);
    assert_int_equal(host_pump(), 0);
}

void host_event(uint32_t id)
{
    struct fake_ring *ring = &host.function->queues[2].ring;
    struct fake_chain chain;

    assert_true(fake_ring_take(ring, &chain));
    assert_int_equal(chain.writable_size, 4);
    assert_int_equal(fake_chain_write(&chain, &id, sizeof(id)), sizeof(id));
    fake_ring_use(ring, chain.id, sizeof(id));
}

bool host_take(struct packet *packet)
{
    struct fake_ring *ring = &host.function->queues[1].ring;
    struct fake_chain chain;

    if (!fake_ring_take(ring, &chain)) {
        fake_ring_want_kick(ring, true);
        return false;
    }
    assert_int_equal(chain.writable_count, 0);
    assert_true(chain.readable_size >= sizeof(packet->header) && chain.readable_size <= sizeof(*packet));
    fake_chain_read(&chain, packet, sizeof(*packet));
    assert_int_equal(packet->header.length, chain.readable_size - sizeof(packet->header));
    assert_int_equal(chain.readable_count, packet->header.length > 0 ? 2 : 1);
    assert_true(chain.buffers[0].size == sizeof(packet->header));
    assert_true(packet->header.source_cid == host.vsock->guest_cid);
    fake_ring_use(ring, chain.id, 0);
    return true;
}

size_t host_drain(void)
{
    static struct packet packet;
    size_t count = 0;

    while (host_take(&packet))
        count++;
    return count;
}

struct packet host_expect(uint16_t operation, uint32_t host_port)
{
    static struct packet packet;

    assert_true(host_take(&packet));
    assert_int_equal(packet.header.operation, operation);
    assert_int_equal(packet.header.destination_port, host_port);
    assert_int_equal(packet.header.destination_cid, VSOCK_CID_HOST);
    if (operation != VSOCK_OP_RW)
        assert_int_equal(packet.header.length, 0);
    return packet;
}

void host_expect_nothing(void)
{
    static struct packet packet;

    if (host_take(&packet))
        fail_msg("unexpected packet: operation %u to port %u", packet.header.operation,
                 packet.header.destination_port);
}

struct vsock_connection *host_connect(uint32_t host_port)
{
    struct vsock_header header = host_header(VSOCK_OP_REQUEST);
    size_t accepted = host_count(VSOCK_ACCEPTED, NULL);

    header.source_port = host_port;
    host_exchange(&header, NULL);
    struct packet response = host_expect(VSOCK_OP_RESPONSE, host_port);
    assert_int_equal(response.header.source_port, GUEST_PORT);
    assert_int_equal(response.header.type, VSOCK_TYPE_STREAM);
    assert_int_equal(host_count(VSOCK_ACCEPTED, NULL), accepted + 1);
    return host.last;
}

size_t host_count(enum vsock_event event, const struct vsock_connection *connection)
{
    size_t count = 0;

    for (size_t i = 0; i < host.event_count; i++) {
        if (host.events[i].event == event && (connection == NULL || host.events[i].connection == connection))
            count++;
    }
    return count;
}

void host_forget_events(void)
{
    host.event_count = 0;
}

void host_check_service(uint32_t host_port)
{
    struct vsock_connection *connection = host_connect(host_port);
    struct vsock_header header = host_header(VSOCK_OP_RW);
    uint8_t bytes[8];

    header.source_port = host_port;
    header.length = 4;
    host_exchange(&header, "ping");
    assert_int_equal(vsock_receive(connection, bytes, sizeof(bytes)), 4);
    assert_memory_equal(bytes, "ping", 4);
    assert_int_equal(vsock_send(connection, "pong", 4), 4);
    struct packet packet = host_expect(VSOCK_OP_RW, host_port);
    assert_int_equal(packet.header.length, 4);
    assert_memory_equal(packet.payload, "pong", 4);

    vsock_close(connection);
    host_expect(VSOCK_OP_SHUTDOWN, host_port);
    header.operation = VSOCK_OP_RST;
    header.length = 0;
    header.forward_count = 4;
    host_exchange(&header, NULL);
}
