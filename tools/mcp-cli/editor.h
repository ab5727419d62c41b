/* SPDX-License-Identifier: MIT
 *
 * Lines from a terminal, with editing, history and completion. All that is libedit's stands in editor.c.
 */
#ifndef MCP_CLI_EDITOR_H
#define MCP_CLI_EDITOR_H

#include "session.h"

struct editor {
    struct session *session;
    void *edit;      /* EditLine */
    void *history;   /* History */
    char path[1024]; /* of the history file; "": there is none */
};

/* Returns 0 or a negative errno. ~/.editrc is read, as editrc(5) has it. */
int editor_open(struct editor *editor, struct session *session);
void editor_close(struct editor *editor);

/* Returns 1 and a line that the caller frees, 0 at the end (Ctrl-D), -EINTR after Ctrl-C, or another negative
 * errno. */
int editor_read(struct editor *editor, char **line);

#endif
