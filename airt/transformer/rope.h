/* SPDX-License-Identifier: MIT
 *
 * Rotary position embedding (Su et al., 2021), with linear and YaRN scaling (Peng et al., 2023) and factors
 * for each frequency.
 */
#ifndef AIRT_TRANSFORMER_ROPE_H
#define AIRT_TRANSFORMER_ROPE_H

#include "transformer/plan.h"

/* Angles per position, one for each of the rope's dimensions / 2 pairs, of layers that slide, or of the
 * others. `context_length` is the plan's, so that a sequence's capacity makes no difference. Returns what
 * cosine and sine are multiplied by. */
double rope_frequencies(const struct rope *rope, bool sliding, uint32_t context_length, double *frequencies);

/* Cosine and sine of a position's angles, one after the other: dimensions numbers. */
void rope_angles(const struct rope *rope, const double *frequencies, double magnitude, uint32_t position,
                 float *angles);

/* Turns a head. */
void rope_turn(const struct rope *rope, const float *angles, float *head);

#endif
