/* SPDX-License-Identifier: MIT
 *
 * A vsock connection of the type SEQPACKET to a host that sends every message back (tests/nested).
 */
#include <arch/interrupts.h>
#include <arch/timer.h>
#include <guest.h>
#include <hooks/virtio_devices.h>
#include <string.h>
#include <tasks/task.h>
#include <virtio/vsock.h>

#define ECHO_PORT 6001
#define SECOND    UINT64_C(1000000)

static struct vsock *vsock;
static struct interrupt_event awake;
static unsigned events;
static uint8_t message[60000], echo[60000];

INTERRUPT_CODE static void wake(void *context)
{
    (void)context;
    interrupt_event_raise(&awake);
}

static void on_event(void *context, enum vsock_event event, struct vsock_connection *connection)
{
    (void)context;
    (void)connection;
    events |= 1u << event;
}

static int take(struct virtio_device *device)
{
    static const struct vsock_config config = {
        .connections_max = 4, .receive_buffer_size = 65536, .event = on_event, .wake = wake};
    if (vsock_create(device, &config, &vsock) != 0)
        vsock = NULL;
    return 0;
}

/* Lets the device work; false when nothing came of it for ten seconds. */
static bool turn(void)
{
    return interrupt_event_wait(&awake, timer_now_us() + 10 * SECOND) == 0 && vsock_poll(vsock) == 0 &&
           (events & 1u << VSOCK_RESET) == 0;
}

static bool send_message(struct vsock_connection *connection, size_t size)
{
    size_t sent = 0;
    for (;;) {
        int64_t count = vsock_send(connection, message + sent, size - sent);
        if (count < 0)
            return false;
        sent += (size_t)count;
        if (sent == size)
            return true;
        if (!turn())
            return false;
    }
}

static bool receive_message(struct vsock_connection *connection, size_t size)
{
    while (vsock_message_left(connection) == 0)
        if (!turn())
            return false;
    return vsock_message_left(connection) == size &&
           vsock_receive(connection, echo, sizeof echo) == (int64_t)size && memcmp(message, echo, size) == 0;
}

void check_messages(void)
{
    static const size_t sizes[] = {1, 100, 4000, 4001, 60000, 7};
    struct vsock_connection *connection;

    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(i * 31 + (i >> 8));
    (void)virtio_devices_offer(0, take);
    if (!check(vsock != NULL && vsock_connect_seqpacket(vsock, VSOCK_CID_HOST, ECHO_PORT, &connection) == 0,
               "a vsock device that has SEQPACKET"))
        return;
    bool good = true;
    while (good && (events & 1u << VSOCK_CONNECTED) == 0)
        good = turn();
    if (!check(good, "a connection to the host"))
        return;
    /* All are on their way before the first is read: none is joined with the next. */
    for (size_t i = 0; good && i < sizeof sizes / sizeof sizes[0]; i++)
        good = i == 4 || send_message(connection, sizes[i]);
    check(good, "messages are sent");
    for (size_t i = 0; good && i < sizeof sizes / sizeof sizes[0]; i++)
        good = i == 4 || receive_message(connection, sizes[i]);
    check(good, "and come back, each whole");
    for (int i = 0; good && i < 20; i++)
        good = send_message(connection, sizes[4]) && receive_message(connection, sizes[4]);
    check(good, "also those almost as large as the buffer");
    vsock_close(connection);
    vsock_destroy(vsock);
}
