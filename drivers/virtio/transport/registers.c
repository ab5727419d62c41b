/* SPDX-License-Identifier: MIT */
#include <virtio/os.h>

#include "transport/registers.h"

uint8_t virtio_read8(const volatile void *address)
{
    return *(const volatile uint8_t *)address;
}

uint16_t virtio_read16(const volatile void *address)
{
    return *(const volatile uint16_t *)address;
}

VIRTIO_INTERRUPT_CODE uint32_t virtio_read32(const volatile void *address)
{
    return *(const volatile uint32_t *)address;
}

void virtio_write8(volatile void *address, uint8_t value)
{
    *(volatile uint8_t *)address = value;
}

void virtio_write16(volatile void *address, uint16_t value)
{
    *(volatile uint16_t *)address = value;
}

VIRTIO_INTERRUPT_CODE void virtio_write32(volatile void *address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}
