/* SPDX-License-Identifier: MIT
 *
 * Memory of GGUF models: alignment, weights in place, limits; and the SHA-256 of the file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "gguf/sha256.h"
#include "gguf_model.h"
#include "tokenizer/tokenizer.h"
#include "transformer/sequence.h"

/* However the file packs them, tensors are aligned in memory. */
static void alignments(void **state)
{
    static const uint32_t alignments_tried[] = {1, 8, 16, 64, 4096, 65536};

    (void)state;
    for (size_t i = 0; i < sizeof(alignments_tried) / sizeof(alignments_tried[0]); i++) {
        open_model(&(struct change){.alignment = alignments_tried[i], .shape = SMALL ",factors=1"}, NULL);
        assert_int_equal(gguf->file.alignment, alignments_tried[i]);
        for (uint32_t j = 0; j < gguf->file.tensor_count; j++) {
            const struct gguf_tensor *tensor = &gguf->file.tensors[j];

            assert_int_equal((uintptr_t)tensor->data % 32, 0);
            assert_memory_equal(tensor->data, model.bytes + gguf->file.data_start + tensor->offset,
                                tensor->size);
        }
        close_model();
    }
}

static void mapped_and_aligned_is_used_in_place(void **state)
{
    struct airt_source mapped = {.name = "test.kv"};
    struct gguf *in_place;
    void *aligned;

    (void)state;
    open_model(&(struct change){.architecture = ARCH_QWEN3}, NULL);
    assert_int_equal(posix_memalign(&aligned, 64, model.size + 16), 0);
    memcpy(aligned, model.bytes, model.size);
    mapped.mapped = aligned;
    mapped.size = model.size;
    in_place = gguf_of(&mapped, NULL);
    assert_ptr_equal(in_place->file.bytes, aligned);
    assert_true(in_place->file.bytes_held < model.size / 4);
    assert_ptr_equal(in_place->plan.output_norm,
                     (char *)aligned + (bytes_of("output_norm.weight") - model.bytes));
    assert_string_equal(in_place->sha256, gguf->sha256);
    assert_int_equal(in_place->parameters, gguf->parameters);
    gguf_free(&hooks, in_place);
    /* Elsewhere it is copied. */
    mapped.mapped = memmove((char *)aligned + 16, aligned, model.size);
    in_place = gguf_of(&mapped, NULL);
    assert_true(in_place->file.bytes_held > model.size / 2);
    assert_int_equal((uintptr_t)in_place->plan.output_norm % 32, 0);
    assert_memory_equal(in_place->plan.output_norm, gguf->plan.output_norm, 32 * sizeof(float));
    assert_string_equal(in_place->sha256, gguf->sha256);
    gguf_free(&hooks, in_place);
    free(aligned);
    close_model();
}

/* FIPS 180-4's examples, and every length around a block. */
static void sha256(void **state)
{
    static const char abc[] = "abc";
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    struct sha256 sha;
    char digits[65];
    char whole[65];
    char text[200];

    (void)state;
    gguf_sha256_init(&sha);
    gguf_sha256_finish(&sha, digits);
    assert_string_equal(digits, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    gguf_sha256_init(&sha);
    gguf_sha256_add(&sha, abc, 3);
    gguf_sha256_finish(&sha, digits);
    assert_string_equal(digits, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    gguf_sha256_init(&sha);
    gguf_sha256_add(&sha, two, 56);
    gguf_sha256_finish(&sha, digits);
    assert_string_equal(digits, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(text, 'a', sizeof(text));
    for (size_t length = 0; length <= sizeof(text); length++) {
        gguf_sha256_init(&sha);
        gguf_sha256_add(&sha, text, length);
        gguf_sha256_finish(&sha, whole);
        gguf_sha256_init(&sha);
        for (size_t at = 0; at < length; at += 7)
            gguf_sha256_add(&sha, text + at, length - at < 7 ? length - at : 7);
        gguf_sha256_finish(&sha, digits);
        assert_string_equal(digits, whole);
    }
}

/* Bytes of the model that is open, its tokenizer to come among them. */
static uint64_t held_by_model(void)
{
    struct work work = {.hooks = &hooks};
    struct tokenizer *tokenizer;
    uint64_t most;

    assert_int_equal(tokenizer_size_most(&gguf->vocabulary, &work, &most), 0);
    assert_int_equal(tokenizer_create(&work, "test", &gguf->vocabulary, &tokenizer, &error), 0);
    assert_in_range(tokenizer_size(tokenizer), most / 2, most);
    tokenizer_destroy(&hooks, tokenizer);
    return gguf->file.bytes_held + most;
}

static int load_with(const struct airt_options *options)
{
    struct work work = {.hooks = &hooks};

    return gguf_load(&work, options, &source, &gguf, &error);
}

/* What an inference needs beside its cache is counted: with the whole of the context it stays below the
 * limit. */
static void inference_stays_below_the_limit(void **state)
{
    struct airt_options options = {.prefill_batch = 0};
    const uint32_t batches[] = {0, 1, 300};

    (void)state;
    open_model(&(struct change){.shape = SMALL ",context=100000"}, NULL);
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
        uint64_t held = held_by_model();
        struct airt_description description;
        struct airt_model *loaded;
        struct airt_sequence *sequence;
        size_t before;
        uint64_t used;

        options.prefill_batch = batches[i];
        options.memory_max = held + (UINT64_C(4) << 20);
        assert_int_equal(airt_load_with(&hooks, &options, &source, &loaded, &error), 0);
        airt_describe(loaded, &description);
        assert_in_range(description.context_length, 1000, 99999);
        before = counters.in_use;
        assert_int_equal(airt_sequence_create(loaded, 0, &sequence, &error), 0);
        used = counters.in_use - before + 16 * (uint64_t)description.vocabulary;
        assert_true(used <= options.memory_max - held);
        /* No more is put aside than one page and a token. */
        assert_true(used + 4096 + description.cache_bytes_per_token > options.memory_max - held);
        airt_sequence_destroy(sequence);
        airt_unload(loaded);
    }
    close_model();
}

static void memory_is_limited(void **state)
{
    const uint64_t per_token = 2 * 2 * 8 * 2 * 2;
    struct airt_options options = {.context_length = 0};
    uint64_t held;
    uint64_t step;

    (void)state;
    open_model(&(struct change){.shape = SMALL ",context=100000"}, NULL);
    held = held_by_model();
    step = sequence_step_size(&(struct engine){.plan = &gguf->plan, .batch = ENGINE_BATCH});
    gguf_free(&hooks, gguf);

    /* The context is what fits. */
    options.memory_max = held + step + 1000 * per_token;
    assert_int_equal(load_with(&options), 0);
    assert_int_equal(gguf->plan.context_length, 1000);
    gguf_free(&hooks, gguf);
    options.cache_f32 = true;
    assert_int_equal(load_with(&options), 0);
    assert_int_equal(gguf->plan.context_length, 500);
    assert_int_equal(gguf->cache_bytes_per_token, 2 * per_token);
    gguf_free(&hooks, gguf);
    options.cache_f32 = false;

    /* With a context that is asked for it fits, or it does not. */
    options.context_length = 1000;
    assert_int_equal(load_with(&options), 0);
    assert_int_equal(gguf->plan.context_length, 1000);
    gguf_free(&hooks, gguf);
    options.context_length = 90000;
    counters.peak = 0;
    fail_read = 3; /* beyond the head: would be reading the weights */
    assert_int_equal(load_with(&options), -ENOMEM);
    assert_string_equal(error.text,
                        "test.kv: needs 12 MiB of memory (12 of it for a context of 90000 tokens),"
                        " there are 0 MiB");
    assert_true(counters.peak < held);

    /* Of too little memory nothing is left. */
    options.context_length = 0;
    options.memory_max = held - 1;
    assert_int_equal(load_with(&options), -ENOMEM);
    assert_non_null(strstr(error.text, " for a context of 64 tokens), there are 0 MiB"));
    fail_read = 0;

    /* More than the model has is what the model has. */
    options = (struct airt_options){.context_length = 200000};
    assert_int_equal(load_with(&options), 0);
    assert_int_equal(gguf->plan.context_length, 100000);
    close_model();
}

/* What a file declares is not allocated beyond the limit. */
static void tables_stay_below_the_limit(void **state)
{
    struct airt_options options = {.memory_max = 100000};

    (void)state;
    open_model(&(struct change){.shape = SMALL ",vocabulary=20000"}, NULL);
    gguf_free(&hooks, gguf);
    counters_reset();
    assert_int_equal(load_with(&options), -ENOMEM);
    assert_non_null(strstr(error.text, "no memory for "));
    assert_non_null(strstr(error.text, " MiB, and the limit for all is 0 MiB"));
    assert_in_range(counters.peak, 1, 100000);
    options.memory_max = 0;
    assert_int_equal(load_with(&options), 0);
    close_model();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alignments),
        cmocka_unit_test(mapped_and_aligned_is_used_in_place),
        cmocka_unit_test(sha256),
        cmocka_unit_test(memory_is_limited),
        cmocka_unit_test(tables_stay_below_the_limit),
        cmocka_unit_test(inference_stays_below_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
