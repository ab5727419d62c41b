#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes blocks.txt: blocks of every type, and the numbers that they are. Needs numpy.

    blocks.py                 writes it to standard output
    blocks.py --check FILE    exits with 1 where FILE is something else, with 77 without numpy

A line is a block: TYPE, its bytes as hexadecimal, and each number's float32 as hexadecimal, rounded from double precision.
"""
import sys

try:
    import numpy as np

    from formats import FORMATS
    from generator import blocks, scale_bits
except ImportError as error:
    print(f"skipped: {error} (Debian: python3-numpy)")
    sys.exit(77)


def quantized(name):
    """Random blocks; then one with scales of the other sign, one with all other bits 0 and one with all 1."""
    _, _, size, scales, meaning = FORMATS[name]
    data = blocks(7, name, 5, size)
    data[3], data[4] = 0, 255
    for at, exponent in scales.items():
        data[:, at:at + 2] = scale_bits(data[:, at], data[:, at + 1], exponent).view(np.uint8).reshape(-1, 2)
        data[2, at + 1] ^= 0x80
    return data, meaning(data)


def halves():
    """Each exponent but that of infinity, both signs."""
    bits = blocks(7, "F16", 32, 2).view("<u2")[:, 0] & 0x83ff | (np.arange(32, dtype=np.uint16) % 31) << 10
    return bits.astype("<u2").view(np.uint8).reshape(1, -1), bits.view("<f2").astype(np.float64).reshape(1, -1)


def brains():
    bits = blocks(7, "BF16", 32, 2).view("<u2")[:, 0] & 0xbfff
    wide = (bits.astype("<u4") << 16).astype("<u4")
    return bits.astype("<u2").view(np.uint8).reshape(1, -1), wide.view("<f4").astype(np.float64).reshape(1, -1)


def floats():
    numbers = blocks(7, "F32", 32, 4).view("<u4")[:, 0] & 0xbfffffff
    return numbers.astype("<u4").view(np.uint8).reshape(1, -1), numbers.view("<f4").astype(np.float64).reshape(1, -1)


def lines():
    kinds = {"F32": floats(), "F16": halves(), "BF16": brains()}
    kinds.update((name, quantized(name)) for name in FORMATS)
    for name, (data, numbers) in kinds.items():
        for block, row in zip(data, numbers):
            yield " ".join([name, block.tobytes().hex(), *(f"{x:08x}" for x in row.astype("<f4").view("<u4"))])


def main():
    if sys.argv[1:2] != ["--check"]:
        print(*lines(), sep="\n")
        return
    with open(sys.argv[2], encoding="ascii") as file:
        if file.read().splitlines() != list(lines()):
            sys.exit(f"{sys.argv[2]} is not what blocks.py computes: write it anew")


main()
