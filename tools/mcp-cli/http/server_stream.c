/* SPDX-License-Identifier: MIT
 *
 * Connections to the MCP server that never block.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop.h"

struct server_socket {
    struct watch watch;
    const struct server_streams *streams;
    struct vm_link *link;
    bool connecting, paused, waits; /* to write */
};

/* One turn: small enough that others have theirs soon. */
#define TURN_SIZE (64u * 1024)

static int open_socket(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* A Unix socket whose queue is full says EAGAIN: then nobody accepts, and there is no connection. */
static bool begin(int fd, const struct sockaddr *address, socklen_t size)
{
    return connect(fd, address, size) == 0 || errno == EINPROGRESS;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = open_socket(AF_UNIX);
    memcpy(address.sun_path, path, strnlen(path, sizeof address.sun_path));
    if (fd >= 0 && begin(fd, (const struct sockaddr *)&address, sizeof address))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int connect_vsock(uint32_t cid, uint32_t port)
{
    struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
    int fd = open_socket(AF_VSOCK);
    if (fd >= 0 && begin(fd, (const struct sockaddr *)&address, sizeof address))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Numbers need no resolver; for a name it is asked each time, and is expected to know what is on this
 * machine. */
static int connect_tcp(const char *host, const char *service)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int fd = -1, on = 1;
    if (getaddrinfo(host, service, &hints, &found) != 0)
        return -1;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = open_socket(at->ai_family);
        if (fd >= 0 && !begin(fd, at->ai_addr, at->ai_addrlen)) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    if (fd >= 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void watch_events(struct server_socket *self)
{
    uint32_t events =
        (self->paused ? 0 : (uint32_t)EPOLLIN) | (self->connecting || self->waits ? (uint32_t)EPOLLOUT : 0);
    loop_change(self->streams->loop, &self->watch, events);
}

static bool receive(struct server_socket *self)
{
    static char bytes[TURN_SIZE];
    ssize_t received = recv(self->watch.fd, bytes, sizeof bytes, 0);
    if (received < 0)
        return errno == EAGAIN || errno == EINTR;
    return received > 0 && vm_link_input(self->link, bytes, (size_t)received);
}

static bool continue_writing(struct server_socket *self)
{
    int result = 0;
    socklen_t size = sizeof result;
    if (self->connecting) {
        if (getsockopt(self->watch.fd, SOL_SOCKET, SO_ERROR, &result, &size) != 0 || result != 0)
            return false;
        self->connecting = false;
    }
    self->waits = false;
    bool good = vm_link_writable(self->link);
    if (good)
        watch_events(self);
    return good;
}

static void handle_event(struct watch *watch, uint32_t events)
{
    struct server_socket *self = (struct server_socket *)watch;
    struct gateway *gateway = *self->streams->gateway;
    struct vm_link *link = self->link;
    bool good = true;
    if (events & EPOLLOUT)
        good = continue_writing(self);
    if (good && (events & EPOLLIN) && watch->event != NULL)
        good = receive(self);
    else if (good && (events & (EPOLLHUP | EPOLLERR)))
        good = false;
    if (!good && watch->event != NULL)
        gateway_link_lost(gateway, link);
}

static void *open_stream(void *context, struct vm_link *link)
{
    const struct server_streams *streams = context;
    const struct endpoint *endpoint = streams->endpoint;
    struct server_socket *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    *self = (struct server_socket){.streams = streams, .link = link, .connecting = true};
    self->watch.event = handle_event;
    switch (endpoint->kind) {
    case ENDPOINT_UNIX:
        self->watch.fd = connect_unix(endpoint->path);
        break;
    case ENDPOINT_VSOCK:
        self->watch.fd = connect_vsock(endpoint->cid, endpoint->port);
        break;
    case ENDPOINT_TCP:
        self->watch.fd = connect_tcp(endpoint->host, endpoint->service);
        break;
    default:
        self->watch.fd = -1;
        break;
    }
    if (self->watch.fd >= 0 && loop_add(streams->loop, &self->watch, EPOLLIN | EPOLLOUT) == 0)
        return self;
    if (self->watch.fd >= 0)
        close(self->watch.fd);
    free(self);
    return NULL;
}

static int64_t send_bytes(void *handle, const void *bytes, size_t length)
{
    struct server_socket *self = handle;
    ssize_t sent = -1;
    if (self->connecting)
        return 0;
    sent = send(self->watch.fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return -errno;
    if (sent < 0)
        sent = 0;
    if ((size_t)sent < length && !self->waits) {
        self->waits = true;
        watch_events(self);
    }
    return sent;
}

static void pause_stream(void *handle, bool paused)
{
    struct server_socket *self = handle;
    self->paused = paused;
    watch_events(self);
}

static void close_stream(void *handle)
{
    struct server_socket *self = handle;
    int fd = self->watch.fd;
    loop_remove(self->streams->loop, &self->watch);
    close(fd);
}

const struct vm_stream server_stream = {
    .open = open_stream, .send = send_bytes, .pause = pause_stream, .close = close_stream};
