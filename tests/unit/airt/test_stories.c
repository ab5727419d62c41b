/* SPDX-License-Identifier: MIT
 *
 * A trained model, which stands outside the tree: $MK_SHARED/models/stories260K (default: ../shared beside
 * the sources), against the logits and greedy tokens of a reference engine.
 */
#include "support.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#define VOCABULARY 512
#define PROMPT     5 /* tokens of "Once upon a time" */
#define IDS_MAX    256

static const char *path_of(const char *name)
{
    static char path[512];
    const char *shared = getenv("MK_SHARED");

    (void)snprintf(path, sizeof(path), "%s/models/stories260K/%s", shared != NULL ? shared : SHARED, name);
    return path;
}

static size_t read_ids(const char *name, uint32_t *ids)
{
    size_t size;
    char *text = read_file(path_of(name), &size);
    size_t count = 0;

    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (line[0] == '#')
            continue;
        assert_true(count < IDS_MAX);
        ids[count++] = (uint32_t)strtoul(line, NULL, 10);
    }
    free(text);
    return count;
}

static uint32_t largest(const float *logits)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < VOCABULARY; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/* The logits of the reference's own tokens. */
static void compare_logits(struct airt_sequence *sequence, const char *name, const uint32_t *ids,
                           size_t count, double allowed)
{
    static float logits[IDS_MAX * VOCABULARY];
    size_t size;
    char *bytes = read_file(path_of(name), &size);
    size_t equal = 0;

    assert_int_equal(size, count * VOCABULARY * sizeof(float));
    assert_int_equal(airt_sequence_feed(sequence, ids, count, logits, true, &error), 0);
    for (size_t row = 0; row < count; row++) {
        float right[VOCABULARY];

        memcpy(right, bytes + row * sizeof(right), sizeof(right));
        for (size_t i = 0; i < VOCABULARY; i++)
            if (!(fabs((double)logits[row * VOCABULARY + i] - (double)right[i]) <= allowed))
                fail_msg("%s: position %zu, token %zu: %g instead of %g", name, row, i,
                         (double)logits[row * VOCABULARY + i], (double)right[i]);
        equal += largest(logits + row * VOCABULARY) == largest(right);
    }
    assert_true(equal * 100 >= count * 98);
    free(bytes);
}

static void check(const char *model_name, const char *ids_name, const char *logits_name, double allowed,
                  bool same_ids, const char *instruction_set)
{
    const struct airt_options options = {.instruction_set = instruction_set, .cache_f32 = true};
    FILE *there = fopen(path_of(model_name), "rb");
    struct airt_source source = {.name = model_name};
    struct airt_model *model;
    struct airt_sequence *sequence;
    uint32_t ids[IDS_MAX];
    float logits[VOCABULARY];
    size_t count;
    size_t size;

    if (there == NULL) {
        print_message("skipped: no %s (MK_SHARED names the folder that holds models/)\n",
                      path_of(model_name));
        skip();
    }
    (void)fclose(there);
    source.mapped = read_file(path_of(model_name), &size);
    source.size = size;
    if (airt_load_with(&hooks, &options, &source, &model, &error) == -ENOTSUP &&
        strcmp(instruction_set, "avx2") == 0) {
        print_message("skipped: this CPU cannot run avx2\n");
        free((void *)(uintptr_t)source.mapped);
        skip();
        return;
    }
    assert_non_null(model);
    count = read_ids(ids_name, ids);
    assert_int_equal(airt_sequence_create(model, 0, &sequence, &error), 0);
    compare_logits(sequence, logits_name, ids, count, allowed);

    /* Its own words, token by token. */
    airt_sequence_cut(sequence, 0);
    assert_int_equal(airt_sequence_feed(sequence, ids, PROMPT, logits, false, &error), 0);
    for (size_t at = PROMPT; same_ids && at < count; at++) {
        uint32_t id = largest(logits);

        assert_int_equal(id, ids[at]);
        assert_int_equal(airt_sequence_feed(sequence, &id, 1, logits, false, &error), 0);
    }
    airt_sequence_destroy(sequence);
    airt_unload(model);
    free((void *)(uintptr_t)source.mapped);
}

static void f32_sse2(void **state)
{
    (void)state;
    check("stories260K.gguf", "s260k-f32kv.ids", "s260k-f32kv.logits", 1e-4, true, "sse2");
}

static void f32_avx2(void **state)
{
    (void)state;
    check("stories260K.gguf", "s260k-f32kv.ids", "s260k-f32kv.logits", 1e-4, true, "avx2");
}

static void q8_0_sse2(void **state)
{
    (void)state;
    check("stories260K-Q8_0.gguf", "s260k-Q8_0.ids", "s260k-Q8_0.logits", 0.5, false, "sse2");
}

static void q8_0_avx2(void **state)
{
    (void)state;
    check("stories260K-Q8_0.gguf", "s260k-Q8_0.ids", "s260k-Q8_0.logits", 0.5, false, "avx2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(f32_sse2), cmocka_unit_test(f32_avx2),
                                       cmocka_unit_test(q8_0_sse2), cmocka_unit_test(q8_0_avx2)};

    return cmocka_run_group_tests_name("stories", tests, NULL, NULL);
}
