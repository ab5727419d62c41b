/* SPDX-License-Identifier: MIT
 *
 * The event loop: an epoll set of watches. One thread; handlers never block.
 */
#ifndef VSOCK_BRIDGE_LOOP_H
#define VSOCK_BRIDGE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#define LOOP_BATCH 64

/* Embedded in whatever owns the descriptor. */
struct watch {
    int fd; /* -1: none */
    void (*ready)(struct watch *watch, uint32_t events);
};

struct loop {
    int epoll;
    /* The batch being dispatched: a handler may remove a watch whose event stands further on in it. */
    struct epoll_event batch[LOOP_BATCH];
    int batch_count;
};

/* Returns 0 or a negative errno. */
int loop_create(struct loop *loop);
void loop_destroy(struct loop *loop);

/* `events` are epoll's (EPOLLIN...). The descriptor stays the caller's. Returns 0 or a negative errno. */
int loop_add(struct loop *loop, struct watch *watch, uint32_t events);
void loop_change(struct loop *loop, struct watch *watch, uint32_t events);

/* Removes the watch and closes its descriptor; its handler is not called again. Does nothing when fd is -1.
 */
void loop_close(struct loop *loop, struct watch *watch);

/* Waits at most `timeout` milliseconds (-1: for ever) and calls the handlers of what is ready. Returns 0 or a
 * negative errno. */
int loop_run_once(struct loop *loop, int timeout);

#endif
