/* SPDX-License-Identifier: MIT */
#include "tensor/types.h"

static const struct tensor_type_info infos[] = {
    [TENSOR_F32] = {"F32", 1, 4},       [TENSOR_F16] = {"F16", 1, 2},
    [TENSOR_Q4_0] = {"Q4_0", 32, 18},   [TENSOR_Q4_1] = {"Q4_1", 32, 20},
    [TENSOR_Q5_0] = {"Q5_0", 32, 22},   [TENSOR_Q5_1] = {"Q5_1", 32, 24},
    [TENSOR_Q8_0] = {"Q8_0", 32, 34},   [TENSOR_Q4_K] = {"Q4_K", 256, 144},
    [TENSOR_Q5_K] = {"Q5_K", 256, 176}, [TENSOR_Q6_K] = {"Q6_K", 256, 210},
    [TENSOR_BF16] = {"BF16", 1, 2},
};

const struct tensor_type_info *tensor_type_info(uint32_t type)
{
    if (type >= sizeof(infos) / sizeof(infos[0]) || infos[type].name == NULL)
        return NULL;
    return &infos[type];
}

size_t tensor_row_size(enum tensor_type type, size_t columns)
{
    return columns / infos[type].block_count * infos[type].block_size;
}
