/* SPDX-License-Identifier: MIT
 *
 * What declarations of tools, resources and prompts have in common.
 */
#include <errno.h>
#include <string.h>

#include "json_scan.h"
#include "server_private.h"

#define NAME_MAX_LENGTH 128

static bool name_is_valid(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";

    return name != NULL && name[0] != '\0' && strlen(name) <= NAME_MAX_LENGTH &&
           name[strspn(name, allowed)] == '\0';
}

static bool is_json_text(const char *text, char first)
{
    struct mcp_json_error error;
    size_t tokens;

    return json_scan(text, strlen(text), &tokens, &error) == 0 && text[strspn(text, " \t\r\n")] == first;
}

bool is_object_text(const char *text)
{
    return is_json_text(text, '{');
}

bool is_array_text(const char *text)
{
    return is_json_text(text, '[');
}

int declaration_refuse(const struct mcp_server *server, const char *kind, const char *name, const char *what,
                       const char *why)
{
    struct text line = {0};

    if (server->config.report == NULL)
        return -EINVAL;
    text_add(&line, kind);
    text_add(&line, name != NULL ? name : "without a name");
    text_add(&line, ": ");
    text_add(&line, what);
    text_add(&line, why);
    server->config.report(server->config.report_context, line.bytes);
    return -EINVAL;
}

int declaration_check_name(const struct mcp_server *server, const char *kind, const char *name)
{
    if (name_is_valid(name))
        return 0;
    return declaration_refuse(server, kind, name, "a name is 1 to 128 of A-Z a-z 0-9 _ - .", "");
}

int declaration_check_json(const struct mcp_server *server, const char *kind, const char *name,
                           const char *annotations, const char *icons, const char *meta)
{
    if (annotations != NULL && !is_object_text(annotations))
        return declaration_refuse(server, kind, name, "annotations: must be a JSON object", "");
    if (icons != NULL && !is_array_text(icons))
        return declaration_refuse(server, kind, name, "icons: must be a JSON array", "");
    if (meta != NULL && !is_object_text(meta))
        return declaration_refuse(server, kind, name, "_meta: must be a JSON object", "");
    return 0;
}

void write_list_capability(const struct mcp_server *server, struct mcp_json_writer *writer, const char *name)
{
    mcp_json_key_write(writer, name);
    mcp_json_begin_object(writer);
    if (server->lists_change)
        mcp_json_member_bool(writer, "listChanged", true);
}

void list_changed(struct mcp_server *server, uint32_t list)
{
    if (server->tell_lists != NULL)
        server->tell_lists(server, list);
}
