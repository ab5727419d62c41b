/* SPDX-License-Identifier: MIT */
#include <service/connections.h>
#include <service/policy.h>
#include <service/tools.h>
#include <service/workers.h>

void tools_overloaded(struct mcp_call *call, const char *message)
{
    mcp_call_error(call, MCP_ERROR_OVERLOADED, message);
}

void tools_refuse(void *call)
{
    tools_overloaded(call, "the model has too much other work");
}

static bool is_cancelled(void *call)
{
    return mcp_call_is_cancelled(call);
}

static void queue(enum workers_kind kind, void (*run)(void *call), void (*refuse)(void *call),
                  struct mcp_call *call)
{
    const struct job job = {.run = run,
                            .refuse = refuse,
                            .unwanted = is_cancelled,
                            .argument = call,
                            .owner = connections_current()};
    if (workers_queue(kind, &job) != 0)
        refuse(call);
}

void tools_queue(void (*run)(void *call), void (*refuse)(void *call), struct mcp_call *call)
{
    queue(WORKERS_SHARE, run, refuse, call);
}

void tools_queue_inference(void (*run)(void *call), void (*refuse)(void *call), struct mcp_call *call)
{
    queue(WORKERS_INFERENCE, run, refuse, call);
}

bool tools_admit(struct mcp_call *call)
{
    const char *excess = connections_current_excess();
    if (excess != NULL)
        tools_overloaded(call, excess);
    return excess == NULL;
}

/* The handler that every tool is registered with; `context` is the tool. */
static void call_if_admitted(struct mcp_call *call, void *context)
{
    const struct mcp_tool *tool = context;
    if (tools_admit(call))
        tool->handler(call, tool->context);
}

int tools_add(struct mcp_server *server, const struct mcp_tool *tools, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct mcp_tool tool = tools[i];
        tool.needs = policy_needs(tool.name);
        tool.handler = call_if_admitted;
        tool.context = (void *)(uintptr_t)&tools[i];
        int error = mcp_server_add_tool(server, &tool);
        if (error != 0)
            return error;
    }
    return 0;
}
