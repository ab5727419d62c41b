/* SPDX-License-Identifier: MIT
 *
 * What the files of the schema validator share.
 *
 * A compiled schema is its parsed text and a note beside each token. schema_compile.c and schema_reference.c
 * write the notes; schema_check.c walks down schema and value, by the rules in schema_rules.c; schema_equal.c
 * compares values; schema_text.c says what is wrong.
 */
#ifndef MCP_SCHEMA_PRIVATE_H
#define MCP_SCHEMA_PRIVATE_H

#include <stdbool.h>

#include "schema.h"

/* for (EACH(item, array)): the items of an array, or the members of an object. */
#define EACH(each, container)                                                                                \
    struct mcp_json each = mcp_json_first(container);                                                        \
    (each).document != NULL;                                                                                 \
    (each) = mcp_json_next(each)

enum keyword {
    KEYWORD_NONE,
    KEYWORD_IGNORED, /* annotations, and what only other keywords look at */
    KEYWORD_TYPE,
    KEYWORD_ENUM,
    KEYWORD_CONST,
    KEYWORD_MINIMUM,
    KEYWORD_MAXIMUM,
    KEYWORD_EXCLUSIVE_MINIMUM,
    KEYWORD_EXCLUSIVE_MAXIMUM,
    KEYWORD_MULTIPLE_OF,
    KEYWORD_MIN_LENGTH,
    KEYWORD_MAX_LENGTH,
    KEYWORD_MIN_ITEMS,
    KEYWORD_MAX_ITEMS,
    KEYWORD_UNIQUE_ITEMS,
    KEYWORD_PREFIX_ITEMS,
    KEYWORD_ITEMS,
    KEYWORD_CONTAINS,
    KEYWORD_MIN_CONTAINS,
    KEYWORD_MAX_CONTAINS,
    KEYWORD_MIN_PROPERTIES,
    KEYWORD_MAX_PROPERTIES,
    KEYWORD_REQUIRED,
    KEYWORD_PROPERTIES,
    KEYWORD_ADDITIONAL_PROPERTIES,
    KEYWORD_PROPERTY_NAMES,
    KEYWORD_DEPENDENT_REQUIRED,
    KEYWORD_DEPENDENT_SCHEMAS,
    KEYWORD_ALL_OF,
    KEYWORD_ANY_OF,
    KEYWORD_ONE_OF,
    KEYWORD_NOT,
    KEYWORD_IF,
    KEYWORD_THEN,
    KEYWORD_ELSE,
    KEYWORD_REF,
    KEYWORD_ANCHOR,
    KEYWORD_COUNT,

    /* Not keywords, but further reasons to refuse a value. */
    FAULT_FALSE = KEYWORD_COUNT, /* the schema `false` */
    FAULT_WORK,
    FAULT_DEPTH
};

struct note {
    /* Beside a name in a schema: the keyword that it is, and a token: where $ref leads, or the schema that
     * the keyword is part of. Beside the operand of "type": its bits. */
    uint8_t keyword;
    /* Beside a schema: how many schemas can be applied to one and the same value, one because of the other,
     * this one included. 0: the token is no schema. */
    uint8_t height;
    uint32_t link;
};

struct schema {
    struct mcp_memory memory;
    size_t size; /* of this block */
    struct mcp_json_document *document;
    uint32_t count; /* of notes: the document's tokens */
    struct note notes[];
};

/* Types as bits: 1 << MCP_JSON_STRING, and so on, and one for integers. */
#define TYPE_BIT(type) (1u << (type))
#define TYPE_INTEGER   TYPE_BIT(MCP_JSON_OBJECT + 1)

/* The name of a member; every value that EACH finds in an object has one. */
static inline struct mcp_json name_of(struct mcp_json member)
{
    return (struct mcp_json){.document = member.document, .token = member.token - 1};
}

struct mcp_json schema_token(const struct schema *schema, uint32_t token);
enum keyword schema_keyword_of(const struct schema *schema, struct mcp_json operand);
/* The operand of another keyword of the same schema, or NONE. */
struct mcp_json schema_sibling(const struct schema *schema, struct mcp_json operand, enum keyword keyword);

/* ---- compiling ---- */

struct compilation {
    struct schema *schema;
    struct text *why;
};

/* Says why, and where; returns -EINVAL. */
int schema_refuse(const struct compilation *compilation, struct mcp_json place, const char *why);
/* For when all schemas are marked: where each $ref leads, and that nothing goes on for ever. */
int schema_compile_references(const struct compilation *compilation);

/* ---- a check ---- */

#define FAULT_CHOICES 6

/* What is wrong with a value. Of several alternatives that all fail, the one that went furthest counts. */
struct fault {
    uint8_t rule;    /* an enum keyword; KEYWORD_TYPE, _ENUM and _CONST are all KEYWORD_TYPE */
    uint8_t level;   /* of the value in the whole one: the root has 0 */
    uint8_t types;   /* KEYWORD_TYPE: those that the value may have */
    uint8_t choices; /* KEYWORD_TYPE: how many operands of enum or const follow */
    uint32_t value;  /* token */
    uint32_t operands[FAULT_CHOICES]; /* tokens of the schema */
};

struct check {
    const struct schema *schema;
    struct mcp_json root; /* the value */
    struct schema_work work;
    uint8_t depth; /* subschemas, and levels of values that are compared, that we are in */
    uint8_t level; /* of the value that is looked at */
    bool stopped;  /* by FAULT_WORK or FAULT_DEPTH: no result is one */
    struct fault fault;
};

/* Ends the check with FAULT_WORK or FAULT_DEPTH; returns false. */
bool check_stop(struct check *check, enum keyword rule);
/* False, and the check is stopped, when it has done too much. */
static inline bool check_spend(struct check *check, uint64_t steps)
{
    if (!check->stopped && steps < check->work.limit - check->work.steps) {
        check->work.steps += steps;
        return true;
    }
    return check_stop(check, FAULT_WORK);
}

/* For `length` bytes that are looked at. */
static inline bool check_spend_text(struct check *check, size_t length)
{
    return check_spend(check, length / 8);
}

/* Around every recursion; what is entered is left, also when it is refused. */
bool check_enter(struct check *check);
void check_leave(struct check *check);
/* Notes what is wrong; returns false. */
bool check_fail(struct check *check, enum keyword rule, struct mcp_json operand, struct mcp_json value);

/* What a keyword demands. Keywords that do nothing by themselves have no entry. */
struct schema_rule {
    bool (*holds)(struct check *check, struct mcp_json operand, struct mcp_json value);
    unsigned types; /* values of other types it leaves alone */
};

extern const struct schema_rule schema_rules[KEYWORD_COUNT];

/* Whether a value is as the schema demands; the second is for a value inside the one that is looked at.
 * False, too, when the check is stopped, which who turns a result round must look at. */
bool schema_matches(struct check *check, struct mcp_json schema, struct mcp_json value);
bool schema_part_matches(struct check *check, struct mcp_json schema, struct mcp_json part);

/* Equality in the sense of JSON Schema: 1 and 1.0 are equal, the order of members is of no account. False,
 * too, when the check is stopped. */
bool schema_equal(struct check *check, struct mcp_json a, struct mcp_json b);
bool schema_same_name(struct check *check, struct mcp_json a, struct mcp_json b);
bool schema_unique_items(struct check *check, struct mcp_json operand, struct mcp_json array);

/* ---- texts ---- */

/* The JSON pointer (RFC 6901) from `root` to a value in it; the first slash only where `leading`. The parts
 * in the middle are left out ("...") where it is long. */
void schema_add_pointer(struct text *text, struct mcp_json root, struct mcp_json value, bool leading);
void schema_add_fault(struct text *text, const struct check *check, const struct schema_subject *subject);

#endif
