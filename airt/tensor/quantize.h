/* SPDX-License-Identifier: MIT
 *
 * Rows of numbers to and from every type of tensor (types.h).
 */
#ifndef AIRT_TENSOR_QUANTIZE_H
#define AIRT_TENSOR_QUANTIZE_H

#include "tensor/types.h"

/* `columns` numbers, which the type's block_count divides; blocks may lie at any address. */
void tensor_dequantize_row(enum tensor_type type, const void *blocks, float *out, size_t columns);

/* The nearest that the type can express, or close to it; numbers must be finite. */
void tensor_quantize_row(enum tensor_type type, const float *numbers, void *blocks, size_t columns);

/* Two tables of 6 bits each in the 12 bytes of Q4_K and Q5_K: eight scales, eight minima. */
void tensor_unpack_scales(const uint8_t packed[12], uint8_t scales[8], uint8_t minima[8]);

#endif
