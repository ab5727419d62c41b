/* SPDX-License-Identifier: MIT
 *
 * What every fuzz target has: the bytes of its input as a script. The end of the input reads as zeros, so a
 * target may ask for more than there is; it goes on while input_left says so.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* libFuzzer calls it with each input. Returns 0; what is wrong ends the program. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size, at;
};

static inline size_t input_left(const struct input *input)
{
    return input->size - input->at;
}

/* Copies at most `size` bytes, and zeros behind them. Returns how many there were. */
static inline size_t input_bytes(struct input *input, void *out, size_t size)
{
    size_t count = size < input_left(input) ? size : input_left(input);

    memset(out, 0, size);
    if (count > 0)
        memcpy(out, input->data + input->at, count);
    input->at += count;
    return count;
}

static inline uint8_t input_8(struct input *input)
{
    return input->at < input->size ? input->data[input->at++] : 0;
}

static inline uint16_t input_16(struct input *input)
{
    uint16_t value;
    input_bytes(input, &value, sizeof(value));
    return value;
}

static inline uint32_t input_32(struct input *input)
{
    uint32_t value;
    input_bytes(input, &value, sizeof(value));
    return value;
}

static inline uint64_t input_64(struct input *input)
{
    uint64_t value;
    input_bytes(input, &value, sizeof(value));
    return value;
}

/* 0 to limit - 1. */
static inline size_t input_below(struct input *input, size_t limit)
{
    return (limit <= 256 ? input_8(input) : input_16(input)) % limit;
}

static inline bool input_flag(struct input *input)
{
    return (input_8(input) & 1) != 0;
}

/* FNV-1a: options for a target whose input is a text that people shall be able to read. */
static inline uint32_t input_hash(const uint8_t *data, size_t size)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 16777619u;
    return hash ^ hash >> 15;
}

/* A copy of exactly this size, so that AddressSanitizer sees the first byte beyond. Freed with free(). */
static inline void *exact_copy(const void *data, size_t size)
{
    void *copy = malloc(size);
    if (copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

#endif
