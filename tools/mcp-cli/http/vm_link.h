/* SPDX-License-Identifier: MIT
 *
 * A connection to the MCP server: tagged frames (mcp/transport.h) over a byte stream that somebody else
 * moves.
 */
#ifndef MCP_HTTP_VM_LINK_H
#define MCP_HTTP_VM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mcp/transport.h>

#include "message.h"

struct vm_link;

/* The byte stream. None of them blocks, or calls back at once. */
struct vm_stream {
    void *context;
    /* Begins to connect. NULL when that fails at once; else vm_link_lost tells. */
    void *(*open)(void *context, struct vm_link *link);
    /* Returns how many bytes went; vm_link_writable follows when these are not all. Or a negative errno. */
    int64_t (*send)(void *handle, const void *bytes, size_t length);
    void (*pause)(void *handle, bool paused); /* reads nothing meanwhile */
    void (*close)(void *handle);
};

/* Who is told; it may send, close the link, or give it to another owner. */
struct vm_link_owner {
    /* The message is valid JSON-RPC, `text` is all of it. */
    void (*message)(void *owner, struct piece tag, const struct message *message);
    /* The link is gone. */
    void (*lost)(void *owner);
};

struct vm_link {
    struct vm_link *previous, *next;  /* for its keeper */
    const struct vm_link_owner *kind; /* NULL: nobody's; what comes is dropped */
    void *owner;
    uint64_t idle_since; /* for its keeper */
    /* private */
    const struct vm_stream *stream;
    void *handle;
    struct mcp_reader reader;
    char *output;
    size_t output_size, output_used;
    unsigned pauses;
    bool busy, closed;
};

/* NULL when it cannot connect, or without memory. */
struct vm_link *vm_link_open(const struct vm_stream *stream);
/* Sends one message. 0 or -ENOMEM. */
int vm_link_send(struct vm_link *link, const char *message, size_t length);
/* As often with false as with true. */
void vm_link_pause(struct vm_link *link, bool pause);
void vm_link_close(struct vm_link *link);

/* ---- for who moves the bytes. Each but the last returns false when the link must be given up: then
 * vm_link_lost. ---- */

bool vm_link_input(struct vm_link *link, const void *bytes, size_t length);
bool vm_link_writable(struct vm_link *link);
/* Whether bytes wait for vm_link_writable. */
bool vm_link_has_output(const struct vm_link *link);

#endif
