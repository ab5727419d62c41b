/* SPDX-License-Identifier: MIT
 *
 * The console device: queues, memory, the poll loop. virtio 1.2, section 5.3.
 */
#include <errno.h>
#include <string.h>

#include "console/private.h"
#include "log.h"

/* Section 5.3.2 */
enum { QUEUE_CONTROL_RECEIVE = 2, QUEUE_CONTROL_TRANSMIT = 3 };

#define FEATURE_MULTIPORT   (1ull << 1) /* section 5.3.3 */
#define CONFIG_MAX_NR_PORTS 4           /* section 5.3.4 */
#define CONTROL_QUEUE_SIZE  CONTROL_BUFFERS
#define RECEIVE_QUEUE_SIZE  4 /* one chain */

/* Looks at the device in one poll: a flood must not hold the CPU. */
#define POLL_BUDGET 64

/* Interrupt context. */
VIRTIO_INTERRUPT_CODE static void on_queue(void *argument)
{
    struct virtio_console *console = argument;

    console->config.wake(console->config.context);
}

/* Interrupt context. */
VIRTIO_INTERRUPT_CODE static void on_config_change(void *argument)
{
    struct virtio_console *console = argument;

    __atomic_store_n(&console->config_changed, true, __ATOMIC_RELAXED);
    console->config.wake(console->config.context);
}

int console_offer(struct virtio_console *console, struct virtio_queue *queue, uint8_t *memory, size_t size)
{
    const size_t behind = CONSOLE_MARK_OFFSET + CONSOLE_MARK_SIZE;
    uint64_t physical = console->shared_physical + (uint64_t)(memory - (uint8_t *)console->shared);
    const struct virtio_buffer buffers[CONSOLE_CHAIN_COUNT] = {
        {.physical = physical, .size = CONSOLE_MARK_OFFSET},
        {.physical = console->shared_physical + offsetof(struct console_shared, mark),
         .size = CONSOLE_MARK_SIZE},
        {.physical = physical + behind, .size = (uint32_t)(size - behind)},
    };

    return virtio_queue_add(queue, NULL, 0, buffers, CONSOLE_CHAIN_COUNT, memory);
}

/* Section 5.3.2: port 0 has the queues 0 and 1, port n the queues 2n + 2 and 2n + 3. */
static int make_queues(struct virtio_console *console)
{
    struct virtio_device *device = console->device;
    int error =
        virtio_device_config(device, CONFIG_MAX_NR_PORTS, &console->port_max, sizeof(console->port_max));

    console->port_count = console->port_max < CONSOLE_PORTS_MAX ? console->port_max : CONSOLE_PORTS_MAX;
    if (error == 0)
        error = virtio_device_queue(device, QUEUE_CONTROL_RECEIVE, CONTROL_QUEUE_SIZE, on_queue, console,
                                    &console->control_receive);
    if (error == 0)
        error = virtio_device_queue(device, QUEUE_CONTROL_TRANSMIT, CONTROL_QUEUE_SIZE, on_queue, console,
                                    &console->control_transmit);
    for (uint16_t port = 0; error == 0 && port < console->port_count; port++) {
        uint16_t queue = (uint16_t)(port == 0 ? 0 : 2 * port + 2);
        error = virtio_device_queue(device, queue, RECEIVE_QUEUE_SIZE, on_queue, console,
                                    &console->ports[port].receive);
        if (error == 0 && virtio_queue_size(console->ports[port].receive) < CONSOLE_CHAIN_COUNT)
            error = -EINVAL;
        if (error == 0)
            error = virtio_device_queue(device, (uint16_t)(queue + 1), TRANSMIT_SLOTS, on_queue, console,
                                        &console->ports[port].transmit);
    }
    return error;
}

static int make_memory(struct virtio_console *console)
{
    const struct virtio_os *os = console->os;

    console->shared = os->alloc_aligned(os->context, sizeof(*console->shared), 16, &console->shared_physical);
    console->transmit = os->alloc_aligned(os->context, (size_t)TRANSMIT_SLOTS * TRANSMIT_SIZE, 16,
                                          &console->transmit_physical);
    return console->shared != NULL && console->transmit != NULL ? 0 : -ENOMEM;
}

static int set_up(struct virtio_console *console)
{
    uint64_t features = 0;

    int error = virtio_device_negotiate(console->device, FEATURE_MULTIPORT, &features);
    if (error == 0 && (features & FEATURE_MULTIPORT) == 0) {
        virtio_log(console->os, VIRTIO_LOG_ERROR, virtio_device_name(console->device),
                   "console: the device has no named ports (VIRTIO_CONSOLE_F_MULTIPORT): QEMU needs -device "
                   "virtio-serial-pci without max_ports=1, and -device virtserialport,name=%s",
                   console->config.port);
        error = -ENODEV;
    }
    if (error == 0)
        error = make_queues(console);
    if (error == 0)
        error = virtio_device_on_config_change(console->device, on_config_change, console);
    if (error == 0)
        error = make_memory(console);
    if (error == 0)
        error = console_control_post(console);
    if (error == 0)
        error = virtio_device_start(console->device);
    if (error != 0)
        return error;
    console->device_ready_due = true;
    /* The first poll kicks and arms the interrupts. */
    console->config.wake(console->config.context);
    return 0;
}

int virtio_console_create(struct virtio_device *device, const struct virtio_console_config *config,
                          struct virtio_console **console)
{
    const struct virtio_os *os = virtio_device_os(device);
    int error = -EINVAL;

    if (virtio_device_id(device) != VIRTIO_ID_CONSOLE)
        goto refuse;
    error = -ENOMEM;
    struct virtio_console *created = os->alloc(os->context, sizeof(*created));
    if (created == NULL)
        goto refuse;
    memset(created, 0, sizeof(*created));
    created->device = device;
    created->os = os;
    created->config = *config;
    created->port = created->port_before = CONSOLE_NO_PORT;
    created->asked = true;

    error = set_up(created);
    if (error != 0) {
        virtio_console_destroy(created);
        return error;
    }
    *console = created;
    return 0;

refuse:
    virtio_device_destroy(device);
    return error;
}

void virtio_console_destroy(struct virtio_console *console)
{
    const struct virtio_os *os = console->os;

    /* First of all, so that the device lets go of the memory. */
    virtio_device_destroy(console->device);
    if (console->shared != NULL)
        os->free_aligned(os->context, console->shared, sizeof(*console->shared));
    if (console->transmit != NULL)
        os->free_aligned(os->context, console->transmit, (size_t)TRANSMIT_SLOTS * TRANSMIT_SIZE);
    os->free(os->context, console, sizeof(*console));
}

/* Offers buffers, sends what is due, asks for interrupts. Returns 0 when the next interrupt will tell of all
 * that is to come, 1 when there is more already, or -EIO. */
static int settle(struct virtio_console *console)
{
    int error = console_post_receive(console);

    if (error == 0)
        error = console_control_flush(console);
    if (error != 0)
        return error;
    virtio_queue_kick(console->control_receive);
    virtio_queue_kick(console->control_transmit);
    bool idle = virtio_queue_enable_interrupt(console->control_receive, 1);
    if (console_control_waits(console))
        idle = virtio_queue_enable_interrupt(console->control_transmit, 1) && idle;
    if (console->port_before != CONSOLE_NO_PORT) {
        const struct port_queues *port = &console->ports[console->port_before];
        virtio_queue_kick(port->receive);
        virtio_queue_kick(port->transmit);
        if (console->posted)
            idle = virtio_queue_enable_interrupt(port->receive, 1) && idle;
        if (console->current != NULL && console->current->waits)
            idle = virtio_queue_enable_interrupt(port->transmit, 1) && idle;
        else
            virtio_queue_disable_interrupt(port->transmit);
    }
    return idle ? 0 : 1;
}

/* One round. Returns 1 when there is more to do, 0, or a negative errno. */
static int poll_once(struct virtio_console *console)
{
    if (__atomic_exchange_n(&console->config_changed, false, __ATOMIC_RELAXED) &&
        virtio_device_broken(console->device))
        return -EIO;
    int result = console_look(console);
    if (result < 0)
        return result;
    console_deliver(console);
    result = settle(console);
    return result == 0 && console_has_events(console) ? 1 : result;
}

int virtio_console_poll(struct virtio_console *console)
{
    int result = console->broken ? -EIO : 1;

    console->polling = true;
    for (unsigned i = 0; result > 0 && i < POLL_BUDGET; i++)
        result = poll_once(console);
    console->polling = false;

    if (result < 0)
        console_break(console);
    if (result > 0)
        console->config.wake(console->config.context);
    return result < 0 ? -EIO : 0;
}

void console_break(struct virtio_console *console)
{
    if (!console->broken)
        virtio_log(console->os, VIRTIO_LOG_ERROR, virtio_device_name(console->device),
                   "console: the device is broken");
    console->broken = true;
}

void console_finish_call(struct virtio_console *console)
{
    if (console->polling)
        return;
    int result = console->broken ? -EIO : settle(console);
    if (result < 0)
        console_break(console); /* virtio_console_poll tells the owner */
    if (result != 0 || console_has_events(console))
        console->config.wake(console->config.context);
}

void virtio_console_get_statistics(const struct virtio_console *console,
                                   struct virtio_console_statistics *statistics)
{
    *statistics = console->statistics;
}
