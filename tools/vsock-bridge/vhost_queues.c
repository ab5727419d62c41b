/* SPDX-License-Identifier: MIT
 *
 * The queues of a VM as vhost-user sets them up: when they run, when they stop, when they are broken.
 */
#include "vhost_user_internal.h"

#include <string.h>
#include <unistd.h>

#include "log.h"
#include "vhost_user_messages.h"

static const char *const queue_names[QUEUE_COUNT] = {"rx", "tx", "event"};

void vhost_close_descriptor(int *descriptor)
{
    if (*descriptor >= 0)
        (void)close(*descriptor);
    *descriptor = -1;
}

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
void vhost_update_running(struct vhost_user *vm)
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

void vhost_initialise_queues(struct vhost_user *vm)
{
    for (unsigned i = 0; i < QUEUE_COUNT; i++) {
        vm->queues[i] = (struct vhost_queue_state){
            .ring = {.name = queue_names[i]},
            .kick = {.fd = -1, .ready = on_kick},
            .call = -1,
            .error = -1,
        };
    }
}

void vhost_stop_queue(struct vhost_user *vm, enum vhost_queue queue)
{
    struct vhost_queue_state *state = &vm->queues[queue];

    ring_unmap(&state->ring);
    loop_close(vm->loop, &state->kick);
    vhost_close_descriptor(&state->call);
    vhost_close_descriptor(&state->error);
    state->broken = false;
    vhost_update_running(vm);
}

void vhost_reset_queues(struct vhost_user *vm)
{
    if (vm->running || vm->resumable) {
        vm->running = vm->resumable = false;
        vm->hooks.stopped(vm->context, true);
    }
    for (unsigned i = 0; i < QUEUE_COUNT; i++) {
        struct vhost_queue_state *state = &vm->queues[i];

        vhost_stop_queue(vm, (enum vhost_queue)i);
        state->enabled = false;
        state->ring = (struct ring){.name = queue_names[i]};
    }
}

/* Maps the ring if all that it needs is known. */
int vhost_map_queue(struct vhost_user *vm, enum vhost_queue queue)
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
    vhost_update_running(vm);
}

bool vhost_user_broken(const struct vhost_user *vm)
{
    return vm->queues[QUEUE_TO_GUEST].broken || vm->queues[QUEUE_FROM_GUEST].broken;
}
