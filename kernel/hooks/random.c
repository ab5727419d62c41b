/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/interrupts.h>
#include <arch/timer.h>
#include <hooks/random.h>
#include <logging/log.h>
#include <tasks/task.h>
#include <virtio/rng.h>

#define WAIT_US 1000000

static struct virtio_rng *rng;
static struct interrupt_event answer;
static bool answered;

INTERRUPT_CODE static void on_answer(void *context)
{
    (void)context;
    interrupt_event_raise(&answer);
}

static void give_up(const char *what)
{
    log_write(LOG_WARNING, "random", "virtio-rng %s: it is not used any more", what);
    virtio_rng_destroy(rng);
    rng = NULL;
}

/* Always asked for ahead, so that bytes are there when they are needed. */
static void ask(void)
{
    int error = rng != NULL ? virtio_rng_request(rng, VIRTIO_RNG_REQUEST_MAX) : 0;
    if (error != 0 && error != -EBUSY)
        give_up("takes no request");
}

int kernel_random_start_device(struct virtio_device *device)
{
    static const struct virtio_rng_config config = {.wake = on_answer};
    if (rng != NULL)
        return -EBUSY;
    answered = false;
    int error = virtio_rng_create(device, &config, &rng);
    if (error != 0) {
        rng = NULL;
        log_write(LOG_ERROR, "random", "the virtio-rng device does not start: error %d", -error);
        return 0; /* virtio_rng_create has taken the device, and destroyed it */
    }
    ask();
    return 0;
}

/* What the host has sent, at most `size` bytes; 0 when there is nothing at the moment. */
static size_t take(uint8_t *out, size_t size)
{
    size_t taken = 0;
    while (rng != NULL && taken < size) {
        int64_t count = virtio_rng_take(rng, out + taken, size - taken);
        if (count < 0) {
            give_up("is broken");
            break;
        }
        if (count == 0)
            break;
        taken += (size_t)count;
        answered = true;
        ask();
    }
    return taken;
}

/* The same, but all of it or nothing within a second. */
static int take_all(uint8_t *out, size_t size)
{
    uint64_t deadline = timer_now_us() + WAIT_US;
    for (;;) {
        size_t taken = take(out, size);
        out += taken;
        size -= taken;
        if (size == 0)
            return 0;
        if (rng == NULL || timer_now_us() >= deadline)
            return -ENODATA;
        (void)interrupt_event_wait(&answer, deadline);
    }
}

int kernel_random(void *out, size_t size)
{
    uint8_t *bytes = out, host[64];
    bool from_cpu = cpu_random(out, size) == 0;
    if (!from_cpu) {
        memset(out, 0, size);
        int error = rng == NULL ? -ENOSYS : take_all(out, size);
        if (error != 0)
            memset(out, 0, size);
        return error;
    }
    /* The CPU's bytes are enough alone when the host has sent too few. */
    for (size_t at = 0, count; at < size; at += count) {
        count = take(host, size - at < sizeof host ? size - at : sizeof host);
        for (size_t i = 0; i < count; i++)
            bytes[at + i] ^= host[i];
        if (count == 0)
            break;
    }
    memset(host, 0, sizeof host);
    __asm__ volatile("" : : "r"(host) : "memory"); /* not optimised away */
    return 0;
}

unsigned kernel_random_sources(void)
{
    const struct cpu_features *cpu = cpu_get_features();
    if (rng != NULL && !answered) {
        uint8_t none;
        if (virtio_rng_take(rng, &none, 0) < 0)
            give_up("is broken");
        else
            answered = !virtio_rng_pending(rng);
    }
    return (cpu->rdseed ? RANDOM_RDSEED : 0u) | (cpu->rdrand ? RANDOM_RDRAND : 0u) |
           (rng != NULL && answered ? RANDOM_VIRTIO : 0u);
}
