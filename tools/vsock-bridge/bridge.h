/* SPDX-License-Identifier: MIT
 *
 * The whole: listeners, one VM, its vsock device. One thread, no globals but the log level.
 */
#ifndef VSOCK_BRIDGE_BRIDGE_H
#define VSOCK_BRIDGE_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "device.h"
#include "keeper.h"
#include "loop.h"
#include "sockets.h"
#include "vhost_user.h"

struct bridge_options {
    const char *vhost_path;  /* where QEMU connects */
    const char *socket_path; /* where clients connect */
    const char *admin_path;  /* where those connect whose source ports are below 1024; or NULL */
    const char *tcp_address; /* or NULL */
    uint32_t guest_cid;
    uint32_t direct_port;
    bool once;       /* end with the first VM */
    bool no_sandbox; /* keep all rights */
};

struct bridge {
    const struct bridge_options *options;
    struct loop loop;
    struct unix_listener vhost_listener, client_listener, admin_listener;
    struct keeper_link keeper;
    struct watch vhost_watch, client_watch, admin_watch, tcp_watch, end_watch;
    struct vhost_user vm;
    struct device device;
    bool busy;         /* the device has more to do */
    bool clients_wait; /* accepting them failed */
    bool ended;
};

/* Opens all sockets, but serves nobody yet. `options` must outlive the bridge. Returns 0 or a negative errno,
 * after a log line; then nothing is left behind. */
int bridge_listen(struct bridge *bridge, const struct bridge_options *options);

/* Begins to serve, in the process that calls it. Returns 0 or a negative errno, after a log line. */
int bridge_start(struct bridge *bridge);

/* Both, for a bridge without a keeper. */
int bridge_open(struct bridge *bridge, const struct bridge_options *options);

/* Ends when `descriptor` has something to read or its other side is closed: a signalfd, the channel to the
 * keeper. The descriptor is taken over. Returns 0 or a negative errno. */
int bridge_end_with(struct bridge *bridge, int descriptor);

/* The keeper is at the other end of `channel`; `slots` are what it holds of a VM, and `ports`
 * (CONNECTIONS_MAX) is memory that it shares with each server, zeros at first. */
void bridge_restore(struct bridge *bridge, int channel, const struct kept *slots, uint64_t *ports);

/* Waits at most `timeout` milliseconds (-1: for ever, or until waiting clients are tried again) for events
 * and handles them. Returns 0 or a negative errno. */
int bridge_step(struct bridge *bridge, int timeout);

/* Closes all connections and sockets and removes the latter's files. */
void bridge_close(struct bridge *bridge);

#endif
