/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: what differs between the versions of the protocol. The one table of it is in
 * versions.c; what each era does is in era_initialize.c and era_stateless.c.
 */
#ifndef MCP_VERSION_H
#define MCP_VERSION_H

#include <stdbool.h>
#include <stdint.h>

#include "mcp/json.h"

/* Sets of versions, for tables that say which have a method. */
enum {
    V2024_11_05 = 1,
    V2025_03_26 = 2,
    V2025_06_18 = 4,
    V2025_11_25 = 8,
    V2026_07_28 = 16,
    INITIALIZE_ERA = V2024_11_05 | V2025_03_26 | V2025_06_18 | V2025_11_25,
    STATELESS_ERA = V2026_07_28,
    EVERY_VERSION = INITIALIZE_ERA | STATELESS_ERA
};

struct mcp_version {
    const char *name;
    uint32_t bit;
    int resource_not_found;         /* the error code */
    bool stateless;                 /* each request names its version; results have resultType, some ttlMs */
    bool batches;                   /* JSON-RPC batches */
    bool tool_annotations;          /* Tool.annotations */
    bool audio;                     /* AudioContent */
    bool progress_messages;         /* message of notifications/progress */
    bool completions;               /* the capability; the method is older */
    bool titles;                    /* title of everything that has a name */
    bool metadata;                  /* _meta of tools, resources, prompts and content */
    bool structured_content;        /* Tool.outputSchema, CallToolResult.structuredContent */
    bool any_structured;            /* which may be any JSON, not only an object */
    bool resource_links;            /* ResourceLink among content */
    bool elicitation;               /* by form */
    bool elicitation_modes;         /* and by URL */
    bool elicitation_ids;           /* elicitationId of the latter */
    bool task_requests;             /* tasks that a client asks for: params.task, tasks/... */
    bool task_extension;            /* tasks that the server chooses: io.modelcontextprotocol/tasks */
    bool icons;                     /* and description and websiteUrl of the server */
    bool argument_errors_as_result; /* wrong arguments of a tool are a result with isError, so that the model
                                       sees them and tries again; before, -32602 (SEP-1303) */
};

/* Newest first; NULL behind the last. */
const struct mcp_version *version_at(uint32_t index);
/* The newest of these sets. */
const struct mcp_version *version_newest(uint32_t set);
/* The one with this name among the set, or NULL. */
const struct mcp_version *version_find(struct mcp_json name, uint32_t set);

#endif
