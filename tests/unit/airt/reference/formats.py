# SPDX-License-Identifier: MIT
"""What blocks of quantized numbers mean, from the description of the formats: random blocks with sane scales, as numbers.

Every function takes an array of blocks (count x bytes) and returns count x numbers, in float64.
"""
import numpy as np

from generator import blocks, scale_bits, uniform


def f16(block, at):
    return block[:, at:at + 2].copy().view("<f2").astype(np.float64)


def halves(bytes_):
    """Low four bits of all bytes, then the high ones."""
    return np.concatenate([bytes_ & 15, bytes_ >> 4], axis=1).astype(np.float64)


def fifth_bits(block, at):
    """32 bits, least significant first, worth 16 each."""
    return np.unpackbits(block[:, at:at + 4], axis=1, bitorder="little").astype(np.float64) * 16


def q4_0(block):
    return f16(block, 0) * (halves(block[:, 2:]) - 8)


def q4_1(block):
    return f16(block, 0) * halves(block[:, 4:]) + f16(block, 2)


def q5_0(block):
    return f16(block, 0) * (halves(block[:, 6:]) + fifth_bits(block, 2) - 16)


def q5_1(block):
    return f16(block, 0) * (halves(block[:, 8:]) + fifth_bits(block, 4)) + f16(block, 2)


def q8_0(block):
    return f16(block, 0) * block[:, 2:].view(np.int8).astype(np.float64)


def k_scales(packed):
    """12 bytes: eight scales and eight minima of 6 bits. The first four of each are the low 6 bits of bytes 0 to 3 and 4 to 7;
    the others have their low 4 bits in bytes 8 to 11, their high 2 bits above those first ones."""
    first, second, third = packed[:, 0:4], packed[:, 4:8], packed[:, 8:12]
    scales = np.concatenate([first & 63, third & 15 | first >> 6 << 4], axis=1)
    minima = np.concatenate([second & 63, third >> 4 | second >> 6 << 4], axis=1)
    return scales.astype(np.float64), minima.astype(np.float64)


def k_values(block, quants):
    """Super-blocks of 256: `quants` are count x 8 x 32."""
    scales, minima = k_scales(block[:, 4:16])
    d, m = f16(block, 0)[:, :, None], f16(block, 2)[:, :, None]
    return (d * scales[:, :, None] * quants - m * minima[:, :, None]).reshape(len(block), 256)


def pairs_of_halves(bytes_):
    """Groups of 32 bytes hold 64 numbers: the low four bits of all are 32 of them, the high ones the next 32."""
    groups = bytes_.reshape(len(bytes_), 4, 32)
    return np.stack([groups & 15, groups >> 4], axis=2).reshape(len(bytes_), 8, 32).astype(np.float64)


def q4_k(block):
    return k_values(block, pairs_of_halves(block[:, 16:144]))


def q5_k(block):
    high = np.stack([block[:, 16:48] >> bit & 1 for bit in range(8)], axis=1)
    return k_values(block, pairs_of_halves(block[:, 48:176]) + high * 16.0)


def q6_k(block):
    """128 bytes of low four bits, 64 of high two, 16 signed scales, d. Each half of 128 numbers: 32 columns by 4 rows."""
    low, high, scales = block[:, 0:128], block[:, 128:192], block[:, 192:208].view(np.int8).astype(np.float64)
    values = np.empty((len(block), 256))
    for half in range(2):
        l, h = low[:, 64 * half:64 * half + 64], high[:, 32 * half:32 * half + 32]
        rows = [l[:, :32] & 15 | (h & 3) << 4, l[:, 32:] & 15 | (h >> 2 & 3) << 4,
                l[:, :32] >> 4 | (h >> 4 & 3) << 4, l[:, 32:] >> 4 | (h >> 6 & 3) << 4]
        for row, numbers in enumerate(rows):
            values[:, 128 * half + 32 * row:128 * half + 32 * row + 32] = numbers.astype(np.float64) - 32
    return f16(block, 208) * np.repeat(scales, 16, axis=1) * values


# name: number in the file, numbers and bytes of a block, where its float16 scales are with the exponents they get, meaning.
# The exponents give numbers of up to about 0.5 on both sides of 0.
MINUS = 32  # the sign stands above the exponent
FORMATS = {
    "Q4_0": (2, 32, 18, {0: 10}, q4_0), "Q4_1": (3, 32, 20, {0: 9, 2: 12 + MINUS}, q4_1),
    "Q5_0": (6, 32, 22, {0: 9}, q5_0), "Q5_1": (7, 32, 24, {0: 8, 2: 12 + MINUS}, q5_1),
    "Q8_0": (8, 32, 34, {0: 6}, q8_0), "Q4_K": (12, 256, 144, {0: 4, 2: 7}, q4_k),
    "Q5_K": (13, 256, 176, {0: 3, 2: 7}, q5_k), "Q6_K": (14, 256, 210, {208: 2}, q6_k),
}


def make(kind, seed, name, rows, columns, scale):
    """A tensor as the file holds it, read back as numbers: rows x columns."""
    count = rows * columns
    if kind == "F32":
        return uniform(seed, name, count).reshape(rows, columns) * scale
    if kind == "F16":
        return (uniform(seed, name, count) * scale).astype(np.float16).astype(np.float64).reshape(rows, columns)
    if kind == "BF16":  # the upper half of a float32, cut
        bits = (uniform(seed, name, count) * scale).astype("<f4").view("<u4") & np.uint32(0xffff0000)
        return bits.view("<f4").astype(np.float64).reshape(rows, columns)
    _, numbers, size, scales, meaning = FORMATS[kind]
    data = blocks(seed, name, count // numbers, size)
    for at, exponent in scales.items():
        data[:, at:at + 2] = scale_bits(data[:, at], data[:, at + 1], exponent).view(np.uint8).reshape(-1, 2)
    return meaning(data).reshape(rows, columns)
