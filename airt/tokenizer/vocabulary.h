/* SPDX-License-Identifier: MIT
 *
 * A model's vocabulary as its file has it, checked: what gguf/ fills and the tokenizers work with. All texts
 * stand in the memory of the model's metadata, which lives as long as the model.
 */
#ifndef AIRT_TOKENIZER_VOCABULARY_H
#define AIRT_TOKENIZER_VOCABULARY_H

#include <stdbool.h>
#include <stdint.h>

#include "airt/airt.h"

enum vocabulary_kind {
    VOCABULARY_SPM, /* tokenizer.ggml.model = "llama": SentencePiece, merges by score, bytes as fallback */
    VOCABULARY_BPE  /* "gpt2": byte-level byte-pair encoding, merges by rank */
};

/* tokenizer.ggml.pre: how BPE cuts a text into words. */
enum pretokenizer {
    PRETOKENIZER_GPT2,
    PRETOKENIZER_LLAMA_BPE,
    PRETOKENIZER_QWEN2,
    PRETOKENIZER_SMOLLM,
    PRETOKENIZER_GPT4O
};

/* tokenizer.ggml.token_type */
enum token_kind {
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN,
    TOKEN_CONTROL,
    TOKEN_USER_DEFINED,
    TOKEN_UNUSED,
    TOKEN_BYTE
};

#define VOCABULARY_NONE UINT32_MAX /* an id that the model does not have */

struct vocabulary {
    enum vocabulary_kind kind;
    enum pretokenizer pretokenizer;
    uint32_t count;
    const struct airt_text *tokens; /* `count`, none longer than 64 KiB */
    const float *scores;            /* `count` (SPM), or NULL; none is NaN */
    const uint8_t *kinds;           /* `count`, enum token_kind */
    const struct airt_text *merges; /* BPE: "left right", most important first */
    uint32_t merge_count;
    uint32_t bos, eos, eot, unknown, padding; /* below `count`, or VOCABULARY_NONE */
    bool add_bos, add_eos;                    /* at the ends of a text */
    bool add_space_prefix;                    /* SPM: a space before the first word */
    struct airt_text chat_template;           /* Jinja text, or empty */
};

#endif
