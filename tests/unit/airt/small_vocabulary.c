/* SPDX-License-Identifier: MIT */
#include "small_vocabulary.h"

#include <stdio.h>

uint32_t small_token(struct small *small, const char *text, enum token_kind kind, float score)
{
    uint32_t id = small->vocabulary.count++;

    assert_true(id < SMALL_MAX);
    small->tokens[id] = (struct airt_text){text, strlen(text)};
    small->kinds[id] = (uint8_t)kind;
    small->scores[id] = score;
    return id;
}

uint32_t small_merge(struct small *small, const char *text)
{
    uint32_t rank = small->vocabulary.merge_count++;

    assert_true(rank < SMALL_MAX);
    small->merges[rank] = (struct airt_text){text, strlen(text)};
    return rank;
}

/* How byte-level BPE writes a byte: printable ones of Latin-1 as themselves, the others from U+0100 on. */
static void write_byte(char *out, unsigned byte)
{
    unsigned character = byte;

    if (byte <= 32)
        character = 0x100 + byte;
    else if (byte >= 127 && byte <= 160)
        character = 0x100 + 33 + byte - 127;
    else if (byte == 173)
        character = 0x100 + 33 + 34;
    if (character < 0x80)
        (void)snprintf(out, 8, "%c", (char)character);
    else
        (void)snprintf(out, 8, "%c%c", (char)(0xc0 | character >> 6), (char)(0x80 | (character & 0x3f)));
}

void small_start(struct small *small, enum vocabulary_kind kind)
{
    memset(small, 0, sizeof(*small));
    small->vocabulary = (struct vocabulary){.kind = kind,
                                            .tokens = small->tokens,
                                            .scores = small->scores,
                                            .kinds = small->kinds,
                                            .merges = small->merges,
                                            .bos = VOCABULARY_NONE,
                                            .eos = VOCABULARY_NONE,
                                            .eot = VOCABULARY_NONE,
                                            .unknown = VOCABULARY_NONE,
                                            .padding = VOCABULARY_NONE};
    if (kind == VOCABULARY_SPM) {
        small->vocabulary.unknown = small_token(small, "<unk>", TOKEN_UNKNOWN, 0);
        small->vocabulary.bos = small_token(small, "<s>", TOKEN_CONTROL, 0);
        small->vocabulary.eos = small_token(small, "</s>", TOKEN_CONTROL, 0);
        small->vocabulary.add_bos = true;
        small->vocabulary.add_space_prefix = true;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        if (kind == VOCABULARY_SPM)
            (void)snprintf(small->texts[byte], 8, "<0x%02X>", byte);
        else
            write_byte(small->texts[byte], byte);
        small_token(small, small->texts[byte], kind == VOCABULARY_SPM ? TOKEN_BYTE : TOKEN_NORMAL, 0);
    }
}

struct tokenizer *small_tokenizer(struct small *small)
{
    struct work work = {.hooks = &hooks};
    struct tokenizer *tokenizer = NULL;

    if (tokenizer_create(&work, "test", &small->vocabulary, &tokenizer, &error) != 0)
        fail_msg("%s", error.text);
    return tokenizer;
}

const char *shown(const struct tokenizer *tokenizer, const struct small *small, const struct token_list *list)
{
    static char text[4096];
    size_t length = 0;

    for (size_t i = 0; i < list->count; i++) {
        uint32_t id = list->ids[i];
        struct airt_text piece = tokenizer_piece(tokenizer, id);
        bool special = piece.length == 0;

        if (special)
            piece = small->tokens[id];
        assert_true(piece.length < sizeof(text) - length - 3);
        text[length] = '{';
        length += special ? 1 : 0;
        memcpy(text + length, piece.bytes, piece.length);
        length += piece.length;
        text[length] = '}';
        length += special ? 1 : 0;
    }
    text[length] = '\0';
    return text;
}

const char *encoded(const struct tokenizer *tokenizer, const struct small *small, const char *text,
                    bool special)
{
    uint32_t ids[4096];
    struct token_list list = {ids, 4096, 0};
    struct work work = {.hooks = &hooks};

    assert_int_equal(tokenizer_encode(tokenizer, &work, text, strlen(text), true, special, &list), 0);
    return shown(tokenizer, small, &list);
}
