/* SPDX-License-Identifier: MIT
 *
 * Blocks of every type against numbers that numpy has made of them: reference/blocks.py.
 */
#include "support.h"

#include <math.h>
#include <stdio.h>

#include "tensor/quantize.h"

#define NUMBERS_MAX 256
#define BYTES_MAX   256
#define ROUNDING    1e-6f /* of the largest number of a block */

static uint32_t type_of(const char *name)
{
    for (uint32_t type = 0; type < 64; type++)
        if (tensor_type_info(type) != NULL && strcmp(tensor_type_info(type)->name, name) == 0)
            return type;
    fail_msg("%s: not a type", name);
    return 0;
}

static size_t read_bytes(const char *text, uint8_t *bytes)
{
    size_t size = strlen(text) / 2;

    assert_true(size <= BYTES_MAX);
    for (size_t i = 0; i < size; i++) {
        const char digits[] = {text[2 * i], text[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return size;
}

static uint32_t check_line(char *line, unsigned number)
{
    /* Blocks may lie at any address. */
    static uint8_t memory[BYTES_MAX + 1];
    float expected[NUMBERS_MAX];
    float found[NUMBERS_MAX];
    float largest = 0;
    size_t count = 0;
    uint32_t type = type_of(strtok(line, " \n"));
    size_t size = read_bytes(strtok(NULL, " \n"), memory + 1);

    for (char *word = strtok(NULL, " \n"); word != NULL; word = strtok(NULL, " \n")) {
        uint32_t bits = (uint32_t)strtoul(word, NULL, 16);

        assert_true(count < NUMBERS_MAX);
        memcpy(&expected[count], &bits, sizeof(bits));
        largest = fmaxf(largest, fabsf(expected[count++]));
    }
    assert_true(count > 0);
    assert_int_equal(size, tensor_row_size((enum tensor_type)type, count));
    tensor_dequantize_row((enum tensor_type)type, memory + 1, found, count);
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(found[i] - expected[i]) <=
              (tensor_type_info(type)->block_count > 1 ? ROUNDING * largest : 0)))
            fail_msg("line %u, %s, number %zu: %g instead of %g", number, tensor_type_info(type)->name, i,
                     (double)found[i], (double)expected[i]);
    return type;
}

static void blocks_are_what_numpy_says(void **state)
{
    static char line[8192];
    unsigned lines[64] = {0};
    unsigned number = 0;
    FILE *text = fopen(BLOCKS, "r");

    (void)state;
    assert_non_null(text);
    while (fgets(line, sizeof(line), text) != NULL)
        lines[check_line(line, ++number)]++;
    (void)fclose(text);
    for (uint32_t type = 0; type < 64; type++)
        if (tensor_type_info(type) != NULL)
            assert_true(lines[type] >= (tensor_type_info(type)->block_count > 1 ? 5 : 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks_are_what_numpy_says)};

    return cmocka_run_group_tests_name("blocks", tests, NULL, NULL);
}
