/* SPDX-License-Identifier: MIT
 *
 * Arguments of a tool, from words that people type: key=value, typed by the tool's inputSchema.
 */
#ifndef MCP_CLI_ARGUMENTS_H
#define MCP_CLI_ARGUMENTS_H

#include <stddef.h>

#include <jansson.h>

#include "error.h"

/* One word for the type of a property's schema: "integer", "string or null", "any". Writes at most `size`
 * bytes and returns `buffer`. */
const char *argument_type(const json_t *property, char *buffer, size_t size);

/* Reads count words key=value into a JSON object. A value is read as the types that the schema gives the
 * property, the first that fits; as text where the schema says nothing. STATUS_USAGE when one has no '=',
 * comes twice, is not UTF-8 or fits none of its types. *arguments belongs to the caller. */
enum status arguments_from_words(const json_t *schema, int count, char *const *words, json_t **arguments,
                                 struct error *error);

/* Reads a JSON object. */
enum status arguments_from_json(const char *text, json_t **arguments, struct error *error);

#endif
