/* SPDX-License-Identifier: MIT
 *
 * Compiling a schema: every keyword is known and has a sensible operand, or the schema is refused.
 *
 * A schema stands behind the one that contains it in the document's tokens, so one pass over them reaches
 * all: whoever is marked as a schema marks those in it. References come later, because they may lead
 * anywhere.
 */
#include "schema_private.h"

#include <errno.h>
#include <string.h>

#include "json_private.h"

#define DIALECT "https://json-schema.org/draft/2020-12/schema"

enum operand {
    OPERAND_ANY,
    OPERAND_BOOL,
    OPERAND_COUNT,
    OPERAND_NUMBER,
    OPERAND_DIVISOR,
    OPERAND_STRING,
    OPERAND_TYPES,
    OPERAND_VALUES,       /* an array that is not empty */
    OPERAND_STRINGS,      /* an array of strings */
    OPERAND_STRING_LISTS, /* an object of such arrays */
    OPERAND_DIALECT,
    OPERAND_IDENTIFIER, /* of the whole document */
    OPERAND_SCHEMA,
    OPERAND_SCHEMAS,    /* an array of schemas that is not empty */
    OPERAND_SCHEMA_MAP, /* an object of schemas */
};

static const struct keyword_name {
    const char *name;
    uint8_t keyword, operand;
} names[] = {
    {"type", KEYWORD_TYPE, OPERAND_TYPES},
    {"enum", KEYWORD_ENUM, OPERAND_VALUES},
    {"const", KEYWORD_CONST, OPERAND_ANY},
    {"minimum", KEYWORD_MINIMUM, OPERAND_NUMBER},
    {"maximum", KEYWORD_MAXIMUM, OPERAND_NUMBER},
    {"exclusiveMinimum", KEYWORD_EXCLUSIVE_MINIMUM, OPERAND_NUMBER},
    {"exclusiveMaximum", KEYWORD_EXCLUSIVE_MAXIMUM, OPERAND_NUMBER},
    {"multipleOf", KEYWORD_MULTIPLE_OF, OPERAND_DIVISOR},
    {"minLength", KEYWORD_MIN_LENGTH, OPERAND_COUNT},
    {"maxLength", KEYWORD_MAX_LENGTH, OPERAND_COUNT},
    {"minItems", KEYWORD_MIN_ITEMS, OPERAND_COUNT},
    {"maxItems", KEYWORD_MAX_ITEMS, OPERAND_COUNT},
    {"uniqueItems", KEYWORD_UNIQUE_ITEMS, OPERAND_BOOL},
    {"prefixItems", KEYWORD_PREFIX_ITEMS, OPERAND_SCHEMAS},
    {"items", KEYWORD_ITEMS, OPERAND_SCHEMA},
    {"contains", KEYWORD_CONTAINS, OPERAND_SCHEMA},
    {"minContains", KEYWORD_MIN_CONTAINS, OPERAND_COUNT},
    {"maxContains", KEYWORD_MAX_CONTAINS, OPERAND_COUNT},
    {"minProperties", KEYWORD_MIN_PROPERTIES, OPERAND_COUNT},
    {"maxProperties", KEYWORD_MAX_PROPERTIES, OPERAND_COUNT},
    {"required", KEYWORD_REQUIRED, OPERAND_STRINGS},
    {"properties", KEYWORD_PROPERTIES, OPERAND_SCHEMA_MAP},
    {"additionalProperties", KEYWORD_ADDITIONAL_PROPERTIES, OPERAND_SCHEMA},
    {"propertyNames", KEYWORD_PROPERTY_NAMES, OPERAND_SCHEMA},
    {"dependentRequired", KEYWORD_DEPENDENT_REQUIRED, OPERAND_STRING_LISTS},
    {"dependentSchemas", KEYWORD_DEPENDENT_SCHEMAS, OPERAND_SCHEMA_MAP},
    {"allOf", KEYWORD_ALL_OF, OPERAND_SCHEMAS},
    {"anyOf", KEYWORD_ANY_OF, OPERAND_SCHEMAS},
    {"oneOf", KEYWORD_ONE_OF, OPERAND_SCHEMAS},
    {"not", KEYWORD_NOT, OPERAND_SCHEMA},
    {"if", KEYWORD_IF, OPERAND_SCHEMA},
    {"then", KEYWORD_THEN, OPERAND_SCHEMA},
    {"else", KEYWORD_ELSE, OPERAND_SCHEMA},
    {"$ref", KEYWORD_REF, OPERAND_STRING},
    {"$anchor", KEYWORD_ANCHOR, OPERAND_STRING},
    {"$defs", KEYWORD_IGNORED, OPERAND_SCHEMA_MAP},
    {"definitions", KEYWORD_IGNORED, OPERAND_SCHEMA_MAP}, /* what $defs was called before 2019-09 */
    {"$schema", KEYWORD_IGNORED, OPERAND_DIALECT},
    {"$id", KEYWORD_IGNORED, OPERAND_IDENTIFIER},
    {"$comment", KEYWORD_IGNORED, OPERAND_ANY},
    {"title", KEYWORD_IGNORED, OPERAND_ANY},
    {"description", KEYWORD_IGNORED, OPERAND_ANY},
    {"default", KEYWORD_IGNORED, OPERAND_ANY},
    {"examples", KEYWORD_IGNORED, OPERAND_ANY},
    {"deprecated", KEYWORD_IGNORED, OPERAND_ANY},
    {"readOnly", KEYWORD_IGNORED, OPERAND_ANY},
    {"writeOnly", KEYWORD_IGNORED, OPERAND_ANY},
    {"format", KEYWORD_IGNORED, OPERAND_ANY},
    {"contentEncoding", KEYWORD_IGNORED, OPERAND_ANY},
    {"contentMediaType", KEYWORD_IGNORED, OPERAND_ANY},
    {"contentSchema", KEYWORD_IGNORED, OPERAND_ANY},
    {"enumNames", KEYWORD_IGNORED, OPERAND_ANY}, /* MCP's elicitation has it beside enum */
};

#define NAME_COUNT (sizeof(names) / sizeof(names[0]))
_Static_assert(NAME_COUNT <= 64, "compile_keywords has a bit for each");

int schema_refuse(const struct compilation *compilation, struct mcp_json place, const char *why)
{
    schema_add_pointer(compilation->why, schema_root(compilation->schema), place, true);
    text_add(compilation->why, ": ");
    text_add(compilation->why, why);
    return -EINVAL;
}

/* ---- operands ---- */

/* The bit of a name ("string"), 0 for another text. "number" has TYPE_INTEGER too. */
static unsigned type_bits(struct mcp_json name)
{
    static const struct {
        const char *name;
        unsigned bits;
    } types[] = {
        {"null", TYPE_BIT(MCP_JSON_NULL)},
        {"boolean", TYPE_BIT(MCP_JSON_BOOL)},
        {"integer", TYPE_INTEGER},
        {"number", TYPE_BIT(MCP_JSON_NUMBER) | TYPE_INTEGER},
        {"string", TYPE_BIT(MCP_JSON_STRING)},
        {"array", TYPE_BIT(MCP_JSON_ARRAY)},
        {"object", TYPE_BIT(MCP_JSON_OBJECT)},
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (mcp_json_equals(name, types[i].name))
            return types[i].bits;
    return 0;
}

static bool is_number(struct mcp_json operand)
{
    return mcp_json_type(operand) == MCP_JSON_NUMBER;
}

static bool is_count(struct mcp_json operand)
{
    int64_t count;

    return mcp_json_get_int(operand, &count) == 0 && count >= 0;
}

static bool is_divisor(struct mcp_json operand)
{
    size_t length;
    const char *raw = mcp_json_raw(operand, &length);

    return is_number(operand) && json_number_is_divisor(raw, length);
}

static bool are_types(struct mcp_json operand)
{
    if (mcp_json_type(operand) != MCP_JSON_ARRAY)
        return type_bits(operand) != 0;
    for (EACH(each, operand))
        if (type_bits(each) == 0)
            return false;
    return mcp_json_count(operand) > 0;
}

static bool are_strings(struct mcp_json operand)
{
    for (EACH(each, operand))
        if (mcp_json_type(each) != MCP_JSON_STRING)
            return false;
    return mcp_json_type(operand) == MCP_JSON_ARRAY;
}

static bool are_string_lists(struct mcp_json operand)
{
    for (EACH(each, operand))
        if (!are_strings(each))
            return false;
    return mcp_json_type(operand) == MCP_JSON_OBJECT;
}

static bool is_dialect(struct mcp_json operand)
{
    return mcp_json_equals(operand, DIALECT) || mcp_json_equals(operand, DIALECT "#");
}

/* NULL: it is as it should be. */
static const char *wrong_with(enum operand kind, struct mcp_json operand, bool in_root)
{
    enum mcp_json_type type = mcp_json_type(operand);

    switch (kind) {
    case OPERAND_BOOL:
        return type == MCP_JSON_BOOL ? NULL : "must be true or false";
    case OPERAND_COUNT:
        return is_count(operand) ? NULL : "must be a whole number that is not negative";
    case OPERAND_NUMBER:
        return is_number(operand) ? NULL : "must be a number";
    case OPERAND_DIVISOR:
        return is_divisor(operand) ? NULL : "must be a number above 0 of at most 19 digits";
    case OPERAND_STRING:
        return type == MCP_JSON_STRING ? NULL : "must be a string";
    case OPERAND_TYPES:
        return are_types(operand) ? NULL : "must be the name of a type, or several in an array";
    case OPERAND_VALUES:
    case OPERAND_SCHEMAS:
        return type == MCP_JSON_ARRAY && mcp_json_count(operand) > 0 ? NULL
                                                                     : "must be an array that is not empty";
    case OPERAND_STRINGS:
        return are_strings(operand) ? NULL : "must be an array of strings";
    case OPERAND_STRING_LISTS:
        return are_string_lists(operand) ? NULL : "must be an object of arrays of strings";
    case OPERAND_DIALECT:
        return is_dialect(operand) ? NULL : "only JSON Schema 2020-12 is supported";
    case OPERAND_IDENTIFIER:
        return in_root && type == MCP_JSON_STRING ? NULL : "$id is supported at the top only";
    case OPERAND_SCHEMA_MAP:
        return type == MCP_JSON_OBJECT ? NULL : "must be an object of schemas";
    default: /* OPERAND_ANY; OPERAND_SCHEMA, which the pass over all schemas looks at */
        return NULL;
    }
}

/* ---- keywords ---- */

static const struct keyword_name *find_name(struct mcp_json key)
{
    for (size_t i = 0; i < NAME_COUNT; i++)
        if (mcp_json_equals(key, names[i].name))
            return &names[i];
    return NULL;
}

/* "x-...": by custom an annotation of somebody else (MCP 2026-07-28 has x-mcp-header). */
static bool is_extension(struct mcp_json key)
{
    char start[2];

    return json_string_start(key, start, sizeof(start)) == 2 && start[0] == 'x' && start[1] == '-';
}

/* What is known of an operand once and for all. */
static void note_operand(struct schema *schema, enum operand kind, struct mcp_json operand)
{
    uint32_t *link = &schema->notes[operand.token].link;

    if (kind == OPERAND_TYPES) {
        *link = mcp_json_type(operand) == MCP_JSON_STRING ? type_bits(operand) : 0;
        for (EACH(each, operand))
            *link |= type_bits(each);
    }
    if (kind == OPERAND_SCHEMA)
        schema->notes[operand.token].height = 1;
    if (kind == OPERAND_SCHEMAS || kind == OPERAND_SCHEMA_MAP)
        for (EACH(each, operand))
            schema->notes[each.token].height = 1;
}

static int compile_keywords(const struct compilation *compilation, struct mcp_json object)
{
    struct schema *schema = compilation->schema;
    uint64_t seen = 0;

    if (mcp_json_type(object) == MCP_JSON_BOOL)
        return 0;
    if (mcp_json_type(object) != MCP_JSON_OBJECT)
        return schema_refuse(compilation, object, "must be a schema: an object, true or false");
    for (EACH(operand, object)) {
        const struct keyword_name *name = find_name(mcp_json_key(operand));
        struct note *note = &schema->notes[mcp_json_key(operand).token];
        const char *wrong;

        *note = (struct note){.keyword = KEYWORD_IGNORED, .link = object.token};
        if (name == NULL) {
            if (!is_extension(mcp_json_key(operand)))
                return schema_refuse(compilation, operand, "this keyword is not supported");
            continue;
        }
        wrong = wrong_with(name->operand, operand, object.token == 0);
        if (wrong != NULL)
            return schema_refuse(compilation, operand, wrong);
        if ((seen >> (name - names) & 1) != 0)
            return schema_refuse(compilation, operand, "this keyword stands there twice");
        seen |= UINT64_C(1) << (name - names);
        note->keyword = name->keyword;
        note_operand(schema, name->operand, operand);
    }
    return 0;
}

/* ---- */

static int compile(const struct compilation *compilation)
{
    struct schema *schema = compilation->schema;
    int result = 0;

    schema->notes[0].height = 1;
    for (uint32_t token = 0; token < schema->count && result == 0; token++)
        if (schema->notes[token].height != 0)
            result = compile_keywords(compilation, schema_token(schema, token));
    return result == 0 ? schema_compile_references(compilation) : result;
}

static void add_syntax_error(struct text *why, const struct mcp_json_error *error)
{
    text_add(why, ": not valid JSON: ");
    text_add(why, error->message);
    text_add(why, " at byte ");
    text_add_uint(why, error->offset);
}

int schema_compile(const struct mcp_memory *memory, const char *text, size_t length, struct schema **schema,
                   struct text *why)
{
    struct compilation compilation = {.why = why};
    struct mcp_json_document *document;
    struct mcp_json_error error;
    size_t size;
    int result = mcp_json_parse(memory, text, length, &document, &error);

    if (result == -EINVAL)
        add_syntax_error(why, &error);
    if (result != 0)
        return result;
    size = sizeof(struct schema) + json_token_count(document) * sizeof(struct note);
    compilation.schema = memory->allocate(memory->context, size);
    if (compilation.schema == NULL) {
        mcp_json_free(document);
        return -ENOMEM;
    }
    memset(compilation.schema, 0, size);
    compilation.schema->memory = *memory;
    compilation.schema->size = size;
    compilation.schema->document = document;
    compilation.schema->count = json_token_count(document);
    result = compile(&compilation);
    if (result != 0)
        schema_free(compilation.schema);
    else
        *schema = compilation.schema;
    return result;
}

void schema_free(struct schema *schema)
{
    if (schema != NULL) {
        struct mcp_memory memory = schema->memory;

        mcp_json_free(schema->document);
        memory.release(memory.context, schema, schema->size);
    }
}

struct mcp_json schema_root(const struct schema *schema)
{
    return mcp_json_root(schema->document);
}

struct mcp_json schema_token(const struct schema *schema, uint32_t token)
{
    return (struct mcp_json){.document = schema->document, .token = token};
}

enum keyword schema_keyword_of(const struct schema *schema, struct mcp_json operand)
{
    return (enum keyword)schema->notes[operand.token - 1].keyword;
}

struct mcp_json schema_sibling(const struct schema *schema, struct mcp_json operand, enum keyword keyword)
{
    struct mcp_json object = schema_token(schema, schema->notes[operand.token - 1].link);
    struct mcp_json each = mcp_json_first(object);

    while (mcp_json_type(each) != MCP_JSON_NONE && schema_keyword_of(schema, each) != keyword)
        each = mcp_json_next(each);
    return each;
}
