/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: what its files share about JSON beyond the public header.
 */
#ifndef MCP_JSON_PRIVATE_H
#define MCP_JSON_PRIVATE_H

#include "mcp/json.h"

/* A document of its own, with its own copy of the text, that holds what `value` holds; linear in the size of
 * `value`. Returns 0, -EINVAL (NONE), -ENOMEM. */
int json_clone(const struct mcp_memory *memory, struct mcp_json value, struct mcp_json_document **document);

/* Bytes of memory that the document takes; 0 for NULL. */
size_t json_size(const struct mcp_json_document *document);

/* How many tokens (values and keys) it has: mcp_json.token is below that. */
uint32_t json_token_count(const struct mcp_json_document *document);

/* Whether two strings, each as it stands in a JSON text between its quotes, mean the same. */
bool json_raw_strings_equal(const char *a, size_t a_length, const char *b, size_t b_length);

/* Whether such a string means `text`. */
bool json_raw_string_is(const char *raw, size_t length, const char *text);

/* Decodes the first characters of a string, as many as fit in size bytes; no NUL. Returns how many bytes. */
size_t json_string_start(struct mcp_json value, char *buffer, size_t size);

/* How many characters (code points) a string has; 0 for other types. */
size_t json_string_characters(struct mcp_json value);

/* Appends text that one of our own writers made: valid JSON, without white space between its tokens. */
void json_write_trusted(struct mcp_json_writer *writer, const char *text, size_t length);

/* The number that a JSON text means; text[0..length) is a valid JSON number. Return 0, or -EINVAL when it
 * does not fit. */
int json_number_to_int(const char *text, size_t length, int64_t *out);
int json_number_to_double(const char *text, size_t length, double *out);

/* Whether a valid JSON number means an integer, of any size. */
bool json_number_is_integer(const char *text, size_t length);

/* Two valid JSON numbers, exactly, as the decimals that they are: below 0, 0 or above 0. Exponents beyond
 * 10^12 count as 10^12. */
int json_number_compare(const char *a, size_t a_length, const char *b, size_t b_length);
/* Equal for numbers that are equal. */
uint32_t json_number_hash(const char *text, size_t length);
/* Whether a valid JSON number is above 0 and has at most 19 significant digits, and whether another one is an
 * exact multiple of such a number. */
bool json_number_is_divisor(const char *text, size_t length);
bool json_number_is_multiple(const char *text, size_t length, const char *divisor, size_t divisor_length);

/* Text of a finite number, as mcp_json_double writes it. Returns its length. */
#define JSON_DOUBLE_MAX 32
size_t json_double_to_text(double value, char text[JSON_DOUBLE_MAX]);
size_t json_uint_to_text(uint64_t value, char text[JSON_DOUBLE_MAX]);

#endif
