/* SPDX-License-Identifier: MIT */
#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define RETRY_MS 20 /* between attempts while a Unix socket's queue of connections is full */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static void allow_interrupt(bool allow)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigprocmask(allow ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
}

void interrupt_ends(bool ends)
{
    struct sigaction action = {.sa_handler = ends ? SIG_DFL : on_interrupt};
    sigemptyset(&action.sa_mask);
    if (!ends)
        allow_interrupt(false);
    sigaction(SIGINT, &action, NULL);
    if (ends)
        allow_interrupt(true);
}

void interrupt_initialise(void)
{
    interrupt_ends(false);
}

bool interrupt_take(void)
{
    bool taken = interrupted != 0;
    interrupted = 0;
    return taken;
}

double clock_exact_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool interrupt_pending(void)
{
    allow_interrupt(true);
    allow_interrupt(false);
    return interrupted != 0;
}

int interrupt_file(void)
{
    static int file = -1;
    if (file < 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        file = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    }
    return file;
}

/* SIGINT is let through here alone, and atomically with the wait: it cannot fall between the check and
 * the wait. */
int wait_for_files(struct pollfd *files, size_t files_count, int64_t timeout_ms)
{
    int64_t deadline = clock_ms() + timeout_ms;
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    sigdelset(&mask, SIGINT);
    for (;;) {
        /* ppoll delivers no signal when bytes are there already: a flood would hide Ctrl-C */
        if (interrupt_pending())
            return -EINTR;
        int64_t left = deadline - clock_ms();
        left = left > 0 ? left : 0;
        struct timespec timeout = {.tv_sec = (time_t)(left / 1000), .tv_nsec = (long)(left % 1000) * 1000000};
        int count = ppoll(files, (nfds_t)files_count, &timeout, &mask);
        if (count > 0)
            return 0;
        if (count == 0)
            return -ETIMEDOUT;
        if (errno != EINTR) /* else Ctrl-C, or a signal that is no end (a resized window): look again */
            return -errno;
    }
}

/* The same for one file, or for time alone (fd -1). */
static int wait_for(int fd, short events, int64_t timeout_ms)
{
    struct pollfd file = {.fd = fd, .events = events};
    return wait_for_files(&file, fd < 0 ? 0 : 1, timeout_ms);
}

int interrupt_wait(int fd)
{
    int result;
    do
        result = wait_for(fd, POLLIN, INT32_MAX);
    while (result == -ETIMEDOUT);
    return result;
}

/* One attempt. Returns a connected, non-blocking socket or a negative errno. */
static int connect_once(const struct sockaddr *address, socklen_t length, int64_t deadline)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int result = 0;
    while (connect(fd, address, length) < 0 && errno != EISCONN) {
        if (errno == EAGAIN) { /* unix(7): the queue of the listener is full */
            result = wait_for(-1, 0, RETRY_MS);
            if (clock_ms() < deadline && (result == 0 || result == -ETIMEDOUT))
                continue;
        } else if (errno == EINPROGRESS || errno == EALREADY) {
            result = wait_for(fd, POLLOUT, deadline - clock_ms());
            int cause = 0;
            socklen_t size = sizeof cause;
            if (result == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &size) == 0 && cause == 0)
                continue; /* the next connect says EISCONN */
            if (cause != 0)
                result = -cause;
        } else {
            result = -errno;
        }
        close(fd);
        return result < 0 ? result : -ETIMEDOUT;
    }
    return fd;
}

static int connect_unix(const struct endpoint *endpoint, int64_t deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _Static_assert(sizeof address.sun_path == sizeof endpoint->path, "unix(7)");
    memcpy(address.sun_path, endpoint->path, sizeof address.sun_path);
    return connect_once((const struct sockaddr *)&address, sizeof address, deadline);
}

static int connect_vsock(const struct endpoint *endpoint, int64_t deadline)
{
    struct sockaddr_vm address = {
        .svm_family = AF_VSOCK, .svm_cid = endpoint->cid, .svm_port = endpoint->port};
    return connect_once((const struct sockaddr *)&address, sizeof address, deadline);
}

/* Sets *resolution to getaddrinfo's code when the name has no address. */
static int connect_tcp(const struct endpoint *endpoint, int64_t deadline, int *resolution)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    interrupt_ends(true); /* the resolver cannot be told to stop */
    *resolution = getaddrinfo(endpoint->host, endpoint->service, &hints, &addresses);
    interrupt_ends(false);
    if (*resolution != 0)
        return -EHOSTUNREACH;

    int fd = -EHOSTUNREACH;
    for (const struct addrinfo *each = addresses; each && fd < 0 && fd != -EINTR && fd != -ETIMEDOUT;
         each = each->ai_next)
        fd = connect_once(each->ai_addr, each->ai_addrlen, deadline);
    freeaddrinfo(addresses);
    if (fd >= 0) {
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes,
                   sizeof yes); /* one request, one answer: do not collect */
    }
    return fd;
}

/* What to do next, by kind and cause. */
static const char *advice(enum endpoint_kind kind, int cause)
{
    switch (kind) {
    case ENDPOINT_UNIX:
        if (cause == EACCES || cause == EPERM)
            return "The socket is another user's: run mcp-cli as the user who started the VM";
        break;
    case ENDPOINT_VSOCK:
        if (cause == EAFNOSUPPORT || cause == ENODEV)
            return "This host has no vsock (modprobe vhost_vsock loads it); --socket needs none";
        return "Is the VM running, with this CID? --socket names a Unix socket instead";
    case ENDPOINT_TCP:
        return "Is vsock-bridge running with --tcp, on this address?";
    case ENDPOINT_HTTP:
    case ENDPOINT_COMMAND:
        break; /* are no byte streams */
    }
    return "Start the VM with tools/run --detach, or name its socket with --socket";
}

enum status connection_open(struct connection *connection, const struct endpoint *endpoint,
                            int64_t timeout_ms, struct error *error)
{
    int64_t deadline = clock_ms() + timeout_ms;
    int resolution = 0;
    int fd = -EINVAL;
    connection->fd = -1;
    if (endpoint->kind == ENDPOINT_HTTP || endpoint->kind == ENDPOINT_COMMAND)
        return error_set(error, STATUS_USAGE, "%s: a socket is needed here, not a URL or a program",
                         endpoint->name);
    switch (endpoint->kind) {
    case ENDPOINT_UNIX:
        fd = connect_unix(endpoint, deadline);
        break;
    case ENDPOINT_VSOCK:
        fd = connect_vsock(endpoint, deadline);
        break;
    case ENDPOINT_TCP:
        fd = connect_tcp(endpoint, deadline, &resolution);
        break;
    case ENDPOINT_HTTP:
    case ENDPOINT_COMMAND:
        break;
    }
    if (fd >= 0) {
        connection->fd = fd;
        return STATUS_OK;
    }
    if (fd == -EINTR && interrupt_take())
        return error_set(error, STATUS_INTERRUPTED, "interrupted");
    const char *cause = resolution ? gai_strerror(resolution) : strerror(-fd);
    return error_set(error, STATUS_CONNECTION, "cannot connect to %s: %s. %s", endpoint->name, cause,
                     advice(endpoint->kind, -fd));
}

void connection_close(struct connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
}

ssize_t connection_receive(struct connection *connection, void *buffer, size_t size, int64_t timeout_ms)
{
    int64_t deadline = clock_ms() + timeout_ms;
    for (;;) {
        int result = wait_for(connection->fd, POLLIN, deadline - clock_ms());
        if (result < 0)
            return result;
        ssize_t count = recv(connection->fd, buffer, size, 0);
        if (count >= 0)
            return count;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
}

int connection_send(struct connection *connection, const void *bytes, size_t length, int64_t timeout_ms)
{
    const char *next = bytes;
    while (length > 0) {
        /* MSG_NOSIGNAL: SIGPIPE is for standard output, where it ends `mcp-cli logs -f | head` quietly */
        ssize_t count = send(connection->fd, next, length, MSG_NOSIGNAL);
        if (count >= 0) {
            next += count;
            length -= (size_t)count;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        int result = wait_for(connection->fd, POLLOUT, timeout_ms);
        if (result < 0)
            return result;
    }
    return 0;
}
