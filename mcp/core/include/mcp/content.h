/* SPDX-License-Identifier: MIT
 *
 * Content: what results of tools, messages of prompts and resources are made of (MCP 2025-11-25, "Server
 * features / Tools / Tool Result").
 *
 *     mcp_call_content(call, &(struct mcp_content){
 *         .type = MCP_CONTENT_IMAGE, .data = png, .size = png_size, .mime_type = "image/png"});
 *
 * A version of the protocol that has no such content (audio in 2024-11-05, resource links before 2025-06-18)
 * gets a text in its place that says what it is; members that a version does not know are left out.
 */
#ifndef MCP_CONTENT_H
#define MCP_CONTENT_H

#include <stddef.h>
#include <stdint.h>

enum mcp_content_type {
    MCP_CONTENT_TEXT,          /* data: UTF-8, repaired where it is not */
    MCP_CONTENT_IMAGE,         /* data, mime_type */
    MCP_CONTENT_AUDIO,         /* data, mime_type */
    MCP_CONTENT_RESOURCE_TEXT, /* uri, data: UTF-8 */
    MCP_CONTENT_RESOURCE_BLOB, /* uri, data */
    MCP_CONTENT_RESOURCE_LINK  /* uri, name */
};

/* What the type does not need may be NULL or 0. Nothing is kept: it is written at once. */
struct mcp_content {
    enum mcp_content_type type;
    const void *data; /* bytes; images, audio and blobs travel in base64 */
    size_t size;
    const char *mime_type;
    const char *uri;
    const char *name, *title, *description; /* of a link */
    const char *icons;                      /* of a link: JSON text of an array of Icon */
    const char *annotations;                /* JSON text of an Annotations object */
    const char *meta;                       /* JSON text of an object: _meta */
};

#endif
