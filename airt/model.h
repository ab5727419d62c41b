/* SPDX-License-Identifier: MIT
 *
 * What a model format supplies. airt.c finds the format by content and checks what all have in common.
 */
#ifndef AIRT_MODEL_H
#define AIRT_MODEL_H

#include "airt/airt.h"
#include "work.h"

#define MODEL_NAME_SIZE 104

struct airt_format {
    /* On failure nothing stays allocated, and *error (never NULL) says why. */
    int (*load)(struct work *work, const struct airt_options *options, const struct airt_source *source,
                struct airt_model **model, struct airt_error *error);
    void (*unload)(struct airt_model *model);
    void (*describe)(const struct airt_model *model, struct airt_description *description);
    /* The request is checked, but for what only the format knows; *result is all zeros. */
    int (*infer)(struct airt_model *model, struct work *work, const struct airt_request *request,
                 airt_emit emit, void *context, struct airt_result *result, struct airt_error *error);
    /* Of a format that generates; NULL in the others. As the calls of airt.h. */
    int (*tokenize)(struct airt_model *model, struct work *work, const char *text, size_t length, bool whole,
                    bool special, uint32_t *ids, size_t capacity, size_t *count, struct airt_error *error);
    int (*token_piece)(const struct airt_model *model, uint32_t id, const char **piece, size_t *length);
    int (*embed)(struct airt_model *model, struct work *work, const char *text, size_t length, float *out,
                 struct airt_error *error);
    int (*sequence_create)(struct airt_model *model, uint32_t capacity, struct airt_sequence **sequence,
                           struct airt_error *error);
};

/* The first member of every format's own model. */
struct airt_model {
    const struct airt_format *format;
    struct airt_hooks hooks;
    uint64_t bytes; /* allocated */
    char name[MODEL_NAME_SIZE];
};

/* Allocates for a model, and counts it. NULL for a size of 0, one beyond the address space, or no memory. */
void *model_alloc(struct airt_model *model, uint64_t count, size_t size);
void model_free(struct airt_model *model, void *memory, uint64_t count, size_t size);

/* Sets the name, cut at a character. */
void model_set_name(struct airt_model *model, const char *name, size_t length);

extern const struct airt_format dictionary_format;
extern const struct airt_format gguf_format;

#endif
