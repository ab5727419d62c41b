/* SPDX-License-Identifier: MIT
 *
 * Memory for a model, and its weights into it: one block, filled in the order of the file, which is hashed on
 * the way.
 */
#include <errno.h>
#include <string.h>

#include "gguf/reader.h"
#include "gguf/sha256.h"
#include "message.h"
#include "tokenizer/tokenizer.h"
#include "transformer/sequence.h"

#define DATA_ALIGNMENT   64u /* of a tensor in memory: a cache line, and the widest vector */
#define MATRIX_ALIGNMENT 32u /* what types.h promises */
#define HASH_STEP        (UINT64_C(64) << 10)
#define READ_STEP        (UINT64_C(8) << 20)
#define CONTEXT_LEAST    64 /* tokens: with fewer a model is of no use */

static uint64_t round_up(uint64_t size, uint64_t alignment)
{
    return (size + alignment - 1) / alignment * alignment;
}

static uint64_t mebibytes(uint64_t bytes)
{
    return (bytes >> 20) + ((bytes & 0xfffff) != 0);
}

/* ---- how much memory ---- */

/* `held`: bytes that the model takes; `inference`: for the whole context. */
static int fail_budget(struct gguf_reader *reader, uint64_t held, uint64_t inference, uint64_t most)
{
    uint64_t all;

    if (__builtin_add_overflow(held, inference, &all))
        all = UINT64_MAX;
    message_start(reader->error, reader->name);
    message_text(reader->error, "needs ");
    message_number(reader->error, mebibytes(all));
    message_text(reader->error, " MiB of memory (");
    message_number(reader->error, mebibytes(inference));
    message_text(reader->error, " of it for a context of ");
    message_number(reader->error, reader->gguf->plan.context_length);
    message_text(reader->error, " tokens), there are ");
    message_number(reader->error, most >> 20);
    message_text(reader->error, " MiB");
    return -ENOMEM;
}

/* Decides on the context, and whether the model and an inference fit. */
static int plan_memory(struct gguf_reader *reader, const struct airt_options *options, uint64_t weights)
{
    struct gguf *gguf = reader->gguf;
    struct plan *plan = &gguf->plan;
    uint64_t held = gguf->file.bytes_held + weights;
    uint64_t most = options->memory_max;
    uint64_t per_token;
    uint64_t inference;
    uint64_t room;
    struct engine engine = {.plan = plan, .cache_f32 = options->cache_f32};
    uint64_t tokenizer;
    uint64_t step;

    /* The file holds as many rows of keys and values, so this is no more than 16 times its size. */
    per_token = (uint64_t)plan->kv_heads * plan->head_length * 2 * (options->cache_f32 ? 4 : 2);
    per_token *= plan->layer_count;
    gguf->cache_bytes_per_token = per_token;
    if (options->context_length > 0 && options->context_length < plan->context_length)
        plan->context_length = options->context_length;
    if (most == 0)
        return 0;

    if (tokenizer_size_most(&gguf->vocabulary, reader->work, &tokenizer) != 0)
        return -ECANCELED;
    held += tokenizer;
    engine.batch = options->prefill_batch > 0 ? options->prefill_batch : ENGINE_BATCH;
    if (engine.batch > plan->context_length)
        engine.batch = plan->context_length;
    step = sequence_step_size(&engine);
    room = held < most && step < most - held ? (most - held - step) / per_token : 0;
    if (room >= plan->context_length)
        return 0;
    if (options->context_length == 0 && room >= CONTEXT_LEAST) {
        plan->context_length = (uint32_t)room;
        return 0;
    }
    if (options->context_length == 0 && plan->context_length > CONTEXT_LEAST)
        plan->context_length = CONTEXT_LEAST;
    if (__builtin_mul_overflow(per_token, plan->context_length, &inference) ||
        __builtin_add_overflow(inference, step, &inference))
        inference = UINT64_MAX;
    return fail_budget(reader, held, inference, most);
}

/* ---- where the tensors are ---- */

static void point_into(struct gguf_file *file, const char *data)
{
    uint64_t place = 0;

    for (uint32_t i = 0; i < file->tensor_count; i++) {
        struct gguf_tensor *tensor = &file->tensors[i];

        /* As in the file; unless that packs them closer than they may be in memory. */
        if (file->alignment >= MATRIX_ALIGNMENT)
            place = tensor->offset;
        tensor->data = data + place;
        place += round_up(tensor->size, MATRIX_ALIGNMENT);
    }
}

static uint64_t memory_size(const struct gguf_file *file)
{
    uint64_t size = 0;

    if (file->alignment >= MATRIX_ALIGNMENT)
        return file->data_size + DATA_ALIGNMENT;
    for (uint32_t i = 0; i < file->tensor_count; i++)
        size += round_up(file->tensors[i].size, MATRIX_ALIGNMENT);
    return size + DATA_ALIGNMENT;
}

/* ---- reading ---- */

static int hash(struct gguf_reader *reader, struct sha256 *sha, const void *bytes, uint64_t length)
{
    const char *next = bytes;

    while (length > 0) {
        size_t part = (size_t)(length < HASH_STEP ? length : HASH_STEP);
        int rc;

        gguf_sha256_add(sha, next, part);
        rc = work_spend(reader->work, part);
        if (rc != 0)
            return rc;
        next += part;
        length -= part;
    }
    return 0;
}

/* Reads what stands at an offset of the data, and hashes it. */
static int take(struct gguf_reader *reader, struct sha256 *sha, uint64_t offset, char *out, uint64_t length)
{
    const struct airt_source *source = reader->source;
    const char *mapped = source->mapped;
    int rc = 0;

    offset += reader->gguf->file.data_start;
    while (length > 0 && rc == 0) {
        uint64_t part = length < READ_STEP ? length : READ_STEP;

        if (mapped == NULL)
            rc = gguf_read(reader, offset, out, part);
        else
            memcpy(out, mapped + offset, (size_t)part);
        if (rc == 0)
            rc = hash(reader, sha, out, part);
        out += part;
        offset += part;
        length -= part;
    }
    return rc;
}

static int read_data(struct gguf_reader *reader, struct sha256 *sha, char *data)
{
    struct gguf_file *file = &reader->gguf->file;
    char padding[MATRIX_ALIGNMENT];
    int rc = 0;

    if (file->alignment >= MATRIX_ALIGNMENT)
        return take(reader, sha, 0, data, file->data_size);
    for (uint32_t i = 0; i < file->tensor_count && rc == 0; i++) {
        struct gguf_tensor *tensor = &file->tensors[i];
        uint64_t behind = tensor->offset + tensor->size;
        size_t place = (size_t)((const char *)tensor->data - data);

        rc = take(reader, sha, tensor->offset, data + place, tensor->size);
        if (rc == 0 && i + 1 < file->tensor_count)
            rc = take(reader, sha, behind, padding, tensor[1].offset - behind);
    }
    return rc;
}

/* What follows the last tensor: less than an alignment. */
static int hash_end(struct gguf_reader *reader, struct sha256 *sha)
{
    const struct gguf_file *file = &reader->gguf->file;
    uint64_t left = reader->source->size - file->data_start - file->data_size;
    uint64_t offset = file->data_size;
    char padding[256];
    int rc = 0;

    while (left > 0 && rc == 0) {
        uint64_t part = left < sizeof(padding) ? left : sizeof(padding);

        rc = take(reader, sha, offset, padding, part);
        offset += part;
        left -= part;
    }
    return rc;
}

/* Longrope and rope_freqs divide by these. */
static int check_factors(struct gguf_reader *reader)
{
    static const char *const names[] = {"rope_freqs.weight", "rope_factors_short.weight",
                                        "rope_factors_long.weight"};
    const struct gguf_file *file = &reader->gguf->file;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_find(file, names[i], strlen(names[i]));

        for (uint64_t j = 0; tensor != NULL && j < tensor->counts[0]; j++) {
            float factor = ((const float *)tensor->data)[j];

            if (!(factor >= 1e-30f && factor <= 1e30f))
                return gguf_fail_numbers(reader, gguf_tensor_place(tensor), "number ", j, " at byte ",
                                         file->data_start + tensor->offset + j * sizeof(float),
                                         " is not above 0 and finite");
        }
    }
    return 0;
}

int gguf_read_weights(struct gguf_reader *reader, const struct airt_options *options)
{
    struct gguf_file *file = &reader->gguf->file;
    const char *mapped = reader->source->mapped;
    bool in_place = mapped != NULL && file->alignment >= MATRIX_ALIGNMENT &&
                    (uintptr_t)(mapped + file->data_start) % MATRIX_ALIGNMENT == 0;
    uint64_t size = in_place ? 0 : memory_size(file);
    struct sha256 sha;
    char *memory = NULL;
    int rc = gguf_bind(reader); /* the shapes, before anything is spent on it */

    if (rc == 0)
        rc = plan_memory(reader, options, size);
    if (rc != 0)
        return rc;
    gguf_sha256_init(&sha);
    rc = hash(reader, &sha, file->bytes, file->data_start);
    if (rc != 0)
        return rc;
    if (in_place) {
        point_into(file, mapped + file->data_start);
        rc = hash(reader, &sha, mapped + file->data_start, file->data_size);
    } else {
        memory = gguf_allocate(reader, "the weights", size, 1);
        if (memory == NULL)
            return -ENOMEM;
        memory += -(uintptr_t)memory % DATA_ALIGNMENT;
        point_into(file, memory);
        rc = read_data(reader, &sha, memory);
    }
    if (rc == 0)
        rc = hash_end(reader, &sha);
    if (rc == 0)
        rc = check_factors(reader);
    gguf_sha256_finish(&sha, reader->gguf->sha256);
    return rc == 0 ? gguf_bind(reader) : rc;
}
