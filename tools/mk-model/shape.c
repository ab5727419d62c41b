/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "random_model.h"

static const char *const architectures[] = {
    [ARCH_LLAMA] = "llama",   [ARCH_QWEN2] = "qwen2", [ARCH_QWEN3] = "qwen3",
    [ARCH_GEMMA3] = "gemma3", [ARCH_PHI3] = "phi3",
};

static const struct shape shapes[] = {
    {.name = "tiny",
     .layers = 2,
     .embedding = 256,
     .heads = 4,
     .kv_heads = 2,
     .feed = 512,
     .vocabulary = 512,
     .context = 256},
    {.name = "stories15m",
     .layers = 6,
     .embedding = 288,
     .heads = 6,
     .kv_heads = 6,
     .feed = 768,
     .vocabulary = 32000,
     .context = 256,
     .tied = 1},
    {.name = "smollm2-135m",
     .layers = 30,
     .embedding = 576,
     .heads = 9,
     .kv_heads = 3,
     .feed = 1536,
     .vocabulary = 49152,
     .context = 8192,
     .tied = 1},
};

bool architecture_parse(const char *text, enum architecture *architecture)
{
    for (size_t i = 0; i < sizeof(architectures) / sizeof(architectures[0]); i++)
        if (strcmp(text, architectures[i]) == 0) {
            *architecture = (enum architecture)i;
            return true;
        }
    complain("--arch %s: choose llama, qwen2, qwen3, gemma3 or phi3", text);
    return false;
}

const char *architecture_name(enum architecture architecture)
{
    return architectures[architecture];
}

/* One of the parts between commas. */
static bool parse_part(char *part, struct shape *shape)
{
    const struct {
        const char *name;
        uint64_t *number;
        uint64_t least, most;
    } fields[] = {
        {"layers", &shape->layers, 1, 1000},
        {"embedding", &shape->embedding, 1, 1 << 20},
        {"heads", &shape->heads, 1, 1 << 16},
        {"kv_heads", &shape->kv_heads, 1, 1 << 16},
        {"head_length", &shape->head_length, 0, 1 << 16},
        {"feed", &shape->feed, 1, 1 << 20},
        {"vocabulary", &shape->vocabulary, 1, 1 << 22},
        {"context", &shape->context, 1, 1 << 24},
        {"window", &shape->window, 0, 1 << 24},
        {"tied", &shape->tied, 0, 1},
        {"factors", &shape->factors, 0, 1},
    };
    char *equals = strchr(part, '=');

    for (size_t i = 0; equals == NULL && i < sizeof(shapes) / sizeof(shapes[0]); i++)
        if (strcmp(part, shapes[i].name) == 0) {
            enum architecture architecture = shape->architecture;

            *shape = shapes[i];
            shape->architecture = architecture;
            return true;
        }
    if (equals != NULL)
        *equals = '\0';
    for (size_t i = 0; equals != NULL && i < sizeof(fields) / sizeof(fields[0]); i++)
        if (strcmp(part, fields[i].name) == 0)
            return parse_number(part, equals + 1, fields[i].least, fields[i].most, fields[i].number);
    complain("--shape: %s is no name and no field of a shape (see make-random --help)", part);
    return false;
}

bool shape_parse(const char *text, struct shape *shape)
{
    char *copy = strdup(text);
    char *rest = NULL;
    char tiny[] = "tiny";
    bool good = copy != NULL && parse_part(tiny, shape);

    for (char *part = good ? strtok_r(copy, ",", &rest) : NULL; part != NULL && good;
         part = strtok_r(NULL, ",", &rest))
        good = parse_part(part, shape);
    free(copy);
    if (!good)
        return false;
    if (shape->heads % shape->kv_heads != 0 ||
        (shape->head_length == 0 && shape->embedding % shape->heads != 0)) {
        complain("--shape: heads do not divide (%llu heads, %llu kv_heads, embedding %llu)",
                 (unsigned long long)shape->heads, (unsigned long long)shape->kv_heads,
                 (unsigned long long)shape->embedding);
        return false;
    }
    if (shape->head_length == 0)
        shape->head_length = shape->embedding / shape->heads;
    if (shape->head_length % 2 != 0) {
        complain("--shape: a head of %llu numbers, which must be even",
                 (unsigned long long)shape->head_length);
        return false;
    }
    return true;
}
