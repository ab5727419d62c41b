/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <logging/log.h>
#include <service/connections.h>
#include <service/console_listener.h>
#include <service/devices.h>
#include <service/restart.h>
#include <virtio/console.h>

#define PORT_NAME "mcp.0"

static struct virtio_console *console;
static struct restart restart = {.at = TASK_FOREVER, .delay = RESTART_DELAY_US};

/* ---- streams ---- */

static int64_t stream_peek(void *handle, const void **bytes)
{
    return virtio_console_peek(handle, bytes);
}

static void stream_take(void *handle, size_t size)
{
    virtio_console_take(handle, size);
}

static int64_t stream_send(void *handle, const void *bytes, size_t length)
{
    return virtio_console_send(handle, bytes, length);
}

/* A guest cannot end a connection of this kind at once: see <virtio/console.h>. */
static void stream_close(void *handle)
{
    virtio_console_close(handle);
}

static const struct stream_operations operations = {
    .peek = stream_peek,
    .take = stream_take,
    .send = stream_send,
    .close = stream_close,
    .abort = stream_close,
};

/* Called from virtio_console_poll. */
static void on_event(void *context, enum virtio_console_event event, struct virtio_console_connection *stream)
{
    (void)context;
    if (event == VIRTIO_CONSOLE_OPENED) {
        const struct stream opened = {.operations = &operations, .handle = stream, .kind = "console"};
        struct connection *connection = connection_open(&opened);
        if (connection != NULL)
            virtio_console_set_context(stream, connection);
        return;
    }
    struct connection *connection = virtio_console_get_context(stream);
    /* What a client asked right before it left is still done. Answers that wait for room are for nobody:
     * sending them ends the connection. */
    if (event == VIRTIO_CONSOLE_READABLE || event == VIRTIO_CONSOLE_CLOSED)
        connection_readable(connection);
    if (event == VIRTIO_CONSOLE_WRITABLE || event == VIRTIO_CONSOLE_CLOSED)
        connection_writable(connection);
}

/* ---- the device ---- */

int console_listener_start_device(struct virtio_device *device)
{
    if (console != NULL)
        return -EBUSY;
    const struct virtio_console_config config = {
        .port = PORT_NAME, .event = on_event, .wake = connections_wake};
    restart_begin(&restart);
    int error = virtio_console_create(device, &config, &console);
    if (error != 0) {
        console = NULL;
        log_write(LOG_ERROR, "service", "the console device does not start: error %d", -error);
    }
    return 0; /* virtio_console_create has taken the device in any case */
}

static bool announce(void)
{
    if (console != NULL)
        log_write(LOG_INFO, "service", "listening on the console port '%s'", PORT_NAME);
    return console != NULL;
}

/* The device is reset and started again; its connection is lost. */
static void stop_broken_device(void)
{
    log_write(LOG_ERROR, "service", "the console device is broken: starting it again");
    connections_drop(&operations);
    virtio_console_destroy(console);
    console = NULL;
    connections_count_device_reset();
    restart_after_break(&restart);
}

static void restart_device(void)
{
    devices_start(VIRTIO_ID_CONSOLE);
    restart_tried(&restart, announce());
}

static uint64_t poll(void)
{
    if (console == NULL && restart_is_due(&restart))
        restart_device();
    if (console != NULL && virtio_console_poll(console) != 0)
        stop_broken_device();
    return restart.at;
}

const struct listener console_listener = {.announce = announce, .poll = poll};
