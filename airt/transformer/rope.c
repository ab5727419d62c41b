/* SPDX-License-Identifier: MIT */
#include "transformer/rope.h"

#include "math/math.h"

#define PI 0x1.921fb54442d18p+1

/* The pair that turns so often within the original context. */
static double pair_of(const struct rope *rope, double base, double rotations)
{
    return rope->dimensions * math_log(rope->original_context / (rotations * 2 * PI)) / (2 * math_log(base));
}

static double clamp(double number, double least, double most)
{
    if (!(number > least))
        return least;
    return number < most ? number : most;
}

/* Towards the next whole number; of numbers from 0 to 2^31. */
static double whole_below(double number)
{
    return (double)(int64_t)number;
}

static double whole_above(double number)
{
    double below = whole_below(number);

    return below < number ? below + 1 : below;
}

double rope_frequencies(const struct rope *rope, bool sliding, uint32_t context_length, double *frequencies)
{
    const float *factors = rope->factors;
    double base = (double)(sliding ? rope->base_sliding : rope->base);
    bool scaled = rope->scaling != ROPE_SCALING_NONE && (!sliding || rope->scaled_sliding);
    double factor = scaled ? (double)rope->factor : 1;
    double magnitude = (double)rope->attention_factor;
    double low = 0;
    double high = 0;

    if (rope->factors_short != NULL && context_length <= rope->original_context)
        factors = rope->factors_short;
    if (rope->factors_long != NULL && context_length > rope->original_context)
        factors = rope->factors_long;
    if (scaled && rope->scaling == ROPE_SCALING_YARN) {
        low = whole_below(clamp(pair_of(rope, base, (double)rope->yarn_beta_fast), 0, rope->dimensions));
        high = whole_above(clamp(pair_of(rope, base, (double)rope->yarn_beta_slow), 0, rope->dimensions - 1));
        magnitude *= (double)rope->yarn_attention_factor * (1 + 0.1 * math_log(factor));
    }
    for (uint32_t pair = 0; pair < rope->dimensions / 2; pair++) {
        double frequency = math_pow(base, -2.0 * pair / rope->dimensions);

        if (factors != NULL)
            frequency /= (double)factors[pair];
        if (scaled && rope->scaling == ROPE_SCALING_YARN) {
            /* 1 where the pair turns often enough to stay as it is, 0 where it is interpolated. */
            double kept = 1 - clamp((pair - low) / clamp(high - low, 0.001, rope->dimensions), 0, 1);

            kept *= (double)rope->yarn_extrapolation;
            frequency = frequency / factor * (1 - kept) + frequency * kept;
        } else {
            frequency /= factor;
        }
        frequencies[pair] = frequency;
    }
    return magnitude;
}

void rope_angles(const struct rope *rope, const double *frequencies, double magnitude, uint32_t position,
                 float *angles)
{
    for (uint32_t pair = 0; pair < rope->dimensions / 2; pair++) {
        double sine;
        double cosine;

        math_sin_cos(position * frequencies[pair], &sine, &cosine);
        angles[2 * pair] = (float)(cosine * magnitude);
        angles[2 * pair + 1] = (float)(sine * magnitude);
    }
}

void rope_turn(const struct rope *rope, const float *angles, float *head)
{
    uint32_t pairs = rope->dimensions / 2;
    uint32_t step = rope->style == ROPE_ADJACENT ? 2 : 1;
    uint32_t apart = rope->style == ROPE_ADJACENT ? 1 : pairs;

    for (uint32_t pair = 0; pair < pairs; pair++) {
        float *a = head + (size_t)pair * step;
        float *b = a + apart;
        float cosine = angles[2 * pair];
        float sine = angles[2 * pair + 1];
        float turned = *a * cosine - *b * sine;

        *b = *a * sine + *b * cosine;
        *a = turned;
    }
}
