/* SPDX-License-Identifier: MIT
 *
 * The commands, as a table: the command line and the prompt run the same ones.
 */
#ifndef MCP_CLI_COMMANDS_H
#define MCP_CLI_COMMANDS_H

#include <stdbool.h>

#include "error.h"
#include "options.h"
#include "session.h"

struct command {
    const char *name;      /* NULL ends the table */
    const char *arguments; /* for people */
    const char *summary;
    const char *options; /* its own long options, for completion: "--a --b", or "" */
    /* argv[0..count) is what follows the name */
    enum status (*run)(struct session *session, int count, char **argv, struct error *error);
};

extern const struct command commands[];

/* NULL when there is none. */
const struct command *command_find(const char *name);

/* Options that every command takes after its name, too: where the connection goes is settled by then. */
void commands_common_options(struct session *session, struct option options[2]);

/* Runs the command argv[0]. Nothing is printed for an error. STATUS_USAGE for an unknown command. */
enum status command_run(struct session *session, int count, char **argv, struct error *error);

/* Prints a tool's result as --json and as people read it. */
void print_result(const struct session *session, const json_t *result);

/* In logs.c. */
enum status command_logs(struct session *session, int count, char **argv, struct error *error);

#endif
