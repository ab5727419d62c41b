/* SPDX-License-Identifier: MIT
 *
 * The `logs` command: the server's log is read in pages, each from the cursor that the last one gave.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"

#define PAGE_LIMIT     100  /* lines asked for at once */
#define FOLLOW_WAIT_MS 1000 /* between two looks of -f */
#define PAGES_MAX      1000 /* without -f: a log that grows faster than it is read ends somewhere */

static enum colour level_colour(const char *level)
{
    if (strcmp(level, "error") == 0)
        return COLOUR_ERROR;
    if (strcmp(level, "warning") == 0)
        return COLOUR_WARNING;
    return strcmp(level, "debug") == 0 ? COLOUR_FAINT : COLOUR_STRONG;
}

/* [    1.234567] info     vsock: text */
static void print_line(const struct output *output, const json_t *line)
{
    const char *level = json_string_value(json_object_get(line, "level"));
    const char *subsystem = json_string_value(json_object_get(line, "subsystem"));
    const json_t *text = json_object_get(line, "text");
    unsigned long long time = (unsigned long long)json_integer_value(json_object_get(line, "time_us"));
    level = level ? level : "";
    fprintf(output->file, "[%5llu.%06llu] ", time / 1000000, time % 1000000);
    output_coloured(output, level_colour(level), level);
    output_spaces(output, output_width(level) < 8 ? 8 - output_width(level) : 1);
    if (subsystem) {
        output_text(output, subsystem, strlen(subsystem));
        fputs(": ", output->file);
    }
    output_line(output, json_is_string(text) ? json_string_value(text) : "", json_string_length(text));
}

/* A remark beside the log. */
static void note(const struct session *session, const char *text)
{
    fflush(session->output.file);
    output_coloured(&session->errors, COLOUR_FAINT, text);
}

static void print_page(const struct session *session, const json_t *page)
{
    const json_t *lines = json_object_get(page, "lines");
    json_int_t lost = json_integer_value(json_object_get(page, "lost"));
    if (lost > 0) {
        char text[80];
        snprintf(text, sizeof text, "(%lld older lines were overwritten)\n", (long long)lost);
        note(session, text);
    }
    for (size_t i = 0; i < json_array_size(lines); i++) {
        if (session->json)
            output_json(&session->output, json_array_get(lines, i), JSON_COMPACT);
        else
            print_line(&session->output, json_array_get(lines, i));
    }
    fflush(session->output.file);
}

/* Joins a further page to the first, for --json. */
static void join(json_t *document, json_t *page)
{
    json_int_t lost = json_integer_value(json_object_get(document, "lost")) +
                      json_integer_value(json_object_get(page, "lost"));
    json_array_extend(json_object_get(document, "lines"), json_object_get(page, "lines"));
    json_object_set(document, "cursor", json_object_get(page, "cursor"));
    json_object_set_new(document, "lost", json_integer(lost));
}

static enum status read_page(struct session *session, const char *level, const json_t *cursor, json_t **page,
                             struct error *error)
{
    json_t *arguments = json_pack("{s:i}", "limit", PAGE_LIMIT);
    if (level && json_object_set_new(arguments, "level", json_string(level)) < 0) {
        json_decref(arguments);
        return error_set(error, STATUS_USAGE, "the level is not UTF-8");
    }
    if (cursor)
        json_object_set(arguments, "cursor", (json_t *)cursor);
    json_t *result;
    enum status status = session_call(session, "logs", arguments, &result, error);
    json_t *structured = json_object_get(result, "structuredContent");
    if (status == STATUS_OK && !json_is_array(json_object_get(structured, "lines")))
        status = error_set(error, STATUS_TOOL, "logs: the server's answer has no list of lines");
    *page = status == STATUS_OK ? json_incref(structured) : NULL;
    json_decref(result);
    return status;
}

/* Whether nothing is to come for the moment. A server may give less than the limit, by its own or by bytes;
 * and if it logs what is asked of it, every page has a line: much less than the fullest page is the end, too.
 */
static bool is_last(const json_t *page, const json_t *cursor, size_t *fullest)
{
    size_t count = json_array_size(json_object_get(page, "lines"));
    bool stands = json_equal(json_object_get(page, "cursor"), cursor) != 0;
    *fullest = count > *fullest ? count : *fullest;
    return count == 0 || stands || !json_object_get(page, "cursor") || count * 2 < *fullest;
}

static enum status read_all(struct session *session, const char *level, json_t *cursor, bool follow,
                            struct error *error)
{
    json_t *document = NULL;
    enum status status = STATUS_OK;
    size_t fullest = 0;
    int pages = 0;
    for (;;) {
        json_t *page = NULL;
        status = read_page(session, level, cursor, &page, error);
        if (status != STATUS_OK)
            break;
        bool last = is_last(page, cursor, &fullest);
        json_t *next = json_object_get(page, "cursor");
        if (next) {
            json_decref(cursor);
            cursor = json_incref(next);
        }
        if (!session->json || follow)
            print_page(session, page);
        else if (document)
            join(document, page);
        else
            document = json_incref(page);
        json_decref(page);
        pages++;
        if (!follow && !last && pages == PAGES_MAX)
            note(session, "(the log grows faster than it is read; -f follows it)\n");
        if (!follow && (last || pages == PAGES_MAX))
            break;
        if (follow && last) {
            fullest = 0;
            status = client_idle(&session->client, FOLLOW_WAIT_MS, error);
            if (status != STATUS_OK)
                break;
        }
    }
    if (document)
        output_json(&session->output, document, JSON_INDENT(2));
    json_decref(document);
    json_decref(cursor);
    return status;
}

enum status command_logs(struct session *session, int count, char **argv, struct error *error)
{
    bool follow = false;
    const char *level = NULL;
    struct option_integer cursor = {0};
    struct option common[3];
    const struct option options[] = {{"follow", 'f', OPTION_FLAG, &follow},
                                     {"level", 'l', OPTION_TEXT, &level},
                                     {"cursor", 'c', OPTION_INTEGER, &cursor},
                                     {NULL, 0, OPTION_FLAG, NULL}};
    commands_common_options(session, common);
    enum status status = options_parse(options, common, false, &count, argv, error);
    if (status != STATUS_OK)
        return status;
    if (count > 0)
        return error_set(error, STATUS_USAGE, "logs takes no argument: %s", argv[0]);
    return read_all(session, level, cursor.given ? json_integer(cursor.value) : NULL, follow, error);
}
