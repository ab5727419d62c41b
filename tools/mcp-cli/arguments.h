/* SPDX-License-Identifier: MIT
 *
 * Arguments from words that people type:
 *
 *   key=value     typed by the schema        key=@file    the text of a file, typed in the same way
 *   key:=json     JSON, whatever the schema  key:=@file   JSON of a file
 *
 * A file `-` is standard input; a value that begins with @ is written with two of them.
 */
#ifndef MCP_CLI_ARGUMENTS_H
#define MCP_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "error.h"

/* One word for the type of a property's schema: "integer", "string or null", "any". Writes at most `size`
 * bytes and returns `buffer`. */
const char *argument_type(const json_t *property, char *buffer, size_t size);

/* Whether the schema of an object requires the property. */
bool argument_required(const json_t *schema, const char *key);

/* The text as a value of the property's type, the first that fits; as text where the schema says nothing.
 * NULL when none fits, or the text is not UTF-8. */
json_t *argument_value(const json_t *property, const char *text);

/* Reads words into a JSON object. STATUS_USAGE when one has no '=', comes twice, is not UTF-8 or fits none of
 * its types, when a file cannot be read, or when the schema has a key that is nearly the same instead.
 * *arguments belongs to the caller. */
enum status arguments_from_words(const json_t *schema, int count, char *const *words, json_t **arguments,
                                 struct error *error);

/* Reads a JSON object; `what` is its name in messages. */
enum status arguments_from_json(const char *text, const char *what, json_t **arguments, struct error *error);

/* The bytes of a file (`-`: standard input), the caller's to free, with a '\0' behind them. STATUS_USAGE when
 * it cannot be read, or is longer than a message may be. */
enum status arguments_read_file(const char *path, char **text, size_t *length, struct error *error);

#endif
