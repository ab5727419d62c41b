/* SPDX-License-Identifier: MIT
 *
 * PVH start information: the input is the structure (56 bytes), and the memory that its addresses can mean.
 */
#include <errno.h>

#include "fuzz.h"
#include "unit/boot/fake_loader.h"

#define INFO      0x1000u
#define INFO_SIZE 56u
#define REST      0x2000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t magic[] = {0x78, 0xc5, 0x6e, 0x33};
    uint8_t start[INFO_SIZE] = {0};
    struct boot_info info;
    size_t start_size = size < INFO_SIZE ? size : INFO_SIZE;

    memcpy(start, data, start_size);
    if (size > 0 && (data[0] & 1) == 0)
        memcpy(start, magic, sizeof(magic));
    loader_start();
    loader_put(INFO, start, INFO_SIZE);
    if (size > INFO_SIZE)
        loader_put(REST, data + INFO_SIZE, size - INFO_SIZE);
    memset(&info, 0xee, sizeof(info));
    int result = pvh_parse(INFO, loader_read, &info);
    assert_true(result == 0 || result == -EINVAL);
    check_boot_info(&info);
    assert_int_equal(info.protocol, BOOT_PVH);
    loader_end();
    return 0;
}
