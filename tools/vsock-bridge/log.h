/* SPDX-License-Identifier: MIT
 *
 * Log lines on standard error: "vsock-bridge: warning: ...". Texts name what was wrong and what to do next.
 *
 * Guests and clients cause lines. So that none of them fills a disk, LOG_BURST lines may come at once and
 * LOG_PER_SECOND after that; debug lines are exempt. Lines that nobody takes are dropped rather than waited
 * for. Those left out are counted, and the count is a line.
 */
#ifndef VSOCK_BRIDGE_LOG_H
#define VSOCK_BRIDGE_LOG_H

#include <stdbool.h>

#define LOG_BURST      200
#define LOG_PER_SECOND 5

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above this level are left out. Info at the start. */
void log_set_level(enum log_level level);
bool log_shows(enum log_level level);

/* Parses "error", "warning", "info" or "debug". Returns 0 or -EINVAL. */
int log_parse_level(const char *name, enum log_level *level);

__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
