/* SPDX-License-Identifier: MIT
 *
 * Tokenizers and templates: the input is a vocabulary, then a text. Any vocabulary is used or refused in
 * words; what is made of a text comes back as the text, where the vocabulary has all bytes, and no special
 * token is made from what a user wrote.
 */
#include <errno.h>
#include <stdlib.h>

#include "fuzz.h"
#include "template/template.h"
#include "unit/airt/support.h"

#define TOKENS_MAX 512
#define MERGES_MAX 256
#define TEXTS_MAX  65536

struct made {
    struct vocabulary vocabulary;
    struct airt_text tokens[TOKENS_MAX], merges[MERGES_MAX];
    float scores[TOKENS_MAX];
    uint8_t kinds[TOKENS_MAX];
    char texts[TEXTS_MAX];
    size_t used;
    bool whole; /* every byte is a token */
};

static struct airt_text take_text(struct made *made, struct input *input, size_t most)
{
    size_t length = input_8(input) % (most + 1);
    struct airt_text text = {made->texts + made->used, length};

    if (made->used + length > TEXTS_MAX)
        return (struct airt_text){made->texts, 0};
    (void)input_bytes(input, made->texts + made->used, length);
    made->used += length;
    return text;
}

static struct airt_text byte_text(struct made *made, unsigned byte)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned character = byte <= 32 ? 0x100 + byte : byte >= 127 && byte <= 160 ? 0xa2 + byte : byte;
    char *out = made->texts + made->used;

    if (made->vocabulary.kind == VOCABULARY_SPM) {
        memcpy(out, "<0x00>", 6);
        out[3] = digits[byte >> 4];
        out[4] = digits[byte & 15];
        made->used += 6;
        return (struct airt_text){out, 6};
    }
    if (byte == 173)
        character = 0x143;
    if (character < 0x80) {
        out[0] = (char)character;
        made->used += 1;
        return (struct airt_text){out, 1};
    }
    out[0] = (char)(0xc0 | character >> 6);
    out[1] = (char)(0x80 | (character & 0x3f));
    made->used += 2;
    return (struct airt_text){out, 2};
}

static void add(struct made *made, struct airt_text text, enum token_kind kind, float score)
{
    uint32_t id = made->vocabulary.count++;

    made->tokens[id] = text;
    made->kinds[id] = (uint8_t)kind;
    made->scores[id] = score;
}

static uint32_t any_id(const struct made *made, struct input *input)
{
    uint32_t id = input_8(input);

    return id < made->vocabulary.count ? id : VOCABULARY_NONE;
}

static void make_vocabulary(struct made *made, struct input *input)
{
    static const char *const markers[] = {
        "<|im_start|>", "<|im_end|>", "<start_of_turn>",     "<end_of_turn>",
        "<|user|>",     "<|end|>",    "<|assistant|>",       "[INST]",
        "[/INST]",      "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"};
    uint8_t flags = input_8(input);
    unsigned count = input_8(input) % 64;

    made->vocabulary = (struct vocabulary){
        .kind = (flags & 1) != 0 ? VOCABULARY_SPM : VOCABULARY_BPE,
        .pretokenizer = (enum pretokenizer)(flags / 2 % 5),
        .tokens = made->tokens,
        .scores = (flags & 16) != 0 ? NULL : made->scores,
        .kinds = made->kinds,
        .merges = made->merges,
        .add_bos = (flags & 32) != 0,
        .add_space_prefix = (flags & 64) != 0,
    };
    made->whole = (flags & 128) == 0;
    for (unsigned byte = 0; made->whole && byte < 256; byte++)
        add(made, byte_text(made, byte), made->vocabulary.kind == VOCABULARY_SPM ? TOKEN_BYTE : TOKEN_NORMAL,
            0);
    for (unsigned i = 0; i < sizeof(markers) / sizeof(markers[0]); i++)
        add(made, (struct airt_text){markers[i], strlen(markers[i])},
            (flags & 8) != 0 ? TOKEN_USER_DEFINED : TOKEN_CONTROL, 0);
    for (unsigned i = 0; i < count; i++) {
        uint8_t kind = input_8(input);

        add(made, take_text(made, input, 255), (enum token_kind)(1 + kind % 6),
            (float)(int8_t)input_8(input));
    }
    count = made->vocabulary.kind == VOCABULARY_BPE ? input_8(input) % 64 : 0;
    for (unsigned i = 0; i < count; i++)
        made->merges[made->vocabulary.merge_count++] = take_text(made, input, 64);
    made->vocabulary.bos = any_id(made, input);
    made->vocabulary.eos = any_id(made, input);
    made->vocabulary.eot = any_id(made, input);
    made->vocabulary.unknown = any_id(made, input);
    made->vocabulary.padding = any_id(made, input);
    made->vocabulary.chat_template = take_text(made, input, 255);
}

/* Of special ones only those that are user-defined, and the unknown one, if nothing else is that. */
static void check_plain(const struct made *made, const struct tokenizer *tokenizer,
                        const struct token_list *list)
{
    const struct vocabulary *vocabulary = &made->vocabulary;

    for (size_t i = 0; i < list->count; i++) {
        uint32_t id = list->ids[i];

        assert_true(id < vocabulary->count);
        assert_true(!tokenizer_ends(tokenizer, id) || made->kinds[id] == TOKEN_NORMAL ||
                    made->kinds[id] == TOKEN_BYTE);
        assert_true(id == vocabulary->unknown ||
                    (made->kinds[id] != TOKEN_CONTROL && made->kinds[id] != TOKEN_UNUSED &&
                     made->kinds[id] != TOKEN_UNKNOWN));
    }
}

static void check_back(const struct made *made, const struct tokenizer *tokenizer,
                       const struct token_list *list, const char *text, size_t length)
{
    bool spm = made->vocabulary.kind == VOCABULARY_SPM;
    bool spaced = spm && made->vocabulary.add_space_prefix;
    bool first = true; /* a space of ours may follow */
    size_t at = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct airt_text piece = tokenizer_piece(tokenizer, list->ids[i]);
        bool defined = made->kinds[list->ids[i]] == TOKEN_USER_DEFINED;

        if (first && spaced && !defined) {
            assert_true(piece.length > 0 && piece.bytes[0] == ' ');
            piece.bytes++;
            piece.length--;
        }
        first = defined;
        for (size_t j = 0; j < piece.length; j++) {
            /* U+2581 comes back as a space. */
            bool folded =
                spm && piece.bytes[j] == ' ' && length - at >= 3 && memcmp(text + at, "\xe2\x96\x81", 3) == 0;

            assert_true(folded || (at < length && text[at] == piece.bytes[j]));
            at += folded ? 3 : 1;
        }
    }
    assert_true(at == length);
}

static void use(const struct made *made, const struct tokenizer *tokenizer, const uint8_t *text,
                size_t length)
{
    uint32_t *ids = malloc((2 * length + 4) * sizeof(*ids));
    struct work work = {.hooks = &hooks};
    struct token_list list = {ids, 2 * length + 4, 0};
    struct airt_message messages[] = {{AIRT_ROLE_SYSTEM, {(const char *)text, length / 2}},
                                      {AIRT_ROLE_USER, {(const char *)text, length}}};
    enum template_family family = template_recognise(&made->vocabulary, tokenizer);

    assert_non_null(ids);
    assert_int_equal(tokenizer_encode(tokenizer, &work, (const char *)text, length, true, false, &list), 0);
    assert_true(list.count <= list.capacity);
    check_plain(made, tokenizer, &list);
    if (made->whole)
        check_back(made, tokenizer, &list, (const char *)text, length);
    list.count = 0;
    assert_int_equal(tokenizer_encode(tokenizer, &work, (const char *)text, length, false, true, &list), 0);
    for (unsigned i = 0; i < 8; i++) {
        int rc = template_encode(i == 0 ? family : (enum template_family)i, tokenizer, &work, messages, 2,
                                 &list, &error);

        assert_true(rc == 0 || (rc == -EINVAL && error.text[0] != '\0'));
    }
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct made made;
    struct input input = {data, size, 0};
    struct work work = {.hooks = &hooks};
    struct tokenizer *tokenizer = NULL;
    int rc;

    counters_reset();
    memset(&made, 0, sizeof(made));
    make_vocabulary(&made, &input);
    rc = tokenizer_create(&work, "fuzz", &made.vocabulary, &tokenizer, &error);
    if (rc == 0) {
        assert_int_equal(tokenizer_size(tokenizer), counters.in_use);
        use(&made, tokenizer, data + input.at, input_left(&input));
        tokenizer_destroy(&hooks, tokenizer);
    } else {
        assert_true(rc == -EINVAL && strncmp(error.text, "fuzz: ", 6) == 0 && strlen(error.text) > 8);
    }
    assert_int_equal(counters.in_use, 0);

    counters.fail_allocation = 1 + input_hash(data, size) % 12;
    rc = tokenizer_create(&work, "fuzz", &made.vocabulary, &tokenizer, &error);
    assert_true(rc == 0 || rc == -EINVAL || rc == -ENOMEM);
    counters.fail_allocation = 0;
    if (rc == 0)
        tokenizer_destroy(&hooks, tokenizer);
    return 0;
}
