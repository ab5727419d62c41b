/* SPDX-License-Identifier: MIT */
#include "keeper_internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"

/* --- orders --- */

static void clear(struct kept *slot)
{
    for (unsigned i = 0; i < slot->descriptor_count; i++)
        (void)close(slot->descriptors[i]);
    slot->size = 0;
    slot->descriptor_count = 0;
}

/* Answers with 0 and the socket, or with a negative errno. */
static void answer(int channel, int socket)
{
    union keeper_descriptors control = {0};
    int32_t result = socket < 0 ? socket : 0;
    struct iovec piece = {.iov_base = &result, .iov_len = sizeof result};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    if (socket >= 0) {
        struct cmsghdr *part;

        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(sizeof socket);
        part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof socket);
        memcpy(CMSG_DATA(part), &socket, sizeof socket);
    }
    /* The server waits: it gets an answer without the socket when that cannot be passed (ETOOMANYREFS, say).
     */
    if (sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && socket >= 0) {
        result = -errno;
        (void)send(channel, &result, sizeof result, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (socket >= 0)
        (void)close(socket);
}

/* The server may be in the hands of a guest: what it says is checked like anything else from outside. */
static void obey(struct keeper *keeper, const struct keeper_order *order, size_t size, struct kept *received)
{
    const size_t head = offsetof(struct keeper_order, bytes);

    if (size == sizeof *order && order->kind == KEEPER_CONNECT) {
        answer(keeper->channel, sockets_connect_port(keeper->socket_path, order->argument));
    } else if (size == sizeof *order && order->kind == KEEPER_KEEP && order->argument < KEEPER_SLOTS &&
               order->size <= sizeof order->bytes) {
        struct kept *slot = &keeper->slots[order->argument];

        clear(slot);
        *slot = *received;
        slot->size = order->size;
        memcpy(slot->bytes, (const uint8_t *)order + head, order->size);
        received->descriptor_count = 0;
    }
}

/* More than the channel holds. */
#define LAST_ORDERS_MAX 1024

bool keeper_take_order(struct keeper *keeper, bool *ended)
{
    union keeper_descriptors control;
    struct keeper_order order;
    struct iovec piece = {.iov_base = &order, .iov_len = sizeof order};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof control.space};
    struct kept received = {0};
    ssize_t size = recvmsg(keeper->channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    *ended = size == 0;
    if (size <= 0)
        return false;
    for (const struct cmsghdr *part = CMSG_FIRSTHDR(&message); part != NULL;
         part = CMSG_NXTHDR(&message, (struct cmsghdr *)part)) {
        size_t bytes = part->cmsg_len - CMSG_LEN(0);

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        memcpy(received.descriptors, CMSG_DATA(part),
               bytes); /* the kernel writes no more than there is room for */
        received.descriptor_count = (unsigned)(bytes / sizeof(int));
    }
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
        obey(keeper, &order, (size_t)size, &received);
    clear(&received);
    return true;
}

/* --- the server's process --- */

static _Noreturn void become_server(struct keeper *keeper, int channel)
{
    (void)close(keeper->channel);
    (void)close(keeper->signal_fd);
    for (unsigned i = 0; i < KEEPER_LISTENERS; i++) {
        if (keeper->listeners[i] != NULL)
            sockets_disown_unix(keeper->listeners[i]);
    }
    exit(keeper->serve(keeper->context, channel, keeper->slots));
}

/* Returns 0 or a negative errno. */
static int start_server(struct keeper *keeper)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    keeper->channel = ends[0];
    keeper->server = fork();
    if (keeper->server == 0)
        become_server(keeper, ends[1]);
    (void)close(ends[1]);
    if (keeper->server < 0) {
        (void)close(ends[0]);
        keeper->channel = -1;
        return -EAGAIN;
    }
    return 0;
}

/* Takes one restart out of the allowance. Waits until there is one. */
static void allow_restart(void)
{
    static time_t allowance = KEEPER_RESTARTS;
    static time_t last;
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    allowance =
        now.tv_sec - last < KEEPER_RESTARTS - allowance ? allowance + now.tv_sec - last : KEEPER_RESTARTS;
    last = now.tv_sec;
    if (allowance > 0)
        allowance--;
    else
        (void)poll(NULL, 0, 1000);
}

/* --- the whole --- */

/* What a signal means. */
static bool take_signal(const struct keeper *keeper)
{
    struct signalfd_siginfo information;

    if (read(keeper->signal_fd, &information, sizeof information) != (ssize_t)sizeof information ||
        information.ssi_signo == SIGCHLD)
        return false;
    log_info("ends by signal %u", information.ssi_signo);
    return true;
}

/* Runs one server. Returns its status as wait(2) has it, or -1 when a signal ends the program. */
static int run_server(struct keeper *keeper)
{
    struct pollfd events[2] = {{.fd = keeper->signal_fd, .events = POLLIN},
                               {.fd = keeper->channel, .events = POLLIN}};
    int status = 0;
    bool ended;

    while (waitpid(keeper->server, &status, WNOHANG) == 0) {
        (void)poll(events, 2, -1);
        if (events[0].revents != 0 && take_signal(keeper)) {
            (void)kill(keeper->server, SIGKILL);
            (void)waitpid(keeper->server, &status, 0);
            status = -1;
            break;
        }
        (void)keeper_take_order(keeper, &ended); /* one: a flood must not hide the signals */
        if (ended)
            events[1].fd = -1;
    }
    /* What it kept before it ended is kept; an end of the channel that it has given away is not listened to
     * for ever. */
    for (unsigned i = 0; i < LAST_ORDERS_MAX && keeper_take_order(keeper, &ended); i++)
        ;
    (void)close(keeper->channel);
    keeper->channel = -1;
    return status;
}

static int run_servers(struct keeper *keeper)
{
    const char *paths[KEEPER_LISTENERS + 1] = {NULL};
    unsigned count = 0;
    int status;

    for (unsigned i = 0; i < KEEPER_LISTENERS; i++) {
        if (keeper->listeners[i] != NULL && keeper->listeners[i]->fd >= 0)
            paths[count++] = keeper->listeners[i]->path;
    }

    if (keeper->sandbox) {
        int result = sandbox_enter(SANDBOX_KEEPER, paths);

        if (result != 0)
            return result;
    }
    while (true) {
        int result = start_server(keeper);

        if (result != 0) {
            log_error("the serving process cannot be started: %s", strerror(-result));
            return result;
        }
        status = run_server(keeper);
        if (status == -1)
            return EXIT_SUCCESS;
        if (WIFEXITED(status))
            return WEXITSTATUS(status);
        log_error("the serving process was ended by signal %d (%s); connections are lost, the VM is not",
                  WTERMSIG(status), strsignal(WTERMSIG(status)));
        allow_restart();
    }
}

int keeper_run(struct keeper *keeper)
{
    int result;

    keeper->channel = -1;
    memset(keeper->slots, 0, sizeof keeper->slots);
    result = run_servers(keeper);
    for (unsigned i = 0; i < KEEPER_SLOTS; i++)
        clear(&keeper->slots[i]);
    return result;
}
