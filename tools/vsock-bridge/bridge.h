/* SPDX-License-Identifier: MIT
 *
 * The whole: listeners, one VM, its vsock device. One thread, no globals but the log level.
 */
#ifndef VSOCK_BRIDGE_BRIDGE_H
#define VSOCK_BRIDGE_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "broker.h"
#include "device.h"
#include "loop.h"
#include "sockets.h"
#include "vhost_user.h"

struct bridge_options {
    const char *vhost_path;  /* where QEMU connects */
    const char *socket_path; /* where clients connect */
    const char *tcp_address; /* or NULL */
    uint32_t guest_cid;
    uint32_t direct_port;
    bool once;       /* end with the first VM */
    bool no_sandbox; /* keep all rights */
};

struct bridge {
    const struct bridge_options *options;
    struct loop loop;
    struct unix_listener vhost_listener, client_listener;
    struct broker broker;
    struct watch vhost_watch, client_watch, tcp_watch, signal_watch;
    struct vhost_user vm;
    struct device device;
    bool busy; /* the device has more to do */
    bool ended;
};

/* Opens all sockets. `options` must outlive the bridge. Returns 0 or a negative errno, after a log line; then
 * nothing is left behind. */
int bridge_open(struct bridge *bridge, const struct bridge_options *options);

/* Ends when one of the signals that `signal_fd` (a signalfd) reports comes. The descriptor is taken over. */
int bridge_end_on_signal(struct bridge *bridge, int signal_fd);

/* Gives up the rights that serving does not need (sandbox.h): to be called when all sockets are there and
 * nothing was received. What needs a right goes to a process of its own (broker.h); with `sandbox` false that
 * is all. Returns 0 or a negative errno, after a log line. */
int bridge_confine(struct bridge *bridge, bool sandbox);

/* Waits at most `timeout` milliseconds (-1: for ever) for events and handles them. Returns 0 or a negative
 * errno. */
int bridge_step(struct bridge *bridge, int timeout);

/* Closes all connections and sockets and removes the latter's files. */
void bridge_close(struct bridge *bridge);

#endif
