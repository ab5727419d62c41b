/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <arch/interrupts.h>
#include <arch/io.h>
#include <arch/ioapic.h>
#include <arch/mmu.h>
#include <arch/timer.h>
#include <hooks/virtio_os.h>
#include <logging/log.h>
#include <memory/frames.h>
#include <memory/heap.h>

/* PCI local bus 3.0, 3.2.2.3.2: configuration mechanism 1. It reaches the first 256 bytes, where every virtio
 * structure is announced. */
#define PCI_ADDRESS        0xcf8
#define PCI_DATA           0xcfc
#define PCI_ADDRESS_ENABLE (1u << 31)
#define PCI_CONFIG_SIZE    256

static size_t frame_count(size_t size)
{
    return size / FRAME_SIZE + (size % FRAME_SIZE != 0);
}

static void *os_alloc_aligned(void *context, size_t size, size_t align, uint64_t *physical)
{
    (void)context;
    if (frames_alloc(frame_count(size), align < FRAME_SIZE ? FRAME_SIZE : align, physical) != 0)
        return NULL;
    return memset(frames_pointer(*physical), 0, frame_count(size) * FRAME_SIZE);
}

static void os_free_aligned(void *context, void *memory, size_t size)
{
    (void)context;
    memset(memory, 0, size); /* it held what clients sent or got: see heap.h */
    frames_free(frames_physical(memory), frame_count(size));
}

static void *os_alloc(void *context, size_t size)
{
    (void)context;
    return heap_alloc(size);
}

static void os_free(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    heap_free(memory);
}

static size_t os_translate(void *context, const void *memory, size_t size, uint64_t *physical)
{
    (void)context;
    uintptr_t address = (uintptr_t)memory;
    if (!mmu_query(address, physical, NULL))
        return 0;
    /* The direct map is contiguous wherever it is mapped; the heap lives there. */
    if (address - MMU_DIRECT_MAP_WINDOW < MMU_DIRECT_MAP_WINDOW_SIZE)
        return size;
    size_t rest = MMU_PAGE_SIZE - address % MMU_PAGE_SIZE;
    return rest < size ? rest : size;
}

static volatile void *os_map_mmio(void *context, uint64_t physical, size_t size)
{
    (void)context;
    return mmu_map_mmio(physical, size);
}

static uint32_t os_pci_read(void *context, uint16_t address, uint16_t offset, unsigned width)
{
    (void)context;
    if (offset + width > PCI_CONFIG_SIZE)
        return UINT32_MAX;
    io_write32(PCI_ADDRESS, PCI_ADDRESS_ENABLE | (uint32_t)address << 8 | (offset & 0xfcu));
    uint16_t port = (uint16_t)(PCI_DATA + (offset & 3u));
    return width == 1 ? io_read8(port) : width == 2 ? io_read16(port) : io_read32(port);
}

static void os_pci_write(void *context, uint16_t address, uint16_t offset, unsigned width, uint32_t value)
{
    (void)context;
    if (offset + width > PCI_CONFIG_SIZE)
        return;
    io_write32(PCI_ADDRESS, PCI_ADDRESS_ENABLE | (uint32_t)address << 8 | (offset & 0xfcu));
    uint16_t port = (uint16_t)(PCI_DATA + (offset & 3u));
    if (width == 1)
        io_write8(port, (uint8_t)value);
    else if (width == 2)
        io_write16(port, (uint16_t)value);
    else
        io_write32(port, value);
}

static int os_interrupt_allocate(void *context, virtio_interrupt_handler handler, void *argument,
                                 uint64_t *message_address, uint32_t *message_data)
{
    (void)context;
    return interrupt_allocate(handler, argument, message_address, message_data);
}

static void os_interrupt_free(void *context, uint64_t message_address, uint32_t message_data)
{
    (void)context;
    interrupt_free(message_address, message_data);
}

/* virtio's lines are edges: drivers/virtio/transport/mmio.c says why. */
static int os_interrupt_line_allocate(void *context, uint32_t line, virtio_interrupt_handler handler,
                                      void *argument)
{
    (void)context;
    return interrupt_line_allocate(line, INTERRUPT_EDGE, handler, argument);
}

static void os_interrupt_line_free(void *context, uint32_t line)
{
    (void)context;
    interrupt_line_free(line);
}

static uint64_t os_now_us(void *context)
{
    (void)context;
    return timer_now_us();
}

static void os_log(void *context, enum virtio_log_level level, const char *subsystem, const char *format,
                   va_list arguments)
{
    (void)context;
    static const enum log_level levels[] = {[VIRTIO_LOG_ERROR] = LOG_ERROR,
                                            [VIRTIO_LOG_WARNING] = LOG_WARNING,
                                            [VIRTIO_LOG_INFO] = LOG_INFO,
                                            [VIRTIO_LOG_DEBUG] = LOG_DEBUG};
    log_write_v(levels[level], subsystem, format, arguments);
}

const struct virtio_os kernel_virtio_os = {
    .alloc_aligned = os_alloc_aligned,
    .free_aligned = os_free_aligned,
    .alloc = os_alloc,
    .free = os_free,
    .translate = os_translate,
    .map_mmio = os_map_mmio,
    .pci_read = os_pci_read,
    .pci_write = os_pci_write,
    .interrupt_allocate = os_interrupt_allocate,
    .interrupt_free = os_interrupt_free,
    .interrupt_line_allocate = os_interrupt_line_allocate,
    .interrupt_line_free = os_interrupt_line_free,
    .now_us = os_now_us,
    .log = os_log,
};
