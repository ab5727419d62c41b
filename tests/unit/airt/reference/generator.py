# SPDX-License-Identifier: MIT
"""Seeded weights, the same as test_reference.c makes them: SplitMix64 from the model's seed and the tensor's name."""
import numpy as np

MASK = (1 << 64) - 1


def fnv1a(text):
    state = 0xcbf29ce484222325
    for byte in text.encode():
        state = (state ^ byte) * 0x100000001b3 & MASK
    return state


def words(seed, name, count):
    """`count` 64-bit numbers."""
    state = (fnv1a(name) ^ seed) & MASK
    steps = (np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9e3779b97f4a7c15)) + np.uint64(state)
    z = (steps ^ (steps >> np.uint64(30))) * np.uint64(0xbf58476d1ce4e5b9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94d049bb133111eb)
    return z ^ (z >> np.uint64(31))


def uniform(seed, name, count):
    """From -1 to 1, exact as float32."""
    return (words(seed, name, count) >> np.uint64(40)).astype(np.float64) / 2**23 - 1


def blocks(seed, name, count, size):
    """`count` blocks of `size` random bytes."""
    total = count * size
    return words(seed, name, (total + 7) // 8).astype("<u8").view(np.uint8)[:total].reshape(count, size).copy()


def scale_bits(low, high, exponent):
    """Two random bytes of each block as a float16 with a fixed exponent and sign: a scale that is sane."""
    bits = (low.astype(np.uint16) | high.astype(np.uint16) << 8) & 0x3ff | exponent << 10
    return bits.astype("<u2")
