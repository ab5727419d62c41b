/* SPDX-License-Identifier: MIT
 *
 * What becomes of a vsock device that breaks, does not come back, or sends nothing any more. The vsock is
 * played here. There is one listener per boot, so the tests are about one machine and follow each other.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <arch/timer.h>
#include <logging/log.h>
#include <service/connections.h>
#include <service/devices.h>
#include <service/log_export.h>
#include <service/vsock_listener.h>
#include <tasks/task.h>
#include <virtio/vsock.h>

#define S UINT64_C(1000000)

struct vsock {
    bool created;
    struct vsock_config config;
    int poll_result;
    uint64_t stalled_since, deadline;
    unsigned polls, reminders;
};

static struct vsock played;
static bool present = true;
static unsigned starts, drops, resets, stalls;
static uint64_t now;
static bool welcome;

/* ---- what the listener calls ---- */

uint64_t timer_now_us(void)
{
    return now;
}

int vsock_create(struct virtio_device *device, const struct vsock_config *config, struct vsock **vsock)
{
    (void)device;
    assert_false(played.created);
    if (!present)
        return -EIO;
    played = (struct vsock){
        .created = true, .config = *config, .stalled_since = UINT64_MAX, .deadline = UINT64_MAX};
    *vsock = &played;
    return 0;
}

void vsock_destroy(struct vsock *vsock)
{
    assert_true(vsock->created);
    assert_int_equal(drops, resets + 1); /* connections go before their device */
    vsock->created = false;
}

int vsock_listen(struct vsock *vsock, uint32_t port)
{
    assert_true(vsock->created);
    assert_int_equal(port, 5000);
    return 0;
}

int vsock_poll(struct vsock *vsock)
{
    assert_true(vsock->created);
    vsock->polls++;
    return vsock->poll_result;
}

uint64_t vsock_stalled_since(const struct vsock *vsock)
{
    return vsock->stalled_since;
}

void vsock_remind(struct vsock *vsock)
{
    vsock->reminders++;
}

uint64_t vsock_deadline(const struct vsock *vsock)
{
    return vsock->deadline;
}

uint64_t vsock_guest_cid(const struct vsock *vsock)
{
    (void)vsock;
    return 3;
}

void devices_start(unsigned only)
{
    assert_int_equal(only, VIRTIO_ID_VSOCK);
    starts++;
    (void)vsock_listener_start_device(NULL);
}

void connections_drop(const struct stream_operations *operations)
{
    assert_non_null(operations);
    drops++;
}

void connections_count_device_reset(void)
{
    resets++;
}

void connections_count_device_stall(void)
{
    stalls++;
}

size_t connections_input_share(size_t most)
{
    return most;
}

void connections_wake(void *context)
{
    (void)context;
}

bool connection_is_welcome(const char *kind, uint64_t peer_cid, uint32_t peer_port)
{
    assert_string_equal(kind, "vsock");
    return welcome && peer_cid == 7 && peer_port == 99;
}

uint64_t log_export_poll(struct vsock *vsock)
{
    assert_ptr_equal(vsock, &played);
    return TASK_FOREVER;
}

void log_export_drop(void)
{
}

void log_export_no_device(void)
{
}

/* ---- not called in these tests ---- */

struct connection *connection_open(const struct stream *stream)
{
    (void)stream;
    fail();
    return NULL;
}

void connection_readable(struct connection *connection)
{
    (void)connection;
    fail();
}

void connection_writable(struct connection *connection)
{
    (void)connection;
    fail();
}

void connection_reset(struct connection *connection)
{
    (void)connection;
    fail();
}

bool log_export_event(struct vsock_connection *connection, enum vsock_event event)
{
    (void)connection;
    (void)event;
    fail();
    return false;
}

int64_t vsock_peek(const struct vsock_connection *connection, const void **bytes)
{
    (void)connection;
    (void)bytes;
    fail();
    return 0;
}

void vsock_take(struct vsock_connection *connection, size_t size)
{
    (void)connection;
    (void)size;
    fail();
}

int64_t vsock_send(struct vsock_connection *connection, const void *buffer, size_t size)
{
    (void)connection;
    (void)buffer;
    (void)size;
    fail();
    return 0;
}

void vsock_close(struct vsock_connection *connection)
{
    (void)connection;
    fail();
}

void vsock_abort(struct vsock_connection *connection)
{
    (void)connection;
    fail();
}

void vsock_set_context(struct vsock_connection *connection, void *context)
{
    (void)connection;
    (void)context;
    fail();
}

void *vsock_get_context(const struct vsock_connection *connection)
{
    (void)connection;
    fail();
    return NULL;
}

uint64_t vsock_peer_cid(const struct vsock_connection *connection)
{
    (void)connection;
    fail();
    return 0;
}

uint32_t vsock_peer_port(const struct vsock_connection *connection)
{
    (void)connection;
    fail();
    return 0;
}

/* ---- tests ---- */

static void the_policy_is_asked_first(void **state)
{
    (void)state;
    assert_false(vsock_listener.announce());
    assert_int_equal(vsock_listener_start_device(NULL), 0);
    assert_int_equal(vsock_listener_start_device(NULL), -EBUSY);
    assert_true(vsock_listener.announce());
    assert_false(played.config.accept(played.config.context, 7, 99, 5000));
    welcome = true;
    assert_true(played.config.accept(played.config.context, 7, 99, 5000));
    assert_false(played.config.accept(played.config.context, 7, 98, 5000));
    assert_true(vsock_listener.poll() == TASK_FOREVER);
    played.deadline = 42;
    assert_int_equal(vsock_listener.poll(), 42);
    played.deadline = UINT64_MAX;
}

/* One second, two, four... to a minute, for a device that does not come back; then it is there again. */
static void a_broken_device_is_started_again(void **state)
{
    (void)state;
    now += 100 * S;
    played.poll_result = -EIO;
    present = false;
    uint64_t due = vsock_listener.poll(), delay = S;
    assert_int_equal(resets, 1);
    assert_false(played.created);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(due - now, delay);
        starts = 0;
        now = due - 1;
        assert_int_equal(vsock_listener.poll(), due); /* not before it is time */
        assert_int_equal(starts, 0);
        now = due;
        due = vsock_listener.poll();
        assert_int_equal(starts, 1);
        delay = delay < 30 * S ? delay * 2 : 60 * S;
    }
    present = true;
    now = due;
    assert_true(vsock_listener.poll() == TASK_FOREVER);
    assert_true(played.created);
    assert_int_equal(played.polls, 1);
    assert_int_equal(resets, 1);
}

/* One that breaks each time is not started each second for ever; one that has worked is. */
static void the_delay_grows_while_it_breaks(void **state)
{
    (void)state;
    now += 100 * S;
    uint64_t delay = S;
    for (unsigned i = 0; i < 8; i++) {
        played.poll_result = -EIO;
        uint64_t due = vsock_listener.poll();
        assert_int_equal(due - now, delay);
        delay = delay < 30 * S ? delay * 2 : 60 * S;
        now = due;
        assert_true(vsock_listener.poll() == TASK_FOREVER);
        assert_true(played.created);
    }
    now += 60 * S;
    played.poll_result = -EIO;
    uint64_t due = vsock_listener.poll();
    assert_int_equal(due - now, S);
    now = due;
    assert_true(vsock_listener.poll() == TASK_FOREVER);
}

static void a_device_that_sends_nothing_is_told_again_and_then_started_again(void **state)
{
    (void)state;
    unsigned before = resets;
    uint64_t start = now += 100 * S;
    played.stalled_since = start;
    assert_int_equal(vsock_listener.poll(), start + 10 * S);
    now = start + 10 * S - 1;
    assert_int_equal(vsock_listener.poll(), start + 10 * S);
    assert_int_equal(played.reminders, 0);
    now = start + 10 * S;
    assert_int_equal(vsock_listener.poll(), start + 60 * S);
    assert_int_equal(vsock_listener.poll(), start + 60 * S);
    assert_int_equal(played.reminders, 1); /* once */

    /* It had slept: all is well again, and the next time counts from its own start. */
    played.stalled_since = UINT64_MAX;
    assert_true(vsock_listener.poll() == TASK_FOREVER);
    start = now += 100 * S;
    played.stalled_since = start;
    now = start + 10 * S;
    (void)vsock_listener.poll();
    assert_int_equal(played.reminders, 2);
    now = start + 60 * S - 1;
    assert_int_equal(vsock_listener.poll(), start + 60 * S);
    assert_int_equal(resets, before);
    now = start + 60 * S;
    assert_int_equal(vsock_listener.poll(), now + S);
    assert_int_equal(resets, before + 1);
    assert_int_equal(stalls, 1);
    now += S;
    assert_true(vsock_listener.poll() == TASK_FOREVER);
    assert_true(played.created);
}

/* The machine was paused for an hour, with a packet on its way. */
static void a_pause_is_not_the_devices_fault(void **state)
{
    (void)state;
    played.stalled_since = now;
    now += 3600 * S;
    assert_int_equal(vsock_listener.poll(), now + 50 * S);
    now += 49 * S;
    assert_int_equal(vsock_listener.poll(), now + S);
    assert_int_equal(played.reminders, 1);
    assert_int_equal(stalls, 1);
    assert_true(played.created);
    now += 3600 * S; /* paused again, after it was told */
    assert_int_equal(vsock_listener.poll(), now + 50 * S);
    assert_int_equal(played.reminders, 2);
    assert_true(played.created);
    played.stalled_since = now; /* it moves again, and has more to send */
    assert_int_equal(vsock_listener.poll(), now + 10 * S);
}

static int start_log(void **state)
{
    static _Alignas(16) char ring[4096];
    const struct log_config log = {.ring = ring, .ring_size = sizeof ring, .level = LOG_INFO};
    (void)state;
    return log_initialise(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_policy_is_asked_first),
        cmocka_unit_test(a_broken_device_is_started_again),
        cmocka_unit_test(the_delay_grows_while_it_breaks),
        cmocka_unit_test(a_device_that_sends_nothing_is_told_again_and_then_started_again),
        cmocka_unit_test(a_pause_is_not_the_devices_fault),
    };
    return cmocka_run_group_tests(tests, start_log, NULL);
}
