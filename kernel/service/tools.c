/* SPDX-License-Identifier: MIT */
#include <logging/log.h>
#include <service/connections.h>
#include <service/policy.h>
#include <service/tools.h>

/* The handler that every tool is registered with; `context` is the tool. */
static void call_if_given(struct mcp_call *call, void *context)
{
    const struct mcp_tool *tool = context;
    const struct policy_rule *rule = connections_current_rule();
    if (rule != NULL && policy_gives(rule, tool->name)) {
        tool->handler(call, tool->context);
        return;
    }
    char text[100];
    (void)log_format(text, sizeof text, "the policy of this machine does not give '%s' to this client",
                     tool->name);
    mcp_call_error(call, TOOL_ERROR_FORBIDDEN, text);
}

int tools_add(struct mcp_server *server, const struct mcp_tool *tools, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct mcp_tool tool = tools[i];
        tool.handler = call_if_given;
        tool.context = (void *)(uintptr_t)&tools[i];
        int error = mcp_server_add_tool(server, &tool);
        if (error != 0)
            return error;
    }
    return 0;
}
