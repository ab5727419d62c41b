/* SPDX-License-Identifier: MIT
 *
 * The control connection: messages are received whole, with their descriptors, and handed on.
 */
#include "vhost_user_internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "vhost_user_messages.h"

void vhost_close_unclaimed(struct vhost_user *vm)
{
    while (vm->descriptor_count > 0)
        (void)close(vm->descriptors[--vm->descriptor_count]);
}

/* Handles the message that is complete. Returns 0, or a negative errno when the connection has to end. */
static int dispatch(struct vhost_user *vm)
{
    const struct vhost_user_message *message = &vm->message;
    int result;

    vm->spoke = true;
    log_debug("vhost-user request %u, %u bytes, %u descriptors", message->request, message->size,
              vm->descriptor_count);
    /* Before, because handling it claims its descriptors; but not where the one before would still hold. */
    if (!vhost_changes_nothing_refused(message))
        vhost_keep_message(vm, message);
    result = vhost_handle_request(vm, message);
    if (result >= 0 && vhost_changes_nothing_refused(message))
        vhost_keep_message(vm, message);
    vhost_close_unclaimed(vm);
    vm->received = 0;
    if (result == -EPROTO || result == -EPIPE)
        return result;
    if (result != MESSAGE_REPLIED && (message->flags & MESSAGE_NEEDS_REPLY) != 0 &&
        (vm->protocol_features & PROTOCOL_REPLY_ACK) != 0 &&
        vhost_reply_u64(vm, message, result < 0 ? (uint64_t)-result : 0) < 0)
        return -EPIPE;
    vhost_update_running(vm);
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
    vhost_initialise_queues(vm);
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
        vhost_close_descriptor(&vm->watch.fd);
    else
        vhost_keep_connection(vm);
    return result;
}

void vhost_user_detach(struct vhost_user *vm)
{
    if (vm->watch.fd < 0)
        return;
    vhost_forget(vm);
    vhost_reset_queues(vm);
    vhost_close_unclaimed(vm);
    memory_unmap(&vm->memory);
    loop_close(vm->loop, &vm->watch);
    vm->hooks.gone(vm->context);
}

bool vhost_user_hung_up(const struct vhost_user *vm)
{
    struct pollfd poller = {.fd = vm->watch.fd, .events = POLLRDHUP};

    return poll(&poller, 1, 0) == 1;
}
