/* SPDX-License-Identifier: MIT
 *
 * From a source of bytes to a model: tables, shape, vocabulary, weights.
 */
#include <errno.h>
#include <string.h>

#include "gguf/reader.h"
#include "message.h"
#include "utf8.h"

void gguf_free(const struct airt_hooks *hooks, struct gguf *gguf)
{
    while (gguf->file.block_count > 0)
        gguf_release(hooks, &gguf->file, gguf->file.blocks[gguf->file.block_count - 1].memory);
    hooks->free(hooks->context, gguf, sizeof(*gguf));
}

/* How much of the weights is of which type: "Q4_K 68 %, Q6_K 32 %". */
static void describe_quantization(struct gguf *gguf)
{
    uint64_t sizes[TENSOR_BF16 + 1] = {0};
    struct airt_error text = {""};

    for (uint32_t i = 0; i < gguf->file.tensor_count; i++) {
        const struct gguf_tensor *tensor = &gguf->file.tensors[i];

        sizes[tensor->type] += tensor->size;
        gguf->weight_bytes += tensor->size;
        gguf->parameters += tensor->counts[0] * tensor->counts[1] * tensor->counts[2] * tensor->counts[3];
    }
    for (;;) {
        uint32_t most = 0;
        uint64_t percent;

        for (uint32_t type = 0; type <= TENSOR_BF16; type++)
            if (sizes[type] > sizes[most])
                most = type;
        /* Norms are a thousandth of a model: not worth a word. */
        percent = sizes[most] > 0 ? (sizes[most] * 100 + gguf->weight_bytes / 2) / gguf->weight_bytes : 0;
        if (percent == 0)
            break;
        if (text.text[0] != '\0')
            message_text(&text, ", ");
        message_text(&text, tensor_type_info(most)->name);
        message_text(&text, " ");
        message_number(&text, percent);
        message_text(&text, " %");
        sizes[most] = 0;
    }
    memcpy(gguf->quantization, text.text, sizeof(gguf->quantization));
    gguf->quantization[sizeof(gguf->quantization) - 1] = '\0';
}

static int read_name(struct gguf_reader *reader)
{
    struct gguf *gguf = reader->gguf;
    int rc;

    gguf->name = (struct airt_text){"", 0};
    rc = gguf_get_text(reader, "general.name", false, &gguf->name);
    for (size_t at = 0; rc == 0 && at < gguf->name.length;) {
        uint32_t character;
        size_t bytes = utf8_decode(gguf->name.bytes + at, gguf->name.length - at, &character);

        if (bytes == 0)
            return gguf_fail(reader, gguf_key_place(gguf_key_find(&gguf->file, "general.name", 12)),
                             "not UTF-8");
        at += bytes;
        rc = work_spend(reader->work, bytes);
    }
    return rc;
}

/* How much of a file is wanted. */
enum part { PART_TABLES, PART_VOCABULARY, PART_ALL };

static int read_part(struct gguf_reader *reader, enum part part, const struct airt_options *options)
{
    struct gguf *gguf = reader->gguf;
    int rc = gguf_read_tables(reader);

    if (rc != 0)
        return rc;
    memcpy(gguf->format, "GGUF ", 5);
    gguf->format[5] = (char)('0' + gguf->file.version);
    describe_quantization(gguf);
    if (part == PART_TABLES)
        return 0;
    rc = read_name(reader);
    if (rc == 0 && part == PART_ALL)
        rc = gguf_read_shape(reader);
    if (rc == 0)
        rc = gguf_read_vocabulary(reader);
    if (rc == 0 && part == PART_ALL)
        rc = gguf_read_weights(reader, options);
    return rc;
}

static int load(struct work *work, enum part part, const struct airt_options *options,
                const struct airt_source *source, struct gguf **out, struct airt_error *error)
{
    struct gguf_reader reader = {.work = work,
                                 .source = source,
                                 .error = error,
                                 .name = source->name != NULL ? source->name : "model",
                                 .memory_max = options != NULL ? options->memory_max : 0};
    struct gguf *gguf = work->hooks->alloc(work->hooks->context, sizeof(*gguf));
    int rc;

    *out = NULL;
    if (gguf == NULL)
        return message_fail(error, reader.name, -ENOMEM, "no memory for the model");
    memset(gguf, 0, sizeof(*gguf));
    gguf->file.bytes_held = sizeof(*gguf);
    reader.gguf = gguf;
    if (source->mapped != NULL) {
        gguf->file.bytes = source->mapped;
        reader.available = source->size;
    }
    if (source->size > INT64_MAX)
        rc = message_fail(error, reader.name, -EINVAL, "a file of 8 EiB or more");
    else
        rc = read_part(&reader, part, options);
    if (rc == -ECANCELED)
        message_fail(error, reader.name, rc, "cancelled");
    if (rc != 0)
        gguf_free(work->hooks, gguf);
    else
        *out = gguf;
    return rc;
}

int gguf_load(struct work *work, const struct airt_options *options, const struct airt_source *source,
              struct gguf **gguf, struct airt_error *error)
{
    return load(work, PART_ALL, options, source, gguf, error);
}

int gguf_load_vocabulary(struct work *work, const struct airt_source *source, struct gguf **gguf,
                         struct airt_error *error)
{
    return load(work, PART_VOCABULARY, NULL, source, gguf, error);
}

int gguf_load_tables(struct work *work, const struct airt_source *source, struct gguf **gguf,
                     struct airt_error *error)
{
    return load(work, PART_TABLES, NULL, source, gguf, error);
}
