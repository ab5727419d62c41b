/* SPDX-License-Identifier: MIT
 *
 * Resources: resources/list, resources/templates/list and resources/read (MCP 2025-11-25, "Server features /
 * Resources"). Subscriptions are in subscriptions.c.
 */
#include "mcp/resource.h"

#include <errno.h>
#include <string.h>

#include "call_private.h"
#include "uri_template.h"

static void write_declaration(struct mcp_json_writer *writer, const struct mcp_resource *resource,
                              const struct mcp_version *version)
{
    mcp_json_member_string(writer, "name", resource->name);
    if (resource->title != NULL && version->titles)
        mcp_json_member_string(writer, "title", resource->title);
    if (resource->description != NULL)
        mcp_json_member_string(writer, "description", resource->description);
    if (resource->mime_type != NULL)
        mcp_json_member_string(writer, "mimeType", resource->mime_type);
    if (resource->annotations != NULL)
        write_json_member(writer, "annotations", resource->annotations);
    if (resource->icons != NULL && version->icons)
        write_json_member(writer, "icons", resource->icons);
    if (resource->meta != NULL && version->metadata)
        write_json_member(writer, "_meta", resource->meta);
}

static void write_resource(struct mcp_json_writer *writer, const struct item *item,
                           const struct mcp_version *version)
{
    const struct mcp_resource *resource = &((const struct resource_entry *)item)->resource;

    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "uri", resource->uri);
    write_declaration(writer, resource, version);
    if (resource->size > 0)
        mcp_json_member_uint(writer, "size", resource->size);
    mcp_json_end_object(writer);
}

static void write_template(struct mcp_json_writer *writer, const struct item *item,
                           const struct mcp_version *version)
{
    const struct mcp_resource *resource = &((const struct resource_entry *)item)->resource;

    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "uriTemplate", resource->uri);
    write_declaration(writer, resource, version);
    mcp_json_end_object(writer);
}

static const struct list_kind resource_kind = {.member = "resources", .write = write_resource};
static const struct list_kind template_kind = {.member = "resourceTemplates", .write = write_template};

static struct registry *registry_of(struct mcp_server *server, const char *uri)
{
    return uri_is_template(uri) ? &server->templates : &server->resources;
}

static struct resource_entry *entry_of(const struct registry *registry, const char *uri)
{
    struct item *item = registry->first;

    while (item != NULL && strcmp(((struct resource_entry *)item)->resource.uri, uri) != 0)
        item = item->next;
    return (struct resource_entry *)item;
}

static int refuse(const struct mcp_server *server, const struct mcp_resource *resource, const char *why)
{
    return declaration_refuse(server, "resource ", resource->uri, why, "");
}

static int check(const struct mcp_server *server, const struct mcp_resource *resource)
{
    if (resource->uri == NULL || resource->uri[0] == '\0' || resource->name == NULL ||
        resource->name[0] == '\0' || resource->handler == NULL)
        return refuse(server, resource, "it needs a URI, a name and a handler");
    if (uri_is_template(resource->uri) && !uri_template_is_valid(resource->uri))
        return refuse(server, resource,
                      "a template has up to 8 of {name} or {+name}, with text between them");
    return declaration_check_json(server, "resource ", resource->uri, resource->annotations, resource->icons,
                                  resource->meta);
}

int mcp_server_add_resource(struct mcp_server *server, const struct mcp_resource *resource)
{
    const struct mcp_memory *memory = &server->config.memory;
    struct registry *registry;
    struct resource_entry *entry;
    int result = check(server, resource);

    if (result != 0)
        return result;
    registry = registry_of(server, resource->uri);
    if (entry_of(registry, resource->uri) != NULL)
        return -EEXIST;
    entry = memory->allocate(memory->context, sizeof(*entry));
    if (entry == NULL)
        return -ENOMEM;
    *entry = (struct resource_entry){.item.needs = resource->needs, .resource = *resource};
    result = registry_add(server, registry, registry == &server->templates ? &template_kind : &resource_kind,
                          &entry->item);
    if (result != 0) {
        memory->release(memory->context, entry, sizeof(*entry));
        return result == -EFBIG ? refuse(server, resource, "too long for a message") : result;
    }
    server_use(server, &feature_resources);
    if (resource->complete != NULL)
        server_use(server, &feature_completion);
    list_changed(server, LIST_RESOURCES);
    return 0;
}

int mcp_server_remove_resource(struct mcp_server *server, const char *uri)
{
    const struct mcp_memory *memory = &server->config.memory;
    struct registry *registry = registry_of(server, uri);
    struct resource_entry *entry = entry_of(registry, uri);

    if (entry == NULL)
        return -ENOENT;
    registry_remove(registry, &entry->item);
    memory->release(memory->context, entry, sizeof(*entry));
    list_changed(server, LIST_RESOURCES);
    return 0;
}

static void release_all(const struct mcp_server *server, struct registry *registry)
{
    const struct mcp_memory *memory = &server->config.memory;

    while (registry->first != NULL) {
        struct item *item = registry->first;

        registry->first = item->next;
        memory->release(memory->context, item, sizeof(struct resource_entry));
    }
}

static void release(struct mcp_server *server)
{
    release_all(server, &server->resources);
    release_all(server, &server->templates);
}

const struct resource_entry *resource_find(const struct mcp_server *server, const char *uri)
{
    struct uri_variable variables[URI_TEMPLATE_VARIABLES];
    const struct resource_entry *found = entry_of(&server->resources, uri);

    for (const struct item *item = server->templates.first; found == NULL && item != NULL;
         item = item->next) {
        const struct resource_entry *entry = (const struct resource_entry *)item;

        if (uri_template_match(entry->resource.uri, uri, variables) > 0)
            found = entry;
    }
    return found;
}

const struct resource_entry *template_find(const struct mcp_server *server, struct mcp_json uri_template)
{
    const struct item *item = server->templates.first;

    while (item != NULL &&
           !mcp_json_equals(uri_template, ((const struct resource_entry *)item)->resource.uri))
        item = item->next;
    return (const struct resource_entry *)item;
}

/* ---- resources/read ---- */

/* Writes the variables of a template as an object; `scratch` has room for the URI. */
static void write_variables(struct mcp_json_writer *writer, const char *uri_template, const char *uri,
                            char *scratch)
{
    struct uri_variable variables[URI_TEMPLATE_VARIABLES];
    int count = uri_template_match(uri_template, uri, variables);

    mcp_json_begin_object(writer);
    for (int i = 0; i < count; i++) {
        memcpy(scratch, variables[i].value, variables[i].length);
        mcp_json_key_write(writer, variables[i].name);
        mcp_json_string_n(writer, scratch, uri_decode(scratch, variables[i].length));
    }
    mcp_json_end_object(writer);
}

/* The variables as a document, for call_begin to copy. Returns 0 or a negative errno. */
static int parse_variables(const struct mcp_server *server, struct mcp_json_writer *writer,
                           const char *uri_template, const struct call_block *uri,
                           struct mcp_json_document **document)
{
    const struct mcp_memory *memory = &server->config.memory;
    size_t size = strlen(uri->bytes) + 1;
    char *scratch = memory->allocate(memory->context, size);
    struct mcp_json_error error;
    const char *text;
    size_t length;
    int result;

    if (scratch == NULL)
        return -ENOMEM;
    write_variables(writer, uri_template, uri->bytes, scratch);
    memory->release(memory->context, scratch, size);
    result = mcp_json_finish(writer, &text, &length);
    return result == 0 ? mcp_json_parse(memory, text, length, document, &error) : result;
}

static void run_read(const struct request *request, const struct mcp_resource *resource,
                     struct call_block *uri, struct mcp_json variables)
{
    struct mcp_call *call =
        call_begin(request, CALL_READ, resource->handler, resource->cancelled, resource->context, variables);

    if (call == NULL) {
        block_release(request->session->server, uri);
        return;
    }
    call_adopt(call, uri);
    call->uri = uri->bytes;
    call->mime_type = resource->mime_type;
    call->ttl_ms = resource->ttl_ms;
    call->shared = resource->shared;
    call_run(call, request);
}

static void read_by_template(const struct request *request, const struct mcp_resource *resource,
                             struct call_block *uri)
{
    const struct mcp_server *server = request->session->server;
    struct mcp_json_document *variables;
    struct mcp_json_writer writer;
    int result;

    mcp_json_writer_initialise(&writer, &server->config.memory, server->config.message_max);
    result = parse_variables(server, &writer, resource->uri, uri, &variables);
    if (result != 0) {
        block_release(server, uri);
        if (result == -ENOMEM)
            reply_overloaded(&request->reply, "Overloaded: out of memory for this call");
        else
            reply_invalid_params(&request->reply, "uri: its variables are too long");
    } else {
        run_read(request, resource, uri, mcp_json_root(variables));
        mcp_json_free(variables);
    }
    mcp_json_writer_release(&writer);
}

static void handle_read(const struct request *request)
{
    const struct mcp_server *server = request->session->server;
    struct mcp_json uri = mcp_json_member(request->params, "uri");
    const struct resource_entry *entry;
    struct call_block *text;

    if (mcp_json_type(uri) != MCP_JSON_STRING) {
        reply_invalid_params(&request->reply, "uri must be a string");
        return;
    }
    text = block_decode(server, uri);
    if (text == NULL) {
        reply_overloaded(&request->reply, "Overloaded: out of memory for this call");
        return;
    }
    entry = strlen(text->bytes) == mcp_json_string_length(uri) ? resource_find(server, text->bytes) : NULL;
    if (entry == NULL) {
        reply_resource_not_found(&request->reply, text->bytes);
        block_release(server, text);
    } else if (!request_may_use(request, entry->item.needs, entry->resource.uri)) {
        block_release(server, text);
    } else if (uri_is_template(entry->resource.uri)) {
        read_by_template(request, &entry->resource, text);
    } else {
        run_read(request, &entry->resource, text, (struct mcp_json){0});
    }
}

static void handle_list(const struct request *request)
{
    registry_list(request, &request->session->server->resources, &resource_kind);
}

static void handle_list_templates(const struct request *request)
{
    registry_list(request, &request->session->server->templates, &template_kind);
}

static void write_resources_capability(const struct mcp_server *server, const struct mcp_version *version,
                                       struct mcp_json_writer *writer)
{
    (void)version;
    write_list_capability(server, writer, "resources");
    if (server->resources_change)
        mcp_json_member_bool(writer, "subscribe", true);
    mcp_json_end_object(writer);
}

static const struct method methods[] = {
    {.name = "resources/list", .handle = handle_list, .versions = EVERY_VERSION},
    {.name = "resources/templates/list", .handle = handle_list_templates, .versions = EVERY_VERSION},
    {.name = "resources/read", .handle = handle_read, .versions = EVERY_VERSION},
};

const struct feature feature_resources = {.methods = methods,
                                          .method_count = sizeof(methods) / sizeof(methods[0]),
                                          .write_capabilities = write_resources_capability,
                                          .release = release};
