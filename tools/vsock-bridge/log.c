/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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

void log_line(enum log_level level, const char *format, ...)
{
    static unsigned left_out;
    char text[512];
    va_list arguments;

    if (!log_shows(level))
        return;
    if (level != LOG_LEVEL_DEBUG) {
        if (!allowed()) {
            left_out++;
            return;
        }
        if (left_out > 0)
            (void)fprintf(stderr, "vsock-bridge: warning: %u lines were left out, they came too fast\n",
                          left_out);
        left_out = 0;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    /* One call, so that the lines of several processes on one terminal stay whole. */
    (void)fprintf(stderr, "vsock-bridge: %s: %s\n", level_names[level], text);
}
