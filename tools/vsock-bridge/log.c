/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Less than a pipe takes in one piece (PIPE_BUF). */
#define LOG_LINE_MAX 1024

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static enum log_level most = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    most = level;
}

bool log_shows(enum log_level level)
{
    return level <= most;
}

int log_parse_level(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* Takes one line out of the allowance. Returns whether there was one. */
static bool allowed(void)
{
    static time_t allowance = LOG_BURST;
    static time_t last;
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec != last) {
        time_t earned = (now.tv_sec - last) * LOG_PER_SECOND;

        allowance = earned < LOG_BURST - allowance ? allowance + earned : LOG_BURST;
        last = now.tv_sec;
    }
    if (allowance == 0)
        return false;
    allowance--;
    return true;
}

/* Writes the line in one piece, so that the lines of several processes on one terminal stay whole. Whoever
 * reads the log may have stopped, and the disk may be full: nobody waits for that. */
static bool put(const char *level, const char *text)
{
    struct pollfd errors = {.fd = STDERR_FILENO, .events = POLLOUT};
    char line[LOG_LINE_MAX];
    int size = snprintf(line, sizeof line, "vsock-bridge: %s: %s\n", level, text);

    if (poll(&errors, 1, 0) != 1 || (errors.revents & POLLOUT) == 0)
        return false;
    return write(STDERR_FILENO, line, (size_t)size) == (ssize_t)size;
}

void log_line(enum log_level level, const char *format, ...)
{
    static unsigned left_out;
    char text[LOG_LINE_MAX / 2];
    va_list arguments;

    if (!log_shows(level))
        return;
    if (level != LOG_LEVEL_DEBUG && !allowed()) {
        left_out++;
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (left_out > 0 && level != LOG_LEVEL_DEBUG) {
        char count[64];

        (void)snprintf(count, sizeof count, "%u lines were left out", left_out);
        if (put(level_names[LOG_LEVEL_WARNING], count))
            left_out = 0;
    }
    if (!put(level_names[level], text))
        left_out++;
}
