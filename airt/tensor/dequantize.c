/* SPDX-License-Identifier: MIT
 *
 * What the blocks mean (the GGUF specification's ggml types). `d` is a block's scale and `m` its minimum,
 * both F16 and first in the block unless said otherwise.
 */
#include <string.h>

#include "tensor/half.h"
#include "tensor/quantize.h"

static float half_at(const uint8_t *bytes)
{
    return half_to_float((uint16_t)(bytes[0] | bytes[1] << 8));
}

static uint32_t word_at(const uint8_t *bytes)
{
    uint32_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* 32 numbers of 4 bits: the low halves of 16 bytes, then the high ones. With `high` a fifth bit for each. */
static void small_block(const uint8_t *quants, uint32_t high, float d, float m, int offset, float *out)
{
    for (unsigned i = 0; i < 16; i++) {
        int low = (quants[i] & 15) | (int)(high >> i & 1) << 4;
        int upper = quants[i] >> 4 | (int)(high >> (i + 16) & 1) << 4;

        out[i] = d * (float)(low - offset) + m;
        out[i + 16] = d * (float)(upper - offset) + m;
    }
}

static void q8_0_block(const uint8_t *block, float *out)
{
    float d = half_at(block);

    for (unsigned i = 0; i < 32; i++)
        out[i] = d * (float)(int8_t)block[2 + i];
}

void tensor_unpack_scales(const uint8_t packed[12], uint8_t scales[8], uint8_t minima[8])
{
    for (unsigned i = 0; i < 4; i++) {
        scales[i] = packed[i] & 63;
        minima[i] = packed[i + 4] & 63;
        scales[i + 4] = (uint8_t)((packed[i + 8] & 15) | packed[i] >> 6 << 4);
        minima[i + 4] = (uint8_t)(packed[i + 8] >> 4 | packed[i + 4] >> 6 << 4);
    }
}

/* Q4_K: d, m, scales, 128 bytes: each 32 of them hold 64 numbers, low halves first. Q5_K: 32 bytes of fifth
 * bits before these, one bit of each for each 32 numbers. */
static void q45_k_block(const uint8_t *block, const uint8_t *high, const uint8_t *quants, float *out)
{
    uint8_t scales[8];
    uint8_t minima[8];
    float d = half_at(block);
    float m = half_at(block + 2);

    tensor_unpack_scales(block + 4, scales, minima);
    for (unsigned part = 0; part < 8; part++) {
        float scale = d * (float)scales[part];
        float minimum = m * (float)minima[part];

        for (unsigned i = 0; i < 32; i++) {
            int number = quants[part / 2 * 32 + i] >> (part % 2 * 4) & 15;

            if (high != NULL)
                number |= (high[i] >> part & 1) << 4;
            out[part * 32 + i] = scale * (float)number - minimum;
        }
    }
}

/* 128 bytes of the low 4 bits, 64 of the high 2, 16 signed scales, d. */
static void q6_k_block(const uint8_t *block, float *out)
{
    float d = half_at(block + 208);

    for (unsigned half = 0; half < 2; half++) {
        const uint8_t *low = block + half * 64;
        const uint8_t *high = block + 128 + half * 32;
        const uint8_t *scales = block + 192 + half * 8;

        for (unsigned i = 0; i < 128; i++) {
            unsigned part = i / 32;
            int number = low[i % 64] >> (part / 2 * 4) & 15;

            number |= (high[i % 32] >> (part * 2) & 3) << 4;
            out[half * 128 + i] = d * (float)(int8_t)scales[i / 16] * (float)(number - 32);
        }
    }
}

static void block_to_floats(enum tensor_type type, const uint8_t *block, float *out)
{
    switch (type) {
    case TENSOR_Q4_0:
        small_block(block + 2, 0, half_at(block), 0, 8, out);
        break;
    case TENSOR_Q4_1:
        small_block(block + 4, 0, half_at(block), half_at(block + 2), 0, out);
        break;
    case TENSOR_Q5_0:
        small_block(block + 6, word_at(block + 2), half_at(block), 0, 16, out);
        break;
    case TENSOR_Q5_1:
        small_block(block + 8, word_at(block + 4), half_at(block), half_at(block + 2), 0, out);
        break;
    case TENSOR_Q8_0:
        q8_0_block(block, out);
        break;
    case TENSOR_Q4_K:
        q45_k_block(block, NULL, block + 16, out);
        break;
    case TENSOR_Q5_K:
        q45_k_block(block, block + 16, block + 48, out);
        break;
    case TENSOR_Q6_K:
        q6_k_block(block, out);
        break;
    default: /* not in blocks */
        break;
    }
}

void tensor_dequantize_row(enum tensor_type type, const void *blocks, float *out, size_t columns)
{
    const struct tensor_type_info *info = tensor_type_info(type);
    const uint8_t *block = blocks;

    if (type == TENSOR_F32) {
        memcpy(out, blocks, columns * sizeof(*out));
        return;
    }
    if (type == TENSOR_F16 || type == TENSOR_BF16) {
        for (size_t i = 0; i < columns; i++, block += 2) {
            uint16_t bits = (uint16_t)(block[0] | block[1] << 8);

            out[i] = type == TENSOR_F16 ? half_to_float(bits) : brain_to_float(bits);
        }
        return;
    }
    for (size_t i = 0; i < columns; i += info->block_count, block += info->block_size)
        block_to_floats(type, block, out + i);
}
