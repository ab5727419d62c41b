/* SPDX-License-Identifier: MIT
 *
 * Types and kernels. What the blocks mean is held to numpy in test_reference.c.
 */
#include "support.h"

#include <math.h>
#include <stdio.h>

#include "tensor/half.h"
#include "tensor/kernels.h"
#include "tensor/quantize.h"

#define ROWS      13
#define VECTORS   11
#define COLUMNS   768 /* three super-blocks */
#define AVX2_MISS "this CPU cannot run avx2: nothing to compare"

static const struct {
    enum tensor_type type;
    float worst; /* error of a number from -1 to 1: half a step of the coarsest scale, or nearly a whole one
                  * where the extreme has no twin on the other side */
} types[] = {{TENSOR_F32, 0},       {TENSOR_F16, 0.00025f}, {TENSOR_BF16, 0.002f}, {TENSOR_Q8_0, 0.0045f},
             {TENSOR_Q4_0, 0.126f}, {TENSOR_Q4_1, 0.07f},   {TENSOR_Q5_0, 0.063f}, {TENSOR_Q5_1, 0.034f},
             {TENSOR_Q4_K, 0.08f},  {TENSOR_Q5_K, 0.045f},  {TENSOR_Q6_K, 0.036f}};
#define TYPES (sizeof(types) / sizeof(types[0]))

static float random_float(void)
{
    return (float)random_below(1u << 24) / (float)(1u << 23) - 1;
}

static void fill(float *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = random_float();
}

static void halves(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t half = (uint16_t)i;
        float number = half_to_float(half);
        float above = half_to_float((uint16_t)(half + 1));

        if (isnan(number)) {
            assert_true(isnan(half_to_float(half_of_float(number))));
            continue;
        }
        assert_int_equal(half_of_float(number), half);
        if (isinf(number) || isinf(above) || isnan(above))
            continue;
        /* Halfway to the next goes to the even one. */
        assert_int_equal(half_of_float((number + above) / 2), half + (half & 1));
        assert_int_equal(half_of_float(nextafterf((number + above) / 2, number)), half);
    }
    assert_int_equal(half_of_float(65520.0f), 0x7c00);
    assert_int_equal(half_of_float(65519.0f), 0x7bff);
    assert_int_equal(half_of_float(-1e30f), 0xfc00);
    assert_int_equal(brain_of_float(1.0f), 0x3f80);
    assert_int_equal(brain_of_float(1.00390625f), 0x3f80); /* halfway, to even */
    assert_true(isnan(brain_to_float(brain_of_float(NAN))));
}

static void rows_survive(void **state)
{
    static float numbers[COLUMNS];
    static float back[COLUMNS];
    static uint8_t blocks[COLUMNS * 4];

    (void)state;
    random_seed(1);
    for (size_t type = 0; type < TYPES; type++) {
        for (unsigned round = 0; round < 20; round++) {
            fill(numbers, COLUMNS);
            if (round == 1) /* all positive: minima are 0 */
                for (size_t i = 0; i < COLUMNS; i++)
                    numbers[i] = fabsf(numbers[i]);
            if (round == 2)
                memset(numbers, 0, sizeof(numbers));
            tensor_quantize_row(types[type].type, numbers, blocks, COLUMNS);
            tensor_dequantize_row(types[type].type, blocks, back, COLUMNS);
            for (size_t i = 0; i < COLUMNS; i++)
                if (!(fabsf(numbers[i] - back[i]) <= types[type].worst))
                    fail_msg("%s: %g became %g", tensor_type_info(types[type].type)->name, (double)numbers[i],
                             (double)back[i]);
        }
    }
    assert_null(tensor_type_info(4));
    assert_null(tensor_type_info(31));
}

/* ---- products ---- */

struct problem {
    struct matrix matrix;
    uint8_t *blocks;
    float values[VECTORS * COLUMNS];
    int8_t quants[VECTORS * COLUMNS];
    float scales[VECTORS * COLUMNS / TENSOR_GROUP], sums[VECTORS * COLUMNS / TENSOR_GROUP];
};
static struct problem problem;

static void pose(enum tensor_type type, uint32_t rows, uint32_t columns)
{
    static float row[COLUMNS];
    size_t size = tensor_row_size(type, columns);

    /* Exactly as long as it is, for ASan. */
    problem.blocks = malloc(size * rows);
    assert_non_null(problem.blocks);
    for (uint32_t i = 0; i < rows; i++) {
        fill(row, columns);
        tensor_quantize_row(type, row, problem.blocks + i * size, columns);
    }
    fill(problem.values, VECTORS * columns);
    problem.matrix = (struct matrix){type, rows, columns, problem.blocks};
}

static struct vectors vectors_of(const struct tensor_kernels *kernels, uint32_t first, uint32_t count)
{
    uint32_t columns = problem.matrix.columns;
    struct vectors vectors = {.values = problem.values + first * columns,
                              .count = count,
                              .length = columns,
                              .stride = columns,
                              .quants = problem.quants,
                              .scales = problem.scales,
                              .sums = problem.sums};

    if (kernels->quantize != NULL && tensor_is_quantized(problem.matrix.type))
        kernels->quantize(&vectors);
    return vectors;
}

/* In double precision, of the numbers that the kernel sees: vectors are rounded where it rounds them. */
static double expected(const struct vectors *vectors, uint32_t row, uint32_t v, double *size)
{
    static float weights[COLUMNS];
    uint32_t columns = problem.matrix.columns;
    double sum = 0;

    tensor_dequantize_row(problem.matrix.type,
                          problem.blocks + row * tensor_row_size(problem.matrix.type, columns), weights,
                          columns);
    *size = 0;
    for (uint32_t i = 0; i < columns; i++) {
        size_t place = v * columns + i;
        double value = vectors->quantized
                           ? (double)vectors->quants[place] * (double)vectors->scales[place / 32]
                           : (double)vectors->values[place];

        sum += (double)weights[i] * value;
        *size += fabs((double)weights[i] * value);
    }
    return sum;
}

static void check_products(const struct tensor_kernels *kernels, enum tensor_type type, uint32_t columns)
{
    static float all[VECTORS * ROWS];
    static float parts[VECTORS * ROWS];
    static float one[ROWS];
    struct vectors vectors;

    pose(type, ROWS, columns);
    vectors = vectors_of(kernels, 0, VECTORS);
    kernels->multiply(&problem.matrix, 0, ROWS, &vectors, all, ROWS);
    for (uint32_t v = 0; v < VECTORS; v++) {
        for (uint32_t row = 0; row < ROWS; row++) {
            double size;
            double right = expected(&vectors, row, v, &size);

            if (!(fabs((double)all[v * ROWS + row] - right) <= 1e-6 * size))
                fail_msg("%s, %s, %u columns: %g instead of %g", kernels->name, tensor_type_info(type)->name,
                         columns, (double)all[v * ROWS + row], right);
        }
    }
    /* Shared out by rows it is the same to the bit, */
    for (uint32_t cut = 1; cut < ROWS; cut += 3) {
        memset(parts, 0, sizeof(parts));
        kernels->multiply(&problem.matrix, 0, cut, &vectors, parts, ROWS);
        kernels->multiply(&problem.matrix, cut, ROWS, &vectors, parts, ROWS);
        assert_memory_equal(parts, all, sizeof(all));
    }
    /* and so it is with any number of vectors at once. */
    for (uint32_t count = 1; count < VECTORS; count++) {
        vectors = vectors_of(kernels, VECTORS - count, count);
        kernels->multiply(&problem.matrix, 0, ROWS, &vectors, parts, ROWS);
        assert_memory_equal(parts, all + (VECTORS - count) * ROWS, count * ROWS * sizeof(float));
    }
    vectors = vectors_of(kernels, 0, 1);
    kernels->multiply(&problem.matrix, 0, ROWS, &vectors, one, ROWS);
    assert_memory_equal(one, all, sizeof(one));
    free(problem.blocks);
}

static void check_kernels(const struct tensor_kernels *kernels)
{
    random_seed(2);
    for (size_t type = 0; type < TYPES; type++) {
        check_products(kernels, types[type].type, 256);
        check_products(kernels, types[type].type, COLUMNS);
        if (tensor_type_info(types[type].type)->block_count == 32)
            check_products(kernels, types[type].type, 96);
        if (tensor_type_info(types[type].type)->block_count == 1)
            for (uint32_t columns = 1; columns < 40; columns++)
                check_products(kernels, types[type].type, columns);
    }
}

static void sse2(void **state)
{
    (void)state;
    check_kernels(&tensor_kernels_sse2);
}

static void avx2(void **state)
{
    (void)state;
    if (tensor_kernels_find("avx2") == NULL) {
        print_message(AVX2_MISS "\n");
        skip();
    }
    check_kernels(&tensor_kernels_avx2);
}

/* A product with what is no number is none: quantized vectors do not hide it. */
static void broken_vectors(void **state)
{
    static const float broken[] = {NAN, INFINITY, -INFINITY};
    static int8_t quants[64];
    static float numbers[64];
    float scales[2];
    float sums[2];

    (void)state;
    if (tensor_kernels_find("avx2") == NULL) {
        print_message(AVX2_MISS "\n");
        skip();
    }
    for (unsigned i = 0; i < 3 * 64; i++) {
        struct vectors vectors = {numbers, 1, 64, 64, quants, scales, sums, false};

        for (unsigned n = 0; n < 64; n++)
            numbers[n] = n == i % 64 ? broken[i / 64] : (float)n;
        tensor_kernels_avx2.quantize(&vectors);
        assert_true(isnan(scales[i % 64 / 32]) && isnan(sums[i % 64 / 32]));
        assert_true(isfinite(scales[1 - i % 64 / 32]) && isfinite(sums[1 - i % 64 / 32]));
    }
}

static void check_combine(const struct tensor_kernels *kernels, enum tensor_type type, uint32_t columns)
{
    static float weights[ROWS];
    static float out[COLUMNS];
    static float numbers[ROWS][COLUMNS];

    pose(type, ROWS, columns);
    fill(weights, ROWS);
    for (uint32_t i = 0; i < columns; i++)
        out[i] = 3;
    for (uint32_t row = 0; row < ROWS; row++)
        tensor_dequantize_row(type, problem.blocks + row * tensor_row_size(type, columns), numbers[row],
                              columns);
    kernels->combine(&problem.matrix, weights, 0.5f, out);
    for (uint32_t i = 0; i < columns; i++) {
        double right = 1.5;

        for (uint32_t row = 0; row < ROWS; row++)
            right += (double)weights[row] * (double)numbers[row][i];
        assert_true(fabs((double)out[i] - right) < 1e-5);
    }
    free(problem.blocks);
}

static void combining_and_narrowing(void **state)
{
    const struct tensor_kernels *all[] = {tensor_kernels_find("sse2"), tensor_kernels_find("avx2")};

    (void)state;
    random_seed(3);
    for (size_t i = 0; i < 2; i++) {
        static float numbers[COLUMNS];
        static uint16_t narrow[COLUMNS];

        if (all[i] == NULL) {
            print_message(AVX2_MISS "\n");
            continue;
        }
        for (uint32_t columns = 1; columns <= 130; columns += columns < 20 ? 1 : 22) {
            check_combine(all[i], TENSOR_F32, columns);
            check_combine(all[i], TENSOR_F16, columns);
        }
        for (size_t n = 0; n < COLUMNS; n++)
            numbers[n] = ldexpf(random_float(), (int)random_below(60) - 30);
        all[i]->narrow(numbers, narrow, COLUMNS - 3);
        for (size_t n = 0; n < COLUMNS - 3; n++)
            assert_int_equal(narrow[n], half_of_float(numbers[n]));
    }
}

static void choice(void **state)
{
    const struct tensor_kernels *best = tensor_kernels_find(NULL);

    (void)state;
    assert_ptr_equal(tensor_kernels_find("sse2"), &tensor_kernels_sse2);
    assert_ptr_equal(best, tensor_kernels_find("avx2") != NULL ? &tensor_kernels_avx2 : &tensor_kernels_sse2);
    assert_null(tensor_kernels_find("avx512"));
    assert_null(tensor_kernels_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(halves), cmocka_unit_test(rows_survive),   cmocka_unit_test(sse2),
        cmocka_unit_test(avx2),   cmocka_unit_test(broken_vectors), cmocka_unit_test(combining_and_narrowing),
        cmocka_unit_test(choice),
    };

    return cmocka_run_group_tests_name("tensor", tests, NULL, NULL);
}
