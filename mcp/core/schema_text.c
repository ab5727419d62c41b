/* SPDX-License-Identifier: MIT
 *
 * What is wrong with a value, in words for the model or the person who made it.
 */
#include "schema_private.h"

#include "json_private.h"

/* Of a text, so that what comes behind has room. */
#define POINTER_MAX 96
#define CHOICES_MAX 150
#define SHOWN_MAX   32

/* ---- where ---- */

static void add_name(struct text *text, struct mcp_json name)
{
    char start[SHOWN_MAX];
    char escaped[2 * SHOWN_MAX + 1]; /* RFC 6901, section 3 */
    size_t length = json_string_start(name, start, sizeof(start));
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        if (start[i] == '~' || start[i] == '/') {
            escaped[used++] = '~';
            escaped[used++] = start[i] == '~' ? '0' : '1';
        } else {
            escaped[used++] = start[i] == '\0' ? '?' : start[i]; /* a NUL would end the message */
        }
    }
    escaped[used] = '\0';
    text_add(text, escaped);
    if (length < mcp_json_string_length(name))
        text_add(text, "...");
}

/* The child of `container` that is `value`, holds it, or has it as its name. */
static struct mcp_json child_towards(struct mcp_json container, struct mcp_json value, uint64_t *index)
{
    struct mcp_json child = mcp_json_first(container);
    struct mcp_json next = mcp_json_next(child);

    for (*index = 0; mcp_json_type(next) != MCP_JSON_NONE; ++*index) {
        uint32_t begin = mcp_json_type(container) == MCP_JSON_OBJECT ? next.token - 1 : next.token;

        if (begin > value.token)
            break;
        child = next;
        next = mcp_json_next(child);
    }
    return child;
}

void schema_add_pointer(struct text *text, struct mcp_json root, struct mcp_json value, bool leading)
{
    size_t start = text->length;
    bool shortened = false;

    while (root.token < value.token) {
        uint64_t index;
        struct mcp_json child = child_towards(root, value, &index);
        bool is_member = mcp_json_type(root) == MCP_JSON_OBJECT;
        bool left_out = text->length - start >= POINTER_MAX && child.token < value.token;

        root = child;
        if (left_out && shortened)
            continue;
        text_add(text, leading ? "/" : "");
        leading = true;
        shortened = left_out;
        if (left_out)
            text_add(text, "...");
        else if (is_member)
            add_name(text, mcp_json_key(child));
        else
            text_add_uint(text, index);
    }
}

static bool is_name(struct mcp_json value)
{
    struct mcp_json behind = {.document = value.document, .token = value.token + 1};

    return mcp_json_type(value) == MCP_JSON_STRING && mcp_json_key(behind).document != NULL;
}

/* `argument "a/b"`, or `arguments` where it is the whole. */
static void add_place(struct text *text, const struct check *check, const struct schema_subject *subject,
                      struct mcp_json value)
{
    if (value.token <= check->root.token) {
        text_add(text, subject->whole);
        return;
    }
    if (is_name(value))
        text_add(text, "the name of ");
    text_add(text, subject->part);
    text_add(text, " \"");
    schema_add_pointer(text, check->root, value, false);
    text_add(text, "\"");
}

static void add_missing(struct text *text, const struct check *check, const struct schema_subject *subject,
                        struct mcp_json object, struct mcp_json name)
{
    text_add(text, subject->part);
    text_add(text, " \"");
    schema_add_pointer(text, check->root, object, false);
    if (object.token > check->root.token)
        text_add(text, "/");
    add_name(text, name);
    text_add(text, "\" is missing");
}

/* ---- what ---- */

/* As it stands in the schema; "..." for the rest of it. */
static void add_value(struct text *text, struct mcp_json value)
{
    char bytes[SHOWN_MAX + 1];
    size_t length;
    const char *raw = mcp_json_raw(value, &length);
    size_t shown = length < SHOWN_MAX ? length : SHOWN_MAX;

    if (mcp_json_type(value) == MCP_JSON_STRING) {
        text_add_quoted(text, value);
        return;
    }
    while (shown < length && ((unsigned char)raw[shown] & 0xC0) == 0x80)
        shown--; /* not in the middle of a character */
    for (size_t i = 0; i < shown; i++)
        bytes[i] = raw[i];
    bytes[shown] = '\0';
    text_add(text, bytes);
    if (shown < length)
        text_add(text, "...");
}

/* A list of "a, b or c": what to write before the next one is known only when that comes. */
struct list {
    struct text *text;
    struct mcp_json pending;
    bool any, full;
};

static void list_add(struct list *list, struct mcp_json value)
{
    if (mcp_json_type(list->pending) != MCP_JSON_NONE && !list->full) {
        if (list->any)
            text_add(list->text, ", ");
        list->any = true;
        list->full = list->text->length > CHOICES_MAX;
        if (list->full)
            text_add(list->text, "...");
        else
            add_value(list->text, list->pending);
    }
    list->pending = value;
}

static void list_end(struct list *list)
{
    if (list->any && !list->full)
        text_add(list->text, " or ");
    if (!list->full)
        add_value(list->text, list->pending);
}

static void add_choices(struct text *text, const struct check *check)
{
    struct list list = {.text = text};

    for (size_t i = 0; i < check->fault.choices; i++) {
        struct mcp_json operand = schema_token(check->schema, check->fault.operands[i]);

        if (schema_keyword_of(check->schema, operand) == KEYWORD_CONST)
            list_add(&list, operand);
        else
            for (EACH(each, operand))
                list_add(&list, each);
    }
    list_end(&list);
}

static void add_types(struct text *text, unsigned types)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {
        {"boolean", TYPE_BIT(MCP_JSON_BOOL)},
        {"number", TYPE_BIT(MCP_JSON_NUMBER)},
        {"integer", TYPE_INTEGER},
        {"string", TYPE_BIT(MCP_JSON_STRING)},
        {"array", TYPE_BIT(MCP_JSON_ARRAY)},
        {"object", TYPE_BIT(MCP_JSON_OBJECT)},
        {"null", TYPE_BIT(MCP_JSON_NULL)},
    };
    const char *before = "of type ";

    if ((types & TYPE_BIT(MCP_JSON_NUMBER)) != 0)
        types &= ~TYPE_INTEGER; /* every integer is a number */
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if ((types & names[i].bit) == 0)
            continue;
        text_add(text, before);
        text_add(text, names[i].name);
        before = " or ";
    }
}

static void add_kind(struct text *text, const struct check *check)
{
    text_add(text, " must be ");
    add_types(text, check->fault.types);
    if (check->fault.types != 0 && check->fault.choices > 0)
        text_add(text, " or ");
    if (check->fault.choices > 0)
        add_choices(text, check);
}

/* Rules that have a number: what stands before it and behind it. */
static const struct limit {
    const char *before, *unit, *which;
} limits[KEYWORD_COUNT] = {
    [KEYWORD_MINIMUM] = {" must be at least ", NULL, NULL},
    [KEYWORD_MAXIMUM] = {" must be at most ", NULL, NULL},
    [KEYWORD_EXCLUSIVE_MINIMUM] = {" must be more than ", NULL, NULL},
    [KEYWORD_EXCLUSIVE_MAXIMUM] = {" must be less than ", NULL, NULL},
    [KEYWORD_MULTIPLE_OF] = {" must be a multiple of ", NULL, NULL},
    [KEYWORD_MIN_LENGTH] = {" must have at least ", " character", ""},
    [KEYWORD_MAX_LENGTH] = {" must have at most ", " character", ""},
    [KEYWORD_MIN_ITEMS] = {" must have at least ", " item", ""},
    [KEYWORD_MAX_ITEMS] = {" must have at most ", " item", ""},
    [KEYWORD_CONTAINS] = {" must have at least ", " item", " as \"contains\" describes them"},
    [KEYWORD_MAX_CONTAINS] = {" must have at most ", " item", " as \"contains\" describes them"},
    [KEYWORD_MIN_PROPERTIES] = {" must have at least ", " member", ""},
    [KEYWORD_MAX_PROPERTIES] = {" must have at most ", " member", ""},
};

static void add_limit(struct text *text, const struct limit *limit, struct mcp_json number)
{
    int64_t count = 1;

    text_add(text, limit->before);
    if (number.token == 0) /* contains without minContains */
        text_add(text, "1");
    else
        add_value(text, number);
    if (limit->unit == NULL)
        return;
    if (number.token != 0)
        (void)mcp_json_get_int(number, &count);
    text_add(text, limit->unit);
    text_add(text, count != 1 ? "s" : "");
    text_add(text, limit->which);
}

void schema_add_fault(struct text *text, const struct check *check, const struct schema_subject *subject)
{
    const struct fault *fault = &check->fault;
    struct mcp_json operand = schema_token(check->schema, fault->operands[0]);
    struct mcp_json value = {.document = check->root.document, .token = fault->value};

    if (fault->rule == KEYWORD_REQUIRED) {
        add_missing(text, check, subject, value, operand);
        return;
    }
    add_place(text, check, subject, value);
    switch (fault->rule) {
    case KEYWORD_TYPE:
        add_kind(text, check);
        break;
    case KEYWORD_ADDITIONAL_PROPERTIES:
        text_add(text, " is unknown");
        break;
    case KEYWORD_UNIQUE_ITEMS:
        text_add(text, " repeats an earlier item");
        break;
    case KEYWORD_ONE_OF:
        text_add(text, " must match only one of the schemas in \"oneOf\"");
        break;
    case KEYWORD_NOT:
        text_add(text, " must not match the schema in \"not\"");
        break;
    case FAULT_FALSE:
        text_add(text, " is not allowed");
        break;
    case FAULT_WORK:
        text_add(text, ": the check takes too many steps; send less at once");
        break;
    case FAULT_DEPTH:
        text_add(text, ": nested too deeply to be checked");
        break;
    default:
        add_limit(text, &limits[fault->rule], operand);
        break;
    }
}
