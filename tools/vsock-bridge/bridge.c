/* SPDX-License-Identifier: MIT */
#include "bridge.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

/* While clients wait for a descriptor: whenever anything happens, which may have freed one, and this often.
 */
#define RETRY_MILLISECONDS 1000

/* Listeners and so on are members of a bridge; their watches lead back to it. */
#define BRIDGE_OF(watch, member) ((struct bridge *)(void *)((char *)(watch)-offsetof(struct bridge, member)))

static void vm_started(void *context, bool resumed)
{
    struct bridge *bridge = context;

    device_started(&bridge->device, resumed);
}

static void vm_stopped(void *context, bool for_good)
{
    struct bridge *bridge = context;

    device_stopped(&bridge->device, for_good);
}

static void vm_gone(void *context)
{
    struct bridge *bridge = context;

    /* Who only looked whether the socket is served (another bridge at its start) was no VM. */
    if (!bridge->vm.spoke)
        return;
    log_info("the VM has disconnected");
    if (bridge->options->once)
        bridge->ended = true;
}

static void on_vm_connects(struct watch *watch, uint32_t events)
{
    struct bridge *bridge = BRIDGE_OF(watch, vhost_watch);
    int fd;

    (void)events;
    while ((fd = sockets_accept(watch->fd)) >= 0) {
        int result;

        /* The end of the previous VM may wait in the same batch of events. */
        if (bridge->vm.watch.fd >= 0 && vhost_user_hung_up(&bridge->vm))
            vhost_user_detach(&bridge->vm);
        if (bridge->vm.watch.fd >= 0) {
            log_warning("another VM is refused: start a bridge of its own for it, with --vhost and --socket");
            (void)close(fd);
            continue;
        }
        result = vhost_user_attach(&bridge->vm, fd);
        if (result != 0)
            log_error("the VM's connection cannot be watched: %s", strerror(-result));
    }
    if (fd != -EAGAIN)
        log_error("the VM cannot be accepted: %s", strerror(-fd));
}

/* Returns whether clients are left, mostly for want of descriptors. The listener is edge-triggered and says
 * nothing more about those who wait. */
static bool accept_from(struct bridge *bridge, int listener, bool admin)
{
    int fd;

    if (listener < 0)
        return false;
    while ((fd = sockets_accept(listener)) >= 0)
        device_add_client(&bridge->device, fd, admin);
    if (fd == -EAGAIN)
        return false;
    if (!bridge->clients_wait)
        log_error("clients have to wait: %s", strerror(-fd));
    bridge->clients_wait = true;
    return true;
}

/* From all listeners: who waits at one is not forgotten because nobody waits at another. */
static void accept_clients(struct bridge *bridge)
{
    bool admins_wait = accept_from(bridge, bridge->admin_watch.fd, true);
    bool others_wait = accept_from(bridge, bridge->client_watch.fd, false);
    bool tcp_waits = accept_from(bridge, bridge->tcp_watch.fd, false);

    bridge->clients_wait = admins_wait || others_wait || tcp_waits;
}

static void on_client_connects(struct watch *watch, uint32_t events)
{
    (void)events;
    accept_clients(BRIDGE_OF(watch, client_watch));
}

static void on_admin_connects(struct watch *watch, uint32_t events)
{
    (void)events;
    accept_clients(BRIDGE_OF(watch, admin_watch));
}

static void on_tcp_client_connects(struct watch *watch, uint32_t events)
{
    (void)events;
    accept_clients(BRIDGE_OF(watch, tcp_watch));
}

static void on_end(struct watch *watch, uint32_t events)
{
    (void)events;
    BRIDGE_OF(watch, end_watch)->ended = true;
}

/* Listeners are edge-triggered: when accepting fails for want of descriptors, the loop does not spin. */
static int watch_listener(struct bridge *bridge, struct watch *watch)
{
    int result = loop_add(&bridge->loop, watch, EPOLLIN | EPOLLET);

    if (result != 0)
        log_error("a socket cannot be watched: %s", strerror(-result));
    return result;
}

int bridge_listen(struct bridge *bridge, const struct bridge_options *options)
{
    static const struct vhost_user_hooks hooks = {
        .started = vm_started, .stopped = vm_stopped, .gone = vm_gone};
    int result;

    bridge->options = options;
    bridge->busy = bridge->clients_wait = bridge->ended = false;
    bridge->loop.epoll = -1;
    bridge->vhost_listener.fd = bridge->client_listener.fd = bridge->admin_listener.fd = -1;
    bridge->vhost_watch = (struct watch){.fd = -1, .ready = on_vm_connects};
    bridge->client_watch = (struct watch){.fd = -1, .ready = on_client_connects};
    bridge->admin_watch = (struct watch){.fd = -1, .ready = on_admin_connects};
    bridge->tcp_watch = (struct watch){.fd = -1, .ready = on_tcp_client_connects};
    bridge->end_watch = (struct watch){.fd = -1, .ready = on_end};
    bridge->keeper = (struct keeper_link){.socket_path = options->socket_path, .channel = -1};
    vhost_user_initialise(&bridge->vm, &bridge->loop, options->guest_cid, &hooks, bridge);
    device_initialise(&bridge->device, &bridge->loop, &bridge->vm, &bridge->keeper, options->direct_port);

    bridge->device.admin_reserve = options->admin_path != NULL ? ADMIN_RESERVE : 0;

    result = sockets_listen_unix(&bridge->client_listener, options->socket_path);
    if (result == 0 && options->admin_path != NULL)
        result = sockets_listen_unix(&bridge->admin_listener, options->admin_path);
    /* Last: who waits for this file, as tools/run does, finds the others. */
    if (result == 0)
        result = sockets_listen_unix(&bridge->vhost_listener, options->vhost_path);
    if (result == 0 && options->tcp_address != NULL) {
        result = sockets_listen_tcp(options->tcp_address);
        bridge->tcp_watch.fd = result;
    }
    if (result < 0)
        bridge_close(bridge);
    return result < 0 ? result : 0;
}

int bridge_start(struct bridge *bridge)
{
    int result = loop_create(&bridge->loop);

    if (result != 0) {
        log_error("epoll is not available: %s", strerror(-result));
        return result;
    }
    bridge->client_watch.fd = bridge->client_listener.fd;
    bridge->vhost_watch.fd = bridge->vhost_listener.fd;
    bridge->admin_watch.fd = bridge->admin_listener.fd;
    result = watch_listener(bridge, &bridge->client_watch);
    if (result == 0)
        result = watch_listener(bridge, &bridge->vhost_watch);
    if (result == 0 && bridge->admin_watch.fd >= 0)
        result = watch_listener(bridge, &bridge->admin_watch);
    if (result == 0 && bridge->tcp_watch.fd >= 0)
        result = watch_listener(bridge, &bridge->tcp_watch);
    return result;
}

int bridge_open(struct bridge *bridge, const struct bridge_options *options)
{
    int result = bridge_listen(bridge, options);

    if (result != 0)
        return result;
    result = bridge_start(bridge);
    if (result != 0)
        bridge_close(bridge);
    return result;
}

int bridge_end_with(struct bridge *bridge, int descriptor)
{
    bridge->end_watch.fd = descriptor;
    return loop_add(&bridge->loop, &bridge->end_watch, EPOLLIN | EPOLLRDHUP);
}

void bridge_restore(struct bridge *bridge, int channel, const struct kept *slots, uint64_t *ports)
{
    bridge->keeper.channel = channel;
    bridge->device.ports = ports;
    bridge->device.takes_over = true;
    if (vhost_user_restore(&bridge->vm, slots))
        log_info("takes over the VM that is running");
    bridge->vm.keeper = &bridge->keeper;
}

int bridge_step(struct bridge *bridge, int timeout)
{
    int result;

    if (bridge->busy)
        timeout = 0;
    else if (bridge->clients_wait && (timeout < 0 || timeout > RETRY_MILLISECONDS))
        timeout = RETRY_MILLISECONDS;
    result = loop_run_once(&bridge->loop, timeout);
    if (result != 0)
        return result;
    if (bridge->clients_wait)
        accept_clients(bridge);
    bridge->busy = device_run(&bridge->device);
    return 0;
}

void bridge_close(struct bridge *bridge)
{
    vhost_user_detach(&bridge->vm);
    device_destroy(&bridge->device);
    loop_close(&bridge->loop, &bridge->tcp_watch);
    loop_close(&bridge->loop, &bridge->end_watch);
    sockets_close_unix(&bridge->vhost_listener);
    sockets_close_unix(&bridge->client_listener);
    sockets_close_unix(&bridge->admin_listener);
    loop_destroy(&bridge->loop);
}
