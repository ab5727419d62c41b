/* SPDX-License-Identifier: MIT */
#include "servers.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suggest.h"

static const json_t *find(const json_t *servers, const char *name)
{
    for (size_t i = 0; i < json_array_size(servers); i++) {
        const json_t *each = json_array_get(servers, i);
        if (strcmp(json_string_value(json_object_get(each, "name")), name) == 0)
            return each;
    }
    return NULL;
}

/* Adds the entries of one file, which may be missing unless it is `needed`. */
static enum status read_file(const char *path, bool needed, bool project, json_t *servers,
                             struct error *error)
{
    json_error_t cause;
    FILE *file = fopen(path, "rb");
    if (!file && errno == ENOENT && !needed)
        return STATUS_OK;
    if (!file)
        return error_set(error, STATUS_USAGE, "cannot read %s: %s", path, strerror(errno));
    json_t *document = json_loadf(file, 0, &cause);
    fclose(file);
    if (!document)
        return error_set(error, STATUS_USAGE, "%s, line %d: %s", path, cause.line, cause.text);
    json_t *entries = json_object_get(document, "mcpServers");
    enum status status = STATUS_OK;
    const char *name;
    json_t *entry;
    if (!json_is_object(entries))
        status = error_set(error, STATUS_USAGE, "%s has no object mcpServers", path);
    json_object_foreach(entries, name, entry)
    {
        if (!json_is_object(entry))
            status = error_set(error, STATUS_USAGE, "%s: the entry %s is no object", path, name);
        else if (!find(servers, name))
            json_array_append_new(servers, json_pack("{s:s, s:s, s:b, s:O}", "name", name, "file", path,
                                                     "project", (int)project, "entry", entry));
    }
    json_decref(document);
    return status;
}

/* The XDG base directory specification: what the user configures. */
static bool find_own(char *path, size_t size)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int length = -1;
    if (config && config[0] == '/')
        length = snprintf(path, size, "%s/mcp-cli/servers.json", config);
    else if (home && home[0] == '/')
        length = snprintf(path, size, "%s/.config/mcp-cli/servers.json", home);
    return length > 0 && (size_t)length < size;
}

enum status servers_read(const char *file, json_t **servers, struct error *error)
{
    char path[4096];
    enum status status = STATUS_OK;
    *servers = json_array();
    if (file) {
        status = read_file(file, true, false, *servers, error);
    } else {
        if (find_own(path, sizeof path))
            status = read_file(path, false, false, *servers, error);
        if (status == STATUS_OK)
            status = read_file("./.mcp.json", false, true, *servers, error);
    }
    if (status != STATUS_OK) {
        json_decref(*servers);
        *servers = NULL;
    }
    return status;
}

enum status servers_find(const json_t *servers, const char *name, struct endpoint *endpoint,
                         struct error *error)
{
    const json_t *server = find(servers, name);
    if (server)
        return endpoint_entry(endpoint, name, json_object_get(server, "entry"), error);
    struct suggestion suggestion = {.word = name};
    for (size_t i = 0; i < json_array_size(servers); i++)
        suggest_offer(&suggestion, json_string_value(json_object_get(json_array_get(servers, i), "name")));
    error_set(error, STATUS_USAGE, "there is no server '%.200s'%s", name,
              suggestion.best ? "" : "; mcp-cli servers lists those of the files, an address has a / or a :");
    suggest_append(&suggestion, error);
    return STATUS_USAGE;
}
