/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

int loop_open(struct loop *loop)
{
    *loop = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    return loop->epoll >= 0 ? 0 : -errno;
}

static void free_dead(struct loop *loop)
{
    while (loop->dead != NULL) {
        struct watch *watch = loop->dead;
        loop->dead = watch->next_dead;
        free(watch);
    }
}

void loop_close(struct loop *loop)
{
    free_dead(loop);
    close(loop->epoll);
}

int loop_add(struct loop *loop, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event) == 0 ? 0 : -errno;
}

void loop_change(struct loop *loop, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

void loop_remove(struct loop *loop, struct watch *watch)
{
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->event = NULL;
    watch->next_dead = loop->dead;
    loop->dead = watch;
}

void loop_run(struct loop *loop, int timeout_ms)
{
    struct epoll_event events[64];
    int count = epoll_wait(loop->epoll, events, 64, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data.ptr;
        if (watch->event != NULL)
            watch->event(watch, events[i].events);
    }
    free_dead(loop);
}
