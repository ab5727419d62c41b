/* SPDX-License-Identifier: MIT */
#include "reference_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 32

/* Types of metadata values in the file. */
enum { VALUE_U32 = 4, VALUE_I32 = 5, VALUE_F32 = 6, VALUE_STRING = 8, VALUE_ARRAY = 9 };

/* ---- bytes ---- */

static void *grow(struct reference_part *part, size_t size)
{
    if (part->size + size > part->capacity) {
        part->capacity = 2 * (part->size + size);
        part->bytes = realloc(part->bytes, part->capacity);
        assert_non_null(part->bytes);
    }
    part->size += size;
    return part->bytes + part->size - size;
}

static void put(struct reference_part *part, const void *bytes, size_t size)
{
    if (size > 0)
        memcpy(grow(part, size), bytes, size);
}

static void put_u32(struct reference_part *part, uint32_t value)
{
    put(part, &value, sizeof(value));
}

static void put_u64(struct reference_part *part, uint64_t value)
{
    put(part, &value, sizeof(value));
}

static void put_text(struct reference_part *part, const char *text)
{
    put_u64(part, strlen(text));
    put(part, text, strlen(text));
}

static void put_zeros(struct reference_part *part, size_t alignment)
{
    while (part->size % alignment != 0)
        put(part, "", 1);
}

/* ---- numbers ---- */

struct random {
    uint64_t state;
};

static struct random random_of(uint64_t seed, const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    for (const char *byte = name; *byte != '\0'; byte++)
        hash = (hash ^ (uint8_t)*byte) * UINT64_C(0x100000001b3);
    return (struct random){hash ^ seed};
}

static uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15); /* SplitMix64 */

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static float random_uniform(struct random *random)
{
    return (float)(random_next(random) >> 40) / 8388608.0f - 1.0f;
}

/* Rounds to nearest, ties to even; normal numbers below 2 and those that become subnormal only. */
static uint16_t half_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude < 0x38800000) { /* below 2^-14: a multiple of 2^-24 */
        float scaled = (value < 0 ? -value : value) * 16777216.0f;
        uint32_t whole = (uint32_t)scaled;
        float rest = scaled - (float)whole;

        return (uint16_t)(sign | (whole + (rest > 0.5f || (rest == 0.5f && (whole & 1) != 0))));
    }
    uint32_t kept = (magnitude - 0x38000000) >> 13, rest = magnitude & 0x1fff;
    return (uint16_t)(sign | (kept + (rest > 0x1000 || (rest == 0x1000 && (kept & 1) != 0))));
}

/* ---- tensors ---- */

static const struct kind {
    const char *name;
    uint32_t type, count, size; /* numbers and bytes in a block */
    struct {
        uint32_t at, exponent; /* a float16 in it, and its sign and exponent */
    } scales[2];
} kinds[] = {
    {"F32", 0, 1, 4, {{0, 0}}},
    {"NORM", 0, 1, 4, {{0, 0}}},
    {"F16", 1, 1, 2, {{0, 0}}},
    {"BF16", 30, 1, 2, {{0, 0}}},
    {"Q4_0", 2, 32, 18, {{0, 10}}},
    {"Q4_1", 3, 32, 20, {{0, 9}, {2, 12 + 32}}},
    {"Q5_0", 6, 32, 22, {{0, 9}}},
    {"Q5_1", 7, 32, 24, {{0, 8}, {2, 12 + 32}}},
    {"Q8_0", 8, 32, 34, {{0, 6}}},
    {"Q4_K", 12, 256, 144, {{0, 4}, {2, 7}}},
    {"Q5_K", 13, 256, 176, {{0, 3}, {2, 7}}},
    {"Q6_K", 14, 256, 210, {{208, 2}}},
};

static void set_scale(uint8_t *block, uint32_t at, uint32_t exponent)
{
    uint32_t bits = ((uint32_t)block[at] | (uint32_t)block[at + 1] << 8);

    if (exponent == 0)
        return;
    bits = (bits & 0x3ff) | exponent << 10;
    block[at] = (uint8_t)bits;
    block[at + 1] = (uint8_t)(bits >> 8);
}

static void put_blocks(struct reference_part *data, const struct kind *kind, struct random *random,
                       uint64_t count)
{
    size_t size = (size_t)count * kind->size;
    uint8_t *bytes = grow(data, size);

    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = random_next(random);

        memcpy(bytes + at, &word, size - at < 8 ? size - at : 8);
    }
    for (uint64_t i = 0; i < count; i++)
        for (int scale = 0; scale < 2; scale++)
            set_scale(bytes + i * kind->size, kind->scales[scale].at, kind->scales[scale].exponent);
}

static void put_number(struct reference_part *data, const struct kind *kind, float value)
{
    uint32_t bits;
    uint16_t half;

    memcpy(&bits, &value, sizeof(bits));
    half = kind->type == 30 ? (uint16_t)(bits >> 16) : half_of(value);
    if (kind->size == 4)
        put_u32(data, bits);
    else
        put(data, &half, sizeof(half));
}

static void add_tensor(struct reference_file *file, const char *words)
{
    char name[64], type[8];
    uint32_t rows, columns;
    float scale;
    const struct kind *kind = kinds;

    assert_int_equal(sscanf(words, "%63s %7s %u %u %f", name, type, &rows, &columns, &scale), 5);
    while (strcmp(kind->name, type) != 0)
        assert_true(++kind < kinds + sizeof(kinds) / sizeof(kinds[0]));
    put_text(&file->tensors, name);
    put_u32(&file->tensors, rows > 0 ? 2 : 1);
    put_u64(&file->tensors, columns);
    if (rows > 0)
        put_u64(&file->tensors, rows);
    put_u32(&file->tensors, kind->type);
    put_zeros(&file->data, ALIGNMENT);
    put_u64(&file->tensors, file->data.size);
    file->tensor_count++;

    struct random random = random_of(file->seed, name);
    uint64_t count = (uint64_t)(rows > 0 ? rows : 1) * columns;
    if (kind->count > 1) {
        put_blocks(&file->data, kind, &random, count / kind->count);
        return;
    }
    bool norm = strcmp(type, "NORM") == 0;
    for (uint64_t i = 0; i < count; i++)
        put_number(&file->data, kind, random_uniform(&random) * scale + (norm ? 1.0f : 0.0f));
}

/* ---- the file ---- */

void reference_file_begin(struct reference_file *file, uint64_t seed)
{
    *file = (struct reference_file){.seed = seed};
}

void reference_file_add(struct reference_file *file, const char *kind, const char *words)
{
    char key[64], value[32];

    if (strcmp(kind, "tensor") == 0) {
        add_tensor(file, words);
        return;
    }
    assert_int_equal(sscanf(words, "%63s %31s", key, value), 2);
    put_text(&file->values, key);
    if (strcmp(kind, "u32") == 0) {
        put_u32(&file->values, VALUE_U32);
        put_u32(&file->values, (uint32_t)strtoul(value, NULL, 10));
    } else if (strcmp(kind, "f32") == 0) {
        float number = strtof(value, NULL);
        put_u32(&file->values, VALUE_F32);
        put(&file->values, &number, sizeof(number));
    } else {
        assert_string_equal(kind, "text");
        put_u32(&file->values, VALUE_STRING);
        put_text(&file->values, value);
    }
    file->value_count++;
}

static void begin_array(struct reference_file *file, const char *key, uint32_t type, uint32_t count)
{
    put_text(&file->values, key);
    put_u32(&file->values, VALUE_ARRAY);
    put_u32(&file->values, type);
    put_u64(&file->values, count);
    file->value_count++;
}

static void add_vocabulary(struct reference_file *file, uint32_t count)
{
    static const char *const first[] = {"<unk>", "<s>", "</s>"};

    reference_file_add(file, "text", "tokenizer.ggml.model llama");
    begin_array(file, "tokenizer.ggml.tokens", VALUE_STRING, count);
    for (uint32_t i = 0; i < count; i++) {
        char token[16];

        (void)snprintf(token, sizeof(token), "t%u", i);
        put_text(&file->values, i < 3 ? first[i] : token);
    }
    begin_array(file, "tokenizer.ggml.scores", VALUE_F32, count);
    for (uint32_t i = 0; i < count; i++)
        put_u32(&file->values, 0);
    begin_array(file, "tokenizer.ggml.token_type", VALUE_I32, count);
    for (uint32_t i = 0; i < count; i++)
        put_u32(&file->values, i == 0 ? 2 : i < 3 ? 3 : 1);
    reference_file_add(file, "u32", "tokenizer.ggml.bos_token_id 1");
    reference_file_add(file, "u32", "tokenizer.ggml.eos_token_id 2");
}

void reference_file_end(struct reference_file *file, uint32_t vocabulary)
{
    struct reference_part whole = {0};

    add_vocabulary(file, vocabulary);
    put(&whole, "GGUF", 4);
    put_u32(&whole, 3);
    put_u64(&whole, file->tensor_count);
    put_u64(&whole, file->value_count);
    put(&whole, file->values.bytes, file->values.size);
    put(&whole, file->tensors.bytes, file->tensors.size);
    put_zeros(&whole, ALIGNMENT);
    put(&whole, file->data.bytes, file->data.size);
    file->size = whole.size;
    file->bytes = aligned_alloc(64, (whole.size + 63) / 64 * 64);
    assert_non_null(file->bytes);
    memcpy(file->bytes, whole.bytes, whole.size);
    free(whole.bytes);
}

void reference_file_free(struct reference_file *file)
{
    free(file->bytes);
    free(file->values.bytes);
    free(file->tensors.bytes);
    free(file->data.bytes);
    *file = (struct reference_file){0};
}
