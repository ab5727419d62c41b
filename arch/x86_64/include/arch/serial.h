/* SPDX-License-Identifier: MIT
 *
 * The first serial port (16550A at 0x3f8), polled, output only, 115200 8N1.
 */
#ifndef ARCH_SERIAL_H
#define ARCH_SERIAL_H

#include <stddef.h>

/* Returns 0, or -ENODEV where no port answers; writes are then dropped. */
int serial_initialise(void);

/* Any context. Newlines go out as CR LF. A port that stays busy for too long loses characters rather than
 * hanging the kernel. */
void serial_write(const char *text, size_t length);

#endif
