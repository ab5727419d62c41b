/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <arch/interrupts.h>
#include <arch/timer.h>
#include <logging/log.h>
#include <mcp/transport.h>
#include <service/connections.h>
#include <service/devices.h>
#include <service/log_export.h>
#include <service/vsock_listener.h>
#include <tasks/task.h>
#include <virtio/vsock.h>

#define INPUT_MAX            (64u * 1024) /* that vsock keeps for one connection until it is read */
#define RESTART_DELAY_US     1000000      /* doubled after each attempt that fails */
#define RESTART_DELAY_MAX_US 60000000

static struct vsock *vsock;
/* While there is no device, because it broke: when to look for it, and how long to wait after that. */
static uint64_t restart_at = TASK_FOREVER, restart_delay;

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

/* Called from vsock_poll. */
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
                                        .wake = connections_wake};
    int error = vsock_create(device, &config, &vsock);
    if (error != 0) {
        vsock = NULL;
        log_write(LOG_ERROR, "service", "the vsock device does not start: error %d", -error);
        return 0; /* vsock_create has taken the device, and destroyed it */
    }
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
static void stop_broken_device(void)
{
    log_write(LOG_ERROR, "service", "the vsock device is broken: starting it again");
    connections_drop(&operations);
    log_export_drop();
    vsock_destroy(vsock);
    vsock = NULL;
    connections_count_device_reset();
    restart_delay = RESTART_DELAY_US;
    restart_at = timer_now_us() + restart_delay;
}

static void restart_device(void)
{
    devices_start(VIRTIO_ID_VSOCK);
    if (announce()) {
        restart_at = TASK_FOREVER;
        return;
    }
    if (restart_delay < RESTART_DELAY_MAX_US / 2)
        restart_delay *= 2;
    else
        restart_delay = RESTART_DELAY_MAX_US;
    restart_at = timer_now_us() + restart_delay;
}

static uint64_t poll(void)
{
    if (vsock == NULL && timer_now_us() >= restart_at)
        restart_device();
    if (vsock != NULL && vsock_poll(vsock) != 0)
        stop_broken_device();
    if (vsock == NULL)
        return restart_at;
    uint64_t export_deadline = log_export_poll(vsock);
    uint64_t deadline = vsock_deadline(vsock);
    return export_deadline < deadline ? export_deadline : deadline;
}

const struct listener vsock_listener = {.announce = announce, .poll = poll};
