/* SPDX-License-Identifier: MIT
 *
 * "Did you mean": the candidate that is nearest to a mistyped word.
 */
#ifndef MCP_CLI_SUGGEST_H
#define MCP_CLI_SUGGEST_H

#include <stddef.h>

#include "error.h"

/* Zero it, but for the word. */
struct suggestion {
    const char *word;
    const char *best; /* the nearest so far, not copied; NULL: none is near */
    size_t distance;  /* of it */
};

/* Looks at one more candidate (NULL: does nothing). */
void suggest_offer(struct suggestion *suggestion, const char *candidate);

/* Appends "; did you mean 'best'?" to the message where there is one. */
void suggest_append(const struct suggestion *suggestion, struct error *error);

#endif
