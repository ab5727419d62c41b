/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_mmio.h"
#include "fake_os.h"
#include "fake_pci.h"

#define BUS_OFFSET      0x100000000000ull
#define MESSAGE_ADDRESS 0xfee00000ull

struct fake_os fake_os;

struct block {
    struct block *next, *previous;
    size_t size;
    uint8_t *memory;
    bool dma;
};
static struct block blocks = {&blocks, &blocks, 0, NULL, false};

static bool fails(void)
{
    fake_os.requests++;
    if (fake_os.fail_all)
        return true;
    return fake_os.fail_at > 0 && --fake_os.fail_at == 0;
}

static void *allocate(size_t size, size_t align, bool dma)
{
    if (fails())
        return NULL;
    assert_true(size > 0);
    struct block *block = malloc(sizeof(*block));
    /* Exactly this size, so that the sanitizer sees the first byte beyond. */
    if (block == NULL || posix_memalign((void **)&block->memory, align < 16 ? 16 : align, size) != 0)
        abort();
    memset(block->memory, dma ? 0 : 0xa5, size);
    block->size = size;
    block->dma = dma;
    block->next = blocks.next;
    block->previous = &blocks;
    block->next->previous = block;
    blocks.next = block;
    fake_os.blocks++;
    fake_os.bytes += size;
    if (fake_os.bytes > fake_os.bytes_peak)
        fake_os.bytes_peak = fake_os.bytes;
    return block->memory;
}

static void release(void *memory, size_t size, bool dma)
{
    for (struct block *block = blocks.next; block != &blocks; block = block->next) {
        if (block->memory != memory)
            continue;
        assert_int_equal(block->size, size);
        assert_int_equal(block->dma, dma);
        block->next->previous = block->previous;
        block->previous->next = block->next;
        fake_os.blocks--;
        fake_os.bytes -= size;
        free(block->memory);
        free(block);
        return;
    }
    fail_msg("memory freed that was not allocated");
}

static void *alloc_aligned(void *context, size_t size, size_t align, uint64_t *physical)
{
    assert_ptr_equal(context, &fake_os);
    assert_true(align > 0 && align <= 4096 && (align & (align - 1)) == 0);
    void *memory = allocate(size, align, true);
    if (memory != NULL)
        *physical = (uintptr_t)memory + BUS_OFFSET;
    return memory;
}

static void free_aligned(void *context, void *memory, size_t size)
{
    assert_ptr_equal(context, &fake_os);
    release(memory, size, true);
}

static void *alloc(void *context, size_t size)
{
    assert_ptr_equal(context, &fake_os);
    return allocate(size, 16, false);
}

static void free_memory(void *context, void *memory, size_t size)
{
    assert_ptr_equal(context, &fake_os);
    release(memory, size, false);
}

void *fake_dma(uint64_t physical, size_t size)
{
    uint8_t *memory = (uint8_t *)(uintptr_t)(physical - BUS_OFFSET); /* NOLINT(performance-no-int-to-ptr) */

    for (struct block *block = blocks.next; block != &blocks; block = block->next) {
        if (block->dma && memory >= block->memory && memory < block->memory + block->size &&
            size <= (size_t)(block->memory + block->size - memory))
            return memory;
    }
    size_t at = (size_t)(memory - fake_os.reachable);
    if (fake_os.reachable != NULL && at < fake_os.reachable_size && size <= fake_os.reachable_size - at)
        return memory;
    fail_msg("the device was sent to %#llx, %zu bytes", (unsigned long long)physical, size);
    return NULL;
}

static size_t translate(void *context, const void *memory, size_t size, uint64_t *physical)
{
    assert_ptr_equal(context, &fake_os);
    size_t at = (size_t)((const uint8_t *)memory - fake_os.reachable);
    if (fake_os.reachable == NULL || at >= fake_os.reachable_size)
        return 0;
    size_t contiguous = fake_os.piece_size - at % fake_os.piece_size;
    *physical = (uintptr_t)memory + BUS_OFFSET;
    return contiguous < size ? contiguous : size;
}

static volatile void *map_mmio(void *context, uint64_t physical, size_t size)
{
    assert_ptr_equal(context, &fake_os);
    if (fails())
        return NULL;
    volatile void *mmio = fake_mmio_map(physical, size);
    return mmio != NULL ? mmio : fake_pci_map(physical, size);
}

static uint32_t pci_read(void *context, uint16_t address, uint16_t offset, unsigned width)
{
    assert_ptr_equal(context, &fake_os);
    return fake_pci_read(address, offset, width);
}

static void pci_write(void *context, uint16_t address, uint16_t offset, unsigned width, uint32_t value)
{
    assert_ptr_equal(context, &fake_os);
    fake_pci_write(address, offset, width, value);
}

static int interrupt_allocate(void *context, virtio_interrupt_handler handler, void *argument,
                              uint64_t *message_address, uint32_t *message_data)
{
    assert_ptr_equal(context, &fake_os);
    if (fake_os.vectors == fake_os.vectors_max)
        return -28;
    for (uint32_t i = 0; i < FAKE_VECTORS; i++) {
        if (fake_os.interrupts[i].handler != NULL)
            continue;
        fake_os.interrupts[i].handler = handler;
        fake_os.interrupts[i].argument = argument;
        fake_os.vectors++;
        *message_address = MESSAGE_ADDRESS | 1ull << 36;
        *message_data = i + 32;
        return 0;
    }
    return -28;
}

static void interrupt_free(void *context, uint64_t message_address, uint32_t message_data)
{
    assert_ptr_equal(context, &fake_os);
    assert_true(message_address == (MESSAGE_ADDRESS | 1ull << 36));
    assert_in_range(message_data, 32, 32 + FAKE_VECTORS - 1);
    assert_non_null(fake_os.interrupts[message_data - 32].handler);
    fake_os.interrupts[message_data - 32].handler = NULL;
    fake_os.vectors--;
}

void fake_message(uint64_t address, uint32_t data)
{
    assert_true(address == (MESSAGE_ADDRESS | 1ull << 36));
    assert_in_range(data, 32, 32 + FAKE_VECTORS - 1);
    assert_non_null(fake_os.interrupts[data - 32].handler);
    fake_os.interrupts[data - 32].handler(fake_os.interrupts[data - 32].argument);
}

static int interrupt_line_allocate(void *context, uint32_t line, virtio_interrupt_handler handler,
                                   void *argument)
{
    assert_ptr_equal(context, &fake_os);
    if (fake_os.line_error != 0)
        return fake_os.line_error;
    assert_true(line < FAKE_LINES);
    assert_null(fake_os.line[line].handler);
    fake_os.line[line] = (struct fake_line){.handler = handler, .argument = argument};
    fake_os.lines++;
    return 0;
}

static void interrupt_line_free(void *context, uint32_t line)
{
    assert_ptr_equal(context, &fake_os);
    assert_true(line < FAKE_LINES);
    assert_non_null(fake_os.line[line].handler);
    fake_os.line[line].handler = NULL;
    fake_os.lines--;
}

void fake_line_edge(uint32_t number)
{
    struct fake_line *line = &fake_os.line[number];

    line->again = true;
    if (line->busy)
        return;
    line->busy = true;
    while (line->again && line->handler != NULL) {
        line->again = false;
        line->handler(line->argument);
    }
    line->busy = false;
}

static uint64_t now_us(void *context)
{
    assert_ptr_equal(context, &fake_os);
    return fake_os.now++;
}

static void write_log(void *context, enum virtio_log_level level, const char *subsystem, const char *format,
                      va_list arguments)
{
    char text[200];

    assert_ptr_equal(context, &fake_os);
    vsnprintf(text, sizeof(text), format, arguments);
    snprintf(fake_os.last_log, sizeof(fake_os.last_log), "%s: %s", subsystem, text);
    fake_os.log_lines[level]++;
    if (getenv("FAKE_OS_LOG") != NULL)
        fprintf(stderr, "%d %s\n", (int)level, fake_os.last_log);
}

struct fake_os *fake_os_start(void)
{
    fake_os = (struct fake_os){
        .hooks = {.context = &fake_os,
                  .alloc_aligned = alloc_aligned,
                  .free_aligned = free_aligned,
                  .alloc = alloc,
                  .free = free_memory,
                  .translate = translate,
                  .map_mmio = map_mmio,
                  .pci_read = pci_read,
                  .pci_write = pci_write,
                  .interrupt_allocate = interrupt_allocate,
                  .interrupt_free = interrupt_free,
                  .interrupt_line_allocate = interrupt_line_allocate,
                  .interrupt_line_free = interrupt_line_free,
                  .now_us = now_us,
                  .log = write_log},
        .vectors_max = FAKE_VECTORS,
        .now = 1000000,
    };
    return &fake_os;
}

void fake_os_stop(void)
{
    assert_int_equal(fake_os.blocks, 0);
    assert_int_equal(fake_os.bytes, 0);
    assert_int_equal(fake_os.vectors, 0);
    assert_int_equal(fake_os.lines, 0);
}
