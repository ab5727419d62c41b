/* SPDX-License-Identifier: MIT
 *
 * Stands in for cmocka where the unit tests' fakes are built into a fuzz target: what fails there ends the
 * program, so that libFuzzer keeps the input.
 */
#ifndef FUZZ_CMOCKA_H
#define FUZZ_CMOCKA_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define fail_msg(...)                                                                                        \
    do {                                                                                                     \
        (void)fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                                \
        (void)fprintf(stderr, __VA_ARGS__);                                                                  \
        (void)fputc('\n', stderr);                                                                           \
        abort();                                                                                             \
    } while (0)

#define assert_true(condition)                                                                               \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            fail_msg("not so: %s", #condition);                                                              \
    } while (0)

#define assert_false(condition)      assert_true(!(condition))
#define assert_null(pointer)         assert_true((pointer) == NULL)
#define assert_non_null(pointer)     assert_true((pointer) != NULL)
#define assert_ptr_equal(a, b)       assert_true((a) == (b))
#define assert_ptr_not_equal(a, b)   assert_true((a) != (b))
#define assert_string_equal(a, b)    assert_true(strcmp(a, b) == 0)
#define assert_memory_equal(a, b, n) assert_true(memcmp(a, b, n) == 0)

/* As cmocka does, by way of its widest type: whatever the signs of both. */
#define assert_int_equal(a, b)                                                                               \
    do {                                                                                                     \
        uintmax_t left_ = (uintmax_t)(a), right_ = (uintmax_t)(b);                                           \
        if (left_ != right_)                                                                                 \
            fail_msg("%s is %#jx, %s is %#jx", #a, left_, #b, right_);                                       \
    } while (0)

#define assert_in_range(value, low, high)                                                                    \
    do {                                                                                                     \
        uintmax_t value_ = (uintmax_t)(value);                                                               \
        if (value_ < (uintmax_t)(low) || value_ > (uintmax_t)(high))                                         \
            fail_msg("%s is %#jx, not from %s to %s", #value, value_, #low, #high);                          \
    } while (0)

#endif
