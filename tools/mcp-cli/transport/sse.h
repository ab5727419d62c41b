/* SPDX-License-Identifier: MIT
 *
 * Server-sent events (WHATWG HTML, section 9.2.6): the data of each event of type "message".
 */
#ifndef MCP_CLI_SSE_H
#define MCP_CLI_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

#define SSE_ID_MAX 1024 /* bytes of an id; a longer one cannot be resumed from */

/* Zero it, but for the event. */
struct sse {
    /* Told the data of an event, which ends with a '\0' that does not count. Returns 0, or a negative errno
     * that ends the feeding. */
    int (*event)(void *context, const char *data, size_t length);
    void *context;
    char id[SSE_ID_MAX]; /* of the last event that had one; "": none */
    int64_t retry_ms;    /* what the server asked for; 0: nothing */
    /* private */
    struct buffer line, data;
    bool has_data, is_other, after_return, begun;
};

/* Returns 0 or a negative errno: -EMSGSIZE for an event beyond BUFFER_MAX, -ENOMEM, or what `event` gave.
 * *grew tells whether data came, not comments alone. */
int sse_feed(struct sse *sse, const char *bytes, size_t length, bool *grew);
void sse_release(struct sse *sse);

#endif
