/* SPDX-License-Identifier: MIT
 *
 * The gateway's own tools/list, for tool_headers.h: kept for as long as the server says, and asked for again
 * before a call is refused by an older one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway_private.h"

#define TTL_LEAST_MS 1000u
#define TTL_MOST_MS  300000u
#define PAGES_MAX    1000u
#define WAIT_MS      10000u

static void resume_all(struct gateway *gateway, bool known)
{
    for (struct exchange *exchange = gateway->exchanges, *next; exchange != NULL; exchange = next) {
        next = exchange->next;
        if (exchange->held)
            stateless_resume(exchange, known);
    }
}

static void finish(struct gateway *gateway, bool known)
{
    struct tool_list *list = &gateway->tools;
    if (known) {
        tool_headers_release(&list->headers);
        list->headers = list->coming;
        list->coming = (struct tool_headers){0};
        list->known = true;
        list->fetched_at = gateway_now(gateway);
    } else {
        tool_headers_release(&list->coming);
    }
    list->fetching = false;
    resume_all(gateway, known);
}

/* `cursor` is JSON text, or empty for the first page. */
static bool ask(struct gateway *gateway, struct piece cursor)
{
    static const char before[] = "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"tools/list\",\"params\":{";
    static const char after[] =
        "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
        "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"mcp-cli http\",\"version\":\"1\"},"
        "\"io.modelcontextprotocol/clientCapabilities\":{}}}}";
    size_t size = sizeof before + sizeof after + cursor.length + 20;
    char *text = malloc(size);
    if (text == NULL)
        return false;
    int length = snprintf(text, size, "%s%s%.*s%s%s", before, cursor.length > 0 ? "\"cursor\":" : "",
                          (int)cursor.length, cursor.length > 0 ? cursor.text : "",
                          cursor.length > 0 ? "," : "", after);
    bool sent = vm_link_send(gateway->tools.link, text, (size_t)length) == 0;
    free(text);
    return sent;
}

static void end(struct gateway *gateway, bool known)
{
    gateway_link_return(gateway, gateway->tools.link);
    gateway->tools.link = NULL;
    finish(gateway, known);
}

static void handle(void *owner, struct piece tag, const struct message *message)
{
    struct gateway *gateway = owner;
    struct tool_list *list = &gateway->tools;
    struct mcp_json result = mcp_json_member(message->root, "result"),
                    cursor = mcp_json_member(result, "nextCursor");
    int64_t ttl = 0;
    (void)tag;
    if (message->kind != MESSAGE_RESPONSE)
        return;
    if (message->is_error || tool_headers_add(&list->coming, result) != 0) {
        end(gateway, false);
        return;
    }
    (void)mcp_json_get_int(mcp_json_member(result, "ttlMs"), &ttl);
    list->ttl_ms = ttl < TTL_LEAST_MS ? TTL_LEAST_MS : ttl > TTL_MOST_MS ? TTL_MOST_MS : (uint64_t)ttl;
    struct piece text = {0};
    if (mcp_json_type(cursor) == MCP_JSON_STRING)
        text.text = mcp_json_raw(cursor, &text.length);
    if (text.length == 0)
        end(gateway, true);
    else if (++list->pages > PAGES_MAX || text.length > MESSAGE_NAME_MAX || !ask(gateway, text))
        end(gateway, false);
}

static void lost(void *owner)
{
    struct gateway *gateway = owner;
    gateway->tools.link = NULL;
    finish(gateway, false);
}

static const struct vm_link_owner owner = {handle, lost};

bool tool_list_is_fresh(const struct gateway *gateway, uint64_t most_ms)
{
    const struct tool_list *list = &gateway->tools;
    uint64_t limit = list->ttl_ms < most_ms ? list->ttl_ms : most_ms;
    return list->known && gateway_now(gateway) - list->fetched_at < limit;
}

bool tool_list_fetch(struct gateway *gateway)
{
    struct tool_list *list = &gateway->tools;
    if (list->fetching)
        return true;
    list->link = gateway_link_take(gateway, true, &owner, gateway);
    if (list->link == NULL)
        return false;
    list->fetching = true;
    list->started_at = gateway_now(gateway);
    list->pages = 0;
    if (ask(gateway, (struct piece){0}))
        return true;
    gateway_link_return(gateway, list->link);
    list->link = NULL;
    list->fetching = false;
    return false;
}

void tool_list_tick(struct gateway *gateway, uint64_t now)
{
    struct tool_list *list = &gateway->tools;
    if (!list->fetching || now - list->started_at < WAIT_MS)
        return;
    gateway_link_close(gateway, list->link);
    list->link = NULL;
    finish(gateway, false);
}

void tool_list_release(struct gateway *gateway)
{
    tool_headers_release(&gateway->tools.headers);
    tool_headers_release(&gateway->tools.coming);
}
