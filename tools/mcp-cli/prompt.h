/* SPDX-License-Identifier: MIT
 *
 * Commands line by line: from a terminal with libedit's editing, history and completion, else from standard
 * input.
 */
#ifndef MCP_CLI_PROMPT_H
#define MCP_CLI_PROMPT_H

#include "error.h"
#include "session.h"

/* Returns the status of the first command that failed; on a terminal STATUS_OK once it has begun. */
enum status prompt_run(struct session *session, struct error *error);

#endif
