/* SPDX-License-Identifier: MIT
 *
 * HTTP by libmicrohttpd, in our loop: an exchange that waits is a connection that is suspended.
 */
#include "daemon.h"

#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"

#define HEAD_SIZE (32u * 1024) /* memory of one connection: what its headers may take */
#define SILENCE_S 30u          /* a client that neither reads nor writes for so long is cut off */
#define HEAD_MS   30000u       /* for a request's head, and between two requests */
#define BODY_MS   60000u       /* for its body */
#define CLOSED_MS                                                                                            \
    1000u               /* for either, from a client that sends nothing more: what it sent is read by then   \
                         */
#define LOOK_MS    500u /* between two looks at those who are slow */
#define ENDING_MS  20u  /* between two looks whether all is over */
#define BLOCK_SIZE (16u * 1024) /* of a stream, at once */

/* A TCP connection. */
struct peer {
    struct watch watch;
    struct peer *previous, *next;
    struct daemon *daemon;
    struct request *request; /* under way, or NULL */
    uint64_t since;          /* when it was opened, or its last request ended */
    uint64_t closed_at;      /* when the client closed its side, or 0 */
};

/* An HTTP request. */
struct request {
    struct daemon *daemon;
    struct peer *peer;
    struct MHD_Connection *connection;
    struct exchange *exchange;
    bool suspended;
    bool gone; /* the client: nothing more is to be done */
    uint64_t since;
    char method[16], path[64];
    struct http_header
        headers[HEAD_HEADERS_MAX + 1];   /* one more than are allowed tells that there are too many */
    char *trimmed[HEAD_HEADERS_MAX + 1]; /* values that are copies */
    struct http_head head;
};

struct daemon {
    const struct daemon_config *config;
    struct loop loop;
    struct server_streams streams;
    struct gateway *gateway;
    struct MHD_Daemon *mhd;
    struct watch http, signals;
    struct peer *peers;
    bool ending;
    uint64_t ends_at, looked_at;
};

/* ---- the gateway's hooks ---- */

static uint64_t now_ms(void *context)
{
    (void)context;
    return (uint64_t)clock_ms();
}

static int draw(void *context, void *bytes, size_t size)
{
    (void)context;
    return getrandom(bytes, size, 0) == (ssize_t)size ? 0 : -EIO;
}

static void resume(struct request *request)
{
    if (!request->suspended)
        return;
    request->suspended = false;
    MHD_resume_connection(request->connection);
}

static void wake(void *context, struct exchange *exchange)
{
    (void)context;
    resume(exchange_user(exchange));
}

static void suspend(struct request *request)
{
    request->suspended = true;
    MHD_suspend_connection(request->connection);
}

/* ---- answers ---- */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    (void)MHD_add_response_header(response, name, value);
}

/* A page of an origin that may ask may read the answer, too (Fetch Standard, "CORS protocol"). */
static void add_cors(struct MHD_Response *response, const struct request *request,
                     const struct answer *answer)
{
    const char *origin = head_find(&request->head, "Origin");
    const char *wanted = head_find(&request->head, "Access-Control-Request-Headers");
    if (origin == NULL || answer->status == 403)
        return;
    add_header(response, "Access-Control-Allow-Origin", origin);
    add_header(response, "Vary", "Origin");
    add_header(response, "Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate, Retry-After");
    if (!answer->preflight)
        return;
    add_header(response, "Access-Control-Allow-Methods", "GET, POST, DELETE");
    add_header(response, "Access-Control-Max-Age", "600");
    if (wanted != NULL)
        add_header(response, "Access-Control-Allow-Headers", wanted);
}

static void add_headers(struct MHD_Response *response, const struct request *request,
                        const struct answer *answer)
{
    char number[20];
    add_header(response, "Cache-Control", "no-store");
    if (answer->session[0] != '\0')
        add_header(response, "Mcp-Session-Id", answer->session);
    if (answer->type != NULL)
        add_header(response, "Content-Type", answer->type);
    if (answer->allow != NULL)
        add_header(response, "Allow", answer->allow);
    if (answer->challenge)
        add_header(response, "WWW-Authenticate", "Bearer");
    if (answer->retry_after > 0) {
        (void)snprintf(number, sizeof number, "%u", answer->retry_after);
        add_header(response, "Retry-After", number);
    }
    add_cors(response, request, answer);
}

static enum MHD_Result queue(struct request *request, unsigned status, struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO;
    if (request->daemon->ending)
        add_header(response, "Connection", "close");
    enum MHD_Result result = MHD_queue_response(request->connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result queue_answer(struct request *request)
{
    const struct answer *answer = exchange_answer(request->exchange);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer->length, answer->body, MHD_RESPMEM_MUST_COPY);
    if (response != NULL)
        add_headers(response, request, answer);
    return queue(request, answer->status, response);
}

static ssize_t read_stream(void *context, uint64_t position, char *bytes, size_t size)
{
    struct request *request = context;
    (void)position;
    if (request->gone)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    int64_t result = exchange_read(request->exchange, bytes, size);
    if (result < 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (result == 0)
        suspend(request);
    return (ssize_t)result;
}

static enum MHD_Result queue_stream(struct request *request)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, read_stream, request, NULL);
    if (response != NULL) {
        struct answer answer = *exchange_answer(request->exchange);
        answer.type = "text/event-stream";
        add_headers(response, request, &answer);
        add_header(response, "X-Accel-Buffering", "no"); /* proxies pass it on at once */
    }
    return queue(request, 200, response);
}

/* ---- requests ---- */

static enum MHD_Result keep_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct request *request = context;
    size_t at = request->head.header_count;
    (void)kind;
    if (at > HEAD_HEADERS_MAX)
        return MHD_NO;
    request->headers[at] = (struct http_header){name, value != NULL ? value : ""};
    request->head.header_count++;
    size_t length = strlen(request->headers[at].value);
    /* White space at the end is no part of the value (RFC 9110, section 5.5); libmicrohttpd leaves it there.
     */
    if (length == 0 || strchr(" \t", value[length - 1]) == NULL)
        return MHD_YES;
    while (length > 0 && strchr(" \t", value[length - 1]) != NULL)
        length--;
    request->trimmed[at] = strndup(value, length);
    if (request->trimmed[at] != NULL)
        request->headers[at].value = request->trimmed[at];
    return MHD_YES;
}

static void release(struct request *request)
{
    for (size_t i = 0; i < request->head.header_count; i++)
        free(request->trimmed[i]);
    free(request);
}

static enum MHD_Result begin(struct daemon *daemon, struct MHD_Connection *connection, const char *url,
                             const char *method, void **slot)
{
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return MHD_NO;
    request->daemon = daemon;
    request->connection = connection;
    request->peer = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    request->since = now_ms(NULL);
    (void)snprintf(request->method, sizeof request->method, "%s", method);
    (void)snprintf(request->path, sizeof request->path, "%s", url);
    request->head = (struct http_head){request->method, request->path, request->headers, 0};
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, keep_header, request);
    request->exchange = exchange_create(daemon->gateway, &request->head, request);
    if (request->exchange == NULL) {
        release(request);
        return MHD_NO;
    }
    if (request->peer != NULL)
        request->peer->request = request;
    *slot = request;
    return MHD_YES;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *bytes, size_t *size,
                              void **slot)
{
    struct request *request = *slot;
    (void)version;
    if (request == NULL)
        return begin(context, connection, url, method, slot);
    if (request->gone)
        return MHD_NO;
    if (*size > 0) {
        int result = exchange_body(request->exchange, bytes, *size);
        *size = 0;
        return result == 0 ? MHD_YES : MHD_NO;
    }
    exchange_submit(request->exchange, &request->head);
    switch (exchange_state(request->exchange)) {
    case EXCHANGE_ANSWER:
        return queue_answer(request);
    case EXCHANGE_STREAM:
        return queue_stream(request);
    default:
        suspend(request);
        return MHD_YES;
    }
}

static void completed(void *context, struct MHD_Connection *connection, void **slot,
                      enum MHD_RequestTerminationCode how)
{
    struct request *request = *slot;
    (void)context;
    (void)connection;
    (void)how;
    if (request == NULL)
        return;
    if (request->peer != NULL) {
        request->peer->request = NULL;
        request->peer->since = now_ms(NULL);
    }
    exchange_end(request->exchange);
    release(request);
    *slot = NULL;
}

/* ---- TCP connections ---- */

/* libmicrohttpd does not look at a connection that is suspended. A client that sends nothing more may have
 * gone, or only have closed its side; a comment tells, because one that has gone answers it with a reset. */
static void peer_event(struct watch *watch, uint32_t events)
{
    struct peer *peer = (struct peer *)watch;
    struct request *request = peer->request;
    if (peer->closed_at == 0)
        peer->closed_at = now_ms(NULL);
    if (request == NULL)
        return;
    if (events & (EPOLLHUP | EPOLLERR)) {
        request->gone = true;
        resume(request);
    } else if (exchange_state(request->exchange) != EXCHANGE_BODY) {
        exchange_probe(request->exchange);
    }
}

static void open_peer(struct daemon *daemon, struct MHD_Connection *connection, void **slot)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return;
    *peer = (struct peer){.daemon = daemon, .next = daemon->peers, .since = now_ms(NULL)};
    peer->watch.event = peer_event;
    peer->watch.fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    if (loop_add(&daemon->loop, &peer->watch, EPOLLRDHUP | EPOLLET) != 0) {
        free(peer);
        return;
    }
    if (peer->next != NULL)
        peer->next->previous = peer;
    daemon->peers = peer;
    *slot = peer;
}

static void close_peer(struct daemon *daemon, void **slot)
{
    struct peer *peer = *slot;
    if (peer == NULL)
        return;
    *(peer->previous != NULL ? &peer->previous->next : &daemon->peers) = peer->next;
    if (peer->next != NULL)
        peer->next->previous = peer->previous;
    loop_remove(&daemon->loop, &peer->watch);
    *slot = NULL;
}

static void notify(void *context, struct MHD_Connection *connection, void **slot,
                   enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        open_peer(context, connection, slot);
    else
        close_peer(context, slot);
}

/* Who sends a request byte by byte holds a place that others could have. */
static void cut_off_slow(struct daemon *daemon)
{
    uint64_t now = now_ms(NULL);
    daemon->looked_at = now;
    for (struct peer *peer = daemon->peers; peer != NULL; peer = peer->next) {
        const struct request *request = peer->request;
        if (request != NULL && exchange_state(request->exchange) != EXCHANGE_BODY)
            continue;
        if ((request == NULL && now - peer->since >= HEAD_MS) ||
            (request != NULL && now - request->since >= BODY_MS) ||
            (peer->closed_at != 0 && now - peer->closed_at >= CLOSED_MS))
            (void)shutdown(peer->watch.fd, SHUT_RDWR);
    }
}

/* ---- start and end ---- */

static void http_event(struct watch *watch, uint32_t events)
{
    (void)watch;
    (void)events; /* MHD_run in each round */
}

static void end(struct daemon *daemon)
{
    if (daemon->ending)
        return;
    daemon->ending = true;
    daemon->ends_at = now_ms(NULL) + daemon->config->drain_ms;
    int fd = MHD_quiesce_daemon(daemon->mhd);
    if (fd >= 0)
        close(fd);
    gateway_drain(daemon->gateway);
}

static void signal_event(struct watch *watch, uint32_t events)
{
    struct daemon *daemon = (struct daemon *)((char *)watch - offsetof(struct daemon, signals));
    struct signalfd_siginfo information;
    (void)events;
    if (read(watch->fd, &information, sizeof information) == (ssize_t)sizeof information)
        end(daemon);
}

static int watch_signals(struct daemon *daemon)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    daemon->signals =
        (struct watch){.event = signal_event, .fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
    return daemon->signals.fd >= 0 ? loop_add(&daemon->loop, &daemon->signals, EPOLLIN) : -errno;
}

static void stay_silent(void *context, const char *format, va_list arguments)
{
    (void)context;
    (void)format;
    (void)arguments;
}

static int start_http(struct daemon *daemon)
{
    daemon->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, daemon,
                                   MHD_OPTION_EXTERNAL_LOGGER, stay_silent, NULL, MHD_OPTION_LISTEN_SOCKET,
                                   daemon->config->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
                                   daemon->config->connections_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                   (size_t)HEAD_SIZE, MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_S,
                                   MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED, completed,
                                   daemon, MHD_OPTION_NOTIFY_CONNECTION, notify, daemon, MHD_OPTION_END);
    if (daemon->mhd == NULL)
        return -EINVAL;
    daemon->http = (struct watch){.event = http_event,
                                  .fd = MHD_get_daemon_info(daemon->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd};
    return loop_add(&daemon->loop, &daemon->http, EPOLLIN);
}

/* How long nothing need be done, unless a descriptor says so. */
static int timeout(struct daemon *daemon, uint64_t most)
{
    MHD_UNSIGNED_LONG_LONG wanted;
    if (daemon->ending && most > ENDING_MS)
        most = ENDING_MS;
    if (MHD_get_timeout(daemon->mhd, &wanted) == MHD_YES && wanted < most)
        return (int)wanted;
    return (int)most;
}

static void serve(struct daemon *daemon)
{
    uint64_t due = 0;
    while (!daemon->ending || (gateway_exchanges(daemon->gateway) > 0 && now_ms(NULL) < daemon->ends_at)) {
        loop_run(&daemon->loop, timeout(daemon, due));
        (void)MHD_run(daemon->mhd);
        due = gateway_tick(daemon->gateway);
        if (now_ms(NULL) - daemon->looked_at >= LOOK_MS)
            cut_off_slow(daemon);
        (void)MHD_run(daemon->mhd); /* what the ticks have woken */
    }
}

/* libmicrohttpd cannot be stopped while a connection is suspended. */
static void stop_http(struct daemon *daemon)
{
    for (struct peer *peer = daemon->peers; peer != NULL; peer = peer->next) {
        if (peer->request != NULL) {
            peer->request->gone = true;
            resume(peer->request);
        }
    }
    (void)MHD_run(daemon->mhd);
    MHD_stop_daemon(daemon->mhd);
}

static enum status run(struct daemon *daemon, struct error *error)
{
    struct gateway_hooks hooks = {.now_ms = now_ms, .random = draw, .wake = wake, .stream = server_stream};
    hooks.stream.context = &daemon->streams;
    daemon->streams = (struct server_streams){&daemon->loop, &daemon->gateway, &daemon->config->server};
    daemon->gateway = gateway_create(&daemon->config->gateway, &hooks);
    if (daemon->gateway == NULL)
        return error_set(error, STATUS_CONNECTION, "out of memory");
    int result = watch_signals(daemon);
    if (result == 0)
        result = start_http(daemon);
    if (result == 0)
        serve(daemon);
    if (daemon->mhd != NULL)
        stop_http(daemon);
    gateway_destroy(daemon->gateway);
    if (daemon->signals.fd > 0)
        close(daemon->signals.fd);
    return result == 0 ? STATUS_OK
                       : error_set(error, STATUS_CONNECTION, "cannot serve HTTP: %s", strerror(-result));
}

enum status daemon_run(const struct daemon_config *config, struct error *error)
{
    struct daemon daemon = {.config = config};
    int result = loop_open(&daemon.loop);
    if (result != 0)
        return error_set(error, STATUS_CONNECTION, "cannot wait for connections: %s", strerror(-result));
    enum status status = run(&daemon, error);
    loop_close(&daemon.loop);
    return status;
}
