/* SPDX-License-Identifier: MIT
 *
 * What vhost_user.c, vhost_queues.c and vhost_requests.c share.
 */
#ifndef VSOCK_BRIDGE_VHOST_USER_INTERNAL_H
#define VSOCK_BRIDGE_VHOST_USER_INTERNAL_H

#include "vhost_user.h"

/* Closes it if there is one, and leaves -1. */
void vhost_close_descriptor(int *descriptor);

/* Closes the descriptors of the current message that nobody took. */
void vhost_close_unclaimed(struct vhost_user *vm);

/* --- vhost_queues.c --- */

void vhost_initialise_queues(struct vhost_user *vm);

/* Maps the ring if all that it needs is known. Returns 0 or -EINVAL. */
int vhost_map_queue(struct vhost_user *vm, enum vhost_queue queue);

/* The queue stands still until it is set up again; its position is kept. */
void vhost_stop_queue(struct vhost_user *vm, enum vhost_queue queue);

/* All of them, for good, positions included. */
void vhost_reset_queues(struct vhost_user *vm);

/* Tells the device when both data queues have become ready, or one no longer is. To be called after anything
 * that may change that. */
void vhost_update_running(struct vhost_user *vm);

/* --- vhost_keep.c --- */

/* Gives the keeper what it has to know of the VM: its connection; a message and the descriptors that came
 * with it, before anything is done. */
void vhost_keep_connection(const struct vhost_user *vm);
void vhost_keep_message(const struct vhost_user *vm, const struct vhost_user_message *message);

/* Of a message without descriptors: when it is refused, what the one before said still holds. */
bool vhost_changes_nothing_refused(const struct vhost_user_message *message);

/* The VM is gone. */
void vhost_forget(const struct vhost_user *vm);

/* --- vhost_requests.c --- */

/* Checks and does what the message asks. Returns 0, MESSAGE_REPLIED, or a negative errno: -EPROTO and -EPIPE
 * end the connection, others are told to the master if it asked. */
int vhost_handle_request(struct vhost_user *vm, const struct vhost_user_message *message);

/* Returns MESSAGE_REPLIED or -EPIPE. */
int vhost_reply_u64(struct vhost_user *vm, const struct vhost_user_message *message, uint64_t value);

#endif
