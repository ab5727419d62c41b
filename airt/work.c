/* SPDX-License-Identifier: MIT */
#include "work.h"

#include <errno.h>

#define YIELD_AFTER (UINT32_C(64) << 10)
#define PORTION     4096 /* numbers of a pass that are counted together */

int work_spend(struct work *work, size_t bytes)
{
    work->done += bytes;
    if (work->done < YIELD_AFTER)
        return 0;
    work->done = 0;
    if (work->hooks->yield != NULL && work->hooks->yield(work->hooks->context) != 0)
        return -ECANCELED;
    return 0;
}

static void insertion_sort(uint64_t *numbers, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint64_t number = numbers[i];
        size_t place = i;

        for (; place > 0 && numbers[place - 1] > number; place--)
            numbers[place] = numbers[place - 1];
        numbers[place] = number;
    }
}

/* Moves the numbers without the bit before those with it, and sets *split to how many there are. */
static int partition(struct work *work, uint64_t *numbers, size_t count, uint64_t bit, size_t *split)
{
    size_t low = 0;
    size_t high = count;
    size_t uncounted = 0;

    while (low < high) {
        if ((numbers[low] & bit) == 0) {
            low++;
        } else {
            uint64_t swapped = numbers[--high];

            numbers[high] = numbers[low];
            numbers[low] = swapped;
        }
        if (++uncounted == PORTION) {
            if (work_spend(work, uncounted * sizeof(*numbers)) != 0)
                return -ECANCELED;
            uncounted = 0;
        }
    }
    *split = low;
    return work_spend(work, uncounted * sizeof(*numbers));
}

int work_sort(struct work *work, uint64_t *numbers, size_t count)
{
    /* Radix exchange: one bit after the other, the highest first. What is put aside has a lower bit each
     * time, so there are never more than 64. */
    struct {
        uint64_t *numbers;
        size_t count;
        uint64_t bit;
    } aside[64];
    size_t aside_count = 0;
    uint64_t bit = UINT64_C(1) << 63;

    for (;;) {
        while (count > 16 && bit != 0) {
            size_t split;
            int rc = partition(work, numbers, count, bit, &split);

            if (rc != 0)
                return rc;
            bit >>= 1;
            if (split < count) {
                aside[aside_count].numbers = numbers + split;
                aside[aside_count].count = count - split;
                aside[aside_count].bit = bit;
                aside_count++;
            }
            count = split;
        }
        if (bit != 0)
            insertion_sort(numbers, count);
        if (aside_count == 0)
            return 0;
        aside_count--;
        numbers = aside[aside_count].numbers;
        count = aside[aside_count].count;
        bit = aside[aside_count].bit;
    }
}

size_t work_search(const uint64_t *numbers, size_t count, uint64_t wanted)
{
    size_t low = 0;

    while (low < count) {
        size_t middle = low + (count - low) / 2;

        if (numbers[middle] < wanted)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}
