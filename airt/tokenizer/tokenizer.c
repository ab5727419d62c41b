/* SPDX-License-Identifier: MIT */
#include "private.h"

#include <errno.h>
#include <string.h>

#include "message.h"

/* What the families put around messages, and which of them ends an answer. The file's own eos and eot end one
 * whatever they are called. */
static const struct {
    const char *name;
    bool ends;
} marker_names[] = {
    {"<|im_end|>", true},         {"<|eot_id|>", true},       {"<|eom_id|>", true},
    {"<|end_of_text|>", true},    {"<|endoftext|>", true},    {"<|end|>", true},
    {"<end_of_turn>", true},      {"<|im_start|>", false},    {"<|start_header_id|>", false},
    {"<|end_header_id|>", false}, {"<start_of_turn>", false}, {"<|system|>", false},
    {"<|user|>", false},          {"<|assistant|>", false},   {"[INST]", false},
    {"[/INST]", false},
};

bool tokenizer_is_word(const struct vocabulary *vocabulary, uint32_t id)
{
    uint8_t kind = vocabulary->kinds[id];

    return kind == TOKEN_NORMAL || (kind == TOKEN_BYTE && vocabulary->kind == VOCABULARY_BPE);
}

struct airt_text tokenizer_text(const struct tokenizer *tokenizer, uint32_t id)
{
    uint32_t start = tokenizer->starts[id];

    return (struct airt_text){tokenizer->bytes + start, tokenizer->starts[id + 1] - start};
}

static bool equal_text(const void *context, uint32_t id, const void *wanted)
{
    struct airt_text text = tokenizer_text(context, id);
    const struct airt_text *other = wanted;

    return text.length == other->length && memcmp(text.bytes, other->bytes, text.length) == 0;
}

static bool same_text(const void *context, uint32_t a, uint32_t b)
{
    struct airt_text text = tokenizer_text(context, b);

    return equal_text(context, a, &text);
}

uint32_t tokenizer_lookup(const struct tokenizer *tokenizer, const struct lookup *lookup, uint32_t hash,
                          const char *text, size_t length)
{
    struct airt_text wanted = {text, length};

    return lookup_find(lookup, hash, equal_text, tokenizer, &wanted);
}

int tokenizer_size_most(const struct vocabulary *vocabulary, struct work *work, uint64_t *size)
{
    /* A lookup takes at most 12 bytes for each of its entries, and as much again (lookup.c). */
    const uint64_t entry = 12;
    uint64_t count = vocabulary->count;
    uint64_t merges = vocabulary->kind == VOCABULARY_BPE ? vocabulary->merge_count : 0;

    *size = sizeof(struct tokenizer) + (count + 2) * (sizeof(uint32_t) + entry) + entry +
            (merges + 1) * (sizeof(struct bpe_merge) + entry);
    for (uint32_t id = 0; id < vocabulary->count; id++) {
        *size += vocabulary->tokens[id].length;
        if (work_spend(work, sizeof(vocabulary->tokens[id])) != 0)
            return -ECANCELED;
    }
    return 0;
}

/* Puts every token where it is looked up; those without text are never found. */
static int index_tokens(struct tokenizer *tokenizer, struct work *work)
{
    const struct vocabulary *vocabulary = tokenizer->vocabulary;

    for (uint32_t id = 0; id < vocabulary->count; id++) {
        struct airt_text text = tokenizer_text(tokenizer, id);
        bool is_word = tokenizer_is_word(vocabulary, id);

        if (text.length > 0 && is_word) {
            lookup_add(&tokenizer->words, lookup_hash(text.bytes, text.length), id);
            if (text.length > tokenizer->longest_word)
                tokenizer->longest_word = (uint32_t)text.length;
        } else if (text.length > 0 && vocabulary->kinds[id] != TOKEN_BYTE) {
            uint16_t *longest = &tokenizer->longest_special[(unsigned char)text.bytes[0]];

            lookup_add(&tokenizer->specials, lookup_hash(text.bytes, text.length), id);
            if (vocabulary->kinds[id] != TOKEN_UNUSED && text.length > *longest)
                *longest = (uint16_t)text.length;
        }
        if (work_spend(work, text.length + 16) != 0)
            return -ECANCELED;
    }
    return 0;
}

static int prepare_lookups(struct tokenizer *tokenizer, struct work *work, const char *name,
                           struct airt_error *error)
{
    const struct vocabulary *vocabulary = tokenizer->vocabulary;
    uint32_t words = 0;
    uint32_t id = 0;
    int rc;

    for (uint32_t i = 0; i < vocabulary->count; i++)
        words += tokenizer_is_word(vocabulary, i) ? 1 : 0;
    rc = lookup_create(&tokenizer->words, work->hooks, words);
    if (rc == 0)
        rc = lookup_create(&tokenizer->specials, work->hooks, vocabulary->count - words);
    if (rc == 0)
        rc = index_tokens(tokenizer, work);
    if (rc == 0)
        rc = lookup_finish(&tokenizer->words, work, same_text, tokenizer, &id);
    if (rc == 0)
        rc = lookup_finish(&tokenizer->specials, work, same_text, tokenizer, &id);
    if (rc == -EINVAL) {
        message_start(error, name);
        message_text(error, "token ");
        message_number(error, id);
        message_text(error, ": too many with the same hash");
    }
    return rc;
}

static bool contains(const uint32_t *ids, uint32_t count, uint32_t id)
{
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static void add_marker(struct tokenizer *tokenizer, uint32_t id, bool ends)
{
    if (id >= tokenizer->vocabulary->count)
        return;
    if (!contains(tokenizer->markers, tokenizer->marker_count, id))
        tokenizer->markers[tokenizer->marker_count++] = id;
    if (ends && !contains(tokenizer->ends, tokenizer->end_count, id))
        tokenizer->ends[tokenizer->end_count++] = id;
}

static void find_markers(struct tokenizer *tokenizer)
{
    const struct vocabulary *vocabulary = tokenizer->vocabulary;

    _Static_assert(sizeof(marker_names) / sizeof(marker_names[0]) + 4 <= MARKERS_MAX, "room for all");
    add_marker(tokenizer, vocabulary->eos, true);
    add_marker(tokenizer, vocabulary->eot, true);
    add_marker(tokenizer, vocabulary->bos, false);
    add_marker(tokenizer, vocabulary->padding, false);
    for (size_t i = 0; i < sizeof(marker_names) / sizeof(marker_names[0]); i++) {
        const char *name = marker_names[i].name;
        uint32_t id = tokenizer_find(tokenizer, name, strlen(name));

        if (id != VOCABULARY_NONE && !tokenizer_is_word(vocabulary, id))
            add_marker(tokenizer, id, marker_names[i].ends);
    }
    /* A file may name one of these; still, no text makes it. */
    tokenizer->unknown = vocabulary->unknown;
    if (contains(tokenizer->markers, tokenizer->marker_count, vocabulary->unknown))
        tokenizer->unknown = VOCABULARY_NONE;
}

enum token_kind tokenizer_kind(const struct tokenizer *tokenizer, uint32_t id)
{
    enum token_kind kind = (enum token_kind)tokenizer->vocabulary->kinds[id];

    if (kind == TOKEN_USER_DEFINED && contains(tokenizer->markers, tokenizer->marker_count, id))
        return TOKEN_CONTROL;
    return kind;
}

int tokenizer_create(struct work *work, const char *name, const struct vocabulary *vocabulary,
                     struct tokenizer **tokenizer, struct airt_error *error)
{
    const struct airt_hooks *hooks = work->hooks;
    struct tokenizer *made = hooks->alloc(hooks->context, sizeof(*made));
    int rc;

    if (made == NULL)
        return message_fail(error, name, -ENOMEM, "no memory for the tokenizer");
    memset(made, 0, sizeof(*made));
    made->vocabulary = vocabulary;
    rc = tokenizer_decode_all(made, work, name, error);
    if (rc == 0)
        rc = prepare_lookups(made, work, name, error);
    if (rc == 0 && vocabulary->kind == VOCABULARY_BPE)
        rc = bpe_prepare(made, work, name, error);
    if (rc != 0) {
        tokenizer_destroy(hooks, made);
        if (rc == -EINVAL)
            return rc; /* it is said what is wrong */
        return message_fail(error, name, rc, rc == -ENOMEM ? "no memory for the tokenizer" : "cancelled");
    }
    find_markers(made);
    *tokenizer = made;
    return 0;
}

static uint64_t merges_size(const struct tokenizer *tokenizer)
{
    return tokenizer->merges == NULL
               ? 0
               : (uint64_t)tokenizer->vocabulary->merge_count * sizeof(*tokenizer->merges);
}

static uint64_t starts_size(const struct tokenizer *tokenizer)
{
    return ((uint64_t)tokenizer->vocabulary->count + 1) * sizeof(*tokenizer->starts);
}

void tokenizer_destroy(const struct airt_hooks *hooks, struct tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    lookup_free(&tokenizer->words, hooks);
    lookup_free(&tokenizer->specials, hooks);
    lookup_free(&tokenizer->pairs, hooks);
    if (tokenizer->bytes != NULL)
        hooks->free(hooks->context, tokenizer->bytes, tokenizer->byte_count);
    if (tokenizer->starts != NULL)
        hooks->free(hooks->context, tokenizer->starts, (size_t)starts_size(tokenizer));
    if (tokenizer->merges != NULL)
        hooks->free(hooks->context, tokenizer->merges, (size_t)merges_size(tokenizer));
    hooks->free(hooks->context, tokenizer, sizeof(*tokenizer));
}

uint64_t tokenizer_size(const struct tokenizer *tokenizer)
{
    return sizeof(*tokenizer) + tokenizer->byte_count + starts_size(tokenizer) + merges_size(tokenizer) +
           lookup_size(&tokenizer->words) + lookup_size(&tokenizer->specials) +
           lookup_size(&tokenizer->pairs);
}

uint32_t tokenizer_find(const struct tokenizer *tokenizer, const char *text, size_t length)
{
    uint32_t hash = lookup_hash(text, length);
    uint32_t id = tokenizer_lookup(tokenizer, &tokenizer->specials, hash, text, length);

    return id != VOCABULARY_NONE ? id : tokenizer_lookup(tokenizer, &tokenizer->words, hash, text, length);
}

struct airt_text tokenizer_piece(const struct tokenizer *tokenizer, uint32_t id)
{
    enum token_kind kind = id < tokenizer->vocabulary->count ? tokenizer_kind(tokenizer, id) : TOKEN_CONTROL;

    if (kind == TOKEN_CONTROL || kind == TOKEN_UNKNOWN)
        return (struct airt_text){"", 0};
    return tokenizer_text(tokenizer, id);
}

bool tokenizer_ends(const struct tokenizer *tokenizer, uint32_t id)
{
    return contains(tokenizer->ends, tokenizer->end_count, id);
}
