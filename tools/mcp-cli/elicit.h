/* SPDX-License-Identifier: MIT
 *
 * Asks the person at the terminal what a server wants to know (MCP, "Elicitation").
 */
#ifndef MCP_CLI_ELICIT_H
#define MCP_CLI_ELICIT_H

#include <stdbool.h>

#include <jansson.h>

#include "output.h"

/* Whether there is somebody to ask: standard input and `output` are a terminal. */
bool elicit_possible(const struct output *output);

/* The ElicitResult for the params of an elicitation/create; the caller's. NULL: the person pressed Ctrl-C or
 * Ctrl-D. */
json_t *elicit(const struct output *output, const json_t *params);

#endif
