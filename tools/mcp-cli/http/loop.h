/* SPDX-License-Identifier: MIT
 *
 * What waits for file descriptors: private to daemon.c, peers.c and server_stream.c.
 */
#ifndef MCP_HTTP_LOOP_H
#define MCP_HTTP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "../connection.h"
#include "gateway.h"

struct watch;

struct loop {
    int epoll;
    struct watch *dead; /* freed once all events of a round are handled */
};

/* The first member of what is watched. */
struct watch {
    struct watch *next_dead;
    void (*event)(struct watch *watch, uint32_t events); /* NULL: dead */
    int fd;
};

/* 0 or a negative errno. */
int loop_open(struct loop *loop);
void loop_close(struct loop *loop);
int loop_add(struct loop *loop, struct watch *watch, uint32_t events);
void loop_change(struct loop *loop, struct watch *watch, uint32_t events);
/* It is freed (by free) after the round. */
void loop_remove(struct loop *loop, struct watch *watch);
/* Handles what is there, or comes within the time. */
void loop_run(struct loop *loop, int timeout_ms);

/* ---- server_stream.c ---- */

struct server_streams {
    struct loop *loop;
    struct gateway **gateway; /* is there before the first byte comes */
    const struct endpoint *endpoint;
};

extern const struct vm_stream server_stream; /* its context is a struct server_streams */

#endif
