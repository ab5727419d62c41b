/* SPDX-License-Identifier: MIT */
#include "editor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include <histedit.h>

#include "completion.h"

#define HISTORY_LINES 1000

static char prompt_text[] = "mcp> ";

static char *prompt(EditLine *edit)
{
    (void)edit;
    return prompt_text;
}

static void list(const struct output *output, const json_t *words)
{
    fputc('\n', output->file);
    for (size_t i = 0; i < json_array_size(words); i++)
        fprintf(output->file, "%s%s", i ? " " : "", json_string_value(json_array_get(words, i)));
    fputc('\n', output->file);
    fflush(output->file);
}

static unsigned char complete(EditLine *edit, int character)
{
    (void)character;
    struct editor *editor = NULL;
    el_get(edit, EL_CLIENTDATA, &editor);
    const LineInfo *info = el_line(edit);
    char *line = strndup(info->buffer, (size_t)(info->cursor - info->buffer));
    if (!line)
        return CC_ERROR;
    size_t stem = 0;
    json_t *words = completion_find(editor->session, line, &stem);
    size_t common = completion_common(words);
    unsigned char result = CC_ERROR; /* beeps */
    if (common > stem) {
        char *more = strndup(json_string_value(json_array_get(words, 0)) + stem, common - stem);
        if (more && el_insertstr(edit, more) == 0)
            result = CC_REFRESH;
        free(more);
    } else if (json_array_size(words) > 1) {
        list(&editor->session->output, words);
        result = CC_REDISPLAY;
    }
    json_decref(words);
    free(line);
    return result;
}

/* One character of the terminal. libedit's own function reads on after a signal, so that Ctrl-C would wait
 * for the next key. */
static int read_character(EditLine *edit, wchar_t *character)
{
    mbstate_t state;
    memset(&state, 0, sizeof state);
    (void)edit;
    for (;;) {
        char byte;
        int result = interrupt_wait(STDIN_FILENO);
        ssize_t count = result < 0 ? -1 : read(STDIN_FILENO, &byte, 1);
        if (result < 0)
            errno = -result;
        if (count < 0 && errno == EINTR && result == 0)
            continue;
        if (count <= 0)
            return (int)count;
        size_t length = mbrtowc(character, &byte, 1, &state);
        if (length == (size_t)-1)
            memset(&state, 0, sizeof state); /* no UTF-8: skip it */
        else if (length != (size_t)-2)
            return 1;
    }
}

/* Makes the folders above the file, for the user alone: what one asks a model is private. */
static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, S_IRWXU);
        *slash = '/';
    }
}

/* The XDG base directory specification: state, "such as logs, history". */
static void find_history(struct editor *editor)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int length = 0;
    editor->path[0] = '\0';
    if (state && state[0] == '/')
        length = snprintf(editor->path, sizeof editor->path, "%s/mcp-cli/history", state);
    else if (home && home[0] == '/')
        length = snprintf(editor->path, sizeof editor->path, "%s/.local/state/mcp-cli/history", home);
    if (length < 0 || (size_t)length >= sizeof editor->path)
        editor->path[0] = '\0';
    if (editor->path[0] != '\0')
        make_folders(editor->path);
}

int editor_open(struct editor *editor, struct session *session)
{
    HistEvent event;
    *editor = (struct editor){.session = session};
    editor->edit = el_init("mcp-cli", stdin, stdout, stderr);
    editor->history = history_init();
    if (!editor->edit || !editor->history) {
        editor_close(editor);
        return -ENOMEM;
    }
    find_history(editor);
    history(editor->history, &event, H_SETSIZE, HISTORY_LINES);
    history(editor->history, &event, H_SETUNIQUE, 1);
    if (editor->path[0] != '\0')
        history(editor->history, &event, H_LOAD, editor->path);

    el_set(editor->edit, EL_CLIENTDATA, editor);
    el_set(editor->edit, EL_PROMPT, prompt);
    el_set(editor->edit, EL_EDITOR, "emacs");
    el_set(editor->edit, EL_SIGNAL, 1); /* a signal finds the terminal as it was before the line */
    el_set(editor->edit, EL_GETCFN, read_character);
    el_set(editor->edit, EL_HIST, history, editor->history);
    el_set(editor->edit, EL_ADDFN, "mcp-complete", "complete commands, tools and arguments", complete);
    el_set(editor->edit, EL_BIND, "^I", "mcp-complete", NULL);
    el_set(editor->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_source(editor->edit, NULL);
    return 0;
}

void editor_close(struct editor *editor)
{
    if (editor->edit)
        el_end(editor->edit);
    if (editor->history)
        history_end(editor->history);
    editor->edit = editor->history = NULL;
}

static void remember(struct editor *editor, const char *line)
{
    HistEvent event;
    if (line[strspn(line, " \t\r\n")] == '\0')
        return;
    history(editor->history, &event, H_ENTER, line);
    if (editor->path[0] != '\0') /* after each line: a killed program has lost nothing. It is written 0600. */
        history(editor->history, &event, H_SAVE, editor->path);
}

int editor_read(struct editor *editor, char **line)
{
    int length = 0;
    el_set(editor->edit, EL_PREP_TERM, 1); /* before the prompt is seen: who sees it may type Ctrl-D */
    errno = 0;
    const char *text = el_gets(editor->edit, &length);
    int cause = errno;
    if (interrupt_take()) {
        fputc('\n', stdout);
        el_reset(editor->edit);
        return -EINTR;
    }
    if (!text || length <= 0) {
        fputc('\n', stdout);
        return length < 0 && cause != 0 ? -cause : 0;
    }
    remember(editor, text);
    *line = strdup(text);
    return *line ? 1 : -ENOMEM;
}
