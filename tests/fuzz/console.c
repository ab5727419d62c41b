/* SPDX-License-Identifier: MIT
 *
 * virtio-console with several ports. The input says what the host does with its control messages, port names,
 * data, clients and rings, and what the owner does, in callbacks too. As long as the host keeps to what QEMU
 * does, no connection gets the bytes of two clients.
 */
#include <errno.h>

#include "fuzz.h"
#include "unit/virtio/fake_serial.h"

#define STEPS_MAX 400
#define POLLS_MAX 200
/* Rings, 64 KiB to send, 32 messages and a page to receive. */
#define MEMORY_MAX (160u * 1024)

static struct input *script;
static struct virtio_console_connection *owned[2]; /* the driver has no more */
static bool gone[2];                               /* CLOSED was told */
static unsigned session_of[2];                     /* whose bytes it has got; 0: none yet */
static unsigned session;                           /* of the client that is there, or was last */
static bool session_seen[2 * STEPS_MAX];           /* whether bytes of it have come, to one connection */
static bool tainted, ring_lied, broken, callbacks;
static unsigned depth;

static struct fake_ring *ring(unsigned queue)
{
    return &fake_mmio.queues[queue].ring;
}

static size_t index_of(const struct virtio_console_connection *connection)
{
    for (size_t i = 0; i < 2; i++)
        if (owned[i] == connection && connection != NULL)
            return i;
    return 2;
}

/* ---- the owner ---- */

static void check_bytes(size_t i, const uint8_t *bytes, size_t size)
{
    if (tainted || size == 0)
        return;
    for (size_t at = 1; at < size; at++)
        assert_int_equal(bytes[at], bytes[0]);
    if (session_of[i] == 0) {
        /* Nobody else's: the last bytes of a client may be read after the first of the next. */
        session_of[i] = session - (uint8_t)((uint8_t)session - bytes[0]);
        assert_true(session_of[i] > 0 && session_of[i] <= session && session < 2 * STEPS_MAX);
        assert_false(session_seen[session_of[i]]);
        session_seen[session_of[i]] = true;
    }
    assert_int_equal(bytes[0], (uint8_t)session_of[i]);
}

static void use(uint8_t operation)
{
    size_t i = operation / 8 % 2;
    const void *bytes = NULL;
    uint8_t out[5000];

    if (owned[i] == NULL)
        return;
    switch (operation % 8) {
    case 0:
    case 1:
    case 2: {
        int64_t size = virtio_console_peek(owned[i], &bytes);
        assert_true(size == -EAGAIN || size == -ECONNRESET || (size > 0 && size <= CONSOLE_RECEIVE_SIZE));
        assert_true(size != -EAGAIN || (!gone[i] && !broken));
        if (size <= 0)
            break;
        check_bytes(i, bytes, (size_t)size);
        virtio_console_take(owned[i], operation % 8 == 0 ? (size_t)size : 1 + operation / 16u % (size_t)size);
        break;
    }
    case 3:
    case 4:
    case 5: {
        size_t size = input_16(script) % sizeof(out);
        memset(out, 0x33, size);
        int64_t sent = virtio_console_send(owned[i], out, size);
        assert_true(sent <= (int64_t)size && (sent >= 0 || sent == -ECONNRESET));
        assert_true(!gone[i] || sent == -ECONNRESET);
        break;
    }
    default: {
        struct virtio_console_connection *handle = owned[i];
        owned[i] = NULL;
        virtio_console_close(handle);
        break;
    }
    }
}

static void on_event(enum virtio_console_event event, struct virtio_console_connection *connection)
{
    size_t i = index_of(connection);

    if (event == VIRTIO_CONSOLE_OPENED) {
        assert_int_equal(i, 2);
        i = owned[0] == NULL ? 0 : 1;
        assert_null(owned[i]);
        owned[i] = connection;
        gone[i] = false;
        session_of[i] = 0;
    } else {
        /* Its last bytes may be found behind its end. */
        assert_true(i < 2 && (!gone[i] || event == VIRTIO_CONSOLE_READABLE));
        gone[i] = gone[i] || event == VIRTIO_CONSOLE_CLOSED;
    }
    assert_int_equal(depth, 0);
    depth++;
    if (callbacks && input_left(script) > 0)
        use(input_8(script));
    depth--;
}

/* ---- the host ---- */

static void open_client(void)
{
    if (serial.host_connected || ring_lied)
        return;
    session++;
    serial_open();
}

/* QEMU sees an orderly end only where it can read, which takes a buffer; a reset it sees at once. */
static void close_client(bool reset)
{
    if (!serial.host_connected || ring_lied)
        return;
    if (reset || fake_mmio.queues[4].ready == 0)
        tainted = true;
    else if (serial.guest_connected && fake_ring_available(ring(4)) == 0)
        return;
    if (fake_mmio.queues[5].ready != 0)
        serial_close();
}

static void write_client(size_t size)
{
    uint8_t bytes[CONSOLE_RECEIVE_SIZE];

    if (!serial.host_connected || ring_lied || fake_mmio.queues[4].ready == 0 || size == 0)
        return;
    memset(bytes, (uint8_t)session, size);
    (void)serial_write(bytes, size);
}

static void read_client(bool throttle)
{
    static uint8_t bytes[TRANSMIT_SLOTS * TRANSMIT_SIZE * 2];

    if (!serial.host_connected || ring_lied || fake_mmio.queues[5].ready == 0)
        return;
    throttle ? serial_throttle() : (void)serial_read(bytes, sizeof(bytes));
}

static void lie(uint8_t operation)
{
    uint8_t bytes[CONTROL_SIZE];
    struct console_control message = {
        .port = input_8(script) % 9, .event = input_8(script) % 9, .value = input_8(script) & 1};

    tainted = serial.quiet = true;
    switch (operation / 16 % 8) {
    case 0:
    case 1: /* a message of any kind to any port */
        if (operation & 0x80) {
            message.port = input_32(script);
            message.value = input_16(script);
        }
        if (!ring_lied)
            serial_control(message.port, message.event, message.value);
        break;
    case 2: /* our name, for any port */
        if (!ring_lied)
            serial_port_name(message.port, SERIAL_NAME, sizeof(SERIAL_NAME) - (message.event & 1));
        break;
    case 3: {
        size_t size = input_bytes(script, bytes, sizeof(bytes));
        if (!ring_lied)
            serial_control_raw(bytes, size, operation & 0x80 ? input_16(script) : (uint32_t)size);
        break;
    }
    case 4: /* elements that make no sense */
        for (unsigned queue = message.port % 8; queue < 8; queue++) {
            if (fake_mmio.queues[queue].ready == 0)
                continue;
            ring_lied = true;
            fake_ring_use(ring(queue), input_8(script), message.event & 1 ? input_32(script) : 8);
            break;
        }
        break;
    case 5:
        for (unsigned queue = message.port % 8; queue < 8; queue++) {
            if (fake_mmio.queues[queue].ready == 0)
                continue;
            ring_lied = true;
            fake_ring_skip(ring(queue), input_16(script));
            break;
        }
        break;
    case 6:
        if (message.value != 0 && operation >= 0xe0)
            fake_mmio.status |= 64;
        fake_mmio_raise(1u + message.value);
        break;
    default: /* the buffer comes back without a byte */
        if (serial.host_connected && !ring_lied && serial.guest_connected && fake_mmio.queues[4].ready != 0)
            (void)serial_write(bytes, 0);
        break;
    }
}

/* ---- one input ---- */

static bool take_and_answer(void)
{
    struct fake_chain chain;
    bool any = false;

    if (ring_lied)
        return false;
    while (fake_mmio.queues[3].ready != 0 && fake_ring_take(ring(3), &chain)) {
        struct console_control message;
        assert_true(chain.writable_count == 0 && chain.readable_size == sizeof(message));
        fake_chain_read(&chain, &message, sizeof(message));
        assert_true(message.value == 1 && message.event < 8 && message.port < CONSOLE_PORTS_MAX);
        fake_ring_use(ring(3), chain.id, 0);
        any = true;
        if (message.event == CONSOLE_PORT_OPEN)
            serial.guest_connected = true;
        if (serial.quiet)
            continue;
        if (message.event == CONSOLE_DEVICE_READY) {
            serial_control(0, CONSOLE_PORT_ADD, 1);
            serial_control(SERIAL_PORT, CONSOLE_PORT_ADD, 1);
        } else if (message.event == CONSOLE_PORT_READY && message.port == SERIAL_PORT) {
            serial_port_name(SERIAL_PORT, SERIAL_NAME, sizeof(SERIAL_NAME));
            if (serial.host_connected)
                serial_control(SERIAL_PORT, CONSOLE_PORT_OPEN, 1);
        }
    }
    return any;
}

static void pump(bool answer)
{
    size_t rounds = 0;

    /* A host that answers each question may go on for ever, between two rounds of it the guest may not. */
    do {
        size_t polls = 0;
        for (unsigned queue = 2; queue < 6; queue++)
            if (fake_mmio.queues[queue].ready != 0)
                (void)fake_mmio_signal(queue);
        while (serial.wakes > 0 && !broken) {
            serial.wakes = 0;
            assert_true(++polls <= POLLS_MAX);
            int result = virtio_console_poll(serial.console);
            assert_true(result == 0 || result == -EIO);
            broken = result != 0;
        }
        assert_true(!broken || tainted);
    } while (answer && !broken && take_and_answer() && ++rounds < 20);
    if (broken)
        assert_int_equal(virtio_console_poll(serial.console), -EIO);
}

static void one_step(void)
{
    uint8_t operation = input_8(script);

    switch (operation % 16) {
    case 0:
    case 1:
        open_client();
        break;
    case 2:
        close_client(operation >= 0xf0);
        break;
    case 3:
    case 4:
    case 5:
        write_client(operation / 16 < 15 ? operation / 16u * 5 : CONSOLE_RECEIVE_SIZE);
        break;
    case 6:
        read_client((operation & 16) != 0);
        break;
    case 7:
        lie(operation);
        break;
    case 8: /* more comes before the guest looks */
        return;
    default:
        use(operation / 16 + (operation % 2) * 8);
        break;
    }
    if ((operation & 32) == 0)
        pump((operation & 64) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size, 0};

    script = &input;
    memset(owned, 0, sizeof(owned));
    session = depth = 0;
    memset(session_seen, 0, sizeof(session_seen));
    tainted = ring_lied = broken = false;
    serial_prepare();
    serial.on_event = on_event;
    uint8_t start = input_8(script);
    callbacks = (start & 1) != 0;
    if (start & 2) {
        uint8_t at = input_8(script) % 12;
        fake_mmio.config[at] = input_8(script);
        fake_mmio.queues[input_8(script) % FAKE_MMIO_QUEUES].size_max = input_8(script);
        fake_mmio.offered ^= (uint64_t)(input_8(script) & 7) << 28 ^ (input_8(script) & 2);
        tainted = true;
    }
    if (start & 4)
        fake_os.fail_at = 1 + start / 8;
    int error = serial_create();
    if (error == 0) {
        fake_os.fail_at = 0;
        pump(true);
        for (size_t steps = 0; input_left(script) > 0 && steps < STEPS_MAX; steps++)
            one_step();
        assert_true(fake_os.bytes_peak <= MEMORY_MAX);
    } else {
        serial.console = NULL;
        assert_true(tainted || fake_os.fail_at == 0);
    }
    serial_stop();
    return 0;
}
