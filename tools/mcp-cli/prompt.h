/* SPDX-License-Identifier: MIT
 *
 * Commands line by line: from a terminal with history and completion, else from standard input as it comes.
 */
#ifndef MCP_CLI_PROMPT_H
#define MCP_CLI_PROMPT_H

#include "error.h"
#include "session.h"

/* Runs lines until the end, or `quit`. On a terminal an error is shown and the next line read, and the status
 * is STATUS_OK once a connection was there. Else the status is that of the first command that failed; all
 * lines are run, unless the connection fails. */
enum status prompt_run(struct session *session, struct error *error);

#endif
