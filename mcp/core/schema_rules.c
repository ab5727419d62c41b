/* SPDX-License-Identifier: MIT
 *
 * The rules: what each keyword demands of a value (JSON Schema 2020-12, Core section 10, Validation section
 * 6).
 */
#include "schema_private.h"

#include "json_private.h"

/* ---- faults ---- */

/* "type", "enum" and "const" say which values there are: faults of one kind, that can be told together. */
static bool fail_kind(struct check *check, unsigned types, struct mcp_json choice, struct mcp_json value)
{
    (void)check_fail(check, KEYWORD_TYPE, choice, value);
    check->fault.types = (uint8_t)types;
    check->fault.choices = types == 0 ? 1 : 0;
    return false;
}

/* A fault that is about a part, where no schema of the part finds it. */
static bool fail_part(struct check *check, enum keyword rule, struct mcp_json operand, struct mcp_json part)
{
    (void)check_fail(check, rule, operand, part);
    check->fault.level++;
    return false;
}

/* How much a fault tells about the alternative that was meant. One that is never right, or has another
 * constant ("kind":"circle"), was hardly meant, one that has another type perhaps; with any other fault its
 * kind is right. */
static int weight(const struct fault *fault)
{
    if (fault->rule == KEYWORD_TYPE)
        return fault->types != 0 ? 1 : 0;
    return fault->rule == FAULT_FALSE ? 0 : 2;
}

/* Of alternatives that all fail: the fault that lies deepest in the value; there, the one with the greatest
 * weight; else the first. Kinds of one value are told together. */
static void merge_faults(struct fault *best, const struct fault *other)
{
    bool both_kinds = best->rule == KEYWORD_TYPE && other->rule == KEYWORD_TYPE;

    if (both_kinds && best->value == other->value) {
        best->types |= other->types;
        for (size_t i = 0; i < other->choices && best->choices < FAULT_CHOICES; i++)
            best->operands[best->choices++] = other->operands[i];
    } else if (best->rule == KEYWORD_NONE || other->level > best->level ||
               (other->level == best->level && weight(other) > weight(best))) {
        *best = *other;
    }
}

/* ---- schemas for the value itself (Core 10.2) ---- */

static bool all_of(struct check *check, struct mcp_json schemas, struct mcp_json value)
{
    for (EACH(schema, schemas))
        if (!schema_matches(check, schema, value))
            return false;
    return true;
}

static bool any_of(struct check *check, struct mcp_json schemas, struct mcp_json value)
{
    struct fault best = {0};

    for (EACH(schema, schemas)) {
        if (schema_matches(check, schema, value))
            return true;
        if (check->stopped)
            return false;
        merge_faults(&best, &check->fault);
    }
    check->fault = best;
    return false;
}

static bool one_of(struct check *check, struct mcp_json schemas, struct mcp_json value)
{
    struct fault best = {0};
    size_t count = 0;

    for (EACH(schema, schemas)) {
        if (schema_matches(check, schema, value)) {
            if (++count > 1)
                return check_fail(check, KEYWORD_ONE_OF, schemas, value);
        } else if (check->stopped) {
            return false;
        } else if (count == 0) {
            merge_faults(&best, &check->fault);
        }
    }
    if (count == 1)
        return true;
    check->fault = best;
    return false;
}

static bool not_this(struct check *check, struct mcp_json schema, struct mcp_json value)
{
    bool matched = schema_matches(check, schema, value);

    if (check->stopped)
        return false;
    return matched ? check_fail(check, KEYWORD_NOT, schema, value) : true;
}

static bool conditional(struct check *check, struct mcp_json schema, struct mcp_json value)
{
    bool condition = schema_matches(check, schema, value);
    struct mcp_json then = schema_sibling(check->schema, schema, condition ? KEYWORD_THEN : KEYWORD_ELSE);

    if (check->stopped)
        return false;
    return mcp_json_type(then) == MCP_JSON_NONE || schema_matches(check, then, value);
}

/* ---- any value (Validation 6.1) ---- */

static unsigned type_bit(struct check *check, struct mcp_json value)
{
    enum mcp_json_type type = mcp_json_type(value);
    size_t length;
    const char *raw;

    if (type == MCP_JSON_NONE)
        return TYPE_BIT(MCP_JSON_OBJECT);
    if (type != MCP_JSON_NUMBER)
        return TYPE_BIT(type);
    raw = mcp_json_raw(value, &length);
    (void)check_spend_text(check, length);
    return json_number_is_integer(raw, length) ? TYPE_INTEGER : TYPE_BIT(type);
}

static bool type(struct check *check, struct mcp_json types, struct mcp_json value)
{
    unsigned bits = check->schema->notes[types.token].link;

    if ((bits & type_bit(check, value)) != 0)
        return true;
    return check->stopped ? false : fail_kind(check, bits, types, value);
}

static bool enumeration(struct check *check, struct mcp_json values, struct mcp_json value)
{
    for (EACH(each, values)) {
        if (schema_equal(check, each, value))
            return true;
        if (check->stopped)
            return false;
    }
    return fail_kind(check, 0, values, value);
}

static bool constant(struct check *check, struct mcp_json constant, struct mcp_json value)
{
    if (schema_equal(check, constant, value))
        return true;
    return check->stopped ? false : fail_kind(check, 0, constant, value);
}

/* ---- numbers (Validation 6.2) ---- */

static bool range(struct check *check, struct mcp_json limit, struct mcp_json value)
{
    enum keyword keyword = schema_keyword_of(check->schema, limit);
    size_t limit_length, length;
    const char *limit_raw = mcp_json_raw(limit, &limit_length);
    const char *raw = mcp_json_raw(value, &length);
    bool good;
    int order;

    if (!check_spend_text(check, limit_length + length))
        return false;
    order = json_number_compare(raw, length, limit_raw, limit_length);
    if (keyword == KEYWORD_MINIMUM)
        good = order >= 0;
    else if (keyword == KEYWORD_MAXIMUM)
        good = order <= 0;
    else
        good = keyword == KEYWORD_EXCLUSIVE_MINIMUM ? order > 0 : order < 0;
    return good || check_fail(check, keyword, limit, value);
}

static bool multiple_of(struct check *check, struct mcp_json divisor, struct mcp_json value)
{
    size_t divisor_length, length;
    const char *divisor_raw = mcp_json_raw(divisor, &divisor_length);
    const char *raw = mcp_json_raw(value, &length);

    if (!check_spend_text(check, divisor_length + length))
        return false;
    return json_number_is_multiple(raw, length, divisor_raw, divisor_length) ||
           check_fail(check, KEYWORD_MULTIPLE_OF, divisor, value);
}

/* ---- strings, and how many there are of something (Validation 6.3 to 6.5) ---- */

/* An operand that is beyond int64_t is beyond every count as well. */
static uint64_t count_of(struct mcp_json operand)
{
    int64_t count = INT64_MAX;

    (void)mcp_json_get_int(operand, &count);
    return (uint64_t)count;
}

static bool length(struct check *check, struct mcp_json limit, struct mcp_json value)
{
    enum keyword keyword = schema_keyword_of(check->schema, limit);
    size_t size, characters;

    (void)mcp_json_raw(value, &size);
    if (!check_spend_text(check, size))
        return false;
    characters = json_string_characters(value);
    if (keyword == KEYWORD_MIN_LENGTH ? characters >= count_of(limit) : characters <= count_of(limit))
        return true;
    return check_fail(check, keyword, limit, value);
}

static bool least_count(struct check *check, struct mcp_json limit, struct mcp_json value)
{
    return mcp_json_count(value) >= count_of(limit) ||
           check_fail(check, schema_keyword_of(check->schema, limit), limit, value);
}

static bool greatest_count(struct check *check, struct mcp_json limit, struct mcp_json value)
{
    return mcp_json_count(value) <= count_of(limit) ||
           check_fail(check, schema_keyword_of(check->schema, limit), limit, value);
}

/* ---- arrays (Core 10.3.1) ---- */

static bool prefix_items(struct check *check, struct mcp_json schemas, struct mcp_json array)
{
    struct mcp_json item = mcp_json_first(array);

    for (EACH(schema, schemas)) {
        if (mcp_json_type(item) == MCP_JSON_NONE)
            return true;
        if (!schema_part_matches(check, schema, item))
            return false;
        item = mcp_json_next(item);
    }
    return true;
}

static bool items(struct check *check, struct mcp_json schema, struct mcp_json array)
{
    size_t before = mcp_json_count(schema_sibling(check->schema, schema, KEYWORD_PREFIX_ITEMS));

    for (EACH(item, array)) {
        if (before > 0)
            before--;
        else if (!schema_part_matches(check, schema, item))
            return false;
    }
    return true;
}

static bool contains(struct check *check, struct mcp_json schema, struct mcp_json array)
{
    struct mcp_json least = schema_sibling(check->schema, schema, KEYWORD_MIN_CONTAINS);
    struct mcp_json most = schema_sibling(check->schema, schema, KEYWORD_MAX_CONTAINS);
    uint64_t count = 0;

    for (EACH(item, array)) {
        count += schema_part_matches(check, schema, item) ? 1 : 0;
        if (check->stopped)
            return false;
    }
    if (count < (mcp_json_type(least) == MCP_JSON_NONE ? 1 : count_of(least)))
        return check_fail(check, KEYWORD_CONTAINS, least, array);
    if (mcp_json_type(most) != MCP_JSON_NONE && count > count_of(most))
        return check_fail(check, KEYWORD_MAX_CONTAINS, most, array);
    return true;
}

static bool unique_items(struct check *check, struct mcp_json operand, struct mcp_json array)
{
    bool wanted = false;

    (void)mcp_json_get_bool(operand, &wanted);
    return !wanted || schema_unique_items(check, operand, array);
}

/* ---- objects (Core 10.3.2, Validation 6.5) ---- */

/* Whether an object has a member of this name (a string of any document). */
static bool has_member(struct check *check, struct mcp_json object, struct mcp_json name)
{
    for (EACH(member, object))
        if (schema_same_name(check, name_of(member), name))
            return true;
    return false;
}

static bool required(struct check *check, struct mcp_json names, struct mcp_json object)
{
    for (EACH(name, names))
        if (!has_member(check, object, name))
            return check->stopped ? false : fail_part(check, KEYWORD_REQUIRED, name, object);
    return true;
}

/* A member that is written twice is checked twice: nobody knows which one a tool will take. */
static bool properties(struct check *check, struct mcp_json schemas, struct mcp_json object)
{
    for (EACH(schema, schemas))
        for (EACH(member, object))
            if (schema_same_name(check, name_of(schema), name_of(member)) &&
                !schema_part_matches(check, schema, member))
                return false;
    return !check->stopped;
}

static bool additional_properties(struct check *check, struct mcp_json schema, struct mcp_json object)
{
    struct mcp_json known = schema_sibling(check->schema, schema, KEYWORD_PROPERTIES);
    bool allowed = true;

    (void)mcp_json_get_bool(schema, &allowed);
    for (EACH(member, object)) {
        if (has_member(check, known, name_of(member)))
            continue;
        if (check->stopped)
            return false;
        if (!allowed)
            return fail_part(check, KEYWORD_ADDITIONAL_PROPERTIES, schema, member);
        if (!schema_part_matches(check, schema, member))
            return false;
    }
    return !check->stopped;
}

static bool property_names(struct check *check, struct mcp_json schema, struct mcp_json object)
{
    for (EACH(member, object))
        if (!schema_part_matches(check, schema, name_of(member)))
            return false;
    return true;
}

static bool dependent_required(struct check *check, struct mcp_json lists, struct mcp_json object)
{
    for (EACH(names, lists))
        if (has_member(check, object, name_of(names)) && !required(check, names, object))
            return false;
    return !check->stopped;
}

static bool dependent_schemas(struct check *check, struct mcp_json schemas, struct mcp_json object)
{
    for (EACH(schema, schemas))
        if (has_member(check, object, name_of(schema)) && !schema_matches(check, schema, object))
            return false;
    return !check->stopped;
}

/* ---- a schema ---- */

/* ---- the table ---- */

#define ANY    0xFFu
#define NUMBER TYPE_BIT(MCP_JSON_NUMBER)
#define STRING TYPE_BIT(MCP_JSON_STRING)
#define ARRAY  TYPE_BIT(MCP_JSON_ARRAY)
#define OBJECT (TYPE_BIT(MCP_JSON_OBJECT) | TYPE_BIT(MCP_JSON_NONE))

const struct schema_rule schema_rules[KEYWORD_COUNT] = {
    [KEYWORD_TYPE] = {type, ANY},
    [KEYWORD_ENUM] = {enumeration, ANY},
    [KEYWORD_CONST] = {constant, ANY},
    [KEYWORD_MINIMUM] = {range, NUMBER},
    [KEYWORD_MAXIMUM] = {range, NUMBER},
    [KEYWORD_EXCLUSIVE_MINIMUM] = {range, NUMBER},
    [KEYWORD_EXCLUSIVE_MAXIMUM] = {range, NUMBER},
    [KEYWORD_MULTIPLE_OF] = {multiple_of, NUMBER},
    [KEYWORD_MIN_LENGTH] = {length, STRING},
    [KEYWORD_MAX_LENGTH] = {length, STRING},
    [KEYWORD_MIN_ITEMS] = {least_count, ARRAY},
    [KEYWORD_MAX_ITEMS] = {greatest_count, ARRAY},
    [KEYWORD_UNIQUE_ITEMS] = {unique_items, ARRAY},
    [KEYWORD_PREFIX_ITEMS] = {prefix_items, ARRAY},
    [KEYWORD_ITEMS] = {items, ARRAY},
    [KEYWORD_CONTAINS] = {contains, ARRAY},
    [KEYWORD_MIN_PROPERTIES] = {least_count, OBJECT},
    [KEYWORD_MAX_PROPERTIES] = {greatest_count, OBJECT},
    [KEYWORD_REQUIRED] = {required, OBJECT},
    [KEYWORD_PROPERTIES] = {properties, OBJECT},
    [KEYWORD_ADDITIONAL_PROPERTIES] = {additional_properties, OBJECT},
    [KEYWORD_PROPERTY_NAMES] = {property_names, OBJECT},
    [KEYWORD_DEPENDENT_REQUIRED] = {dependent_required, OBJECT},
    [KEYWORD_DEPENDENT_SCHEMAS] = {dependent_schemas, OBJECT},
    [KEYWORD_ALL_OF] = {all_of, ANY},
    [KEYWORD_ANY_OF] = {any_of, ANY},
    [KEYWORD_ONE_OF] = {one_of, ANY},
    [KEYWORD_NOT] = {not_this, ANY},
    [KEYWORD_IF] = {conditional, ANY},
};
