/* SPDX-License-Identifier: MIT
 *
 * Frames, heap and client pool over fake memory.
 */
#ifndef MEMORY_FIXTURE_H
#define MEMORY_FIXTURE_H

#include <fake_memory.h>
#include <hooks/library_memory.h>
#include <memory/frames.h>
#include <memory/heap.h>

static uint64_t frames_free_at_start;

static int start_memory(uint64_t size)
{
    fake_memory_create(size);
    const struct frames_range all = {0, size};
    if (frames_initialise(&all, 1, (uintptr_t)fake_memory, note_broken) != 0)
        return -1;
    heap_initialise(note_broken);
    client_pool_initialise();
    struct frames_statistics statistics;
    frames_get_statistics(&statistics);
    frames_free_at_start = statistics.free;
    return 0;
}

/* Everything was given back, and nobody did anything forbidden. */
static void end_memory(void)
{
    struct heap_statistics statistics;
    heap_get_statistics(&statistics);
    assert_int_equal(statistics.blocks, 0);
    assert_int_equal(statistics.used, 0);
    assert_int_equal(client_pool.used, 0);
    assert_int_equal(broken_count, 0);
    fake_memory_destroy();
}

#endif
