/* SPDX-License-Identifier: MIT
 *
 * Checking a value against a compiled schema: the walk through the schemas, and what limits it.
 *
 * It stops at the first rule that is broken. The recursion is as deep as schemas contain each other on the
 * way down the value, at most SCHEMA_DEPTH_MAX.
 */
#include "schema_private.h"

#include <errno.h>

#include "json_private.h"

/* Beside what the sizes of schema and value allow: room for small ones, and an end for large ones. */
#define STEPS_LEAST 4096u
#define STEPS_MOST  (UINT64_C(1) << 24)

/* ---- the books ---- */

bool check_fail(struct check *check, enum keyword rule, struct mcp_json operand, struct mcp_json value)
{
    check->fault = (struct fault){
        .rule = (uint8_t)rule, .level = check->level, .value = value.token, .operands = {operand.token}};
    return false;
}

bool check_stop(struct check *check, enum keyword rule)
{
    if (!check->stopped) {
        (void)check_fail(check, rule, (struct mcp_json){0}, check->root);
        if (rule == FAULT_WORK)
            check->work.steps = check->work.limit;
    }
    check->stopped = true;
    return false;
}

bool check_enter(struct check *check)
{
    check->depth++;
    return check->depth <= SCHEMA_DEPTH_MAX || check_stop(check, FAULT_DEPTH);
}

void check_leave(struct check *check)
{
    check->depth--;
}

/* ---- a schema ---- */

/* The keywords of one schema but for $ref, which is left to the caller: *next is where it leads, or NONE. */
static bool keywords_hold(struct check *check, struct mcp_json schema, struct mcp_json value,
                          struct mcp_json *next)
{
    unsigned bit = TYPE_BIT(mcp_json_type(value));

    *next = (struct mcp_json){0};
    for (EACH(operand, schema)) {
        enum keyword keyword = schema_keyword_of(check->schema, operand);
        const struct schema_rule *rule = &schema_rules[keyword];

        if (!check_spend(check, 1))
            return false;
        if (keyword == KEYWORD_REF)
            *next = schema_token(check->schema, check->schema->notes[operand.token - 1].link);
        else if ((rule->types & bit) != 0 && !rule->holds(check, operand, value))
            return false;
    }
    return true;
}

bool schema_matches(struct check *check, struct mcp_json schema, struct mcp_json value)
{
    bool result = check_enter(check);

    while (result && mcp_json_type(schema) == MCP_JSON_OBJECT)
        result = keywords_hold(check, schema, value, &schema);
    check_leave(check);
    if (result && mcp_json_get_bool(schema, &result) == 0 && !result)
        return check_fail(check, FAULT_FALSE, schema, value);
    return result;
}

bool schema_part_matches(struct check *check, struct mcp_json schema, struct mcp_json part)
{
    bool result;

    check->level++;
    result = schema_matches(check, schema, part);
    check->level--;
    return result;
}

/* ---- */

/* So that each keyword can look at each value once, and each byte of a text be looked at for each. */
static uint64_t size_of(struct mcp_json root)
{
    size_t length;

    (void)mcp_json_raw(root, &length);
    return (root.document != NULL ? json_token_count(root.document) : 0) + length / 8 + 1;
}

static uint64_t usual_limit(const struct schema *schema, struct mcp_json value)
{
    uint64_t product = size_of(schema_root(schema)) * size_of(value); /* each is below 2^32 */

    return product < STEPS_MOST - STEPS_LEAST ? product + STEPS_LEAST : STEPS_MOST;
}

int schema_check(const struct schema *schema, struct mcp_json value, const struct schema_subject *subject,
                 struct text *why, struct schema_work *work)
{
    struct check check = {.schema = schema, .root = value};
    bool result;

    if (work != NULL)
        check.work.limit = work->limit;
    if (check.work.limit == 0)
        check.work.limit = usual_limit(schema, value);
    result = schema_matches(&check, schema_root(schema), value);
    if (work != NULL)
        *work = check.work;
    if (result && !check.stopped)
        return 0;
    schema_add_fault(why, &check, subject);
    return -EINVAL;
}
