/* SPDX-License-Identifier: MIT
 *
 * What the keeper holds of a VM: the messages that set it up, one slot each, as they came. Played again, they
 * are the VM.
 */
#include "vhost_user_internal.h"

#include <string.h>

#include "log.h"
#include "vhost_user_messages.h"

/* In the order in which they are played. */
enum slot { SLOT_CONNECTION, SLOT_FEATURES, SLOT_PROTOCOL_FEATURES, SLOT_MEMORY, SLOT_QUEUES };
enum queue_slot { SLOT_SIZE, SLOT_ADDRESSES, SLOT_ERROR, SLOT_CALL, SLOT_ENABLE, SLOT_KICK, QUEUE_SLOTS };

_Static_assert((int)SLOT_QUEUES + (int)QUEUE_SLOTS * (int)QUEUE_COUNT <= KEEPER_SLOTS,
               "every message has a slot");
_Static_assert(VHOST_USER_HEADER_SIZE + VHOST_USER_PAYLOAD_MAX == KEEPER_BYTES_MAX, "it holds the longest");
_Static_assert(MEMORY_REGIONS_MAX == KEEPER_DESCRIPTORS_MAX, "and all descriptors");

static unsigned slot_of_queue(unsigned queue, enum queue_slot slot)
{
    return SLOT_QUEUES + queue * QUEUE_SLOTS + slot;
}

static void forget(const struct vhost_user *vm, unsigned slot)
{
    keeper_keep(vm->keeper, slot, NULL, 0, NULL, 0);
}

static void keep(const struct vhost_user *vm, const struct vhost_user_message *message, unsigned slot)
{
    keeper_keep(vm->keeper, slot, message, VHOST_USER_HEADER_SIZE + (size_t)message->size, vm->descriptors,
                vm->descriptor_count);
}

bool vhost_changes_nothing_refused(const struct vhost_user_message *message)
{
    switch (message->request) {
    case REQUEST_SET_FEATURES:
    case REQUEST_SET_VRING_NUM:
    case REQUEST_SET_VRING_ENABLE:
        return true;
    default:
        return false;
    }
}

void vhost_keep_message(const struct vhost_user *vm, const struct vhost_user_message *message)
{
    static const uint8_t queue_slots[] = {
        [REQUEST_SET_VRING_NUM] = SLOT_SIZE + 1,    [REQUEST_SET_VRING_ADDR] = SLOT_ADDRESSES + 1,
        [REQUEST_SET_VRING_KICK] = SLOT_KICK + 1,   [REQUEST_SET_VRING_CALL] = SLOT_CALL + 1,
        [REQUEST_SET_VRING_ERR] = SLOT_ERROR + 1,   [REQUEST_SET_VRING_ENABLE] = SLOT_ENABLE + 1,
        [REQUEST_GET_VRING_BASE] = QUEUE_SLOTS + 1,
    };
    uint32_t queue;

    if (vm->keeper == NULL)
        return;
    switch (message->request) {
    case REQUEST_SET_FEATURES:
        keep(vm, message, SLOT_FEATURES);
        return;
    case REQUEST_SET_PROTOCOL_FEATURES:
        keep(vm, message, SLOT_PROTOCOL_FEATURES);
        return;
    case REQUEST_SET_MEM_TABLE:
        keep(vm, message, SLOT_MEMORY);
        return;
    case REQUEST_RESET_OWNER:
    case REQUEST_RESET_DEVICE:
        for (unsigned slot = SLOT_QUEUES; slot < slot_of_queue(QUEUE_COUNT, 0); slot++)
            forget(vm, slot);
        return;
    default:
        break;
    }
    if (message->request >= sizeof queue_slots || queue_slots[message->request] == 0 ||
        message->size < sizeof queue)
        return;
    /* All of them begin with the queue, some with a flag above it. */
    memcpy(&queue, message->payload, sizeof queue);
    queue &= (uint32_t)~RING_WITHOUT_DESCRIPTOR;
    if (queue >= QUEUE_COUNT)
        return;
    if (message->request == REQUEST_GET_VRING_BASE) {
        /* The queue stops. */
        forget(vm, slot_of_queue(queue, SLOT_KICK));
        forget(vm, slot_of_queue(queue, SLOT_CALL));
        forget(vm, slot_of_queue(queue, SLOT_ERROR));
    } else {
        keep(vm, message, slot_of_queue(queue, (enum queue_slot)(queue_slots[message->request] - 1)));
    }
}

void vhost_keep_connection(const struct vhost_user *vm)
{
    if (vm->keeper != NULL)
        keeper_keep(vm->keeper, SLOT_CONNECTION, NULL, 0, &vm->watch.fd, 1);
}

void vhost_forget(const struct vhost_user *vm)
{
    for (unsigned slot = 0; slot < slot_of_queue(QUEUE_COUNT, 0) && vm->keeper != NULL; slot++)
        forget(vm, slot);
}

/* The keeper holds it already, and QEMU has its answer. */
static void play(struct vhost_user *vm, const struct kept *kept)
{
    memcpy(&vm->message, kept->bytes, kept->size);
    memcpy(vm->descriptors, kept->descriptors, sizeof vm->descriptors);
    vm->descriptor_count = kept->descriptor_count;
    /* The server that kept it may have been taken over. */
    if (kept->size == VHOST_USER_HEADER_SIZE + (uint64_t)vm->message.size)
        (void)vhost_handle_request(vm, &vm->message);
    vhost_close_unclaimed(vm);
}

bool vhost_user_restore(struct vhost_user *vm, const struct kept *slots)
{
    if (slots[SLOT_CONNECTION].descriptor_count != 1 ||
        vhost_user_attach(vm, slots[SLOT_CONNECTION].descriptors[0]) != 0)
        return false;
    for (unsigned slot = SLOT_CONNECTION + 1; slot < KEEPER_SLOTS; slot++) {
        if (slots[slot].size >= VHOST_USER_HEADER_SIZE)
            play(vm, &slots[slot]);
    }
    vm->spoke = true;
    for (unsigned i = 0; i < QUEUE_COUNT; i++) {
        if (vm->queues[i].ring.used != NULL)
            ring_recover(&vm->queues[i].ring);
    }
    vhost_update_running(vm);
    return vm->running;
}
