/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

int loop_create(struct loop *loop)
{
    loop->batch_count = 0;
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll < 0 ? -errno : 0;
}

void loop_destroy(struct loop *loop)
{
    if (loop->epoll >= 0)
        (void)close(loop->epoll);
    loop->epoll = -1;
}

int loop_add(struct loop *loop, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event) < 0 ? -errno : 0;
}

void loop_change(struct loop *loop, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    (void)epoll_ctl(loop->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

void loop_close(struct loop *loop, struct watch *watch)
{
    if (watch->fd < 0)
        return;
    /* Explicitly: another process may hold a copy of the descriptor, and then closing alone removes nothing.
     */
    (void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    (void)close(watch->fd);
    watch->fd = -1;
    for (int i = 0; i < loop->batch_count; i++) {
        if (loop->batch[i].data.ptr == watch)
            loop->batch[i].data.ptr = NULL;
    }
}

int loop_run_once(struct loop *loop, int timeout)
{
    int count = epoll_wait(loop->epoll, loop->batch, LOOP_BATCH, timeout);

    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    loop->batch_count = count;
    for (int i = 0; i < count; i++) {
        struct watch *watch = loop->batch[i].data.ptr;

        if (watch != NULL)
            watch->ready(watch, loop->batch[i].events);
    }
    loop->batch_count = 0;
    return 0;
}
