/* SPDX-License-Identifier: MIT
 *
 * A guest that takes and gives bytes over vsock, with the driver as the service uses it and nothing above it:
 * what the `throughput` benchmark compares with Linux. See streams.h.
 */
#include <errno.h>
#include <string.h>

#include <arch/interrupts.h>
#include <arch/timer.h>
#include <hooks/virtio_devices.h>
#include <logging/log.h>
#include <panic.h>
#include <start.h>
#include <streams.h>
#include <tasks/task.h>
#include <virtio/vsock.h>

#define RECEIVE_BUFFER_SIZE (64u * 1024) /* as kernel/service/vsock_listener.c has it */

static struct vsock *vsock;
static struct interrupt_event activity;
static uint8_t chunk[STREAMS_CHUNK];

/* One client at a time; a second one takes the first one's place. */
static struct {
    struct vsock_connection *connection;
    uint8_t order[STREAMS_ORDER_SIZE];
    size_t order_size; /* that has come */
    uint64_t left;
    bool answer;
} client;

INTERRUPT_CODE static void wake(void *context)
{
    (void)context;
    interrupt_event_raise(&activity);
}

static void leave(void)
{
    vsock_close(client.connection);
    memset(&client, 0, sizeof client);
}

static int64_t take_order(void)
{
    int64_t got = vsock_receive(client.connection, client.order + client.order_size,
                                STREAMS_ORDER_SIZE - client.order_size);
    if (got > 0)
        client.order_size += (size_t)got;
    if (client.order_size == STREAMS_ORDER_SIZE) {
        client.left = streams_order_count(client.order);
        client.answer = client.order[0] == STREAMS_SINK;
    }
    return got;
}

/* -EAGAIN where vsock_send says 0: WRITABLE follows. */
static int64_t send(const void *bytes, size_t size)
{
    int64_t sent = vsock_send(client.connection, bytes, size);
    return sent == 0 ? -EAGAIN : sent;
}

static int64_t move(void)
{
    size_t size = client.left < sizeof chunk ? (size_t)client.left : sizeof chunk;
    int64_t moved =
        client.order[0] == STREAMS_SINK ? vsock_receive(client.connection, chunk, size) : send(chunk, size);
    if (moved > 0)
        client.left -= (uint64_t)moved;
    return moved;
}

/* As far as it goes: an event follows when it goes on. */
static void serve(void)
{
    int64_t done = 1;
    while (done > 0) {
        if (client.order_size < STREAMS_ORDER_SIZE) {
            done = take_order();
        } else if (client.left > 0) {
            done = move();
        } else if (client.answer) {
            done = send("", 1);
            client.answer = done <= 0;
        } else {
            done = vsock_receive(client.connection, chunk, 1); /* the client goes */
        }
    }
    if (done != -EAGAIN)
        leave();
}

static void on_event(void *context, enum vsock_event event, struct vsock_connection *connection)
{
    (void)context;
    if (event == VSOCK_ACCEPTED) {
        if (client.connection != NULL)
            leave();
        client.connection = connection;
    } else if (connection == client.connection && event == VSOCK_RESET) {
        leave();
    } else if (connection == client.connection) {
        serve();
    }
}

static int take(struct virtio_device *device)
{
    static const struct vsock_config config = {
        .connections_max = 4, .receive_buffer_size = RECEIVE_BUFFER_SIZE, .event = on_event, .wake = wake};
    if (virtio_device_id(device) != VIRTIO_ID_VSOCK || vsock != NULL)
        return -ENODEV;
    if (vsock_create(device, &config, &vsock) != 0)
        vsock = NULL;
    return 0; /* vsock_create has taken the device in any case */
}

_Noreturn void kernel_main(const struct boot_info *boot, const struct options *options)
{
    (void)boot;
    (void)options;
    (void)virtio_devices_offer(0, take);
    if (vsock == NULL || vsock_listen(vsock, STREAMS_PORT) != 0)
        panic_with(PANIC_CODE_BOOT, "no vsock device");
    log_write(LOG_INFO, "streams", "ready in %llu us", (unsigned long long)timer_now_us());
    while (vsock_poll(vsock) == 0)
        (void)interrupt_event_wait(&activity, vsock_deadline(vsock));
    panic_with(PANIC_CODE_BOOT, "the vsock device has failed");
}
