/* SPDX-License-Identifier: MIT
 *
 * Variables of the environment in the texts of a configuration.
 */
#ifndef MCP_CLI_EXPAND_H
#define MCP_CLI_EXPAND_H

#include <jansson.h>

#include "error.h"

/* A copy of the value whose texts have ${NAME} and ${NAME:-default} replaced; the caller owns it.
 * STATUS_USAGE, naming `where`, for a variable that is not set and has no default. */
enum status expand_all(const json_t *value, const char *where, json_t **expanded, struct error *error);

#endif
