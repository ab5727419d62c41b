/* SPDX-License-Identifier: MIT
 *
 * Header, keys and tensor table: everything before the tensors' data, walked over once, each length checked
 * against the bytes that are left.
 */
#include <errno.h>
#include <string.h>

#include "gguf/reader.h"
#include "message.h"

#define KEY_SIZE_MIN 14 /* a length of 8, a name of 1, a type of 4, a value of 1 */
#define TYPES        "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K"
#define TENSOR_SIZE_MIN                                                                                      \
    33 /* a length of 8, a name of 1, a count of 4, one dimension of 8, type 4, offset 8 */

static const struct {
    const char *name;
    size_t size;
} types[GGUF_TYPES] = {
    [GGUF_U8] = {"u8", 1},       [GGUF_I8] = {"i8", 1},     [GGUF_U16] = {"u16", 2},
    [GGUF_I16] = {"i16", 2},     [GGUF_U32] = {"u32", 4},   [GGUF_I32] = {"i32", 4},
    [GGUF_F32] = {"f32", 4},     [GGUF_BOOL] = {"bool", 1}, [GGUF_STRING] = {"string", 0},
    [GGUF_ARRAY] = {"array", 0}, [GGUF_U64] = {"u64", 8},   [GGUF_I64] = {"i64", 8},
    [GGUF_F64] = {"f64", 8},
};

const char *gguf_type_name(uint32_t type)
{
    return type < GGUF_TYPES ? types[type].name : NULL;
}

size_t gguf_type_size(uint32_t type)
{
    return type < GGUF_TYPES ? types[type].size : 0;
}

static uint64_t u64_at(const struct gguf_file *file, uint64_t at)
{
    uint64_t value;

    memcpy(&value, file->bytes + at, sizeof(value));
    return value;
}

struct airt_text gguf_string_at(const struct gguf_file *file, uint32_t at, uint32_t *next)
{
    uint64_t length = u64_at(file, at);

    *next = at + 8 + (uint32_t)length;
    return (struct airt_text){file->bytes + at + 8, (size_t)length};
}

/* ---- taking what is at reader->at, and moving behind it ---- */

/* Checks that `count` elements of at least `size` bytes can be there at all, and with `fetch` gets them. */
static int need(struct gguf_reader *reader, struct gguf_place place, const char *what, uint64_t count,
                size_t size, bool fetch)
{
    uint64_t left = reader->source->size - reader->at;
    uint64_t room = reader->at < GGUF_METADATA_MAX ? GGUF_METADATA_MAX - reader->at : 0;

    if (count > left / size) {
        if (size == 1)
            return gguf_fail_numbers(reader, place, what, count, " bytes, ", left, " left");
        return gguf_fail_numbers(reader, place, what, count, " elements, ", left, " bytes left");
    }
    if (count > room / size)
        return gguf_fail_numbers(reader, place, what, count, ": all before the tensors may have ",
                                 GGUF_METADATA_MAX >> 20, " MiB");
    return fetch ? gguf_fetch(reader, count * size) : 0;
}

static int take_u32(struct gguf_reader *reader, struct gguf_place place, uint32_t *value)
{
    int rc = need(reader, place, "cut off: ", 4, 1, true);

    if (rc == 0) {
        *value = gguf_u32_at(&reader->gguf->file, reader->at);
        reader->at += 4;
    }
    return rc;
}

static int take_u64(struct gguf_reader *reader, struct gguf_place place, uint64_t *value)
{
    int rc = need(reader, place, "cut off: ", 8, 1, true);

    if (rc == 0) {
        *value = u64_at(&reader->gguf->file, reader->at);
        reader->at += 8;
    }
    return rc;
}

static int take_name(struct gguf_reader *reader, struct gguf_place place, uint32_t most,
                     struct gguf_name *name)
{
    uint64_t length;
    int rc = take_u64(reader, place, &length);

    if (rc != 0)
        return rc;
    if (length == 0)
        return gguf_fail(reader, place, "an empty name");
    if (length > most)
        return gguf_fail_numbers(reader, place, "a name of ", length, " bytes, at most ", most, "");
    rc = need(reader, place, "a name of ", length, 1, true);
    if (rc != 0)
        return rc;
    *name = (struct gguf_name){(uint32_t)reader->at, (uint32_t)length};
    reader->at += length;
    if (memchr(reader->gguf->file.bytes + name->at, '\0', name->length) != NULL)
        return gguf_fail(reader, place, "a name with a NUL in it");
    return 0;
}

/* ---- keys ---- */

static int take_bools(struct gguf_reader *reader, struct gguf_place place, uint64_t count)
{
    const char *bytes = reader->gguf->file.bytes + reader->at;

    for (uint64_t i = 0; i < count; i++) {
        int rc = gguf_step(reader, i, 1);

        if (rc != 0)
            return rc;
        if ((bytes[i] & ~1) != 0)
            return gguf_fail_numbers(reader, place, "a bool of ", (unsigned char)bytes[i], " at byte ",
                                     reader->at + i, ", expected 0 or 1");
    }
    return 0;
}

static int take_string(struct gguf_reader *reader, struct gguf_place place, uint32_t *length)
{
    uint64_t count;
    int rc = take_u64(reader, place, &count);

    if (rc == 0)
        rc = need(reader, place, "string of ", count, 1, true);
    if (rc != 0)
        return rc;
    *length = (uint32_t)count;
    reader->at += count;
    return work_spend(reader->work, 16);
}

static int take_array(struct gguf_reader *reader, struct gguf_place place, struct gguf_key *key)
{
    uint32_t element = 0;
    uint64_t count = 0;
    size_t size;
    int rc = take_u32(reader, place, &element);

    if (rc == 0)
        rc = take_u64(reader, place, &count);
    if (rc != 0)
        return rc;
    if (element == GGUF_ARRAY)
        return gguf_fail(reader, place, "an array of arrays");
    if (gguf_type_name(element) == NULL)
        return gguf_fail_numbers(reader, place, "array of type ", element, ", known are 0 to ",
                                 GGUF_TYPES - 1, "");
    size = element == GGUF_STRING ? 8 : gguf_type_size(element);
    rc = need(reader, place, "array of ", count, size, element != GGUF_STRING);
    if (rc != 0)
        return rc;
    key->element = (uint8_t)element;
    key->count = (uint32_t)count;
    key->value = (uint32_t)reader->at;
    if (element == GGUF_BOOL)
        rc = take_bools(reader, place, count);
    if (element != GGUF_STRING)
        reader->at += count * size;
    for (uint64_t i = 0; element == GGUF_STRING && i < count && rc == 0; i++) {
        uint32_t length;

        rc = take_string(reader, place, &length);
    }
    return rc;
}

static int take_key(struct gguf_reader *reader, uint32_t number, struct gguf_key *key)
{
    struct gguf_place place = {.kind = "key", .number = number, .at = reader->at};
    uint32_t type;
    int rc = take_name(reader, place, GGUF_KEY_MAX, &key->name);

    if (rc != 0)
        return rc;
    place.name = key->name;
    place.at = key->name.at;
    rc = take_u32(reader, place, &type);
    if (rc != 0)
        return rc;
    if (gguf_type_name(type) == NULL)
        return gguf_fail_numbers(reader, place, "type ", type, ", known are 0 to ", GGUF_TYPES - 1, "");
    key->type = (uint8_t)type;
    key->value = (uint32_t)reader->at;
    key->count = 1;
    if (type == GGUF_ARRAY)
        return take_array(reader, place, key);
    if (type == GGUF_STRING) {
        rc = take_string(reader, place, &key->count);
        key->value = (uint32_t)(reader->at - key->count);
        return rc;
    }
    rc = need(reader, place, "cut off: ", gguf_type_size(type), 1, true);
    if (rc == 0 && type == GGUF_BOOL)
        rc = take_bools(reader, place, 1);
    reader->at += gguf_type_size(type);
    return rc == 0 ? work_spend(reader->work, KEY_SIZE_MIN) : rc;
}

static int read_keys(struct gguf_reader *reader)
{
    struct gguf_file *file = &reader->gguf->file;
    uint32_t twice;
    int rc = 0;

    file->keys = gguf_allocate(reader, "the index of keys", file->key_count, sizeof(*file->keys));
    if (file->keys == NULL)
        return -ENOMEM;
    memset(file->keys, 0, file->key_count * sizeof(*file->keys));
    for (uint32_t i = 0; i < file->key_count && rc == 0; i++)
        rc = take_key(reader, i, &file->keys[i]);
    if (rc != 0)
        return rc;

    file->keys_by_name = gguf_allocate(reader, "the index of keys", file->key_count, sizeof(uint32_t));
    if (file->keys_by_name == NULL)
        return -ENOMEM;
    rc =
        gguf_sort_names(reader, file->keys, sizeof(*file->keys), file->key_count, file->keys_by_name, &twice);
    if (rc == 0 && twice < file->key_count)
        return gguf_fail(reader, gguf_key_place(&file->keys[twice]), "stands in the file twice");
    return rc;
}

/* ---- tensors ---- */

static int take_dimensions(struct gguf_reader *reader, struct gguf_place place, struct gguf_tensor *tensor)
{
    uint64_t total = 1;
    int rc = take_u32(reader, place, &tensor->dimensions);

    if (rc != 0)
        return rc;
    if (tensor->dimensions == 0 || tensor->dimensions > GGUF_DIMENSIONS)
        return gguf_fail_numbers(reader, place, "", tensor->dimensions, " dimensions, expected 1 to ",
                                 GGUF_DIMENSIONS, "");
    for (uint32_t i = 0; i < GGUF_DIMENSIONS; i++)
        tensor->counts[i] = 1;
    for (uint32_t i = 0; i < tensor->dimensions; i++) {
        rc = take_u64(reader, place, &tensor->counts[i]);
        if (rc != 0)
            return rc;
        if (tensor->counts[i] == 0)
            return gguf_fail_number(reader, place, "dimension ", i, " is 0, expected at least 1");
        /* So that its bytes can be counted, too. */
        if (tensor->counts[i] > (UINT64_C(1) << 56) / total)
            return gguf_fail_numbers(reader, place, "dimension ", i, " is ", tensor->counts[i],
                                     ": more numbers than any file holds");
        total *= tensor->counts[i];
    }
    return 0;
}

static int take_tensor(struct gguf_reader *reader, uint32_t number, struct gguf_tensor *tensor)
{
    struct gguf_file *file = &reader->gguf->file;
    struct gguf_place place = {.kind = "tensor", .number = number, .at = reader->at};
    const struct tensor_type_info *info;
    uint64_t expected = (file->data_size + file->alignment - 1) & ~(uint64_t)(file->alignment - 1);
    uint32_t type = 0;
    int rc;

    tensor->at = (uint32_t)reader->at;
    rc = take_name(reader, place, GGUF_NAME_MAX, &tensor->name);
    if (rc != 0)
        return rc;
    place.name = tensor->name;
    rc = take_dimensions(reader, place, tensor);
    if (rc == 0)
        rc = take_u32(reader, place, &type);
    if (rc == 0)
        rc = take_u64(reader, place, &tensor->offset);
    if (rc != 0)
        return rc;

    info = tensor_type_info(type);
    if (info == NULL)
        return gguf_fail_number(reader, place, "numbers of type ", type, ", known are " TYPES);
    if (tensor->counts[0] % info->block_count != 0)
        return gguf_fail_numbers(reader, place, "rows of ", tensor->counts[0], " numbers in blocks of ",
                                 info->block_count, "");
    tensor->type = (enum tensor_type)type;
    tensor->size = tensor->counts[0] / info->block_count * info->block_size * tensor->counts[1] *
                   tensor->counts[2] * tensor->counts[3];
    if (tensor->offset != expected)
        return gguf_fail_numbers(reader, place, "offset ", tensor->offset, ", expected ", expected,
                                 ", where the one before ends");
    if (expected > reader->source->size || tensor->size > reader->source->size - expected)
        return gguf_fail_numbers(reader, place, "", tensor->size, " bytes in a file of ",
                                 reader->source->size, "");
    file->data_size = tensor->offset + tensor->size;
    return work_spend(reader->work, TENSOR_SIZE_MIN);
}

static int read_tensors(struct gguf_reader *reader)
{
    struct gguf_file *file = &reader->gguf->file;
    uint32_t twice;
    int rc = 0;

    file->tensors = gguf_allocate(reader, "the index of tensors", file->tensor_count, sizeof(*file->tensors));
    if (file->tensors == NULL)
        return -ENOMEM;
    memset(file->tensors, 0, file->tensor_count * sizeof(*file->tensors));
    for (uint32_t i = 0; i < file->tensor_count && rc == 0; i++)
        rc = take_tensor(reader, i, &file->tensors[i]);
    if (rc != 0)
        return rc;

    file->tensors_by_name =
        gguf_allocate(reader, "the index of tensors", file->tensor_count, sizeof(uint32_t));
    if (file->tensors_by_name == NULL)
        return -ENOMEM;
    rc = gguf_sort_names(reader, file->tensors, sizeof(*file->tensors), file->tensor_count,
                         file->tensors_by_name, &twice);
    if (rc == 0 && twice < file->tensor_count)
        return gguf_fail(reader, gguf_tensor_place(&file->tensors[twice]), "stands in the file twice");
    return rc;
}

/* ---- the whole ---- */

static int read_header(struct gguf_reader *reader)
{
    struct gguf_file *file = &reader->gguf->file;
    const struct gguf_place start = {.at = 0};
    const struct gguf_place version = {.at = 4};
    uint64_t tensors = 0;
    uint64_t keys = 0;
    int rc = need(reader, start, "cut off: ", 4, 1, true);

    if (rc != 0)
        return rc;
    if (memcmp(file->bytes, "GGUF", 4) != 0)
        return gguf_fail(reader, start, "not a GGUF file");
    reader->at = 4;
    rc = take_u32(reader, version, &file->version);
    if (rc != 0)
        return rc;
    if ((file->version & 0xffff) == 0 && file->version != 0)
        return gguf_fail(reader, version, "a big-endian file, only little-endian ones are read");
    if (file->version < 2 || file->version > 3)
        return gguf_fail_number(reader, version, "version ", file->version, ", read are 2 and 3");
    rc = take_u64(reader, (struct gguf_place){.at = 8}, &tensors);
    if (rc == 0)
        rc = take_u64(reader, (struct gguf_place){.at = 16}, &keys);
    if (rc == 0)
        rc = need(reader, (struct gguf_place){.at = 16}, "keys: ", keys, KEY_SIZE_MIN, false);
    if (rc == 0)
        rc = need(reader, (struct gguf_place){.at = 8}, "tensors: ", tensors, TENSOR_SIZE_MIN, false);
    if (rc != 0)
        return rc;
    if (keys > GGUF_KEYS_MAX)
        return gguf_fail_numbers(reader, (struct gguf_place){.at = 16}, "", keys, " keys, at most ",
                                 GGUF_KEYS_MAX, "");
    if (tensors > GGUF_TENSORS_MAX)
        return gguf_fail_numbers(reader, (struct gguf_place){.at = 8}, "", tensors, " tensors, at most ",
                                 GGUF_TENSORS_MAX, "");
    file->tensor_count = (uint32_t)tensors;
    file->key_count = (uint32_t)keys;
    return 0;
}

static int read_alignment(struct gguf_reader *reader)
{
    static const char name[] = "general.alignment";
    struct gguf_file *file = &reader->gguf->file;
    const struct gguf_key *key = gguf_key_find(file, name, sizeof(name) - 1);

    file->alignment = GGUF_ALIGNMENT;
    if (key == NULL)
        return 0;
    if (key->type != GGUF_U32)
        return gguf_fail_numbers(reader, gguf_key_place(key), "type ", key->type, ", expected ", GGUF_U32,
                                 " (u32)");
    file->alignment = gguf_u32_at(file, key->value);
    if (file->alignment == 0 || (file->alignment & (file->alignment - 1)) != 0 ||
        file->alignment > GGUF_ALIGNMENT_MAX)
        return gguf_fail_numbers(reader, gguf_key_place(key), "", file->alignment,
                                 ", expected a power of two up to ", GGUF_ALIGNMENT_MAX, "");
    return 0;
}

/* Where the data begins, and whether it is all there. */
static int check_data(struct gguf_reader *reader)
{
    struct gguf_file *file = &reader->gguf->file;
    uint64_t mask = file->alignment - 1;
    uint64_t size = reader->source->size;
    struct gguf_place place = {.at = reader->at};

    file->data_start = (reader->at + mask) & ~mask;
    if (file->data_size == 0) /* a vocabulary: some pad it, some do not */
        file->data_start = reader->at;
    else
        place = gguf_tensor_place(&file->tensors[file->tensor_count - 1]);
    if (file->data_start > size || file->data_size > size - file->data_start)
        return gguf_fail_numbers(reader, place, "its data ends at byte ", file->data_start + file->data_size,
                                 " of a file of ", size, ": cut off");
    if (size - file->data_start - file->data_size > mask)
        return gguf_fail_numbers(reader, place, "", size - file->data_start - file->data_size,
                                 " bytes behind the last tensor, at most ", mask, "");
    return 0;
}

/* Leaves no more memory than the bytes need. */
static int trim(struct gguf_reader *reader)
{
    struct gguf_file *file = &reader->gguf->file;
    uint64_t used = file->data_start;
    char *memory;

    if (reader->capacity == 0 || used == reader->capacity)
        return 0;
    reader->at = 0;
    if (gguf_fetch(reader, used) != 0)
        return -ENOMEM;
    memory = gguf_allocate(reader, "the keys", used, 1);
    if (memory == NULL)
        return -ENOMEM;
    memcpy(memory, file->bytes, (size_t)used);
    gguf_release(reader->work->hooks, file, file->bytes);
    file->bytes = memory;
    return work_spend(reader->work, (size_t)used);
}

int gguf_read_tables(struct gguf_reader *reader)
{
    int rc = read_header(reader);

    if (rc == 0)
        rc = read_keys(reader);
    if (rc == 0)
        rc = read_alignment(reader);
    if (rc == 0)
        rc = read_tensors(reader);
    if (rc == 0)
        rc = check_data(reader);
    if (rc == 0)
        rc = trim(reader);
    return rc;
}
