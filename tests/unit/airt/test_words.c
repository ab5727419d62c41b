/* SPDX-License-Identifier: MIT
 *
 * Normalised text and tokens.
 */
#include "dictionary/words.h"
#include "support.h"
#include "utf8.h"
#include "work.h"

static bool equal(const char *a, const char *b)
{
    bool same = words_equal(a, strlen(a), b, strlen(b));

    /* Whatever is equal has the same hash. */
    if (same)
        assert_int_equal(words_hash(a, strlen(a)), words_hash(b, strlen(b)));
    assert_int_equal(words_equal(b, strlen(b), a, strlen(a)), same);
    return same;
}

static void test_normalised_text(void **state)
{
    (void)state;
    assert_true(equal("What is a unikernel?", "  what IS\ta\nunikernel "));
    assert_true(equal("W^X", "w x"));
    assert_true(equal("W^X", "(w)...[X]"));
    assert_false(equal("WX", "W X"));
    assert_false(equal("what is", "what is it"));
    assert_true(equal("-32602", "32602"));
    assert_true(equal("", " ?! "));
    assert_true(words_empty("\xe2\x80\xa6 \xc2\xa1!", 7));
    assert_false(words_empty("...a", 4));
    /* apostrophes */
    assert_true(equal("don't", "dont"));
    assert_true(equal("don\xe2\x80\x99t", "DON'T"));
    assert_true(equal("what's this", "what this"));
    assert_true(equal("the VM's socket", "the vm socket"));
    assert_true(equal("'quoted' word's", "quoted word"));
    assert_true(equal("dogs' house", "dogs house"));
    assert_false(equal("it'so", "it"));
    assert_true(equal("it'so", "itso"));
    assert_true(equal("what's", "what"));
    assert_true(equal("rock 'n' roll", "rock n roll"));
}

static void test_case_of_other_scripts(void **state)
{
    static const char *const pairs[][2] = {
        {"\xc3\x84\xc3\x96\xc3\x9c \xc3\x89 \xc3\x9e", "\xc3\xa4\xc3\xb6\xc3\xbc \xc3\xa9 \xc3\xbe"},
        {"\xc5\xa0koda \xc5\x81\xc3\xb3\x64\xc5\xba", "\xc5\xa1koda \xc5\x82\xc3\xb3\x64\xc5\xba"},
        {"\xc4\x80\xc5\xbd\xc5\xb8", "\xc4\x81\xc5\xbe\xc3\xbf"},
        {"\xce\x95\xce\xbb\xce\xbb\xce\xac\xce\xb4\xce\xb1",
         "\xce\xb5\xce\xbb\xce\xbb\xce\xac\xce\xb4\xce\xb1"},
        {"\xce\x86\xce\x88\xce\x89\xce\x8a\xce\x8c\xce\x8e\xce\x8f",
         "\xce\xac\xce\xad\xce\xae\xce\xaf\xcf\x8c\xcf\x8d\xcf\x8e"},
        {"\xce\xa3\xcf\x82", "\xcf\x83\xcf\x83"},
        {"\xd0\x9c\xd0\x9e\xd0\xa1\xd0\x9a\xd0\x92\xd0\x90 \xd0\x81",
         "\xd0\xbc\xd0\xbe\xd1\x81\xd0\xba\xd0\xb2\xd0\xb0 \xd1\x91"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        assert_true(equal(pairs[i][0], pairs[i][1]));
    assert_false(equal("\xc3\x97", "\xc3\xb7x"));
    assert_false(equal("\xc4\xb0", "\xc4\xb1")); /* dotted and dotless i stay what they are */
}

/* The tokens of a text, as many as there are. */
static size_t tokens_of(const char *text, uint32_t *tokens)
{
    struct words words;
    size_t count = 0;

    words_start(&words, text, strlen(text));
    while (words_token(&words, &tokens[count])) {
        count++;
        assert_true(count <= TOKENS_MAX(strlen(text)));
        assert_true(count < 64);
    }
    return count;
}

static uint32_t token_of(const char *word)
{
    uint32_t tokens[64];

    assert_int_equal(tokens_of(word, tokens), 1);
    return tokens[0];
}

static void test_endings(void **state)
{
    static const char *const alike[][6] = {
        {"load", "loads", "loading", "loaded", "Load", NULL},
        {"stop", "stops", "stopped", "stopping", NULL},
        {"run", "runs", "running", NULL},
        {"use", "used", "using", "uses", NULL},
        {"size", "sizes", "sized", NULL},
        {"library", "libraries", NULL},
        {"address", "addresses", NULL},
        {"box", "boxes", NULL},
        {"switch", "switches", "switched", "switching", NULL},
        {"call", "calls", "called", "calling", NULL},
        {"unikernel", "unikernels", NULL},
        {"virtqueue", "virtqueues", NULL},
        {"VM", "VMs", NULL},
    };
    static const char *const unlike[] = {"bus",    "string", "thing", "class", "king",  "red",  "status",
                                         "virtio", "vsock",  "load",  "lock",  "block", "page", "pages2"};

    (void)state;
    for (size_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++)
        for (size_t j = 1; alike[i][j] != NULL; j++)
            if (token_of(alike[i][0]) != token_of(alike[i][j]))
                fail_msg("%s and %s", alike[i][0], alike[i][j]);
    for (size_t i = 0; i < sizeof(unlike) / sizeof(unlike[0]); i++)
        for (size_t j = 0; j < i; j++) {
            uint32_t a[64];
            uint32_t b[64];

            tokens_of(unlike[i], a);
            tokens_of(unlike[j], b);
            assert_int_not_equal(a[0], b[0]);
        }
}

static void test_words_that_say_little(void **state)
{
    uint32_t tokens[64];

    (void)state;
    assert_int_equal(tokens_of("the a an of to in is are with was were this", tokens), 0);
    assert_int_equal(tokens_of("What is the VM?", tokens), 2);
    assert_int_equal(tokens[0] & TOKEN_WEAK, TOKEN_WEAK);
    assert_int_equal(tokens[1] & TOKEN_WEAK, 0);
    assert_int_equal(token_of("about") & TOKEN_WEAK, TOKEN_WEAK);
    assert_int_equal(token_of("your") & TOKEN_WEAK, TOKEN_WEAK);
    assert_int_equal(token_of("explain") & TOKEN_WEAK, TOKEN_WEAK);
}

static void test_scripts_without_spaces(void **state)
{
    uint32_t tokens[64];

    (void)state;
    /* Three Han characters, a Latin word in the middle. */
    assert_int_equal(tokens_of("\xe6\xbc\xa2\xe5\xad\x97vsock\xe8\xaa\x9e", tokens), 4);
    assert_int_equal(tokens[2], token_of("vsock"));
    assert_int_equal(tokens[0], token_of("\xe6\xbc\xa2"));
    assert_int_equal(tokens_of("vsock\xe6\xbc\xa2", tokens), 2);
    assert_int_equal(tokens[0], token_of("vsock"));
}

static void test_long_words(void **state)
{
    char word[100] = {0};
    uint32_t tokens[64];

    (void)state;
    memset(word, 'w', 31);
    for (size_t length = 31; length < 80; length++) {
        word[length] = 's';
        assert_int_equal(tokens_of(word, tokens), 1);
    }
    /* The end counts, however long the word is. */
    word[79] = 'x';
    tokens_of(word, tokens + 1);
    assert_int_not_equal(tokens[0], tokens[1]);
}

/* Text that is not UTF-8 (a mapped source that changes) is read to its end, and no further. */
static void test_broken_bytes(void **state)
{
    static const char pieces[] = "a s'\xe6\xbc\xa2\xe2\x80\x99";

    (void)state;
    random_seed(9);
    for (unsigned i = 0; i < 3000; i++) {
        size_t length = (size_t)random_below(40);
        char *text = malloc(length + 1);
        struct words words;
        uint32_t token;

        for (size_t j = 0; j < length; j++)
            text[j] =
                random_below(3) == 0 ? (char)random_below(256) : pieces[random_below(sizeof(pieces) - 1)];
        text = realloc(text, length > 0 ? length : 1);
        words_hash(text, length);
        words_start(&words, text, length);
        for (size_t count = 0; words_token(&words, &token); count++)
            assert_true(count < TOKENS_MAX(length));
        free(text);
    }
}

static int order(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a;
    uint64_t second = *(const uint64_t *)b;

    return first < second ? -1 : first > second;
}

static void test_sorting(void **state)
{
    static uint64_t numbers[5000];
    static uint64_t expected[5000];
    struct work work = {.hooks = &hooks};

    (void)state;
    counters_reset();
    random_seed(4);
    for (unsigned round = 0; round < 60; round++) {
        size_t count = round < 40 ? round : random_below(5000);

        for (size_t i = 0; i < count; i++) {
            switch (round % 4) {
            case 0:
                numbers[i] = random_below(UINT64_MAX);
                break;
            case 1:
                numbers[i] = random_below(3);
                break;
            case 2:
                numbers[i] = UINT64_C(1) << random_below(64);
                break;
            default:
                numbers[i] = count - i;
                break;
            }
        }
        memcpy(expected, numbers, count * sizeof(numbers[0]));
        qsort(expected, count, sizeof(expected[0]), order);
        assert_int_equal(work_sort(&work, numbers, count), 0);
        assert_memory_equal(numbers, expected, count * sizeof(numbers[0]));
        for (size_t i = 0; i < count; i += 7) {
            size_t found = work_search(numbers, count, numbers[i]);

            assert_int_equal(numbers[found], numbers[i]);
            assert_true(found == 0 || numbers[found - 1] < numbers[i]);
        }
        if (count > 0 && numbers[count - 1] < UINT64_MAX)
            assert_int_equal(work_search(numbers, count, numbers[count - 1] + 1), count);
    }
}

/* The bytes that UTF-8's pattern of `length` bytes gives a number, whether that is allowed or not. */
static void put_pattern(uint32_t number, size_t length, char bytes[4])
{
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = length - 1; i > 0; i--, number >>= 6)
        bytes[i] = (char)(0x80 | (number & 0x3f));
    bytes[0] = (char)(leads[length] | number);
}

/* Every number in every length that can hold it: valid in the shortest alone, and no surrogates. */
static void test_utf8(void **state)
{
    static const uint32_t ends[] = {0, 0x80, 0x800, 0x10000, 0x200000};

    (void)state;
    for (size_t length = 1; length <= 4; length++) {
        for (uint32_t number = 0; number < ends[length]; number++) {
            bool valid =
                number >= ends[length - 1] && number <= 0x10ffff && (number < 0xd800 || number > 0xdfff);
            uint32_t character = 0;
            char bytes[4];

            put_pattern(number, length, bytes);
            assert_int_equal(utf8_decode(bytes, length, &character), valid ? length : 0);
            if (valid)
                assert_int_equal(character, number);
            if (length > 1)
                assert_int_equal(utf8_decode(bytes, length - 1, &character), 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normalised_text),
        cmocka_unit_test(test_case_of_other_scripts),
        cmocka_unit_test(test_endings),
        cmocka_unit_test(test_words_that_say_little),
        cmocka_unit_test(test_scripts_without_spaces),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_broken_bytes),
        cmocka_unit_test(test_sorting),
        cmocka_unit_test(test_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
