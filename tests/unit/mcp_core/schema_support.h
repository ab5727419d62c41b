/* SPDX-License-Identifier: MIT
 *
 * What the tests of the schema validator share: tables of a schema, a value and what is said about it, in
 * which ' stands for ", so that they can be read.
 */
#ifndef MCP_TEST_SCHEMA_SUPPORT_H
#define MCP_TEST_SCHEMA_SUPPORT_H

#include "schema.h"
#include "support.h"

struct schema_case {
    const char *schema; /* NULL: that of the case before */
    const char *value;
    const char *message; /* NULL: it is accepted */
};

/* A copy with " for each '; the caller frees it. */
char *schema_quoted(const char *text);

/* `open` count times, `middle`, `close` count times; with " for ', too. */
char *schema_nested(const char *open, unsigned count, const char *middle, const char *close);

/* Compiles it; fails where it is refused. The text stays with the caller. */
struct schema *schema_of(struct test_memory *memory, const char *text);

/* Checks `value` (JSON text, NULL: none) and returns the message, or NULL when it is accepted. */
const char *schema_say(const struct schema *schema, const char *value, size_t length,
                       struct schema_work *work);

void schema_run_cases(const struct schema_case *cases, size_t count);

#define RUN_CASES(cases) schema_run_cases(cases, sizeof(cases) / sizeof((cases)[0]))

#endif
