/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <arch/entry.h>
#include <guest.h>
#include <logging/log.h>
#include <panic.h>

extern const uint8_t image_start[], rodata_start[], text_end[];

static bool is_named(uintptr_t address, const char *expected, uint64_t expected_offset)
{
    uint64_t offset = 0;
    const char *name = symbol_find(address, &offset);
    return name != NULL && strcmp(name, expected) == 0 && offset == expected_offset;
}

/* The table of function names that the second link puts into the image. */
void check_symbols(void)
{
    uint64_t offset = 1;
    const char *name = symbol_find((uintptr_t)image_start, &offset);
    check(name != NULL && name[0] != '\0' && strcmp(name, "image_start") != 0 && offset == 0,
          "the first function has a name");
    check(is_named((uintptr_t)kernel_enter, "kernel_enter", 0) && is_named((uintptr_t)check, "check", 0) &&
              is_named((uintptr_t)log_write, "log_write", 0) && is_named((uintptr_t)strlen, "strlen", 0),
          "so have others");
    check(is_named((uintptr_t)kernel_enter + 5, "kernel_enter", 5), "an address inside one is found");
    bool all = true;
    for (uintptr_t at = (uintptr_t)image_start; at < (uintptr_t)text_end; at++)
        all = all && symbol_find(at, &offset) != NULL && offset < 16384;
    check(all, "all text has names");
    check(symbol_find((uintptr_t)image_start - 1, &offset) == NULL &&
              symbol_find((uintptr_t)text_end, &offset) == NULL &&
              symbol_find((uintptr_t)rodata_start, &offset) == NULL && symbol_find(0, &offset) == NULL &&
              symbol_find(UINTPTR_MAX, &offset) == NULL,
          "nothing else has");
}
