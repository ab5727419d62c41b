/* SPDX-License-Identifier: MIT
 *
 * Values that a request repeats in headers of HTTP (MCP 2026-07-28, "Streamable HTTP / Request Metadata").
 */
#ifndef MCP_CLI_HEADER_ARGUMENTS_H
#define MCP_CLI_HEADER_ARGUMENTS_H

#include <jansson.h>

#include "error.h"

/* Adds the Mcp-Param-NAME of each property that the schema marks with x-mcp-header to *headers, a new object
 * of texts; NULL when there is none. STATUS_TOOL for a schema that marks what may not be marked. */
enum status header_arguments(const json_t *schema, const json_t *arguments, json_t **headers,
                             struct error *error);

/* The value of a header: the text as it is where HTTP takes it, else =?base64?...?=. A new JSON text, or NULL
 * without memory. */
json_t *header_value(const char *text);

#endif
