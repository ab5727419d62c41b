/* SPDX-License-Identifier: MIT
 *
 * The rights to name a file, in a process of their own. Whoever may connect to any Unix socket can have
 * programs started, by a session bus or a container daemon; so the process that reads what the guest writes
 * may not. It asks this one, which knows two things: to connect to "<socket path>_<port>", and to remove the
 * sockets that are served.
 */
#ifndef VSOCK_BRIDGE_BROKER_H
#define VSOCK_BRIDGE_BROKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sockets.h"

#define BROKER_LISTENERS 2

struct broker {
    const char *socket_path;
    int channel; /* -1: not started; then the caller's own rights are used */
    pid_t process;
};

void broker_initialise(struct broker *broker, const char *socket_path);

/* Forks. The broker removes the listeners' files in the end: they are not the caller's any more. It ends when
 * the caller does. Returns 0 or a negative errno, after a log line. */
int broker_start(struct broker *broker, struct unix_listener *const listeners[BROKER_LISTENERS],
                 bool sandbox);

/* Connects to "<socket path>_<port>". Never waits long: connecting to a Unix socket succeeds or fails at
 * once. Returns the socket or a negative errno (-EPIPE: the broker is gone). */
int broker_connect(const struct broker *broker, uint32_t port);

/* The files are removed, and the broker has ended. */
void broker_end(struct broker *broker);

#endif
