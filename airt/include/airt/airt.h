/* SPDX-License-Identifier: MIT
 *
 * airt: the AI runtime. Loads a model from a source of bytes and answers prompts with it.
 *
 * Model formats join behind one interface: the key/value dictionary (binary and text) is one, others follow.
 * A model is immutable after airt_load; a load or an inference may be long: it calls hooks->yield at least
 * once per 64 KiB of work, and stops with -ECANCELED when that says so.
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

/* Loads a model; its format is found by content, not by name. Returns 0 and sets *model; on failure sets
 * *error (if not NULL) and returns -EINVAL (not a model, or malformed), -ENOMEM, -ECANCELED, or what the
 * source returned. Nothing stays allocated then. */
int airt_load(const struct airt_hooks *hooks, const struct airt_source *source, struct airt_model **model,
              struct airt_error *error);
void airt_unload(struct airt_model *model);

struct airt_description {
    const char *name;         /* the model's own name, or the source's */
    const char *format;       /* "dictionary (text)", "dictionary (binary)" */
    const char *quantization; /* "none" for a dictionary */
    const char *arch;         /* "key/value" */
    uint64_t entries;         /* questions of a dictionary; 0 where it means nothing */
    uint64_t bytes;           /* memory that the model holds */
};
void airt_describe(const struct airt_model *model, struct airt_description *description);

/* Bytes of a prompt, and the range of the temperature. */
#define AIRT_PROMPT_MAX      (64u << 10)
#define AIRT_TEMPERATURE_MAX 10

struct airt_request {
    const char *prompt; /* UTF-8, not NUL-terminated */
    size_t prompt_length;
    uint32_t max_tokens; /* 0: the model's default */
    float temperature;   /* 0 (greedy) to 10 */
    float top_p;         /* 0 to 1 (all) */
    uint64_t seed;
};

enum airt_finish { AIRT_FINISH_STOP, AIRT_FINISH_LENGTH };

struct airt_result {
    uint32_t prompt_tokens;
    uint32_t tokens; /* produced; for a dictionary: white-space separated words */
    enum airt_finish finish;
    bool matched;    /* a dictionary found an answer; always true for a generating model */
    float score;     /* 0 to 1: how well the prompt matched; 1 for a generating model */
    char match[128]; /* the question that matched (cut at a UTF-8 boundary), or "" */
};

/* Receives the text piece by piece, each valid UTF-8 and valid during the call. Returns 0 to go on, anything
 * else to stop with -ECANCELED. */
typedef int (*airt_emit)(void *context, const char *text, size_t length);

/* Answers. Returns 0 and fills *result; -EINVAL (a prompt that is empty, too long or not UTF-8, a parameter
 * out of range), -ENOMEM, -ECANCELED, with *error set. */
int airt_infer(struct airt_model *model, const struct airt_request *request, airt_emit emit, void *context,
               struct airt_result *result, struct airt_error *error);

#endif
