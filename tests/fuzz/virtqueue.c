/* SPDX-License-Identifier: MIT
 *
 * A split virtqueue. The input says what the driver does, and what a device does that may write any byte of
 * the rings at any time. As long as it has not lied, the queue does exactly what it should; after that, it
 * gives back no chain that the device does not hold, none twice, and none with more bytes than it has room.
 */
#include <errno.h>

#include "fuzz.h"
#include "queue_private.h"
#include "unit/virtio/fake_os.h"

#define SIZE_MAX_LOG2 7
#define CHAINS        (1u << SIZE_MAX_LOG2)

/* A token is a pointer to one of these. */
struct chain {
    bool held; /* added, not taken back */
    bool used; /* honestly */
    uint32_t writable, length;
    uint16_t head, descriptors;
};

static struct {
    struct virtio_queue *queue;
    struct virtio_queue_config config;
    uint64_t descriptors, available, used; /* bus addresses */
    struct chain chains[CHAINS];
    struct chain *fifo[CHAINS]; /* used, not taken */
    size_t fifo_count;
    uint16_t in_flight, free;
    uint16_t available_index, kicked_index, used_index;
    unsigned notified;
    bool lied, broken;
} model;

static void notify(void *context, uint16_t index)
{
    assert_true(context == &model && index == model.config.index);
    model.notified++;
}

static struct virtq_available *available(void)
{
    return fake_dma(model.available, 6 + 2u * model.config.size);
}

static struct virtq_used *used(void)
{
    return fake_dma(model.used, 6 + 8u * model.config.size);
}

/* ---- the driver ---- */

static struct chain *free_chain(void)
{
    for (size_t i = 0; i < CHAINS; i++)
        if (!model.chains[i].held)
            return &model.chains[i];
    return NULL;
}

/* What the driver has just made available, as the device finds it: whatever it had scribbled before. */
static void check_added(struct chain *chain, const struct virtio_buffer *buffers, size_t readable,
                        size_t count, bool indirect)
{
    uint16_t size = model.config.size;

    assert_int_equal(available()->index, model.available_index);
    chain->head = available()->ring[(uint16_t)(model.available_index - 1) & (size - 1)];
    assert_true(chain->head < size);
    const struct virtq_descriptor *table = fake_dma(model.descriptors, 16u * size);
    size_t at = chain->head;
    if (indirect) {
        assert_int_equal(table[at].flags, VIRTQ_DESC_F_INDIRECT);
        assert_int_equal(table[at].length, 16 * count);
        table = fake_dma(table[at].address, table[at].length);
        at = 0;
    }
    for (size_t i = 0; i < count; i++) {
        assert_true(table[at].address == buffers[i].physical && table[at].length == buffers[i].size);
        unsigned flags = (i < readable ? 0u : VIRTQ_DESC_F_WRITE) | (i + 1 < count ? VIRTQ_DESC_F_NEXT : 0u);
        assert_int_equal(table[at].flags, flags);
        at = table[at].next;
        assert_true(i + 1 == count || at < (indirect ? count : size));
    }
}

static void add(struct input *input)
{
    static struct virtio_buffer buffers[2 * CHAINS + 2];
    size_t readable = input_below(input, model.config.size + 2u);
    size_t writable = input_below(input, model.config.size + 2u);
    size_t count = readable + writable;
    uint16_t size = model.config.size;
    uint64_t writable_size = 0, total = 0;
    bool valid = count > 0 && count <= size;

    if (input_flag(input)) /* most are short */
        readable %= 3, writable %= 3, count = readable + writable, valid = count > 0 && count <= size;
    for (size_t i = 0; i < count; i++) {
        static const uint32_t sizes[] = {1, 44, 4096, 65536, 1u << 20, 1u << 31, UINT32_MAX, 0};
        uint32_t chosen = sizes[i < 8 ? input_8(input) % 32 % 9 % 8 : 1];
        buffers[i] = (struct virtio_buffer){0x1000u * i + 1, chosen};
        total += chosen;
        writable_size += i < readable ? 0 : chosen;
        valid = valid && chosen > 0;
    }
    valid = valid && total <= UINT32_MAX;
    struct chain *chain = free_chain();
    if (chain == NULL)
        chain = &model.chains[0]; /* the ring is full */
    bool may_fail = fake_os.fail_at > 0 || fake_os.fail_all;
    uint16_t free_before = virtio_queue_free_descriptors(model.queue);
    int result = virtio_queue_add(model.queue, buffers, readable, buffers + readable, writable, chain);
    uint16_t taken = (uint16_t)(free_before - virtio_queue_free_descriptors(model.queue));
    int expected = 0;
    if (model.broken)
        expected = -EIO;
    else if (!valid)
        expected = -EINVAL;
    else if (model.free == 0 ||
             ((!model.config.indirect || may_fail) && count > 1 && count > model.free && result != 0))
        expected = -ENOSPC;
    assert_int_equal(result, expected);
    if (result != 0) {
        assert_int_equal(taken, 0);
        return;
    }
    bool indirect = count > 1 && taken == 1;
    assert_true(indirect ? model.config.indirect : taken == count);
    assert_true(indirect || may_fail || count == 1 || !model.config.indirect);
    *chain = (struct chain){.held = true, .writable = (uint32_t)writable_size, .descriptors = taken};
    model.in_flight++;
    model.free = (uint16_t)(model.free - taken);
    model.available_index++;
    check_added(chain, buffers, readable, count, indirect);
}

static void kick(void)
{
    uint16_t count = (uint16_t)(model.available_index - model.kicked_index);
    uint16_t event;
    bool wanted = (used()->flags & VIRTQ_USED_F_NO_NOTIFY) == 0;

    memcpy(&event, &used()->ring[model.config.size], sizeof(event));
    if (model.config.event_index)
        wanted = (uint16_t)(event - model.kicked_index) < count;
    model.notified = 0;
    virtio_queue_kick(model.queue);
    assert_int_equal(model.notified, !model.broken && count > 0 && wanted ? 1 : 0);
    if (!model.broken)
        model.kicked_index = model.available_index;
}

static void take(void)
{
    void *token = NULL;
    uint32_t written = UINT32_MAX;
    int result = virtio_queue_take(model.queue, &token, &written);

    if (model.broken || !model.lied)
        assert_int_equal(result, model.broken ? -EIO : model.fifo_count > 0 ? 1 : 0);
    assert_true(result == 1 || result == 0 || result == -EIO);
    model.broken = result < 0;
    if (result <= 0)
        return;
    struct chain *chain = token;
    assert_true(chain >= model.chains && chain < model.chains + CHAINS && chain->held);
    assert_true(written <= chain->writable);
    if (!model.lied) {
        assert_ptr_equal(chain, model.fifo[0]);
        assert_int_equal(written, chain->length);
        memmove(model.fifo, model.fifo + 1, --model.fifo_count * sizeof(model.fifo[0]));
    }
    chain->held = false;
    model.in_flight--;
    model.free = (uint16_t)(model.free + chain->descriptors);
}

/* A chain that the device is known to have forgotten. */
static void drop(size_t which)
{
    struct chain *chain = &model.chains[which];

    if (model.broken || (chain->used && !model.lied))
        return; /* it would lie with the next one that it gives back */
    assert_int_equal(virtio_queue_drop(model.queue, chain), chain->held ? 0 : -ENOENT);
    if (!chain->held)
        return;
    chain->held = false;
    model.in_flight--;
    model.free = (uint16_t)(model.free + chain->descriptors);
}

static void arm(uint16_t chains)
{
    bool armed = virtio_queue_enable_interrupt(model.queue, chains);

    if (!model.lied && !model.broken)
        assert_int_equal(armed, model.fifo_count < (model.config.event_index ? chains : 1));
}

/* ---- the device ---- */

static void put_used(uint32_t id, uint32_t length)
{
    struct virtq_used *ring = used();
    ring->ring[model.used_index & (model.config.size - 1)] = (struct virtq_used_element){id, length};
    ring->index = ++model.used_index;
}

static void use_honestly(struct input *input)
{
    size_t start = input_below(input, CHAINS);
    uint32_t length = input_32(input);

    for (size_t i = 0; i < CHAINS; i++) {
        struct chain *chain = &model.chains[(start + i) % CHAINS];
        if (!chain->held || chain->used)
            continue;
        chain->used = true;
        chain->length = chain->writable == 0 ? 0 : (uint32_t)(length % (chain->writable + 1ull));
        if (!model.lied)
            model.fifo[model.fifo_count++] = chain;
        /* Linux before 5.16 says how long a packet was that it only read. */
        put_used(chain->head, chain->writable == 0 ? length : chain->length);
        return;
    }
}

static void scribble(struct input *input)
{
    size_t size = 16u * model.config.size + 6 + 2u * model.config.size + 2 + 6 + 8u * model.config.size;
    size_t offset = input_16(input) % size, count = 1 + input_below(input, 16);
    uint8_t bytes[16];

    input_bytes(input, bytes, sizeof(bytes));
    if (offset + count > model.used + 6 + 8u * model.config.size - model.descriptors)
        return;
    memcpy(fake_dma(model.descriptors + offset, count), bytes, count);
    model.lied = true;
}

static void one_step(struct input *input)
{
    uint8_t operation = input_8(input);

    switch (operation % 16) {
    case 0:
    case 1:
    case 2:
        add(input);
        break;
    case 3:
        kick();
        break;
    case 4:
    case 5:
        take();
        break;
    case 6:
        arm((uint16_t)(1 + input_8(input)));
        break;
    case 7:
        virtio_queue_disable_interrupt(model.queue);
        if (operation & 16)
            drop(input_below(input, CHAINS));
        break;
    case 8: /* what a device may say about kicks */
        used()->flags = input_8(input) & 1;
        model.config.event_index ? memcpy(&used()->ring[model.config.size], &model.available_index, 2) : 0;
        break;
    case 9:
        put_used(operation & 16 ? input_8(input) % model.config.size : input_32(input), input_32(input));
        model.lied = true;
        break;
    case 10:
        model.used_index = operation & 16 ? input_16(input) : (uint16_t)(model.used_index + input_8(input));
        used()->index = model.used_index;
        model.lied = true;
        break;
    case 11:
        scribble(input);
        break;
    case 12:
        fake_os.fail_at = (long)input_below(input, 4);
        fake_os.fail_all = (operation & 16) != 0;
        break;
    default:
        use_honestly(input);
        break;
    }
    assert_int_equal(virtio_queue_broken(model.queue), model.broken);
    assert_int_equal(virtio_queue_chains_in_flight(model.queue), model.in_flight);
    assert_int_equal(virtio_queue_free_descriptors(model.queue), model.free);
    if (!model.lied)
        assert_false(model.broken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size, 0};
    uint8_t start = input_8(&input);
    uint16_t queue_size = input_16(&input);

    memset(&model, 0, sizeof(model));
    model.config = (struct virtio_queue_config){.index = 3,
                                                .size = (uint16_t)(1u << (start / 4 % (SIZE_MAX_LOG2 + 1))),
                                                .indirect = (start & 1) != 0,
                                                .event_index = (start & 2) != 0,
                                                .notify = notify,
                                                .notify_context = &model};
    if (start >= 0xfc) /* any size: refused unless it is a power of two */
        model.config.size = queue_size;
    fake_os_start();
    int result = virtio_queue_create(&fake_os.hooks, &model.config, &model.queue);
    bool power = model.config.size != 0 && (model.config.size & (model.config.size - 1)) == 0;
    assert_int_equal(result, power && model.config.size <= VIRTQ_SIZE_MAX ? 0 : -EINVAL);
    if (result != 0) {
        fake_os_stop();
        return 0;
    }
    model.free = model.config.size;
    if (model.config.indirect && queue_size % 4 == 3) {
        virtio_queue_avoid_indirect(model.queue);
        model.config.indirect = false;
    }
    virtio_queue_addresses(model.queue, &model.descriptors, &model.available, &model.used);
    /* The rings, what the driver knows beside them, and at most a table for each descriptor. */
    size_t ring = model.config.size;
    while (ring <= CHAINS && input_left(&input) > 0)
        one_step(&input);
    assert_true(fake_os.bytes_peak <= 128 * ring + 1024 + ring * 16 * (ring < 4 ? 4 : ring));
    virtio_queue_destroy(model.queue);
    fake_os_stop();
    return 0;
}
