/* SPDX-License-Identifier: MIT
 *
 * The keys of a random model, and a vocabulary for one that has none of its own.
 */
#include <stdio.h>
#include <string.h>

#include "random_model.h"

#define SPECIAL_TOKENS 3 /* <unk>, <s>, </s> */
#define BYTES_TOKENS   (SPECIAL_TOKENS + 256)
#define LETTERS        "etaoinshrdlcumwfgypbvkjxqz"
#define OWN_TOKENS     (BYTES_TOKENS + 1 + 2 * 26)

static void key_name(char *name, size_t size, const struct shape *shape, const char *suffix)
{
    snprintf(name, size, "%s.%s", architecture_name(shape->architecture), suffix);
}

static void write_number(struct writer *writer, const struct shape *shape, const char *suffix,
                         uint64_t number)
{
    char name[80];

    key_name(name, sizeof(name), shape, suffix);
    writer_key_u32(writer, name, (uint32_t)number);
}

static void write_float(struct writer *writer, const struct shape *shape, const char *suffix, float number)
{
    char name[80];

    key_name(name, sizeof(name), shape, suffix);
    writer_key_f32(writer, name, number);
}

void write_shape_keys(struct writer *writer, const struct shape *shape)
{
    writer_key_text(writer, "general.architecture", architecture_name(shape->architecture));
    writer_key_text(writer, "general.name", "random");
    writer_key_u32(writer, "general.quantization_version", 2);
    write_number(writer, shape, "context_length", shape->context);
    write_number(writer, shape, "embedding_length", shape->embedding);
    write_number(writer, shape, "block_count", shape->layers);
    write_number(writer, shape, "feed_forward_length", shape->feed);
    write_number(writer, shape, "attention.head_count", shape->heads);
    write_number(writer, shape, "attention.head_count_kv", shape->kv_heads);
    write_number(writer, shape, "attention.key_length", shape->head_length);
    write_number(writer, shape, "attention.value_length", shape->head_length);
    write_number(writer, shape, "rope.dimension_count", shape->head_length);
    write_float(writer, shape, "attention.layer_norm_rms_epsilon", 1e-5f);
    write_float(writer, shape, "rope.freq_base", shape->architecture == ARCH_LLAMA ? 10000 : 1000000);
    if (shape->window > 0)
        write_number(writer, shape, "attention.sliding_window", shape->window);
    if (shape->architecture == ARCH_PHI3) {
        write_number(writer, shape, "rope.scaling.original_context_length",
                     shape->factors != 0 && shape->context >= 8 ? shape->context / 4 : shape->context);
        if (shape->factors != 0)
            write_float(writer, shape, "rope.scaling.attn_factor", 1.19f);
    }
}

/* ---- the vocabulary ---- */

/* Everything from the length of its name to the end of its value. */
static uint32_t key_end(const struct gguf_file *file, const struct gguf_key *key)
{
    uint32_t at = key->value;

    if (key->type == GGUF_STRING)
        return at + key->count;
    if (key->type != GGUF_ARRAY)
        return at + (uint32_t)gguf_type_size(key->type);
    if (key->element != GGUF_STRING)
        return at + key->count * (uint32_t)gguf_type_size(key->element);
    for (uint32_t i = 0; i < key->count; i++)
        (void)gguf_string_at(file, at, &at);
    return at;
}

void write_key_of(struct writer *writer, const struct gguf_file *file, const struct gguf_key *key)
{
    uint32_t start = key->name.at - 8;

    writer->keys++;
    writer_bytes(writer, file->bytes + start, key_end(file, key) - start);
}

static void write_unused(struct writer *writer, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        char text[32];

        snprintf(text, sizeof(text), "<unused_%llu>", (unsigned long long)i);
        writer_text(writer, text, strlen(text));
    }
}

static void write_floats(struct writer *writer, uint64_t count, float value)
{
    for (uint64_t i = 0; i < count; i++)
        writer_bytes(writer, &value, sizeof(value));
}

static void write_numbers(struct writer *writer, uint64_t count, uint32_t value)
{
    for (uint64_t i = 0; i < count; i++)
        writer_u32(writer, value);
}

/* An array of a file, with `more` elements to come. */
static void write_array_of(struct writer *writer, const struct gguf_file *file, const struct gguf_key *key,
                           uint64_t more)
{
    uint32_t start = key->name.at - 8;
    uint32_t count_at = key->value - 8;

    writer->keys++;
    writer_bytes(writer, file->bytes + start, count_at - start);
    writer_u64(writer, key->count + more);
    writer_bytes(writer, file->bytes + key->value, key_end(file, key) - key->value);
}

static void copy_vocabulary(struct writer *writer, const struct gguf *from, uint64_t more)
{
    static const char prefix[] = "tokenizer.";
    const struct gguf_file *file = &from->file;

    for (uint32_t i = 0; i < file->key_count; i++) {
        const struct gguf_key *key = &file->keys[i];
        const char *name = file->bytes + key->name.at;
        size_t length = key->name.length;

        if (length < strlen(prefix) || memcmp(name, prefix, strlen(prefix)) != 0)
            continue;
        if (more == 0 || key->type != GGUF_ARRAY || key->count != from->vocabulary.count) {
            write_key_of(writer, file, key);
            continue;
        }
        write_array_of(writer, file, key, more);
        if (key->element == GGUF_STRING)
            write_unused(writer, more);
        else if (key->element == GGUF_F32)
            write_floats(writer, more, -1e6f);
        else
            write_numbers(writer, more, TOKEN_UNUSED);
    }
}

/* Bytes, letters, and letters that begin a word. */
static void own_vocabulary(struct writer *writer, uint64_t more)
{
    char text[8];

    writer_key_text(writer, "tokenizer.ggml.model", "llama");
    writer_key_array(writer, "tokenizer.ggml.tokens", GGUF_STRING, OWN_TOKENS + more);
    writer_text(writer, "<unk>", 5);
    writer_text(writer, "<s>", 3);
    writer_text(writer, "</s>", 4);
    for (unsigned int byte = 0; byte < 256; byte++) {
        snprintf(text, sizeof(text), "<0x%02X>", byte);
        writer_text(writer, text, 6);
    }
    writer_text(writer, "\xe2\x96\x81", 3);
    for (int i = 0; i < 26; i++)
        writer_text(writer, &LETTERS[i], 1);
    for (int i = 0; i < 26; i++) {
        snprintf(text, sizeof(text), "\xe2\x96\x81%c", LETTERS[i]);
        writer_text(writer, text, 4);
    }
    write_unused(writer, more);
    writer_key_array(writer, "tokenizer.ggml.scores", GGUF_F32, OWN_TOKENS + more);
    write_floats(writer, BYTES_TOKENS, 0);
    for (int i = 0; i < 1 + 2 * 26; i++)
        write_floats(writer, 1, -(float)(i + 1));
    write_floats(writer, more, -1e6f);
    writer_key_array(writer, "tokenizer.ggml.token_type", GGUF_I32, OWN_TOKENS + more);
    write_numbers(writer, 1, TOKEN_UNKNOWN);
    write_numbers(writer, 2, TOKEN_CONTROL);
    write_numbers(writer, 256, TOKEN_BYTE);
    write_numbers(writer, 1 + 2 * 26, TOKEN_NORMAL);
    write_numbers(writer, more, TOKEN_UNUSED);
    writer_key_u32(writer, "tokenizer.ggml.bos_token_id", 1);
    writer_key_u32(writer, "tokenizer.ggml.eos_token_id", 2);
    writer_key_u32(writer, "tokenizer.ggml.unknown_token_id", 0);
    writer_key_bool(writer, "tokenizer.ggml.add_bos_token", true);
}

void write_vocabulary_keys(struct writer *writer, struct shape *shape, const struct gguf *from)
{
    uint64_t count = from != NULL ? from->vocabulary.count : OWN_TOKENS;
    uint64_t more = shape->vocabulary > count ? shape->vocabulary - count : 0;

    if (from != NULL)
        copy_vocabulary(writer, from, more);
    else
        own_vocabulary(writer, more);
    shape->vocabulary = count + more;
}
