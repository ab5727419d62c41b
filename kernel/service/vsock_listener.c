/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <arch/interrupts.h>
#include <arch/timer.h>
#include <logging/log.h>
#include <mcp/transport.h>
#include <service/connections.h>
#include <service/devices.h>
#include <service/log_export.h>
#include <service/restart.h>
#include <service/vsock_listener.h>
#include <tasks/task.h>
#include <virtio/vsock.h>

#define INPUT_MAX  (64u * 1024)       /* that vsock keeps for one connection until it is read */
#define REMIND_US  UINT64_C(10000000) /* of a device that holds packets and sends none */
#define STALLED_US UINT64_C(50000000) /* after that: it is taken for broken */

static struct vsock *vsock;
static struct restart restart = {.at = TASK_FOREVER, .delay = RESTART_DELAY_US};
static uint64_t reminded_at; /* TASK_FOREVER: it is not late */

/* ---- streams ---- */

static int64_t stream_peek(void *handle, const void **bytes)
{
    return vsock_peek(handle, bytes);
}

static void stream_take(void *handle, size_t size)
{
    vsock_take(handle, size);
}

static int64_t stream_send(void *handle, const void *bytes, size_t length)
{
    return vsock_send(handle, bytes, length);
}

static void stream_close(void *handle)
{
    vsock_close(handle);
}

static void stream_abort(void *handle)
{
    vsock_abort(handle);
}

static const struct stream_operations operations = {
    .peek = stream_peek,
    .take = stream_take,
    .send = stream_send,
    .close = stream_close,
    .abort = stream_abort,
};

/* Both are called from vsock_poll. */

static bool may_connect(void *context, uint64_t cid, uint32_t peer_port, uint32_t local_port)
{
    (void)context;
    (void)local_port;
    return connection_is_welcome("vsock", cid, peer_port);
}

static void on_event(void *context, enum vsock_event event, struct vsock_connection *stream)
{
    (void)context;
    if (log_export_event(stream, event))
        return;
    if (event == VSOCK_ACCEPTED) {
        const struct stream accepted = {.operations = &operations,
                                        .handle = stream,
                                        .kind = "vsock",
                                        .peer_cid = vsock_peer_cid(stream),
                                        .peer_port = vsock_peer_port(stream)};
        struct connection *opened = connection_open(&accepted);
        if (opened != NULL)
            vsock_set_context(stream, opened);
        return;
    }
    struct connection *connection = vsock_get_context(stream);
    if (event == VSOCK_READABLE)
        connection_readable(connection);
    else if (event == VSOCK_WRITABLE)
        connection_writable(connection);
    else if (event == VSOCK_RESET)
        connection_reset(connection);
}

/* ---- the device ---- */

int vsock_listener_start_device(struct virtio_device *device)
{
    if (vsock != NULL)
        return -EBUSY;
    /* A few more than are served: connection_open decides who is refused and who makes room. */
    const struct vsock_config config = {.connections_max = CONNECTIONS_MAX + 8,
                                        .receive_buffer_size = connections_input_share(INPUT_MAX),
                                        .event = on_event,
                                        .accept = may_connect,
                                        .wake = connections_wake};
    int error = vsock_create(device, &config, &vsock);
    if (error != 0) {
        vsock = NULL;
        log_write(LOG_ERROR, "service", "the vsock device does not start: error %d", -error);
        return 0; /* vsock_create has taken the device, and destroyed it */
    }
    restart_begin(&restart);
    reminded_at = TASK_FOREVER;
    error = vsock_listen(vsock, MCP_PORT);
    if (error != 0)
        log_write(LOG_ERROR, "service", "cannot listen on port %u: error %d", MCP_PORT, -error);
    return 0;
}

static bool announce(void)
{
    if (vsock != NULL)
        log_write(LOG_INFO, "service", "listening on vsock %llu:%u",
                  (unsigned long long)vsock_guest_cid(vsock), MCP_PORT);
    else
        log_export_no_device();
    return vsock != NULL;
}

/* The device is reset and started again; its connections are lost, and their clients see that. */
static void stop_broken_device(const char *why)
{
    log_write(LOG_ERROR, "service", "the vsock device %s: starting it again", why);
    connections_drop(&operations);
    log_export_drop();
    vsock_destroy(vsock);
    vsock = NULL;
    connections_count_device_reset();
    restart_after_break(&restart);
}

static void restart_device(void)
{
    devices_start(VIRTIO_ID_VSOCK);
    restart_tried(&restart, announce());
}

/* Looks whether the device still sends. Returns when to look again. It is given the time after the reminder
 * in any case: a machine that was paused is late through no fault of its device. */
static uint64_t watch_device(void)
{
    uint64_t since = vsock_stalled_since(vsock), now = timer_now_us();
    if (since == UINT64_MAX || now - since < REMIND_US) {
        reminded_at = TASK_FOREVER;
        return since == UINT64_MAX ? TASK_FOREVER : since + REMIND_US;
    }
    if (reminded_at == TASK_FOREVER) {
        reminded_at = now;
        log_write(LOG_WARNING, "service", "the vsock device has sent nothing for %llu s: telling it again",
                  (unsigned long long)((now - since) / 1000000));
        vsock_remind(vsock);
    } else if (now - reminded_at >= STALLED_US + REMIND_US) { /* nobody ran meanwhile: it was paused */
        reminded_at = now;
        vsock_remind(vsock);
    } else if (now - reminded_at >= STALLED_US) {
        connections_count_device_stall();
        stop_broken_device("sends nothing any more");
        return restart.at;
    }
    return reminded_at + STALLED_US;
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

static uint64_t poll(void)
{
    if (vsock == NULL && restart_is_due(&restart))
        restart_device();
    if (vsock != NULL && vsock_poll(vsock) != 0)
        stop_broken_device("is broken");
    uint64_t due = vsock != NULL ? watch_device() : restart.at;
    if (vsock != NULL)
        due = earlier(due, earlier(log_export_poll(vsock), vsock_deadline(vsock)));
    return due;
}

const struct listener vsock_listener = {.announce = announce, .poll = poll};
