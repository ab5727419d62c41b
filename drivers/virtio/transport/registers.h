/* SPDX-License-Identifier: MIT
 *
 * Device registers, one access of exactly this width each (virtio 1.2, section 4.1.3.1). They stand in a file
 * of their own so that a test can link a device of its own behind them.
 */
#ifndef VIRTIO_TRANSPORT_REGISTERS_H
#define VIRTIO_TRANSPORT_REGISTERS_H

#include <stdint.h>

uint8_t virtio_read8(const volatile void *address);
uint16_t virtio_read16(const volatile void *address);
uint32_t virtio_read32(const volatile void *address);
void virtio_write8(volatile void *address, uint8_t value);
void virtio_write16(volatile void *address, uint16_t value);
void virtio_write32(volatile void *address, uint32_t value);

#endif
