/* SPDX-License-Identifier: MIT
 *
 * The kernel's side of virtio/os.h.
 */
#ifndef KERNEL_HOOKS_VIRTIO_OS_H
#define KERNEL_HOOKS_VIRTIO_OS_H

#include <virtio/os.h>

extern const struct virtio_os kernel_virtio_os;

#endif
