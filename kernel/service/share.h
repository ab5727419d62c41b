/* SPDX-License-Identifier: MIT
 *
 * The host's folder of models, over virtio-fs (tag `models`, or whatever the first share is called). For jobs
 * of the share's worker only, but for share_start_device, share_is_known and share_tag: the calls wait for
 * the host.
 */
#ifndef KERNEL_SERVICE_SHARE_H
#define KERNEL_SERVICE_SHARE_H

#include <virtio/fs.h>

/* Takes a virtio-fs device; devices_start calls it. Returns 0, or -EBUSY when there is a share already. */
int share_start_device(struct virtio_device *device);

/* Whether the machine has a share, one that works or not. */
bool share_is_known(void);

/* NULL when there is no share, or when it has failed and did not start again. */
const char *share_tag(void);

/* The share, started again if its device had failed; NULL when there is none. */
struct virtio_fs *share_get(void);

#endif
