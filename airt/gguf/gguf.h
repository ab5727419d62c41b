/* SPDX-License-Identifier: MIT
 *
 * GGUF files (versions 2 and 3): checked, and turned into a plan, a vocabulary and weights in memory.
 *
 * The file is not trusted: each count, length, offset, type, name and shape is checked before it is used, the
 * work is at most n log n of the bytes that are there, and an error names the key or tensor, the place, what
 * was found and what is expected.
 */
#ifndef AIRT_GGUF_GGUF_H
#define AIRT_GGUF_GGUF_H

#include "airt/airt.h"
#include "gguf/file.h"
#include "tokenizer/vocabulary.h"
#include "transformer/plan.h"
#include "work.h"

#define GGUF_QUANTIZATION_SIZE 128

/* A model that is loaded. Everything in it lives until gguf_free. */
struct gguf {
    struct gguf_file file; /* keys and tensors; file.bytes_held is the memory that all of this holds */
    struct plan plan;
    struct vocabulary vocabulary;
    const char *architecture;                  /* "llama" */
    struct airt_text name;                     /* general.name, UTF-8; may be empty */
    char format[8];                            /* "GGUF 3" */
    char quantization[GGUF_QUANTIZATION_SIZE]; /* "Q4_K 68 %, Q6_K 32 %" of the weights' bytes */
    char sha256[65];                           /* of the whole file */
    uint64_t parameters;                       /* numbers in all tensors */
    uint64_t weight_bytes;                     /* of all tensors */
    uint64_t cache_bytes_per_token;
};

/* Loads a model. plan.context_length is the model's own, or options->context_length where that is less; with
 * options->memory_max and no context_length in the options, as much of it as fits.
 *
 * The weights are read into one block of hooks->alloc, or used where they lie if the source is mapped and
 * they are aligned there. Returns 0 and sets *gguf; -EINVAL (malformed, or not a model that can be run),
 * -ENOMEM (before the weights are read: error says how many MiB are needed), -ECANCELED, or what the source
 * returned; *error (never NULL) says why, and nothing stays allocated. */
int gguf_load(struct work *work, const struct airt_options *options, const struct airt_source *source,
              struct gguf **gguf, struct airt_error *error);

/* The same for the vocabulary alone, of any architecture: plan, sha256 and weights stay empty. */
int gguf_load_vocabulary(struct work *work, const struct airt_source *source, struct gguf **gguf,
                         struct airt_error *error);

/* The keys and tensors alone, unread and unjudged: what can be said of a file that is not understood. */
int gguf_load_tables(struct work *work, const struct airt_source *source, struct gguf **gguf,
                     struct airt_error *error);

void gguf_free(const struct airt_hooks *hooks, struct gguf *gguf);

#endif
