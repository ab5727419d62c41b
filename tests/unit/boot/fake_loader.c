/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_loader.h"

#define BLOCKS_MAX 64

static struct {
    uint64_t physical;
    size_t size;
    uint8_t *bytes;
} blocks[BLOCKS_MAX];
static size_t block_count;

/* What loader_read has handed out: each starts with a pointer to the one before. */
struct copy {
    struct copy *before;
    uint8_t *bytes;
};
static struct copy *copies;

static void *must_allocate(size_t size)
{
    void *memory = malloc(size);
    if (memory == NULL)
        abort();
    return memory;
}

void loader_start(void)
{
    block_count = 0;
    copies = NULL;
}

void loader_put(uint64_t physical, const void *bytes, size_t size)
{
    assert_true(block_count < BLOCKS_MAX);
    blocks[block_count].physical = physical;
    blocks[block_count].size = size;
    blocks[block_count].bytes = must_allocate(size);
    memcpy(blocks[block_count].bytes, bytes, size);
    block_count++;
}

const void *loader_read(uint64_t physical, uint64_t size)
{
    for (size_t i = 0; i < block_count; i++) {
        uint64_t offset = physical - blocks[i].physical;
        if (physical < blocks[i].physical || offset > blocks[i].size || size > blocks[i].size - offset)
            continue;
        struct copy *copy = must_allocate(sizeof *copy);
        copy->before = copies;
        copy->bytes = must_allocate(size);
        memcpy(copy->bytes, blocks[i].bytes + offset, size);
        copies = copy;
        return copy->bytes;
    }
    return NULL;
}

void loader_end(void)
{
    while (copies != NULL) {
        struct copy *before = copies->before;
        free(copies->bytes);
        free(copies);
        copies = before;
    }
    while (block_count > 0)
        free(blocks[--block_count].bytes);
}

void check_boot_info(const struct boot_info *info)
{
    assert_true(info->range_count <= BOOT_RANGES_MAX);
    assert_true(info->module_count <= BOOT_MODULES_MAX);
    uint64_t end = 0;
    for (size_t i = 0; i < info->range_count; i++) {
        const struct boot_range *range = &info->ranges[i];
        assert_true(range->size > 0 && range->size <= UINT64_MAX - range->base);
        assert_true(range->base >= end);
        end = range->base + range->size;
    }
    for (size_t i = 0; i < info->module_count; i++) {
        const struct boot_module *module = &info->modules[i];
        assert_true(module->size <= UINT64_MAX - module->base);
        size_t length = strnlen(module->name, sizeof module->name);
        assert_true(length > 0 && length <= BOOT_NAME_MAX);
    }
    assert_true(strnlen(info->command_line, sizeof info->command_line) <= BOOT_COMMAND_LINE_MAX);
}

uint64_t random_below(uint64_t bound)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % bound;
}
