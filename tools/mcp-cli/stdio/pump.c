/* SPDX-License-Identifier: MIT */
#include "pump.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct buffer {
    char *bytes;       /* PUMP_SIZE of them */
    size_t begin, end; /* what waits to be written */
};

struct pump {
    int input, output, server;
    bool output_is_socket;
    bool input_ended; /* nothing more comes from the host */
    bool deaf;        /* the server takes nothing more */
    bool lost;        /* some of the input was not taken */
    bool ended;       /* nothing more comes from the server */
    struct buffer up, down;
};

static bool is_empty(const struct buffer *buffer)
{
    return buffer->begin == buffer->end;
}

static bool is_temporary(int cause)
{
    return cause == EAGAIN || cause == EWOULDBLOCK || cause == EINTR;
}

/* Into an empty buffer. Returns 0 or an errno; *ended at the end of the stream. */
static int fill(struct buffer *buffer, int from, bool *ended)
{
    ssize_t count = read(from, buffer->bytes, PUMP_SIZE);
    if (count < 0)
        return is_temporary(errno) ? 0 : errno;
    *ended = count == 0;
    buffer->begin = 0;
    buffer->end = (size_t)count;
    return 0;
}

static int drained(struct buffer *buffer, ssize_t count)
{
    if (count < 0)
        return is_temporary(errno) ? 0 : errno;
    buffer->begin += (size_t)count;
    return 0;
}

/* poll(2) has said that the output takes something. Where one write may wait although it has, it is short
 * enough: a pipe with room for anything has room for PIPE_BUF bytes (pipe(7)). */
static int write_output(struct pump *pump)
{
    struct buffer *down = &pump->down;
    const char *bytes = down->bytes + down->begin;
    size_t size = down->end - down->begin;
    if (pump->output_is_socket)
        return drained(down, send(pump->output, bytes, size, MSG_DONTWAIT));
    return drained(down, write(pump->output, bytes, size < PIPE_BUF ? size : PIPE_BUF));
}

/* A server that takes no more may still have something to say: why, for example. */
static void write_server(struct pump *pump)
{
    struct buffer *up = &pump->up;
    if (drained(up, send(pump->server, up->bytes + up->begin, up->end - up->begin, MSG_DONTWAIT)) != 0) {
        pump->deaf = true;
        pump->lost = true;
    }
}

static void read_server(struct pump *pump)
{
    /* ECONNRESET and the like: it is gone, before it has read all that it was sent. */
    if (fill(&pump->down, pump->server, &pump->ended) != 0) {
        pump->ended = true;
        pump->lost = true;
    }
}

static int read_input(struct pump *pump)
{
    int cause = fill(&pump->up, pump->input, &pump->input_ended);
    if (pump->input_ended)
        (void)shutdown(pump->server, SHUT_WR);
    return cause;
}

/* A host that has closed both of its ends has gone, and misses nothing. */
static enum pump_end output_failed(const struct pump *pump, int cause)
{
    return pump->input_ended && cause == EPIPE ? PUMP_HOST_GONE : PUMP_OUTPUT;
}

/* What is of no interest has the descriptor -1: an end that was seen would wake poll(2) again and again. */
static struct pollfd watch(int fd, short events)
{
    return (struct pollfd){.fd = events != 0 ? fd : -1, .events = events};
}

enum pump_end pump_run(int input, int output, int server, int *cause)
{
    static char up[PUMP_SIZE], down[PUMP_SIZE]; /* not on the stack, and not from the heap */
    struct pump pump = {
        .input = input, .output = output, .server = server, .up = {.bytes = up}, .down = {.bytes = down}};
    struct stat status;

    pump.output_is_socket = fstat(output, &status) == 0 && S_ISSOCK(status.st_mode);
    *cause = 0;
    while (!pump.ended || !is_empty(&pump.down)) {
        short from_host = is_empty(&pump.up) && !pump.input_ended && !pump.deaf ? POLLIN : 0;
        short to_server = !is_empty(&pump.up) && !pump.deaf ? POLLOUT : 0;
        short from_server = is_empty(&pump.down) && !pump.ended ? POLLIN : 0;
        short to_host = is_empty(&pump.down) ? 0 : POLLOUT;
        struct pollfd fds[] = {
            watch(input, from_host),
            watch(server, (short)(from_server | to_server)),
            {.fd = output, .events = to_host}, /* always: so the end of an idle host is seen */
        };
        if (poll(fds, 3, -1) < 0) {
            if (errno == EINTR)
                continue;
            *cause = errno;
            return PUMP_SYSTEM;
        }
        if (fds[0].revents != 0 && (*cause = read_input(&pump)) != 0)
            return PUMP_INPUT;
        if (fds[2].revents != 0)
            *cause = fds[2].revents & POLLOUT ? write_output(&pump) : EPIPE;
        if (*cause != 0)
            return output_failed(&pump, *cause);
        if (to_server != 0 && (fds[1].revents & ~POLLIN))
            write_server(&pump);
        if (from_server != 0 && (fds[1].revents & ~POLLOUT))
            read_server(&pump);
    }
    return pump.input_ended && !pump.lost ? PUMP_ANSWERED : PUMP_SERVER_ENDED;
}
