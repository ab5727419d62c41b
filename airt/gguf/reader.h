/* SPDX-License-Identifier: MIT
 *
 * While a file is loaded: taking its bytes, memory that is freed as a whole, values by key, and the texts of
 * errors. Every call returns 0 or a negative errno with the error set.
 */
#ifndef AIRT_GGUF_READER_H
#define AIRT_GGUF_READER_H

#include "gguf/gguf.h"

struct gguf_reader {
    struct work *work;
    const struct airt_source *source;
    struct airt_error *error;
    struct gguf *gguf;
    const char *name;    /* of the source, for messages */
    uint64_t memory_max; /* bytes that may be held; 0: no limit */
    uint64_t at;         /* where the next byte is taken */
    uint64_t available;  /* bytes in memory */
    uint64_t capacity;   /* of the block that holds them; 0: they are the mapped source */
};

/* ---- reader.c ---- */

/* A block that is freed with the file, within memory_max. NULL: error is set, to "no memory for WHAT: N MiB".
 */
void *gguf_allocate(struct gguf_reader *reader, const char *what, uint64_t count, size_t size);
/* Frees one of them at once. */
void gguf_release(const struct airt_hooks *hooks, struct gguf_file *file, const void *memory);

/* Makes [at, at + length), which is within the file, readable at file.bytes; the bytes may move. */
int gguf_fetch(struct gguf_reader *reader, uint64_t length);

/* Reads a part of the file to a place in memory, and yields. */
int gguf_read(struct gguf_reader *reader, uint64_t offset, void *out, uint64_t length);

/* To be called for every element of a long loop, of `size` bytes: yields now and then. */
static inline int gguf_step(struct gguf_reader *reader, uint64_t number, size_t size)
{
    return (number & 1023) == 1023 ? work_spend(reader->work, 1024 * size) : 0;
}

/* ---- errors: the caller's `return gguf_fail(...)` ---- */

/* What an error is about: a key or tensor, by name or (unnamed) by number, at a byte of the file. */
struct gguf_place {
    const char *kind; /* "key", "tensor"; NULL: the file */
    struct gguf_name name;
    uint64_t number, at;
};

struct gguf_place gguf_key_place(const struct gguf_key *key);
struct gguf_place gguf_tensor_place(const struct gguf_tensor *tensor);

/* -EINVAL, with "FILE: key 'NAME' at byte AT: TEXT". */
int gguf_fail(struct gguf_reader *reader, struct gguf_place place, const char *text);
/* TEXT is BEFORE FOUND AFTER: "version 4, expected ...". */
int gguf_fail_number(struct gguf_reader *reader, struct gguf_place place, const char *before, uint64_t found,
                     const char *after);
/* TEXT is BEFORE FOUND BETWEEN EXPECTED AFTER: "string of 10 bytes, 5 left". */
int gguf_fail_numbers(struct gguf_reader *reader, struct gguf_place place, const char *before, uint64_t found,
                      const char *between, uint64_t expected, const char *after);
/* A string of the file that is not one of those expected: "'FOUND', known are: EXPECTED". */
int gguf_fail_unknown(struct gguf_reader *reader, struct gguf_place place, struct airt_text found,
                      const char *expected);
/* "FILE: KIND 'NAME' is missing" */
int gguf_fail_missing(struct gguf_reader *reader, const char *kind, const char *name);

/* ---- table.c: all before the tensors' data ---- */
int gguf_read_tables(struct gguf_reader *reader);

/* ---- values.c: values by key. Where the key is missing and not `required`, *value stays as it is. ---- */
int gguf_get_count(struct gguf_reader *reader, const char *name, bool required, uint32_t least, uint32_t most,
                   uint32_t *value);
/* Finite, and above 0. */
int gguf_get_positive(struct gguf_reader *reader, const char *name, bool required, float *value);
/* The same, or 0. */
int gguf_get_positive_or_none(struct gguf_reader *reader, const char *name, float *value);
int gguf_get_bool(struct gguf_reader *reader, const char *name, bool *value);
int gguf_get_text(struct gguf_reader *reader, const char *name, bool required, struct airt_text *value);
/* An array with elements of one of two types; *key is NULL where it is missing. */
int gguf_get_array(struct gguf_reader *reader, const char *name, bool required, enum gguf_type type,
                   enum gguf_type other, const struct gguf_key **key);

uint32_t gguf_u32_at(const struct gguf_file *file, uint64_t at);
float gguf_f32_at(const struct gguf_file *file, uint64_t at);
bool gguf_text_is(struct airt_text text, const char *wanted);
struct airt_text gguf_key_text(const struct gguf_file *file, const struct gguf_key *key);

/* ---- names.c ---- */

/* Fills `order` with the numbers of `names`, which are `stride` bytes apart, sorted by their texts. Sets
 * *twice to the number of one whose text another has, too, or to `count`. n log n, whatever the names are. */
int gguf_sort_names(struct gguf_reader *reader, const void *names, size_t stride, uint32_t count,
                    uint32_t *order, uint32_t *twice);

/* ---- shape.c, plan.c, vocabulary.c, weights.c ---- */

/* gguf->architecture and the plan's numbers, from the keys. */
int gguf_read_shape(struct gguf_reader *reader);
/* The plan's pointers, from the tensors, whose shapes are checked. To be called again when tensor->data is
 * known. */
int gguf_bind(struct gguf_reader *reader);
int gguf_read_vocabulary(struct gguf_reader *reader);
/* Checks the memory that is needed, and reads the weights. */
int gguf_read_weights(struct gguf_reader *reader, const struct airt_options *options);

#endif
