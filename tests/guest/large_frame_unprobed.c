/* SPDX-License-Identifier: MIT */
#include <large_frame.h>

uintptr_t large_frame_unprobed(void) LARGE_FRAME_BODY
