/* SPDX-License-Identifier: MIT
 *
 * virtio-vsock. The input says what the host sends, uses and changes (headers, lengths, ids, the CID, its
 * status), and what the owner does with its connections, in callbacks too. Each stream carries a pattern that
 * belongs to its two ends: a byte of another stream, a lost one or one too many is found.
 */
#include <errno.h>

#include "fuzz.h"
#include "vsock_peer.h"

#define CONNECTIONS 16
#define POLLS_MAX   200
#define STEPS_MAX   600

struct owned {
    struct vsock_connection *handle; /* NULL: free */
    struct stream *stream;
    uint32_t received, sent;
    bool connecting, reset, ended;
};

static struct input *script;
static struct owned owned[CONNECTIONS];
static unsigned depth; /* in callbacks */

static struct owned *find(const struct vsock_connection *handle)
{
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (handle != NULL && owned[i].handle == handle)
            return &owned[i];
    return NULL;
}

static size_t count_owned(void)
{
    size_t count = 0;
    for (size_t i = 0; i < CONNECTIONS; i++)
        count += owned[i].handle != NULL;
    return count;
}

static struct owned *adopt(struct vsock_connection *handle)
{
    struct owned *connection = owned;

    while (connection->handle != NULL)
        assert_true(++connection < owned + CONNECTIONS); /* no more than connections_max */
    *connection = (struct owned){.handle = handle};
    connection->stream = stream_of(vsock_is_seqpacket(handle) ? VSOCK_TYPE_SEQPACKET : VSOCK_TYPE_STREAM,
                                   vsock_peer_cid(handle), vsock_peer_port(handle), vsock_local_port(handle));
    return connection;
}

/* ---- what the owner does ---- */

static void check_received(struct owned *connection, const uint8_t *bytes, size_t count)
{
    assert_false(connection->ended);
    if (connection->stream == NULL || peer.tainted)
        return;
    for (size_t i = 0; i < count; i++)
        assert_int_equal(bytes[i], stream_byte(connection->stream, connection->received + (uint32_t)i));
    connection->received += (uint32_t)count;
    if (!stream_is_local(connection->stream))
        assert_true(connection->received <= connection->stream->told_max);
}

/* Of a message, what is left of it is known: it ends where the host has ended it, and no other one before. */
static void check_message(const struct owned *connection)
{
    const struct stream *stream = connection->stream;
    size_t left = vsock_message_left(connection->handle);
    struct vsock_statistics statistics;

    if (left == 0 || stream == NULL || peer.tainted)
        return;
    assert_true(vsock_is_seqpacket(connection->handle) && left <= peer.buffer_size);
    /* One that is dead, or that the last REQUEST has not come to yet, may be of before it. */
    vsock_get_statistics(host.vsock, &statistics);
    if (stream_is_local(stream) || stream->end_count == 64 || connection->handle->state == VSOCK_STATE_DEAD ||
        statistics.packets_received < stream->began)
        return;
    size_t i = 0;
    while (i < stream->end_count && stream->ends[i] <= connection->received)
        i++;
    assert_true(i < stream->end_count && stream->ends[i] == connection->received + left);
}

static void check_end(struct owned *connection, int64_t result)
{
    assert_true(result == 0 || result == -EAGAIN || result == -ECONNRESET);
    if (result == 0)
        connection->ended = true;
}

static void receive(struct owned *connection, size_t size)
{
    uint8_t *bytes = malloc(size);
    size_t left = vsock_message_left(connection->handle);
    check_message(connection);
    int64_t result = vsock_receive(connection->handle, bytes, size);

    if (result > 0)
        check_received(connection, bytes, (size_t)result);
    else if (size > 0)
        check_end(connection, result);
    assert_true(result <= (int64_t)size);
    if (vsock_is_seqpacket(connection->handle) && result > 0)
        assert_true((size_t)result <= left); /* never two messages */
    free(bytes);
}

static void peek_and_take(struct owned *connection, size_t size)
{
    const void *bytes = NULL;
    int64_t result = vsock_peek(connection->handle, &bytes);

    if (result <= 0) {
        check_end(connection, result);
        return;
    }
    if (size > (size_t)result)
        size = (size_t)result;
    check_received(connection, bytes, size);
    vsock_take(connection->handle, size);
}

static void send(struct owned *connection, size_t size)
{
    uint8_t *bytes = malloc(size);

    for (size_t i = 0; i < size; i++)
        bytes[i] =
            connection->stream != NULL ? stream_byte(connection->stream, connection->sent + (uint32_t)i) : 0;
    int64_t result = vsock_send(connection->handle, bytes, size);
    assert_true(result <= (int64_t)size && (result >= 0 || result == -EPIPE || result == -ECONNRESET ||
                                            (result == -EMSGSIZE && vsock_is_seqpacket(connection->handle))));
    assert_true(!connection->reset || result < 0);
    if (result > 0)
        connection->sent += (uint32_t)result;
    if (connection->stream != NULL && connection->sent > connection->stream->sent_max)
        connection->stream->sent_max = connection->sent;
    free(bytes);
}

static void let_go(struct owned *connection, bool abort_it)
{
    struct vsock_connection *handle = connection->handle;

    connection->handle = NULL; /* from here on no event may come for it */
    abort_it ? vsock_abort(handle) : vsock_close(handle);
}

static void connect_somewhere(void)
{
    struct vsock_connection *handle = NULL;
    uint64_t cid = peer_cid(input_8(script));
    uint8_t choice = input_8(script);
    bool local = cid == VSOCK_CID_LOCAL || cid == vsock_guest_cid(host.vsock),
         seqpacket = (choice & 0x40) != 0;
    uint32_t port = local && (choice & 0x80) == 0 ? GUEST_PORT : peer_port(choice);

    if (count_owned() == CONNECTIONS)
        return;
    struct stream *stream = stream_of(seqpacket ? VSOCK_TYPE_SEQPACKET : VSOCK_TYPE_STREAM, cid, port,
                                      host.vsock->next_port); /* nobody listens there */
    if (stream != NULL)
        stream->told = 0, stream->end_count = 0;
    int result = seqpacket ? vsock_connect_seqpacket(host.vsock, cid, port, &handle)
                           : vsock_connect(host.vsock, cid, port, &handle);
    assert_true(result == 0 || result == -ENOSPC || result == -ENOMEM ||
                (result == -EPROTONOSUPPORT && seqpacket && !local));
    if (result != 0)
        return;
    assert_int_equal(vsock_peer_cid(handle), local ? VSOCK_CID_LOCAL : cid);
    assert_null(find(handle));
    adopt(handle)->connecting = true;
}

static void use_connection(uint8_t operation)
{
    struct owned *connection = &owned[input_8(script) % CONNECTIONS];

    if (connection->handle == NULL)
        return;
    switch (operation % 8) {
    case 0:
    case 1:
        receive(connection, input_16(script) % 9000);
        break;
    case 2:
        peek_and_take(connection, input_16(script) % 5000);
        break;
    case 3:
    case 4:
        send(connection, input_16(script) % 40000);
        break;
    case 5: {
        int result = vsock_shutdown_send(connection->handle);
        assert_true(result == 0 || result == -ECONNRESET || result == -ENOTCONN);
        break;
    }
    case 6:
        let_go(connection, false);
        break;
    default:
        let_go(connection, true);
        break;
    }
}

static void on_event(enum vsock_event event, struct vsock_connection *handle)
{
    struct owned *connection = find(handle);

    if (event == VSOCK_ACCEPTED) {
        assert_null(connection);
        assert_true(vsock_peer_cid(handle) == VSOCK_CID_HOST || vsock_peer_cid(handle) == VSOCK_CID_LOCAL);
        assert_int_equal(vsock_local_port(handle), GUEST_PORT);
        connection = adopt(handle);
        vsock_set_context(handle, connection);
    } else {
        assert_non_null(connection);
        assert_false(connection->reset);
    }
    if (event == VSOCK_CONNECTED) {
        assert_true(connection->connecting);
        connection->connecting = false;
    }
    if (event == VSOCK_RESET)
        connection->reset = true;
    assert_int_equal(depth, 0);
    depth++;
    if (peer.callbacks && input_left(script) > 0) {
        uint8_t operation = input_8(script);
        if (operation >= 0xf8)
            connect_somewhere();
        else if (operation >= 0x40)
            use_connection(operation);
    }
    depth--;
}

/* ---- one input ---- */

/* As an owner does who is woken; it comes to rest. */
static void pump(void)
{
    size_t polls = 0;

    while (host.wakes > 0 && !peer.broken) {
        host.wakes = 0;
        assert_true(++polls <= POLLS_MAX);
        int result = vsock_poll(host.vsock);
        assert_true(result == 0 || result == -EIO);
        peer.broken = result != 0;
    }
    if (peer.broken)
        assert_int_equal(vsock_poll(host.vsock), -EIO);
    else
        assert_false(host.vsock->broken);
}

static void one_step(void)
{
    uint8_t operation = input_8(script);

    switch (operation % 16) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        peer_send(script, operation / 16);
        break;
    case 5:
        (void)peer_take_all();
        break;
    case 6:
        (void)peer_take();
        break;
    case 7:
        peer_misbehave(script);
        break;
    case 8:
        connect_somewhere();
        break;
    case 9:
        fake_os.now += operation >= 0x80 ? 9000000u : 300000u;
        host.wakes += fake_os.now >= vsock_deadline(host.vsock);
        break;
    case 10:
        fake_os.fail_at = operation & 16 ? 1 + operation / 32 : 0;
        fake_os.fail_all = operation == 10 + 0xe0;
        break;
    default:
        use_connection(operation / 16);
        break;
    }
    if ((operation & 16) == 0 || operation % 16 >= 8) { /* else more of it comes before the guest runs */
        peer_interrupt();
        pump();
    }
}

/* The host takes all, the guest all of its time: then nothing is left but what the owner holds. */
static void come_to_rest(void)
{
    struct vsock_statistics statistics;

    fake_os.fail_at = 0;
    fake_os.fail_all = false;
    peer.callbacks = false;
    /* A queue of one slot takes one packet at a time. */
    bool moves = true;
    for (int i = 0; i < 200 && (moves || i < 8); i++) {
        fake_os.now += 5000000;
        host.wakes += fake_os.now >= vsock_deadline(host.vsock);
        moves = peer_take_all();
        peer_interrupt();
        pump();
    }
    if (peer.broken || peer.tainted)
        return;
    vsock_get_statistics(host.vsock, &statistics);
    assert_int_equal(statistics.packets_received, peer.packets_sent);
    assert_int_equal(statistics.connections, count_owned());
    /* Connections that no answer came for are reset by now. */
    for (size_t i = 0; i < CONNECTIONS; i++)
        assert_true(owned[i].handle == NULL || !owned[i].connecting || owned[i].reset);
}

static size_t memory_limit(size_t connections, size_t buffer_size)
{
    /* Receive buffers, rings, slots and reserve; packets on their way; connections and what is unread. */
    return 256u * 1024 + (256u + 16) * 1024 + connections * (1024 + 3 * buffer_size + 4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t buffer_sizes[] = {1, 100, 4096, 65536};
    struct input input = {data, size, 0};
    size_t steps = 0;

    script = &input;
    memset(owned, 0, sizeof(owned));
    depth = 0;
    host_prepare();
    host.on_event = on_event;
    uint8_t start = input_8(script);
    size_t connections = start & 1 ? CONNECTIONS : 1 + start / 64;
    size_t buffer_size = buffer_sizes[start / 2 % 4];
    peer_start(script, buffer_size, (start & 8) != 0, (start & 16) != 0);
    int result = host_create(connections, buffer_size);
    if (result == 0) {
        assert_true(vsock_guest_cid(host.vsock) > 2 && vsock_guest_cid(host.vsock) < UINT32_MAX);
        assert_int_equal(vsock_listen(host.vsock, GUEST_PORT), 0);
        assert_int_equal(vsock_listen(host.vsock, GUEST_PORT), -EADDRINUSE);
        assert_int_equal(vsock_listen_seqpacket(host.vsock, GUEST_PORT), 0);
        pump();
        while (input_left(script) > 0 && steps++ < STEPS_MAX) {
            one_step();
            assert_true(fake_os.bytes <= memory_limit(connections, buffer_size));
            assert_true(count_owned() <= connections);
        }
        come_to_rest();
        vsock_destroy(host.vsock);
        assert_int_equal(host.function->status, 0);
    }
    fake_os_stop();
    fake_pci_clear();
    return 0;
}
