/* SPDX-License-Identifier: MIT
 *
 * What the prompt and the shells offer for the word before the cursor.
 */
#ifndef MCP_CLI_COMPLETION_H
#define MCP_CLI_COMPLETION_H

#include <stddef.h>

#include <jansson.h>

#include "session.h"

/* For a typed line, which ends at the cursor. Returns an array of strings, each a whole word with what
 * follows it (a blank, or the '=' of an argument); the caller owns it. *stem is the length of the part of
 * that word that stands there already. Names come from the server, once it was asked; names that a terminal
 * or the line could not take are left out. */
json_t *completion_find(struct session *session, const char *line, size_t *stem);

/* The same for the words of a command, and the beginning of the next one. With count 0: for the command
 * itself. */
json_t *completion_words(struct session *session, int count, char *const *words, const char *stem);

/* Adds `name` with its suffix to the words if it begins with the stem and can be typed. */
void completion_offer(json_t *words, const char *stem, const char *name, const char *suffix);
/* The same for each of the names in a text with blanks. */
void completion_offer_all(json_t *words, const char *stem, const char *names);

/* The length of what all words have in common. */
size_t completion_common(const json_t *words);

#endif
