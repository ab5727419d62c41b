/* SPDX-License-Identifier: MIT
 *
 * Physical memory for tests: an anonymous mapping that stands for the addresses from 0 on.
 */
#ifndef FAKE_MEMORY_H
#define FAKE_MEMORY_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static unsigned char *fake_memory;
static uint64_t fake_memory_size;

/* What the broken hook was told last, and how often. */
static const char *broken_what;
static unsigned broken_count;

__attribute__((unused)) static void note_broken(const char *what)
{
    broken_what = what;
    broken_count++;
}

/* Reserved, not touched: gigabytes cost nothing. */
static void fake_memory_create(uint64_t size)
{
    fake_memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fake_memory == MAP_FAILED)
        abort();
    fake_memory_size = size;
    broken_what = "";
    broken_count = 0;
}

static void fake_memory_destroy(void)
{
    munmap(fake_memory, fake_memory_size);
}

/* xorshift64: the same numbers in every run. */
static uint64_t random_state = 88172645463325252u;

__attribute__((unused)) static uint64_t random_below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

#endif
