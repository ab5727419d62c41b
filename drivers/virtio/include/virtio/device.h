/* SPDX-License-Identifier: MIT
 *
 * A virtio device, whatever bus it sits on (virtio 1.2, sections 2.1 to 2.5 and 3.1). A driver (vsock, fs,
 * ...) is written against this header; a transport (PCI here, MMIO beside it) fills in the operations.
 */
#ifndef VIRTIO_DEVICE_H
#define VIRTIO_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <virtio/os.h>
#include <virtio/queue.h>

/* Device ids, virtio 1.2 section 5. */
enum virtio_id { VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4, VIRTIO_ID_VSOCK = 19, VIRTIO_ID_FS = 26 };

/* Reserved feature bits, virtio 1.2 section 6. */
#define VIRTIO_F_INDIRECT_DESC   (1ull << 28)
#define VIRTIO_F_EVENT_IDX       (1ull << 29)
#define VIRTIO_F_VERSION_1       (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33)
#define VIRTIO_F_RING_RESET      (1ull << 40)

struct virtio_device;

/* Calls `found` for every virtio device on the PCI buses that can be reached from bus 0. `found` takes
 * ownership of `device` when it returns 0; any other value gives it back and it is freed. Malformed
 * capability lists are logged and passed over. Returns the number of devices that were taken, or a negative
 * errno. */
int virtio_pci_scan(const struct virtio_os *os, int (*found)(void *context, struct virtio_device *device),
                    void *context);

/* Looks again at one function (bus<<8 | device<<3 | function) that a scan has found: for a driver that has
 * destroyed its device and wants to start over. Returns 0 and sets *device, -ENODEV (logged), -ENOMEM. */
int virtio_pci_probe(const struct virtio_os *os, uint16_t address, struct virtio_device **device);

/* Where a device from virtio_pci_scan or virtio_pci_probe is. */
uint16_t virtio_pci_address(const struct virtio_device *device);

/* The device whose registers are at [physical, physical + size), with interrupt line `line` (section 4.2;
 * Linux's virtio_mmio.device=<size>@<base>:<irq>). Returns 0 and sets *device, which is the caller's; -ENODEV
 * when there is none (logged, except for a placeholder, whose device id is 0) or only a legacy one (version
 * 1); -EINVAL when no device can be there; -ENOMEM; -ENOSYS when the hooks have no interrupt lines. */
int virtio_mmio_probe(const struct virtio_os *os, uint64_t physical, uint64_t size, uint32_t line,
                      struct virtio_device **device);

/* Resets the device and frees it. */
void virtio_device_destroy(struct virtio_device *device);

enum virtio_id virtio_device_id(const struct virtio_device *device);
/* "pci 00:03.0", "mmio feb00e00", for messages. */
const char *virtio_device_name(const struct virtio_device *device);
const struct virtio_os *virtio_device_os(const struct virtio_device *device);

/* Section 3.1.1, steps 1 to 6: reset (as by virtio_device_reset), ACKNOWLEDGE, DRIVER, feature negotiation,
 * FEATURES_OK. VERSION_1 is always required. Accepts what the device offers of `wanted` plus what this
 * library's queues know. Returns 0 and sets *accepted, -ENODEV for a device without VERSION_1, -EIO when it
 * does not keep FEATURES_OK or does not leave reset. */
int virtio_device_negotiate(struct virtio_device *device, uint64_t wanted, uint64_t *accepted);

/* Sets up queue `index` with at most `size` entries (a power of two is used) and an interrupt that calls
 * `handler` in interrupt context. Queues share interrupts where the device or the kernel has too few, so a
 * handler must bear being called for nothing. Between negotiate and start; the queue belongs to the device.
 * Returns 0, -ENOENT (no such queue), -ENOMEM, or -EIO when the device does not take what it is told. */
int virtio_device_queue(struct virtio_device *device, uint16_t index, uint16_t size,
                        virtio_interrupt_handler handler, void *argument, struct virtio_queue **queue);

/* Has `handler` called, in interrupt context, when the device configuration changes or the device wants a
 * reset (section 2.3). Between negotiate and start. Returns 0, or a negative errno when there is no interrupt
 * for it. */
int virtio_device_on_config_change(struct virtio_device *device, virtio_interrupt_handler handler,
                                   void *argument);

/* Step 8: DRIVER_OK. Returns 0, or -EIO when the device does not take it. */
int virtio_device_start(struct virtio_device *device);

/* Section 2.1.2: the device says that it needs a reset, or answers nothing but ones. */
bool virtio_device_broken(struct virtio_device *device);

/* Resets the device and releases its queues and interrupts; negotiate may be called again. From here on the
 * device touches none of the memory that it was given. */
void virtio_device_reset(struct virtio_device *device);

/* Copies `size` bytes of device configuration, all of one generation (section 2.5.1). Returns 0, -EINVAL
 * beyond the structure that the device declares, -EAGAIN when the generation never settles. */
int virtio_device_config(struct virtio_device *device, size_t offset, void *out, size_t size);

#endif
