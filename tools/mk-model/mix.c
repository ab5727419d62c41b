/* SPDX-License-Identifier: MIT */
#include "mix.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool mix_parse(const char *text, struct mix *mix)
{
    *mix = (struct mix){TENSOR_Q4_K, true};
    if (strcasecmp(text, "Q4_K_M") == 0)
        return true;
    mix->medium = false;
    for (uint32_t type = 0; type <= TENSOR_BF16; type++) {
        const struct tensor_type_info *info = tensor_type_info(type);

        mix->type = (enum tensor_type)type;
        if (info != NULL && strcasecmp(text, info->name) == 0)
            return true;
    }
    return false;
}

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name);

    return length >= strlen(end) && strcmp(name + length - strlen(end), end) == 0;
}

/* The first and last eighth of the layers, and every third between. */
static bool wants_more(const char *name, uint32_t layers)
{
    uint32_t layer = strncmp(name, "blk.", 4) == 0 ? (uint32_t)strtoul(name + 4, NULL, 10) : 0;

    return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

static enum tensor_type medium_type(const char *name, uint32_t layers, bool tied)
{
    if (strcmp(name, "output.weight") == 0 || (tied && strcmp(name, "token_embd.weight") == 0))
        return TENSOR_Q6_K;
    if ((ends_with(name, ".attn_v.weight") || ends_with(name, ".ffn_down.weight")) &&
        wants_more(name, layers))
        return TENSOR_Q6_K;
    return ends_with(name, ".attn_qkv.weight") ? TENSOR_Q5_K : TENSOR_Q4_K;
}

static enum tensor_type without_super_blocks(enum tensor_type type)
{
    switch (type) {
    case TENSOR_Q4_K:
        return TENSOR_Q5_0;
    case TENSOR_Q5_K:
        return TENSOR_Q5_1;
    case TENSOR_Q6_K:
        return TENSOR_Q8_0;
    default:
        return TENSOR_F16;
    }
}

enum tensor_type mix_type(const struct mix *mix, const char *name, uint32_t layers, bool tied,
                          uint64_t columns)
{
    enum tensor_type type = mix->medium ? medium_type(name, layers, tied) : mix->type;

    while (columns % tensor_type_info(type)->block_count != 0)
        type = without_super_blocks(type);
    return type;
}
