/* SPDX-License-Identifier: MIT */
#include "gguf/reader.h"

#include <errno.h>
#include <string.h>

#include "message.h"

#define FIRST_READ (UINT64_C(64) << 10)
#define READ_MAX   (UINT64_C(8) << 20) /* at once: what airt.h promises to a source */

/* ---- memory ---- */

static int fail_memory(struct gguf_reader *reader, const char *what, uint64_t bytes)
{
    message_start(reader->error, reader->name);
    message_text(reader->error, "no memory for ");
    message_text(reader->error, what);
    message_text(reader->error, ": ");
    message_number(reader->error, (bytes >> 20) + ((bytes & 0xfffff) != 0));
    message_text(reader->error, " MiB");
    return -ENOMEM;
}

void *gguf_allocate(struct gguf_reader *reader, const char *what, uint64_t count, size_t size)
{
    const struct airt_hooks *hooks = reader->work->hooks;
    struct gguf_file *file = &reader->gguf->file;
    struct gguf_block *block = &file->blocks[file->block_count];

    if (count > SIZE_MAX / size || file->block_count == sizeof(file->blocks) / sizeof(file->blocks[0])) {
        fail_memory(reader, what, UINT64_MAX);
        return NULL;
    }
    block->size = (size_t)count * size;
    if (block->size == 0)
        block->size = 1;
    if (reader->memory_max > 0 &&
        (file->bytes_held > reader->memory_max || block->size > reader->memory_max - file->bytes_held)) {
        fail_memory(reader, what, block->size);
        message_text(reader->error, ", and the limit for all is ");
        message_number(reader->error, reader->memory_max >> 20);
        message_text(reader->error, " MiB");
        return NULL;
    }
    block->memory = hooks->alloc(hooks->context, block->size);
    if (block->memory == NULL) {
        fail_memory(reader, what, block->size);
        return NULL;
    }
    file->bytes_held += block->size;
    file->block_count++;
    return block->memory;
}

void gguf_release(const struct airt_hooks *hooks, struct gguf_file *file, const void *memory)
{
    for (uint32_t i = 0; i < file->block_count; i++) {
        struct gguf_block block = file->blocks[i];

        if (block.memory != memory)
            continue;
        file->blocks[i] = file->blocks[--file->block_count];
        file->bytes_held -= block.size;
        hooks->free(hooks->context, block.memory, block.size);
        return;
    }
}

/* ---- bytes ---- */

int gguf_read(struct gguf_reader *reader, uint64_t offset, void *out, uint64_t length)
{
    const struct airt_source *source = reader->source;
    char *next = out;

    while (length > 0) {
        size_t part = (size_t)(length < READ_MAX ? length : READ_MAX);
        int rc = source->read(source->context, offset, next, part);

        if (rc != 0) {
            message_start(reader->error, reader->name);
            message_text(reader->error, "cannot be read at byte ");
            message_number(reader->error, offset);
            return rc < 0 ? rc : -EIO;
        }
        rc = work_spend(reader->work, part);
        if (rc != 0)
            return rc;
        next += part;
        offset += part;
        length -= part;
    }
    return 0;
}

int gguf_fetch(struct gguf_reader *reader, uint64_t length)
{
    struct gguf_file *file = &reader->gguf->file;
    uint64_t end = reader->at + length;
    uint64_t capacity = reader->capacity > 0 ? reader->capacity : FIRST_READ;
    char *memory;
    int rc;

    if (end <= reader->available)
        return 0;
    /* Twice as much each time: copying what is there costs no more than having read it. */
    while (capacity < end)
        capacity *= 2;
    if (capacity > reader->source->size)
        capacity = reader->source->size;
    memory = gguf_allocate(reader, "the keys", capacity, 1);
    if (memory == NULL)
        return -ENOMEM;
    if (reader->available > 0)
        memcpy(memory, file->bytes, (size_t)reader->available);
    gguf_release(reader->work->hooks, file, file->bytes);
    file->bytes = memory;
    reader->capacity = capacity;
    rc = gguf_read(reader, reader->available, memory + reader->available, capacity - reader->available);
    if (rc == 0)
        reader->available = capacity;
    return rc;
}

/* ---- errors ---- */

struct gguf_place gguf_key_place(const struct gguf_key *key)
{
    return (struct gguf_place){.kind = "key", .name = key->name, .at = key->name.at};
}

struct gguf_place gguf_tensor_place(const struct gguf_tensor *tensor)
{
    return (struct gguf_place){.kind = "tensor", .name = tensor->name, .at = tensor->at};
}

/* A text of the file, as an error may show it. */
static void quote(struct gguf_reader *reader, struct airt_text text)
{
    char shown[64];
    size_t length = text.length < sizeof(shown) - 1 ? text.length : sizeof(shown) - 1;

    for (size_t i = 0; i < length; i++)
        shown[i] = text.bytes[i] >= ' ' && text.bytes[i] <= '~' ? text.bytes[i] : '?';
    shown[length] = '\0';
    message_text(reader->error, "'");
    message_text(reader->error, shown);
    message_text(reader->error, length < text.length ? "...'" : "'");
}

static void start(struct gguf_reader *reader, struct gguf_place place)
{
    message_start(reader->error, reader->name);
    if (place.kind != NULL) {
        message_text(reader->error, place.kind);
        message_text(reader->error, " ");
        if (place.name.length > 0)
            quote(reader, (struct airt_text){reader->gguf->file.bytes + place.name.at, place.name.length});
        else
            message_number(reader->error, place.number);
        message_text(reader->error, " at ");
    }
    message_text(reader->error, "byte ");
    message_number(reader->error, place.at);
    message_text(reader->error, ": ");
}

int gguf_fail(struct gguf_reader *reader, struct gguf_place place, const char *text)
{
    start(reader, place);
    message_text(reader->error, text);
    return -EINVAL;
}

int gguf_fail_number(struct gguf_reader *reader, struct gguf_place place, const char *before, uint64_t found,
                     const char *after)
{
    start(reader, place);
    message_text(reader->error, before);
    message_number(reader->error, found);
    message_text(reader->error, after);
    return -EINVAL;
}

int gguf_fail_numbers(struct gguf_reader *reader, struct gguf_place place, const char *before, uint64_t found,
                      const char *between, uint64_t expected, const char *after)
{
    start(reader, place);
    message_text(reader->error, before);
    message_number(reader->error, found);
    message_text(reader->error, between);
    message_number(reader->error, expected);
    message_text(reader->error, after);
    return -EINVAL;
}

int gguf_fail_unknown(struct gguf_reader *reader, struct gguf_place place, struct airt_text found,
                      const char *expected)
{
    start(reader, place);
    quote(reader, found);
    message_text(reader->error, ", known are ");
    message_text(reader->error, expected);
    return -EINVAL;
}

int gguf_fail_missing(struct gguf_reader *reader, const char *kind, const char *name)
{
    message_start(reader->error, reader->name);
    message_text(reader->error, kind);
    message_text(reader->error, " '");
    message_text(reader->error, name);
    message_text(reader->error, "' is missing");
    return -EINVAL;
}
