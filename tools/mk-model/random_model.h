/* SPDX-License-Identifier: MIT
 *
 * Models with random weights: their shape, their keys, their tensors.
 */
#ifndef MK_MODEL_RANDOM_MODEL_H
#define MK_MODEL_RANDOM_MODEL_H

#include "mix.h"
#include "gguf/gguf.h"
#include "writer.h"

struct shape {
    const char *name;
    enum architecture architecture;
    /* head_length 0: embedding / heads; window 0: none; tied: no output of its own; factors: rope_freqs, or
     * the two of longrope (phi3) */
    uint64_t layers, embedding, heads, kv_heads, head_length, feed, vocabulary, context, window, tied,
        factors;
};

/* "smollm2-135m,layers=4": a name, changes (of "tiny"), or both. Complains, and returns false, where that is
 * nothing. */
bool shape_parse(const char *text, struct shape *shape);
bool architecture_parse(const char *text, enum architecture *architecture);
const char *architecture_name(enum architecture architecture);

/* The keys general.* and of the architecture. */
void write_shape_keys(struct writer *writer, const struct shape *shape);
/* The keys tokenizer.*: those of a file, or (`from` is NULL) of a vocabulary of bytes; with tokens that are
 * not used, up to shape->vocabulary, which becomes the count. */
void write_vocabulary_keys(struct writer *writer, struct shape *shape, const struct gguf *from);
/* A key of a file, as it is. */
void write_key_of(struct writer *writer, const struct gguf_file *file, const struct gguf_key *key);

/* What a tensor is: numbers around `mean` with a standard deviation of `spread`. */
struct weight {
    char name[GGUF_NAME_MAX + 1];
    uint64_t columns, rows; /* rows 0: a vector */
    float mean, spread;
    enum tensor_type type;
};

/* All tensors of a model, in the order of the file. Returns how many; free(*weights). */
size_t list_weights(const struct shape *shape, const struct mix *mix, struct weight **weights);

/* A row of the tensor that is the number-th of the file. */
void random_row(const struct weight *weight, uint64_t seed, size_t number, uint64_t row, float *out);

#endif
