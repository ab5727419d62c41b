/* SPDX-License-Identifier: MIT
 *
 * One line on a terminal while an answer is awaited: a bar and the words of the server's progress, the
 * seconds.
 */
#ifndef MCP_CLI_WAITING_H
#define MCP_CLI_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "output.h"

struct waiting {
    const struct output *output; /* nothing is shown where this is no terminal */
    size_t columns;              /* of the terminal */
    char shown[512];             /* what stands there; "": nothing */
};

/* elapsed_ms -1: the wait is over, the line goes. */
void waiting_show(struct waiting *waiting, int64_t elapsed_ms, const json_t *progress);

#endif
