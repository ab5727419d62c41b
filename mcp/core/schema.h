/* SPDX-License-Identifier: MIT
 *
 * Private to mcp_core: JSON Schema 2020-12, the part that arguments of tools need. A schema is compiled once;
 * a keyword that is not supported is refused there and then, so that a value is never accepted because a rule
 * was not understood. The README has the table of keywords.
 */
#ifndef MCP_SCHEMA_H
#define MCP_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "mcp/json.h"
#include "text.h"

/* Subschemas that a check may be in at once, each with up to 350 bytes of stack; a $ref opens none. */
#define SCHEMA_DEPTH_MAX 64

struct schema;

/* Compiles text[0..length), which must outlive the schema. Returns 0, -EINVAL (*why says where and what, with
 * a JSON pointer: "/properties/x/pattern: this keyword is not supported") or -ENOMEM. One block of 8 bytes
 * for each value and key, and the document. */
int schema_compile(const struct mcp_memory *memory, const char *text, size_t length, struct schema **schema,
                   struct text *why);
/* NULL is ignored. */
void schema_free(struct schema *schema);
struct mcp_json schema_root(const struct schema *schema);

/* How an error speaks of the value: "arguments must have ...", "argument \"a/b\" must be ...". */
struct schema_subject {
    const char *whole, *part;
};

/* What a check took, and what it may take: steps reach the limit only where it was stopped for that. A step
 * is a keyword that is applied, two names or values that are compared, 8 bytes of a text that are looked at.
 */
struct schema_work {
    uint64_t steps, limit;
};

/* Returns 0 if `value` (NONE: an empty object) is as the schema demands, or -EINVAL, and *why says what is
 * wrong first. Allocates nothing. `work` may be NULL; its limit holds where it is not 0, and is else set to
 * what follows from the sizes of schema and value. */
int schema_check(const struct schema *schema, struct mcp_json value, const struct schema_subject *subject,
                 struct text *why, struct schema_work *work);

#endif
