/* SPDX-License-Identifier: MIT
 *
 * JSON (RFC 8259): a checked document to read from, and a writer that always makes valid JSON.
 *
 * The reader sits on jsmn and checks before it what jsmn lets pass: UTF-8, escapes, numbers, commas,
 * literals, one value only. It refuses a \u escape of half a surrogate pair too, which RFC 8259 leaves open.
 * Depth is limited, so that the work is linear in the length of the text.
 *
 * Nothing here blocks, keeps state or is bound to a thread: any context may call, as long as one at a time
 * uses a document's memory hook or a writer. Freestanding: needs mem* and str* functions.
 */
#ifndef MCP_JSON_H
#define MCP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MCP_JSON_DEPTH_MAX 64

/* Memory for the library; `context` comes back as the first argument. allocate returns NULL when the budget
 * is exhausted; blocks are aligned to 16. */
struct mcp_memory {
    void *context;
    void *(*allocate)(void *context, size_t size);
    void (*release)(void *context, void *memory, size_t size);
};

enum mcp_json_type {
    MCP_JSON_NONE,
    MCP_JSON_NULL,
    MCP_JSON_BOOL,
    MCP_JSON_NUMBER,
    MCP_JSON_STRING,
    MCP_JSON_ARRAY,
    MCP_JSON_OBJECT
};

struct mcp_json_document;

/* A value inside a document; cheap to copy. The zero value is "not there" (MCP_JSON_NONE), and every accessor
 * takes it. */
struct mcp_json {
    const struct mcp_json_document *document;
    uint32_t token;
};

struct mcp_json_error {
    size_t offset;       /* byte where the text is wrong */
    const char *message; /* static: "unescaped control character in string" */
};

/* Parses text[0..length). The text must stay, unchanged, while the document lives. Returns 0, -EINVAL (not
 * JSON, deeper than MCP_JSON_DEPTH_MAX, or 2 GiB long) or -ENOMEM, and *error says why. The document is one
 * block of 20 bytes for each value and key and a few more; the worst text of 1 MiB ("[0,0,...") takes 10 MiB.
 * mcp_json_free gives it back. */
int mcp_json_parse(const struct mcp_memory *memory, const char *text, size_t length,
                   struct mcp_json_document **document, struct mcp_json_error *error);
void mcp_json_free(struct mcp_json_document *document);

struct mcp_json mcp_json_root(const struct mcp_json_document *document);
enum mcp_json_type mcp_json_type(struct mcp_json value);

/* The member `name` of an object (the first one, if written twice), or NONE. */
struct mcp_json mcp_json_member(struct mcp_json object, const char *name);
/* Elements of an array, members of an object; 0 for other types. */
size_t mcp_json_count(struct mcp_json array_or_object);
/* Iteration, O(1) each: the first element or member value, then the next; NONE at the end. mcp_json_key is a
 * member value's name (a STRING). */
struct mcp_json mcp_json_first(struct mcp_json array_or_object);
struct mcp_json mcp_json_next(struct mcp_json value);
struct mcp_json mcp_json_key(struct mcp_json member_value);

/* Each returns 0, or -EINVAL when the value is of another type or does not fit. Integers are exact; 1.0 and
 * 1e2 count as integers. A double is the nearest one, ties to even, for up to 19 significant digits, and
 * within one unit in the last place for more; numbers too small become 0, numbers beyond the largest double
 * do not fit. */
int mcp_json_get_bool(struct mcp_json value, bool *out);
int mcp_json_get_int(struct mcp_json value, int64_t *out);
int mcp_json_get_double(struct mcp_json value, double *out);

/* Decoded length of a string in bytes, the NUL not counted; 0 for other types. */
size_t mcp_json_string_length(struct mcp_json value);
/* Decodes a string into buffer, NUL-terminated. Returns its length, -ERANGE when size is too small (what the
 * buffer holds then has no meaning), -EINVAL for another type. */
int64_t mcp_json_get_string(struct mcp_json value, char *buffer, size_t size);
/* Whether it is a string equal to the NUL-terminated `text`. */
bool mcp_json_equals(struct mcp_json value, const char *text);
/* The value as it stands in the text. */
const char *mcp_json_raw(struct mcp_json value, size_t *length);

/* ---- writing ---- */

/* A writer appends to a buffer that grows from `memory`, up to `limit` bytes. Errors stick: after one,
 * everything is ignored, and mcp_json_finish returns it. A call in the wrong place (a value where a key must
 * stand) is an error too, so what finishes is always valid, and it is one line. At most MCP_JSON_DEPTH_MAX
 * levels can be open. The fields are private. */
struct mcp_json_writer {
    struct mcp_memory memory;
    char *text;
    size_t length, size, limit;
    int error;
    uint32_t depth;
    bool borrowed;                     /* the text stands in a buffer that is not of `memory` */
    uint8_t stack[MCP_JSON_DEPTH_MAX]; /* what is open on each level */
};

void mcp_json_writer_initialise(struct mcp_json_writer *writer, const struct mcp_memory *memory,
                                size_t limit);
/* A writer into a buffer of the caller, which it never leaves (-EFBIG); releasing it frees nothing. */
void mcp_json_writer_initialise_fixed(struct mcp_json_writer *writer, char *buffer, size_t size);
void mcp_json_writer_release(struct mcp_json_writer *writer);

void mcp_json_begin_object(struct mcp_json_writer *writer);
void mcp_json_end_object(struct mcp_json_writer *writer);
void mcp_json_begin_array(struct mcp_json_writer *writer);
void mcp_json_end_array(struct mcp_json_writer *writer);
void mcp_json_key_write(struct mcp_json_writer *writer, const char *name);
/* `text` is NUL-terminated. Each byte that is not part of valid UTF-8 becomes U+FFFD. */
void mcp_json_string(struct mcp_json_writer *writer, const char *text);
void mcp_json_string_n(struct mcp_json_writer *writer, const char *text, size_t length);
/* Bytes as a string in base64 (RFC 4648, section 4, padded). */
void mcp_json_base64(struct mcp_json_writer *writer, const void *bytes, size_t size);
void mcp_json_int(struct mcp_json_writer *writer, int64_t value);
void mcp_json_uint(struct mcp_json_writer *writer, uint64_t value);
/* The fewest digits that mean this very double (and 0 for -0). NaN and the infinities: null. */
void mcp_json_double(struct mcp_json_writer *writer, double value);
void mcp_json_bool(struct mcp_json_writer *writer, bool value);
void mcp_json_null(struct mcp_json_writer *writer);
/* Copies a parsed value, as it stands in its text but for white space; NONE becomes null. */
void mcp_json_value(struct mcp_json_writer *writer, struct mcp_json value);
/* JSON text (a schema, say): checked, and copied without the white space between its tokens. Text that is not
 * one valid value is an error. */
void mcp_json_raw_value(struct mcp_json_writer *writer, const char *text, size_t length);

/* key and value in one call */
void mcp_json_member_string(struct mcp_json_writer *writer, const char *name, const char *text);
void mcp_json_member_int(struct mcp_json_writer *writer, const char *name, int64_t value);
void mcp_json_member_uint(struct mcp_json_writer *writer, const char *name, uint64_t value);
void mcp_json_member_double(struct mcp_json_writer *writer, const char *name, double value);
void mcp_json_member_bool(struct mcp_json_writer *writer, const char *name, bool value);

/* 0 and the text, or -ENOMEM, -EFBIG (limit), -EINVAL (misuse, unfinished). The writer keeps the text. */
int mcp_json_finish(struct mcp_json_writer *writer, const char **text, size_t *length);

#endif
