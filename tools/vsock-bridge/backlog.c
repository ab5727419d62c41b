/* SPDX-License-Identifier: MIT */
#include "backlog.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

int backlog_append(struct backlog *backlog, struct segments *segments, size_t size)
{
    size_t end = (backlog->start + backlog->used) % BACKLOG_SIZE;
    size_t to_the_edge = BACKLOG_SIZE - end;
    size_t first = size < to_the_edge ? size : to_the_edge;

    if (backlog->bytes == NULL) {
        backlog->bytes = malloc(BACKLOG_SIZE);
        if (backlog->bytes == NULL)
            return -ENOMEM;
    }
    segments_copy_out(segments, backlog->bytes + end, first);
    segments_copy_out(segments, backlog->bytes, size - first);
    backlog->used += size;
    return 0;
}

ssize_t backlog_send(struct backlog *backlog, int socket)
{
    size_t to_the_edge = BACKLOG_SIZE - backlog->start;
    size_t first = backlog->used < to_the_edge ? backlog->used : to_the_edge;
    struct iovec pieces[2] = {
        {.iov_base = backlog->bytes + backlog->start, .iov_len = first},
        {.iov_base = backlog->bytes, .iov_len = backlog->used - first},
    };
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};
    ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0)
        return -errno;
    backlog->start = (backlog->start + (size_t)sent) % BACKLOG_SIZE;
    backlog->used -= (size_t)sent;
    if (backlog->used == 0)
        backlog_clear(backlog);
    return sent;
}

void backlog_clear(struct backlog *backlog)
{
    free(backlog->bytes);
    *backlog = (struct backlog){0};
}
