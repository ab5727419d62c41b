/* SPDX-License-Identifier: MIT
 *
 * Values of keys, each with its type and range checked.
 */
#include <errno.h>
#include <string.h>

#include "gguf/reader.h"
#include "message.h"

uint32_t gguf_u32_at(const struct gguf_file *file, uint64_t at)
{
    uint32_t value;

    memcpy(&value, file->bytes + at, sizeof(value));
    return value;
}

float gguf_f32_at(const struct gguf_file *file, uint64_t at)
{
    float value;

    memcpy(&value, file->bytes + at, sizeof(value));
    return value;
}

bool gguf_text_is(struct airt_text text, const char *wanted)
{
    return text.length == strlen(wanted) && memcmp(text.bytes, wanted, text.length) == 0;
}

struct airt_text gguf_key_text(const struct gguf_file *file, const struct gguf_key *key)
{
    return (struct airt_text){file->bytes + key->value, key->count};
}

/* "type string, expected WHAT" */
static int fail_type(struct gguf_reader *reader, const struct gguf_key *key, const char *expected)
{
    (void)gguf_fail(reader, gguf_key_place(key), "type ");
    message_text(reader->error, gguf_type_name(key->type));
    if (key->type == GGUF_ARRAY) {
        message_text(reader->error, " of ");
        message_text(reader->error, gguf_type_name(key->element));
    }
    message_text(reader->error, ", expected ");
    message_text(reader->error, expected);
    return -EINVAL;
}

/* Sets *key to NULL when it is missing and may be. */
static int find(struct gguf_reader *reader, const char *name, bool required, const struct gguf_key **key)
{
    *key = gguf_key_find(&reader->gguf->file, name, strlen(name));
    if (*key == NULL && required)
        return gguf_fail_missing(reader, "key", name);
    return 0;
}

/* A whole number of any type; UINT64_MAX where it is negative. */
static uint64_t whole_at(const struct gguf_file *file, enum gguf_type type, uint64_t at)
{
    size_t size = gguf_type_size(type);
    uint64_t value = 0;

    memcpy(&value, file->bytes + at, size);
    if ((type == GGUF_I8 || type == GGUF_I16 || type == GGUF_I32 || type == GGUF_I64) &&
        (value >> (8 * size - 1)) != 0)
        return UINT64_MAX;
    return value;
}

static bool is_whole(enum gguf_type type)
{
    return type != GGUF_F32 && type != GGUF_F64 && type != GGUF_BOOL && gguf_type_size(type) > 0;
}

int gguf_get_count(struct gguf_reader *reader, const char *name, bool required, uint32_t least, uint32_t most,
                   uint32_t *value)
{
    const struct gguf_file *file = &reader->gguf->file;
    const struct gguf_key *key;
    enum gguf_type type;
    uint64_t found;
    int rc = find(reader, name, required, &key);

    if (rc != 0 || key == NULL)
        return rc;
    /* Some numbers may be given layer by layer. */
    type = (enum gguf_type)(key->type == GGUF_ARRAY ? key->element : key->type);
    if (!is_whole(type) || key->count == 0)
        return fail_type(reader, key, "a whole number");
    found = whole_at(file, type, key->value);
    for (uint32_t i = 1; key->type == GGUF_ARRAY && i < key->count && rc == 0; i++) {
        if (whole_at(file, type, key->value + i * gguf_type_size(type)) != found)
            return gguf_fail(reader, gguf_key_place(key), "differs from layer to layer");
        rc = gguf_step(reader, i, gguf_type_size(type));
    }
    if (rc != 0)
        return rc;
    if (found == UINT64_MAX)
        return gguf_fail(reader, gguf_key_place(key), "a negative number");
    if (found < least)
        return gguf_fail_numbers(reader, gguf_key_place(key), "", found, ", expected at least ", least, "");
    if (found > most)
        return gguf_fail_numbers(reader, gguf_key_place(key), "", found, ", expected at most ", most, "");
    *value = (uint32_t)found;
    return 0;
}

static int get_number(struct gguf_reader *reader, const char *name, bool required, bool none, float *value)
{
    const struct gguf_file *file = &reader->gguf->file;
    const struct gguf_key *key;
    double found;
    int rc = find(reader, name, required, &key);

    if (rc != 0 || key == NULL)
        return rc;
    if (key->type == GGUF_F64)
        memcpy(&found, file->bytes + key->value, sizeof(found));
    else if (key->type == GGUF_F32)
        found = (double)gguf_f32_at(file, key->value);
    else
        return fail_type(reader, key, "f32");
    /* Written so that NaN is refused, too. */
    if (!(found >= 1e-30 && found <= 1e30) && !(none && found >= 0 && found <= 0))
        return gguf_fail(reader, gguf_key_place(key), "expected a number above 0, and finite");
    *value = (float)found;
    return 0;
}

int gguf_get_positive(struct gguf_reader *reader, const char *name, bool required, float *value)
{
    return get_number(reader, name, required, false, value);
}

int gguf_get_positive_or_none(struct gguf_reader *reader, const char *name, float *value)
{
    return get_number(reader, name, false, true, value);
}

int gguf_get_bool(struct gguf_reader *reader, const char *name, bool *value)
{
    const struct gguf_key *key;
    int rc = find(reader, name, false, &key);

    if (rc != 0 || key == NULL)
        return rc;
    if (key->type != GGUF_BOOL)
        return fail_type(reader, key, "bool");
    *value = reader->gguf->file.bytes[key->value] != 0;
    return 0;
}

int gguf_get_text(struct gguf_reader *reader, const char *name, bool required, struct airt_text *value)
{
    const struct gguf_key *key;
    int rc = find(reader, name, required, &key);

    if (rc != 0 || key == NULL)
        return rc;
    if (key->type != GGUF_STRING)
        return fail_type(reader, key, "string");
    *value = gguf_key_text(&reader->gguf->file, key);
    return 0;
}

int gguf_get_array(struct gguf_reader *reader, const char *name, bool required, enum gguf_type type,
                   enum gguf_type other, const struct gguf_key **key)
{
    int rc = find(reader, name, required, key);

    if (rc != 0 || *key == NULL)
        return rc;
    if ((*key)->type != GGUF_ARRAY || ((*key)->element != type && (*key)->element != other)) {
        char expected[32] = "array of ";

        memcpy(expected + strlen(expected), gguf_type_name(type), strlen(gguf_type_name(type)) + 1);
        return fail_type(reader, *key, expected);
    }
    return 0;
}
