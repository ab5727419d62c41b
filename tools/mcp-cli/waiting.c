/* SPDX-License-Identifier: MIT */
#include "waiting.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define AFTER_MS          1000 /* shorter waits show nothing */
#define PROGRESS_AFTER_MS 200  /* unless the server tells of its progress */
#define BAR_WIDTH         20
#define COLUMNS_DEFAULT   80

/* Appends as much of a server's text as has room in `columns`, its first line alone, without control
 * characters; characters from U+1000 on count twice, because many are that wide. */
static void add_text(char *line, size_t size, const char *text, size_t columns)
{
    size_t used = strlen(line);
    while (*text && *text != '\n') {
        const unsigned char *bytes = (const unsigned char *)text;
        size_t length = bytes[0] < 0xC0 ? 1 : bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : 4;
        size_t width = bytes[0] >= 0xE1 ? 2 : 1;
        bool is_control = bytes[0] < 0x20 || bytes[0] == 0x7F || (bytes[0] == 0xC2 && bytes[1] < 0xA0);
        if (width > columns || used + length >= size || strnlen(text, length) < length)
            break;
        memcpy(line + used, is_control ? " " : text, is_control ? 1 : length);
        used += is_control ? 1 : length;
        text += length;
        columns -= width;
    }
    line[used] = '\0';
}

static void add_progress(char *line, size_t size, const json_t *progress, size_t columns)
{
    double done = json_number_value(json_object_get(progress, "progress"));
    double total = json_number_value(json_object_get(progress, "total"));
    const char *message = json_string_value(json_object_get(progress, "message"));
    size_t used = strlen(line);
    if (isfinite(done) && isfinite(total) && total > 0) {
        double part = done / total;
        part = part < 0 ? 0 : part > 1 ? 1 : part;
        int filled = (int)(part * BAR_WIDTH);
        snprintf(line + used, size - used, "[%.*s%*s] %3d%%, %g of %g", filled,
                 "====================", BAR_WIDTH - filled, "", (int)(part * 100), done, total);
    } else if (json_is_number(json_object_get(progress, "progress"))) {
        snprintf(line + used, size - used, "%g", done);
    }
    used = strlen(line);
    if (!message || used + 8 > columns)
        return;
    snprintf(line + used, size - used, "%s", used ? " " : "");
    add_text(line, size, message, columns - used - 1);
}

void waiting_show(struct waiting *waiting, int64_t elapsed_ms, const json_t *progress)
{
    FILE *file = waiting->output->file;
    char line[sizeof waiting->shown] = "";
    if (!waiting->output->is_terminal || waiting->output->is_dumb)
        return;
    bool is_shown = elapsed_ms >= AFTER_MS || (progress && elapsed_ms >= PROGRESS_AFTER_MS);
    if (is_shown) {
        size_t columns = waiting->columns ? waiting->columns : COLUMNS_DEFAULT;
        char seconds[64];
        snprintf(seconds, sizeof seconds, "%lld s (Ctrl-C cancels)", (long long)(elapsed_ms / 1000));
        size_t room = columns > strlen(seconds) + 3 ? columns - strlen(seconds) - 3 : 0;
        if (progress && room > 0)
            add_progress(line, sizeof line - sizeof seconds - 2, progress, room);
        size_t used = strlen(line);
        snprintf(line + used, sizeof line - used, "%s%s", used ? ", " : "", seconds);
    }
    if (strcmp(line, waiting->shown) == 0)
        return;
    if (waiting->shown[0] != '\0')
        fputs("\r\033[K", file);
    fputs(line, file);
    memcpy(waiting->shown, line, sizeof line);
    fflush(file);
}
