/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"

enum order { ORDER_CONNECT, ORDER_REMOVE };

struct request {
    uint32_t order;
    uint32_t port;
};

union descriptor_space {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr alignment;
};

void broker_initialise(struct broker *broker, const char *socket_path)
{
    *broker = (struct broker){.socket_path = socket_path, .channel = -1};
}

/* --- in the broker --- */

/* Answers with 0 and the socket, or with a negative errno. */
static void answer(int channel, int socket)
{
    union descriptor_space control = {0};
    int32_t result = socket < 0 ? socket : 0;
    struct iovec piece = {.iov_base = &result, .iov_len = sizeof result};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    if (socket >= 0) {
        struct cmsghdr *part;

        message.msg_control = control.space;
        message.msg_controllen = sizeof control.space;
        part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof socket);
        memcpy(CMSG_DATA(part), &socket, sizeof socket);
    }
    (void)sendmsg(channel, &message, MSG_NOSIGNAL);
    if (socket >= 0)
        (void)close(socket);
}

/* Serves until it is told to remove the files, or the other side is gone: who was killed leaves them, and the
 * next one to serve there replaces them. */
static void serve(int channel, const char *socket_path, struct unix_listener *const *listeners)
{
    struct request request;

    while (recv(channel, &request, sizeof request, 0) == (ssize_t)sizeof request) {
        if (request.order == ORDER_CONNECT) {
            answer(channel, sockets_connect_port(socket_path, request.port));
        } else if (request.order == ORDER_REMOVE) {
            for (unsigned i = 0; i < BROKER_LISTENERS; i++)
                sockets_remove_unix(listeners[i]);
            return;
        }
    }
}

/* Keeps its end of the channel and the log, nothing else. */
static void keep_only(int channel)
{
    (void)dup2(channel, 3);
    closefrom(4);
}

static _Noreturn void run(int channel, const char *socket_path, struct unix_listener *const *listeners,
                          bool sandbox)
{
    const char *const paths[] = {listeners[0]->path, listeners[1]->path, NULL};

    keep_only(channel);
    if (sandbox && sandbox_enter(SANDBOX_BROKER, paths) != 0)
        exit(EXIT_FAILURE);
    answer(3, -EAGAIN); /* ready: there is nothing yet */
    serve(3, socket_path, listeners);
    exit(EXIT_SUCCESS);
}

/* --- in the server --- */

int broker_start(struct broker *broker, struct unix_listener *const listeners[BROKER_LISTENERS], bool sandbox)
{
    int32_t ready;
    int ends[2];
    int result;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        result = -errno;
        log_error("a pair of sockets cannot be made: %s", strerror(-result));
        return result;
    }
    broker->process = fork();
    if (broker->process == 0)
        run(ends[1], broker->socket_path, listeners, sandbox);
    result = broker->process < 0 ? -errno : 0;
    (void)close(ends[1]);
    if (result != 0) {
        log_error("the process that connects for guests cannot be started: %s", strerror(-result));
        (void)close(ends[0]);
        return result;
    }
    broker->channel = ends[0];
    /* Whether it could enter its sandbox; if not, it has said why. */
    if (recv(broker->channel, &ready, sizeof ready, 0) != (ssize_t)sizeof ready) {
        (void)close(broker->channel);
        broker->channel = -1;
        return -EPERM;
    }
    for (unsigned i = 0; i < BROKER_LISTENERS; i++)
        sockets_disown_unix(listeners[i]);
    return 0;
}

int broker_connect(const struct broker *broker, uint32_t port)
{
    const struct request request = {.order = ORDER_CONNECT, .port = port};
    union descriptor_space control;
    int32_t result;
    struct iovec piece = {.iov_base = &result, .iov_len = sizeof result};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof control.space};
    const struct cmsghdr *part;
    int socket;

    if (broker->channel < 0)
        return sockets_connect_port(broker->socket_path, port);
    if (send(broker->channel, &request, sizeof request, MSG_NOSIGNAL) < 0)
        return -errno;
    if (recvmsg(broker->channel, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof result)
        return -EPIPE;
    if (result < 0)
        return result;
    part = CMSG_FIRSTHDR(&message);
    if (part == NULL || part->cmsg_type != SCM_RIGHTS || part->cmsg_len != CMSG_LEN(sizeof socket))
        return -EMFILE; /* how the kernel says that there is no room for it */
    memcpy(&socket, CMSG_DATA(part), sizeof socket);
    return socket;
}

void broker_end(struct broker *broker)
{
    const struct request request = {.order = ORDER_REMOVE};

    if (broker->channel < 0)
        return;
    (void)send(broker->channel, &request, sizeof request, MSG_NOSIGNAL);
    (void)close(broker->channel);
    broker->channel = -1;
    while (waitpid(broker->process, NULL, 0) < 0 && errno == EINTR)
        ;
}
