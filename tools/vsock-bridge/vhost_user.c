/* SPDX-License-Identifier: MIT */
#include "vhost_user.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "vhost_user_messages.h"

static const char *const queue_names[QUEUE_COUNT] = {"rx", "tx", "event"};

/* What the device offers. Sequenced packets are not supported, so VIRTIO_VSOCK_F_STREAM is said aloud. */
#define FEATURE_STREAM            (UINT64_C(1) << 0)
#define FEATURE_INDIRECT          (UINT64_C(1) << 28)
#define FEATURE_EVENT_INDEX       (UINT64_C(1) << 29)
#define FEATURE_PROTOCOL_FEATURES (UINT64_C(1) << 30)
#define FEATURE_VERSION_1         (UINT64_C(1) << 32)
#define FEATURES                                                                                             \
    (FEATURE_STREAM | FEATURE_INDIRECT | FEATURE_EVENT_INDEX | FEATURE_PROTOCOL_FEATURES | FEATURE_VERSION_1)

#define PROTOCOL_MULTIQUEUE   (UINT64_C(1) << 0)
#define PROTOCOL_REPLY_ACK    (UINT64_C(1) << 3)
#define PROTOCOL_CONFIG       (UINT64_C(1) << 9)
#define PROTOCOL_RESET_DEVICE (UINT64_C(1) << 13)
#define PROTOCOL_FEATURES     (PROTOCOL_MULTIQUEUE | PROTOCOL_REPLY_ACK | PROTOCOL_CONFIG | PROTOCOL_RESET_DEVICE)

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0)
        (void)close(*descriptor);
    *descriptor = -1;
}

/* Takes the one descriptor that came with the message, if any. */
static int take_descriptor(struct vhost_user *vm)
{
    if (vm->descriptor_count == 0)
        return -1;
    return vm->descriptors[--vm->descriptor_count];
}

static void close_unclaimed_descriptors(struct vhost_user *vm)
{
    while (vm->descriptor_count > 0)
        (void)close(vm->descriptors[--vm->descriptor_count]);
}

/* --- queues -----------------------------------------------------------------------------------------------
 */

static bool queue_active(const struct vhost_user *vm, enum vhost_queue queue)
{
    const struct vhost_queue_state *state = &vm->queues[queue];

    return state->ring.used != NULL && state->kick.fd >= 0 && state->enabled && !state->broken;
}

/* A driver that begins anew begins at 0. */
static bool stands_where_it_stopped(const struct vhost_user *vm)
{
    for (int i = 0; i < 2; i++) {
        if (vm->queues[i].ring.next != vm->stopped_at[i] || vm->stopped_at[i] == 0)
            return false;
    }
    return true;
}

/* Tells the device when both data queues have become ready, or one no longer is. */
static void update_running(struct vhost_user *vm)
{
    bool running = queue_active(vm, QUEUE_TO_GUEST) && queue_active(vm, QUEUE_FROM_GUEST);

    if (running == vm->running)
        return;
    vm->running = running;
    if (running) {
        vm->hooks.started(vm->context, vm->resumable && stands_where_it_stopped(vm));
    } else {
        vm->resumable = !vhost_user_broken(vm);
        for (int i = 0; i < 2; i++)
            vm->stopped_at[i] = vm->queues[i].ring.next;
        vm->hooks.stopped(vm->context, !vm->resumable);
    }
}

static void on_kick(struct watch *watch, uint32_t events)
{
    /* Waking the loop is all: the device looks at its rings after every batch of events. The counter is left
     * alone, since the watch is edge-triggered and every kick is an edge. */
    (void)watch;
    (void)events;
}

static void stop_queue(struct vhost_user *vm, enum vhost_queue queue)
{
    struct vhost_queue_state *state = &vm->queues[queue];

    ring_unmap(&state->ring);
    loop_close(vm->loop, &state->kick);
    close_descriptor(&state->call);
    close_descriptor(&state->error);
    state->broken = false;
    update_running(vm);
}

static void reset_queues(struct vhost_user *vm)
{
    if (vm->running || vm->resumable) {
        vm->running = vm->resumable = false;
        vm->hooks.stopped(vm->context, true);
    }
    for (unsigned i = 0; i < QUEUE_COUNT; i++) {
        struct vhost_queue_state *state = &vm->queues[i];

        stop_queue(vm, (enum vhost_queue)i);
        state->enabled = false;
        state->ring = (struct ring){.name = queue_names[i]};
    }
}

/* Maps the ring if all that it needs is known. */
static int map_queue(struct vhost_user *vm, enum vhost_queue queue)
{
    struct vhost_queue_state *state = &vm->queues[queue];
    int result;

    if (state->kick.fd < 0 || !state->ring.addresses_set)
        return 0;
    state->ring.event_index = (vm->features & FEATURE_EVENT_INDEX) != 0;
    result = ring_map(&state->ring, &vm->memory);
    if (result != 0)
        log_error("queue %s cannot be used: %s", state->ring.name, state->ring.fault);
    return result;
}

void vhost_user_interrupt(struct vhost_user *vm, enum vhost_queue queue)
{
    const uint64_t one = 1;

    /* A full counter (EAGAIN) is an interrupt that is pending already. */
    if (vm->queues[queue].call >= 0)
        (void)!write(vm->queues[queue].call, &one, sizeof one);
}

void vhost_user_break(struct vhost_user *vm, enum vhost_queue queue)
{
    struct vhost_queue_state *state = &vm->queues[queue];
    const uint64_t one = 1;

    log_error(
        "the guest broke the rules of queue %s: %s; vsock stands still until its driver resets the device",
        state->ring.name, state->ring.fault);
    state->broken = true;
    if (state->error >= 0)
        (void)!write(state->error, &one, sizeof one);
    update_running(vm);
}

bool vhost_user_broken(const struct vhost_user *vm)
{
    return vm->queues[QUEUE_TO_GUEST].broken || vm->queues[QUEUE_FROM_GUEST].broken;
}

/* --- messages ---------------------------------------------------------------------------------------------
 */

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

static int reply_u64(struct vhost_user *vm, const struct vhost_user_message *message, uint64_t value)
{
    return reply(vm, message, &value, sizeof value);
}

static int get_features(struct vhost_user *vm, const struct vhost_user_message *message)
{
    return reply_u64(vm, message, FEATURES);
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
    return reply_u64(vm, message, PROTOCOL_FEATURES);
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
    reset_queues(vm);
    return 0;
}

static int get_queue_count(struct vhost_user *vm, const struct vhost_user_message *message)
{
    return reply_u64(vm, message, QUEUE_COUNT);
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
    close_unclaimed_descriptors(vm);
    if (result != 0)
        log_error("the guest's memory cannot be mapped: %s; QEMU needs a memory-backend-memfd with share=on",
                  strerror(-result));
    /* The rings move with the memory. */
    for (unsigned i = 0; i < QUEUE_COUNT; i++) {
        ring_unmap(&vm->queues[i].ring);
        if (result == 0)
            result = map_queue(vm, (enum vhost_queue)i);
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
    stop_queue(vm, (enum vhost_queue)(state - vm->queues));
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
    return map_queue(vm, (enum vhost_queue)addresses.index);
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
        close_descriptor(&state->kick.fd);
        return result;
    }
    return map_queue(vm, (enum vhost_queue)(state - vm->queues));
}

static int set_ring_call(struct vhost_user *vm, const struct vhost_user_message *message)
{
    struct vhost_queue_state *state;
    int descriptor;
    int result = ring_descriptor(vm, message, &state, &descriptor);

    if (result != 0)
        return result;
    close_descriptor(&state->call);
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
    close_descriptor(&state->error);
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

/* --- dispatch ---------------------------------------------------------------------------------------------
 */

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

static int handle(struct vhost_user *vm, const struct vhost_user_message *message)
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

/* Handles the message that is complete. Returns 0, or a negative errno when the connection has to end. */
static int dispatch(struct vhost_user *vm)
{
    const struct vhost_user_message *message = &vm->message;
    int result;

    vm->spoke = true;
    log_debug("vhost-user request %u, %u bytes, %u descriptors", message->request, message->size,
              vm->descriptor_count);
    result = handle(vm, message);
    close_unclaimed_descriptors(vm);
    vm->received = 0;
    if (result == -EPROTO || result == -EPIPE)
        return result;
    if (result != MESSAGE_REPLIED && (message->flags & MESSAGE_NEEDS_REPLY) != 0 &&
        (vm->protocol_features & PROTOCOL_REPLY_ACK) != 0 &&
        reply_u64(vm, message, result < 0 ? (uint64_t)-result : 0) < 0)
        return -EPIPE;
    update_running(vm);
    return 0;
}

/* Receives what is missing of the current message, never beyond it: descriptors travel with the first byte of
 * theirs. Returns bytes received, 0 at the end, or a negative errno. */
static ssize_t receive(struct vhost_user *vm, size_t missing)
{
    union {
        char space[CMSG_SPACE(MEMORY_REGIONS_MAX * sizeof(int))];
        struct cmsghdr alignment;
    } control;
    struct iovec segment = {.iov_base = (uint8_t *)&vm->message + vm->received, .iov_len = missing};
    struct msghdr header = {.msg_iov = &segment,
                            .msg_iovlen = 1,
                            .msg_control = control.space,
                            .msg_controllen = sizeof control.space};
    ssize_t size = recvmsg(vm->watch.fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    bool too_many = false;

    if (size < 0)
        return -errno;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&header); part != NULL; part = CMSG_NXTHDR(&header, part)) {
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int descriptor;

            memcpy(&descriptor, CMSG_DATA(part) + i * sizeof descriptor, sizeof descriptor);
            if (vm->descriptor_count < MEMORY_REGIONS_MAX) {
                vm->descriptors[vm->descriptor_count++] = descriptor;
            } else {
                (void)close(descriptor);
                too_many = true;
            }
        }
    }
    if (too_many || (header.msg_flags & MSG_CTRUNC) != 0) {
        log_error("a vhost-user message brings more than %d descriptors", MEMORY_REGIONS_MAX);
        return -EPROTO;
    }
    return size;
}

/* Receives and handles one message, or a part of it. Returns 1 to go on, 0 when nothing more is there, or a
 * negative errno when the connection has to end. */
static int receive_message(struct vhost_user *vm)
{
    uint32_t wanted = VHOST_USER_HEADER_SIZE;
    ssize_t size;

    if (vm->received >= VHOST_USER_HEADER_SIZE)
        wanted += vm->message.size;
    size = receive(vm, wanted - vm->received);
    if (size == -EAGAIN || size == -EINTR)
        return 0;
    if (size <= 0)
        return size < 0 ? (int)size : -ECONNRESET;
    vm->received += (uint32_t)size;
    if (vm->received < VHOST_USER_HEADER_SIZE)
        return 1;
    if (vm->received == VHOST_USER_HEADER_SIZE) {
        if ((vm->message.flags & MESSAGE_VERSION_MASK) != MESSAGE_VERSION ||
            vm->message.size > VHOST_USER_PAYLOAD_MAX) {
            log_error("this is not vhost-user: request %u, flags 0x%x, %u bytes", vm->message.request,
                      vm->message.flags, vm->message.size);
            return -EPROTO;
        }
    }
    if (vm->received < VHOST_USER_HEADER_SIZE + vm->message.size)
        return 1;
    return dispatch(vm) < 0 ? -EPROTO : 1;
}

static void on_readable(struct watch *watch, uint32_t events)
{
    struct vhost_user *vm = (struct vhost_user *)(void *)((char *)watch - offsetof(struct vhost_user, watch));
    int result = 1;

    (void)events;
    /* A bounded number of pieces, so that a master that talks without end does not stop the streams. */
    for (int i = 0; i < 32 && result > 0; i++)
        result = receive_message(vm);
    if (result < 0)
        vhost_user_detach(vm);
}

/* --- the connection ---------------------------------------------------------------------------------------
 */

void vhost_user_initialise(struct vhost_user *vm, struct loop *loop, uint64_t guest_cid,
                           const struct vhost_user_hooks *hooks, void *context)
{
    *vm = (struct vhost_user){
        .watch = {.fd = -1, .ready = on_readable},
        .loop = loop,
        .hooks = *hooks,
        .context = context,
        .guest_cid = guest_cid,
    };
    for (unsigned i = 0; i < QUEUE_COUNT; i++) {
        vm->queues[i] = (struct vhost_queue_state){
            .ring = {.name = queue_names[i]},
            .kick = {.fd = -1, .ready = on_kick},
            .call = -1,
            .error = -1,
        };
    }
}

int vhost_user_attach(struct vhost_user *vm, int socket)
{
    int result;

    vm->watch.fd = socket;
    vm->received = 0;
    vm->features = 0;
    vm->protocol_features = 0;
    vm->spoke = false;
    result = loop_add(vm->loop, &vm->watch, EPOLLIN);
    if (result != 0)
        close_descriptor(&vm->watch.fd);
    return result;
}

void vhost_user_detach(struct vhost_user *vm)
{
    if (vm->watch.fd < 0)
        return;
    reset_queues(vm);
    close_unclaimed_descriptors(vm);
    memory_unmap(&vm->memory);
    loop_close(vm->loop, &vm->watch);
    vm->hooks.gone(vm->context);
}

bool vhost_user_hung_up(const struct vhost_user *vm)
{
    struct pollfd poller = {.fd = vm->watch.fd, .events = POLLRDHUP};

    return poll(&poller, 1, 0) == 1;
}
