/* SPDX-License-Identifier: MIT */
#include "prompt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "editor.h"
#include "line.h"
#include "platform.h"

static void print_help(const struct session *session)
{
    FILE *file = session->output.file;
    for (const struct command *command = commands; command->name; command++)
        fprintf(file, "  %-10s %-18s %s\n", command->name, command->arguments, command->summary);
    fprintf(file, "  %-10s %-18s %s\n  %-10s %-18s %s\n", "help", "", "these lines", "quit", "",
            "the end, as Ctrl-D is");
    fputs("Tab completes commands, options, tools and their arguments. What follows infer needs no quotes.\n",
          file);
}

/* *quit is set when the line ends the session. */
static enum status run_line(struct session *session, char *text, bool *quit, struct error *error)
{
    struct line line;
    enum status status = line_read(text, &line, error);
    if (status != STATUS_OK || line.count == 0)
        return status;
    if (strcmp(line.words[0], "help") == 0) {
        print_help(session);
        return STATUS_OK;
    }
    *quit = strcmp(line.words[0], "quit") == 0 || strcmp(line.words[0], "exit") == 0;
    if (*quit)
        return STATUS_OK;
    if (!command_find(line.words[0]))
        return error_set(error, STATUS_USAGE,
                         "there is no command '%s'. help lists them; infer asks the model: infer %s%s",
                         line.words[0], line.words[0], line.count > 1 ? " ..." : "");
    bool json = session->json; /* --json and --quiet in a line are for that line */
    bool quiet = session->quiet;
    interrupt_take(); /* a Ctrl-C of before is not for this command */
    status = command_run(session, line.count, line.words, error);
    session->json = json;
    session->quiet = quiet;
    fflush(session->output.file);
    return status;
}

static enum status run_lines(struct session *session, struct error *error)
{
    char *text = NULL;
    size_t size = 0;
    bool quit = false;
    enum status first = STATUS_OK;
    while (!quit) {
        interrupt_ends(true); /* between commands there is nothing to cancel */
        ssize_t length = platform_read_line(&text, &size);
        interrupt_ends(false);
        if (length < 0)
            break;
        if (strlen(text) != (size_t)length) {
            first = error_set(error, STATUS_USAGE, "standard input has a NUL byte: it is no text");
            break;
        }
        struct error cause;
        enum status status = run_line(session, text, &quit, &cause);
        if (status == STATUS_OK)
            continue;
        if (status == STATUS_CONNECTION || status == STATUS_INTERRUPTED) {
            *error = cause;
            first = status;
            break;
        }
        session_report(session, &cause);
        first = first == STATUS_OK ? status : first;
    }
    free(text);
    return first;
}

static void greet(const struct session *session)
{
    const json_t *server = json_object_get(session->client.server, "serverInfo");
    const char *name = json_string_value(json_object_get(server, "name"));
    const char *version = json_string_value(json_object_get(server, "version"));
    const struct output *output = &session->output;
    fputs("Connected to ", output->file);
    output_coloured(output, COLOUR_STRONG, name ? name : "a server");
    fputc(' ', output->file);
    output_text(output, version ? version : "", version ? strlen(version) : 0);
    fprintf(output->file, " at %s.\n", session->options.endpoint.name);
    bool is_ours = name && strcmp(name, "microkernelia") == 0;
    fprintf(output->file, "Type %s, or help. Tab completes; quit or Ctrl-D ends.\n",
            is_ours ? "infer and a question" : "a command");
}

static enum status run_terminal(struct session *session, struct error *error)
{
    enum status status = session_connect(session, error);
    if (status != STATUS_OK)
        return status;
    struct editor editor;
    int result = editor_open(&editor, session);
    if (result < 0)
        return error_set(error, STATUS_USAGE,
                         "this terminal cannot be used (%s): give a command, or commands on a pipe",
                         strerror(-result));
    greet(session);
    bool quit = false;
    while (!quit) {
        char *text = NULL;
        result = editor_read(&editor, &text);
        if (result == -EINTR) /* Ctrl-C: another line */
            continue;
        if (result <= 0)
            break;
        struct error cause;
        if (run_line(session, text, &quit, &cause) != STATUS_OK)
            session_report(session, &cause);
        free(text);
    }
    editor_close(&editor);
    return STATUS_OK;
}

enum status prompt_run(struct session *session, struct error *error)
{
    if (isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1)
        return run_terminal(session, error);
    return run_lines(session, error);
}
