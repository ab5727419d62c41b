/* SPDX-License-Identifier: MIT
 *
 * Numbers to blocks: for each block the scale (and minimum) from its extremes, and the nearest whole numbers.
 */
#include "tensor/quantize.h"

#include <string.h>

#include "tensor/half.h"

static void put_half(uint8_t *bytes, float number)
{
    uint16_t half = half_of_float(number);

    bytes[0] = (uint8_t)half;
    bytes[1] = (uint8_t)(half >> 8);
}

static float get_half(const uint8_t *bytes)
{
    return half_to_float((uint16_t)(bytes[0] | bytes[1] << 8));
}

/* The nearest whole number, kept within the bounds; NaN is the lowest. */
static int round_within(float number, int lowest, int highest)
{
    if (!(number > (float)lowest))
        return lowest;
    if (number >= (float)highest)
        return highest;
    return (int)(number + (number < 0 ? -0.5f : 0.5f));
}

static float inverse(float scale)
{
    float result = scale > 0 || scale < 0 ? 1 / scale : 0;

    /* A scale that is denormal has none. */
    return result - result == 0 ? result : 0;
}

/* The number that is farthest from 0, with its sign. */
static float farthest(const float *numbers, size_t count)
{
    float extreme = 0;

    for (size_t i = 0; i < count; i++)
        if (numbers[i] * numbers[i] > extreme * extreme)
            extreme = numbers[i];
    return extreme;
}

static void extremes(const float *numbers, size_t count, float *lowest, float *highest)
{
    *lowest = *highest = numbers[0];
    for (size_t i = 1; i < count; i++) {
        if (numbers[i] < *lowest)
            *lowest = numbers[i];
        if (numbers[i] > *highest)
            *highest = numbers[i];
    }
}

static void q8_0(const float *numbers, uint8_t *block)
{
    float extreme = farthest(numbers, 32);
    float scale = inverse((extreme < 0 ? -extreme : extreme) / 127);

    put_half(block, (extreme < 0 ? -extreme : extreme) / 127);
    for (unsigned i = 0; i < 32; i++)
        block[2 + i] = (uint8_t)round_within(numbers[i] * scale, -127, 127);
}

/* Q4_0 and Q5_0: the number that is farthest from 0 gets the lowest whole number, which reaches farther. */
static void symmetric(const float *numbers, uint8_t *block, uint8_t *high, uint8_t *quants, int half_range)
{
    float d = farthest(numbers, 32) / (float)-half_range;
    float scale = inverse(d);
    uint32_t bits = 0;

    put_half(block, d);
    for (unsigned i = 0; i < 16; i++) {
        int low = round_within(numbers[i] * scale, -half_range, half_range - 1) + half_range;
        int upper = round_within(numbers[i + 16] * scale, -half_range, half_range - 1) + half_range;

        quants[i] = (uint8_t)((low & 15) | (upper & 15) << 4);
        bits |= (uint32_t)(low >> 4) << i | (uint32_t)(upper >> 4) << (i + 16);
    }
    if (high != NULL)
        memcpy(high, &bits, sizeof(bits));
}

/* Q4_1 and Q5_1. */
static void with_minimum(const float *numbers, uint8_t *block, uint8_t *high, uint8_t *quants, int highest)
{
    float least;
    float most;
    float scale;
    uint32_t bits = 0;

    extremes(numbers, 32, &least, &most);
    scale = inverse((most - least) / (float)highest);
    put_half(block, (most - least) / (float)highest);
    put_half(block + 2, least);
    for (unsigned i = 0; i < 16; i++) {
        int low = round_within((numbers[i] - least) * scale, 0, highest);
        int upper = round_within((numbers[i + 16] - least) * scale, 0, highest);

        quants[i] = (uint8_t)((low & 15) | (upper & 15) << 4);
        bits |= (uint32_t)(low >> 4) << i | (uint32_t)(upper >> 4) << (i + 16);
    }
    if (high != NULL)
        memcpy(high, &bits, sizeof(bits));
}

/* ---- super-blocks of 256 ---- */

static void pack_scales(const uint8_t scales[8], const uint8_t minima[8], uint8_t packed[12])
{
    for (unsigned i = 0; i < 4; i++) {
        packed[i] = (uint8_t)(scales[i] | scales[i + 4] >> 4 << 6);
        packed[i + 4] = (uint8_t)(minima[i] | minima[i + 4] >> 4 << 6);
        packed[i + 8] = (uint8_t)((scales[i + 4] & 15) | (minima[i + 4] & 15) << 4);
    }
}

/* Q4_K and Q5_K: eight parts, each with a scale and a minimum (taken away, so at most 0) of 6 bits. */
static void q45_k(const float *numbers, uint8_t *block, uint8_t *high, uint8_t *quants, int highest)
{
    uint8_t scale_numbers[8];
    uint8_t minimum_numbers[8];
    float scales[8];
    float minima[8];
    float d = 0;
    float m = 0;

    for (unsigned part = 0; part < 8; part++) {
        float least;
        float most;

        extremes(numbers + part * 32, 32, &least, &most);
        minima[part] = least < 0 ? -least : 0;
        scales[part] = (most + minima[part]) / (float)highest;
        if (scales[part] < 0)
            scales[part] = 0;
        d = scales[part] > d ? scales[part] : d;
        m = minima[part] > m ? minima[part] : m;
    }
    put_half(block, d / 63);
    put_half(block + 2, m / 63);
    d = get_half(block);
    m = get_half(block + 2);
    for (unsigned part = 0; part < 8; part++) {
        scale_numbers[part] = (uint8_t)round_within(scales[part] * inverse(d), 0, 63);
        minimum_numbers[part] = (uint8_t)round_within(minima[part] * inverse(m), 0, 63);
    }
    pack_scales(scale_numbers, minimum_numbers, block + 4);
    memset(quants, 0, 128);
    if (high != NULL)
        memset(high, 0, 32);
    for (unsigned part = 0; part < 8; part++) {
        float scale = inverse(d * (float)scale_numbers[part]);
        float minimum = m * (float)minimum_numbers[part];

        for (unsigned i = 0; i < 32; i++) {
            int number = round_within((numbers[part * 32 + i] + minimum) * scale, 0, highest);

            quants[part / 2 * 32 + i] |= (uint8_t)((number & 15) << (part % 2 * 4));
            if (high != NULL)
                high[i] |= (uint8_t)(number >> 4 << part);
        }
    }
}

static void q6_k(const float *numbers, uint8_t *block)
{
    float scales[16];
    float most = 0;
    float d;

    for (unsigned part = 0; part < 16; part++) {
        scales[part] = farthest(numbers + part * 16, 16) / -32;
        if (scales[part] * scales[part] > most * most)
            most = scales[part];
    }
    put_half(block + 208, most / -128);
    d = get_half(block + 208);
    memset(block, 0, 192);
    for (unsigned part = 0; part < 16; part++) {
        int scale = round_within(scales[part] * inverse(d), -128, 127);
        uint8_t *low = block + part / 8 * 64;
        uint8_t *high = block + 128 + part / 8 * 32;

        block[192 + part] = (uint8_t)scale;
        for (unsigned i = 0; i < 16; i++) {
            unsigned place = part % 8 * 16 + i;
            int number = round_within(numbers[part * 16 + i] * inverse(d * (float)scale), -32, 31) + 32;

            low[place % 64] |= (uint8_t)((number & 15) << (place / 64 * 4));
            high[place % 32] |= (uint8_t)(number >> 4 << (place / 32 * 2));
        }
    }
}

static void block_of_floats(enum tensor_type type, const float *numbers, uint8_t *block)
{
    uint16_t brain;

    switch (type) {
    case TENSOR_Q4_0:
        symmetric(numbers, block, NULL, block + 2, 8);
        break;
    case TENSOR_Q4_1:
        with_minimum(numbers, block, NULL, block + 4, 15);
        break;
    case TENSOR_Q5_0:
        symmetric(numbers, block, block + 2, block + 6, 16);
        break;
    case TENSOR_Q5_1:
        with_minimum(numbers, block, block + 4, block + 8, 31);
        break;
    case TENSOR_Q8_0:
        q8_0(numbers, block);
        break;
    case TENSOR_Q4_K:
        q45_k(numbers, block, NULL, block + 16, 15);
        break;
    case TENSOR_Q5_K:
        q45_k(numbers, block, block + 16, block + 48, 31);
        break;
    case TENSOR_Q6_K:
        q6_k(numbers, block);
        break;
    case TENSOR_F32:
        memcpy(block, numbers, sizeof(*numbers));
        break;
    case TENSOR_F16:
        put_half(block, *numbers);
        break;
    case TENSOR_BF16:
        brain = brain_of_float(*numbers);
        memcpy(block, &brain, sizeof(brain));
        break;
    }
}

void tensor_quantize_row(enum tensor_type type, const float *numbers, void *blocks, size_t columns)
{
    const struct tensor_type_info *info = tensor_type_info(type);
    uint8_t *block = blocks;

    for (size_t i = 0; i < columns; i += info->block_count, block += info->block_size)
        block_of_floats(type, numbers + i, block);
}
