/* SPDX-License-Identifier: MIT
 *
 * The server's end of the channel to the keeper.
 */
#include "keeper_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int keeper_connect(const struct keeper_link *link, uint32_t port)
{
    const struct keeper_order order = {.kind = KEEPER_CONNECT, .argument = port};
    union keeper_descriptors control;
    int32_t result;
    struct iovec piece = {.iov_base = &result, .iov_len = sizeof result};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof control.space};
    const struct cmsghdr *part;
    int socket;

    if (link->channel < 0)
        return sockets_connect_port(link->socket_path, port);
    if (send(link->channel, &order, sizeof order, MSG_NOSIGNAL) < 0)
        return -errno;
    if (recvmsg(link->channel, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof result)
        return -EPIPE;
    if (result < 0)
        return result;
    part = CMSG_FIRSTHDR(&message);
    if (part == NULL || part->cmsg_type != SCM_RIGHTS || part->cmsg_len != CMSG_LEN(sizeof socket))
        return -EMFILE; /* how the kernel says that there is no room for it */
    memcpy(&socket, CMSG_DATA(part), sizeof socket);
    return socket;
}

void keeper_keep(const struct keeper_link *link, unsigned slot, const void *bytes, size_t size,
                 const int *descriptors, unsigned count)
{
    struct keeper_order order = {.kind = KEEPER_KEEP, .argument = slot};
    union keeper_descriptors control = {0};
    struct iovec pieces[2] = {{.iov_base = &order, .iov_len = sizeof order}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 1};

    if (link->channel < 0)
        return;
    if (size > 0) {
        memcpy(order.bytes, bytes, size);
        order.size = (uint32_t)size;
    }
    if (count > 0) {
        struct cmsghdr *part;

        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(part), descriptors, count * sizeof(int));
    }
    /* If the keeper is gone, this process ends in a moment. */
    (void)sendmsg(link->channel, &message, MSG_NOSIGNAL);
}
