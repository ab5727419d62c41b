/* SPDX-License-Identifier: MIT
 *
 * Which type each tensor gets.
 */
#ifndef MK_MODEL_MIX_H
#define MK_MODEL_MIX_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/types.h"

/* Of matrices; vectors are F32 always. */
struct mix {
    enum tensor_type type;
    bool medium; /* "Q4_K_M": Q4_K, and Q6_K where it matters most */
};

#define MIXES "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K or Q4_K_M"

/* "Q4_K_M", in any case. False where there is no such, or it cannot be written. */
bool mix_parse(const char *text, struct mix *mix);

/* The type of a matrix in a model of so many layers. `tied`: the embedding is the output, too. A type whose
 * blocks do not divide a row gives way to one whose do. */
enum tensor_type mix_type(const struct mix *mix, const char *name, uint32_t layers, bool tied,
                          uint64_t columns);

#endif
