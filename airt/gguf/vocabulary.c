/* SPDX-License-Identifier: MIT
 *
 * The vocabulary, from the keys tokenizer.*.
 */
#include <errno.h>
#include <string.h>

#include "gguf/reader.h"
#include "message.h"

#define TOKENS_MAX       (UINT32_C(1) << 22)
#define MERGES_MAX       TOKENS_MAX
#define TOKEN_LENGTH_MAX (UINT32_C(64) << 10)
#define PRETOKENIZERS    "gpt-2, llama-bpe, qwen2, smollm, gpt-4o"

/* Names that files have for the same way of cutting a text into words. */
static const struct {
    const char *name;
    enum pretokenizer pretokenizer;
} pretokenizers[] = {
    {"gpt-2", PRETOKENIZER_GPT2},       {"llama-bpe", PRETOKENIZER_LLAMA_BPE},
    {"llama3", PRETOKENIZER_LLAMA_BPE}, {"llama-v3", PRETOKENIZER_LLAMA_BPE},
    {"qwen2", PRETOKENIZER_QWEN2},      {"deepseek-r1-qwen", PRETOKENIZER_QWEN2},
    {"smollm", PRETOKENIZER_SMOLLM},    {"gpt-4o", PRETOKENIZER_GPT4O},
};

static int read_kind(struct gguf_reader *reader)
{
    static const char model_name[] = "tokenizer.ggml.model";
    static const char pre_name[] = "tokenizer.ggml.pre";
    const struct gguf_file *file = &reader->gguf->file;
    struct vocabulary *vocabulary = &reader->gguf->vocabulary;
    struct airt_text text = {"", 0};
    int rc = gguf_get_text(reader, model_name, true, &text);

    if (rc != 0)
        return rc;
    if (gguf_text_is(text, "llama")) {
        vocabulary->kind = VOCABULARY_SPM;
        vocabulary->add_bos = vocabulary->add_space_prefix = true;
        return 0;
    }
    if (!gguf_text_is(text, "gpt2"))
        return gguf_fail_unknown(reader, gguf_key_place(gguf_key_find(file, model_name, strlen(model_name))),
                                 text, "llama, gpt2");
    vocabulary->kind = VOCABULARY_BPE;
    text = (struct airt_text){"gpt-2", 5}; /* older files do not say it */
    rc = gguf_get_text(reader, pre_name, false, &text);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < sizeof(pretokenizers) / sizeof(pretokenizers[0]); i++) {
        if (!gguf_text_is(text, pretokenizers[i].name))
            continue;
        vocabulary->pretokenizer = pretokenizers[i].pretokenizer;
        vocabulary->add_bos = vocabulary->pretokenizer == PRETOKENIZER_LLAMA_BPE;
        return 0;
    }
    return gguf_fail_unknown(reader, gguf_key_place(gguf_key_find(file, pre_name, strlen(pre_name))), text,
                             PRETOKENIZERS);
}

static int fail_length(struct gguf_reader *reader, const struct gguf_key *key, uint32_t number,
                       uint64_t length)
{
    (void)gguf_fail_numbers(reader, gguf_key_place(key), "element ", number, " has ", length,
                            " bytes, at most ");
    message_number(reader->error, TOKEN_LENGTH_MAX);
    return -EINVAL;
}

/* An array of strings, as texts. */
static int read_texts(struct gguf_reader *reader, const struct gguf_key *key, const struct airt_text **out)
{
    const struct gguf_file *file = &reader->gguf->file;
    struct airt_text *texts = gguf_allocate(reader, "the vocabulary", key->count, sizeof(*texts));
    uint32_t at = key->value;

    if (texts == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < key->count; i++) {
        int rc;

        texts[i] = gguf_string_at(file, at, &at);
        if (texts[i].length > TOKEN_LENGTH_MAX)
            return fail_length(reader, key, i, texts[i].length);
        rc = work_spend(reader->work, 64);
        if (rc != 0)
            return rc;
    }
    *out = texts;
    return 0;
}

static int check_count(struct gguf_reader *reader, const struct gguf_key *key)
{
    uint32_t count = reader->gguf->vocabulary.count;

    if (key->count == count)
        return 0;
    return gguf_fail_numbers(reader, gguf_key_place(key), "", key->count, " elements, expected ", count,
                             ", one for each token");
}

static int read_scores(struct gguf_reader *reader)
{
    const struct gguf_file *file = &reader->gguf->file;
    struct vocabulary *vocabulary = &reader->gguf->vocabulary;
    const struct gguf_key *key;
    float *scores;
    int rc = gguf_get_array(reader, "tokenizer.ggml.scores", vocabulary->kind == VOCABULARY_SPM, GGUF_F32,
                            GGUF_F32, &key);

    if (rc != 0 || key == NULL)
        return rc;
    rc = check_count(reader, key);
    if (rc != 0)
        return rc;
    scores = gguf_allocate(reader, "the vocabulary", key->count, sizeof(*scores));
    if (scores == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < key->count && rc == 0; i++) {
        scores[i] = gguf_f32_at(file, key->value + (uint64_t)i * sizeof(*scores));
        if (!(scores[i] >= -1e30f && scores[i] <= 1e30f))
            return gguf_fail_numbers(reader, gguf_key_place(key), "element ", i, " at byte ",
                                     key->value + (uint64_t)i * sizeof(*scores), " is no finite number");
        rc = gguf_step(reader, i, sizeof(*scores));
    }
    vocabulary->scores = scores;
    return rc;
}

static int read_kinds(struct gguf_reader *reader)
{
    const struct gguf_file *file = &reader->gguf->file;
    struct vocabulary *vocabulary = &reader->gguf->vocabulary;
    const struct gguf_key *key;
    uint8_t *kinds;
    int rc = gguf_get_array(reader, "tokenizer.ggml.token_type", false, GGUF_I32, GGUF_U32, &key);

    if (rc == 0 && key != NULL)
        rc = check_count(reader, key);
    if (rc != 0)
        return rc;
    kinds = gguf_allocate(reader, "the vocabulary", vocabulary->count, 1);
    if (kinds == NULL)
        return -ENOMEM;
    memset(kinds, TOKEN_NORMAL, vocabulary->count);
    vocabulary->kinds = kinds;
    for (uint32_t i = 0; key != NULL && i < key->count && rc == 0; i++) {
        uint32_t kind = gguf_u32_at(file, key->value + (uint64_t)i * 4);

        if (kind > TOKEN_BYTE)
            return gguf_fail_numbers(reader, gguf_key_place(key), "element ", i, " is ", kind,
                                     ", expected 0 to 6");
        if (kind != 0)
            kinds[i] = (uint8_t)kind;
        rc = gguf_step(reader, i, sizeof(kind));
    }
    return rc;
}

static int hexadecimal(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* The byte that "<0x0A>" names, or -1. */
static int named_byte(struct airt_text text)
{
    int high;
    int low;

    if (text.length != 6 || memcmp(text.bytes, "<0x", 3) != 0 || text.bytes[5] != '>')
        return -1;
    high = hexadecimal(text.bytes[3]);
    low = hexadecimal(text.bytes[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Tokens that stand for bytes: each names one, and another one. */
static int check_bytes(struct gguf_reader *reader, const struct gguf_key *key)
{
    const struct vocabulary *vocabulary = &reader->gguf->vocabulary;
    uint32_t seen[256];

    memset(seen, 0xff, sizeof(seen));
    for (uint32_t i = 0; vocabulary->kind == VOCABULARY_SPM && i < vocabulary->count; i++) {
        int byte;

        if (vocabulary->kinds[i] != TOKEN_BYTE)
            continue;
        byte = named_byte(vocabulary->tokens[i]);
        if (byte < 0)
            return gguf_fail_number(reader, gguf_key_place(key), "token ", i,
                                    " stands for a byte, but has not the form <0xNN>");
        if (seen[byte] != VOCABULARY_NONE) {
            (void)gguf_fail_numbers(reader, gguf_key_place(key), "token ", i, " stands for the byte ",
                                    (uint64_t)byte, " as token ");
            message_number(reader->error, seen[byte]);
            message_text(reader->error, " does");
            return -EINVAL;
        }
        seen[byte] = i;
    }
    return work_spend(reader->work, vocabulary->count);
}

/* -1 says that there is none. */
static int read_id(struct gguf_reader *reader, const char *name, uint32_t fallback, uint32_t *id)
{
    uint32_t count = reader->gguf->vocabulary.count;
    const struct gguf_key *key = gguf_key_find(&reader->gguf->file, name, strlen(name));

    *id = fallback < count ? fallback : VOCABULARY_NONE;
    if (key != NULL && (key->type == GGUF_U32 || key->type == GGUF_I32) &&
        gguf_u32_at(&reader->gguf->file, key->value) == VOCABULARY_NONE) {
        *id = VOCABULARY_NONE;
        return 0;
    }
    return gguf_get_count(reader, name, false, 0, count - 1, id);
}

static int read_ids(struct gguf_reader *reader)
{
    struct vocabulary *vocabulary = &reader->gguf->vocabulary;
    bool spm = vocabulary->kind == VOCABULARY_SPM; /* SentencePiece's own numbers */
    int rc = read_id(reader, "tokenizer.ggml.bos_token_id", spm ? 1 : VOCABULARY_NONE, &vocabulary->bos);

    if (rc == 0)
        rc = read_id(reader, "tokenizer.ggml.eos_token_id", spm ? 2 : VOCABULARY_NONE, &vocabulary->eos);
    if (rc == 0)
        rc = read_id(reader, "tokenizer.ggml.unknown_token_id", spm ? 0 : VOCABULARY_NONE,
                     &vocabulary->unknown);
    if (rc == 0)
        rc = read_id(reader, "tokenizer.ggml.eot_token_id", VOCABULARY_NONE, &vocabulary->eot);
    if (rc == 0)
        rc = read_id(reader, "tokenizer.ggml.padding_token_id", VOCABULARY_NONE, &vocabulary->padding);
    return rc;
}

static int read_settings(struct gguf_reader *reader)
{
    struct vocabulary *vocabulary = &reader->gguf->vocabulary;
    int rc = gguf_get_bool(reader, "tokenizer.ggml.add_bos_token", &vocabulary->add_bos);

    vocabulary->chat_template = (struct airt_text){"", 0};
    if (rc == 0)
        rc = gguf_get_bool(reader, "tokenizer.ggml.add_eos_token", &vocabulary->add_eos);
    if (rc == 0)
        rc = gguf_get_bool(reader, "tokenizer.ggml.add_space_prefix", &vocabulary->add_space_prefix);
    if (rc == 0)
        rc = gguf_get_text(reader, "tokenizer.chat_template", false, &vocabulary->chat_template);
    /* What is to be added has to be there. */
    if (vocabulary->bos == VOCABULARY_NONE)
        vocabulary->add_bos = false;
    if (vocabulary->eos == VOCABULARY_NONE)
        vocabulary->add_eos = false;
    return rc;
}

int gguf_read_vocabulary(struct gguf_reader *reader)
{
    struct vocabulary *vocabulary = &reader->gguf->vocabulary;
    const struct gguf_key *tokens;
    const struct gguf_key *merges = NULL;
    int rc = read_kind(reader);

    if (rc == 0)
        rc = gguf_get_array(reader, "tokenizer.ggml.tokens", true, GGUF_STRING, GGUF_STRING, &tokens);
    if (rc != 0)
        return rc;
    if (tokens->count == 0 || tokens->count > TOKENS_MAX)
        return gguf_fail_numbers(reader, gguf_key_place(tokens), "", tokens->count, " tokens, expected 1 to ",
                                 TOKENS_MAX, "");
    vocabulary->count = tokens->count;
    rc = read_texts(reader, tokens, &vocabulary->tokens);
    if (rc == 0)
        rc = read_scores(reader);
    if (rc == 0)
        rc = read_kinds(reader);
    if (rc == 0)
        rc = check_bytes(reader, tokens);
    if (rc == 0)
        rc = gguf_get_array(reader, "tokenizer.ggml.merges", vocabulary->kind == VOCABULARY_BPE, GGUF_STRING,
                            GGUF_STRING, &merges);
    if (rc == 0 && merges != NULL && vocabulary->kind == VOCABULARY_BPE) {
        if (merges->count > MERGES_MAX)
            return gguf_fail_numbers(reader, gguf_key_place(merges), "", merges->count,
                                     " merges, expected at most ", MERGES_MAX, "");
        vocabulary->merge_count = merges->count;
        rc = read_texts(reader, merges, &vocabulary->merges);
    }
    if (rc == 0)
        rc = read_ids(reader);
    return rc == 0 ? read_settings(reader) : rc;
}
