/* SPDX-License-Identifier: MIT
 *
 * Batches (JSON-RPC 2.0, section 6).
 */
#include <string.h>

#include "server_private.h"

struct batch {
    struct mcp_session *session; /* NULL: closed */
    struct mcp_memory memory;
    size_t requests; /* not ended yet */
    char *text;      /* "[answer,answer", with a place for the "]" */
    size_t length, size;
};

struct batch *batch_begin(struct mcp_session *session)
{
    const struct mcp_memory *memory = &session->server->config.memory;
    struct batch *batch = memory->allocate(memory->context, sizeof(*batch));

    if (batch != NULL)
        *batch = (struct batch){.session = session, .memory = *memory, .requests = 1};
    return batch;
}

void batch_add_request(struct batch *batch)
{
    batch->requests++;
}

void batch_orphan(struct batch *batch)
{
    batch->session = NULL;
}

static void flush(struct batch *batch)
{
    char *text = batch->text;
    size_t length = batch->length;
    size_t size = batch->size;

    /* The hook may come back to this batch: it starts again before the hook is called. */
    batch->text = NULL;
    batch->length = 0;
    batch->size = 0;
    if (text == NULL)
        return;
    text[length++] = ']';
    if (batch->session != NULL)
        session_send(batch->session, text, length, NULL, 0);
    batch->memory.release(batch->memory.context, text, size);
}

/* Room for `more` bytes and the closing bracket, within the limit of a message. */
static bool reserve(struct batch *batch, size_t more)
{
    size_t limit = batch->session->server->config.message_max;
    size_t needed = batch->length + more + 1;
    size_t size = batch->size * 2 > needed ? batch->size * 2 : needed;
    char *grown;

    if (needed > limit)
        return false;
    if (batch->text != NULL && needed <= batch->size)
        return true;
    if (size > limit)
        size = limit;
    grown = batch->memory.allocate(batch->memory.context, size);
    if (grown == NULL)
        return false;
    if (batch->text != NULL) {
        memcpy(grown, batch->text, batch->length);
        batch->memory.release(batch->memory.context, batch->text, batch->size);
    }
    batch->text = grown;
    batch->size = size;
    return true;
}

void batch_add_answer(struct batch *batch, const char *message, size_t length)
{
    if (batch->session == NULL)
        return;
    if (!reserve(batch, length + 1)) {
        flush(batch);
        if (batch->session == NULL)
            return;
        if (!reserve(batch, length + 1)) {
            session_send(batch->session, message, length, NULL, 0); /* alone rather than not at all */
            return;
        }
    }
    batch->text[batch->length] = batch->length == 0 ? '[' : ',';
    memcpy(batch->text + batch->length + 1, message, length);
    batch->length += length + 1;
}

void batch_end_request(struct batch *batch)
{
    if (--batch->requests > 0)
        return;
    flush(batch);
    batch->memory.release(batch->memory.context, batch, sizeof(*batch));
}
