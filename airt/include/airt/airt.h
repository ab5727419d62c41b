/* SPDX-License-Identifier: MIT
 *
 * airt: the AI runtime. Loads a model from a source of bytes and answers prompts with it.
 *
 * Model formats join behind one interface: the key/value dictionary (binary and text), and GGUF.
 * A model is immutable after airt_load; a load or an inference may be long: it calls hooks->yield at least
 * once per 64 KiB of bytes read or 4 Mi of multiplications (a row of a matrix is the least), and stops with
 * -ECANCELED when that says so.
 *
 * Freestanding: needs mem* and str* functions and the hooks. Nothing global.
 */
#ifndef AIRT_AIRT_H
#define AIRT_AIRT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct airt_hooks {
    void *context;
    /* Aligned to 16 bytes. NULL: out of memory. */
    void *(*alloc)(void *context, size_t size);
    void (*free)(void *context, void *memory, size_t size);
    /* Lets others run. Returns 0 to go on, anything else to stop. May be NULL. */
    int (*yield)(void *context);
    /* Time that does not run backwards, in microseconds. May be NULL: then there are no times in results, and
     * no time budget. */
    uint64_t (*clock_us)(void *context);
    /* Calls work(argument, part, parts) once for every part below `parts`, on as many threads or CPUs as the
     * embedder has, and returns when all have returned. What is computed does not depend on `parts`. May be
     * NULL: all is done by the caller. */
    void (*parallel)(void *context, void (*work)(void *argument, uint32_t part, uint32_t parts),
                     void *argument);
};

/* Where the bytes of a model come from. Used during airt_load; a `mapped` source must stay until airt_unload.
 */
struct airt_source {
    void *context;
    const char *name; /* for messages: "guide.kv" */
    uint64_t size;
    const void *mapped; /* all of it in memory, or NULL: then read is used */
    /* Reads exactly `length` bytes at `offset` (the library stays within size). Returns 0 or a negative
     * errno. */
    int (*read)(void *context, uint64_t offset, void *out, size_t length);
};

/* Why something failed, for a person: "guide.kv: record 12 at byte 340: answer of 200 bytes, 17 left". */
struct airt_error {
    char text[200];
};

struct airt_model;

/* All zeros is the default. */
struct airt_options {
    const char *instruction_set; /* "sse2" or "avx2"; NULL: the best that CPU and operating system allow */
    uint32_t context_length; /* tokens of one inference; 0: the model's own, as far as memory_max allows */
    uint64_t memory_max;     /* bytes for the model and one inference; 0: no limit */
    uint32_t prefill_batch;  /* tokens of a prompt at once; 0: 64. Makes no difference to results. */
    bool cache_f32;          /* keys and values of past tokens as F32 instead of F16 */
};

/* Loads a model; its format is found by content, not by name. Returns 0 and sets *model; on failure sets
 * *error (if not NULL) and returns -EINVAL (not a model, or malformed), -ENOMEM, -ECANCELED, or what the
 * source returned. Nothing stays allocated then. */
int airt_load(const struct airt_hooks *hooks, const struct airt_source *source, struct airt_model **model,
              struct airt_error *error);
/* The same; `options` may be NULL. -ENOTSUP: the CPU lacks the instruction set that is asked for. -ENOMEM
 * where the model does not fit into memory_max, before it is read; the error says how many MiB it needs. */
int airt_load_with(const struct airt_hooks *hooks, const struct airt_options *options,
                   const struct airt_source *source, struct airt_model **model, struct airt_error *error);
void airt_unload(struct airt_model *model);

struct airt_description {
    const char *name;         /* the model's own name, or the source's */
    const char *format;       /* "dictionary (text)", "dictionary (binary)", "GGUF 3" */
    const char *quantization; /* "none" for a dictionary; "Q4_K 68 %, Q6_K 32 %" (of the weights' bytes) */
    const char *arch;         /* "key/value", "llama" */
    uint64_t entries;         /* questions of a dictionary; 0 where it means nothing */
    uint64_t bytes;           /* memory that the model holds */
    /* Of a model that generates; 0 or "" for others. */
    uint64_t parameters;
    uint64_t cache_bytes_per_token;
    uint32_t vocabulary, context_length, layers, embedding_length;
    const char *template_family; /* "chatml", ...; "none": prompts are completed as they are */
    const char *instruction_set; /* that inference uses: "avx2" */
    const char *sha256;          /* of the file, 64 hexadecimal digits */
};
void airt_describe(const struct airt_model *model, struct airt_description *description);

/* Bytes of a prompt (of all messages together), and the range of the temperature. */
#define AIRT_PROMPT_MAX      (64u << 10)
#define AIRT_TEMPERATURE_MAX 10
#define AIRT_PENALTY_MAX     10
#define AIRT_STOP_MAX        8   /* strings */
#define AIRT_STOP_LENGTH_MAX 256 /* bytes of each */
#define AIRT_LOGPROBS_MAX    20  /* alternatives for each token */

enum airt_role { AIRT_ROLE_SYSTEM, AIRT_ROLE_USER, AIRT_ROLE_ASSISTANT };

struct airt_text {
    const char *bytes; /* UTF-8, not NUL-terminated */
    size_t length;
};

struct airt_message {
    enum airt_role role;
    struct airt_text text;
};

struct airt_token {
    uint32_t id;
    float logprob; /* natural logarithm of its probability, before temperature and filters */
};

/* All zeros but the prompt is a greedy answer of default length. */
struct airt_request {
    const char *prompt; /* UTF-8, not NUL-terminated; or NULL and messages */
    size_t prompt_length;
    const struct airt_message *messages; /* a dictionary looks at the last one only */
    size_t message_count;
    bool raw;             /* the prompt is continued as it is, without the model's template */
    uint32_t max_tokens;  /* 0: the model's default */
    uint64_t max_us;      /* 0: no time budget */
    float temperature;    /* 0 (greedy) to 10; behind repeat_penalty, before min_p, top_k, top_p */
    float top_p;          /* 0 to 1 (all); 0 counts as 1 where temperature is 0 */
    uint32_t top_k;       /* 0: all */
    float min_p;          /* 0 to 1: of the most likely token's probability */
    float repeat_penalty; /* 0 or 1: none; else above 0, at most 10: over the last 64 tokens */
    uint64_t seed;
    const struct airt_text *stop; /* UTF-8; the first that is complete ends the answer, before itself */
    size_t stop_count;
    /* Told (with the context that `emit` gets) of every token of the answer, in order, with the `logprobs`
     * most likely ones at its place (most likely first). May be NULL. Returns 0 to go on, anything else to
     * stop. */
    int (*token)(void *context, const struct airt_token *chosen, const char *piece, size_t length,
                 const struct airt_token *likely, size_t count);
    uint32_t logprobs;
};

/* STOP: the model's own end, or one of the stop strings; LENGTH: max_tokens, or the context is full; TIME:
 * max_us, which is looked at between the batches of a prompt, too. */
enum airt_finish { AIRT_FINISH_STOP, AIRT_FINISH_LENGTH, AIRT_FINISH_TIME };

struct airt_result {
    uint32_t prompt_tokens;
    uint32_t tokens; /* produced; for a dictionary: white-space separated words */
    enum airt_finish finish;
    bool matched;            /* a dictionary found an answer; always true for a generating model */
    float score;             /* 0 to 1: how well the prompt matched; 1 for a generating model */
    char match[128];         /* the question that matched (cut at a UTF-8 boundary), or "" */
    uint64_t first_token_us; /* from the start of the call; 0 without a clock or a token */
    uint64_t elapsed_us;
    uint64_t seed; /* that was used */
};

/* Receives the text piece by piece, each valid UTF-8 and valid during the call. Returns 0 to go on, anything
 * else to stop with -ECANCELED. */
typedef int (*airt_emit)(void *context, const char *text, size_t length);

/* Answers. Returns 0 and fills *result; -EINVAL (a prompt that is empty, too long or not UTF-8, a parameter
 * out of range), -ENOMEM, -ECANCELED, with *error set. */
int airt_infer(struct airt_model *model, const struct airt_request *request, airt_emit emit, void *context,
               struct airt_result *result, struct airt_error *error);

/* ---- models that generate; the others return -ENOTSUP ---- */

/* Text to token ids, as a prompt begins (with the model's own first token) where `whole`; texts of special
 * tokens count as such only where `special` (never for what a user wrote). Sets *count, which may be more
 * than `capacity`: then only so many were written. */
int airt_tokenize(struct airt_model *model, const char *text, size_t length, bool whole, bool special,
                  uint32_t *ids, size_t capacity, size_t *count, struct airt_error *error);

/* The bytes of a token, as they stand in a text; "" for a special one. Not a whole character always. */
int airt_token_piece(const struct airt_model *model, uint32_t id, const char **piece, size_t *length);

/* The mean over the text's tokens of the last layer's output (after its norm), of length 1: embedding_length
 * numbers. */
int airt_embed(struct airt_model *model, const char *text, size_t length, float *out,
               struct airt_error *error);

/* A text that is being read and written token by token: what airt_infer is made of. */
struct airt_sequence;
/* `capacity`: tokens that it can hold, at most the model's context; 0: that. The model must stay. */
int airt_sequence_create(struct airt_model *model, uint32_t capacity, struct airt_sequence **sequence,
                         struct airt_error *error);
void airt_sequence_destroy(struct airt_sequence *sequence);
/* Takes tokens. `logits`: NULL, or one row of `vocabulary` numbers for the last of them, or, with `every`,
 * for each. -EINVAL: an id beyond the vocabulary; -ENOSPC: beyond the capacity; -ECANCELED: `yield` said so,
 * the sequence is as before the call. */
int airt_sequence_feed(struct airt_sequence *sequence, const uint32_t *ids, size_t count, float *logits,
                       bool every, struct airt_error *error);
uint32_t airt_sequence_length(const struct airt_sequence *sequence);
/* Forgets all but the first `length` tokens. */
void airt_sequence_cut(struct airt_sequence *sequence, uint32_t length);

#endif
