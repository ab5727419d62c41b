/* SPDX-License-Identifier: MIT
 *
 * A function whose frame is larger than the boot stack and its guard page, of which it touches the far end.
 * Twice: large_frame.c is compiled as everything is, large_frame_unprobed.c without -fstack-clash-protection.
 */
#ifndef GUEST_LARGE_FRAME_H
#define GUEST_LARGE_FRAME_H

#include <stdint.h>

/* Returns the address of the byte that it wrote. */
uintptr_t large_frame(void);
uintptr_t large_frame_unprobed(void);

#define LARGE_FRAME_BODY                                                                                     \
    {                                                                                                        \
        volatile uint8_t frame[24 * 1024] __attribute__((uninitialized));                                    \
        uintptr_t at = (uintptr_t)frame;                                                                     \
        __asm__ volatile("" : "+r"(at));                                                                     \
        *(volatile uint8_t *)at = 1;                                                                         \
        return at;                                                                                           \
    }

#endif
