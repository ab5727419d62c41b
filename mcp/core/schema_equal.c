/* SPDX-License-Identifier: MIT
 *
 * Whether two values are equal, and whether all items of an array differ.
 */
#include "schema_private.h"

#include <string.h>

#include "json_private.h"

/* Both are strings. In the most cases the first character tells. */
bool schema_same_name(struct check *check, struct mcp_json a, struct mcp_json b)
{
    size_t a_length, b_length;
    const char *a_raw = mcp_json_raw(a, &a_length);
    const char *b_raw = mcp_json_raw(b, &b_length);
    size_t shorter = a_length < b_length ? a_length : b_length;

    if (!check_spend(check, 1 + shorter / 8))
        return false;
    if (a_raw[1] != b_raw[1] && a_raw[1] != '\\' && b_raw[1] != '\\')
        return false;
    if (a_length == b_length && memcmp(a_raw, b_raw, a_length) == 0)
        return true;
    return json_raw_strings_equal(a_raw + 1, a_length - 2, b_raw + 1, b_length - 2);
}

static bool same_numbers(struct check *check, struct mcp_json a, struct mcp_json b)
{
    size_t a_length, b_length;
    const char *a_raw = mcp_json_raw(a, &a_length);
    const char *b_raw = mcp_json_raw(b, &b_length);

    return check_spend_text(check, a_length + b_length) &&
           json_number_compare(a_raw, a_length, b_raw, b_length) == 0;
}

static bool same_items(struct check *check, struct mcp_json a, struct mcp_json b)
{
    struct mcp_json other = mcp_json_first(b);

    for (EACH(item, a)) {
        if (!schema_equal(check, item, other))
            return false;
        other = mcp_json_next(other);
    }
    return true;
}

/* As many members on both sides, and each of `a` is in `b` as well. */
static bool same_members(struct check *check, struct mcp_json a, struct mcp_json b)
{
    for (EACH(member, a)) {
        struct mcp_json other = mcp_json_first(b);

        while (mcp_json_type(other) != MCP_JSON_NONE &&
               !schema_same_name(check, name_of(member), name_of(other)))
            other = mcp_json_next(other);
        if (mcp_json_type(other) == MCP_JSON_NONE || !schema_equal(check, member, other))
            return false;
    }
    return true;
}

static bool same_values(struct check *check, struct mcp_json a, struct mcp_json b)
{
    bool a_bool = false, b_bool = false;

    switch (mcp_json_type(a)) {
    case MCP_JSON_NUMBER:
        return same_numbers(check, a, b);
    case MCP_JSON_STRING:
        return schema_same_name(check, a, b);
    case MCP_JSON_ARRAY:
        return mcp_json_count(a) == mcp_json_count(b) && same_items(check, a, b);
    case MCP_JSON_OBJECT:
        return mcp_json_count(a) == mcp_json_count(b) && same_members(check, a, b);
    case MCP_JSON_BOOL:
        (void)mcp_json_get_bool(a, &a_bool);
        (void)mcp_json_get_bool(b, &b_bool);
        return a_bool == b_bool;
    default: /* null */
        return true;
    }
}

static enum mcp_json_type type_of(struct mcp_json value)
{
    enum mcp_json_type type = mcp_json_type(value);

    return type == MCP_JSON_NONE ? MCP_JSON_OBJECT : type;
}

bool schema_equal(struct check *check, struct mcp_json a, struct mcp_json b)
{
    bool equal = check_enter(check) && check_spend(check, 1);

    if (equal)
        equal = type_of(a) == type_of(b) && same_values(check, a, b);
    check_leave(check);
    return equal;
}

/* ---- uniqueItems ---- */

/* The items are taken in groups: a group goes into a hash table, half full at most, and all items behind it
 * are looked up there. An array of one group is done in linear time; the budget ends what takes too many. */
#define PLACES_MAX 512u

static uint32_t mix(uint32_t hash, uint32_t value)
{
    return (hash ^ value) * 0x9E3779B1u;
}

static uint32_t string_hash(struct mcp_json string)
{
    char start[64]; /* the rest counts by its length alone */
    size_t length = json_string_start(string, start, sizeof(start));
    uint32_t hash = mix(MCP_JSON_STRING, (uint32_t)mcp_json_string_length(string));

    for (size_t i = 0; i < length; i++)
        hash = mix(hash, (unsigned char)start[i]);
    return hash;
}

static uint32_t token_hash(struct mcp_json value)
{
    enum mcp_json_type type = mcp_json_type(value);
    size_t length;
    const char *raw = mcp_json_raw(value, &length);

    if (type == MCP_JSON_STRING)
        return string_hash(value);
    if (type == MCP_JSON_NUMBER)
        return mix((uint32_t)type, json_number_hash(raw, length));
    return mix((uint32_t)type, type == MCP_JSON_BOOL ? (uint32_t)length : (uint32_t)mcp_json_count(value));
}

/* The sum over all that is in it, so that the order of members is of no account. */
static uint32_t value_hash(struct check *check, struct mcp_json value)
{
    size_t length, part_length;
    const char *end = mcp_json_raw(value, &length) + length;
    const char *part;
    uint32_t hash = 0;

    (void)check_spend_text(check, length);
    for (struct mcp_json token = value; (part = mcp_json_raw(token, &part_length)) != NULL && part < end;
         token.token++) {
        uint32_t part_hash = token_hash(token);

        (void)check_spend(check, 1);
        hash += part_hash ^ part_hash >> 15;
    }
    return hash;
}

/* The item that is equal to `item` in the table, or else the free place (0) for it. */
static uint32_t *look_up(struct check *check, uint32_t *table, uint32_t places, struct mcp_json item)
{
    uint32_t place = value_hash(check, item);

    for (;; place++) {
        uint32_t *found = &table[place % places];

        if (*found == 0 || check->stopped ||
            schema_equal(check, (struct mcp_json){.document = item.document, .token = *found}, item))
            return found;
    }
}

bool schema_unique_items(struct check *check, struct mcp_json operand, struct mcp_json array)
{
    uint32_t table[PLACES_MAX];
    uint32_t places = 4; /* a power of two */
    struct mcp_json first = mcp_json_first(array);

    while (places < PLACES_MAX && places < 2 * mcp_json_count(array))
        places *= 2;
    while (mcp_json_type(first) != MCP_JSON_NONE) {
        uint32_t count = 0;

        memset(table, 0, places * sizeof(table[0]));
        if (!check_spend_text(check, places * sizeof(table[0])))
            return false;
        for (struct mcp_json item = first; mcp_json_type(item) != MCP_JSON_NONE; item = mcp_json_next(item)) {
            uint32_t *found = look_up(check, table, places, item);

            if (check->stopped)
                return false;
            if (*found != 0)
                return check_fail(check, KEYWORD_UNIQUE_ITEMS, operand, item);
            if (count < places / 2) {
                *found = item.token;
                count++;
                first = mcp_json_next(item);
            }
        }
    }
    return true;
}
