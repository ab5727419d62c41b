/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <arch/interrupts.h>
#include <arch/timer.h>
#include <logging/log.h>
#include <service/devices.h>
#include <service/share.h>
#include <tasks/task.h>

#define ANSWER_TIMEOUT_US 30000000 /* a host that says nothing for so long is gone */

static struct virtio_fs *share;
static bool share_known; /* there was one: look for it again */
static struct interrupt_event answers;

static int wait(void *context)
{
    (void)context;
    return interrupt_event_wait(&answers, timer_now_us() + ANSWER_TIMEOUT_US);
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
    int error = virtio_fs_create(device, &config, &share);
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

struct virtio_fs *share_get(void)
{
    if (share != NULL && virtio_fs_broken(share)) {
        log_write(LOG_WARNING, "share", "'%s' has failed: starting it again", virtio_fs_tag(share));
        virtio_fs_destroy(share);
        share = NULL;
    }
    if (share == NULL && share_known)
        devices_start(VIRTIO_ID_FS);
    return share;
}
