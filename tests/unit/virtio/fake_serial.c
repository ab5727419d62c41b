/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_serial.h"

#define QUEUE_RECEIVE  4 /* of port 1, section 5.3.2 */
#define QUEUE_TRANSMIT 5

struct serial serial;

static struct fake_ring *ring(unsigned queue)
{
    return &fake_mmio.queues[queue].ring;
}

static void on_wake(void *context)
{
    assert_ptr_equal(context, &serial);
    serial.wakes++;
}

static void on_event(void *context, enum virtio_console_event event,
                     struct virtio_console_connection *connection)
{
    assert_ptr_equal(context, &serial);
    if (serial.event_count == sizeof(serial.events) / sizeof(serial.events[0]))
        serial.event_count = 0;
    serial.events[serial.event_count++] = (struct serial_noted){.event = event, .connection = connection};
    if (event == VIRTIO_CONSOLE_OPENED)
        serial.last = connection;
    if (serial.on_event != NULL)
        serial.on_event(event, connection);
}

void serial_prepare(void)
{
    uint32_t ports = 31;

    fake_os_start();
    fake_mmio_start(VIRTIO_ID_CONSOLE);
    fake_mmio.offered |= 1ull << 1;
    memcpy(fake_mmio.config + 4, &ports, sizeof(ports));
    fake_mmio.queues[2].size_max = fake_mmio.queues[3].size_max = 32;
    memset(&serial, 0, sizeof(serial));
    serial.name = SERIAL_NAME;
}

int serial_create(void)
{
    const struct virtio_console_config config = {
        .port = SERIAL_NAME, .event = on_event, .wake = on_wake, .context = &serial};
    struct virtio_device *device = NULL;

    int error =
        virtio_mmio_probe(&fake_os.hooks, FAKE_MMIO_PHYSICAL, FAKE_MMIO_SIZE, FAKE_MMIO_LINE, &device);
    return error != 0 ? error : virtio_console_create(device, &config, &serial.console);
}

void serial_start(void)
{
    serial_prepare();
    assert_int_equal(serial_create(), 0);
    assert_int_equal(serial_pump(), 0);
    assert_true(serial.guest_connected);
}

void serial_stop(void)
{
    if (serial.console != NULL)
        virtio_console_destroy(serial.console);
    fake_os_stop();
    fake_mmio_stop();
}

/* ---- control ---- */

void serial_control_raw(const void *bytes, size_t size, uint32_t used)
{
    struct fake_chain chain;

    if (!fake_ring_take(ring(2), &chain)) {
        serial.dropped++;
        return;
    }
    assert_int_equal(chain.readable_count, 0);
    assert_int_equal(fake_chain_write(&chain, bytes, size), size);
    fake_ring_use(ring(2), chain.id, used);
}

void serial_control(uint32_t port, uint16_t event, uint16_t value)
{
    const struct console_control message = {.port = port, .event = event, .value = value};

    serial_control_raw(&message, sizeof(message), sizeof(message));
}

void serial_port_name(uint32_t port, const char *name, size_t size)
{
    uint8_t bytes[CONTROL_SIZE];
    const struct console_control message = {.port = port, .event = CONSOLE_PORT_NAME, .value = 1};

    memcpy(bytes, &message, sizeof(message));
    memcpy(bytes + sizeof(message), name, size);
    serial_control_raw(bytes, sizeof(message) + size, (uint32_t)(sizeof(message) + size));
}

static void answer(const struct console_control *message)
{
    switch (message->event) {
    case CONSOLE_DEVICE_READY:
        serial_control(0, CONSOLE_PORT_ADD, 1);
        serial_control(SERIAL_PORT, CONSOLE_PORT_ADD, 1);
        break;
    case CONSOLE_PORT_READY:
        if (message->port == 0) {
            serial_control(0, CONSOLE_CONSOLE_PORT, 1);
            break;
        }
        serial_port_name(SERIAL_PORT, serial.name, strlen(serial.name) + 1);
        if (serial.host_connected)
            serial_control(SERIAL_PORT, CONSOLE_PORT_OPEN, 1);
        break;
    case CONSOLE_PORT_OPEN:
        assert_int_equal(message->port, SERIAL_PORT);
        serial.guest_connected = true;
        break;
    default:
        fail_msg("the guest sent event %u", message->event);
    }
}

static bool take_messages(void)
{
    struct fake_chain chain;
    bool any = false;

    while (fake_mmio.queues[3].ready != 0 && fake_ring_take(ring(3), &chain)) {
        struct console_control message;
        assert_int_equal(chain.writable_count, 0);
        assert_int_equal(chain.readable_size, sizeof(message));
        fake_chain_read(&chain, &message, sizeof(message));
        assert_int_equal(message.value, 1);
        assert_true(message.event < 8);
        serial.messages[message.event]++;
        fake_ring_use(ring(3), chain.id, 0);
        if (!serial.quiet)
            answer(&message);
        any = true;
    }
    return any;
}

int serial_pump(void)
{
    static const unsigned queues[] = {2, 3, QUEUE_RECEIVE, QUEUE_TRANSMIT};
    int result = 0;

    do {
        for (size_t i = 0; i < 4; i++) {
            if (fake_mmio.queues[queues[i]].ready != 0)
                (void)fake_mmio_signal(queues[i]);
        }
        while (serial.wakes > 0 && result == 0) {
            serial.wakes = 0;
            result = virtio_console_poll(serial.console);
        }
    } while (result == 0 && take_messages());
    return result;
}

/* ---- clients ---- */

void serial_open(void)
{
    assert_false(serial.host_connected);
    serial.host_connected = true;
    serial_control(SERIAL_PORT, CONSOLE_PORT_OPEN, 1);
}

/* The chain that it has begun to send is forgotten, the others are given back. */
void serial_close(void)
{
    struct fake_chain chain;

    assert_true(serial.host_connected);
    serial.host_connected = serial.throttled = serial.holds = false;
    while (fake_ring_take(ring(QUEUE_TRANSMIT), &chain))
        fake_ring_use(ring(QUEUE_TRANSMIT), chain.id, 0);
    serial_control(SERIAL_PORT, CONSOLE_PORT_OPEN, 0);
}

bool serial_write(const void *bytes, size_t size)
{
    struct fake_chain chain;

    assert_true(serial.host_connected);
    if (!serial.guest_connected || !fake_ring_take(ring(QUEUE_RECEIVE), &chain))
        return false;
    assert_int_equal(chain.readable_count, 0);
    assert_int_equal(fake_chain_write(&chain, bytes, size), size);
    fake_ring_use(ring(QUEUE_RECEIVE), chain.id, (uint32_t)size);
    return true;
}

size_t serial_read(void *bytes, size_t size)
{
    struct fake_chain chain;
    size_t done = 0;

    if (serial.holds) {
        serial.holds = false;
        done = fake_chain_read(&serial.held, bytes, size);
        fake_ring_use(ring(QUEUE_TRANSMIT), serial.held.id, 0);
    }
    while (fake_ring_take(ring(QUEUE_TRANSMIT), &chain)) {
        assert_int_equal(chain.writable_count, 0);
        if (serial.host_connected) {
            assert_true(chain.readable_size <= size - done);
            done += fake_chain_read(&chain, (uint8_t *)bytes + done, size - done);
        }
        fake_ring_use(ring(QUEUE_TRANSMIT), chain.id, 0);
    }
    return done;
}

void serial_throttle(void)
{
    assert_true(serial.host_connected);
    serial.throttled = true;
    if (!serial.holds)
        serial.holds = fake_ring_take(ring(QUEUE_TRANSMIT), &serial.held);
}

/* ---- the owner ---- */

size_t serial_count(enum virtio_console_event event, const struct virtio_console_connection *connection)
{
    size_t count = 0;

    for (size_t i = 0; i < serial.event_count; i++) {
        if (serial.events[i].event == event &&
            (connection == NULL || serial.events[i].connection == connection))
            count++;
    }
    return count;
}

void serial_expect(struct virtio_console_connection *connection, const char *text)
{
    const void *bytes = NULL;
    size_t size = strlen(text);

    assert_int_equal(virtio_console_peek(connection, &bytes), size);
    assert_memory_equal(bytes, text, size);
    virtio_console_take(connection, size);
}

void serial_expect_error(struct virtio_console_connection *connection, int error)
{
    const void *bytes = NULL;

    assert_int_equal(virtio_console_peek(connection, &bytes), error);
}

void serial_check_service(void)
{
    uint8_t bytes[16];

    serial_open();
    assert_int_equal(serial_pump(), 0);
    struct virtio_console_connection *connection = serial.last;
    serial_expect_error(connection, -EAGAIN);
    assert_true(serial_write("ping", 4));
    assert_int_equal(serial_pump(), 0);
    serial_expect(connection, "ping");
    assert_int_equal(virtio_console_send(connection, "pong", 4), 4);
    assert_int_equal(serial_read(bytes, sizeof(bytes)), 4);
    assert_memory_equal(bytes, "pong", 4);
    serial_close();
    assert_int_equal(serial_pump(), 0);
    serial_expect_error(connection, -ECONNRESET);
    assert_int_equal(virtio_console_send(connection, "x", 1), -ECONNRESET);
    virtio_console_close(connection);
    assert_int_equal(serial_pump(), 0);
}
