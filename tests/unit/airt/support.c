/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <errno.h>
#include <stdio.h>

#include "utf8.h"

struct counters counters;
unsigned long fail_read;
static unsigned long reads;

struct answer_text answer;
struct airt_result result;
struct airt_error error;

void counters_reset(void)
{
    assert_int_equal(counters.in_use, 0);
    memset(&counters, 0, sizeof(counters));
    reads = 0;
    fail_read = 0;
}

static void *hook_alloc(void *context, size_t size)
{
    size_t *memory;

    (void)context;
    assert_true(size > 0);
    if (++counters.allocations == counters.fail_allocation)
        return NULL;
    memory = malloc(16 + size);
    assert_non_null(memory);
    memory[0] = size;
    memset((char *)memory + 16, 0xa5, size);
    counters.in_use += size;
    if (counters.in_use > counters.peak)
        counters.peak = counters.in_use;
    return (char *)memory + 16;
}

static void hook_free(void *context, void *memory, size_t size)
{
    size_t *start = (size_t *)(void *)((char *)memory - 16);

    (void)context;
    assert_int_equal(start[0], size);
    counters.in_use -= size;
    free(start);
}

static int hook_yield(void *context)
{
    (void)context;
    return ++counters.yields == counters.stop_yield ? 1 : 0;
}

const struct airt_hooks hooks = {.alloc = hook_alloc, .free = hook_free, .yield = hook_yield};

struct buffer {
    size_t size;
    unsigned char bytes[];
};

static int test_read(void *context, uint64_t offset, void *out, size_t length)
{
    const struct buffer *buffer = context;

    assert_true(length > 0 && length <= 8388608);
    assert_true(offset <= buffer->size && length <= buffer->size - offset);
    if (++reads == fail_read)
        return -EIO;
    memcpy(out, buffer->bytes + offset, length);
    return 0;
}

struct airt_source source_open(const void *bytes, size_t size, bool mapped)
{
    struct buffer *buffer = malloc(sizeof(*buffer) + size);
    struct airt_source source = {.context = buffer, .name = "test.kv", .size = size};

    assert_non_null(buffer);
    buffer->size = size;
    memcpy(buffer->bytes, bytes, size);
    if (mapped)
        source.mapped = buffer->bytes;
    else
        source.read = test_read;
    return source;
}

void source_close(struct airt_source *source)
{
    free(source->context);
}

static struct airt_source text_source;

struct airt_model *load_text(const char *text)
{
    struct airt_model *model = NULL;

    counters_reset();
    text_source = source_open(text, strlen(text), true);
    if (airt_load(&hooks, &text_source, &model, &error) != 0)
        fail_msg("%s", error.text);
    return model;
}

void unload_text(struct airt_model *model)
{
    airt_unload(model);
    source_close(&text_source);
    free(answer.text);
    memset(&answer, 0, sizeof(answer));
    assert_int_equal(counters.in_use, 0);
}

int collect(void *context, const char *text, size_t length)
{
    struct answer_text *collected = context;

    assert_true(length > 0);
    for (size_t at = 0; at < length;) {
        uint32_t character;
        size_t bytes = utf8_decode(text + at, length - at, &character);

        assert_true(bytes > 0);
        at += bytes;
    }
    collected->text = realloc(collected->text, collected->length + length + 1);
    assert_non_null(collected->text);
    memcpy(collected->text + collected->length, text, length);
    collected->length += length;
    collected->text[collected->length] = '\0';
    return ++collected->emits == collected->stop_emit ? 1 : 0;
}

int ask_n(struct airt_model *model, const char *prompt, size_t length, uint32_t max_tokens)
{
    /* Exactly as long as it says. */
    char *copy = malloc(length > 0 ? length : 1);
    struct airt_request request = {
        .prompt = copy, .prompt_length = length, .max_tokens = max_tokens, .top_p = 1};
    unsigned long stop = answer.stop_emit;
    int rc;

    assert_non_null(copy);
    memcpy(copy, prompt, length);
    free(answer.text);
    answer = (struct answer_text){.text = calloc(1, 1), .stop_emit = stop};
    rc = airt_infer(model, &request, collect, &answer, &result, &error);
    free(copy);
    return rc;
}

int ask(struct airt_model *model, const char *prompt)
{
    return ask_n(model, prompt, strlen(prompt), 0);
}

char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes;
    long end;

    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    end = ftell(file);
    rewind(file);
    bytes = malloc((size_t)end + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)end, file), end);
    fclose(file);
    bytes[end] = '\0';
    *size = (size_t)end;
    return bytes;
}

static uint64_t random_state = 1;

void random_seed(uint64_t seed)
{
    random_state = seed * 0x9e3779b97f4a7c15u | 1;
}

uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}
