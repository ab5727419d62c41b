/* SPDX-License-Identifier: MIT
 *
 * Multiboot2 information: the input is the structure that the loader left, but for its first field, the total
 * size, which is right where the first byte is even.
 */
#include <errno.h>

#include "fuzz.h"
#include "unit/boot/fake_loader.h"

#define AT 0x9000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct boot_info info;

    if (size < 9)
        return 0;
    uint8_t *bytes = exact_copy(data + 1, size - 1);
    uint32_t total = (uint32_t)size - 1;
    if ((data[0] & 1) == 0)
        memcpy(bytes, &total, sizeof(total));
    loader_start();
    loader_put(AT, bytes, size - 1);
    memset(&info, 0xee, sizeof(info));
    int result = multiboot2_parse(AT, loader_read, &info);
    assert_true(result == 0 || result == -EINVAL);
    check_boot_info(&info);
    assert_int_equal(info.protocol, BOOT_MULTIBOOT2);
    loader_end();
    free(bytes);
    return 0;
}
