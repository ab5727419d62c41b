/* SPDX-License-Identifier: MIT */
#include "vm_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *resize(void *context, void *memory, size_t old_size, size_t new_size)
{
    (void)context;
    (void)old_size;
    if (new_size > 0)
        return realloc(memory, new_size);
    free(memory);
    return NULL;
}

struct vm_link *vm_link_open(const struct vm_stream *stream)
{
    static const struct mcp_transport_memory memory = {.resize = resize};
    struct vm_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    link->stream = stream;
    mcp_reader_initialise(&link->reader, &memory);
    link->handle = stream->open(stream->context, link);
    if (link->handle != NULL)
        return link;
    free(link);
    return NULL;
}

static void destroy(struct vm_link *link)
{
    mcp_reader_release(&link->reader);
    free(link->output);
    free(link);
}

void vm_link_close(struct vm_link *link)
{
    link->stream->close(link->handle);
    link->kind = NULL;
    link->closed = true;
    if (!link->busy)
        destroy(link);
}

bool vm_link_has_output(const struct vm_link *link)
{
    return link->output_used > 0;
}

static int keep(struct vm_link *link, const void *bytes, size_t length)
{
    if (link->output_used + length > link->output_size) {
        size_t size = link->output_used + length > 2 * link->output_size ? link->output_used + length
                                                                         : 2 * link->output_size;
        char *grown = realloc(link->output, size);
        if (grown == NULL)
            return -ENOMEM;
        link->output = grown;
        link->output_size = size;
    }
    memcpy(link->output + link->output_used, bytes, length);
    link->output_used += length;
    return 0;
}

bool vm_link_writable(struct vm_link *link)
{
    if (link->output_used == 0)
        return true;
    int64_t sent = link->stream->send(link->handle, link->output, link->output_used);
    if (sent < 0)
        return false;
    link->output_used -= (size_t)sent;
    memmove(link->output, link->output + sent, link->output_used);
    if (link->output_used == 0) {
        free(link->output);
        link->output = NULL;
        link->output_size = 0;
    }
    return true;
}

int vm_link_send(struct vm_link *link, const char *message, size_t length)
{
    uint8_t header[MCP_FRAME_HEADER_SIZE];
    mcp_frame_encode_tagged(length, 0, header);
    size_t before = link->output_used;
    if (keep(link, header, sizeof header) != 0 || keep(link, message, length) != 0) {
        link->output_used = before;
        return -ENOMEM;
    }
    (void)vm_link_writable(link); /* a dead one tells by itself */
    return 0;
}

void vm_link_pause(struct vm_link *link, bool pause)
{
    bool before = link->pauses > 0;
    link->pauses = pause ? link->pauses + 1 : link->pauses - 1;
    if (before != (link->pauses > 0))
        link->stream->pause(link->handle, link->pauses > 0);
}

/* What a server says that is no message ends the link: nobody could tell what it meant. */
static bool handle_message(struct vm_link *link)
{
    struct messages messages;
    struct message message;
    const struct mcp_reader *reader = &link->reader;
    struct piece tag = {reader->tag, reader->tag_length};
    bool good = messages_open(&messages, reader->message, reader->message_length) == 0 &&
                !messages.is_batch && messages_next(&messages, &message) == 1;
    if (good && link->kind != NULL)
        link->kind->message(link->owner, tag, &message);
    messages_release(&messages);
    return good;
}

bool vm_link_input(struct vm_link *link, const void *bytes, size_t length)
{
    bool good = true;
    link->busy = true;
    while (length > 0 && good && !link->closed) {
        size_t consumed = 0;
        enum mcp_reader_event event = mcp_reader_feed(&link->reader, bytes, length, &consumed);
        bytes = (const char *)bytes + consumed;
        length -= consumed;
        if (event == MCP_READER_MESSAGE)
            good = link->reader.form == MCP_FORM_TAGGED && handle_message(link);
        else if (event != MCP_READER_MORE)
            good = false;
    }
    link->busy = false;
    if (link->closed) {
        destroy(link);
        return true;
    }
    mcp_reader_trim(&link->reader);
    return good;
}
