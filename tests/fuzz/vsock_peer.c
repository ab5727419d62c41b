/* SPDX-License-Identifier: MIT */
#include "vsock_peer.h"

struct peer peer;

static struct fake_ring *ring_of(unsigned queue)
{
    return &host.function->queues[queue].ring;
}

/* A device that has lied about what it used does not know any more what there is. */
static bool take(unsigned queue, struct fake_chain *chain)
{
    return !peer.lied[queue] && fake_ring_take(ring_of(queue), chain);
}

void peer_start(struct input *script, size_t buffer_size, bool odd_device, bool callbacks)
{
    memset(&peer, 0, sizeof(peer));
    peer.buffer_size = buffer_size;
    peer.callbacks = callbacks;
    peer.cids[peer.cid_count++] = GUEST_CID;
    host.function->offered |= 2; /* SEQPACKET */
    if (!odd_device)
        return;
    for (size_t i = 0; i < 3; i++)
        host.function->queues[i].size_max = (uint16_t)(input_16(script) % 260);
    host.function->offered ^= (uint64_t)(input_8(script) & 7) << 28 ^ (input_8(script) & 3);
    host.function->offered ^= (uint64_t)(input_8(script) == 255) << 32;
    for (uint8_t changes = input_8(script) % 4; changes > 0; changes--) {
        uint8_t at = input_8(script) % FAKE_CONFIG_SIZE;
        host.function->device_config[at] = input_8(script);
    }
    memcpy(&peer.cids[peer.cid_count++], host.function->device_config, sizeof(uint64_t));
    uint8_t lies = input_8(script);
    host.function->generation_spins = (lies & 1) != 0 && lies >= 0x80;
    host.function->refuses_start = (lies & 2) != 0 && lies >= 0x80;
    host.function->refuses_features = (lies & 4) != 0 && lies >= 0x80;
    fake_os.fail_at = lies >= 0x40 && lies < 0x80 ? lies & 63 : 0;
}

/* ---- ends and streams ---- */

uint64_t peer_cid(uint8_t choice)
{
    static const uint64_t cids[] = {VSOCK_CID_LOCAL, 7, GUEST_CID, 0x1122334455667788};
    return choice < 0xc0 ? VSOCK_CID_HOST : cids[choice & 3];
}

uint32_t peer_port(uint8_t choice)
{
    return choice == 0xff ? UINT32_MAX : HOST_PORT + choice % 4u;
}

static uint32_t guest_port(uint8_t choice)
{
    if (choice < 0x80)
        return GUEST_PORT;
    return choice < 0xf8 ? VSOCK_PORT_DYNAMIC + choice % 30u : choice * 1000u;
}

static size_t port_index(uint32_t port)
{
    return port == GUEST_PORT ? 0 : port - VSOCK_PORT_DYNAMIC + 1;
}

struct stream *stream_of(uint16_t type, uint64_t cid, uint32_t host_port, uint32_t port)
{
    size_t c = cid == VSOCK_CID_HOST ? 0 : cid == 7 ? 1 : cid == GUEST_CID ? 2 : 3;
    size_t p = port_index(port), q = port_index(host_port);

    if (type != VSOCK_TYPE_STREAM && type != VSOCK_TYPE_SEQPACKET)
        return NULL;
    if (cid == VSOCK_CID_LOCAL) /* both ends know it by the port that is not listened on */
        return p < 32 && q < 32 && (p == 0) != (q == 0) ? &peer.local[type - 1][p + q] : NULL;
    if (c == 3 || host_port - HOST_PORT >= 4 || p >= 32)
        return NULL;
    return &peer.streams[type - 1][c][host_port - HOST_PORT][p];
}

bool stream_is_local(const struct stream *stream)
{
    return stream >= &peer.local[0][0];
}

/* Every other byte belongs to the stream, every other to the position. */
uint8_t stream_byte(const struct stream *stream, uint32_t position)
{
    size_t number = (size_t)((const char *)stream - (const char *)&peer) / sizeof(*stream);
    return (uint8_t)((position & 1) == 0 ? number * 37 + 11 : position >> 1);
}

/* ---- to the guest ---- */

/* What the guest may believe of the peer's buffer after this header. */
static void note_credit(struct stream *stream, const struct vsock_header *header)
{
    if (header->forward_count <= stream->sent_max && header->forward_count > stream->forward_max)
        stream->forward_max = header->forward_count;
    if (header->buffer_size > stream->buffer_max)
        stream->buffer_max = header->buffer_size;
}

static void post(struct fake_chain *chain, const struct vsock_header *header, struct stream *stream,
                 uint32_t used)
{
    uint8_t bytes[sizeof(*header) + RECEIVE_SIZE];
    uint32_t start = stream != NULL ? stream->told : 0;

    memcpy(bytes, header, sizeof(*header));
    /* The whole buffer goes on with the stream, whatever the lengths say. */
    for (uint32_t i = 0; i < RECEIVE_SIZE; i++)
        bytes[sizeof(*header) + i] = stream != NULL ? stream_byte(stream, start + i) : 0xee;
    (void)fake_chain_write(chain, bytes, sizeof(bytes));
    fake_ring_use(ring_of(0), chain->id, used);
    peer.packets_sent++;
    if (stream == NULL || header->destination_cid != host.vsock->guest_cid ||
        (header->type == VSOCK_TYPE_SEQPACKET && !host.vsock->seqpacket) || used < sizeof(*header))
        return;
    if (header->operation == VSOCK_OP_REQUEST)
        stream->told = 0, stream->end_count = 0, stream->began = peer.packets_sent;
    if (header->operation == VSOCK_OP_RW && header->length <= used - sizeof(*header)) {
        stream->told += header->length;
        if ((header->flags & VSOCK_SEQ_EOM) != 0 && stream->end_count < 64)
            stream->ends[stream->end_count++] = stream->told;
    }
    if (stream->told > stream->told_max)
        stream->told_max = stream->told;
    note_credit(stream, header);
}

/* The stream that a packet belongs to; what the host says in the guest's name belongs to none. */
static struct stream *followed(const struct vsock_header *header)
{
    struct stream *stream =
        stream_of(header->type, header->source_cid, header->source_port, header->destination_port);

    return stream != NULL && !stream_is_local(stream) ? stream : NULL;
}

static bool take_buffer(struct fake_chain *chain, bool held)
{
    if (held && peer.has_held) { /* out of order */
        *chain = peer.held;
        peer.has_held = false;
        return true;
    }
    return take(0, chain);
}

void peer_send(struct input *script, uint8_t choice)
{
    static const uint16_t operations[] = {1, 1, 5, 5, 5, 5, 4, 3, 6, 7, 2, 2};
    static const uint32_t buffer_sizes[] = {PEER_SIZE, 0, 1, 1000, 300000, UINT32_MAX};
    static struct fake_chain chain;
    uint8_t what = input_8(script), lies = input_8(script);
    struct vsock_header header = {
        .source_cid = peer_cid(input_8(script)),
        .destination_cid = host.vsock->guest_cid,
        .source_port = peer_port(input_8(script)),
        .destination_port = guest_port(input_8(script)),
        .type = lies & 0x40 ? VSOCK_TYPE_SEQPACKET : VSOCK_TYPE_STREAM,
        .operation = operations[what % 12],
        .buffer_size = buffer_sizes[what / 16 % 6],
    };

    if (header.operation == VSOCK_OP_RW)
        header.length = input_16(script) % (RECEIVE_SIZE + 1);
    if (header.operation == VSOCK_OP_RW && header.type == VSOCK_TYPE_SEQPACKET)
        header.flags = lies / 16 & 3;
    if (header.operation == VSOCK_OP_SHUTDOWN)
        header.flags = input_8(script);
    struct stream *stream = followed(&header);
    if (stream != NULL)
        header.forward_count = header.operation == VSOCK_OP_REQUEST ? 0 : stream->taken;
    uint32_t used = (uint32_t)sizeof(header) + header.length;
    if (lies >= 0x80) { /* one field is something else */
        switch (lies % 8) {
        case 0:
            header.length = input_32(script);
            break;
        case 1:
            header.type = input_8(script);
            break;
        case 2:
            header.operation = input_16(script);
            break;
        case 3:
            header.destination_cid = input_64(script);
            break;
        case 4:
            header.buffer_size = input_32(script);
            break;
        case 5:
            header.forward_count += input_32(script);
            break;
        case 6:
            used = input_16(script);
            break;
        default:
            header.flags = input_32(script);
            break;
        }
    }
    stream = followed(&header); /* its type may be another one now */
    if (choice == 15 && !peer.has_held)
        peer.has_held = take(0, &peer.held);
    if (take_buffer(&chain, choice == 14))
        post(&chain, &header, stream, used);
}

/* ---- from the guest ---- */

static bool was_guest(uint64_t cid)
{
    for (size_t i = 0; i < peer.cid_count; i++)
        if (peer.cids[i] == cid)
            return true;
    return false;
}

static void check_packet(const struct packet *packet, size_t size)
{
    const struct vsock_header *header = &packet->header;
    struct stream *stream =
        stream_of(header->type, header->destination_cid, header->destination_port, header->source_port);

    assert_int_equal(header->length, size - sizeof(*header));
    assert_true(was_guest(header->source_cid));
    assert_true(header->operation >= VSOCK_OP_REQUEST && header->operation <= VSOCK_OP_CREDIT_REQUEST);
    assert_true(header->length == 0 || header->operation == VSOCK_OP_RW);
    assert_true(header->destination_cid != VSOCK_CID_LOCAL);
    assert_true(header->type == VSOCK_TYPE_STREAM || header->operation == VSOCK_OP_RST ||
                (header->type == VSOCK_TYPE_SEQPACKET && host.vsock->seqpacket));
    assert_true(header->flags == 0 || header->operation == VSOCK_OP_SHUTDOWN ||
                (header->flags == VSOCK_SEQ_EOM && header->type == VSOCK_TYPE_SEQPACKET));
    /* An RST to a stranger says nothing about a buffer. */
    assert_true(header->buffer_size == peer.buffer_size ||
                (header->operation == VSOCK_OP_RST && header->buffer_size == 0));
    if (stream == NULL || peer.tainted)
        return;
    if (header->operation != VSOCK_OP_RST)
        assert_true(header->forward_count <= stream->told_max);
    if (header->operation == VSOCK_OP_RESPONSE || header->operation == VSOCK_OP_REQUEST)
        stream->taken = 0;
    for (uint32_t i = 0; i < header->length; i++)
        assert_int_equal(packet->payload[i], stream_byte(stream, stream->taken + i));
    stream->taken += header->length;
    assert_true(stream->taken <= stream->sent_max);
    /* No more than the host said it had room for. */
    assert_true(stream->taken <= (uint64_t)stream->forward_max + stream->buffer_max);
}

bool peer_take(void)
{
    static struct packet packet;
    static struct fake_chain chain;

    if (!take(1, &chain)) {
        if (!peer.lied[1])
            fake_ring_want_kick(ring_of(1), true);
        return false;
    }
    assert_int_equal(chain.writable_count, 0);
    assert_true(chain.readable_size >= sizeof(packet.header) && chain.readable_size <= sizeof(packet));
    fake_chain_read(&chain, &packet, sizeof(packet));
    check_packet(&packet, chain.readable_size);
    fake_ring_use(ring_of(1), chain.id, 0);
    return true;
}

bool peer_take_all(void)
{
    bool took = false;

    while (peer_take())
        took = true;
    return took;
}

void peer_misbehave(struct input *script)
{
    uint8_t what = input_8(script);
    struct fake_ring *ring = ring_of(what / 8 % 3);
    struct fake_chain chain;
    uint32_t event = 0;

    switch (what % 8) {
    case 0: /* an element that makes no sense, or one that comes twice */
        fake_ring_use(ring, what & 0x80 ? input_32(script) : input_8(script), input_32(script));
        peer.tainted = peer.lied[what / 8 % 3] = true;
        break;
    case 1:
        fake_ring_skip(ring, input_16(script));
        peer.tainted = peer.lied[what / 8 % 3] = true;
        break;
    case 2: /* a packet in a buffer that it has given back already */
        if (take(0, &chain)) {
            uint8_t bytes[sizeof(struct vsock_header)];
            input_bytes(script, bytes, sizeof(bytes));
            fake_ring_use(ring_of(0), chain.id, sizeof(bytes));
            (void)fake_chain_write(&chain, bytes, sizeof(bytes));
            peer.tainted = true;
        }
        break;
    case 3: /* events, 0 is the transport's reset; the CID may be another then */
        event = what & 0x80 ? input_32(script) : 0;
        if (what & 0x40)
            host.function->device_config[0] = input_8(script);
        if (peer.cid_count < sizeof(peer.cids) / sizeof(peer.cids[0]))
            memcpy(&peer.cids[peer.cid_count++], host.function->device_config, sizeof(uint64_t));
        if (take(2, &chain)) {
            (void)fake_chain_write(&chain, &event, sizeof(event));
            fake_ring_use(ring_of(2), chain.id, what & 0x20 ? 3 : 4);
            peer.tainted = true; /* what is on its way belongs to connections that are gone */
        }
        break;
    case 4: /* interrupts for nothing */
        for (uint16_t vector = 0; vector < 4; vector++)
            fake_pci_interrupt(host.function, vector);
        break;
    case 5:
        if (what & 0x80)
            host.function->status |= 64;
        fake_pci_interrupt(host.function, host.function->config_vector);
        break;
    default:
        fake_ring_want_kick(ring, (what & 0x80) != 0);
        break;
    }
}

void peer_interrupt(void)
{
    for (unsigned i = 0; i < 3; i++)
        fake_pci_signal(host.function, i);
}
