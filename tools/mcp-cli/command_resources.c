/* SPDX-License-Identifier: MIT
 *
 * The lists of resources, and what is in one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "commands.h"

/* Aligned: URI, type, what it is. */
static void print_list(const struct output *output, const json_t *list, const char *key)
{
    size_t width = 0;
    size_t type_width = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *each = json_array_get(list, i);
        const char *uri = json_string_value(json_object_get(each, key));
        const char *mime = json_string_value(json_object_get(each, "mimeType"));
        width = uri && output_width(uri) > width ? output_width(uri) : width;
        type_width = mime && output_width(mime) > type_width ? output_width(mime) : type_width;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *each = json_array_get(list, i);
        const char *uri = json_string_value(json_object_get(each, key));
        const char *mime = json_string_value(json_object_get(each, "mimeType"));
        const char *text = json_string_value(json_object_get(each, "description"));
        text = text ? text : json_string_value(json_object_get(each, "title"));
        text = text ? text : json_string_value(json_object_get(each, "name"));
        if (!uri)
            continue;
        output_coloured(output, COLOUR_STRONG, uri);
        output_spaces(output, width - output_width(uri) + 2);
        if (type_width > 0)
            print_padded(output, mime ? mime : "", type_width);
        output_line(output, text ? text : "", text ? strlen(text) : 0);
    }
}

enum status command_resources(struct session *session, int count, char **argv, struct error *error)
{
    json_t *resources = NULL;
    json_t *templates = NULL;
    struct error ignored;
    enum status status = command_no_operands(session, "resources", count, argv, error);
    if (status == STATUS_OK)
        status = session_list(session, "resources/list", "resources", &resources, error);
    if (status != STATUS_OK)
        return status;
    status = session_list(session, "resources/templates/list", "resourceTemplates", &templates, &ignored);
    if (status == STATUS_TOOL) { /* a server need not have them */
        templates = json_array();
        status = STATUS_OK;
    }
    if (status != STATUS_OK) {
        *error = ignored;
    } else if (session->json) {
        json_t *document = json_pack("{s:O, s:O}", "resources", resources, "resourceTemplates", templates);
        output_json(&session->output, document, JSON_PRETTY);
        json_decref(document);
    } else {
        print_list(&session->output, resources, "uri");
        print_list(&session->output, templates, "uriTemplate");
    }
    json_decref(resources);
    json_decref(templates);
    return status;
}

/* Writes the bytes of one content. Returns 0, or a negative errno: -EINVAL for a blob that is none. */
static int write_bytes(FILE *file, const json_t *contents)
{
    const json_t *text = json_object_get(contents, "text");
    const json_t *blob = json_object_get(contents, "blob");
    size_t length = json_string_length(text);
    int result = 0;
    if (!json_is_string(blob)) {
        if (length > 0 && fwrite(json_string_value(text), 1, length, file) != length)
            result = errno ? -errno : -EIO;
        return result;
    }
    unsigned char *bytes = malloc(json_string_length(blob) + 1);
    if (!bytes)
        return -ENOMEM;
    result = base64_decode(json_string_value(blob), json_string_length(blob), bytes, &length);
    if (result == 0 && fwrite(bytes, 1, length, file) != length)
        result = errno ? -errno : -EIO;
    free(bytes);
    return result;
}

static enum status write_file(const char *path, const json_t *contents, struct error *error)
{
    FILE *file = fopen(path, "wb");
    int result = file ? 0 : -errno;
    for (size_t i = 0; i < json_array_size(contents) && result == 0; i++)
        result = write_bytes(file, json_array_get(contents, i));
    if (file && fclose(file) != 0 && result == 0)
        result = -errno;
    if (result == -EINVAL)
        return error_set(error, STATUS_TOOL, "the server's blob is no Base64");
    return result == 0 ? STATUS_OK
                       : error_set(error, STATUS_USAGE, "cannot write %s: %s", path, strerror(-result));
}

enum status command_read(struct session *session, int count, char **argv, struct error *error)
{
    const char *path = NULL;
    const struct option options[] = {{"output", 'o', OPTION_TEXT, &path}, {NULL, 0, OPTION_FLAG, NULL}};
    enum status status = command_options(session, options, &count, argv, error);
    if (status != STATUS_OK)
        return status;
    if (count != 1)
        return error_set(error, STATUS_USAGE,
                         "read needs the URI of one resource; the command resources lists them");
    json_t *params = json_pack("{s:s}", "uri", argv[0]);
    if (!params)
        return error_set(error, STATUS_USAGE, "the URI is not UTF-8");
    json_t *result;
    status = session_request(session, "resources/read", argv[0], params, &result, error);
    const json_t *contents = json_object_get(result, "contents");
    if (status == STATUS_OK && !json_is_array(contents))
        status = error_set(error, STATUS_TOOL, "%.200s: the server's answer has no contents", argv[0]);
    if (status == STATUS_OK && path)
        status = write_file(path, contents, error);
    else if (status == STATUS_OK && session->json)
        output_json(&session->output, contents, JSON_PRETTY);
    else {
        for (size_t i = 0; i < json_array_size(contents); i++)
            print_contents(session, json_array_get(contents, i));
    }
    json_decref(result);
    return status;
}
