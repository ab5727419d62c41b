/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <arch/interrupts.h>
#include <arch/timer.h>
#include <logging/log.h>
#include <service/devices.h>
#include <service/share.h>
#include <tasks/task.h>

/* A host that says nothing for so long is gone; the clients' patience, 30 seconds, is longer. A session is
 * opened without looking at any disk. */
#define ANSWER_TIMEOUT_US  10000000
#define SESSION_TIMEOUT_US 3000000
#define REMIND_US          1000000 /* of what it has been asked, before that: it may have missed it */
/* After that, the share is left alone for so long: inferences wait while somebody tries to load from it. */
#define RETRY_US 10000000

static struct virtio_fs *share;
static bool share_known; /* there was one: look for it again */
static struct interrupt_event answers;
static uint64_t patience_us;
static uint64_t retry_at_us;

static int wait(void *context)
{
    (void)context;
    uint64_t start = timer_now_us();
    if (share == NULL) /* the session begins */
        return interrupt_event_wait(&answers, start + patience_us);
    int error = interrupt_event_wait(&answers, start + REMIND_US);
    if (error != -ETIMEDOUT)
        return error;
    log_write(LOG_INFO, "share", "'%s' has said nothing for a second: telling it again",
              virtio_fs_tag(share));
    virtio_fs_remind(share);
    return interrupt_event_wait(&answers, start + patience_us);
}

INTERRUPT_CODE static void wake(void *context)
{
    (void)context;
    interrupt_event_raise(&answers);
}

int share_start_device(struct virtio_device *device)
{
    static const struct virtio_fs_config config = {.wait = wait, .wake = wake};
    if (share != NULL)
        return -EBUSY;
    share_known = true;
    patience_us = SESSION_TIMEOUT_US;
    int error = virtio_fs_create(device, &config, &share);
    patience_us = ANSWER_TIMEOUT_US;
    if (error != 0) {
        share = NULL;
        log_write(LOG_ERROR, "share", "the virtio-fs device does not start: error %d", -error);
    }
    return 0; /* virtio_fs_create has taken the device in any case */
}

const char *share_tag(void)
{
    return share != NULL ? virtio_fs_tag(share) : NULL;
}

bool share_is_known(void)
{
    return share_known;
}

struct virtio_fs *share_get(void)
{
    if (share != NULL && virtio_fs_broken(share)) {
        log_write(LOG_WARNING, "share", "'%s' has failed: starting it again", virtio_fs_tag(share));
        virtio_fs_destroy(share);
        share = NULL;
    }
    if (share == NULL && share_known && timer_now_us() >= retry_at_us) {
        devices_start(VIRTIO_ID_FS);
        if (share == NULL)
            retry_at_us = timer_now_us() + RETRY_US;
    }
    return share;
}
