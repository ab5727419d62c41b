/* SPDX-License-Identifier: MIT
 *
 * Sockets of the host. All are non-blocking and close-on-exec.
 */
#ifndef VSOCK_BRIDGE_SOCKETS_H
#define VSOCK_BRIDGE_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/un.h>

/* A Unix socket that this process serves. */
struct unix_listener {
    int fd; /* -1: none */
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    dev_t device; /* which file the path named when it was bound */
    ino_t inode;
};

/* Listens on `path` with mode 0600 from the first moment. A socket that nobody serves any more is replaced;
 * one that another process serves, and any other file, is not. Returns 0 or a negative errno, after a log
 * line. */
int sockets_listen_unix(struct unix_listener *listener, const char *path);

/* Removes the listener's file, unless another one has taken its place. */
void sockets_remove_unix(const struct unix_listener *listener);

/* The file is somebody else's to remove. */
void sockets_disown_unix(struct unix_listener *listener);

/* Closes the listener, and removes its file if that was not disowned. */
void sockets_close_unix(struct unix_listener *listener);

/* Listens on "127.0.0.1:5000" or "[::1]:5000"; other addresses than those of the loopback interface are
 * refused, since nobody is asked for a password here. Returns the socket or a negative errno, after a log
 * line. */
int sockets_listen_tcp(const char *address);

/* Takes one client. Returns its socket or a negative errno, -EAGAIN when there is none. */
int sockets_accept(int listener);

/* Connects to the Unix socket "<path>_<port>". Returns the socket or a negative errno. */
int sockets_connect_port(const char *path, uint32_t port);

#endif
