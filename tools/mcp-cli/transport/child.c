/* SPDX-License-Identifier: MIT
 *
 * A server that is a program of our own: lines over its standard input and output (MCP, "Transports /
 * stdio"). What it writes on standard error, or on standard output beside the protocol, is shown as a remark.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "child_start.h"
#include "transport.h"

#define PATIENCE_MS 2000 /* for a program whose input was closed, and again after SIGTERM */
#define NAP_MS      10
#define REMARK_MAX  4096 /* bytes of a line of standard error; a longer one is shown in pieces */

struct child {
    struct transport base;
    struct transport_options options;
    pid_t pid;                  /* also of its group */
    int input, output, remarks; /* its standard input, output and error; -1: closed */
    size_t scanned;             /* bytes of `lines` known to have no newline */
    struct buffer lines, remark;
};

static void close_file(int *file)
{
    if (*file >= 0)
        close(*file);
    *file = -1;
}

/* Whole lines of standard error, and with `all` the rest. */
static void tell_remarks(struct child *child, bool all)
{
    struct buffer *remark = &child->remark;
    while (remark->length > 0) {
        char *newline = memchr(remark->bytes, '\n', remark->length);
        size_t length = newline ? (size_t)(newline - remark->bytes) : remark->length;
        if (!newline && !all && length < REMARK_MAX)
            return;
        if (child->options.remark)
            child->options.remark(child->options.remark_context, remark->bytes, length);
        buffer_drop(remark, length + (newline ? 1 : 0));
    }
}

static void read_remarks(struct child *child)
{
    char bytes[REMARK_MAX];
    ssize_t count = read(child->remarks, bytes, sizeof bytes);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count > 0)
        buffer_add(&child->remark, bytes, (size_t)count);
    else
        close_file(&child->remarks);
    tell_remarks(child, count <= 0);
}

/* The next message among the lines that are there. Lines that are no object or array are remarks: many
 * programs print a greeting. */
static enum status next_line(struct child *child, json_t **message, struct error *error)
{
    struct buffer *lines = &child->lines;
    for (;;) {
        char *newline = lines->length > child->scanned
                            ? memchr(lines->bytes + child->scanned, '\n', lines->length - child->scanned)
                            : NULL;
        if (!newline) {
            child->scanned = lines->length;
            return STATUS_OK;
        }
        size_t length = (size_t)(newline - lines->bytes);
        size_t blank = strspn(lines->bytes, " \t\r");
        enum status status = STATUS_OK;
        if (blank < length && (lines->bytes[blank] == '{' || lines->bytes[blank] == '['))
            status = transport_decode(lines->bytes, length, message, error);
        else if (blank < length && child->options.remark)
            child->options.remark(child->options.remark_context, lines->bytes, length);
        buffer_drop(lines, length + 1);
        child->scanned = 0;
        if (status != STATUS_OK || *message)
            return status;
    }
}

/* What stands on the standard output of a program that has ended: no messages any more. */
static void tell_rest(struct child *child)
{
    char bytes[4096];
    struct error ignored;
    json_t *message = NULL;
    ssize_t count;
    while ((count = read(child->output, bytes, sizeof bytes)) > 0 &&
           buffer_add(&child->lines, bytes, (size_t)count) == 0)
        ;
    while (next_line(child, &message, &ignored) == STATUS_OK && message) {
        json_decref(message);
        message = NULL;
    }
}

/* The program's output has ended: says how the program did. */
static enum status ended(struct child *child, struct error *error)
{
    int status = 0;
    pid_t done = 0;
    child->base.may_be_older = true;
    /* it may close its output a moment before it ends, and what it said last stands on standard error */
    for (int waited = 0; waited < PATIENCE_MS / 4 && done == 0; waited += NAP_MS) {
        while (child->remarks >= 0) {
            struct pollfd file = {.fd = child->remarks, .events = POLLIN};
            if (poll(&file, 1, 0) <= 0)
                break;
            read_remarks(child);
        }
        done = waitpid(child->pid, &status, WNOHANG);
        if (done == 0)
            poll(NULL, 0, NAP_MS);
    }
    tell_rest(child);
    if (done != child->pid)
        return error_set(error, STATUS_CONNECTION, "the server closed its standard output");
    kill(-child->pid, SIGTERM); /* what it has left behind */
    child->pid = -1;
    if (WIFSIGNALED(status))
        return error_set(error, STATUS_CONNECTION, "the server died of signal %d (%s)", WTERMSIG(status),
                         strsignal(WTERMSIG(status)));
    return error_set(error, STATUS_CONNECTION, "the server ended with exit status %d%s", WEXITSTATUS(status),
                     WEXITSTATUS(status) ? "; what it wrote stands above" : "");
}

/* write(2) without SIGPIPE, which is for our own standard output. */
static ssize_t write_quietly(int file, const char *bytes, size_t length)
{
    sigset_t pipe, before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipe, &before);
    ssize_t count = write(file, bytes, length);
    if (count < 0 && errno == EPIPE) {
        sigtimedwait(&pipe, NULL, &(struct timespec){0});
        errno = EPIPE;
    }
    int cause = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = cause;
    return count;
}

/* Waits for the files of the program: `to_write` for its input, else for its output; remarks are read on the
 * way. STATUS_OK with *ready false: nothing within wait_ms. */
static enum status wait_child(struct child *child, bool to_write, int64_t wait_ms, bool *ready,
                              struct error *error)
{
    int64_t deadline = clock_ms() + wait_ms;
    *ready = false;
    for (;;) {
        struct pollfd files[2] = {
            {.fd = to_write ? child->input : child->output, .events = to_write ? POLLOUT : POLLIN},
            {.fd = child->remarks, .events = POLLIN}};
        int result = wait_for_files(files, 2, deadline - clock_ms());
        if (result == -ETIMEDOUT)
            return STATUS_OK;
        if (result == -EINTR && interrupt_take())
            return error_set(error, STATUS_INTERRUPTED, "interrupted");
        if (result < 0)
            return error_set(error, STATUS_CONNECTION, "%s", strerror(-result));
        if (files[1].revents)
            read_remarks(child);
        if (files[0].revents) {
            *ready = true;
            return STATUS_OK;
        }
        if (files[1].revents && clock_ms() >= deadline)
            return STATUS_OK; /* a program that only writes remarks */
    }
}

static enum status write_all(struct child *child, const char *bytes, size_t length, int64_t timeout_ms,
                             struct error *error)
{
    while (length > 0) {
        ssize_t count = write_quietly(child->input, bytes, length);
        if (count >= 0) {
            bytes += count;
            length -= (size_t)count;
            continue;
        }
        if (errno == EPIPE)
            return ended(child, error);
        if (errno != EAGAIN && errno != EINTR)
            return error_set(error, STATUS_CONNECTION, "%s", strerror(errno));
        bool ready;
        enum status status = wait_child(child, true, timeout_ms, &ready, error);
        if (status != STATUS_OK)
            return status;
        if (!ready)
            return error_set(error, STATUS_CONNECTION, "the server does not read its standard input");
    }
    return STATUS_OK;
}

static enum status child_send(struct transport *transport, const json_t *message, const json_t *headers,
                              int64_t timeout_ms, struct error *error)
{
    struct child *child = (struct child *)transport;
    char *text = NULL;
    size_t length = 0;
    (void)headers;
    enum status status = transport_encode(message, BUFFER_MAX, &text, &length, error);
    if (status == STATUS_OK && child->input < 0)
        status = error_set(error, STATUS_CONNECTION, "the server has ended");
    if (status == STATUS_OK)
        status = write_all(child, text, length, timeout_ms, error);
    if (status == STATUS_OK)
        status = write_all(child, "\n", 1, timeout_ms, error);
    free(text);
    return status;
}

static enum status child_receive(struct transport *transport, int64_t wait_ms, json_t **message,
                                 struct error *error)
{
    struct child *child = (struct child *)transport;
    int64_t deadline = clock_ms() + wait_ms;
    static char bytes[65536];
    *message = NULL;
    for (;;) {
        enum status status = next_line(child, message, error);
        if (status != STATUS_OK || *message)
            return status;
        bool ready;
        status = wait_child(child, false, deadline - clock_ms(), &ready, error);
        if (status != STATUS_OK || !ready)
            return status;
        ssize_t count = read(child->output, bytes, sizeof bytes);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (count <= 0)
            return ended(child, error);
        transport->heard = clock_ms();
        int result = buffer_add(&child->lines, bytes, (size_t)count);
        if (result < 0)
            return error_set(error, STATUS_CONNECTION, "the server sends a line of more than %zu bytes: %s",
                             child->lines.length, strerror(-result));
    }
}

/* Waits until the program has ended. What it still writes is read, so that it can. */
static bool wait_for_end(struct child *child)
{
    int64_t deadline = clock_ms() + PATIENCE_MS;
    char bytes[4096];
    while (clock_ms() < deadline) {
        if (waitpid(child->pid, NULL, WNOHANG) != 0)
            return true;
        struct pollfd files[2] = {{.fd = child->output, .events = POLLIN},
                                  {.fd = child->remarks, .events = POLLIN}};
        poll(files, 2, NAP_MS);
        if (files[0].revents && read(child->output, bytes, sizeof bytes) <= 0)
            close_file(&child->output);
        if (files[1].revents)
            read_remarks(child);
    }
    return false;
}

/* MCP, "stdio / Shutdown": close its input, wait, then SIGTERM, then SIGKILL, to all of its group. */
static void child_close(struct transport *transport)
{
    struct child *child = (struct child *)transport;
    close_file(&child->input);
    if (child->pid > 0 && !wait_for_end(child)) {
        kill(-child->pid, SIGTERM);
        if (!wait_for_end(child)) {
            kill(-child->pid, SIGKILL);
            waitpid(child->pid, NULL, 0);
        }
    }
    close_file(&child->output);
    close_file(&child->remarks);
    tell_remarks(child, true);
    buffer_release(&child->lines);
    buffer_release(&child->remark);
    free(child);
}

enum status child_open(struct transport **transport, const struct transport_options *options,
                       struct error *error)
{
    static const struct transport_operations operations = {
        .send = child_send, .receive = child_receive, .close = child_close};
    struct child *child = calloc(1, sizeof *child);
    if (!child)
        return error_set(error, STATUS_CONNECTION, "out of memory");
    child->options = *options;
    child->base.operations = &operations;
    enum status status = child_start(options->endpoint->entry, &child->pid, &child->input, &child->output,
                                     &child->remarks, error);
    if (status != STATUS_OK) {
        free(child);
        return status;
    }
    *transport = &child->base;
    return STATUS_OK;
}
