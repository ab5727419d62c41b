/* SPDX-License-Identifier: MIT */
#include <arch/timer.h>
#include <logging/log.h>
#include <service/connections.h>
#include <service/log_export.h>
#include <tasks/task.h>

#define RETRY_MIN_US UINT64_C(1000000) /* after a connection that ended; doubled after each refusal, */
#define RETRY_MAX_US UINT64_C(16000000)

static struct {
    uint32_t port;
    struct vsock_connection *connection; /* NULL: none, until retry_at */
    bool connected;
    bool begun; /* the connection's first line is made */
    bool complained, complained_of_device;
    uint64_t retry_at, retry_delay;
    uint64_t cursor; /* in the log: of the first line that is not wholly sent */
    uint64_t next;   /* the cursor behind what is in `text` */
    char text[512];  /* a note and a line, of which `sent` of `length` bytes have gone */
    size_t length, sent;
} export;

/* A sink: there is a line to send. It is read from the ring later. */
static void on_line(void *context, enum log_level level, const char *line, size_t length)
{
    (void)level;
    (void)line;
    (void)length;
    if (export.connected)
        connections_wake(context);
}

void log_export_start(uint32_t port)
{
    export.port = port;
    export.retry_delay = RETRY_MIN_US;
    if (port != 0 && log_add_sink(on_line, NULL) != 0)
        log_write(LOG_ERROR, "log", "no place for the sink that exports it");
}

/* ---- lines ---- */

/* Makes the next text to send. Returns false when there is none. */
static bool prepare(void)
{
    struct log_entry entry;
    uint64_t lost = 0;
    export.sent = export.length = 0;
    export.next = export.cursor;
    if (!export.begun) {
        struct log_statistics log;
        log_get_statistics(&log);
        uint64_t first = log.oldest > export.cursor ? log.oldest : export.cursor;
        export.length = log_format(export.text, sizeof export.text, "--- microkernelia: log from line %llu\n",
                                   (unsigned long long)first);
        export.begun = true;
        return true;
    }
    int found = log_read(&export.next, LOG_DEBUG, &entry, &lost);
    if (lost > 0)
        export.length =
            log_format(export.text, sizeof export.text, "--- %llu lines lost\n", (unsigned long long)lost);
    if (found != 0)
        export.length +=
            log_line_format(&entry, export.text + export.length, sizeof export.text - export.length);
    return export.length > 0;
}

/* ---- the connection ---- */

static void retry_later(void)
{
    export.connection = NULL;
    export.connected = export.begun = false;
    export.sent = export.length = 0; /* a line that went in part goes again */
    export.retry_at = timer_now_us() + export.retry_delay;
    export.retry_delay = export.retry_delay < RETRY_MAX_US / 2 ? export.retry_delay * 2 : RETRY_MAX_US;
}

static void hang_up(void)
{
    vsock_close(export.connection);
    retry_later();
}

static void send_lines(void)
{
    while (export.connected && (export.sent < export.length || prepare())) {
        int64_t sent = vsock_send(export.connection, export.text + export.sent, export.length - export.sent);
        if (sent < 0) {
            hang_up();
            return;
        }
        export.sent += (size_t)sent;
        if (export.sent < export.length)
            return; /* VSOCK_WRITABLE follows */
        export.cursor = export.next;
    }
}

uint64_t log_export_poll(struct vsock *vsock)
{
    if (export.port == 0)
        return TASK_FOREVER;
    if (export.connection == NULL && timer_now_us() >= export.retry_at &&
        vsock_connect(vsock, VSOCK_CID_HOST, export.port, &export.connection) != 0)
        retry_later();
    send_lines();
    return export.connection == NULL ? export.retry_at : TASK_FOREVER;
}

/* What a reader says is of no interest; that it says no more neither: it may read all the same. */
static void discard_input(void)
{
    const void *bytes;
    int64_t size;
    while ((size = vsock_peek(export.connection, &bytes)) > 0)
        vsock_take(export.connection, (size_t)size);
}

bool log_export_event(struct vsock_connection *connection, enum vsock_event event)
{
    if (export.connection == NULL || connection != export.connection)
        return false;
    if (event == VSOCK_CONNECTED) {
        export.connected = true;
        export.retry_delay = RETRY_MIN_US;
    } else if (event == VSOCK_READABLE) {
        discard_input();
    } else if (event == VSOCK_WRITABLE) {
        /* Perhaps only to say that the reader has gone; log_export_poll sends what there is. */
        if (vsock_send(connection, "", 0) < 0)
            hang_up();
    } else if (event == VSOCK_RESET) {
        bool refused = !export.connected;
        hang_up();
        /* Once: a line for each attempt would be a log about the log. */
        if (refused && !export.complained) {
            export.complained = true;
            log_write(LOG_WARNING, "log", "nobody listens on port %u of the host: trying again", export.port);
        }
    }
    return true;
}

void log_export_drop(void)
{
    export.retry_delay = RETRY_MIN_US;
    retry_later();
    export.retry_at = 0;
}

void log_export_no_device(void)
{
    if (export.port != 0 && !export.complained_of_device)
        log_write(LOG_WARNING, "log", "log=vsock: there is no vsock device");
    export.complained_of_device = true;
}
