/* SPDX-License-Identifier: MIT
 *
 * Vocabularies of GGUF files; and files as others make them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gguf/reader.h"
#include "gguf_model.h"

static void vocabulary(void **state)
{
    const struct vocabulary *read;
    struct work work = {.hooks = &hooks};

    (void)state;
    open_model(&(struct change){.shape = NULL}, NULL);
    read = &gguf->vocabulary;
    assert_int_equal(read->kind, VOCABULARY_SPM);
    assert_int_equal(read->count, 320);
    assert_true(gguf_text_is(read->tokens[0], "<unk>"));
    assert_true(gguf_text_is(read->tokens[3 + 255], "<0xFF>"));
    assert_int_equal(read->kinds[0], TOKEN_UNKNOWN);
    assert_int_equal(read->kinds[3], TOKEN_BYTE);
    assert_int_equal(read->kinds[319], TOKEN_UNUSED);
    assert_true(read->scores[259] == -1);
    assert_int_equal(read->merge_count, 0);
    assert_int_equal(read->bos, 1);
    assert_int_equal(read->eos, 2);
    assert_int_equal(read->unknown, 0);
    assert_int_equal(read->eot, VOCABULARY_NONE);
    assert_int_equal(read->padding, VOCABULARY_NONE);
    assert_true(read->add_bos && !read->add_eos && read->add_space_prefix);
    assert_int_equal(read->chat_template.length, 0);
    gguf_free(&hooks, gguf);

    /* Alone: the tensors are not looked at. */
    assert_int_equal(gguf_load_vocabulary(&work, &source, &gguf, &error), 0);
    assert_int_equal(gguf->vocabulary.count, 320);
    assert_int_equal(gguf->plan.layer_count, 0);
    close_model();

    /* Without tensors it is no model; some writers pad it. */
    {
        struct writer head;
        struct airt_source bytes = {.name = "v"};

        writer_begin(&head);
        writer_key_text(&head, "general.architecture", "llama");
        writer_key_text(&head, "tokenizer.ggml.model", "llama");
        writer_key_array(&head, "tokenizer.ggml.tokens", GGUF_STRING, 1);
        writer_text(&head, "a", 1);
        writer_key_array(&head, "tokenizer.ggml.scores", GGUF_F32, 1);
        writer_u32(&head, 0);
        writer_end(&head, 3, 32);
        writer_bytes(&head, "\0\0\0\0", 4);
        bytes.mapped = head.bytes;
        bytes.size = head.size;
        assert_int_equal(gguf_load(&work, &(struct airt_options){.context_length = 0}, &bytes, &gguf, &error),
                         -EINVAL);
        assert_string_equal(error.text, "v: byte 8: no tensors: a vocabulary, not a model");
        assert_int_equal(gguf_load_vocabulary(&work, &bytes, &gguf, &error), 0);
        assert_int_equal(gguf->vocabulary.bos, VOCABULARY_NONE); /* 1 is beyond it */
        gguf_free(&hooks, gguf);
        free(head.bytes);
    }

    /* -1 is none. */
    open_model(&(struct change){.key = "tokenizer.ggml.bos_token_id", RAW(U32 "\xff\xff\xff\xff")}, NULL);
    assert_int_equal(gguf->vocabulary.bos, VOCABULARY_NONE);
    assert_false(gguf->vocabulary.add_bos);
    close_model();
    open_model(&(struct change){.key = "tokenizer.ggml.token_type"}, NULL);
    assert_int_equal(gguf->vocabulary.kinds[0], TOKEN_NORMAL);
    close_model();
}

/* Without tensors: a vocabulary. Returns what loading it returned. */
static int load_bpe(const char *pre, uint32_t merges)
{
    struct airt_source bytes = {.name = "bpe"};
    struct work work = {.hooks = &hooks};
    struct writer head;
    int rc;

    writer_begin(&head);
    writer_key_text(&head, "tokenizer.ggml.model", "gpt2");
    if (pre != NULL)
        writer_key_text(&head, "tokenizer.ggml.pre", pre);
    writer_key_array(&head, "tokenizer.ggml.tokens", GGUF_STRING, 3);
    writer_text(&head, "a", 1);
    writer_text(&head, "b", 1);
    writer_text(&head, "ab", 2);
    if (merges > 0) {
        writer_key_array(&head, "tokenizer.ggml.merges", GGUF_STRING, merges);
        writer_text(&head, "a b", 3);
    }
    writer_end(&head, 2, 32);
    bytes.mapped = head.bytes;
    bytes.size = head.size;
    rc = gguf_load_vocabulary(&work, &bytes, &gguf, &error);
    if (rc == 0) {
        const struct vocabulary *read = &gguf->vocabulary;

        assert_string_equal(gguf->format, "GGUF 2");
        assert_int_equal(read->kind, VOCABULARY_BPE);
        assert_int_equal(read->merge_count, 1);
        assert_true(gguf_text_is(read->merges[0], "a b"));
        assert_null(read->scores);
        assert_false(read->add_space_prefix);
        assert_int_equal(read->bos, VOCABULARY_NONE);
    }
    free(head.bytes);
    return rc;
}

static void pretokenizers(void **state)
{
    static const struct {
        const char *name;
        enum pretokenizer pretokenizer;
    } names[] = {{"gpt-2", PRETOKENIZER_GPT2},   {"llama-bpe", PRETOKENIZER_LLAMA_BPE},
                 {"qwen2", PRETOKENIZER_QWEN2},  {"smollm", PRETOKENIZER_SMOLLM},
                 {"gpt-4o", PRETOKENIZER_GPT4O}, {"llama-v3", PRETOKENIZER_LLAMA_BPE}};

    (void)state;
    counters_reset();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(load_bpe(names[i].name, 1), 0);
        assert_int_equal(gguf->vocabulary.pretokenizer, names[i].pretokenizer);
        gguf_free(&hooks, gguf);
    }
    assert_int_equal(load_bpe(NULL, 1), 0); /* an old file */
    assert_int_equal(gguf->vocabulary.pretokenizer, PRETOKENIZER_GPT2);
    gguf_free(&hooks, gguf);
    assert_int_equal(load_bpe("klingon", 1), -EINVAL);
    assert_non_null(strstr(error.text, "'klingon', known are gpt-2, llama-bpe, qwen2, smollm, gpt-4o"));
    assert_int_equal(load_bpe("gpt-2", 0), -EINVAL);
    assert_string_equal(error.text, "bpe: key 'tokenizer.ggml.merges' is missing");
    assert_int_equal(counters.in_use, 0);
}

/* Empty ones, of 8 bytes each in the file. */
static void too_many_merges(void **state)
{
    const uint32_t count = (UINT32_C(1) << 22) + 1;
    struct airt_source bytes = {.name = "bpe"};
    struct work work = {.hooks = &hooks};
    struct writer head;

    (void)state;
    writer_begin(&head);
    writer_key_text(&head, "tokenizer.ggml.model", "gpt2");
    writer_key_text(&head, "tokenizer.ggml.pre", "gpt-2");
    writer_key_array(&head, "tokenizer.ggml.tokens", GGUF_STRING, 1);
    writer_text(&head, "a", 1);
    writer_key_array(&head, "tokenizer.ggml.merges", GGUF_STRING, count);
    for (uint32_t i = 0; i < count; i++)
        writer_text(&head, "", 0);
    writer_end(&head, 3, 32);
    bytes.mapped = head.bytes;
    bytes.size = head.size;
    counters_reset();
    assert_int_equal(gguf_load_vocabulary(&work, &bytes, &gguf, &error), -EINVAL);
    assert_non_null(strstr(error.text, ": 4194305 merges, expected at most 4194304"));
    assert_in_range(counters.peak, 1, 1 << 20);
    free(head.bytes);
}

/* Files as others make them, where they are. */
static void shared_models(void **state)
{
    static const char sum[] = "047bf46455a544931cff6fef14d7910154c56afbc23ab1c5e56a72e69912c04b";
    const char *shared = getenv("MK_SHARED");
    char path[512];
    FILE *file;
    size_t size;

    (void)state;
    snprintf(path, sizeof(path), "%s/models/stories260K/stories260K.gguf", shared != NULL ? shared : SHARED);
    file = fopen(path, "rb");
    if (file == NULL) {
        print_message("skipped: no %s\n", path);
        skip();
    }
    fclose(file);
    counters_reset();
    model.bytes = read_file(path, &size);
    model.size = size;
    source = source_open(model.bytes, model.size, false);
    gguf = gguf_of(&source, NULL);
    assert_string_equal(gguf->sha256, sum);
    assert_int_equal(gguf->plan.vocabulary, 512);
    assert_int_equal(gguf->parameters, 292800);
    assert_int_equal(gguf->vocabulary.padding, VOCABULARY_NONE);
    close_model();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vocabulary),
        cmocka_unit_test(pretokenizers),
        cmocka_unit_test(too_many_merges),
        cmocka_unit_test(shared_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
