/* SPDX-License-Identifier: MIT
 *
 * Our functions against the C library's long double ones: the errors that airt/README.md states.
 */
#include "support.h"

#include <float.h>
#include <math.h>

#include "math/math.h"
#include "math/random.h"

#define ROUNDS 200000

static double between(double least, double most)
{
    return least + (most - least) * (double)random_below(UINT64_C(1) << 53) * 0x1p-53;
}

static void within(const char *name, double x, double found, long double right, double allowed)
{
    long double wrong = fabsl((long double)found - right) / (fabsl(right) > LDBL_MIN ? fabsl(right) : 1);

    if (!(wrong <= (long double)allowed))
        fail_msg("%s(%.17g) is %.17g, wrong by %Lg", name, x, found, wrong);
}

static void errors(void **state)
{
    (void)state;
    random_seed(1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        double x = between(-700, 700);
        double base;
        double sine;
        double cosine;

        within("exp", x, math_exp(x), expl((long double)x), 3e-16);
        base = math_exp(x);
        within("log", base, 1 + fabs(math_log(base)), 1 + fabsl(logl((long double)base)), 4e-16);
        base = between(1, 1e6);
        x = between(-2, 2);
        within("pow", base, math_pow(base, x), powl((long double)base, (long double)x), 6e-15);
        x = i % 2 == 0 ? between(-22, 22) : between(-0.1, 0.1);
        within("tanh", x, math_tanh(x), tanhl((long double)x), 3e-14);
        x = i % 2 == 0 ? between(-1e6, 1e6) : between(-4, 4);
        math_sin_cos(x, &sine, &cosine);
        within("1 + sin", x, 2 + sine, 2 + sinl((long double)x), 3e-16);
        within("1 + cos", x, 2 + cosine, 2 + cosl((long double)x), 3e-16);
    }
}

static void ends(void **state)
{
    double sine;
    double cosine;

    (void)state;
    assert_true(math_exp(0) == 1);
    assert_true(isinf(math_exp(711)) && math_exp(-746) == 0 && isnan(math_exp(NAN)));
    assert_true(math_exp(-744) > 0 && math_exp(709.7) < INFINITY);
    within("log", 0x1p-1060, math_log(0x1p-1060), logl(0x1p-1060L), 1e-15);
    assert_true(math_log(1) == 0);
    assert_true(math_tanh(30) == 1 && math_tanh(-30) == -1 && math_tanh(0) == 0);
    math_sin_cos(0, &sine, &cosine);
    assert_true(sine == 0 && cosine == 1);
    math_sin_cos(0x1p30, &sine, &cosine);
    assert_true(isnan(sine) && isnan(cosine));
    math_sin_cos(NAN, &sine, &cosine);
    assert_true(isnan(sine) && isnan(cosine));
    assert_true(math_sqrt(2) == sqrt(2.0));
}

static void floats(void **state)
{
    float numbers[7] = {0, -INFINITY, INFINITY, NAN, -87.5f, 89, 1};

    (void)state;
    random_seed(2);
    math_exp_floats(numbers, 7);
    assert_true(numbers[0] == 1 && numbers[1] == 0 && isinf(numbers[2]) && isnan(numbers[3]));
    assert_true(numbers[4] == 0 && isinf(numbers[5]));
    for (unsigned i = 0; i < ROUNDS; i++) {
        float four[4];
        float alone;

        for (unsigned lane = 0; lane < 4; lane++)
            four[lane] = (float)between(-87, 88.7);
        alone = four[i % 4];
        numbers[0] = alone;
        math_exp_floats(four, 4);
        math_exp_floats(&alone, 1);
        assert_memory_equal(&alone, &four[i % 4], sizeof(alone));
        within("exp of floats", (double)numbers[0], (double)alone, expl((long double)numbers[0]), 1.2e-7);
    }
}

/* The published sequence of SplitMix64 for seed 1234567. */
static void generator(void **state)
{
    static const uint64_t first[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                     UINT64_C(9817491932198370423), UINT64_C(4593380528125082431),
                                     UINT64_C(16408922859458223821)};
    struct random random = {1234567};

    (void)state;
    for (size_t i = 0; i < 5; i++)
        assert_true(random_next(&random) == first[i]);
    for (unsigned i = 0; i < ROUNDS; i++) {
        double fraction = random_fraction(&random);

        assert_true(fraction >= 0 && fraction < 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors), cmocka_unit_test(ends),
                                       cmocka_unit_test(floats), cmocka_unit_test(generator)};

    return cmocka_run_group_tests_name("math", tests, NULL, NULL);
}
