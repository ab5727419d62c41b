/* SPDX-License-Identifier: MIT
 *
 * The table of the versions.
 */
#include "version.h"

#include <stddef.h>

#include "mcp/server.h"

static const struct mcp_version versions[] = {
    {.name = "2026-07-28",
     .bit = V2026_07_28,
     .resource_not_found = MCP_ERROR_INVALID_PARAMS,
     .stateless = true,
     .tool_annotations = true,
     .audio = true,
     .progress_messages = true,
     .completions = true,
     .titles = true,
     .metadata = true,
     .structured_content = true,
     .any_structured = true,
     .resource_links = true,
     .elicitation = true,
     .elicitation_modes = true,
     .task_extension = true,
     .icons = true,
     .argument_errors_as_result = true},
    {.name = "2025-11-25",
     .bit = V2025_11_25,
     .resource_not_found = MCP_ERROR_RESOURCE_NOT_FOUND,
     .tool_annotations = true,
     .audio = true,
     .progress_messages = true,
     .completions = true,
     .titles = true,
     .metadata = true,
     .structured_content = true,
     .resource_links = true,
     .elicitation = true,
     .elicitation_modes = true,
     .elicitation_ids = true,
     .task_requests = true,
     .icons = true,
     .argument_errors_as_result = true},
    {.name = "2025-06-18",
     .bit = V2025_06_18,
     .resource_not_found = MCP_ERROR_RESOURCE_NOT_FOUND,
     .tool_annotations = true,
     .audio = true,
     .progress_messages = true,
     .completions = true,
     .titles = true,
     .metadata = true,
     .structured_content = true,
     .resource_links = true,
     .elicitation = true},
    {.name = "2025-03-26",
     .bit = V2025_03_26,
     .resource_not_found = MCP_ERROR_RESOURCE_NOT_FOUND,
     .batches = true,
     .tool_annotations = true,
     .audio = true,
     .progress_messages = true,
     .completions = true},
    {.name = "2024-11-05", .bit = V2024_11_05, .resource_not_found = MCP_ERROR_RESOURCE_NOT_FOUND},
};

#define VERSION_COUNT (sizeof(versions) / sizeof(versions[0]))

const struct mcp_version *version_at(uint32_t index)
{
    return index < VERSION_COUNT ? &versions[index] : NULL;
}

const struct mcp_version *version_newest(uint32_t set)
{
    size_t i = 0;

    while ((versions[i].bit & set) == 0)
        i++;
    return &versions[i];
}

const struct mcp_version *version_find(struct mcp_json name, uint32_t set)
{
    for (size_t i = 0; i < VERSION_COUNT; i++)
        if ((versions[i].bit & set) != 0 && mcp_json_equals(name, versions[i].name))
            return &versions[i];
    return NULL;
}
