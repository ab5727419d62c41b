/* SPDX-License-Identifier: MIT */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define SOCKET_FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)

/* --- Unix sockets --- */

static int unix_address(struct sockaddr_un *address, const char *path)
{
    size_t length = strlen(path);

    if (length == 0 || length >= sizeof address->sun_path)
        return -ENAMETOOLONG;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, path, length + 1);
    return 0;
}

static int unix_connect(const char *path)
{
    struct sockaddr_un address;
    int result = unix_address(&address, path);
    int fd;

    if (result != 0)
        return result;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCKET_FLAGS, 0);
    if (fd < 0)
        return -errno;
    /* On a Unix socket this succeeds or fails at once. */
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        result = -errno;
        (void)close(fd);
        return result;
    }
    return fd;
}

/* Removes a socket at `path` that nobody serves. Returns 0 when the path is free. */
static int remove_stale(const char *path)
{
    struct stat status;
    int fd;

    if (lstat(path, &status) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode))
        return -EEXIST;
    fd = unix_connect(path);
    if (fd >= 0)
        (void)close(fd);
    if (fd != -ECONNREFUSED)
        return fd == -EACCES || fd == -EPERM ? fd : -EADDRINUSE;
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* So that of two that find the same stale socket, one does not remove what the other has put there. Whoever
 * holds the lock of a folder that all may write (/tmp) cannot keep others from starting: they wait a second.
 * Returns a descriptor that holds the lock, or -1. */
static int lock_folder_of(const char *path)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    const struct timespec pause = {.tv_nsec = 10000000};
    int fd;

    (void)snprintf(folder, sizeof folder, "%s", path);
    fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && i < 100; i++)
        (void)nanosleep(&pause, NULL);
    return fd;
}

static int bind_and_listen(struct unix_listener *listener, const struct sockaddr_un *address)
{
    struct stat status;
    mode_t mask;
    int result;

    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCKET_FLAGS, 0);
    if (listener->fd < 0)
        return -errno;
    mask = umask(0177);
    result = bind(listener->fd, (const struct sockaddr *)address, sizeof *address) < 0 ? -errno : 0;
    (void)umask(mask);
    if (result == 0 && lstat(address->sun_path, &status) == 0) {
        listener->device = status.st_dev;
        listener->inode = status.st_ino;
    }
    if (result == 0 && listen(listener->fd, SOMAXCONN) < 0)
        result = -errno;
    return result;
}

int sockets_listen_unix(struct unix_listener *listener, const char *path)
{
    struct sockaddr_un address;
    int result = unix_address(&address, path);
    int lock;

    *listener = (struct unix_listener){.fd = -1};
    if (result != 0) {
        log_error("cannot listen on %s: the path may have 1 to %zu bytes", path, sizeof address.sun_path - 1);
        return result;
    }
    memcpy(listener->path, address.sun_path, sizeof listener->path);
    lock = lock_folder_of(path);
    result = remove_stale(path);
    if (result == 0)
        result = bind_and_listen(listener, &address);
    if (lock >= 0)
        (void)close(lock);
    if (result == 0)
        return 0;
    if (result == -EADDRINUSE)
        log_error("cannot listen on %s: another process serves it; end that one or choose another path",
                  path);
    else if (result == -EEXIST)
        log_error("cannot listen on %s: the file there is not a socket; remove it or choose another path",
                  path);
    else
        log_error("cannot listen on %s: %s", path, strerror(-result));
    sockets_close_unix(listener);
    return result;
}

void sockets_remove_unix(const struct unix_listener *listener)
{
    struct stat status;

    if (listener->inode != 0 && lstat(listener->path, &status) == 0 && status.st_dev == listener->device &&
        status.st_ino == listener->inode)
        (void)unlink(listener->path);
}

void sockets_disown_unix(struct unix_listener *listener)
{
    listener->inode = 0;
}

void sockets_close_unix(struct unix_listener *listener)
{
    if (listener->fd < 0)
        return;
    sockets_remove_unix(listener);
    (void)close(listener->fd);
    listener->fd = -1;
}

int sockets_connect_port(const char *path, uint32_t port)
{
    char name[sizeof((struct sockaddr_un *)0)->sun_path + 16];
    int length = snprintf(name, sizeof name, "%s_%u", path, port);

    if (length < 0 || (size_t)length >= sizeof name)
        return -ENAMETOOLONG;
    return unix_connect(name);
}

/* --- TCP --- */

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in ipv4;

        memcpy(&ipv4, address, sizeof ipv4);
        return ntohl(ipv4.sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 ipv6;

        memcpy(&ipv6, address, sizeof ipv6);
        return IN6_IS_ADDR_LOOPBACK(&ipv6.sin6_addr);
    }
    return false;
}

/* Splits "127.0.0.1:5000" or "[::1]:5000" and resolves it, numbers only. */
static int resolve(const char *address, struct addrinfo **info)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    char host[64];
    const char *colon = strrchr(address, ':');
    size_t length = colon != NULL ? (size_t)(colon - address) : 0;

    if (length == 0 || length >= sizeof host || colon[1] == '\0')
        return -EINVAL;
    if (address[0] == '[' && address[length - 1] == ']') {
        address++;
        length -= 2;
    }
    memcpy(host, address, length);
    host[length] = '\0';
    return getaddrinfo(host, colon + 1, &hints, info) == 0 ? 0 : -EINVAL;
}

static int listen_tcp(const struct addrinfo *info)
{
    const int one = 1;
    int result;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCKET_FLAGS, 0);

    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    result = -errno;
    (void)close(fd);
    return result;
}

int sockets_listen_tcp(const char *address)
{
    struct addrinfo *info = NULL;
    int result = resolve(address, &info);

    if (result != 0) {
        log_error("cannot listen on %s: write an address like 127.0.0.1:5000 or [::1]:5000", address);
        return result;
    }
    if (is_loopback(info->ai_addr)) {
        result = listen_tcp(info);
        if (result < 0)
            log_error("cannot listen on %s: %s; choose another port or end what uses it", address,
                      strerror(-result));
    } else {
        log_error(
            "cannot listen on %s: there is no password here, so only the loopback addresses 127.0.0.1 and "
            "[::1] are allowed; forward the port (ssh -L) to reach it from elsewhere",
            address);
        result = -EPERM;
    }
    freeaddrinfo(info);
    return result;
}

int sockets_accept(int listener)
{
    const int one = 1;
    int fd = accept4(listener, NULL, NULL, SOCKET_FLAGS);

    if (fd < 0)
        return -errno;
    /* Fails on a Unix socket, which has no such delay. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}
