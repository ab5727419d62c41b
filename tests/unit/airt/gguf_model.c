/* SPDX-License-Identifier: MIT */
#include "gguf_model.h"

#include <stdio.h>

#include "tensor/quantize.h"

/* NULL: there is none, or none is asked for. */
static const struct gguf_key *find(const struct gguf_file *file, const char *name)
{
    return name != NULL ? gguf_key_find(file, name, strlen(name)) : NULL;
}

/* A copy of the keys, but for what is changed. */
static void copy_keys(struct writer *head, const struct gguf_file *file, const struct change *change)
{
    const struct gguf_key *changed = find(file, change->key);

    const struct gguf_key *without = find(file, change->without);

    for (uint32_t i = 0; i < file->key_count; i++)
        if ((&file->keys[i] != changed || change->again) && &file->keys[i] != without)
            write_key_of(head, file, &file->keys[i]);
    if (change->raw == NULL || change->key == NULL)
        return;
    head->keys++;
    writer_text(head, change->key, strlen(change->key));
    writer_bytes(head, change->raw, change->raw_size);
}

static void write_info(struct writer *head, const char *name, const struct gguf_tensor *tensor,
                       uint64_t offset, const struct change *change)
{
    uint64_t counts[GGUF_DIMENSIONS];
    uint32_t dimensions = tensor->dimensions;
    uint32_t type = tensor->type;
    enum what what = change->tensor != NULL && strcmp(name, change->tensor) == 0 ? change->what : 0;

    if (what == OMIT)
        return;
    memcpy(counts, tensor->counts, sizeof(counts));
    if (what == COLUMNS)
        counts[0] = change->number;
    if (what == ROWS)
        counts[1] = change->number;
    if (what == DEPTH) {
        dimensions = 3;
        counts[2] = change->number;
    }
    if (what == TYPE)
        type = (uint32_t)change->number;
    head->tensors++;
    if (what == NAME)
        name = change->text;
    writer_text(head, name, strlen(name));
    writer_u32(head, what == DIMENSIONS ? (uint32_t)change->number : dimensions);
    writer_bytes(head, counts, dimensions * sizeof(counts[0]));
    writer_u32(head, type);
    writer_u64(head, what == OFFSET ? offset + change->number : offset);
}

static uint64_t patch_start(const struct writer *head, const struct change *change)
{
    const struct airt_source from = {.name = "patched", .mapped = head->bytes, .size = head->size};
    struct work work = {.hooks = &hooks};
    struct gguf *tables;
    uint64_t start = 0;

    if (change->patch_key == NULL && change->patch_tensor == NULL)
        return 0;
    if (gguf_load_tables(&work, &from, &tables, &error) != 0)
        fail_msg("%s", error.text);
    if (change->patch_key != NULL) {
        start = gguf_key_find(&tables->file, change->patch_key, strlen(change->patch_key))->value;
    } else {
        start = gguf_tensor_find(&tables->file, change->patch_tensor, strlen(change->patch_tensor))->offset;
        start += tables->file.data_start;
    }
    gguf_free(&hooks, tables);
    return start;
}

static struct model_bytes finish(struct writer *head, const struct change *change)
{
    static const char zeros[256];

    if (change->patch_size > 0)
        memcpy(head->bytes + patch_start(head, change) + change->patch_at, change->patch, change->patch_size);
    writer_bytes(head, zeros, change->more);
    return (struct model_bytes){head->bytes, head->size - change->cut};
}

/* The model as it should be, without data; read back, it is what is changed. */
static struct gguf *tables_of(const struct change *change, struct writer *plain, struct weight **weights,
                              size_t *count)
{
    struct shape shape = {.architecture = change->architecture};
    struct work work = {.hooks = &hooks};
    struct airt_source from = {.name = "plain"};
    struct gguf *tables;
    struct mix mix;
    uint64_t size = 0;

    assert_true(mix_parse(change->type != NULL ? change->type : "F32", &mix));
    assert_true(shape_parse(change->shape != NULL ? change->shape : SMALL, &shape));
    writer_begin(plain);
    write_shape_keys(plain, &shape);
    write_vocabulary_keys(plain, &shape, NULL);
    *count = list_weights(&shape, &mix, weights);
    for (size_t i = 0; i < *count; i++) {
        const struct weight *weight = &(*weights)[i];

        writer_tensor(plain, weight->name, weight->type, weight->columns, weight->rows, size);
        size +=
            (tensor_row_size(weight->type, weight->columns) * (weight->rows > 0 ? weight->rows : 1) + 31) &
            ~UINT64_C(31);
    }
    writer_end(plain, 3, 32);
    /* The tables are checked against the size of a file. */
    from.mapped = plain->bytes;
    from.size = plain->size + size;
    if (gguf_load_tables(&work, &from, &tables, &error) != 0)
        fail_msg("%s", error.text);
    return tables;
}

static void write_data(struct writer *head, const struct weight *weight, size_t number, uint64_t alignment)
{
    static const char zeros[65536];
    size_t row_size = tensor_row_size(weight->type, weight->columns);
    float *row = malloc(weight->columns * sizeof(*row));
    char *encoded = malloc(row_size);

    assert_true(row != NULL && encoded != NULL);
    for (uint64_t i = 0; i < weight->rows || i == 0; i++) {
        random_row(weight, 1, number, i, row);
        tensor_quantize_row(weight->type, row, encoded, weight->columns);
        writer_bytes(head, encoded, row_size);
    }
    writer_bytes(head, zeros, (alignment - head->size % alignment) % alignment);
    free(row);
    free(encoded);
}

struct model_bytes model_make(const struct change *change)
{
    struct writer plain;
    struct writer head;
    struct weight *weights;
    size_t count;
    struct gguf *tables = tables_of(change, &plain, &weights, &count);
    uint32_t alignment = change->alignment > 0 ? change->alignment : 32;
    uint64_t offset = 0;

    writer_begin(&head);
    copy_keys(&head, &tables->file, change);
    if (change->alignment > 0)
        writer_key_u32(&head, "general.alignment", alignment);
    for (size_t i = 0; i < count; i++) {
        write_info(&head, weights[i].name, &tables->file.tensors[i], offset, change);
        offset += (tables->file.tensors[i].size + alignment - 1) & ~(uint64_t)(alignment - 1);
    }
    writer_end(&head, 3, alignment);
    for (size_t i = 0; i < count; i++)
        write_data(&head, &weights[i], i, alignment);
    gguf_free(&hooks, tables);
    free(plain.bytes);
    free(weights);
    return finish(&head, change);
}

struct gguf *gguf_of(const struct airt_source *from, const struct airt_options *options)
{
    static const struct airt_options none;
    struct work work = {.hooks = &hooks};
    struct gguf *loaded;

    if (gguf_load(&work, options != NULL ? options : &none, from, &loaded, &error) != 0)
        fail_msg("%s", error.text);
    return loaded;
}

/* ---- one at a time ---- */

struct model_bytes model;
struct airt_source source;
struct gguf *gguf;

void open_model(const struct change *change, const struct airt_options *options)
{
    counters_reset();
    model = model_make(change);
    source = source_open(model.bytes, model.size, false);
    gguf = gguf_of(&source, options);
    assert_int_equal(gguf->file.bytes_held, counters.in_use);
}

void close_model(void)
{
    gguf_free(&hooks, gguf);
    assert_int_equal(counters.in_use, 0);
    source_close(&source);
    free(model.bytes);
}

const char *bytes_of(const char *tensor)
{
    const struct gguf_tensor *found = gguf_tensor_find(&gguf->file, tensor, strlen(tensor));

    assert_non_null(found);
    return model.bytes + gguf->file.data_start + found->offset;
}
