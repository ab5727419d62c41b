/* SPDX-License-Identifier: MIT
 *
 * What the prompt offers for the word before the cursor.
 */
#ifndef MCP_CLI_COMPLETION_H
#define MCP_CLI_COMPLETION_H

#include <stddef.h>

#include <jansson.h>

#include "session.h"

/* Returns an array of strings, each a whole word with what follows it (a blank, or the '=' of an argument);
 * the caller owns it. *stem is the length of the part of that word that stands there already. `line` ends at
 * the cursor. Names of tools and arguments come from the server, once it was asked; names that a terminal or
 * the line could not take are left out. */
json_t *completion_find(struct session *session, const char *line, size_t *stem);

/* The length of what all words have in common. */
size_t completion_common(const json_t *words);

#endif
