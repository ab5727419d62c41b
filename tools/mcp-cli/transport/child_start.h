/* SPDX-License-Identifier: MIT
 *
 * Starts a program with pipes for its standard input, output and error.
 */
#ifndef MCP_CLI_CHILD_START_H
#define MCP_CLI_CHILD_START_H

#include <sys/types.h>

#include <jansson.h>

#include "error.h"

/* `entry` has command and args, env and cwd as an mcpServers file has them. Our ends of the pipes are
 * non-blocking and close on exec; the program leads a group of its own, so that Ctrl-C reaches us alone.
 * STATUS_OK, STATUS_CONNECTION when it does not start, STATUS_USAGE for an entry of another shape. */
enum status child_start(const json_t *entry, pid_t *pid, int *input, int *output, int *remarks,
                        struct error *error);

#endif
