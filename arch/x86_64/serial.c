/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include <arch/io.h>
#include <arch/serial.h>

/* 16550 registers, PC16550D data sheet, table II. */
#define PORT             0x3f8
#define DATA             (PORT + 0)
#define INTERRUPT_ENABLE (PORT + 1)
#define FIFO_CONTROL     (PORT + 2)
#define LINE_CONTROL     (PORT + 3)
#define MODEM_CONTROL    (PORT + 4)
#define LINE_STATUS      (PORT + 5)
#define SCRATCH          (PORT + 7)

#define LINE_8N1          0x03
#define LINE_DIVISOR      0x80
#define FIFO_ENABLE_CLEAR 0x07
#define DTR_RTS           0x03
#define TRANSMITTER_EMPTY 0x20
#define FIFO_SIZE         16
#define BUSY_POLLS_MAX                                                                                       \
    100000 /* a byte takes 87 us at 115200; a port that is stuck costs no more than this, once per 16 bytes  \
            */

static bool present;

int serial_initialise(void)
{
    /* A port that is not there reads as ones. */
    io_write8(SCRATCH, 0x5a);
    if (io_read8(SCRATCH) != 0x5a)
        return -ENODEV;
    io_write8(INTERRUPT_ENABLE, 0);
    io_write8(LINE_CONTROL, LINE_DIVISOR);
    io_write8(DATA, 1); /* 115200 baud */
    io_write8(INTERRUPT_ENABLE, 0);
    io_write8(LINE_CONTROL, LINE_8N1);
    io_write8(FIFO_CONTROL, FIFO_ENABLE_CLEAR);
    io_write8(MODEM_CONTROL, DTR_RTS);
    present = true;
    return 0;
}

static void put(uint8_t byte, unsigned *room)
{
    if (*room == 0) {
        unsigned polls = 0;
        while ((io_read8(LINE_STATUS) & TRANSMITTER_EMPTY) == 0)
            if (++polls == BUSY_POLLS_MAX)
                return;
        *room = FIFO_SIZE;
    }
    io_write8(DATA, byte);
    (*room)--;
}

void serial_write(const char *text, size_t length)
{
    if (!present)
        return;
    unsigned room = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            put('\r', &room);
        put((uint8_t)text[i], &room);
    }
}
