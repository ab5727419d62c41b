/* SPDX-License-Identifier: MIT
 *
 * What the files of the vsock driver share.
 *
 *   device.c      queues, receive buffers, the poll loop, transport reset
 *   packet.c      what a received packet does
 *   transmit.c    packets on their way out, and whose turn it is
 *   connection.c  the table of connections, their life and their public calls
 *   stream.c      received bytes that the owner has not read yet
 */
#ifndef VIRTIO_VSOCK_PRIVATE_H
#define VIRTIO_VSOCK_PRIVATE_H

#include <virtio/queue.h>
#include <virtio/vsock.h>

#include "list.h"

/* Section 5.10.6 */
struct vsock_header {
    uint64_t source_cid;
    uint64_t destination_cid;
    uint32_t source_port;
    uint32_t destination_port;
    uint32_t length; /* of the payload */
    uint16_t type;
    uint16_t operation;
    uint32_t flags;
    uint32_t buffer_size;   /* buf_alloc: of the sender of this packet */
    uint32_t forward_count; /* fwd_cnt: bytes that left that buffer, ever */
} __attribute__((packed));
_Static_assert(sizeof(struct vsock_header) == 44, "virtio 1.2, 5.10.6");
_Static_assert(offsetof(struct vsock_header, source_port) == 16, "virtio 1.2, 5.10.6");
_Static_assert(offsetof(struct vsock_header, length) == 24, "virtio 1.2, 5.10.6");
_Static_assert(offsetof(struct vsock_header, operation) == 30, "virtio 1.2, 5.10.6");
_Static_assert(offsetof(struct vsock_header, forward_count) == 40, "virtio 1.2, 5.10.6");

/* Section 5.10.6.2 */
#define VSOCK_TYPE_STREAM    1
#define VSOCK_TYPE_SEQPACKET 2

enum vsock_operation {
    VSOCK_OP_REQUEST = 1,
    VSOCK_OP_RESPONSE = 2,
    VSOCK_OP_RST = 3,
    VSOCK_OP_SHUTDOWN = 4,
    VSOCK_OP_RW = 5,
    VSOCK_OP_CREDIT_UPDATE = 6,
    VSOCK_OP_CREDIT_REQUEST = 7,
};

/* Flags of SHUTDOWN, section 5.10.6.5 */
#define VSOCK_SHUTDOWN_RECEIVE 1u
#define VSOCK_SHUTDOWN_SEND    2u
#define VSOCK_SHUTDOWN_BOTH    3u

/* Flag of RW: a message ends with this packet (SEQPACKET, section 5.10.6.6). The other one,
 * VIRTIO_VSOCK_SEQ_EOR, ends a record of several messages; records are not told apart here. */
#define VSOCK_SEQ_EOM 1u

#define VSOCK_BUCKETS      64         /* of the connection table */
#define VSOCK_PORT_DYNAMIC 49152u     /* and above: for our own connections */
#define VSOCK_PORT_ANY     UINT32_MAX /* no port */
#define VSOCK_PORTS_MAX    8
#define VSOCK_RESETS_MAX   32 /* answers that belong to no connection */
#define RECEIVE_BUFFERS    32
#define RECEIVE_OFFSET     64   /* of the payload in a receive buffer, behind the header */
#define RECEIVE_SIZE       4000 /* of the payload: a copy with its list and an allocator's header is a page */
#define TRANSMIT_SLOTS     64   /* packets in the transmit queue, at most */
#define PACKET_DESCRIPTORS 2    /* header and payload each have one, at most */
#define TRANSMIT_INLINE    ((size_t)64) /* every slot's own memory: any packet without payload fits */
#define TRANSMIT_SIZE      16384
#define TRANSMIT_RESERVE   4096 /* packets up to this have memory that is never given back, */
#define RESERVE_COUNT      4    /* for as many of them */
#define EVENT_BUFFERS      8

struct vsock_segment;

/* Bytes that were received and not read. */
struct vsock_stream {
    struct vsock_segment *first, *last;
    size_t size;
};

/* SEQPACKET: where the messages in a stream end. */
struct vsock_messages {
    size_t left;                /* of the message at the front; 0: none is whole */
    struct vsock_stream behind; /* uint32_t: the sizes of those behind it */
    size_t incoming;            /* received of the one whose end is not there yet */
};

enum vsock_state {
    VSOCK_STATE_CONNECTING, /* REQUEST goes out, RESPONSE is awaited */
    VSOCK_STATE_ESTABLISHED,
    VSOCK_STATE_CLOSING, /* let go by the owner: SHUTDOWN goes out, RST is awaited */
    VSOCK_STATE_DEAD,    /* nothing moves; kept for its owner, or until a last RST is out */
};

struct vsock_connection {
    struct vsock *vsock;
    void *context;
    uint64_t peer_cid;
    uint32_t peer_port, local_port;
    uint16_t type; /* VSOCK_TYPE_* */
    enum vsock_state state;
    bool owned;             /* the owner has the handle */
    bool waits_for_credit;  /* a send stopped short; the peer's next credit makes it WRITABLE */
    bool credit_requested;  /* once for each stall */
    bool has_turn;          /* may send before those in vsock->waiting */
    uint8_t local_shutdown; /* VSOCK_SHUTDOWN_*, as sent */
    uint8_t peer_shutdown;  /* as received */
    uint32_t events;        /* 1 << enum vsock_event: to be delivered */
    uint32_t control;       /* 1 << enum vsock_operation: to be sent; at most one of each is ever needed */
    uint64_t deadline;      /* CONNECTING and CLOSING, in os->now_us */

    /* Credit, section 5.10.6.3; all counters wrap. */
    uint32_t sent;           /* tx_cnt: bytes ever sent */
    uint32_t peer_forwarded; /* of them, those that left the peer's buffer, as far as we know */
    uint32_t peer_buffer_size;
    uint32_t forwarded;      /* our fwd_cnt: bytes that the owner has read */
    uint32_t forwarded_told; /* what the peer knows of it */
    struct vsock_stream stream;
    struct vsock_messages messages;

    struct list table;   /* vsock->buckets */
    struct list ready;   /* vsock->ready: has events */
    struct list waiting; /* vsock->waiting: waits for room in the transmit queue */
    struct list sending; /* vsock->sending: has control packets to send */
};

/* RST to a peer that we have no connection with. */
struct vsock_reset {
    uint64_t peer_cid;
    uint32_t peer_port, local_port;
    uint16_t type;
};

/* One entry of the transmit queue. */
struct transmit_slot {
    void *memory; /* of a packet with payload, NULL for one without */
    size_t size;
    uint8_t reserve;            /* its bit in vsock->reserve_free, 0 when the memory was allocated */
    struct transmit_slot *next; /* free slot, or the next packet for ourselves */
};

/* The header, and the payload at RECEIVE_OFFSET. */
struct receive_buffer {
    uint8_t *memory;
    uint64_t physical;
};

struct vsock {
    struct virtio_device *device;
    const struct virtio_os *os;
    struct vsock_config config;
    uint64_t guest_cid;
    bool seqpacket; /* the device has VIRTIO_VSOCK_F_SEQPACKET */
    bool polling;   /* within vsock_poll: it kicks and wakes at its end */
    bool broken;
    bool config_changed; /* set in interrupt context */

    struct virtio_queue *receive_queue, *transmit_queue, *event_queue;
    struct receive_buffer receive_buffers[RECEIVE_BUFFERS];
    uint32_t returned; /* receive buffers given back since the last kick */
    uint32_t *events;  /* EVENT_BUFFERS of them, written by the device */
    uint64_t events_physical;

    uint8_t *inline_memory; /* TRANSMIT_INLINE for each slot */
    uint64_t inline_physical;
    uint8_t *reserve; /* RESERVE_COUNT times TRANSMIT_RESERVE */
    uint64_t reserve_physical;
    uint8_t reserve_free;   /* bits */
    bool starved;           /* there is no memory for a packet until the device returns one */
    size_t transmit_memory; /* bytes allocated for packets in flight */
    uint64_t moved_at;      /* in os->now_us: the device took a packet, or got the first that it holds */
    struct transmit_slot slots[TRANSMIT_SLOTS];
    struct transmit_slot *free_slot;
    struct transmit_slot *local_first, *local_last; /* packets for ourselves (VSOCK_CID_LOCAL) */
    struct vsock_reset resets[VSOCK_RESETS_MAX];
    size_t reset_first, reset_count;

    struct list buckets[VSOCK_BUCKETS];
    struct list ready, waiting, sending;
    size_t connection_count;
    uint64_t next_deadline; /* UINT64_MAX: none */
    struct {
        uint32_t port;
        uint16_t type;
    } ports[VSOCK_PORTS_MAX];
    size_t port_count;
    uint32_t next_port;

    struct vsock_statistics statistics;
};

/* stream.c */
/* Returns false, and changes nothing, when there is no memory. `data` may be memory that the device can
 * write. */
bool vsock_stream_append(const struct virtio_os *os, struct vsock_stream *stream, const uint8_t *data,
                         size_t size);
/* The bytes at the front, as far as they lie together; 0 when there are none. */
size_t vsock_stream_front(const struct vsock_stream *stream, const uint8_t **data);
/* Takes off at most what vsock_stream_front returned, which was not 0. */
void vsock_stream_take(const struct virtio_os *os, struct vsock_stream *stream, size_t size);
void vsock_stream_clear(const struct virtio_os *os, struct vsock_stream *stream);

/* The incoming message, which is not empty, is whole. Returns false, and changes nothing, when there is no
 * memory. */
bool vsock_messages_end(const struct virtio_os *os, struct vsock_messages *messages);
/* Takes bytes off the front message, at most what is left of it. */
void vsock_messages_take(const struct virtio_os *os, struct vsock_messages *messages, size_t size);

/* connection.c */
/* Types have ports of their own. */
struct vsock_connection *vsock_connection_find(struct vsock *vsock, uint16_t type, uint64_t peer_cid,
                                               uint32_t peer_port, uint32_t local_port);
/* NULL when there is no memory or connections_max is reached. */
struct vsock_connection *vsock_connection_new(struct vsock *vsock, uint16_t type, uint64_t peer_cid,
                                              uint32_t peer_port, uint32_t local_port);
bool vsock_is_listening(const struct vsock *vsock, uint16_t type, uint32_t port);
/* Queues an event for the owner, if there is one. */
void vsock_connection_notify(struct vsock_connection *connection, enum vsock_event event);
/* The connection is over: tells the owner, and the peer by RST if asked. It may be freed at once: do not
 * touch it after this. */
void vsock_connection_kill(struct vsock_connection *connection, bool reset_peer);
/* Frees it when neither the owner nor a packet needs it any more. */
void vsock_connection_settle(struct vsock_connection *connection);
/* Frees it in any case. */
void vsock_connection_free(struct vsock_connection *connection);
/* Calls `visit` for every connection; it may free the one that it is given. */
void vsock_connection_each(struct vsock *vsock, void (*visit)(struct vsock_connection *connection));
/* Ends what took too long, and sets vsock->next_deadline. */
void vsock_connection_expire(struct vsock *vsock);

/* packet.c */
/* Header and payload can be written by the device all the time; `size` is what it says it wrote to them
 * together. `cid`: whom the packet must be for, our CID when it is the device's, VSOCK_CID_LOCAL when it is
 * our own. */
void vsock_packet_handle(struct vsock *vsock, const uint8_t *header_memory, const uint8_t *payload,
                         size_t size, uint64_t cid);

/* transmit.c */
int vsock_transmit_initialise(struct vsock *vsock);
void vsock_transmit_release(struct vsock *vsock);
/* Takes back what the device has sent. Returns how many, or -EIO. */
int vsock_transmit_reclaim(struct vsock *vsock);
/* Marks a packet without payload to be sent. */
void vsock_transmit_control(struct vsock_connection *connection, enum vsock_operation operation);
void vsock_transmit_reset(struct vsock *vsock, const struct vsock_reset *reset);
/* Sends what is marked, as far as there is room. May free connections that wait for nothing else. */
void vsock_transmit_flush(struct vsock *vsock);
/* Sends up to `size` bytes in one packet; a message ends with the last of them if `ends` (SEQPACKET). Returns
 * how many; 0 when there is no room. */
size_t vsock_transmit_data(struct vsock_connection *connection, const uint8_t *data, size_t size, bool ends);
/* Handles at most *budget packets that were sent to ourselves. */
void vsock_transmit_deliver_local(struct vsock *vsock, unsigned *budget);
bool vsock_transmit_has_room(const struct vsock *vsock);
/* Kicks, and asks for an interrupt when something waits for room. Returns false when there is room, or will
 * be when used packets are taken back: then it is vsock_poll that goes on. */
bool vsock_transmit_finish(struct vsock *vsock);

/* device.c */
/* At the end of a public call that may have sent something. */
void vsock_finish_call(struct vsock *vsock);

#endif
