/* SPDX-License-Identifier: MIT
 *
 * Content of results, in the form of each version.
 */
#include "mcp/content.h"

#include <errno.h>
#include <string.h>

#include "call_private.h"
#include "json_write_private.h"

/* Whoever declared the text, or the caller, has checked it. */
void write_json_member(struct mcp_json_writer *writer, const char *name, const char *text)
{
    mcp_json_key_write(writer, name);
    json_write_checked(writer, text, strlen(text));
}

static void write_if(struct mcp_json_writer *writer, const char *name, const char *text)
{
    if (text != NULL)
        mcp_json_member_string(writer, name, text);
}

static void write_meta(struct mcp_json_writer *writer, const struct mcp_content *content,
                       const struct mcp_version *version)
{
    if (content->meta == NULL || !version->metadata)
        return;
    if (!is_object_text(content->meta))
        writer->error = -EINVAL;
    else
        write_json_member(writer, "_meta", content->meta);
}

static void write_annotations(struct mcp_json_writer *writer, const struct mcp_content *content)
{
    if (content->annotations == NULL)
        return;
    if (!is_object_text(content->annotations))
        writer->error = -EINVAL;
    else
        write_json_member(writer, "annotations", content->annotations);
}

/* The members of TextResourceContents or BlobResourceContents. */
static void write_resource(struct mcp_json_writer *writer, const struct mcp_content *content)
{
    mcp_json_member_string(writer, "uri", content->uri);
    write_if(writer, "mimeType", content->mime_type);
    if (content->type == MCP_CONTENT_RESOURCE_BLOB) {
        mcp_json_key_write(writer, "blob");
        mcp_json_base64(writer, content->data, content->size);
    } else {
        mcp_json_key_write(writer, "text");
        mcp_json_string_n(writer, content->data, content->size);
    }
}

static void write_link(struct mcp_json_writer *writer, const struct mcp_content *content,
                       const struct mcp_version *version)
{
    mcp_json_member_string(writer, "type", "resource_link");
    mcp_json_member_string(writer, "uri", content->uri);
    mcp_json_member_string(writer, "name", content->name != NULL ? content->name : content->uri);
    write_if(writer, "title", content->title);
    write_if(writer, "description", content->description);
    write_if(writer, "mimeType", content->mime_type);
    if (content->icons != NULL && version->icons) {
        if (is_array_text(content->icons))
            write_json_member(writer, "icons", content->icons);
        else
            writer->error = -EINVAL;
    }
}

static void write_bytes(struct mcp_json_writer *writer, const struct mcp_content *content, const char *type)
{
    mcp_json_member_string(writer, "type", type);
    mcp_json_key_write(writer, "data");
    mcp_json_base64(writer, content->data, content->size);
    mcp_json_member_string(writer, "mimeType", content->mime_type);
}

/* What a version has no form for: a text says what it would be. */
static void write_stand_in(struct mcp_json_writer *writer, const struct mcp_content *content,
                           const struct mcp_version *version)
{
    struct text text = {0};

    mcp_json_member_string(writer, "type", "text");
    if (content->type == MCP_CONTENT_RESOURCE_LINK) {
        mcp_json_member_string(writer, "text", content->uri);
        return;
    }
    text_add_uint(&text, content->size);
    text_add(&text, " bytes of ");
    text_add(&text, content->mime_type);
    text_add(&text, " are left out: protocol version ");
    text_add(&text, version->name);
    text_add(&text, " has no audio");
    mcp_json_member_string(writer, "text", text.bytes);
}

static bool is_complete(const struct mcp_content *content)
{
    if (content->data == NULL && content->size > 0)
        return false;
    switch (content->type) {
    case MCP_CONTENT_TEXT:
        return true;
    case MCP_CONTENT_IMAGE:
    case MCP_CONTENT_AUDIO:
        return content->mime_type != NULL;
    default:
        return content->uri != NULL;
    }
}

static void write_block(struct mcp_json_writer *writer, const struct mcp_content *content,
                        const struct mcp_version *version)
{
    mcp_json_begin_object(writer);
    if ((content->type == MCP_CONTENT_AUDIO && !version->audio) ||
        (content->type == MCP_CONTENT_RESOURCE_LINK && !version->resource_links)) {
        write_stand_in(writer, content, version);
    } else if (content->type == MCP_CONTENT_TEXT) {
        mcp_json_member_string(writer, "type", "text");
        mcp_json_key_write(writer, "text");
        mcp_json_string_n(writer, content->data, content->size);
    } else if (content->type == MCP_CONTENT_IMAGE) {
        write_bytes(writer, content, "image");
    } else if (content->type == MCP_CONTENT_AUDIO) {
        write_bytes(writer, content, "audio");
    } else if (content->type == MCP_CONTENT_RESOURCE_LINK) {
        write_link(writer, content, version);
    } else {
        mcp_json_member_string(writer, "type", "resource");
        mcp_json_key_write(writer, "resource");
        mcp_json_begin_object(writer);
        write_resource(writer, content);
        mcp_json_end_object(writer);
    }
    write_annotations(writer, content);
    write_meta(writer, content, version);
    mcp_json_end_object(writer);
}

/* What a read returns is the resource itself, by default under the URI that was asked for. */
static void write_contents(struct mcp_json_writer *writer, const struct mcp_call *call,
                           const struct mcp_content *content)
{
    struct mcp_content filled = *content;

    if (filled.type == MCP_CONTENT_TEXT)
        filled.type = MCP_CONTENT_RESOURCE_TEXT;
    if (filled.uri == NULL)
        filled.uri = call->uri;
    if (filled.mime_type == NULL)
        filled.mime_type = call->mime_type;
    if ((filled.type != MCP_CONTENT_RESOURCE_TEXT && filled.type != MCP_CONTENT_RESOURCE_BLOB) ||
        !is_complete(&filled)) {
        writer->error = -EINVAL;
        return;
    }
    mcp_json_begin_object(writer);
    write_resource(writer, &filled);
    write_meta(writer, &filled, call_format(call));
    mcp_json_end_object(writer);
}

void mcp_call_message(struct mcp_call *call, enum mcp_role role, const struct mcp_content *content)
{
    struct mcp_json_writer *writer = call_content_writer(call);

    if (call->kind != CALL_PROMPT || !is_complete(content)) {
        writer->error = -EINVAL;
        return;
    }
    mcp_json_begin_object(writer);
    mcp_json_member_string(writer, "role", role == MCP_ROLE_USER ? "user" : "assistant");
    mcp_json_key_write(writer, "content");
    write_block(writer, content, call_format(call));
    mcp_json_end_object(writer);
}

void mcp_call_content(struct mcp_call *call, const struct mcp_content *content)
{
    struct mcp_json_writer *writer = call_content_writer(call);

    if (call->kind == CALL_PROMPT)
        mcp_call_message(call, MCP_ROLE_USER, content);
    else if (call->kind == CALL_READ)
        write_contents(writer, call, content);
    else if (call->kind == CALL_COMPLETION || !is_complete(content))
        writer->error = -EINVAL;
    else
        write_block(writer, content, call_format(call));
}

void mcp_call_text(struct mcp_call *call, const char *text, size_t length)
{
    mcp_call_content(call, &(struct mcp_content){.type = MCP_CONTENT_TEXT, .data = text, .size = length});
}
