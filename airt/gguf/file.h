/* SPDX-License-Identifier: MIT
 *
 * The outer form of a GGUF file (the GGUF specification, "File Structure"): a header, keys with values, a
 * table of tensors, their data. All numbers are little-endian.
 */
#ifndef AIRT_GGUF_FILE_H
#define AIRT_GGUF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "airt/airt.h"
#include "tensor/types.h"

#define GGUF_METADATA_MAX  (UINT32_C(128) << 20) /* bytes before the tensors' data */
#define GGUF_KEYS_MAX      65536
#define GGUF_TENSORS_MAX   65536
#define GGUF_KEY_MAX       1024 /* bytes of a key's name */
#define GGUF_NAME_MAX      63   /* bytes of a tensor's name */
#define GGUF_DIMENSIONS    4
#define GGUF_ALIGNMENT     32 /* without general.alignment */
#define GGUF_ALIGNMENT_MAX 65536

/* gguf_metadata_value_type */
enum gguf_type {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_TYPES
};

/* Where a name is in the file's bytes. */
struct gguf_name {
    uint32_t at, length;
};

struct gguf_key {
    struct gguf_name name;
    uint32_t value;  /* where it begins: of a string its text, of an array its first element */
    uint32_t count;  /* bytes of a string, elements of an array; else 1 */
    uint8_t type;    /* enum gguf_type */
    uint8_t element; /* of an array */
};

struct gguf_tensor {
    struct gguf_name name;
    uint32_t at; /* of its entry in the table */
    uint32_t dimensions;
    uint64_t counts[GGUF_DIMENSIONS]; /* 1 beyond `dimensions`; counts[0] is the length of a row */
    enum tensor_type type;
    bool used;       /* the plan has it */
    uint64_t offset; /* from the start of the data */
    uint64_t size;
    const void *data; /* in memory */
};

struct gguf_block {
    void *memory;
    size_t size;
};

/* The file as it is in memory. */
struct gguf_file {
    const char *bytes;   /* all before the tensors' data */
    uint64_t bytes_held; /* allocated */
    uint32_t version;
    uint32_t alignment;
    uint32_t key_count, tensor_count;
    uint64_t data_start; /* in the file */
    uint64_t data_size;  /* from there to the end of the last tensor */
    struct gguf_key *keys;
    struct gguf_tensor *tensors;
    uint32_t *keys_by_name, *tensors_by_name; /* their numbers, sorted */
    struct gguf_block blocks[16];             /* what is allocated */
    uint32_t block_count;
};

const char *gguf_type_name(uint32_t type); /* "u32"; NULL: none that is known */

/* Bytes of one number of this type; 0 for strings and arrays. */
size_t gguf_type_size(uint32_t type);

/* NULL: there is none. */
const struct gguf_key *gguf_key_find(const struct gguf_file *file, const char *name, size_t length);
struct gguf_tensor *gguf_tensor_find(const struct gguf_file *file, const char *name, size_t length);

/* Text of a string at `at`, which begins with its length; *next is behind it. Of checked bytes only. */
struct airt_text gguf_string_at(const struct gguf_file *file, uint32_t at, uint32_t *next);

#endif
