/* SPDX-License-Identifier: MIT
 *
 * logging: levelled lines into a ring that remembers the newest of them, and into sinks (a serial port, say).
 *
 * One log per program, as with syslog. Not reentrant: call it from tasks of one CPU, never from an interrupt
 * handler (handlers only mark and wake). A panic may call log_write at any moment: the ring may then lose the
 * line that was being written, never more. Needs only memcpy, memset, memcmp and strlen.
 */
#ifndef LOGGING_LOG_H
#define LOGGING_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* The most bytes of text in a line (the terminating NUL not counted). A longer one is cut at a character and
 * ends in "...". */
#define LOG_LINE_MAX 255

/* One line as log_read returns it. */
struct log_entry {
    uint64_t sequence; /* 0 for the first line ever written, then 1, 2, ... */
    uint64_t time_us;  /* what the clock said, microseconds, monotonic */
    enum log_level level;
    char subsystem[16];          /* NUL-terminated; longer tags are cut */
    char text[LOG_LINE_MAX + 1]; /* NUL-terminated, valid UTF-8, no control character but tab */
    size_t text_length;
};

/* The most bytes of a line as log_line_format writes it (the terminating NUL not counted). */
#define LOG_FORMATTED_MAX (LOG_LINE_MAX + 55)

/* Writes "[    0.001234] INFO  vsock: text\n" and a NUL; `size` bytes, of which LOG_FORMATTED_MAX + 1 are
 * always enough. Returns the length, as log_format does. */
size_t log_line_format(const struct log_entry *entry, char *text, size_t size);

/* Receives every line that passes the level, once, as it is written. `line` is "[    0.001234] INFO  vsock:
 * text\n", with a NUL after `length` bytes, and is valid during the call only. A sink must not call
 * log_write; one that does (it panics, say) is stopped after three levels. */
typedef void (*log_sink)(void *context, enum log_level level, const char *line, size_t length);

struct log_config {
    void *ring;                 /* storage for the ring, owned by the caller, kept until the program ends */
    size_t ring_size;           /* bytes; at least LOG_RING_MIN */
    uint64_t (*clock_us)(void); /* monotonic microseconds; NULL: every line says 0 */
    enum log_level level;       /* lines above it are not written */
};

#define LOG_RING_MIN 1024

/* Starts (or restarts, empty) the log. Returns 0, or -EINVAL for a ring that is missing or too small.
 * Before it, log_write drops its lines. */
int log_initialise(const struct log_config *config);

/* Adds a sink (at most 4). Returns 0 or -ENOSPC. */
int log_add_sink(log_sink sink, void *context);

void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* "error", "warning", "info", "debug". log_level_parse returns 0 or -EINVAL. */
const char *log_level_name(enum log_level level);
int log_level_parse(const char *name, enum log_level *level);

/* Writes one line, without '\n'. Control characters other than tab, and bytes that are not UTF-8, are
 * replaced by '?', so that nobody forges a line or steers the terminal that shows it. The format is the
 * subset of log_format below. */
void log_write(enum log_level level, const char *subsystem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void log_write_v(enum log_level level, const char *subsystem, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* Reads the oldest line whose sequence is *cursor or later and whose level is at most `level`, and sets
 * *cursor behind it. Returns 1 and fills *entry, or 0 when there is none yet (then *cursor is where to go
 * on). Lines that the ring has overwritten are skipped; *lost, if not NULL, is set to how many lines between
 * the old *cursor and the returned one are gone. A *cursor from the future (of an earlier run, say) is set
 * back to the end. */
int log_read(uint64_t *cursor, enum log_level level, struct log_entry *entry, uint64_t *lost);

struct log_statistics {
    uint64_t written; /* lines ever written to the ring */
    uint64_t lost;    /* of these, overwritten */
    uint64_t oldest;  /* sequence of the oldest line still there (== written when empty) */
};
void log_get_statistics(struct log_statistics *statistics);

/* printf's subset that needs no libc: %d %i %u %x %X %p %c %s %%, flags 0, - and #, width and precision (also
 * *), length hh h l ll z. A NULL string is "(null)". From a conversion that it does not know on, the format
 * is copied as it stands. Always terminates `buffer` (size > 0) and returns the length the whole text would
 * have, like vsnprintf. */
size_t log_format(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
size_t log_format_v(char *buffer, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

#endif
