/* SPDX-License-Identifier: MIT
 *
 * The program is two processes. The server reads what guests, QEMU and clients write, and has next to no
 * rights. The keeper reads nothing of that. It has what must not be in the server's hands or must not end
 * with it:
 *
 * - the rights to name a file: to connect to "<socket path>_<port>" for a guest, and to remove the sockets in
 * the end. Who may connect to any Unix socket can have programs started, by a session bus or a container
 * daemon;
 * - the listening sockets, so that clients find them whatever happens to the server;
 * - slots in which the server keeps what it knows of a running VM. When the server is killed or crashes, the
 * next one takes over from there; QEMU does not notice.
 */
#ifndef VSOCK_BRIDGE_KEEPER_H
#define VSOCK_BRIDGE_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sockets.h"

#define KEEPER_LISTENERS       3
#define KEEPER_SLOTS           24
#define KEEPER_BYTES_MAX       524 /* the longest vhost-user message */
#define KEEPER_DESCRIPTORS_MAX 8

/* A server that ends is started again this often at once, and once per second after that: a guest that can
 * make it crash shall not try out its address space in a hurry. */
#define KEEPER_RESTARTS 50

/* What one slot holds. */
struct kept {
    uint32_t size;
    unsigned descriptor_count;
    int descriptors[KEEPER_DESCRIPTORS_MAX];
    uint8_t bytes[KEEPER_BYTES_MAX];
};

/* --- in the server --- */

struct keeper_link {
    const char *socket_path;
    int channel; /* -1: there is no keeper; then the caller's own rights are used, and nothing is kept */
};

/* Connects to "<socket path>_<port>". Never waits long: connecting to a Unix socket succeeds or fails at
 * once. Returns the socket or a negative errno (-EPIPE: the keeper is gone). */
int keeper_connect(const struct keeper_link *link, uint32_t port);

/* Keeps copies in place of what the slot holds: nothing, when there are neither bytes nor descriptors. */
void keeper_keep(const struct keeper_link *link, unsigned slot, const void *bytes, size_t size,
                 const int *descriptors, unsigned count);

/* --- in the keeper --- */

struct keeper {
    const char *socket_path;
    struct unix_listener *listeners[KEEPER_LISTENERS]; /* or NULL; their files are removed in the end */
    int signal_fd;                                     /* SIGCHLD and the signals that end the program */
    bool sandbox;

    /* The server's life, in a process of its own: `slots` (KEEPER_SLOTS) are what the one before it kept, and
     * all descriptors in them are its own. Its result is the exit status. */
    int (*serve)(void *context, int channel, const struct kept *slots);
    void *context;

    int channel;
    pid_t server;
    struct kept slots[KEEPER_SLOTS];
};

/* Runs servers until one ends by itself or a signal ends the program. Returns the exit status, or a negative
 * errno, after a log line. */
int keeper_run(struct keeper *keeper);

#endif
