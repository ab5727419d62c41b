/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: the lists that clients see in pages: tools, resources, templates, prompts.
 */
#ifndef MCP_REGISTRY_H
#define MCP_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mcp/json.h"

struct mcp_server;
struct mcp_version;
struct request;

/* First member of what a list holds. */
struct item {
    struct item *next;
    uint64_t
        serial; /* grows from item to item; a cursor names it, so that it stays right when the list changes */
    uint32_t needs;     /* of a session that may see and use it */
    size_t listed_size; /* bytes of its entry in a page, at most */
};

struct registry {
    struct item *first; /* in the order of addition */
    uint64_t last_serial;
};

struct list_kind {
    const char *member; /* "tools": of the result; it tells the cursors of the lists apart, too */
    void (*write)(struct mcp_json_writer *writer, const struct item *item, const struct mcp_version *version);
    bool (*is_listed)(const struct request *request, const struct item *item); /* NULL: all are */
};

/* Returns 0, -EFBIG (more text than a message can list), -ENOMEM. */
int registry_add(const struct mcp_server *server, struct registry *registry, const struct list_kind *kind,
                 struct item *item);
/* The same for an item whose serial and listed_size are set. */
void registry_append(struct registry *registry, struct item *item);
/* Takes it out of the list; the caller frees it. */
void registry_remove(struct registry *registry, const struct item *item);
/* Answers a request for a page. */
void registry_list(const struct request *request, const struct registry *registry,
                   const struct list_kind *kind);

#endif
