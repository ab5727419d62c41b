/* SPDX-License-Identifier: MIT
 *
 * Small random models of every family and type against a reference that was written independently, in numpy:
 * reference/reference.py says what they answer, and how reference.txt is to be read. Their weights are made
 * here from the same seeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <airt/airt.h>

#include "reference_file.h"

#define TOKENS_MAX     32
#define VOCABULARY_MAX 64

static void *take(void *context, size_t size)
{
    (void)context;
    return aligned_alloc(64, (size + 63) / 64 * 64);
}

static void give(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    free(memory);
}

static const struct airt_hooks hooks = {.alloc = take, .free = give};

/* What the model has to answer. */
struct expected {
    char name[80];
    uint32_t tokens[TOKENS_MAX];
    uint32_t count, rows, vocabulary;
    float tolerance;
    float logits[TOKENS_MAX][VOCABULARY_MAX];
};

#define EXACT 1e-3f /* where vectors are not rounded */

static void compare(const struct expected *expected, const float *logits, const char *how)
{
    float tolerance = expected->tolerance;
    float worst = 0;

    if (strcmp(how, "sse2") == 0 && tolerance > EXACT)
        tolerance = EXACT;
    for (uint32_t row = 0; row < expected->count; row++) {
        for (uint32_t i = 0; i < expected->vocabulary; i++) {
            float difference = fabsf(logits[row * expected->vocabulary + i] - expected->logits[row][i]);
            /* Written so that NaN is the worst. */
            if (!(difference <= worst))
                worst = difference;
        }
    }
    if (!(worst <= tolerance))
        fail_msg("%s, %s: a logit is wrong by %g, %g is allowed", expected->name, how, (double)worst,
                 (double)tolerance);
}

static void check_with(const struct expected *expected, const struct reference_file *file,
                       const char *instruction_set)
{
    const struct airt_source source = {.name = expected->name, .size = file->size, .mapped = file->bytes};
    const struct airt_options options = {.instruction_set = instruction_set, .cache_f32 = true};
    float logits[TOKENS_MAX * VOCABULARY_MAX], single[TOKENS_MAX * VOCABULARY_MAX];
    struct airt_description description;
    struct airt_sequence *sequence;
    struct airt_model *model;
    struct airt_error error = {""};
    int result = airt_load_with(&hooks, &options, &source, &model, &error);

    if (result == -ENOTSUP) {
        print_message("%s: this CPU has no %s\n", expected->name, instruction_set);
        return;
    }
    if (result != 0)
        fail_msg("%s: %s", expected->name, error.text);
    airt_describe(model, &description);
    assert_int_equal(description.vocabulary, expected->vocabulary);
    assert_string_equal(description.instruction_set, instruction_set);

    /* No more than is needed: the capacity makes no difference. */
    assert_int_equal(airt_sequence_create(model, expected->count, &sequence, &error), 0);
    assert_int_equal(airt_sequence_feed(sequence, expected->tokens, expected->count, logits, true, &error),
                     0);
    compare(expected, logits, instruction_set);
    /* One token at a time it is the same to the bit. */
    airt_sequence_cut(sequence, 0);
    for (uint32_t i = 0; i < expected->count; i++)
        assert_int_equal(airt_sequence_feed(sequence, &expected->tokens[i], 1,
                                            &single[i * expected->vocabulary], false, &error),
                         0);
    assert_memory_equal(single, logits, expected->count * expected->vocabulary * sizeof(float));
    airt_sequence_destroy(sequence);
    airt_unload(model);
}

static void check(struct expected *expected, struct reference_file *file)
{
    if (expected->count == 0)
        return;
    assert_int_equal(expected->rows, expected->count);
    reference_file_end(file, expected->vocabulary);
    check_with(expected, file, "sse2");
    check_with(expected, file, "avx2");
    reference_file_free(file);
    memset(expected, 0, sizeof(*expected));
}

static void read_tokens(struct expected *expected, char *words)
{
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
        assert_true(expected->count < TOKENS_MAX);
        expected->tokens[expected->count++] = (uint32_t)strtoul(word, NULL, 10);
    }
}

static void read_logits(struct expected *expected, char *words)
{
    uint32_t i = 0;

    assert_true(expected->rows < expected->count);
    for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
        uint32_t bits = (uint32_t)strtoul(word, NULL, 16);

        assert_true(i < expected->vocabulary);
        memcpy(&expected->logits[expected->rows][i++], &bits, sizeof(bits));
    }
    assert_int_equal(i, expected->vocabulary);
    expected->rows++;
}

static void models_answer_as_the_reference(void **state)
{
    static char line[2048];
    static struct expected expected;
    static struct reference_file file;
    FILE *text = fopen(REFERENCE, "r");
    unsigned models = 0;

    (void)state;
    assert_non_null(text);
    while (fgets(line, sizeof(line), text) != NULL) {
        char *space = strchr(line, ' ');

        assert_non_null(space);
        line[strcspn(line, "\n")] = '\0';
        *space++ = '\0';
        if (strcmp(line, "model") == 0) {
            check(&expected, &file);
            (void)snprintf(expected.name, sizeof(expected.name), "%s", space);
            models++;
        } else if (strcmp(line, "seed") == 0) {
            reference_file_begin(&file, strtoull(space, NULL, 10));
        } else if (strcmp(line, "vocabulary") == 0) {
            expected.vocabulary = (uint32_t)strtoul(space, NULL, 10);
            assert_true(expected.vocabulary <= VOCABULARY_MAX);
        } else if (strcmp(line, "tolerance") == 0) {
            expected.tolerance = strtof(space, NULL);
        } else if (strcmp(line, "tokens") == 0) {
            read_tokens(&expected, space);
        } else if (strcmp(line, "logits") == 0) {
            read_logits(&expected, space);
        } else {
            reference_file_add(&file, line, space);
        }
    }
    check(&expected, &file);
    assert_true(models >= 22);
    (void)fclose(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(models_answer_as_the_reference)};

    return cmocka_run_group_tests_name("reference", tests, NULL, NULL);
}
