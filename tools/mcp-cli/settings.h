/* SPDX-License-Identifier: MIT
 *
 * The options of the program, which stand before the command.
 */
#ifndef MCP_CLI_SETTINGS_H
#define MCP_CLI_SETTINGS_H

#include <stdbool.h>

#include "error.h"
#include "options.h"
#include "session.h"

#define DEFAULT_SOCKET "/tmp/vm.sock"

struct settings {
    const char *server, *socket, *vsock, *tcp, *command; /* where it is: one of them, or none */
    const char *servers, *token_file, *framing, *era, *colour, *root;
    struct option_number timeout;
    bool help, version;
};

/* Reads the options in argv[0..*count), until the command; what is left moves to the front. */
enum status settings_read(struct settings *settings, struct session *session, int *count, char **argv,
                          struct error *error);

/* How to print; then what can fail is printed so. */
enum status settings_apply_output(const struct settings *settings, struct session *session,
                                  struct error *error);

/* Where the server is and how to speak with it. `may_start` false: the program of a project's file is not
 * started (STATUS_USAGE). */
enum status settings_apply(const struct settings *settings, struct session *session, bool may_start,
                           struct error *error);

/* All of them with their dashes, in one text, for completion. */
extern const char settings_options[];

#endif
