/* SPDX-License-Identifier: MIT */
#include <logging/log.h>
#include <service/connections.h>
#include <service/model.h>
#include <service/policy.h>
#include <service/tools.h>

void tools_overloaded(struct mcp_call *call, const char *message)
{
    mcp_call_error(call, MCP_ERROR_OVERLOADED, message);
}

void tools_refuse(void *argument)
{
    tools_overloaded(argument, "waited too long for the model, which has other work");
}

int tools_queue(void (*run)(void *argument), void (*refuse)(void *argument), void *argument)
{
    const struct job job = {
        .run = run, .refuse = refuse, .argument = argument, .owner = connections_current()};
    return model_queue(&job);
}

bool tools_permit(struct mcp_call *call, const char *tool)
{
    const struct policy_rule *rule = connections_current_rule();
    if (rule != NULL && policy_gives(rule, tool))
        return true;
    char text[100];
    (void)log_format(text, sizeof text, "the policy of this machine does not give '%s' to this client", tool);
    mcp_call_error(call, TOOL_ERROR_FORBIDDEN, text);
    return false;
}

/* The handler that every tool is registered with; `context` is the tool. */
static void call_if_given(struct mcp_call *call, void *context)
{
    const struct mcp_tool *tool = context;
    if (tools_permit(call, tool->name))
        tool->handler(call, tool->context);
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
