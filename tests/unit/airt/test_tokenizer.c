/* SPDX-License-Identifier: MIT
 *
 * Tokenizers: small vocabularies whose merges can be followed by hand, hostile texts and vocabularies, and
 * what any text must come back as.
 */
#include "small_vocabulary.h"

#include <errno.h>
#include <stdio.h>

#include "tokenizer/private.h"

static struct small small;
static struct work work = {.hooks = &hooks};

static const char *ids_of(const struct tokenizer *tokenizer, const char *text, bool first, bool special)
{
    static char shown_ids[1024];
    uint32_t ids[64];
    struct token_list list = {ids, 64, 0};
    int length = 0;

    assert_int_equal(tokenizer_encode(tokenizer, &work, text, strlen(text), first, special, &list), 0);
    shown_ids[0] = '\0';
    for (size_t i = 0; i < list.count; i++)
        length += snprintf(shown_ids + length, sizeof(shown_ids) - (size_t)length, "%s%u", i > 0 ? " " : "",
                           ids[i]);
    return shown_ids;
}

/* <unk> 0, <s> 1, </s> 2, bytes 3 to 258, then these from 259 on. */
static void start_spm(void)
{
    small_start(&small, VOCABULARY_SPM);
    small_token(&small, "\xe2\x96\x81", TOKEN_NORMAL, -1); /* 259 */
    small_token(&small, "a", TOKEN_NORMAL, -2);            /* 260 */
    small_token(&small, "b", TOKEN_NORMAL, -3);            /* 261 */
    small_token(&small, "ab", TOKEN_NORMAL, -10);          /* 262 */
    small_token(&small, "ba", TOKEN_NORMAL, -9);           /* 263 */
    small_token(&small,
                "\xe2\x96\x81"
                "a",
                TOKEN_NORMAL, -8);                          /* 264 */
    small_token(&small, "aa", TOKEN_NORMAL, -20);           /* 265 */
    small_token(&small, "<x>", TOKEN_USER_DEFINED, 0);      /* 266 */
    small_token(&small, "<xyz>", TOKEN_CONTROL, 0);         /* 267 */
    small_token(&small, "\xe2\x98\x83z", TOKEN_NORMAL, -5); /* 268: of characters that are no tokens */
    small_token(&small, "<gone>", TOKEN_UNUSED, 0);         /* 269 */
    small_token(&small, "ab", TOKEN_NORMAL, 5);             /* 270: again, never used */
}

static void test_spm(void **state)
{
    struct tokenizer *tokenizer;

    (void)state;
    start_spm();
    tokenizer = small_tokenizer(&small);
    assert_string_equal(ids_of(tokenizer, "", true, false), "");
    assert_string_equal(ids_of(tokenizer, "a", true, false), "264");
    assert_string_equal(ids_of(tokenizer, "a", false, false), "260");
    assert_string_equal(ids_of(tokenizer, " a", true, false), "259 264");
    /* The higher score first: ba before ab. */
    assert_string_equal(ids_of(tokenizer, "aba", false, false), "260 263");
    /* The first of equals. */
    assert_string_equal(ids_of(tokenizer, "aaa", false, false), "265 260");
    assert_string_equal(ids_of(tokenizer, "ab", false, false), "262");
    /* Bytes of what is no token, a broken byte and a NUL among them. */
    assert_string_equal(ids_of(tokenizer, "\xc3\xa9", false, false), "198 172");
    assert_string_equal(ids_of(tokenizer, "a\xff", false, false), "260 258");
    assert_string_equal(ids_of(tokenizer, "\xe2\x98\x83z\xe2\x98\x83", false, false), "268 229 155 134");
    /* U+2581 that somebody wrote is a space, half of one is bytes. */
    assert_string_equal(ids_of(tokenizer, "\xe2\x96\x81", false, false), "259");
    assert_string_equal(ids_of(tokenizer,
                               "\xe2\x96\x81"
                               "a\xe2\x96",
                               true, false),
                        "259 264 229 153");
    /* Special tokens: user-defined ones always, control ones when asked for, the longest; a space behind
     * each. */
    assert_string_equal(ids_of(tokenizer, "a<x>a", true, false), "264 266 264");
    assert_string_equal(ids_of(tokenizer, "<s>", false, true), "1");
    assert_string_equal(ids_of(tokenizer, "<s>", false, false), "63 118 65");
    assert_string_equal(ids_of(tokenizer, "<unk>a", false, true), "0 264");
    assert_string_equal(ids_of(tokenizer, "<xyz>", false, true), "267");
    assert_string_equal(ids_of(tokenizer, "<xyz", false, true), "63 123 124 125");
    assert_string_equal(ids_of(tokenizer, "<gone>", false, true), "63 106 114 113 104 65");

    assert_int_equal(tokenizer_find(tokenizer, "</s>", 4), 2);
    assert_int_equal(tokenizer_find(tokenizer, "ab", 2), 262);
    assert_int_equal(tokenizer_find(tokenizer, "no", 2), VOCABULARY_NONE);
    assert_int_equal(tokenizer_find(tokenizer, "", 0), VOCABULARY_NONE);
    assert_int_equal(tokenizer_piece(tokenizer, 1).length, 0);
    assert_int_equal(tokenizer_piece(tokenizer, 100000).length, 0);
    assert_memory_equal(tokenizer_piece(tokenizer, 264).bytes, " a", 2);
    assert_memory_equal(tokenizer_piece(tokenizer, 266).bytes, "<x>", 3);
    assert_memory_equal(tokenizer_piece(tokenizer, 258).bytes, "\xff", 1);
    assert_true(tokenizer_ends(tokenizer, 2) && !tokenizer_ends(tokenizer, 1) &&
                !tokenizer_ends(tokenizer, 266));
    tokenizer_destroy(&hooks, tokenizer);
    assert_int_equal(counters.in_use, 0);
}

/* Without single bytes, a character that is no token is unknown. */
static void test_unknown(void **state)
{
    struct tokenizer *tokenizer;

    (void)state;
    start_spm();
    for (uint32_t id = 3; id < 259; id++)
        small.kinds[id] = TOKEN_UNUSED;
    tokenizer = small_tokenizer(&small);
    assert_string_equal(ids_of(tokenizer,
                               "a\xe2\x98\x83"
                               "b",
                               false, false),
                        "260 0 261");
    tokenizer_destroy(&hooks, tokenizer);
    small.vocabulary.unknown = VOCABULARY_NONE;
    tokenizer = small_tokenizer(&small);
    assert_string_equal(ids_of(tokenizer,
                               "a\xe2\x98\x83"
                               "b",
                               false, false),
                        "260 261");
    tokenizer_destroy(&hooks, tokenizer);

    /* No text makes the end of an answer. */
    small.vocabulary.unknown = small.vocabulary.eos;
    tokenizer = small_tokenizer(&small);
    assert_string_equal(ids_of(tokenizer, "\xe2\x98\x83", false, false), "");
    tokenizer_destroy(&hooks, tokenizer);
}

static void start_bpe(enum pretokenizer pretokenizer)
{
    small_start(&small, VOCABULARY_BPE);
    small.vocabulary.pretokenizer = pretokenizer;
    small_token(&small, "ab", TOKEN_NORMAL, 0);  /* 256 */
    small_token(&small, "bc", TOKEN_NORMAL, 0);  /* 257 */
    small_token(&small, "abc", TOKEN_NORMAL, 0); /* 258 */
    small_token(&small,
                "\xc4\xa0"
                "abc",
                TOKEN_NORMAL, 0);                         /* 259 */
    small_token(&small, "whole", TOKEN_NORMAL, 0);        /* 260: no merge makes it */
    small_token(&small, "<|end|>", TOKEN_CONTROL, 0);     /* 261 */
    small_token(&small, "  ", TOKEN_USER_DEFINED, 0);     /* 262 */
    small_token(&small, "\xe4\xb8\xad", TOKEN_NORMAL, 0); /* 263: not as bytes are written */
    small_token(&small, "cc", TOKEN_CONTROL, 0);          /* 264 */
    small_merge(&small, "b c");
    small_merge(&small, "a b");
    small_merge(&small, "a bc");
    small_merge(&small, "\xc4\xa0 abc");
    small_merge(&small, "c c"); /* makes a control token: never */
    small_merge(&small, "a b"); /* again */
}

static void test_bpe(void **state)
{
    struct tokenizer *tokenizer;

    (void)state;
    start_bpe(PRETOKENIZER_QWEN2);
    tokenizer = small_tokenizer(&small);
    assert_string_equal(ids_of(tokenizer, "abc", true, false), "258");
    assert_string_equal(ids_of(tokenizer, "ab", true, false), "256");
    assert_string_equal(ids_of(tokenizer, "x abc", true, false), "120 259");
    assert_string_equal(ids_of(tokenizer, "abcab", true, false), "258 256");
    assert_string_equal(ids_of(tokenizer, "cc", true, true), "264");
    assert_string_equal(ids_of(tokenizer, "cc", true, false), "99 99");
    assert_string_equal(ids_of(tokenizer, "whole", true, false), "119 104 111 108 101");
    assert_string_equal(ids_of(tokenizer, "a  ab", true, false), "97 262 256");
    assert_string_equal(ids_of(tokenizer, "<|end|>\xff", true, true), "261 255");
    assert_string_equal(ids_of(tokenizer, "\xe4\xb8\xad", true, false), "228 184 173");
    assert_true(tokenizer_ends(tokenizer, 261));
    assert_memory_equal(tokenizer_piece(tokenizer, 259).bytes, " abc", 4);
    assert_memory_equal(tokenizer_piece(tokenizer, 263).bytes, "\xe4\xb8\xad", 3);
    tokenizer_destroy(&hooks, tokenizer);

    /* Llama 3 takes a word that is a token whole. */
    start_bpe(PRETOKENIZER_LLAMA_BPE);
    tokenizer = small_tokenizer(&small);
    assert_string_equal(ids_of(tokenizer, "whole wholes", true, false), "260 32 119 104 111 108 101 115");
    tokenizer_destroy(&hooks, tokenizer);

    /* A byte without a token is left out. */
    start_bpe(PRETOKENIZER_GPT2);
    small.tokens['x'] = (struct airt_text){"", 0};
    tokenizer = small_tokenizer(&small);
    assert_string_equal(ids_of(tokenizer, "axbc", true, false), "97 257");
    tokenizer_destroy(&hooks, tokenizer);
    assert_int_equal(counters.in_use, 0);
}

static void test_capacity(void **state)
{
    uint32_t ids[2] = {7, 7};
    struct token_list list = {ids, 1, 0};
    struct tokenizer *tokenizer;

    (void)state;
    start_bpe(PRETOKENIZER_QWEN2);
    tokenizer = small_tokenizer(&small);
    assert_int_equal(tokenizer_encode(tokenizer, &work, "abcab", 5, true, false, &list), 0);
    assert_int_equal(list.count, 2);
    assert_int_equal(ids[0], 258);
    assert_int_equal(ids[1], 7);
    tokenizer_destroy(&hooks, tokenizer);
}

static void expect_refusal(const char *text)
{
    struct tokenizer *tokenizer = NULL;

    assert_int_equal(tokenizer_create(&work, "test", &small.vocabulary, &tokenizer, &error), -EINVAL);
    assert_string_equal(error.text, text);
    assert_int_equal(counters.in_use, 0);
}

static void test_refusals(void **state)
{
    static char longer[1100];
    static const struct {
        const char *merge, *text;
    } merges[] = {
        {"ab", "test: merge 6 is not two texts with a space between them"},
        {" ab", "test: merge 6 is not two texts with a space between them"},
        {"ab ", "test: merge 6 is not two texts with a space between them"},
        {"a xx", "test: merge 6 has a half that is no token"},
        {"xx a", "test: merge 6 has a half that is no token"},
        {"a x", "test: merge 6 makes no token"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(merges) / sizeof(merges[0]); i++) {
        start_bpe(PRETOKENIZER_GPT2);
        small_merge(&small, merges[i].merge);
        expect_refusal(merges[i].text);
    }
    memset(longer, 'l', sizeof(longer) - 1);
    start_spm();
    small_token(&small, longer, TOKEN_NORMAL, 0);
    expect_refusal("test: token 271: longer than 1024 bytes");
    start_spm();
    small_token(&small, longer, TOKEN_CONTROL, 0);
    expect_refusal("test: token 271: a special token of more than 256 bytes");
    static const char *const bytes[] = {"<0x1>", "<0xG0>", "<0x0a>", "0x0A", "<0y0A>", "<0x0A]"};
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        start_spm();
        small_token(&small, bytes[i], TOKEN_BYTE, 0);
        expect_refusal("test: token 271: a byte that is not written as <0x00> to <0xFF>");
    }
    small.vocabulary.count = 0;
    expect_refusal("test: a vocabulary of no tokens, or of 4 GiB");
}

static bool never_same(const void *context, uint32_t a, uint32_t b)
{
    (void)context;
    return a == b;
}

/* Entries with the same hash: 16 are found, 17 are refused. */
static void test_same_hash(void **state)
{
    (void)state;
    for (uint32_t count = 15; count <= 17; count++) {
        struct lookup lookup;
        uint32_t number = 0;

        assert_int_equal(lookup_create(&lookup, &hooks, count + 1), 0);
        for (uint32_t i = 0; i < count; i++)
            lookup_add(&lookup, 0x12345678, i);
        lookup_add(&lookup, 0xffffffff, 99);
        assert_int_equal(lookup_finish(&lookup, &work, never_same, NULL, &number), count > 16 ? -EINVAL : 0);
        assert_int_equal(number, count > 16 ? 16 : 0);
        lookup_free(&lookup, &hooks);
    }
    assert_int_equal(counters.in_use, 0);
}

/* 64 KiB of one letter, where tokens of every length lie in wait: the work is counted by the yields. */
static void test_hostile_text(void **state)
{
    static char letters[128][130];
    static char merges[128][132];
    const size_t length = 65536;
    char *text = malloc(length);
    uint32_t *ids = malloc(2 * length * sizeof(*ids));

    (void)state;
    assert_non_null(text);
    assert_non_null(ids);
    memset(text, 'a', length);
    for (unsigned kind = 0; kind < 2; kind++) {
        struct token_list list = {ids, 2 * length, 0};
        struct tokenizer *tokenizer;

        small_start(&small, kind == 0 ? VOCABULARY_SPM : VOCABULARY_BPE);
        small_token(&small, "a", TOKEN_NORMAL, 0);
        for (unsigned i = 2; i < 128; i++) {
            memset(letters[i], 'a', i);
            small_token(&small, letters[i], TOKEN_NORMAL, (float)i);
            (void)snprintf(merges[i], sizeof(merges[i]), "%.*s a", (int)i - 1, letters[i]);
            small_merge(&small, merges[i]);
        }
        tokenizer = small_tokenizer(&small);
        counters.yields = 0;
        assert_int_equal(tokenizer_encode(tokenizer, &work, text, length, false, false, &list), 0);
        assert_true(list.count >= length / 128 && list.count <= length / 2);
        /* A symbol or merge counts as 256 bytes: at most two for each letter. */
        assert_true(counters.yields > 100 && counters.yields <= 2 * length * 256 / 65536 + 32);

        /* It stops at each yield, and says so; nothing stays. */
        for (unsigned long n = 1; n < 200; n += 60) {
            size_t held = counters.in_use;

            counters.yields = 0;
            counters.stop_yield = n;
            assert_int_equal(tokenizer_encode(tokenizer, &work, text, length, true, true, &list), -ECANCELED);
            assert_int_equal(counters.in_use, held);
        }
        counters.stop_yield = 0;
        tokenizer_destroy(&hooks, tokenizer);
    }
    free(text);
    free(ids);
    assert_int_equal(counters.in_use, 0);
}

/* Special tokens that a text nearly has: looking for them is work, too. */
static void test_nearly_special(void **state)
{
    static char name[SPECIAL_MAX + 1];
    static char text[4096];
    struct token_list list = {0};
    struct tokenizer *tokenizer;

    (void)state;
    memset(name, '<', SPECIAL_MAX - 1);
    name[SPECIAL_MAX - 1] = '>';
    memset(text, '<', sizeof(text));
    small_start(&small, VOCABULARY_SPM);
    small_token(&small, name, TOKEN_USER_DEFINED, 0);
    tokenizer = small_tokenizer(&small);
    counters.yields = 0;
    assert_int_equal(tokenizer_encode(tokenizer, &work, text, sizeof(text), false, false, &list), 0);
    assert_int_equal(list.count, sizeof(text));
    /* 8 bytes for each of nearly 256 lookups at each place. */
    assert_true(counters.yields >= 8 * 250 * (sizeof(text) - 256) / 65536);
    tokenizer_destroy(&hooks, tokenizer);
}

/* Any well-formed text comes back, of all planes; for SPM but U+2581. */
static void test_round_trip(void **state)
{
    (void)state;
    random_seed(3);
    for (unsigned kind = 0; kind < 6; kind++) {
        struct tokenizer *tokenizer;

        if (kind == 5)
            start_spm();
        else
            start_bpe((enum pretokenizer)kind);
        tokenizer = small_tokenizer(&small);
        for (unsigned round = 0; round < 2000; round++) {
            char text[128];
            size_t length = 0;
            uint32_t ids[256];
            struct token_list list = {ids, 256, 0};
            char back[512];
            size_t at = 0;

            while (length < sizeof(text) - 4 && random_below(24) != 0) {
                uint32_t c =
                    random_below(2) == 0 ? (uint32_t)random_below(0x80) : (uint32_t)random_below(0x110000);

                if (c < 0x80 && random_below(2) == 0)
                    c = (unsigned char)" abc<x>|"[random_below(8)];
                if (c >= 0xd800 && c < 0xe000)
                    continue;
                if (c < 0x80) {
                    text[length++] = (char)c;
                } else {
                    unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

                    text[length++] = (char)((0xf00u >> more & 0xff) | c >> 6 * more);
                    while (more-- > 0)
                        text[length++] = (char)(0x80 | (c >> 6 * more & 0x3f));
                }
            }
            if (kind == 5 && length > 2 && memchr(text, '<', length) != NULL)
                continue; /* a space stands behind a user-defined token there */
            assert_int_equal(tokenizer_encode(tokenizer, &work, text, length, true, false, &list), 0);
            assert_true(list.count <= 256);
            for (size_t i = 0; i < list.count; i++) {
                struct airt_text piece = tokenizer_piece(tokenizer, ids[i]);

                assert_true(piece.length > 0 && piece.length <= sizeof(back) - at);
                memcpy(back + at, piece.bytes, piece.length);
                at += piece.length;
            }
            if (kind == 5 && length > 0) { /* the space before the first word */
                assert_int_equal(back[0], ' ');
                memmove(back, back + 1, --at);
            }
            if (kind == 5) /* U+2581 comes back as a space */
                length = spm_decode((struct airt_text){text, length}, text);
            assert_int_equal(at, length);
            assert_memory_equal(back, text, length);
        }
        tokenizer_destroy(&hooks, tokenizer);
    }
}

/* Whatever allocation or yield fails, it is said and nothing stays. */
static void test_failures(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 2; kind++) {
        struct tokenizer *tokenizer = NULL;
        struct token_list list = {0};
        int rc = -ENOMEM;

        if (kind == 0)
            start_spm();
        else
            start_bpe(PRETOKENIZER_GPT2);
        for (unsigned long n = 1; rc == -ENOMEM; n++) {
            counters.allocations = 0;
            counters.fail_allocation = n;
            rc = tokenizer_create(&work, "test", &small.vocabulary, &tokenizer, &error);
            if (rc == 0)
                break;
            assert_int_equal(rc, -ENOMEM);
            assert_string_equal(error.text, "test: no memory for the tokenizer");
            assert_int_equal(counters.in_use, 0);
            assert_true(n < 20);
        }
        counters.fail_allocation = 0;
        assert_int_equal(rc, 0);
        assert_int_equal(tokenizer_size(tokenizer), counters.in_use);
        for (unsigned long n = 1; n < 4 && rc != -ECANCELED; n++) {
            size_t held = counters.in_use;

            counters.allocations = 0;
            counters.fail_allocation = n;
            rc = tokenizer_encode(tokenizer, &work, "ab ab", 5, true, false, &list);
            assert_int_equal(rc, n <= (kind == 0 ? 3 : 2) ? -ENOMEM : 0);
            assert_int_equal(counters.in_use, held);
        }
        counters.fail_allocation = 0;
        tokenizer_destroy(&hooks, tokenizer);

        /* Work that has just not yielded: each step is the one that does. */
        rc = -ECANCELED;
        for (size_t done = 65536; rc == -ECANCELED; done -= 64) {
            work.done = done;
            counters.yields = 0;
            counters.stop_yield = 1;
            rc = tokenizer_create(&work, "test", &small.vocabulary, &tokenizer, &error);
            if (rc == -ECANCELED) {
                assert_string_equal(error.text, "test: cancelled");
                assert_int_equal(counters.in_use, 0);
            }
        }
        assert_int_equal(rc, 0);
        counters.stop_yield = 0;
        work.done = 0;
        tokenizer_destroy(&hooks, tokenizer);
    }
    tokenizer_destroy(&hooks, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spm),          cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_bpe),          cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_refusals),     cmocka_unit_test(test_same_hash),
        cmocka_unit_test(test_hostile_text), cmocka_unit_test(test_nearly_special),
        cmocka_unit_test(test_round_trip),   cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
