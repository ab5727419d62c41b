/* SPDX-License-Identifier: MIT
 *
 * GGUF files with one thing wrong each: refused, with an error that says what and where, and nothing held.
 */
#include <errno.h>
#include <stdio.h>

#include "gguf_model.h"

#define PATCH(at, bytes) .patch_at = (at), .patch = (bytes), .patch_size = sizeof(bytes) - 1
#define U8               "\0\0\0\0"
#define I32              "\5\0\0\0"
#define BOOL             "\7\0\0\0"
#define F64              "\14\0\0\0"
#define HUGE_LENGTH      "\xff\xff\xff\xff\xff\xff\xff\x7f"
#define LONG_NAME        "name_that_is_too_long_for_a_tensor_by_a_single_byte_0123456789ab"
#define ON_EVERY(arch)   .architecture = (arch)

static const struct {
    const char *says;
    struct change change;
} files[] = {
    /* the header */
    {"byte 0: not a GGUF file", {PATCH(0, "GGUE")}},
    {"byte 4: version 1, read are 2 and 3", {PATCH(4, N("\1"))}},
    {"byte 4: version 4, read are 2 and 3", {PATCH(4, N("\4"))}},
    {"byte 4: version 0, read", {PATCH(4, N("\0"))}},
    {"byte 4: a big-endian file", {PATCH(4, "\0\0\0\3")}},
    {"byte 8: tensors: 9223372036854775807 elements, ", {PATCH(8, HUGE_LENGTH)}},
    {"byte 16: keys: 9223372036854775807 elements, ", {PATCH(16, HUGE_LENGTH)}},
    {"key 24 at byte ", {PATCH(16, LENGTH("\x40"))}},
    {"tensor 22 at byte ", {PATCH(8, LENGTH("\x18"))}},

    /* keys */
    {"key 0 at byte 24: an empty name", {PATCH(24, LENGTH("\0"))}},
    {"key 0 at byte 24: a name of 1025 bytes, at most 1024", {PATCH(24, "\1\4\0\0\0\0\0\0")}},
    {"key 0 at byte 24: a name of 9223372036854775807 bytes, at most 1024", {PATCH(24, HUGE_LENGTH)}},
    {"key 0 at byte 24: a name with a NUL", {PATCH(32, "\0")}},
    {"key 'general.architecture' at byte 32: type 13, known are 0 to 12", {PATCH(52, N("\15"))}},
    {"key 'general.architecture' at byte 32: string of 9223372036854775807 bytes, ",
     {PATCH(56, HUGE_LENGTH)}},
    {"key 'general.name' at byte ",
     {.key = "general.name",
      RAW(STRING LENGTH("\3") "a\xff"
                              "b")}},
    {"key 'general.name' at byte ", {.key = "general.name", RAW(U32 N("\3"))}},
    {"stands in the file twice", {.key = "general.name", RAW(STRING LENGTH("\1") "x"), .again = true}},
    {"key 'x' at byte ", {.key = "x", RAW(ARRAY N("\11") LENGTH("\1"))}},
    {": an array of arrays", {.key = "x", RAW(ARRAY N("\11") LENGTH("\1"))}},
    {": array of type 13, known are", {.key = "x", RAW(ARRAY N("\15") LENGTH("\1"))}},
    {": array of 9223372036854775807 elements, ", {.key = "x", RAW(ARRAY N("\4") HUGE_LENGTH)}},
    {": array of 9223372036854775807 bytes, ", {.key = "x", RAW(ARRAY N("\0") HUGE_LENGTH)}},
    {": array of 9223372036854775807 elements, ", {.key = "x", RAW(ARRAY N("\10") HUGE_LENGTH)}},
    {"key 'x' at byte ", {.key = "x", RAW(ARRAY N("\10") LENGTH("\2") LENGTH("\1") "a" HUGE_LENGTH)}},
    {"a bool of 2 at byte ", {.key = "x", RAW(BOOL "\2")}},
    {"a bool of 128 at byte ", {.key = "x", RAW(ARRAY N("\7") LENGTH("\2") "\1\x80")}},
    {"key 'general.alignment' at byte ", {.key = "general.alignment", RAW(I32 N("\40"))}},
    {": type 5, expected 4 (u32)", {.key = "general.alignment", RAW(I32 N("\40"))}},
    {": 48, expected a power of two up to 65536", {.key = "general.alignment", RAW(U32 N("\60"))}},
    {": 0, expected a power of two", {.key = "general.alignment", RAW(U32 N("\0"))}},
    {": 131072, expected a power of two", {.key = "general.alignment", RAW(U32 "\0\0\2\0")}},

    /* tensors */
    {"tensor 0 at byte ", {.tensor = "token_embd.weight", .what = NAME, .text = ""}},
    {": a name of 64 bytes, at most 63", {.tensor = "token_embd.weight", .what = NAME, .text = LONG_NAME}},
    {"tensor 'output_norm.weight' at byte ",
     {.tensor = "output.weight", .what = NAME, .text = "output_norm.weight"}},
    {"tensor 'output.weight' at byte ", {.tensor = "output.weight", .what = DIMENSIONS, .number = 0}},
    {": 5 dimensions, expected 1 to 4", {.tensor = "output.weight", .what = DIMENSIONS, .number = 5}},
    {": dimension 0 is 0, expected at least 1", {.tensor = "output.weight", .what = COLUMNS, .number = 0}},
    {": dimension 1 is 9223372036854775807: more numbers",
     {.tensor = "output.weight", .what = ROWS, .number = INT64_MAX}},
    {": dimension 0 is 18446744073709551615: more numbers",
     {.tensor = "output.weight", .what = COLUMNS, .number = UINT64_MAX}},
    {" bytes in a file of ", {.tensor = "output.weight", .what = ROWS, .number = 1u << 30}},
    {": numbers of type 4, known are F32", {.tensor = "output.weight", .what = TYPE, .number = 4}},
    {": numbers of type 4294967295, known", {.tensor = "output.weight", .what = TYPE, .number = UINT32_MAX}},
    {": rows of 32 numbers in blocks of 256",
     {.tensor = "output.weight", .what = TYPE, .number = TENSOR_Q4_K}},
    {"tensor 'output.weight' at byte ", {.tensor = "output.weight", .what = OFFSET, .number = 32}},
    {", where the one before ends", {.tensor = "output.weight", .what = OFFSET, .number = 32}},
    {", expected 0, where", {.tensor = "token_embd.weight", .what = OFFSET, .number = UINT64_MAX}},
    {": its data ends at byte ", {.cut = 1}},
    {" of a file of ", {.cut = 64}},
    {": 32 bytes behind the last tensor, at most 31", {.more = 32}},
    {"tensor 'token_embd.weight' is missing", {.tensor = "token_embd.weight", .what = NAME, .text = "x"}},
    {"tensor 'blk.1.ffn_up.weight' is missing",
     {.tensor = "blk.1.ffn_up.weight", .what = NAME, .text = "blk.2.ffn_up.weight"}},
    {"'rope_freqs.bias' at byte ", {.tensor = "rope_freqs.weight", .what = NAME, .text = "rope_freqs.bias"}},
    {"has no place in a model of architecture 'llama'",
     {.tensor = "rope_freqs.weight", .what = NAME, .text = "rope_freqs.bias"}},
    {": shape 32 by 1 by 2, expected 32 by 1",
     {.tensor = "output_norm.weight", .what = DEPTH, .number = 2, .more = 128, .shape = SMALL ",tied=1"}},

    /* the shape */
    {"'gpt9', known are llama, qwen2, qwen3, gemma3, phi3",
     {.key = "general.architecture", RAW(STRING LENGTH("\4") "gpt9")}},
    {"key 'general.architecture' is missing", {.key = "general.architecture"}},
    {"key 'general.architecture' at byte ", {.key = "general.architecture", RAW(U32 N("\1"))}},
    {"key 'llama.context_length' is missing", {.key = "llama.context_length"}},
    {": 0, expected at least 1", {.key = "llama.context_length", RAW(U32 N("\0"))}},
    {": 4294967295, expected at most", {.key = "llama.context_length", RAW(U32 "\xff\xff\xff\xff")}},
    {": a negative number", {.key = "llama.context_length", RAW(I32 "\xff\xff\xff\xff")}},
    {": type f32, expected a whole number", {.key = "llama.context_length", RAW(F32 "\0\0\x80\x3f")}},
    {": type string, expected a whole number", {.key = "llama.context_length", RAW(STRING LENGTH("\1") "1")}},
    {": type array of string, expected a whole",
     {.key = "llama.feed_forward_length", RAW(ARRAY N("\10") LENGTH("\0"))}},
    {": differs from layer to layer",
     {.key = "llama.feed_forward_length", RAW(ARRAY N("\4") LENGTH("\2") N("\100") N("\77"))}},
    {"key 'llama.embedding_length' is missing", {.key = "llama.embedding_length"}},
    {"shape 32 by 320, expected 31 by 320", {.key = "llama.embedding_length", RAW(U32 N("\37"))}},
    {"key 'llama.block_count' is missing", {.key = "llama.block_count"}},
    {"tensor 'blk.2.attn_q.weight' is missing", {.key = "llama.block_count", RAW(U32 N("\3"))}},
    {"tensor 'blk.1.attn_norm.weight' at byte ", {.key = "llama.block_count", RAW(U32 N("\1"))}},
    {": 4096 layers in a file of ", {.key = "llama.block_count", RAW(U32 "\0\x10\0\0")}},
    {"key 'llama.feed_forward_length' is missing", {.key = "llama.feed_forward_length"}},
    {"tensor 'blk.0.ffn_gate.weight' at byte ", {.key = "llama.feed_forward_length", RAW(U32 N("\77"))}},
    {": 8, expected at most 0", {.key = "llama.expert_count", RAW(U32 N("\10"))}},
    {"key 'llama.attention.head_count' is missing", {.key = "llama.attention.head_count"}},
    {": 3, which does not divide 4 heads", {.key = "llama.attention.head_count_kv", RAW(U32 N("\3"))}},
    {": 5, which does not divide 4 heads", {.key = "llama.attention.head_count_kv", RAW(U32 N("\5"))}},
    {": 0, expected at least 1", {.key = "llama.attention.head_count_kv", RAW(U32 N("\0"))}},
    {": 3 heads, which do not divide an embedding_length of 32",
     {.key = "llama.attention.head_count",
      RAW(U32 N("\3")),
      .without = "llama.attention.key_length",
      .shape = SMALL ",kv_heads=1"}},
    {": 6, expected 8 as the keys have", {.key = "llama.attention.value_length", RAW(U32 N("\6"))}},
    {": 10, expected at most 8", {.key = "llama.rope.dimension_count", RAW(U32 N("\12"))}},
    {": 7, expected a multiple of 2", {.key = "llama.rope.dimension_count", RAW(U32 N("\7"))}},
    {"key 'llama.attention.layer_norm_rms_epsilon' is missing",
     {.key = "llama.attention.layer_norm_rms_epsilon"}},
    {"key 'llama.attention.layer_norm_rms_epsilon' at byte ",
     {.key = "llama.attention.layer_norm_rms_epsilon", RAW(F32 "\0\0\0\0")}},
    {": expected a number above 0", {.key = "llama.attention.layer_norm_rms_epsilon", RAW(F32 "\0\0\0\0")}},
    {": expected a number above 0",
     {.key = "llama.attention.layer_norm_rms_epsilon", RAW(F32 "\0\0\xc0\x7f")}},
    {": expected a number above 0",
     {.key = "llama.attention.layer_norm_rms_epsilon", RAW(F32 "\0\0\x80\xbf")}},
    {": expected a number above 0",
     {.key = "llama.attention.layer_norm_rms_epsilon", RAW(F64 "\0\0\0\0\0\0\xf8\x7f")}},
    {": type u32, expected f32", {.key = "llama.attention.layer_norm_rms_epsilon", RAW(U32 N("\1"))}},
    {": expected a number above 0", {.key = "llama.rope.freq_base", RAW(F32 "\0\0\x80\x7f")}},
    {"'cubic', known are none, linear, yarn, longrope",
     {.key = "llama.rope.scaling.type", RAW(STRING LENGTH("\5") "cubic")}},
    {": expected a number above 0", {.key = "llama.rope.scale_linear", RAW(F32 "\0\0\0\0")}},
    {": expected a number above 0", {.key = "llama.rope.scaling.factor", RAW(F32 "\0\0\x80\xbf")}},
    {"tensor 'rope_freqs.weight' at byte ", {.patch_tensor = "rope_freqs.weight", PATCH(4, "\0\0\0\0")}},
    {": number 1 at byte ", {.patch_tensor = "rope_freqs.weight", PATCH(4, "\0\0\0\0")}},
    {" is not above 0 and finite", {.patch_tensor = "rope_freqs.weight", PATCH(12, "\0\0\xc0\x7f")}},
    {"tensor 'rope_factors_long.weight' at byte ",
     {.patch_tensor = "rope_factors_long.weight", PATCH(0, "\0\0\x80\xbf"), ON_EVERY(ARCH_PHI3)}},
    {"tensor 'rope_freqs.weight' at byte ", {.tensor = "rope_freqs.weight", .what = COLUMNS, .number = 8}},
    {"numbers of type 1, expected 0 (F32)",
     {.tensor = "rope_freqs.weight", .what = TYPE, .number = TENSOR_F16}},
    {"tensor 'blk.0.attn_q.bias' is missing",
     {.tensor = "blk.0.attn_q.bias", .what = NAME, .text = "x", ON_EVERY(ARCH_QWEN2)}},
    {"tensor 'blk.1.attn_k_norm.weight' is missing",
     {.tensor = "blk.1.attn_k_norm.weight", .what = NAME, .text = "x", ON_EVERY(ARCH_QWEN3)}},
    {"tensor 'blk.1.post_ffw_norm.weight' is missing",
     {.tensor = "blk.1.post_ffw_norm.weight", .what = NAME, .text = "x", ON_EVERY(ARCH_GEMMA3)}},
    {"tensor 'blk.0.attn_q.weight' is missing",
     {.tensor = "blk.0.attn_qkv.weight", .what = NAME, .text = "x", ON_EVERY(ARCH_PHI3)}},
    {"shape 32 by 64, expected 32 by 96",
     {.key = "phi3.attention.head_count_kv", RAW(U32 N("\4")), ON_EVERY(ARCH_PHI3)}},
    {"rope_factors_short.weight' is missing",
     {.tensor = "rope_factors_short.weight", .what = NAME, .text = "x", ON_EVERY(ARCH_PHI3)}},

    /* the vocabulary */
    {"key 'tokenizer.ggml.model' is missing", {.key = "tokenizer.ggml.model"}},
    {"'bert', known are llama, gpt2", {.key = "tokenizer.ggml.model", RAW(STRING LENGTH("\4") "bert")}},
    {"key 'tokenizer.ggml.merges' is missing",
     {.key = "tokenizer.ggml.model", RAW(STRING LENGTH("\4") "gpt2")}},
    {"key 'tokenizer.ggml.tokens' is missing", {.key = "tokenizer.ggml.tokens"}},
    {": type array of u32, expected array of string",
     {.key = "tokenizer.ggml.tokens", RAW(ARRAY N("\4") LENGTH("\1") N("\1"))}},
    {": 0 tokens, expected 1 to ", {.key = "tokenizer.ggml.tokens", RAW(ARRAY N("\10") LENGTH("\0"))}},
    {"key 'tokenizer.ggml.scores' at byte ",
     {.key = "tokenizer.ggml.tokens", RAW(ARRAY N("\10") LENGTH("\1") LENGTH("\1") "a")}},
    {": 320 elements, expected 1, one for each token",
     {.key = "tokenizer.ggml.tokens", RAW(ARRAY N("\10") LENGTH("\1") LENGTH("\1") "a")}},
    {"key 'tokenizer.ggml.scores' is missing", {.key = "tokenizer.ggml.scores"}},
    {": 1 elements, expected 320", {.key = "tokenizer.ggml.scores", RAW(ARRAY N("\6") LENGTH("\1") N("\0"))}},
    {": 1 elements, expected 320",
     {.key = "tokenizer.ggml.token_type", RAW(ARRAY N("\5") LENGTH("\1") N("\1"))}},
    {": type array of u8, expected array of i32",
     {.key = "tokenizer.ggml.token_type", RAW(ARRAY N("\0") LENGTH("\1") "\1")}},
    {": element 1 at byte ", {.patch_key = "tokenizer.ggml.scores", PATCH(4, "\0\0\xc0\x7f")}},
    {" is no finite number", {.patch_key = "tokenizer.ggml.scores", PATCH(4, "\0\0\x80\xff")}},
    {": element 2 is 7, expected 0 to 6", {.patch_key = "tokenizer.ggml.token_type", PATCH(8, N("\7"))}},
    {": token 3 stands for a byte, but has not the form <0xNN>",
     {.patch_key = "tokenizer.ggml.tokens", PATCH(44, "(")}},
    {": token 3 stands for a byte, but", {.patch_key = "tokenizer.ggml.tokens", PATCH(45, "1")}},
    {": token 3 stands for a byte, but", {.patch_key = "tokenizer.ggml.tokens", PATCH(46, "X")}},
    {": token 3 stands for a byte, but", {.patch_key = "tokenizer.ggml.tokens", PATCH(47, "g")}},
    {": token 3 stands for a byte, but", {.patch_key = "tokenizer.ggml.tokens", PATCH(48, "a")}},
    {": token 3 stands for a byte, but", {.patch_key = "tokenizer.ggml.tokens", PATCH(48, " ")}},
    {": token 3 stands for a byte, but", {.patch_key = "tokenizer.ggml.tokens", PATCH(49, "]")}},
    {": token 1 stands for a byte, but", {.patch_key = "tokenizer.ggml.token_type", PATCH(4, N("\6"))}},
    {": token 4 stands for the byte 1 as token 3 does",
     {.patch_key = "tokenizer.ggml.tokens", PATCH(48, "1")}},
    {"key 'tokenizer.ggml.bos_token_id' at byte ",
     {.key = "tokenizer.ggml.bos_token_id", RAW(U32 "\100\1\0\0")}},
    {": 320, expected at most 319", {.key = "tokenizer.ggml.bos_token_id", RAW(U32 "\100\1\0\0")}},
    {": 320, expected at most 319", {.key = "tokenizer.ggml.eos_token_id", RAW(U32 "\100\1\0\0")}},
    {": 320, expected at most 319", {.key = "tokenizer.ggml.eot_token_id", RAW(U32 "\100\1\0\0")}},
    {": 320, expected at most 319", {.key = "tokenizer.ggml.unknown_token_id", RAW(U32 "\100\1\0\0")}},
    {": 320, expected at most 319", {.key = "tokenizer.ggml.padding_token_id", RAW(U32 "\100\1\0\0")}},
    {": type u8, expected bool", {.key = "tokenizer.ggml.add_bos_token", RAW(U8 "\1")}},
    {": type u8, expected bool", {.key = "tokenizer.ggml.add_eos_token", RAW(U8 "\1")}},
    {": type u8, expected bool", {.key = "tokenizer.ggml.add_space_prefix", RAW(U8 "\1")}},
    {": type u8, expected string", {.key = "tokenizer.chat_template", RAW(U8 "\1")}},
};

static int try(const struct model_bytes *made, bool mapped)
{
    static const struct airt_options options;
    struct airt_source from = source_open(made->bytes, made->size, mapped);
    struct work work = {.hooks = &hooks};
    struct gguf *loaded = NULL;
    int rc = gguf_load(&work, &options, &from, &loaded, &error);

    if (rc == 0)
        gguf_free(&hooks, loaded);
    source_close(&from);
    assert_int_equal(counters.in_use, 0);
    return rc;
}

static void each_is_refused(void **state)
{
    unsigned int wrong = 0;

    (void)state;
    counters_reset();
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct model_bytes made = model_make(&files[i].change);

        for (int mapped = 0; mapped < 2; mapped++) {
            int rc = try(&made, mapped != 0);

            if (rc != -EINVAL || strncmp(error.text, "test.kv: ", 9) != 0 ||
                strstr(error.text, files[i].says) == NULL) {
                wrong++;
                print_error("file %zu: %d \"%s\", expected \"%s\"\n", i, rc, rc != 0 ? error.text : "",
                            files[i].says);
            }
        }
        free(made.bytes);
    }
    assert_int_equal(wrong, 0);
}

/* A text that no tokenizer would look at. */
static void a_token_that_is_too_long(void **state)
{
    static char raw[4 + 4 + 8 + 8 + 65537] = ARRAY N("\10") LENGTH("\1") "\1\0\1";
    const struct change change = {.key = "tokenizer.ggml.tokens", .raw = raw, .raw_size = sizeof(raw)};
    struct model_bytes made = model_make(&change);

    (void)state;
    counters_reset();
    assert_int_equal(try(&made, false), -EINVAL);
    assert_non_null(strstr(error.text, "key 'tokenizer.ggml.tokens' at byte "));
    assert_non_null(strstr(error.text, ": element 0 has 65537 bytes, at most 65536"));
    free(made.bytes);
}

/* A file that ends too early does not load, wherever it ends. */
static void every_prefix_is_refused(void **state)
{
    const struct change change = {.architecture = ARCH_LLAMA};
    struct model_bytes made = model_make(&change);
    size_t whole = made.size;

    (void)state;
    counters_reset();
    for (made.size = 1; made.size < whole; made.size += made.size < 9000 ? 1 : 1009) {
        if (try(&made, (made.size & 1) != 0) != -EINVAL)
            fail_msg("the first %zu bytes load", made.size);
    }
    made.size = whole;
    assert_int_equal(try(&made, false), 0);
    free(made.bytes);
}

/* No byte of the head, whatever it becomes, is more than an error or another made. */
static void every_byte_may_change(void **state)
{
    static const unsigned char values[] = {0, 1, 0x7f, 0x80, 0xff};
    const struct change change = {
        .architecture = ARCH_PHI3,
        .shape = "layers=1,embedding=8,heads=2,kv_heads=1,feed=8,vocabulary=312,factors=1"};
    struct model_bytes made = model_make(&change);

    (void)state;
    counters_reset();
    for (size_t at = 0; at < 12000 && at < made.size; at++) {
        char was = made.bytes[at];
        int rc;

        made.bytes[at] = (char)values[at % sizeof(values)];
        rc = try(&made, (at & 8) != 0);
        if (rc != 0 && rc != -EINVAL)
            fail_msg("byte %zu: %d %s", at, rc, error.text);
        made.bytes[at] = was;
    }
    free(made.bytes);
}

static void failures_of_the_hooks(void **state)
{
    const struct change change = {.architecture = ARCH_GEMMA3};
    struct model_bytes made = model_make(&change);
    int rc = -1;

    (void)state;
    for (unsigned long n = 1; rc != 0; n++) {
        counters_reset();
        counters.fail_allocation = n;
        rc = try(&made, false);
        assert_true(rc == 0 ? n > 10 : rc == -ENOMEM && strstr(error.text, "no memory for ") != NULL);
    }
    rc = -1;
    for (unsigned long n = 1; rc != 0; n++) {
        counters_reset();
        fail_read = n;
        rc = try(&made, false);
        assert_true(rc == 0 ? n > 2 : rc == -EIO && strstr(error.text, "cannot be read at byte ") != NULL);
    }
    rc = -1;
    for (unsigned long n = 1; rc != 0; n++) {
        counters_reset();
        counters.stop_yield = n;
        rc = try(&made, (n & 1) != 0);
        assert_true(rc == 0 ? n > 2 : rc == -ECANCELED && strcmp(error.text, "test.kv: cancelled") == 0);
    }
    counters_reset();
    free(made.bytes);
}

/* Names that differ at their end only, in the worst order: the work stays n log n. */
static void many_keys_are_sorted(void **state)
{
    enum { KEYS = 20000 };
    struct writer head;
    struct model_bytes made;

    (void)state;
    counters_reset();
    writer_begin(&head);
    for (int i = KEYS; i > 0; i--) {
        char name[80];

        snprintf(name, sizeof(name), "a.long.prefix.that.all.of.them.have.in.common.%08d", i);
        writer_key_bool(&head, name, true);
    }
    writer_end(&head, 3, 32);
    made = (struct model_bytes){head.bytes, head.size};
    assert_int_equal(try(&made, true), -EINVAL);
    assert_non_null(strstr(error.text, "key 'general.architecture' is missing"));
    /* 2 n log2 n comparisons of 70 bytes are 40 MB. */
    assert_in_range(counters.yields, 1, 1000);
    free(made.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_that_is_too_long), cmocka_unit_test(each_is_refused),
        cmocka_unit_test(every_prefix_is_refused),  cmocka_unit_test(every_byte_may_change),
        cmocka_unit_test(failures_of_the_hooks),    cmocka_unit_test(many_keys_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
