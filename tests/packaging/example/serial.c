/* SPDX-License-Identifier: MIT
 *
 * COM1, a 16550 (PC16550D data sheet, table II), without interrupts.
 */
#include "kernel.h"

#define PORT             0x3f8
#define DATA             (PORT + 0)
#define INTERRUPT_ENABLE (PORT + 1)
#define LINE_CONTROL     (PORT + 3)
#define MODEM_CONTROL    (PORT + 4)
#define LINE_STATUS      (PORT + 5)

#define LINE_8N1         0x03
#define LINE_DIVISOR     0x80
#define DTR_RTS          0x03
#define DATA_READY       0x01
#define TRANSMITTER_IDLE 0x20

static uint8_t in(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void out(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

/* The FIFOs stay off: to switch them on would drop what the client has sent already. */
void serial_initialise(void)
{
    out(LINE_CONTROL, LINE_DIVISOR);
    out(DATA, 1); /* 115200 baud */
    out(INTERRUPT_ENABLE, 0);
    out(LINE_CONTROL, LINE_8N1);
    out(INTERRUPT_ENABLE, 0);
    out(MODEM_CONTROL, DTR_RTS);
}

uint8_t serial_read(void)
{
    while ((in(LINE_STATUS)&DATA_READY) == 0)
        __asm__ volatile("pause");
    return in(DATA);
}

void serial_write(const void *bytes, size_t length)
{
    const uint8_t *next = bytes;
    for (size_t i = 0; i < length; i++) {
        while ((in(LINE_STATUS)&TRANSMITTER_IDLE) == 0)
            __asm__ volatile("pause");
        out(DATA, next[i]);
    }
}
