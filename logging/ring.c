/* SPDX-License-Identifier: MIT
 *
 * The log: a ring of whole lines, and the sinks.
 *
 * A record is a header, the tag and the text, and may wrap anywhere. Offsets into the ring count up for ever
 * (the place is the offset modulo the size), so that `head` and `tail` alone say what is in it, and a panic
 * that cuts log_write short at any instruction leaves a ring that holds whole lines only.
 */
#include "logging/log.h"

#include <errno.h>
#include <string.h>

#include "text.h"

#define SINKS_MAX 4

/* A panic may log while a line is being written, and the panic's own writing may fail once more. Deeper calls
 * can only come from a sink that logs, which would go on for ever. */
#define DEPTH_MAX 3

#define SUBSYSTEM_MAX (sizeof(((struct log_entry *)NULL)->subsystem) - 1)

struct record_header {
    uint64_t sequence;
    uint64_t time_us;
    uint16_t text_length;
    uint8_t subsystem_length;
    uint8_t level;
    uint8_t padding[4];
};
_Static_assert(sizeof(struct record_header) + SUBSYSTEM_MAX + LOG_LINE_MAX <= LOG_RING_MIN,
               "the smallest ring holds the longest line");

/* "[18446744073709.551615] DEBUG tag: text\n" */
_Static_assert(LOG_FORMATTED_MAX >= 40 + SUBSYSTEM_MAX + LOG_LINE_MAX, "every line fits");

static struct {
    unsigned char *storage;
    size_t size;
    uint64_t head;          /* where the next record goes */
    uint64_t tail;          /* where the oldest record is; == head when empty */
    uint64_t next_sequence; /* of the next record */

    /* Where the record of hint_sequence begins, so that reading all lines one after the other costs what they
     * cost, not their square. Used only while that record is still there. */
    uint64_t hint;
    uint64_t hint_sequence;

    enum log_level level;
    uint64_t (*clock_us)(void);
    unsigned depth;
    struct {
        log_sink call;
        void *context;
    } sinks[SINKS_MAX];
    size_t sink_count;
} the_log;

/* What is written before is in memory before what is written behind: a panic on this CPU sees it so. */
static void order_writes(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void ring_read(uint64_t offset, void *out, size_t length)
{
    size_t place = (size_t)(offset % the_log.size);
    size_t first = the_log.size - place;

    if (first > length)
        first = length;
    memcpy(out, the_log.storage + place, first);
    memcpy((unsigned char *)out + first, the_log.storage, length - first);
}

static void ring_write(uint64_t offset, const void *bytes, size_t length)
{
    size_t place = (size_t)(offset % the_log.size);
    size_t first = the_log.size - place;

    if (first > length)
        first = length;
    memcpy(the_log.storage + place, bytes, first);
    memcpy(the_log.storage, (const unsigned char *)bytes + first, length - first);
}

static size_t record_size(const struct record_header *header)
{
    return sizeof(*header) + header->subsystem_length + header->text_length;
}

static uint64_t oldest_sequence(void)
{
    struct record_header header;

    if (the_log.tail == the_log.head)
        return the_log.next_sequence;
    ring_read(the_log.tail, &header, sizeof(header));
    return header.sequence;
}

static void make_room(size_t size)
{
    while (the_log.head - the_log.tail + size > the_log.size) {
        struct record_header header;

        ring_read(the_log.tail, &header, sizeof(header));
        the_log.tail += record_size(&header);
    }
    order_writes();
}

static void ring_append(enum log_level level, uint64_t time_us, const char *subsystem,
                        size_t subsystem_length, const char *text, size_t text_length)
{
    struct record_header header = {
        .sequence = the_log.next_sequence,
        .time_us = time_us,
        .text_length = (uint16_t)text_length,
        .subsystem_length = (uint8_t)subsystem_length,
        .level = (uint8_t)level,
    };
    uint64_t place;

    make_room(record_size(&header));
    place = the_log.head;
    ring_write(place, &header, sizeof(header));
    ring_write(place + sizeof(header), subsystem, subsystem_length);
    ring_write(place + sizeof(header) + subsystem_length, text, text_length);

    /* Sequence first: a panic between the two leaves a gap, never two lines of one number. */
    order_writes();
    the_log.next_sequence = header.sequence + 1;
    order_writes();
    the_log.head = place + record_size(&header);
    order_writes();
}

static size_t format_line(char *line, size_t size, enum log_level level, uint64_t time_us,
                          const char *subsystem, const char *text)
{
    static const char *const names[] = {"ERROR", "WARN ", "INFO ", "DEBUG"};
    return log_format(line, size, "[%5llu.%06u] %s %s: %s\n", (unsigned long long)(time_us / 1000000),
                      (unsigned)(time_us % 1000000), names[level], subsystem, text);
}

size_t log_line_format(const struct log_entry *entry, char *text, size_t size)
{
    return format_line(text, size, entry->level, entry->time_us, entry->subsystem, entry->text);
}

static void feed_sinks(enum log_level level, uint64_t time_us, const char *subsystem, const char *text)
{
    char line[LOG_FORMATTED_MAX + 1];
    size_t length = format_line(line, sizeof(line), level, time_us, subsystem, text);

    for (size_t i = 0; i < the_log.sink_count; i++)
        the_log.sinks[i].call(the_log.sinks[i].context, level, line, length);
}

int log_initialise(const struct log_config *config)
{
    if (config->ring == NULL || config->ring_size < LOG_RING_MIN)
        return -EINVAL;
    memset(&the_log, 0, sizeof(the_log));
    the_log.storage = config->ring;
    the_log.size = config->ring_size;
    the_log.clock_us = config->clock_us;
    log_set_level(config->level);
    return 0;
}

int log_add_sink(log_sink sink, void *context)
{
    if (the_log.sink_count == SINKS_MAX)
        return -ENOSPC;
    the_log.sinks[the_log.sink_count].call = sink;
    the_log.sinks[the_log.sink_count].context = context;
    the_log.sink_count++;
    return 0;
}

void log_set_level(enum log_level level)
{
    the_log.level = (unsigned)level > LOG_DEBUG ? LOG_DEBUG : level;
}

enum log_level log_get_level(void)
{
    return the_log.level;
}

static const char *const level_names[] = {"error", "warning", "info", "debug"};

const char *log_level_name(enum log_level level)
{
    return (unsigned)level > LOG_DEBUG ? "unknown" : level_names[level];
}

int log_level_parse(const char *name, enum log_level *level)
{
    for (unsigned i = 0; i <= LOG_DEBUG; i++) {
        size_t length = strlen(level_names[i]);

        if (strlen(name) == length && memcmp(name, level_names[i], length) == 0) {
            *level = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

void log_write_v(enum log_level level, const char *subsystem, const char *format, va_list arguments)
{
    char text[LOG_LINE_MAX + 1];
    char tag[SUBSYSTEM_MAX + 1];
    size_t text_length;
    size_t tag_length;
    uint64_t time_us;

    if ((unsigned)level > LOG_DEBUG)
        level = LOG_DEBUG;
    if (the_log.storage == NULL || level > the_log.level || the_log.depth == DEPTH_MAX)
        return;
    the_log.depth++;
    time_us = the_log.clock_us != NULL ? the_log.clock_us() : 0;

    text_length = log_format_v(text, sizeof(text), format, arguments);
    text_length = text_fit(text, text_length, sizeof(text));
    tag_length = log_format(tag, sizeof(tag), "%s", subsystem != NULL ? subsystem : "");
    tag_length = text_fit(tag, tag_length < sizeof(tag) ? tag_length : sizeof(tag) - 1, sizeof(tag));

    ring_append(level, time_us, tag, tag_length, text, text_length);
    feed_sinks(level, time_us, tag, text);
    the_log.depth--;
}

void log_write(enum log_level level, const char *subsystem, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_write_v(level, subsystem, format, arguments);
    va_end(arguments);
}

static void read_entry(uint64_t place, const struct record_header *header, struct log_entry *entry)
{
    entry->sequence = header->sequence;
    entry->time_us = header->time_us;
    entry->level = (enum log_level)header->level;
    place += sizeof(*header);
    ring_read(place, entry->subsystem, header->subsystem_length);
    entry->subsystem[header->subsystem_length] = '\0';
    place += header->subsystem_length;
    ring_read(place, entry->text, header->text_length);
    entry->text[header->text_length] = '\0';
    entry->text_length = header->text_length;
}

int log_read(uint64_t *cursor, enum log_level level, struct log_entry *entry, uint64_t *lost)
{
    uint64_t wanted = *cursor;
    uint64_t oldest = oldest_sequence();
    uint64_t place = the_log.tail;

    if (lost != NULL)
        *lost = oldest > wanted ? oldest - wanted : 0;
    if (the_log.hint > the_log.tail && the_log.hint <= the_log.head && the_log.hint_sequence <= wanted)
        place = the_log.hint;

    while (place != the_log.head) {
        struct record_header header;

        ring_read(place, &header, sizeof(header));
        if (header.sequence >= wanted && header.level <= (unsigned)level) {
            read_entry(place, &header, entry);
            the_log.hint = place + record_size(&header);
            the_log.hint_sequence = header.sequence + 1;
            *cursor = the_log.hint_sequence;
            return 1;
        }
        place += record_size(&header);
    }
    *cursor = the_log.next_sequence;
    return 0;
}

void log_get_statistics(struct log_statistics *statistics)
{
    statistics->written = the_log.next_sequence;
    statistics->oldest = oldest_sequence();
    statistics->lost = statistics->oldest;
}
