/* SPDX-License-Identifier: MIT
 *
 * A machine without memory says so, and goes on when there is some again. Memory does not show what was in
 * it.
 */
#include <errno.h>
#include <string.h>

#include <arch/mmu.h>
#include <guest.h>
#include <memory/frames.h>
#include <memory/heap.h>
#include <tasks/task.h>

#define PLACE 0xffffd00000000000ull

static void nothing(void *argument)
{
    (void)argument;
}

/* Every frame, as a list through the frames themselves. */
static void *take_all_frames(uint64_t *count)
{
    void *first = NULL;
    uint64_t frame;
    for (*count = 0; frames_alloc(1, FRAME_SIZE, &frame) == 0; ++*count) {
        void **link = frames_pointer(frame);
        *link = first;
        first = link;
    }
    return first;
}

#define SECRET "what another client said"

static __attribute__((noinline)) void leave_secret(void)
{
    char text[256];
    for (size_t i = 0; i + sizeof SECRET <= sizeof text; i += sizeof SECRET)
        memcpy(text + i, SECRET, sizeof SECRET);
    __asm__ volatile("" : : "r"(text) : "memory");
}

static size_t used_bytes(const char *text, size_t size)
{
    size_t used = 0;
    __asm__ volatile("" : "+r"(text) : : "memory"); /* the compiler may not know that nobody wrote to it */
    for (size_t i = 0; i < size; i++)
        used += text[i] != 0;
    return used;
}

static __attribute__((noinline)) size_t look(void)
{
    char text[256];
    return used_bytes(text, sizeof text);
}

static __attribute__((noinline)) size_t look_without_initialisation(void)
{
    char text[256] __attribute__((uninitialized));
    return used_bytes(text, sizeof text);
}

/* -ftrivial-auto-var-init=zero */
void check_stale_stack(void)
{
    leave_secret();
    check(look() == 0, "a variable does not show what the stack held");
    leave_secret();
    check(look_without_initialisation() > 100, "one that opts out does");
}

void check_out_of_memory(void)
{
    struct frames_statistics before, empty, after;
    frames_get_statistics(&before);
    uint64_t count, frame;
    void *list = take_all_frames(&count);
    frames_get_statistics(&empty);
    check(count * FRAME_SIZE == before.free && empty.free == 0, "every free frame can be had");
    check(frames_alloc(1, FRAME_SIZE, &frame) == -ENOMEM, "and then none");
    check(heap_alloc(2 * FRAME_SIZE) == NULL && heap_alloc(1008) == NULL, "the heap has none, either");
    check(task_create("none", nothing, NULL, (size_t)TASK_STACK_SIZE) == -ENOMEM, "no task starts");
    check(list != NULL && mmu_map(frames_physical(list), PLACE, FRAME_SIZE, MMU_WRITE) == -ENOMEM &&
              !mmu_query(PLACE, NULL, NULL),
          "no page is mapped where tables are missing");

    while (list != NULL) {
        void *next = *(void **)list;
        frames_free(frames_physical(list), 1);
        list = next;
    }
    frames_get_statistics(&after);
    check(after.free == before.free, "all of them come back");
    check(task_create("one", nothing, NULL, (size_t)TASK_STACK_SIZE) == 0, "and a task starts");
    task_yield();
}
