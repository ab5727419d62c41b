/* SPDX-License-Identifier: MIT
 *
 * A virtqueue whose device is another thread. Both sides sleep when there is nothing to do, and rely on being
 * told: a notification that is suppressed once too often stops the test for ever, and CTest's timeout ends
 * it.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdarg.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "fake_os.h"
#include "fake_pci.h"
#include "queue_private.h"

#define QUEUE_SIZE 16
#define CHAINS     200000

static sem_t kicked, interrupted;
static bool event_index;
static unsigned long kicks, interrupts;

static struct virtq_descriptor *descriptors;
static struct virtq_available *available;
static struct virtq_used *used;

static void kick(void *context, uint16_t index)
{
    (void)context;
    (void)index;
    kicks++;
    sem_post(&kicked);
}

/* What came before one asks to be told does not count. */
static void forget(sem_t *notification)
{
    while (sem_trywait(notification) == 0)
        continue;
}

static uint16_t load(const uint16_t *field)
{
    return __atomic_load_n(field, __ATOMIC_ACQUIRE);
}

/* The device: uses each chain as it comes. The payload is the chain's number, and it answers with the next
 * one. */
static void *run_device(void *argument)
{
    uint16_t *avail_event = (uint16_t *)(void *)&used->ring[QUEUE_SIZE];
    uint16_t *used_event = &available->ring[QUEUE_SIZE];

    (void)argument;
    for (uint32_t done = 0; done < CHAINS;) {
        uint16_t next = (uint16_t)done;
        if (load(&available->index) == next) {
            /* Ask to be told, look again, sleep. */
            forget(&kicked);
            if (event_index)
                __atomic_store_n(avail_event, next, __ATOMIC_RELAXED);
            else
                __atomic_store_n(&used->flags, 0, __ATOMIC_RELAXED);
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
            if (load(&available->index) == next)
                sem_wait(&kicked);
            if (!event_index)
                __atomic_store_n(&used->flags, VIRTQ_USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
            continue;
        }
        uint16_t id = available->ring[next % QUEUE_SIZE];
        uint32_t *value = fake_dma(descriptors[id].address, descriptors[id].length);
        ++*value;
        used->ring[next % QUEUE_SIZE] = (struct virtq_used_element){.id = id, .length = sizeof(*value)};
        __atomic_store_n(&used->index, (uint16_t)(next + 1), __ATOMIC_RELEASE);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        bool wanted = event_index ? load(used_event) == next
                                  : (load(&available->flags) & VIRTQ_AVAILABLE_F_NO_INTERRUPT) == 0;
        if (wanted) {
            interrupts++;
            sem_post(&interrupted);
        }
        done++;
    }
    return NULL;
}

static void exchange(uint16_t chains_per_interrupt)
{
    struct fake_os *os = fake_os_start();
    struct virtio_queue_config config = {.size = QUEUE_SIZE, .event_index = event_index, .notify = kick};
    struct virtio_queue *queue = NULL;
    uint64_t addresses[3];
    uint64_t physical = 0;
    uint32_t posted = 0;
    uint32_t taken = 0;
    uint64_t sum = 0;
    pthread_t device;

    kicks = 0;
    interrupts = 0;
    sem_init(&kicked, 0, 0);
    sem_init(&interrupted, 0, 0);
    assert_int_equal(virtio_queue_create(&os->hooks, &config, &queue), 0);
    virtio_queue_addresses(queue, &addresses[0], &addresses[1], &addresses[2]);
    descriptors = fake_dma(addresses[0], 16);
    available = fake_dma(addresses[1], 4);
    used = fake_dma(addresses[2], 4);
    uint32_t *values = os->hooks.alloc_aligned(os, QUEUE_SIZE * sizeof(*values), 16, &physical);
    bool busy[QUEUE_SIZE] = {false};
    assert_int_equal(pthread_create(&device, NULL, run_device, NULL), 0);

    while (taken < CHAINS) {
        for (uint32_t i = 0; i < QUEUE_SIZE && posted < CHAINS; i++) {
            if (busy[i])
                continue;
            struct virtio_buffer buffer = {physical + i * sizeof(*values), sizeof(*values)};
            values[i] = posted;
            assert_int_equal(virtio_queue_add(queue, NULL, 0, &buffer, 1, &values[i]), 0);
            busy[i] = true;
            posted++;
        }
        /* Let the device run on at moments that matter: here, and before an interrupt is asked for. */
        if (posted % 3 == 0)
            sched_yield();
        virtio_queue_kick(queue);

        void *token = NULL;
        uint32_t written = 0;
        while (virtio_queue_take(queue, &token, &written) == 1) {
            assert_int_equal(written, sizeof(*values));
            sum += *(uint32_t *)token;
            busy[(uint32_t *)token - values] = false;
            taken++;
        }
        uint16_t in_flight = virtio_queue_chains_in_flight(queue);
        if (in_flight < QUEUE_SIZE && posted < CHAINS)
            continue;
        /* The ring is full, or all is posted: sleep until some have come back. */
        forget(&interrupted);
        if (taken % 3 == 0)
            sched_yield();
        uint16_t wanted = in_flight < chains_per_interrupt ? in_flight : chains_per_interrupt;
        if (wanted > 0 && virtio_queue_enable_interrupt(queue, wanted)) {
            sem_wait(&interrupted);
            virtio_queue_disable_interrupt(queue);
        }
    }
    pthread_join(device, NULL);
    assert_true(sum == (uint64_t)CHAINS * (CHAINS + 1) / 2);
    assert_true(kicks > 0 && kicks <= CHAINS);
    assert_true(interrupts > 0 && interrupts <= CHAINS);

    os->hooks.free_aligned(os, values, QUEUE_SIZE * sizeof(*values));
    virtio_queue_destroy(queue);
    sem_destroy(&kicked);
    sem_destroy(&interrupted);
    fake_os_stop();
}

static void test_flags(void **state)
{
    (void)state;
    event_index = false;
    exchange(1);
}

static void test_event_index(void **state)
{
    (void)state;
    event_index = true;
    exchange(1);
}

static void test_event_index_after_several(void **state)
{
    (void)state;
    event_index = true;
    exchange(QUEUE_SIZE / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_event_index),
        cmocka_unit_test(test_event_index_after_several),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
