/* SPDX-License-Identifier: MIT
 *
 * Real vocabularies, which stand outside the tree: $MK_SHARED/models/vocab (default: ../shared beside the
 * repository). Beside each NAME.gguf stand texts (NAME.gguf.inp) and the ids of each on a line (.out).
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "gguf/gguf.h"
#include "tokenizer/tokenizer.h"

#define SEPARATOR "\n__ggml_vocab_test__\n"
#define IDS_MAX   4096

static const char *path_of(const char *name, const char *ending)
{
    static char path[512];
    const char *shared = getenv("MK_SHARED");

    (void)snprintf(path, sizeof(path), "%s/models/vocab/ggml-vocab-%s.gguf%s",
                   shared != NULL ? shared : SHARED, name, ending);
    return path;
}

static void check_case(const struct tokenizer *tokenizer, const char *text, size_t length,
                       const char *expected, bool spaced)
{
    static uint32_t ids[IDS_MAX];
    struct token_list list = {ids, IDS_MAX, 0};
    struct work work = {.hooks = &hooks};
    char *end = NULL;
    size_t at = 0; /* the pieces follow each other in the text */

    assert_int_equal(tokenizer_encode(tokenizer, &work, text, length, true, false, &list), 0);
    for (size_t i = 0; i < list.count; i++) {
        struct airt_text piece = tokenizer_piece(tokenizer, ids[i]);
        unsigned long id = strtoul(expected, &end, 10);

        if (end == expected || id != ids[i])
            fail_msg("\"%.*s\": id %zu is %u, expected %.60s", (int)length, text, i, ids[i], expected);
        expected = end;
        if (i == 0 && spaced) { /* the space before the first word */
            assert_int_equal(piece.bytes[0], ' ');
            piece.bytes++;
            piece.length--;
        }
        assert_true(piece.length <= length - at);
        assert_memory_equal(text + at, piece.bytes, piece.length);
        at += piece.length;
    }
    assert_int_equal(strspn(expected, " "), strlen(expected));
    assert_int_equal(at, length);
}

static void check_vocabulary(const char *name)
{
    struct work work = {.hooks = &hooks};
    size_t size;
    char *bytes;
    char *texts;
    char *lines;
    char *text;
    char *line;
    char *separator;
    unsigned count = 0;
    struct airt_source source;
    struct gguf *gguf = NULL;
    struct tokenizer *tokenizer = NULL;

    if (access(path_of(name, ""), R_OK) != 0) {
        print_message("skipped: no %s (MK_SHARED names the folder that holds models/)\n", path_of(name, ""));
        skip();
    }
    bytes = read_file(path_of(name, ""), &size);
    source = (struct airt_source){.name = name, .size = size, .mapped = bytes};
    texts = read_file(path_of(name, ".inp"), &size);
    lines = read_file(path_of(name, ".out"), &size);
    if (gguf_load_vocabulary(&work, &source, &gguf, &error) != 0 ||
        tokenizer_create(&work, name, &gguf->vocabulary, &tokenizer, &error) != 0)
        fail_msg("%s", error.text);
    for (text = texts, line = lines; (separator = strstr(text, SEPARATOR)) != NULL; count++) {
        char *end = strchr(line, '\n');

        assert_non_null(end);
        *end = '\0';
        check_case(tokenizer, text, (size_t)(separator - text), line,
                   gguf->vocabulary.kind == VOCABULARY_SPM && gguf->vocabulary.add_space_prefix);
        text = separator + strlen(SEPARATOR);
        line = end + 1;
    }
    assert_true(count > 40);
    tokenizer_destroy(&hooks, tokenizer);
    gguf_free(&hooks, gguf);
    assert_int_equal(counters.in_use, 0);
    free(bytes);
    free(texts);
    free(lines);
}

static void test_llama_spm(void **state)
{
    (void)state;
    check_vocabulary("llama-spm");
}

static void test_phi_3(void **state)
{
    (void)state;
    check_vocabulary("phi-3");
}

static void test_gpt_2(void **state)
{
    (void)state;
    check_vocabulary("gpt-2");
}

static void test_llama_bpe(void **state)
{
    (void)state;
    check_vocabulary("llama-bpe");
}

static void test_qwen2(void **state)
{
    (void)state;
    check_vocabulary("qwen2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_llama_spm), cmocka_unit_test(test_phi_3), cmocka_unit_test(test_gpt_2),
        cmocka_unit_test(test_llama_bpe), cmocka_unit_test(test_qwen2),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
