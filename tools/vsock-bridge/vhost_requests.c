/* SPDX-License-Identifier: MIT
 *
 * The requests of vhost-user, one function each.
 */
#include "vhost_user_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"
#include "vhost_user_messages.h"

/* What the device offers. Sequenced packets are not supported, so streams are named. */
#define FEATURES                                                                                             \
    (FEATURE_STREAM | FEATURE_INDIRECT | FEATURE_EVENT_INDEX | FEATURE_PROTOCOL_FEATURES | FEATURE_VERSION_1)
#define PROTOCOL_FEATURES (PROTOCOL_MULTIQUEUE | PROTOCOL_REPLY_ACK | PROTOCOL_CONFIG | PROTOCOL_RESET_DEVICE)

/* Takes the one descriptor that came with the message, if any. */
static int take_descriptor(struct vhost_user *vm)
{
    if (vm->descriptor_count == 0)
        return -1;
    return vm->descriptors[--vm->descriptor_count];
}

static int reply(struct vhost_user *vm, const struct vhost_user_message *message, const void *payload,
                 uint32_t size)
{
    struct vhost_user_message answer = {
        .request = message->request, .flags = MESSAGE_VERSION | MESSAGE_REPLY, .size = size};
    size_t length = VHOST_USER_HEADER_SIZE + (size_t)size;

    if (size > 0)
        memcpy(answer.payload, payload, size);
    /* A master has one request outstanding: if its socket is full, it does not follow the protocol. */
    if (send(vm->watch.fd, &answer, length, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)length)
        return -EPIPE;
    return MESSAGE_REPLIED;
}

int vhost_reply_u64(struct vhost_user *vm, const struct vhost_user_message *message, uint64_t value)
{
    return reply(vm, message, &value, sizeof value);
}

static int get_features(struct vhost_user *vm, const struct vhost_user_message *message)
{
    return vhost_reply_u64(vm, message, FEATURES);
}

static int set_features(struct vhost_user *vm, const struct vhost_user_message *message)
{
    uint64_t features;

    memcpy(&features, message->payload, sizeof features);
    if ((features & ~FEATURES) != 0) {
        log_error("QEMU asks for features that were not offered: 0x%llx",
                  (unsigned long long)(features & ~FEATURES));
        return -EINVAL;
    }
    vm->features = features;
    for (unsigned i = 0; i < QUEUE_COUNT; i++) {
        vm->queues[i].ring.event_index = (features & FEATURE_EVENT_INDEX) != 0;
        /* Without that bit there is no SET_VRING_ENABLE: queues start enabled. */
        if ((features & FEATURE_PROTOCOL_FEATURES) == 0)
            vm->queues[i].enabled = true;
    }
    return 0;
}

static int get_protocol_features(struct vhost_user *vm, const struct vhost_user_message *message)
{
    return vhost_reply_u64(vm, message, PROTOCOL_FEATURES);
}

static int set_protocol_features(struct vhost_user *vm, const struct vhost_user_message *message)
{
    memcpy(&vm->protocol_features, message->payload, sizeof vm->protocol_features);
    if ((vm->protocol_features & ~PROTOCOL_FEATURES) != 0) {
        log_error("QEMU asks for protocol features that were not offered: 0x%llx",
                  (unsigned long long)(vm->protocol_features & ~PROTOCOL_FEATURES));
        vm->protocol_features &= PROTOCOL_FEATURES;
        return -EINVAL;
    }
    return 0;
}

static int set_owner(struct vhost_user *vm, const struct vhost_user_message *message)
{
    (void)vm;
    (void)message;
    return 0;
}

static int reset_device(struct vhost_user *vm, const struct vhost_user_message *message)
{
    (void)message;
    vhost_reset_queues(vm);
    return 0;
}

static int get_queue_count(struct vhost_user *vm, const struct vhost_user_message *message)
{
    return vhost_reply_u64(vm, message, QUEUE_COUNT);
}

static int set_memory_table(struct vhost_user *vm, const struct vhost_user_message *message)
{
    struct memory_region_description descriptions[MEMORY_REGIONS_MAX];
    uint32_t count;
    int result;

    memcpy(&count, message->payload, sizeof count);
    if (count > MEMORY_REGIONS_MAX || count != vm->descriptor_count ||
        message->size != 8 + count * sizeof descriptions[0]) {
        log_error("QEMU's memory table is malformed: %u regions, %u descriptors, %u bytes", count,
                  vm->descriptor_count, message->size);
        return -EPROTO;
    }
    memcpy(descriptions, message->payload + 8, count * sizeof descriptions[0]);
    result = memory_map(&vm->memory, descriptions, count, vm->descriptors);
    vhost_close_unclaimed(vm);
    if (result != 0)
        log_error("the guest's memory cannot be mapped: %s; QEMU needs a memory-backend-memfd with share=on",
                  strerror(-result));
    /* The rings move with the memory. */
    for (unsigned i = 0; i < QUEUE_COUNT; i++) {
        ring_unmap(&vm->queues[i].ring);
        if (result == 0)
            result = vhost_map_queue(vm, (enum vhost_queue)i);
    }
    return result;
}

static int ring_state(struct vhost_user *vm, const struct vhost_user_message *message,
                      struct vhost_queue_state **state, uint32_t *value)
{
    uint32_t fields[2]; /* index, value */

    memcpy(fields, message->payload, sizeof fields);
    if (fields[0] >= QUEUE_COUNT) {
        log_error("QEMU names queue %u; there are %d", fields[0], QUEUE_COUNT);
        return -EINVAL;
    }
    *state = &vm->queues[fields[0]];
    *value = fields[1];
    return 0;
}

/* Size and position may change only while the queue is stopped. */
static int require_stopped(const struct vhost_queue_state *state)
{
    if (state->ring.used == NULL)
        return 0;
    log_error("QEMU changes queue %s while it runs", state->ring.name);
    return -EBUSY;
}

static int set_ring_size(struct vhost_user *vm, const struct vhost_user_message *message)
{
    struct vhost_queue_state *state;
    uint32_t size;
    int result = ring_state(vm, message, &state, &size);

    if (result == 0)
        result = require_stopped(state);
    if (result != 0)
        return result;
    if (size == 0 || size > RING_SIZE_MAX || (size & (size - 1)) != 0) {
        log_error("queue %s: size %u is not a power of two up to %d", state->ring.name, size, RING_SIZE_MAX);
        return -EINVAL;
    }
    state->ring.size = (uint16_t)size;
    return 0;
}

static int set_ring_base(struct vhost_user *vm, const struct vhost_user_message *message)
{
    struct vhost_queue_state *state;
    uint32_t base;
    int result = ring_state(vm, message, &state, &base);

    if (result == 0)
        result = require_stopped(state);
    if (result != 0)
        return result;
    if (base > UINT16_MAX) {
        log_error("queue %s: base %u does not fit a ring index", state->ring.name, base);
        return -EINVAL;
    }
    state->ring.next = state->ring.published = (uint16_t)base;
    return 0;
}

static int get_ring_base(struct vhost_user *vm, const struct vhost_user_message *message)
{
    struct vhost_queue_state *state;
    uint32_t value;
    uint32_t fields[2];
    int result = ring_state(vm, message, &state, &value);

    if (result != 0)
        return result;
    vhost_stop_queue(vm, (enum vhost_queue)(state - vm->queues));
    fields[0] = (uint32_t)(state - vm->queues);
    fields[1] = state->ring.next;
    return reply(vm, message, fields, sizeof fields);
}

static int set_ring_addresses(struct vhost_user *vm, const struct vhost_user_message *message)
{
    struct ring_addresses addresses;
    struct vhost_queue_state *state;

    memcpy(&addresses, message->payload, sizeof addresses);
    if (addresses.index >= QUEUE_COUNT) {
        log_error("QEMU names queue %u; there are %d", addresses.index, QUEUE_COUNT);
        return -EINVAL;
    }
    state = &vm->queues[addresses.index];
    state->ring.descriptors_address = addresses.descriptors;
    state->ring.available_address = addresses.available;
    state->ring.used_address = addresses.used;
    state->ring.addresses_set = true;
    ring_unmap(&state->ring);
    return vhost_map_queue(vm, (enum vhost_queue)addresses.index);
}

/* The payload of SET_VRING_KICK, CALL and ERR: a queue, and whether a descriptor comes with it. */
static int ring_descriptor(struct vhost_user *vm, const struct vhost_user_message *message,
                           struct vhost_queue_state **state, int *descriptor)
{
    uint64_t value;
    unsigned expected;

    memcpy(&value, message->payload, sizeof value);
    expected = (value & RING_WITHOUT_DESCRIPTOR) == 0 ? 1 : 0;
    if ((value & RING_INDEX_MASK) >= QUEUE_COUNT || vm->descriptor_count != expected) {
        log_error("QEMU sends %u descriptors for queue %llu", vm->descriptor_count,
                  (unsigned long long)(value & RING_INDEX_MASK));
        return -EPROTO;
    }
    *state = &vm->queues[value & RING_INDEX_MASK];
    *descriptor = take_descriptor(vm);
    /* QEMU's eventfds are like that already; a write to anything else shall not block either. */
    if (*descriptor >= 0)
        (void)fcntl(*descriptor, F_SETFL, fcntl(*descriptor, F_GETFL) | O_NONBLOCK);
    return 0;
}

static int set_ring_kick(struct vhost_user *vm, const struct vhost_user_message *message)
{
    struct vhost_queue_state *state;
    int descriptor;
    int result = ring_descriptor(vm, message, &state, &descriptor);

    if (result != 0)
        return result;
    loop_close(vm->loop, &state->kick);
    ring_unmap(&state->ring);
    if (descriptor < 0) {
        log_error("queue %s has no kick descriptor; polling is not supported", state->ring.name);
        return -EOPNOTSUPP;
    }
    state->kick.fd = descriptor;
    result = loop_add(vm->loop, &state->kick, EPOLLIN | EPOLLET);
    if (result != 0) {
        log_error("queue %s: the kick descriptor cannot be watched: %s", state->ring.name, strerror(-result));
        vhost_close_descriptor(&state->kick.fd);
        return result;
    }
    return vhost_map_queue(vm, (enum vhost_queue)(state - vm->queues));
}

static int set_ring_call(struct vhost_user *vm, const struct vhost_user_message *message)
{
    struct vhost_queue_state *state;
    int descriptor;
    int result = ring_descriptor(vm, message, &state, &descriptor);

    if (result != 0)
        return result;
    vhost_close_descriptor(&state->call);
    state->call = descriptor;
    /* What was used between two call descriptors may have been signalled on the old one, unheard. */
    vhost_user_interrupt(vm, (enum vhost_queue)(state - vm->queues));
    return 0;
}

static int set_ring_error(struct vhost_user *vm, const struct vhost_user_message *message)
{
    struct vhost_queue_state *state;
    int descriptor;
    int result = ring_descriptor(vm, message, &state, &descriptor);

    if (result != 0)
        return result;
    vhost_close_descriptor(&state->error);
    state->error = descriptor;
    return 0;
}

static int set_ring_enable(struct vhost_user *vm, const struct vhost_user_message *message)
{
    struct vhost_queue_state *state;
    uint32_t value;
    int result = ring_state(vm, message, &state, &value);

    if (result != 0)
        return result;
    if (value > 1)
        return -EINVAL;
    state->enabled = value == 1;
    return 0;
}

static int get_config(struct vhost_user *vm, const struct vhost_user_message *message)
{
    struct config_access access;
    struct {
        struct config_access access;
        uint8_t bytes[CONFIG_SIZE_MAX];
    } answer = {0};

    if (message->size < sizeof access)
        return -EPROTO;
    memcpy(&access, message->payload, sizeof access);
    if (access.size > CONFIG_SIZE_MAX || access.offset > CONFIG_SIZE_MAX - access.size ||
        message->size != sizeof access + access.size) {
        log_error("QEMU reads %u bytes of configuration at offset %u in a message of %u", access.size,
                  access.offset, message->size);
        return reply(vm, message, NULL, 0); /* how the specification says that it failed */
    }
    answer.access = access;
    /* Section 5.10.4: guest_cid is all there is; beyond it are zeros. */
    for (uint32_t i = 0; i < access.size && access.offset + i < sizeof vm->guest_cid; i++)
        answer.bytes[i] = (uint8_t)(vm->guest_cid >> (8 * (access.offset + i)));
    return reply(vm, message, &answer, (uint32_t)sizeof access + access.size);
}

/* What a request must look like. Handlers return 0, MESSAGE_REPLIED, or a negative errno: -EPROTO and -EPIPE
 * end the connection, others are told to the master if it asked. */
static const struct request {
    int (*handle)(struct vhost_user *vm, const struct vhost_user_message *message);
    uint32_t size; /* of the payload */
    bool size_varies;
    unsigned descriptors_max;
} requests[] = {
    [REQUEST_GET_FEATURES] = {get_features, 0, false, 0},
    [REQUEST_SET_FEATURES] = {set_features, 8, false, 0},
    [REQUEST_SET_OWNER] = {set_owner, 0, false, 0},
    [REQUEST_RESET_OWNER] = {reset_device, 0, false, 0},
    [REQUEST_SET_MEM_TABLE] = {set_memory_table, 8, true, MEMORY_REGIONS_MAX},
    [REQUEST_SET_VRING_NUM] = {set_ring_size, 8, false, 0},
    [REQUEST_SET_VRING_ADDR] = {set_ring_addresses, sizeof(struct ring_addresses), false, 0},
    [REQUEST_SET_VRING_BASE] = {set_ring_base, 8, false, 0},
    [REQUEST_GET_VRING_BASE] = {get_ring_base, 8, false, 0},
    [REQUEST_SET_VRING_KICK] = {set_ring_kick, 8, false, 1},
    [REQUEST_SET_VRING_CALL] = {set_ring_call, 8, false, 1},
    [REQUEST_SET_VRING_ERR] = {set_ring_error, 8, false, 1},
    [REQUEST_GET_PROTOCOL_FEATURES] = {get_protocol_features, 0, false, 0},
    [REQUEST_SET_PROTOCOL_FEATURES] = {set_protocol_features, 8, false, 0},
    [REQUEST_GET_QUEUE_NUM] = {get_queue_count, 0, false, 0},
    [REQUEST_SET_VRING_ENABLE] = {set_ring_enable, 8, false, 0},
    [REQUEST_GET_CONFIG] = {get_config, sizeof(struct config_access), true, 0},
    [REQUEST_RESET_DEVICE] = {reset_device, 0, false, 0},
};

int vhost_handle_request(struct vhost_user *vm, const struct vhost_user_message *message)
{
    const struct request *request =
        message->request < sizeof requests / sizeof requests[0] ? &requests[message->request] : NULL;

    if (request == NULL || request->handle == NULL) {
        log_warning("QEMU sends vhost-user request %u, which is not supported", message->request);
        return -EOPNOTSUPP;
    }
    if (request->size_varies ? message->size < request->size : message->size != request->size) {
        log_error("vhost-user request %u has a payload of %u bytes instead of %u", message->request,
                  message->size, request->size);
        return -EPROTO;
    }
    if (vm->descriptor_count > request->descriptors_max) {
        log_error("vhost-user request %u brings %u descriptors, at most %u belong to it", message->request,
                  vm->descriptor_count, request->descriptors_max);
        return -EPROTO;
    }
    return request->handle(vm, message);
}
