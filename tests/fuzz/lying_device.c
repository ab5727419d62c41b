/* SPDX-License-Identifier: MIT */
#include "lying_device.h"

#include <errno.h>

#include "transport/registers.h"
#include "transport/transport.h"

#define WINDOWS 64
#define STEPS   64
/* An interrupt handler over MMIO may go round a thousand times; a reset waits for a second. */
#define READS_MAX 50000

static struct input *script;
static uint8_t honest_reads; /* until the next lie */
static size_t reads;
bool has_lied;
void (*lying_on_write)(uint8_t *window, size_t offset, uint32_t value);

static struct window {
    uint64_t physical;
    size_t size;
    uint8_t *memory;
} windows[WINDOWS];
static size_t window_count;

static uint64_t now_us(void *context)
{
    (void)context;
    return fake_os.now += 50000;
}

void lying_start(struct input *input)
{
    fake_os_start();
    fake_os.hooks.now_us = now_us;
    script = input;
    honest_reads = input_8(input);
    has_lied = false;
    window_count = 0;
    reads = 0;
    lying_on_write = NULL;
}

void lying_stop(void)
{
    fake_os_stop();
    while (window_count > 0)
        free(windows[--window_count].memory);
}

uint32_t lie(uint32_t value, unsigned width)
{
    uint32_t mask = width == 4 ? UINT32_MAX : (1u << 8 * width) - 1;

    assert_true(++reads <= READS_MAX);
    if (honest_reads > 0 || input_left(script) == 0) {
        honest_reads = (uint8_t)(honest_reads - (honest_reads > 0));
        return value;
    }
    honest_reads = input_8(script);
    has_lied = true;
    uint8_t kind = input_8(script);
    switch (kind % 8) {
    case 0:
        return mask;
    case 1:
        return 0;
    case 2:
        return (value + 1) & mask;
    case 3:
        return (value ^ 1u << kind / 8) & mask;
    case 4:
        return kind / 8;
    default:
        return input_32(script) & mask;
    }
}

volatile void *lying_map(uint64_t physical, size_t size, const uint8_t *contents, size_t contents_size)
{
    for (size_t i = 0; i < window_count; i++)
        if (windows[i].physical == physical && windows[i].size == size)
            return windows[i].memory;
    assert_true(window_count < WINDOWS && size > 0);
    struct window *window = &windows[window_count++];
    *window = (struct window){physical, size, calloc(1, size)};
    assert_non_null(window->memory);
    memcpy(window->memory, contents, size < contents_size ? size : contents_size);
    return window->memory;
}

static struct window *window_of(const volatile void *address, unsigned width)
{
    uintptr_t at = (uintptr_t)address;

    for (size_t i = 0; i < window_count; i++) {
        uintptr_t start = (uintptr_t)windows[i].memory;
        if (at >= start && at + width <= start + windows[i].size) {
            assert_int_equal((windows[i].physical + (at - start)) % width, 0);
            return &windows[i];
        }
    }
    fail_msg("access of %u bytes outside of all that was mapped", width);
}

static uint32_t read_register(const volatile void *address, unsigned width)
{
    uint32_t value = 0;

    (void)window_of(address, width);
    memcpy(&value, (const void *)(uintptr_t)address, width);
    return lie(value, width);
}

static void write_register(volatile void *address, unsigned width, uint32_t value)
{
    struct window *window = window_of(address, width);
    size_t offset = (uintptr_t)address - (uintptr_t)window->memory;

    memcpy(window->memory + offset, &value, width);
    if (lying_on_write != NULL)
        lying_on_write(window->memory, offset, value);
}

/* What the library links against in place of transport/registers.c. */
uint8_t virtio_read8(const volatile void *address)
{
    return (uint8_t)read_register(address, 1);
}

uint16_t virtio_read16(const volatile void *address)
{
    return (uint16_t)read_register(address, 2);
}

uint32_t virtio_read32(const volatile void *address)
{
    return read_register(address, 4);
}

void virtio_write8(volatile void *address, uint8_t value)
{
    write_register(address, 1, value);
}

void virtio_write16(volatile void *address, uint16_t value)
{
    write_register(address, 2, value);
}

void virtio_write32(volatile void *address, uint32_t value)
{
    write_register(address, 4, value);
}

/* ---- the driver ---- */

static unsigned interrupts;

static void on_interrupt(void *argument)
{
    assert_ptr_equal(argument, &interrupts);
    interrupts++;
}

struct life {
    struct virtio_device *device;
    enum { RESET, NEGOTIATED, STARTED } state;
    struct virtio_queue *queues[VIRTIO_QUEUES_MAX];
};

static void negotiate(struct life *life)
{
    uint64_t accepted = 0;

    memset(life->queues, 0, sizeof(life->queues));
    int result = virtio_device_negotiate(life->device, input_8(script), &accepted);
    assert_true(result == 0 || result == -ENODEV || result == -EIO);
    life->state = result == 0 ? NEGOTIATED : RESET;
    assert_true(result != 0 || (accepted & VIRTIO_F_VERSION_1) != 0);
    assert_true(fake_os.vectors == 0 && fake_os.lines == 0);
}

static void make_queue(struct life *life)
{
    uint16_t index = input_8(script) % 18, size = (uint16_t)(1 + input_8(script));
    struct virtio_queue *queue = NULL;

    if (life->state != NEGOTIATED)
        return;
    int result = virtio_device_queue(life->device, index, size, on_interrupt, &interrupts, &queue);
    assert_true(result <= 0);
    if (result != 0)
        return;
    assert_true(index < VIRTIO_QUEUES_MAX && life->queues[index] == NULL);
    uint16_t got = virtio_queue_size(queue);
    assert_true(got > 0 && got <= size && (got & (got - 1)) == 0);
    life->queues[index] = queue;
}

static void use_queue(struct life *life)
{
    struct virtio_queue *queue = life->queues[input_8(script) % VIRTIO_QUEUES_MAX];
    const struct virtio_buffer buffer = {0x1000, 16};
    uint32_t written = 0;
    void *token = NULL;

    if (queue == NULL)
        return;
    (void)virtio_queue_add(queue, &buffer, 1, NULL, 0, life);
    (void)virtio_queue_enable_interrupt(queue, 1);
    if (life->state == STARTED)
        virtio_queue_kick(queue);
    assert_int_equal(virtio_queue_take(queue, &token, &written), 0); /* the rings are honest here */
}

static void read_config(struct life *life)
{
    uint8_t *bytes = malloc(64);
    size_t offset = input_8(script), size = input_below(script, 65);

    if (offset == 255)
        offset = SIZE_MAX - 8;
    int result = virtio_device_config(life->device, offset, bytes, size);
    assert_true(result == 0 || result == -EINVAL || result == -EAGAIN);
    assert_true(result != 0 || offset + size <= life->device->transport.config_size);
    free(bytes);
}

static void reset(struct life *life)
{
    virtio_device_reset(life->device);
    memset(life->queues, 0, sizeof(life->queues));
    life->state = RESET;
    assert_true(fake_os.vectors == 0 && fake_os.lines == 0);
}

static void one_step(struct life *life, uint8_t operation, void (*interrupt)(uint8_t which))
{
    switch (operation % 8) {
    case 0:
        negotiate(life);
        break;
    case 1:
        make_queue(life);
        break;
    case 2:
        if (life->state == NEGOTIATED)
            (void)virtio_device_on_config_change(life->device, on_interrupt, &interrupts);
        break;
    case 3:
        if (life->state == NEGOTIATED && virtio_device_start(life->device) == 0)
            life->state = STARTED;
        break;
    case 4:
        use_queue(life);
        break;
    case 5:
        read_config(life);
        break;
    case 6:
        interrupt(operation / 8);
        (void)virtio_device_broken(life->device);
        break;
    default:
        if (operation & 8)
            reset(life);
        fake_os.fail_at = operation & 16 ? operation / 32 : 0;
        fake_os.vectors_max = operation & 16 ? operation / 32 : FAKE_VECTORS;
        break;
    }
}

void lying_life(struct virtio_device *device, void (*interrupt)(uint8_t which))
{
    struct life life = {.device = device};

    for (size_t i = 0; i < STEPS && input_left(script) > 0; i++) {
        reads = 0;
        one_step(&life, input_8(script), interrupt);
    }
    fake_os.fail_at = 0;
    fake_os.vectors_max = FAKE_VECTORS;
    reads = 0;
    reset(&life);
}
