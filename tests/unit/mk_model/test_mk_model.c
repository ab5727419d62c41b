/* SPDX-License-Identifier: MIT
 *
 * mk-model: its commands as they are called, and what they write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <getopt.h>

#include <cmocka.h>

#include "commands.h"
#include "gguf/gguf.h"
#include "mix.h"
#include "tensor/quantize.h"

#define ARGUMENTS_MAX 24

static char folder[] = "/tmp/mk-model-test-XXXXXX";

/* The path of a file in the test's folder: good for the next few calls. */
static const char *in_folder(const char *name)
{
    static char paths[4][128];
    static unsigned int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

/* Runs a command with the words of a line; standard output and error go to files. */
static int run(int (*command)(int count, char **arguments), const char *line)
{
    char copy[1024];
    char *arguments[ARGUMENTS_MAX] = {NULL};
    int count = 0;
    int outputs[2] = {dup(1), dup(2)};
    char *rest = NULL;
    int status;

    assert_true(strlen(line) < sizeof(copy));
    memcpy(copy, line, strlen(line) + 1);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        assert_true(count < ARGUMENTS_MAX - 1);
        arguments[count++] = word;
    }
    fflush(stdout);
    assert_non_null(freopen(in_folder("out"), "w", stdout));
    assert_non_null(freopen(in_folder("err"), "w", stderr));
    optind = 0;
    status = command(count, arguments);
    fflush(stdout);
    fflush(stderr);
    assert_int_equal(dup2(outputs[0], 1), 1);
    assert_int_equal(dup2(outputs[1], 2), 2);
    close(outputs[0]);
    close(outputs[1]);
    return status;
}

static char *contents(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    char *bytes;

    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &status), 0);
    bytes = malloc((size_t)status.st_size + 1);
    assert_non_null(bytes);
    *size = fread(bytes, 1, (size_t)status.st_size, file);
    bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

static void assert_holds(const char *name, const char *wanted)
{
    size_t size;
    char *bytes = contents(in_folder(name), &size);

    if (strstr(bytes, wanted) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", wanted, bytes);
    free(bytes);
}

static bool same(const char *left, const char *right)
{
    size_t left_size;
    size_t right_size;
    char *left_bytes = contents(left, &left_size);
    char *right_bytes = contents(right, &right_size);
    bool equal = left_size == right_size && memcmp(left_bytes, right_bytes, left_size) == 0;

    free(left_bytes);
    free(right_bytes);
    return equal;
}

static int make(const char *options, const char *name)
{
    char line[1024];

    snprintf(line, sizeof(line), "make-random %s -o %s", options, in_folder(name));
    return run(command_make_random, line);
}

static int inspect(const char *path, const char *options)
{
    char line[1024];

    snprintf(line, sizeof(line), "inspect %s %s", path, options);
    return run(command_inspect, line);
}

static int quantize(const char *from, const char *to, const char *options)
{
    char line[1024];

    snprintf(line, sizeof(line), "quantize %s %s %s", from, to, options);
    return run(command_quantize, line);
}

static void every_architecture_and_type(void **state)
{
    static const char *const architectures[] = {"llama", "qwen2", "qwen3", "gemma3", "phi3"};
    static const char *const types[] = {"f32",  "f16",  "bf16", "q8_0", "q4_0", "q4_1",
                                        "q5_0", "q5_1", "q4_K", "Q5_K", "Q6_K", "q4_k_m"};

    (void)state;
    for (size_t i = 0; i < sizeof(architectures) / sizeof(architectures[0]); i++)
        for (size_t j = 0; j < sizeof(types) / sizeof(types[0]); j++) {
            char options[128];

            snprintf(options, sizeof(options), "--arch %s --type %s --shape tiny,layers=1,factors=1,window=8",
                     architectures[i], types[j]);
            assert_int_equal(make(options, "model"), 0);
            assert_int_equal(inspect(in_folder("model"), ""), 0);
            assert_holds("out", "check: sound");
        }
}

static void the_same_for_the_same_seed(void **state)
{
    (void)state;
    assert_int_equal(make("--arch llama --seed 7", "one"), 0);
    assert_int_equal(make("--arch llama --seed 7 --json", "two"), 0);
    assert_holds("out", "{\"tensors\": 21, \"parameters\": 1443072, \"bytes\": ");
    assert_true(same(in_folder("one"), in_folder("two")));
    assert_int_equal(make("--arch llama --seed 8", "two"), 0);
    assert_false(same(in_folder("one"), in_folder("two")));
}

static void what_inspect_says(void **state)
{
    (void)state;
    assert_int_equal(make("--arch gemma3 --shape layers=1,embedding=64,feed=96,window=5,vocabulary=400", "m"),
                     0);
    assert_int_equal(inspect(in_folder("m"), "--json"), 0);
    assert_holds("out", "\"sliding_window\": 5");
    assert_holds("out", "\"vocabulary\": 400");
    assert_holds("out", "\"error\": null");
    assert_holds("out", "\"sha256\": \"");
    assert_int_equal(truncate(in_folder("m"), 20000), 0);
    assert_int_equal(inspect(in_folder("m"), "--json"), EXIT_WRONG);
    assert_holds("out", " bytes in a file of 20000\"");
    assert_holds("err", "mk-model: m: tensor 'token_embd.weight' at byte ");
}

static void a_vocabulary_of_another(void **state)
{
    (void)state;
    assert_int_equal(make("--arch llama --shape vocabulary=400,layers=1", "from"), 0);
    assert_int_equal(run(command_make_random, "make-random --arch qwen3 --vocabulary /nowhere -o x"),
                     EXIT_WRONG);
    for (int more = 0; more < 2; more++) {
        char line[1024];

        snprintf(line, sizeof(line),
                 "make-random --arch qwen3 --shape layers=1,vocabulary=%d --vocabulary %s -o %s",
                 more != 0 ? 500 : 300, in_folder("from"), in_folder("to"));
        assert_int_equal(run(command_make_random, line), 0);
        assert_int_equal(inspect(in_folder("to"), ""), 0);
        assert_holds("out", more != 0 ? "vocabulary 500" : "vocabulary 400");
        assert_holds("out", "[\"<unk>\",\"<s>\",\"</s>\",\"<0x00>\"]");
    }
}

/* Each number is at most so far from the one before, of the greatest that there is. */
static void quantize_to(const char *type, float most)
{
    struct work work = {.hooks = &host_hooks};
    const struct airt_options options = {0};
    struct model_file files[2];
    struct gguf *models[2];
    struct airt_error error;
    const char *const paths[] = {in_folder("plain"), in_folder("small")};

    assert_int_equal(quantize(paths[0], paths[1], type), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(model_file_open(&files[i], paths[i]));
        if (gguf_load(&work, &options, &files[i].source, &models[i], &error) != 0)
            fail_msg("%s", error.text);
    }
    assert_int_equal(models[0]->file.tensor_count, models[1]->file.tensor_count);
    for (uint32_t i = 0; i < models[0]->file.tensor_count; i++) {
        const struct gguf_tensor *before = &models[0]->file.tensors[i];
        const struct gguf_tensor *after = &models[1]->file.tensors[i];
        float plain[512];
        float small[512];

        if (before->dimensions == 1)
            assert_int_equal(after->type, TENSOR_F32);
        assert_true(before->counts[0] <= 512 && after->counts[0] == before->counts[0]);
        tensor_dequantize_row(before->type, before->data, plain, before->counts[0]);
        tensor_dequantize_row(after->type, after->data, small, before->counts[0]);
        for (uint64_t j = 0; j < before->counts[0]; j++) {
            float error_of = plain[j] > small[j] ? plain[j] - small[j] : small[j] - plain[j];

            assert_true(error_of <= most * 0.65f);
        }
    }
    for (int i = 0; i < 2; i++) {
        gguf_free(&host_hooks, models[i]);
        model_file_close(&files[i]);
    }
}

static void quantize_every_type(void **state)
{
    (void)state;
    assert_int_equal(make("--arch phi3 --shape tiny,layers=1,factors=1", "plain"), 0);
    quantize_to("F32", 0);
    assert_true(same(in_folder("plain"), in_folder("small")));
    quantize_to("F16", 1.0f / 2048);
    quantize_to("BF16", 1.0f / 256);
    quantize_to("Q8_0", 1.0f / 128);
    quantize_to("Q6_K", 1.0f / 32);
    quantize_to("Q5_K", 1.0f / 16);
    quantize_to("Q5_1", 1.0f / 16);
    quantize_to("Q5_0", 1.0f / 16);
    quantize_to("Q4_K", 1.0f / 8);
    quantize_to("Q4_1", 1.0f / 8);
    quantize_to("Q4_0", 1.0f / 8);
    quantize_to("Q4_K_M --json", 1.0f / 8);
    assert_holds("out", "\"bytes_before\": ");
}

static void quantize_what_it_should_not(void **state)
{
    (void)state;
    assert_int_equal(make("--arch llama --shape layers=1", "plain"), 0);
    assert_int_equal(quantize(in_folder("plain"), in_folder("plain"), "Q8_0"), EXIT_WRONG);
    assert_holds("err", "IN and OUT are the same file");
    assert_int_equal(quantize(in_folder("plain"), in_folder("x"), "Q9"), EXIT_USAGE);
    assert_holds("err", "Q9: choose F32, F16");
    assert_int_equal(quantize(in_folder("none"), in_folder("x"), "Q8_0"), EXIT_WRONG);
    assert_int_equal(quantize(in_folder("plain"), "/nowhere/x", "Q8_0"), EXIT_WRONG);
    assert_holds("err", "/nowhere/x: ");
    assert_int_equal(quantize(in_folder("plain"), "", ""), EXIT_USAGE);
}

/* The types of SmolLM2-135M in Q4_K_M: 576 is not a multiple of 256. */
static void types_of_a_mix(void **state)
{
    struct mix mix;

    (void)state;
    assert_true(mix_parse("Q4_K_M", &mix));
    assert_int_equal(mix_type(&mix, "token_embd.weight", 30, true, 576), TENSOR_Q8_0);
    assert_int_equal(mix_type(&mix, "token_embd.weight", 30, false, 2048), TENSOR_Q4_K);
    assert_int_equal(mix_type(&mix, "output.weight", 30, false, 2048), TENSOR_Q6_K);
    assert_int_equal(mix_type(&mix, "blk.0.attn_q.weight", 30, true, 576), TENSOR_Q5_0);
    assert_int_equal(mix_type(&mix, "blk.0.attn_v.weight", 30, true, 576), TENSOR_Q8_0);
    assert_int_equal(mix_type(&mix, "blk.3.attn_v.weight", 30, true, 576), TENSOR_Q5_0);
    assert_int_equal(mix_type(&mix, "blk.5.ffn_down.weight", 30, true, 1536), TENSOR_Q6_K);
    assert_int_equal(mix_type(&mix, "blk.4.ffn_down.weight", 30, true, 1536), TENSOR_Q4_K);
    assert_int_equal(mix_type(&mix, "blk.26.ffn_down.weight", 30, true, 1536), TENSOR_Q6_K);
    assert_int_equal(mix_type(&mix, "blk.0.attn_qkv.weight", 30, true, 1536), TENSOR_Q5_K);
    assert_int_equal(mix_type(&mix, "blk.0.attn_qkv.weight", 30, true, 1504), TENSOR_Q5_1);
    assert_int_equal(mix_type(&mix, "blk.0.attn_q.weight", 30, true, 172), TENSOR_F16);
}

static void usage(void **state)
{
    (void)state;
    assert_int_equal(run(command_inspect, "inspect"), EXIT_USAGE);
    assert_int_equal(run(command_inspect, "inspect --wrong x"), EXIT_USAGE);
    assert_int_equal(run(command_inspect, "inspect --help"), 0);
    assert_holds("out", "Usage: mk-model inspect");
    assert_int_equal(run(command_inspect, "inspect /nowhere"), EXIT_WRONG);
    assert_holds("err", "mk-model: /nowhere: No such file");
    assert_int_equal(inspect(folder, ""), EXIT_WRONG);
    assert_int_equal(run(command_quantize, "quantize --help"), 0);
    assert_int_equal(run(command_make_random, "make-random --help"), 0);
    assert_int_equal(run(command_make_random, "make-random -o x"), EXIT_USAGE);
    assert_int_equal(run(command_make_random, "make-random --arch gpt -o x"), EXIT_USAGE);
    assert_holds("err", "--arch gpt: choose llama");
    assert_int_equal(run(command_make_random, "make-random --arch llama --type Q3 -o x"), EXIT_USAGE);
    assert_int_equal(run(command_make_random, "make-random --arch llama --seed -1 -o x"), EXIT_USAGE);
    assert_int_equal(run(command_make_random, "make-random --arch llama --shape huge -o x"), EXIT_USAGE);
    assert_int_equal(run(command_make_random, "make-random --arch llama --shape layers=0 -o x"), EXIT_USAGE);
    assert_int_equal(run(command_make_random, "make-random --arch llama --shape heads=3 -o x"), EXIT_USAGE);
    assert_int_equal(run(command_make_random, "make-random --arch llama --shape head_length=7 -o x"),
                     EXIT_USAGE);
    assert_int_equal(run(command_make_random, "make-random --arch llama -o /nowhere/x"), EXIT_WRONG);
}

/* Files as others make them: every shared one is sound, and Q8_0 is what another quantizer made of the same.
 */
static void shared_models(void **state)
{
    static const char *const names[] = {
        "stories260K/stories260K.gguf",    "stories260K/stories260K-Q8_0.gguf", "vocab/ggml-vocab-gpt-2.gguf",
        "vocab/ggml-vocab-llama-bpe.gguf", "vocab/ggml-vocab-llama-spm.gguf",   "vocab/ggml-vocab-phi-3.gguf",
        "vocab/ggml-vocab-qwen2.gguf"};
    const char *shared = getenv("MK_SHARED") != NULL ? getenv("MK_SHARED") : SHARED;
    struct work work = {.hooks = &host_hooks};
    const struct airt_options options = {0};
    struct model_file files[2];
    struct gguf *models[2];
    struct airt_error error;
    char paths[2][400];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(paths[0], sizeof(paths[0]), "%s/models/%s", shared, names[i]);
        if (access(paths[0], R_OK) != 0) {
            print_message("skipped: no %s\n", paths[0]);
            skip();
        }
        assert_int_equal(inspect(paths[0], ""), 0);
    }
    snprintf(paths[0], sizeof(paths[0]), "%s/models/%s", shared, names[0]);
    assert_int_equal(quantize(paths[0], in_folder("q8"), "Q8_0"), 0);
    snprintf(paths[0], sizeof(paths[0]), "%s/models/%s", shared, names[1]);
    snprintf(paths[1], sizeof(paths[1]), "%s", in_folder("q8"));
    for (int i = 0; i < 2; i++) {
        assert_true(model_file_open(&files[i], paths[i]));
        assert_int_equal(gguf_load(&work, &options, &files[i].source, &models[i], &error), 0);
    }
    for (uint32_t i = 0; i < models[0]->file.tensor_count; i++) {
        const struct gguf_tensor *theirs = &models[0]->file.tensors[i];
        const struct gguf_tensor *ours =
            gguf_tensor_find(&models[1]->file, models[0]->file.bytes + theirs->name.at, theirs->name.length);

        assert_non_null(ours);
        assert_int_equal(ours->type, theirs->type);
        assert_memory_equal(ours->data, theirs->data, theirs->size);
    }
    for (int i = 0; i < 2; i++) {
        gguf_free(&host_hooks, models[i]);
        model_file_close(&files[i]);
    }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

/* Runs tokenize with a text on standard input; its output, to be freed. */
static char *tokenized(const char *options, const char *text)
{
    char line[256];
    FILE *file = fopen(in_folder("from"), "w");
    size_t size;

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
    assert_non_null(freopen(in_folder("from"), "r", stdin));
    snprintf(line, sizeof(line), "tokenize %s %s", in_folder("model"), options);
    assert_int_equal(run(command_tokenize, line), 0);
    return contents(in_folder("out"), &size);
}

static void tokenize_a_text(void **state)
{
    char *plain;
    char *whole;

    (void)state;
    assert_int_equal(make("--arch llama", "model"), 0);
    plain = tokenized("", "Once upon");
    assert_true(strlen(plain) > 2 && strspn(plain, "0123456789 ") == strlen(plain) - 1);
    assert_int_equal(plain[strlen(plain) - 1], '\n');
    whole = tokenized("--whole --special", "Once upon");
    /* The model's first token goes before the same. */
    assert_true(strlen(whole) > strlen(plain));
    assert_string_equal(whole + strlen(whole) - strlen(plain), plain);
    free(plain);
    free(whole);
    plain = tokenized("", "");
    assert_string_equal(plain, "\n");
    free(plain);
    assert_int_equal(run(command_tokenize, "tokenize"), EXIT_USAGE);
    assert_int_equal(run(command_tokenize, "tokenize a b"), EXIT_USAGE);
    assert_int_equal(run(command_tokenize, "tokenize --strange a"), EXIT_USAGE);
    assert_int_equal(run(command_tokenize, "tokenize /nowhere/model"), EXIT_WRONG);
    assert_int_equal(run(command_tokenize, "tokenize --help"), 0);
    assert_holds("out", "Usage: mk-model tokenize");
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"out",  "err", "model", "one",   "two", "m",
                                        "from", "to",  "plain", "small", "q8"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(in_folder(names[i]));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_architecture_and_type),
        cmocka_unit_test(the_same_for_the_same_seed),
        cmocka_unit_test(what_inspect_says),
        cmocka_unit_test(a_vocabulary_of_another),
        cmocka_unit_test(quantize_every_type),
        cmocka_unit_test(quantize_what_it_should_not),
        cmocka_unit_test(types_of_a_mix),
        cmocka_unit_test(tokenize_a_text),
        cmocka_unit_test(usage),
        cmocka_unit_test(shared_models),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
