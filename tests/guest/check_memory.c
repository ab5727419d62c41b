/* SPDX-License-Identifier: MIT
 *
 * A machine without memory says so, and goes on when there is some again.
 */
#include <errno.h>

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
