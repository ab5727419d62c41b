/* SPDX-License-Identifier: MIT
 *
 * Small GGUF models for tests, by mk-model's own code, and the same with one thing changed.
 */
#ifndef AIRT_TEST_GGUF_MODEL_H
#define AIRT_TEST_GGUF_MODEL_H

#include "support.h"

#include "gguf/gguf.h"
#include "random_model.h"

/* As of mk-model make-random. */
#define SMALL "layers=2,embedding=32,heads=4,kv_heads=2,feed=64,vocabulary=320,context=64,window=16,factors=1"

/* Values of keys: their type, and their bytes. */
#define RAW(bytes)  .raw = (bytes), .raw_size = sizeof(bytes) - 1
#define U32         "\4\0\0\0"
#define F32         "\6\0\0\0"
#define STRING      "\10\0\0\0"
#define ARRAY       "\11\0\0\0"
#define N(low)      low "\0\0\0"
#define LENGTH(low) low "\0\0\0\0\0\0\0"

struct model_bytes {
    char *bytes; /* free() it */
    size_t size;
};

enum what { OMIT = 1, NAME, TYPE, DIMENSIONS, COLUMNS, ROWS, DEPTH, OFFSET };

/* What is changed. */
struct change {
    enum architecture architecture;
    const char *shape; /* NULL: SMALL */
    const char *type;  /* "Q8_0"; NULL: F32 */
    const char *key;   /* gets `raw` (type and value), or goes where that is NULL; is added if it is new */
    const char *raw;
    size_t raw_size;
    const char *without; /* another key that goes */
    bool again;          /* the key stays and gets a twin */
    const char *tensor;  /* changed as `what` and `number` or `text` say */
    enum what what;
    uint64_t number;
    const char *text;
    /* With patch_size: bytes are replaced at last, of the file, of a key's value or of a tensor's data. */
    const char *patch_key, *patch_tensor;
    size_t patch_at;
    const char *patch;
    size_t patch_size;
    size_t cut, more;   /* bytes less or more at the end */
    uint32_t alignment; /* 0: 32, without a key; others come with theirs */
};

struct model_bytes model_make(const struct change *change);

/* Loads bytes that must be fine. */
struct gguf *gguf_of(const struct airt_source *from, const struct airt_options *options);

/* One model at a time that is loaded, and what it was made of. */
extern struct model_bytes model;
extern struct airt_source source;
extern struct gguf *gguf;
void open_model(const struct change *change, const struct airt_options *options);
void close_model(void);
/* The data of a tensor in the model's file. */
const char *bytes_of(const char *tensor);

#endif
